"""Which events a timeline shows, and in which words; what only machines need is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from drctl.core import events as ev
from drctl.core.events import Recorded
from drctl.report.document import Length, Phrase, Quote, Value, say
from drctl.report.speech import ENGLISH

Kind: TypeAlias = Literal["run", "decision", "override", "start", "result", "problem", "person", "note"]


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One row: when, of what kind, in one sentence; ``step`` is empty for rows about the run."""

    at: datetime
    kind: Kind
    said: Phrase
    step: str = ""
    line: int = 0
    """The journal's line, counted from 1."""

    @property
    def text(self) -> str:
        """Return the sentence in English, as the console and the incident log show it."""
        return ENGLISH.text(self.said)


def timeline_entries(records: Sequence[Recorded]) -> list[TimelineEntry]:
    """Return the rows of a timeline, oldest first."""
    prechecks = {
        record.event.step
        for record in records
        if isinstance(record.event, ev.StepPlanned) and record.event.precheck
    }
    rows = (_entry(record, prechecks) for record in records)
    return [row for row in rows if row is not None]


def _entry(record: Recorded, prechecks: set[str]) -> TimelineEntry | None:
    event = record.event
    step = getattr(event, "step", "")
    if step in prechecks:
        return None
    found = _of_run(event) or _of_step(event) or _of_people(event)
    if found is None:
        return None
    at = event.instant if isinstance(event, ev.Note) and event.instant else record.at
    return TimelineEntry(at, found[0], found[1], step, record.seq + 1)


def _of_run(event: ev.EventData) -> tuple[Kind, Phrase] | None:
    match event:
        case ev.RunStarted():
            return "run", say(
                "log.started",
                run=_q(event.run),
                mode=say(f"mode.{event.mode}"),
                user=_q(event.user),
                host=_q(event.host),
            )
        case ev.PlanApproved():
            return "decision", _reasoned(
                say("log.approved", by=_q(event.by), how=say(f"how.{event.how}")), event.reason
            )
        case ev.LossStated():
            worst = max((loss.seconds or 0.0 for loss in event.losses), default=0.0)
            if len(event.losses) == 1:
                return "run", say("log.loss-one", worst=Length(worst))
            return "run", say("log.loss", worst=Length(worst), volumes=_q(str(len(event.losses))))
        case ev.LockTaken() if event.took_over_from:
            return "run", say(
                "log.taken-over", by=_q(event.owner), host=_q(event.host), before=_q(event.took_over_from)
            )
        case ev.RunResumed():
            return "decision", _reasoned(say("log.resumed", by=_q(event.by)), event.reason)
        case ev.RunPaused():
            why = say(f"why.{event.why}")
            steps = _q(", ".join(event.steps))
            paused = say("log.paused-at", why=why, steps=steps) if event.steps else say("log.paused", why=why)
            return "problem", _reasoned(paused, event.summary)
        case ev.RunFinished():
            return "run", say("log.finished", outcome=say(f"outcome.{event.outcome}"))
        case _:
            return None


def _of_step(event: ev.EventData) -> tuple[Kind, Phrase] | None:
    match event:
        case ev.StepStarted() if event.change is not None:
            what = _q(event.change.summary)
            if event.attempt > 1:
                return "start", say("log.attempt", what=what, attempt=_q(str(event.attempt)))
            return "start", say("log.start", what=what)
        case ev.StepProgress() if event.override:
            return "override", say("log.override", what=_q(event.message.rstrip(".")))
        case ev.StepRetried():
            return "problem", say("log.retried", what=_q(event.problem.summary), delay=Length(event.delay))
        case _:
            return _of_end(event)


def _of_end(event: ev.EventData) -> tuple[Kind, Phrase] | None:
    match event:
        case ev.StepFinished() if event.how != "answered":  # the answer itself has its row
            return _finished(event)
        case ev.StepFailed():
            key = "log.unproven" if event.tolerated else "log.failed"
            return "problem", say(key, what=_q(event.problem.summary))
        case ev.StepIndeterminate():
            return "problem", say("log.indeterminate", what=_q(event.problem.summary))
        case ev.StepSkipped() if event.cause != "condition":
            if event.by:
                return "decision", say("log.skipped-by", by=_q(event.by), what=_q(event.reason))
            return "decision", say("log.skipped", what=_q(event.reason))
        case ev.StepNotExercised():
            return "result", say("log.not-exercised", what=_q(event.reason))
        case ev.DriftFound():
            return "problem", say("log.drift", planned=_q(event.planned), seen=_q(event.seen))
        case _:
            return None


def _finished(event: ev.StepFinished) -> tuple[Kind, Phrase]:
    summary = event.summary if event.how == "observed" else ""
    return "result", _reasoned(say(f"log.how.{event.how}"), summary)


def _of_people(event: ev.EventData) -> tuple[Kind, Phrase] | None:
    match event:
        case ev.GateOpened():
            return "person", _asked("log.gate", event.role, event.ask)
        case ev.GateAnswered():
            who = _who(event.by, event.via)
            return "decision", _reasoned(say(f"log.answer.{event.answer}", by=who), event.reason)
        case ev.ManualOpened():
            return "person", _asked("log.manual", event.role, event.do)
        case ev.ManualRecorded():
            said = ", ".join(filter(None, (event.evidence, event.reason)))
            return "decision", _reasoned(
                say(f"log.reported.{event.result}", by=_who(event.by, event.via)), said
            )
        case ev.AbortRequested():
            return "decision", _reasoned(say("log.abort", by=_q(event.by)), event.reason)
        case ev.SkipRequested():
            return "decision", _reasoned(say("log.skip", by=_q(event.by)), event.reason)
        case ev.RetryRequested():
            return "decision", _reasoned(say("log.retry", by=_q(event.by)), event.reason)
        case ev.Note():
            kind = say(f"log.note.{event.kind}")
            if event.by:
                return "note", say("log.noted-by", kind=kind, by=_q(event.by), what=_q(event.text))
            return "note", say("log.noted", kind=kind, what=_q(event.text))
        case _:
            return None


def _asked(key: str, role: str, what: str) -> Phrase:
    return say(f"{key}-of", role=_q(role), what=_q(what)) if role else say(key, what=_q(what))


def _who(by: str, via: str) -> Value:
    return say("log.beforehand", by=_q(by)) if via == "file" else _q(by)


def _reasoned(text: Phrase, reason: str) -> Phrase:
    if not reason:
        return say("log.sentence", text=text)
    return say("log.reasoned", text=text, reason=_q(reason.rstrip(".")))


def _q(text: str) -> Quote:
    return Quote(text)
