"""Which events a timeline shows, and in which words; what only machines need is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from drctl.core import events as ev
from drctl.core.duration import format_duration
from drctl.core.events import Recorded

Kind: TypeAlias = Literal["run", "decision", "override", "start", "result", "problem", "person", "note"]


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One row: when, of what kind, in one sentence; ``step`` is empty for rows about the run."""

    at: datetime
    kind: Kind
    text: str
    step: str = ""


def timeline_entries(records: Sequence[Recorded]) -> list[TimelineEntry]:
    """Return the rows of a timeline, oldest first."""
    prechecks = {
        record.event.step
        for record in records
        if isinstance(record.event, ev.StepPlanned) and record.event.precheck
    }
    rows = (_entry(record, prechecks) for record in records)
    return sorted((row for row in rows if row is not None), key=lambda row: row.at)


def _entry(record: Recorded, prechecks: set[str]) -> TimelineEntry | None:
    event = record.event
    step = getattr(event, "step", "")
    if step in prechecks:
        return None
    said = _of_run(event) or _of_step(event) or _of_people(event)
    if said is None:
        return None
    at = event.instant if isinstance(event, ev.Note) and event.instant else record.at
    return TimelineEntry(at, said[0], said[1], step)


def _of_run(event: ev.EventData) -> tuple[Kind, str] | None:
    match event:
        case ev.RunStarted():
            return "run", f"Run {event.run} begins in mode {event.mode}, by {event.user} on {event.host}."
        case ev.PlanApproved():
            how = {"typed": "typed the target's name", "yes": "--yes", "plan-file": "saved plan"}[event.how]
            return "decision", _reasoned(f"Plan approved by {event.by} ({how})", event.reason)
        case ev.LossStated():
            worst = max((loss.seconds or 0.0 for loss in event.losses), default=0.0)
            volumes = count(len(event.losses), "volume")
            return "run", f"Data loss stated: up to {format_duration(worst)} over {volumes}."
        case ev.LockTaken() if event.took_over_from:
            return "run", f"Taken over by {event.owner} on {event.host} from {event.took_over_from}."
        case ev.RunResumed():
            return "decision", _reasoned(f"Resumed by {event.by}", event.reason)
        case ev.RunPaused():
            steps = f" at {', '.join(event.steps)}" if event.steps else ""
            return "problem", _reasoned(f"Paused: {event.why}{steps}", event.summary)
        case ev.RunFinished():
            return "run", f"Run {event.outcome.replace('_', ' ')}."
        case _:
            return None


def _of_step(event: ev.EventData) -> tuple[Kind, str] | None:
    match event:
        case ev.StepStarted() if event.change is not None:
            again = f" again, attempt {event.attempt}" if event.attempt > 1 else ""
            return "start", f"Starts{again}: {event.change.summary}."
        case ev.StepProgress() if event.override:
            return "override", f"Override used: {event.message.rstrip('.')}."
        case ev.StepRetried():
            return "problem", f"{event.problem.summary}; trying again in {format_duration(event.delay)}."
        case ev.StepFinished() if event.how != "answered":  # the answer itself has its row
            return _finished(event)
        case ev.StepFailed():
            word = "Unproven" if event.tolerated else "Failed"
            return "problem", f"{word}: {event.problem.summary}."
        case ev.StepIndeterminate():
            return "problem", f"Indeterminate: {event.problem.summary}."
        case ev.StepSkipped() if event.cause != "condition":
            by = f" by {event.by}" if event.by else ""
            return "decision", f"Skipped{by}: {event.reason}."
        case ev.StepNotExercised():
            return "result", f"Not exercised: {event.reason}."
        case ev.DriftFound():
            return "problem", f"Drift: planned {event.planned}; seen {event.seen}."
        case _:
            return None


def _finished(event: ev.StepFinished) -> tuple[Kind, str]:
    words = {
        "applied": "Done",
        "adopted": "Adopted: found done after an interruption",
        "unchanged": "Unchanged: already as wished",
        "observed": "Observed",
    }
    summary = event.summary if event.how == "observed" else ""
    return "result", _reasoned(words[event.how], summary)


def _of_people(event: ev.EventData) -> tuple[Kind, str] | None:
    match event:
        case ev.GateOpened():
            role = f" ({event.role})" if event.role else ""
            return "person", f"Decision asked{role}: {event.ask}"
        case ev.GateAnswered():
            return "decision", _reasoned(
                f"{event.answer.upper()} by {_who(event.by, event.via)}", event.reason
            )
        case ev.ManualOpened():
            role = f" ({event.role})" if event.role else ""
            return "person", f"Manual step{role}: {event.do}"
        case ev.ManualRecorded():
            said = ", ".join(filter(None, (event.evidence, event.reason)))
            return "decision", _reasoned(f"Reported {event.result} by {_who(event.by, event.via)}", said)
        case ev.AbortRequested():
            return "decision", _reasoned(f"Abort asked by {event.by}", event.reason)
        case ev.SkipRequested():
            return "decision", _reasoned(f"Skip asked by {event.by}", event.reason)
        case ev.RetryRequested():
            return "decision", _reasoned(f"Retry asked by {event.by}", event.reason)
        case ev.Note():
            by = f" ({event.by})" if event.by else ""
            return "note", f"{event.kind.capitalize()}{by}: {event.text}"
        case _:
            return None


def count(number: int, thing: str) -> str:
    """Return ``1 step``, ``2 steps``."""
    return f"{number} {thing}" + ("" if number == 1 else "s")


def _who(by: str, via: str) -> str:
    return f"{by}, answer given beforehand" if via == "file" else by


def _reasoned(text: str, reason: str) -> str:
    return f"{text}: {reason.rstrip('.')}." if reason else f"{text}."
