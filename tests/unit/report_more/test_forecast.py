"""When a run will end, from what its steps took before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from story import START, STEPS, Story

from drctl.console.forecast import caveats, forecast_document, forecast_text, plan_forecast_lines
from drctl.core import events as ev
from drctl.core.run import Run
from drctl.report.forecast import family, foresee, learn, quantile
from drctl.report.timeline import Timeline

LATER = START + timedelta(days=30)


@pytest.fixture
def past(tmp_path):
    """Three runs, at the pace of 1, 2 and 3."""
    paces = (1.0, 2.0, 3.0)
    return learn(Story(tmp_path, f"past{pace}").whole(pace, wait=60 * pace).records for pace in paces)


def seen(story):
    return foresee(Run.of(story.records), past_none(), story.clock.at)


def past_none():
    return learn(())


def test_a_fresh_run_takes_its_longest_path(tmp_path, past):
    story = Story(tmp_path, "now", LATER)
    found = foresee(Run.of(story.records), past, LATER)
    assert found.runs == 3
    assert (found.end.p50, found.end.p90) == (620, 930)  # 100 + 200 + 10, at pace 2 and 3
    assert found.questions == 1
    assert found.people == 120
    assert found.unknown == found.late == ()


def test_what_ended_is_no_longer_ahead(tmp_path, past):
    story = Story(tmp_path, "now", LATER).open().answer()
    story.start("break[pacs]").start("break[ris]").finish("break[ris]", after=30)
    found = foresee(Run.of(story.records), past, story.clock.at)
    assert found.end.p50 == 200 - 30 + 400 + 20
    assert found.questions == 0


def test_a_step_beyond_every_past_one_is_said_and_counts_no_less_than_nothing(tmp_path, past):
    story = Story(tmp_path, "now", LATER).open().answer().start("break[pacs]")
    found = foresee(Run.of(story.records), past, story.clock.at + timedelta(seconds=1000))
    assert found.late == ("break[pacs]",)
    assert found.end.p50 == 80 + 400 + 20  # the other mirror has not begun


def test_people_are_waited_for_by_name_and_not_counted(tmp_path, past):
    story = Story(tmp_path, "now", LATER).open()
    found = foresee(Run.of(story.records), past, story.clock.at + timedelta(minutes=6))
    assert [(w.step, w.role, w.seconds) for w in found.waits] == [("go", "commander", 360)]
    assert found.end.p50 == 620
    assert any("people not counted: 1 question ahead, 2 min" in line for line in caveats(found))


def test_a_new_item_is_like_its_siblings(tmp_path, past):
    steps = (*STEPS[:2], {**STEPS[2], "step": "break[new]"})
    found = foresee(Run.of(Story(tmp_path, "now", LATER, steps=steps).records), past, LATER)
    assert found.unknown == ()
    assert found.end.p90 == 300


def test_a_step_nobody_knows_makes_it_a_lower_bound(tmp_path, past):
    steps = (*STEPS, {"step": "odd", "kind": "action", "phase": "VMs", "needs": ("viewer",)})
    story = Story(tmp_path, "now", LATER, steps=steps)
    found = foresee(Run.of(story.records), past, LATER)
    assert found.unknown == ("odd",)
    assert "ends not before " in forecast_text(found, Timeline.of(story.records).zone)


def test_no_history_is_said(tmp_path):
    story = Story(tmp_path, "now", LATER)
    found = seen(story)
    assert found.end is None
    assert found.people is None
    assert "no past run" in forecast_text(found, Timeline.of(story.records).zone)
    assert "no past run" in next(plan_forecast_lines(found))
    assert forecast_document(found)["end"] is None


def test_history_of_other_steps_alone_is_no_history(tmp_path):
    other = ({"step": "else", "kind": "action", "phase": "P"},)
    past = learn([Story(tmp_path, "a", steps=other).do("else", 5).end().records])
    assert foresee(Run.of(Story(tmp_path, "now").records), past, LATER).end is None


def test_a_drill_tells_what_an_aborted_failover_never_reached(tmp_path):
    """Failovers come first; a step that only drills know is known from them, and said to be."""
    failovers = learn(
        [Story(tmp_path, "aborted").open().answer().do("break[pacs]", 40).end("aborted").records]
    )
    drills = learn([Story(tmp_path, "drill", mode="drill").whole().records])
    story = Story(tmp_path, "now", LATER)
    found = foresee(Run.of(story.records), replace(failovers, hint=drills), LATER)
    assert (
        found.end.p50 == 40 + 200 + 10
    )  # both mirrors as the failover had the one, the rest as in the drill
    assert found.unknown == ()
    assert found.borrowed == ("boot", "viewer")
    assert found.runs == 2
    assert "known from other modes, such as drills, alone: boot, viewer" in list(caveats(found))
    alone = foresee(Run.of(story.records), replace(drills, hint=failovers), LATER)
    assert (alone.runs, alone.borrowed) == (1, ())


def test_a_clock_that_a_note_states_counts_for_the_margin(tmp_path, past):
    story = Story(tmp_path, "now", LATER, rto=1000)
    for clock in ("impact", "declaration"):
        story.tell(ev.ClockSet(clock=clock, instant=LATER, source="assumed"))
    story.note("said by telephone", "declaration", instant=LATER - timedelta(seconds=300))
    assert foresee(Run.of(story.records), past, LATER).tightest.left == 700


def test_a_plan_is_measured_against_the_tightest_rto(tmp_path, past):
    story = Story(tmp_path, "now", LATER)
    planned = Run()
    for record in story.records:
        if isinstance(record.event, ev.StepPlanned):
            planned.add(record)
    service = ev.ServiceData(
        name="pacs", title="PACS", checks=("viewer",), objectives=ev.ObjectivesData(rto=900)
    )
    lines = list(plan_forecast_lines(foresee(planned, past, LATER, (service,))))
    assert lines[0] == "expected duration 10 min 20 s (P50), 15 min 30 s (P90), from 3 past runs"
    assert lines[1] == "tightest RTO 15 min 00 s, margin 5 min (PACS), counted from the start"


def test_margin_is_the_rto_less_the_median(tmp_path, past):
    story = Story(tmp_path, "now", LATER, rto=1000)
    found = foresee(Run.of(story.records), past, LATER + timedelta(seconds=100))
    tight = found.tightest
    assert (tight.name, tight.left, tight.left - tight.end.p50) == ("pacs", 900, 280)
    text = forecast_text(found, Timeline.of(story.records).zone)
    assert text == "ends about 04:24 (P90 04:29) CET; RTO 04:28, margin 5 min (PACS)"


def test_a_missed_rto_is_said(tmp_path, past):
    story = Story(tmp_path, "now", LATER, rto=300)
    assert "MISSED by 5 min" in forecast_text(
        foresee(Run.of(story.records), past, LATER), Timeline.of(story.records).zone
    )


def test_pauses_and_crashes_are_no_work(tmp_path):
    story = Story(tmp_path, "a").open().answer().start("break[pacs]", after=0)
    story.tell(ev.RunPaused(why="interrupted", exit=130), after=10)
    story.note("somebody sleeps")
    story.tell(ev.LockTaken(epoch=2, owner="o", host="h", pid=1), after=3600)
    story.finish("break[pacs]", after=20)
    story.start("break[ris]").tell(ev.StepProgress(step="break[ris]", message="half"), after=5)
    story.tell(ev.LockTaken(epoch=3, owner="o", host="h", pid=1), after=500)
    story.finish("break[ris]", after=7)
    past = learn([story.records])
    assert past.steps["break[pacs]"] == [30]
    assert past.steps["break[ris]"] == [10 + 20 + 5 + 7]  # its turn came with its sibling's


def test_only_work_done_is_learnt_from(tmp_path):
    story = Story(tmp_path, "a").open().answer()
    story.do("break[pacs]", 3, "unchanged").do("break[ris]", 4, "adopted").start("boot").fail("boot")
    assert set(learn([story.records]).steps) == {"go"}


def test_a_queue_is_part_of_a_step(tmp_path):
    story = Story(tmp_path, "a").open().answer()
    story.start("break[ris]", after=50).finish("break[ris]", after=5)
    assert learn([story.records]).steps["break[ris]"] == [55]


def test_what_is_already_as_wished_takes_no_time(tmp_path, past):
    steps = tuple({**step, "verdict": "done"} if step["step"] == "boot" else step for step in STEPS)
    found = foresee(Run.of(Story(tmp_path, "now", LATER, steps=steps).records), past, LATER)
    assert found.end.p50 == 220


@given(st.lists(st.floats(0, 1e6), min_size=1), st.sampled_from([0.5, 0.9, 1.0]))
def test_a_quantile_is_a_sample_that_enough_do_not_exceed(samples, share):
    found = quantile(samples, share)
    assert found in samples
    assert sum(sample <= found for sample in samples) >= share * len(samples)


@pytest.mark.parametrize(
    ("step", "name"),
    [("go", "go"), ("promote[a].break", "promote[].break"), ("check[x[1]]", "check[]")],
)
def test_families(step, name):
    assert family(step) == name


def test_ten_thousand_steps_are_foreseen_quickly(tmp_path, past):
    steps = tuple(
        {"step": f"break[{n}]", "kind": "action", "phase": "P", "needs": (f"break[{n - 1}]",) if n else ()}
        for n in range(10_000)
    )
    run = Run()
    for step in steps:
        run.add(ev.Recorded(0, START, "", ev.StepPlanned(title="t", verdict="will", **step)))
    found = foresee(run, past, START)
    assert found.end.p90 >= 10_000 * 100
