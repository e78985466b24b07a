"""What a report says: only what the journal proves, and every second of a recovery counted once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_journals import NIGHT, STORIES, Story, aborted, crashed, drill, failover, large

from drctl.core.events import StepPlanned
from drctl.report.activity import Ledger, Span, segments
from drctl.report.chart import draw
from drctl.report.compose import unproven
from drctl.report.facts import CheckFact
from drctl.report.gather import Background, gather
from drctl.report.objectives import judge


def told(story):
    scan = story.scan()
    return gather(scan.records, scan.head.digest)


def facts(story):
    return told(story)[0]


def service(report, name):
    return next(each for each in report.services if each.name == name)


def step(report, name):
    return next(each for each in report.steps if each.id == name)


def parts(report, name):
    return {part.name: part.seconds for part in service(report, name).parts}


def test_times_of_a_failover_and_what_proves_them():
    times = facts(failover()).times
    assert times.impact.at == NIGHT - timedelta(minutes=26)
    assert times.declaration.source == "given"
    assert times.decision.by == "commander@bastion"
    assert times.decision.at == NIGHT + timedelta(minutes=6, seconds=35)
    assert times.no_return.at > times.first_action.at >= times.decision.at
    assert times.validated.at - times.restored.at == timedelta(minutes=5)
    assert times.normal is None


def test_a_service_is_restored_when_its_checks_and_confirmations_have_passed():
    report = facts(failover())
    assert service(report, "pacs").restored == report.times.validated.at
    assert service(report, "ris").restored < report.times.restored.at


def test_where_the_time_went():
    pacs = parts(facts(failover()), "pacs")
    assert pacs["detection"] == 0
    assert pacs["decision"] == 10 * 60 + 35
    assert pacs["people"] == pytest.approx(14 * 60 + 5 * 60)
    assert pacs["stopped"] == 7 * 60
    assert pacs["validation"] == 4.5 * 60


@pytest.mark.parametrize("name", sorted(STORIES))
def test_parts_add_up_to_the_total(name):
    for each in facts(STORIES[name]()).services:
        assert sum(part.seconds for part in each.parts) == pytest.approx(each.elapsed)


BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
seconds = st.integers(0, 500)
spans = st.lists(
    st.builds(
        lambda start, took, kind: Span(BEGIN + timedelta(seconds=start), BEGIN + timedelta(seconds=start + took), kind, "s"),
        seconds, seconds, st.sampled_from(["work", "check", "person", "stopped"]),
    )
)  # fmt: skip


@given(spans, seconds, seconds, st.none() | seconds, st.none() | seconds)
def test_any_spans_split_without_loss(found, start, took, detection, action):
    def at(value):
        return None if value is None else BEGIN + timedelta(seconds=value)

    ledger = Ledger(segments(found), at(detection), at(action))
    split = ledger.split(at(start), at(start + took))
    assert sum(part.seconds for part in split) == pytest.approx(took, abs=1e-6)
    assert all(part.seconds >= 0 for part in split)


def test_work_counts_before_checks_before_people_before_standstill():
    def span(kind, start, end):
        return Span(BEGIN + timedelta(seconds=start), BEGIN + timedelta(seconds=end), kind, kind)

    found = [span("work", 0, 10), span("check", 5, 20), span("person", 0, 40), span("stopped", 30, 50)]
    split = Ledger(segments(found), None, BEGIN).split(BEGIN, BEGIN + timedelta(seconds=60))
    assert {part.name: part.seconds for part in split} == {
        "detection": 0, "decision": 0, "execution": 20, "validation": 10, "people": 20, "stopped": 10,
    }  # fmt: skip


def test_loss_is_of_the_recovery_point_really_used():
    story = failover()
    report = facts(story)
    assert service(report, "pacs").rpo.actual == 96 * 60
    assert service(report, "pacs").rpo.verdict == "missed"
    assert service(report, "ris").rpo.margin == 7200 - 25 * 60


def test_a_recovery_point_that_differs_from_the_stated_one_wins():
    story = failover()
    scan = story.scan()
    older = (NIGHT - timedelta(minutes=26 + 200)).isoformat()
    records = [
        record.__class__(record.seq, record.at, record.actor, record.event.model_copy(update={"outputs": {"recovery_point": older}}))
        if record.event.type == "StepFinished" and record.event.step == "promote[ris_db].break"
        else record
        for record in scan.records
    ]  # fmt: skip
    report, _, _ = gather(records, scan.head.digest)
    assert service(report, "ris").rpo.actual == 200 * 60
    assert service(report, "ris").recovery_point.isoformat() == older


def test_volumes_whose_step_never_ran_were_not_lost():
    report = facts(aborted())
    assert [(loss.volume, loss.used) for loss in report.losses] == [
        ("svm_dr:ris_db_dr", True), ("svm_dr:pacs_vm_dr", False), ("svm_dr:pacs_images_dr", False),
    ]  # fmt: skip
    assert service(report, "pacs").rpo.actual is None


def test_what_is_not_reached_is_unproven_until_it_is_late():
    assert judge(60, None, so_far=30).verdict == "unproven"
    assert judge(60, None, so_far=90).verdict == "missed"
    assert judge(60, 60).verdict == "met"
    assert judge(None, 5).verdict == "no-objective"


def test_no_result_is_dressed_up():
    report = facts(failover())
    assert step(report, "stop-source[ris-db01]").result == "unreachable"
    assert step(report, "stop-source[ris-db01]").tolerated
    assert step(report, "go").result == "go"
    assert step(report, "vpn").result == "recorded"
    assert step(report, "vpn").evidence == "CHG-1204"
    ended = facts(aborted())
    assert step(ended, "stop-source[ris-db01]").result == "unchanged"
    assert step(ended, "promote[ris_db].break").result == "indeterminate"
    assert step(ended, "vm[ris-db01].power").result == "not-reached"
    resumed = facts(crashed())
    assert step(resumed, "promote[pacs_images].break").result == "adopted"
    assert step(resumed, "radiologist").result == "skipped"
    assert "radiologist" in unproven(resumed)


def test_a_killed_engine_is_a_deviation_and_standstill():
    report = facts(crashed())
    assert [fact.what for fact in report.deviations].count("crashed") == 1
    assert parts(report, "ris")["stopped"] == 5 * 60
    assert [fact.what for fact in facts(failover()).deviations].count("crashed") == 0


def test_coverage_of_a_drill():
    report = facts(drill())
    assert report.kind == "drill"
    assert step(report, "promote[pacs_vm].break").coverage == "bubble"
    idle = step(report, "dns[pacs]")
    assert (idle.result, idle.coverage, idle.coverage_reason) == (
        "not-exercised", "none", "the bubble has no zone of its own",
    )  # fmt: skip
    assert service(report, "ris").rto.verdict == "met"
    assert service(report, "pacs").rto.verdict == "unproven"


def test_gaps_are_what_nobody_said():
    fields = {gap.field for gap in facts(failover()).gaps}
    assert {"authors", "normal", "action-owner", "badly"} <= fields
    assert not fields & {
        "severity",
        "patients",
        "impact",
        "causes",
        "well",
        "luck",
        "lessons",
        "communications",
    }
    bare = {gap.field for gap in facts(aborted()).gaps}
    assert {"severity", "detection", "impact", "causes", "lessons", "actions"} <= bare
    rehearsed = {gap.field for gap in facts(drill()).gaps}
    assert {"participants", "authorisations", "next-drill", "isolation", "cleanup"} <= rehearsed
    assert not rehearsed & {"scope", "scenario", "objectives", "criteria", "severity"}
    assert all(gap.command.startswith("drctl note ") for gap in facts(drill()).gaps)


def test_a_cleanup_that_left_something_is_no_proof():
    def gaps(level):
        found = CheckFact("empty[ontap-lyon]", level, "1 clone is left", "cleanup-run")
        scan = drill().scan()
        report, _, _ = gather(scan.records, scan.head.digest, background=Background(proofs=(found,)))
        return {gap.field for gap in report.gaps}

    assert "cleanup" in gaps("blocker")
    assert "cleanup" not in gaps("ok")


def test_the_bubble_is_shown_empty_before_the_drill():
    (before,) = facts(drill()).proofs
    assert (before.step, before.level) == ("bubble[ontap-lyon]", "ok")


def test_actions_are_done_when_a_note_closes_them():
    story = failover()
    number = (
        next(r.seq for r in story.scan().records if r.event.type == "Note" and r.event.kind == "action") + 1
    )
    story.note("done last week", "action", closes=f"{story.run}/{number}")
    assert [action.done for action in facts(story).actions] == [True, False]


def test_critical_path_leads_from_the_gate_to_the_last_step():
    report = facts(failover())
    path = [each.id for each in report.steps if each.critical]
    assert path[0] == "go"
    assert path[-1] == "radiologist"
    assert "vpn" in path
    assert "dns[ris]" not in path


def many_kinds():
    story = Story("20260401-000000-failover-0001", "failover")
    story.begin(declaration=(story.now, "given"))
    for number in range(80):
        story.tell(
            StepPlanned(step=f"s{number}", title="", phase=f"P{number // 40}", kind="action", verdict="will")
        )
    for number in range(80):
        story.do(f"s{number}")
    return story


def test_thousands_of_steps_fold_into_phases():
    chart = draw(*told(large(2000))[::2])
    assert (chart.folded, len(chart.rows)) == ("groups", 16)
    chart = draw(*told(many_kinds())[::2])
    assert (chart.folded, [row.count for row in chart.rows]) == ("phases", [40, 40])
    assert draw(*told(failover())[::2]).folded == "no"


def test_a_journal_without_beginning_is_no_report():
    with pytest.raises(ValueError, match="no beginning"):
        gather([], "")


@pytest.mark.parametrize("name", sorted(STORIES))
def test_any_prefix_of_a_journal_is_reported(name):
    scan = STORIES[name]().scan()
    for end in range(1, len(scan.records) + 1):
        report, _, found = gather(scan.records[:end], "0" * 64)
        assert draw(report, found).end >= report.began
