"""A run as it stands, as plain data for texts that people send and hand over.

The keys are an interface: templates that teams wrote use them (docs/messages.md lists them). Instants are
aware, lengths are seconds, what nobody knows is None.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from drctl.core import events as ev
from drctl.core.events import Recorded
from drctl.core.run import ENDED, GOOD, Run, State, StepRun
from drctl.report.alike import alike
from drctl.report.facts import (
    READ_OUT,
    DecisionFact,
    LossFact,
    NoteFact,
    Report,
    ServiceFact,
    Stamp,
    StepFact,
)
from drctl.report.forecast import Forecast, family
from drctl.report.gather import gather
from drctl.report.timeline import is_open

Value: TypeAlias = "str | int | float | bool | datetime | list[Value] | dict[str, Value] | None"
Facts: TypeAlias = "dict[str, Value]"


@dataclass(frozen=True)
class Moment:
    """From where a run is looked at: when, whether an engine is at it, what to expect, what to type."""

    now: datetime
    alive: bool
    head: str
    forecast: Forecast | None = None
    commands: Sequence[str] = ()


def situation(records: Sequence[Recorded], moment: Moment) -> Facts:
    """Return the facts of a run; raise ``ValueError`` for a journal without beginning."""
    report, timeline, _ = gather(records, moment.head)
    run, origin, times = timeline.run, report.origin, report.times
    services = [_service(service, moment.now) for service in report.services]
    titles = {service.name: service.title for service in report.services}
    drill = origin.mode == "drill"
    losses = [_one_loss(loss, titles.get(loss.service, ""), drill=drill) for loss in report.losses]
    facts: Facts = {
        "run": origin.run,
        "mode": origin.mode,
        "exercise": drill,
        "runbook": origin.runbook,
        "title": origin.title,
        "source": origin.source,
        "target": origin.target,
        "timezone": origin.timezone,
        "user": origin.user,
        "host": origin.host,
        "owner": run.owner.owner if run.owner else origin.user,
        "contacts": dict(origin.contacts),
        "now": moment.now,
        "began": report.began,
        "ended": report.ended,
        "seconds": ((report.ended or moment.now) - report.began).total_seconds(),
        "state": _state(run, alive=moment.alive),
        "alive": moment.alive,
        "paused": run.paused.why if run.paused and run.finished is None else None,
        "clock_starts": run.started.objectives.clock_starts if run.started else None,
        "services": [*services],
        "down": [service for service in services if service["restored"] is None],
        "back": [service for service in services if service["restored"] is not None],
        "lost": _loss(losses),
        "losses": [*losses],
        "missing": [*_missing(losses)],
        "unproven": [step.id for step in report.steps if step.tolerated],
        "decisions": [_decision(d) for d in report.decisions if d.what != "override"],
        "overrides": [_decision(d) for d in report.decisions if d.what == "override"],
        "next_question": _next_question(run),
        "forecast": _forecast(moment.forecast),
        "commands": [*moment.commands],
        "lines": report.chain.lines,
        "head": moment.head,
    }
    facts |= {name: _stamp(getattr(times, name)) for name in ("impact", "detection", "declaration", "normal")}
    facts |= {f"{name}s": _notes(report, name) for name in ("impact", "cause", "communication", "finding")}
    return facts | _steps(report, run, origin.contacts, alive=moment.alive)


def _state(run: Run, *, alive: bool) -> str:
    if run.finished is not None:
        return run.finished.outcome
    if not alive:
        return "paused" if run.paused is not None else "interrupted"
    if run.abort is not None or run.denied is not None:
        return "ending"
    states = {step.state for step in run.steps.values()}
    return "waiting" if State.WAITING in states and State.RUNNING not in states else "running"


def _stamp(stamp: Stamp | None) -> Facts | None:
    if stamp is None:
        return None
    return {"at": stamp.at, "by": stamp.by, "assumed": stamp.source == "assumed"}


def _service(service: ServiceFact, now: datetime) -> Facts:
    start, target = service.clock_start, service.rto.target
    elapsed = ((service.restored or now) - start).total_seconds() if start else None
    return {
        "name": service.name,
        "title": service.title,
        "tier": service.tier,
        "restored": service.restored,
        "elapsed": elapsed,
        "rto": target,
        "rto_due": start + timedelta(seconds=target) if start and target is not None else None,
        "rto_missed": None if target is None or elapsed is None else elapsed > target,
        "rpo": service.rpo.target,
        "lost": service.rpo.actual,
        "recovery_point": service.recovery_point,
    }


def _one_loss(loss: LossFact, title: str, *, drill: bool) -> Facts:
    return {
        "volume": loss.volume,
        "service": loss.service,
        "title": title or loss.volume,
        "recovery_point": loss.recovery_point,
        "incident": loss.incident,
        "seconds": loss.seconds,
        "happened": loss.used and not drill,
    }


def _loss(losses: Sequence[Facts]) -> Facts | None:
    """Return the worst loss, one that happened before one that was only announced."""
    return max(losses, key=lambda loss: (bool(loss["happened"]), loss["seconds"] or 0.0), default=None)


def _missing(losses: Sequence[Facts]) -> list[Facts]:
    """Return the worst loss that happened of each service, or of each volume of none."""
    worst: dict[str, Facts] = {}
    for title in dict.fromkeys(str(loss["title"]) for loss in losses if loss["happened"]):
        loss = _loss([loss for loss in losses if loss["title"] == title])
        if loss is not None:
            worst[title] = loss
    return [*worst.values()]


def _decision(fact: DecisionFact) -> Facts:
    return {"at": fact.at, "what": fact.what, "by": fact.by, "step": fact.step, "text": fact.text}


def _notes(report: Report, kind: str) -> Value:
    return [_note(note) for note in report.notes if note.kind == kind]


def _note(note: NoteFact) -> Facts:
    return {"at": note.at, "by": note.by, "text": note.text}


def _steps(report: Report, run: Run, contacts: dict[str, str], *, alive: bool) -> Facts:
    """Return the steps by where they stand, and their counts."""
    facts = {step.id: step for step in report.steps}
    planned = [run.steps[name] for name in facts]
    wanted = [step for step in planned if not (step.skip and step.skip.cause == "condition")]
    stopped = run.finished is not None or not alive
    doubtful = [
        s
        for s in planned
        if s.state is State.INDETERMINATE
        or (s.uncertain and s.state not in ENDED)
        or (stopped and s.state is State.RUNNING)  # begun by an engine that is gone
    ]
    failed = [s for s in planned if s.state is State.FAILED]
    skipped = [s for s in planned if s.state is State.SKIPPED and is_open(s)]
    return {
        "steps": len(wanted),
        "steps_done": sum(
            1 for step in wanted if step.state in GOOD and facts[step.id].coverage_reason != READ_OUT
        ),
        "not_exercised": [*_alike([_step(facts[s.id], s) for s in planned if _idle(facts[s.id])])],
        "running": [_step(facts[s.id], s) for s in planned if s.state is State.RUNNING and not stopped],
        "waiting": [_question(s, contacts) for s in planned if s.state is State.WAITING],
        "indeterminate": [*_alike([_step(facts[s.id], s) for s in doubtful])],
        "failed": [*_alike([_step(facts[s.id], s) for s in failed])],
        "skipped": [*_alike([_step(facts[s.id], s) for s in skipped])],
    }


def _idle(step: StepFact) -> bool:
    """Say whether a drill left a step out, or only read it out."""
    return step.result == "not-exercised" or step.coverage_reason == READ_OUT


def _alike(steps: Sequence[Facts]) -> list[Facts]:
    """Fold steps of one family that stand where they stand for the same reason into one with their ids."""
    groups = alike(steps, lambda step: (family(str(step["id"])), str(step["why"]), step["tolerated"] is True))
    return [
        first
        | {
            "id": first["id"] if not others else family(str(first["id"])),
            "ids": [s["id"] for s in (first, *others)],
        }
        for first, *others in groups
    ]


def _step(fact: StepFact, step: StepRun) -> Facts:
    progress = step.progress.message if step.progress and step.state is State.RUNNING else ""
    return {
        "id": fact.id,
        "title": fact.title or fact.id,
        "since": step.started,
        "what": progress or fact.summary,
        "why": step.problem.summary if step.problem else fact.reason,
        "hint": step.problem.hint if step.problem else "",
        "tolerated": step.tolerated,
    }


def _question(step: StepRun, contacts: dict[str, str]) -> Facts:
    asked = step.gate.ask if step.gate else step.manual.do if step.manual else ""
    role = step.gate.role if step.gate else step.manual.role if step.manual else ""
    return {
        "id": step.id,
        "kind": "gate" if step.gate else "manual",
        "role": role,
        "who": contacts.get(role, ""),
        "text": asked,
        "since": step.started,
        "deadline": step.gate.deadline if step.gate else None,
        "answered": step.decision.by if step.decision else None,
    }


def _next_question(run: Run) -> Facts | None:
    """Return the next question that is not open yet."""
    step = next(_ahead(run), None)
    if step is None:
        return None
    return {
        "id": step.step,
        "kind": step.kind,
        "title": step.title,
        "text": step.summary,
        "phase": step.phase,
    }


def _ahead(run: Run) -> Iterator[ev.StepPlanned]:
    for step in run.steps.values():
        planned = step.planned
        if planned and planned.kind in {"gate", "manual"} and step.state is State.PENDING:
            yield planned


def _forecast(forecast: Forecast | None) -> Facts | None:
    if forecast is None or forecast.end is None:
        return None
    tight = forecast.tightest
    return {
        "runs": forecast.runs,
        "p50": forecast.at(forecast.end.p50),
        "p90": forecast.at(forecast.end.p90),
        "least": bool(forecast.unknown),
        "questions": forecast.questions,
        "service": tight.title if tight else None,
        "margin": (tight.left or 0.0) - tight.end.p50 if tight else None,
    }
