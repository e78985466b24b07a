"""Where a run stands, on paper rather than on a screen: everything is listed, with the commands to type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import JsonValue

from drctl.console.board import Board, Life, total
from drctl.console.figures import (
    answer_command,
    elapsed,
    first_due,
    loss_text,
    next_commands,
    overdue_text,
    question_text,
    rto_start,
    rto_text,
    stamp,
    state_text,
    troubles,
    zone_of,
)
from drctl.console.forecast import caveats, forecast_document, forecast_text
from drctl.console.frame import doing, phase_text
from drctl.core.duration import format_duration
from drctl.core.run import StepRun
from drctl.report.forecast import Forecast, Past, foresee


@dataclass(frozen=True)
class Standing:
    """A run at a moment; ``head`` is the hash of the last of its ``lines`` journal lines."""

    run: str
    board: Board
    life: Life
    now: datetime
    head: str
    lines: int
    incident: Path
    past: Past | None = None

    @property
    def forecast(self) -> Forecast | None:
        """Return what to expect; None once the run has ended, or where nobody looked at past runs."""
        if self.past is None or self.board.run.started is None or self.board.run.finished is not None:
            return None
        return foresee(self.board.run, self.past, self.now)


def standing_lines(at: Standing) -> Iterator[str]:
    """Yield where a run stands: state, clocks, loss, phases, what runs, waits or went wrong, what to type."""
    board, started = at.board, at.board.run.started
    if started is None:
        yield f"Run {at.run}: its journal has no beginning yet."
        return
    yield f"Run {started.run}: {started.runbook.title or started.runbook.name}"
    yield f"  {started.mode}: {started.source.title} → {started.target.title}"
    yield f"State     {state_text(board, at.life)}"
    yield f"Began     {_began(at)}"
    yield f"Engine    {engine_text(at)}"
    yield f"RTO       {rto_text(board, at.now)}"
    yield f"Lost      {loss_text(board.run)}"
    if (forecast := at.forecast) is not None:
        resumed = "" if at.life.alive or forecast.end is None else "if resumed now: "
        yield f"Forecast  {resumed}{forecast_text(forecast, zone_of(board.run))}"
        yield from (f"          {line}" for line in caveats(forecast))
    yield "Phases"
    longest = max((len(name) for name in board.phases), default=0)
    yield from (f"  {phase_text(name.ljust(longest), counts)}" for name, counts in board.phases.items())
    yield from _running(at)
    yield from _waiting(at)
    yield from _problems(at)
    commands = list(next_commands(board, at.life))
    if commands:
        yield "Next"
        yield from (f"  {command}" for command in commands)
    yield f"Log       {at.incident}"
    yield f"Head      {at.head[:16]}… after {at.lines} lines"


def engine_text(at: Standing) -> str:
    """Return who runs the run, and whether that engine gives signs of life."""
    owner = at.board.run.owner
    if owner is None:
        return "none yet"
    name = f"{owner.owner} on {owner.host}, pid {owner.pid}"
    if not at.life.alive:
        return f"none: {name} has ended" if at.life.beat is not None else f"none here: {name}"
    beat = format_duration(at.life.beat) if at.life.beat is not None else "unknown"
    return f"alive: {name}, last sign of life {beat} ago"


def _began(at: Standing) -> str:
    run = at.board.run
    if run.started_at is None:
        return ""
    took = format_duration(elapsed(at.board, at.now))
    return f"{stamp(run.started_at, zone_of(run))}, " + (f"took {took}" if at.board.ended else f"{took} ago")


def _running(at: Standing) -> Iterator[str]:
    if at.board.active:
        yield "Running" if at.life.alive else "Begun, their end not written down"
    for step in at.board.active:
        again = ", trying again" if at.board.standing(step) == "retrying" else ""
        yield f"  {step.id}, {format_duration(_since(step, at.now))}{again}: {doing(step)}"


def _waiting(at: Standing) -> Iterator[str]:
    if at.board.waiting:
        yield "Waits for people"
    for step in at.board.waiting:
        yield f"  {step.id} ({_role(step)}), {overdue_text(step, at.now)}"
        yield f"      {question_text(step)}"
        if step.decision is not None:
            yield f"      answered by {step.decision.by}; the engine has yet to act on it"


def _problems(at: Standing) -> Iterator[str]:
    found = troubles(at.board)
    if found or at.board.skipped:
        yield "Problems"
    for trouble in found:
        yield f"  {trouble.word}: {trouble.name}: {trouble.why}"
        if trouble.hint:
            yield f"      → {trouble.hint}"
        if len(trouble.steps) > 1:
            yield f"      {', '.join(step.id for step in trouble.steps)}"
    for step in at.board.skipped:
        yield f"  skipped: {step.id}: {step.skip.reason if step.skip else ''}"


def _since(step: StepRun, now: datetime) -> float:
    return (now - (step.started or now)).total_seconds()


def _role(step: StepRun) -> str:
    return (step.gate.role if step.gate else step.manual.role if step.manual else "") or "anyone"


def standing_document(at: Standing) -> dict[str, JsonValue]:
    """Return where a run stands as ``status --json`` prints it; seconds are numbers, instants ISO 8601."""
    run, started = at.board.run, at.board.run.started
    document: dict[str, JsonValue] = {
        "run": at.run,
        "mode": started.mode if started else None,
        "runbook": started.runbook.name if started else None,
        "source": started.source.name if started else None,
        "target": started.target.name if started else None,
        "state": state_text(at.board, at.life),
        "began": _iso(run.started_at),
        "seconds": elapsed(at.board, at.now),
        "finished": run.finished.outcome if run.finished else None,
        "exit": run.finished.exit if run.finished else run.paused.exit if run.paused else None,
        "engine": _engine(at),
        "rto": _rto(at),
        "forecast": forecast_document(forecast) if (forecast := at.forecast) is not None else None,
        "losses": [loss.model_dump(mode="json") for loss in run.losses],
        "phases": [
            {"phase": name, "total": total(counts), **{word: n for word, n in counts.items() if n}}
            for name, counts in at.board.phases.items()
        ],
        "running": [_step(step, at) for step in at.board.active],
        "waiting": [_question(step, at) for step in at.board.waiting],
        "problems": [_problem(step, at) for step in at.board.troubled],
        "skipped": [
            {"step": step.id, "reason": step.skip.reason if step.skip else ""} for step in at.board.skipped
        ],
        "next": list(next_commands(at.board, at.life)),
        "head": at.head,
        "lines": at.lines,
        "incident": str(at.incident),
    }
    return document


def _engine(at: Standing) -> dict[str, JsonValue]:
    owner = at.board.run.owner
    return {
        "alive": at.life.alive,
        "heartbeat_seconds": at.life.beat,
        "owner": owner.owner if owner else None,
        "host": owner.host if owner else None,
        "pid": owner.pid if owner else None,
    }


def _rto(at: Standing) -> dict[str, JsonValue]:
    start, due = rto_start(at.board.run), first_due(at.board.run, at.now)
    return {
        "clock": start[0] if start else None,
        "since": _iso(start[1]) if start else None,
        "first_due": due.title if due else None,
        "target_seconds": due.target if due else None,
        "seconds_left": due.left if due else None,
    }


def _step(step: StepRun, at: Standing) -> dict[str, JsonValue]:
    return {
        "step": step.id,
        "standing": at.board.standing(step),
        "since": _iso(step.started),
        "seconds": _since(step, at.now),
        "doing": doing(step),
    }


def _question(step: StepRun, at: Standing) -> dict[str, JsonValue]:
    deadline = step.gate.deadline if step.gate else None
    return {
        "step": step.id,
        "kind": "gate" if step.gate else "manual",
        "role": _role(step),
        "question": question_text(step),
        "since": _iso(step.started),
        "seconds": _since(step, at.now),
        "deadline": _iso(deadline),
        "overdue": deadline is not None and at.now >= deadline,
        "answer": answer_command(at.run, step),
    }


def _problem(step: StepRun, at: Standing) -> dict[str, JsonValue]:
    problem: Mapping[str, JsonValue] = step.problem.model_dump(mode="json") if step.problem else {}
    drift: dict[str, JsonValue] | None
    drift = {"planned": step.drift.planned, "seen": step.drift.seen} if step.drift else None
    return {"step": step.id, "standing": at.board.standing(step), "drift": drift, **problem}


def _iso(instant: datetime | None) -> str | None:
    return instant.isoformat(timespec="milliseconds") if instant else None
