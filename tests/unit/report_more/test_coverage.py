"""What counts as exercised, where, and what makes it stale."""

from __future__ import annotations

from datetime import timedelta

import pytest
from story import START, STEPS, Story

from drctl.core import events as ev
from drctl.report.coverage import cover

DAY = 86400.0
LATER = START + timedelta(days=10)


def by_step(coverage):
    return {step.step: step for step in coverage.steps}


def test_a_failover_is_for_real_and_a_drill_in_the_bubble(tmp_path):
    real = Story(tmp_path, "a").whole()
    drill = Story(tmp_path, "b", START + timedelta(days=1), mode="drill").whole()
    found = by_step(cover([real.records, drill.records], LATER, 90 * DAY))
    boot = found["boot"]
    assert boot.status == "for real"
    assert (boot.real.run.run, boot.bubble.run.run) == ("a", "b")
    assert boot.real.at == START + timedelta(seconds=360)
    assert boot.real.seconds == 200
    assert boot.stale == ()


def test_only_a_bubble_says_so(tmp_path):
    drill = Story(tmp_path, "b", mode="drill").whole()
    assert by_step(cover([drill.records], LATER, 90 * DAY))["boot"].status == "in the bubble"


@pytest.mark.parametrize(
    ("tell", "result"),
    [
        (lambda s: s.do("boot", 0, "unchanged"), "unchanged"),
        (lambda s: s.start("boot").fail("boot"), "failed"),
        (lambda s: s.start("boot").fail("boot", tolerated=True), "failed, unproven"),
        (lambda s: s.tell(ev.StepSkipped(step="boot", reason="no", cause="person")), "skipped"),
        (lambda s: s.tell(ev.StepNotExercised(step="boot", reason="drill")), "not exercised"),
        (lambda s: s, "not reached"),
    ],
)
def test_what_did_nothing_proves_nothing(tmp_path, tell, result):
    story = tell(Story(tmp_path, "a"))
    boot = by_step(cover([story.records], LATER, 90 * DAY))["boot"]
    assert boot.status == "not exercised"
    assert boot.last.result == result
    assert boot.exercised is None


def test_a_manual_step_of_a_drill_is_read_out_and_proves_nothing(tmp_path):
    steps = ({"step": "carrier", "kind": "manual", "phase": "Traffic"},)

    def told(mode):
        story = Story(tmp_path, mode, mode=mode, steps=steps)
        story.tell(ev.ManualOpened(step="carrier", do="Move the tunnels."))
        story.tell(ev.ManualRecorded(step="carrier", result="done", by="operator"))
        return story.tell(ev.StepFinished(step="carrier", how="answered")).records

    drilled = by_step(cover([told("drill")], LATER, 90 * DAY))["carrier"]
    assert (drilled.status, drilled.last.result, drilled.exercised) == ("not exercised", "read out", None)
    assert by_step(cover([told("failover")], LATER, 90 * DAY))["carrier"].status == "for real"


def test_never_is_a_step_no_run_planned(tmp_path):
    story = Story(tmp_path, "a").whole()
    new = ev.StepPlanned(step="new", title="New", phase="P", kind="action", verdict="will")
    found = by_step(cover([story.records], LATER, 90 * DAY, [new]))
    assert found["new"].status == "never"
    assert not found["new"].gone
    assert found["boot"].gone


def test_age_makes_stale(tmp_path):
    story = Story(tmp_path, "a").whole()
    fresh = cover([story.records], START + timedelta(days=90), 90 * DAY)
    assert fresh.stale == []
    old = cover([story.records], START + timedelta(days=91), 90 * DAY)
    assert by_step(old)["boot"].stale == ("last exercised 91 d ago",)


def test_a_later_exercise_in_the_bubble_keeps_a_step_fresh(tmp_path):
    real = Story(tmp_path, "a").whole()
    drill = Story(tmp_path, "b", START + timedelta(days=80), mode="drill").whole()
    assert cover([real.records, drill.records], START + timedelta(days=100), 90 * DAY).stale == []


def test_an_edited_step_is_stale_and_an_old_journal_without_digests_is_not(tmp_path):
    old = Story(tmp_path, "a").whole()
    edited = [ev.StepPlanned(**{"title": "t", "verdict": "will", **s, "digest": "x"}) for s in STEPS]
    found = by_step(cover([old.records], LATER, 90 * DAY, edited))
    assert found["boot"].stale == ("changed since",)
    assert found["viewer"].stale == ()


def test_a_failure_after_the_last_success_is_stale(tmp_path):
    good = Story(tmp_path, "a").whole()
    bad = Story(tmp_path, "b", START + timedelta(days=1)).open().answer()
    bad.start("break[pacs]").fail("break[pacs]", after=3)
    found = by_step(cover([good.records, bad.records], LATER, 90 * DAY))
    assert found["break[pacs]"].stale == ("failed in b",)
    assert found["break[pacs]"].status == "for real"
    assert found["break[ris]"].last.result == "not reached"
    assert found["break[ris]"].stale == ()


def test_prechecks_are_no_steps(tmp_path):
    check = {"step": "lag", "kind": "probe", "phase": "Prechecks", "precheck": True}
    story = Story(tmp_path, "a", steps=(check, *STEPS))
    assert "lag" not in by_step(cover([story.records], LATER, 90 * DAY))


def test_no_run_at_all():
    found = cover([], LATER, 90 * DAY)
    assert found.runs == found.steps == ()
