"""The register of decisions, and the list of what did not go as planned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from drctl.core import events as ev
from drctl.core.events import Recorded
from drctl.report.facts import DecisionFact, DeviationFact, StepFact
from drctl.report.timeline import Timeline


def decisions(records: Sequence[Recorded]) -> tuple[DecisionFact, ...]:
    """Return who decided what, oldest first."""
    found = (_decision(record) for record in records)
    return tuple(sorted((fact for fact in found if fact), key=lambda fact: (fact.at, fact.line)))


def _decision(record: Recorded) -> DecisionFact | None:
    event, at, line = record.event, record.at, record.seq + 1
    match event:
        case ev.PlanApproved():
            return DecisionFact(at, line, "approved", event.by, "", event.reason, event.how)
        case ev.GateAnswered():
            return DecisionFact(at, line, event.answer, event.by, event.step, event.reason, event.via)
        case ev.ManualRecorded():
            text = ", ".join(filter(None, (event.evidence, event.reason)))
            return DecisionFact(at, line, event.result, event.by, event.step, text, event.via)
        case ev.SkipRequested():
            return DecisionFact(at, line, "skip", event.by, event.step, event.reason, "journal")
        case ev.RetryRequested():
            return DecisionFact(at, line, "retry", event.by, event.step, event.reason, "journal")
        case ev.AbortRequested():
            return DecisionFact(at, line, "abort", event.by, "", event.reason, "journal")
        case ev.RunResumed():
            return DecisionFact(at, line, "resume", event.by, "", event.reason, "journal")
        case ev.StepProgress() if event.override:
            return DecisionFact(at, line, "override", "drctl", event.step, event.message, "journal")
        case ev.Note() if event.kind == "decision":
            by = event.by or record.actor
            return DecisionFact(event.instant or at, line, "note", by, "", event.text, "journal")
        case _:
            return None


def deviations(timeline: Timeline, steps: Sequence[StepFact]) -> tuple[DeviationFact, ...]:
    """Return what left the plan: in the run's course, then how steps were left."""
    course = [fact for fact in map(_deviation, timeline.records) if fact is not None]
    left = [fact for step in steps for fact in _left(step)]
    every = [*_crashes(timeline), *course, *left]
    return tuple(sorted(every, key=lambda fact: fact.at or timeline.records[-1].at))


def _deviation(record: Recorded) -> DeviationFact | None:
    event, at = record.event, record.at
    match event:
        case ev.DriftFound():
            return DeviationFact(at, "drift", event.step, f"{event.planned} → {event.seen}")
        case ev.StepRetried():
            return DeviationFact(at, "retried", event.step, event.problem.summary)
        case ev.StepProgress() if event.override:
            return DeviationFact(at, "override", event.step, event.message)
        case ev.RunResumed() if event.accepted_changes:
            return DeviationFact(at, "edited", "", event.accepted_changes, event.by)
        case ev.LockTaken() if event.took_over_from:
            return DeviationFact(at, "taken-over", "", f"{event.took_over_from} → {event.owner}", event.owner)
        case ev.RunPaused():
            return DeviationFact(at, "paused", ", ".join(event.steps), event.summary, why=event.why)
        case ev.AbortRequested():
            return DeviationFact(at, "aborted", "", event.reason, event.by)
        case ev.GateAnswered() if event.answer == "no-go":
            return DeviationFact(at, "no-go", event.step, event.reason, event.by)
        case _:
            return None


def _crashes(timeline: Timeline) -> Iterator[DeviationFact]:
    """An engine that took the lock again although the one before had not said that it stopped."""
    quiet = True
    last = timeline.began
    for record in timeline.records:
        if isinstance(record.event, ev.LockTaken):
            if not quiet:
                yield DeviationFact(last, "crashed", "", "")
            quiet = False
        elif isinstance(record.event, ev.RunPaused | ev.RunFinished):
            quiet = True
        if not isinstance(record.event, ev.Note):
            last = record.at


LEFT: dict[str, Literal["failed", "unreachable", "timed-out", "indeterminate", "skipped", "adopted"]] = {
    "failed": "failed", "unreachable": "unreachable", "timed-out": "timed-out", "indeterminate": "indeterminate",
    "skipped": "skipped", "adopted": "adopted",
}  # fmt: skip


def _left(step: StepFact) -> Iterator[DeviationFact]:
    what = LEFT.get(step.result)
    if what is not None:
        yield DeviationFact(step.ended, what, step.id, step.reason or step.summary, step.by, step.tolerated)
