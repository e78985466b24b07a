"""What stays on the page when a run ends or pauses: result, durations, exceptions, loss, head hash."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from drctl.console.board import Board, Life
from drctl.console.figures import RESTORING_NOTHING, Trouble, elapsed, loss_text, next_commands, troubles
from drctl.core.duration import format_duration
from drctl.core.events import Recorded
from drctl.core.problem import ExitCode
from drctl.core.run import Run
from drctl.report.timeline import ServiceTimes, Timeline

MOST = 8
"""Exceptions and commands listed before the rest is only counted."""

_OUTCOMES = {
    ExitCode.OK: "Completed: everything as wished.",
    ExitCode.EXCEPTIONS: "Completed with exceptions: what is listed as open is not proven.",
    ExitCode.FAILED: "Stopped: a step failed.",
    ExitCode.WAITING: "Waiting for a person, and no terminal to ask on.",
    ExitCode.DRIFTED: "Paused: the world is not what the approved plan saw.",
    ExitCode.INDETERMINATE: "Paused: a step is neither done nor failed for sure.",
    ExitCode.INTERRUPTED: "Interrupted; nothing is lost, it can be resumed.",
    ExitCode.TERMINATED: "Terminated; nothing is lost, it can be resumed.",
}


@dataclass(frozen=True, slots=True)
class Closing:
    """A run as its engine left it; ``head`` is the hash of the last of ``lines`` journal lines."""

    records: Sequence[Recorded]
    head: str
    lines: int
    exit_code: ExitCode
    incident: Path


def closing_lines(closing: Closing) -> Iterator[str]:
    """Yield the summary, ending with the commands to type next."""
    board = Board()
    board.hear(closing.records)
    timeline = Timeline.of(closing.records)
    yield _outcome(board, closing.exit_code)
    if board.run.last_at is not None:
        took = format_duration(elapsed(board, board.run.last_at))
        yield f"  took      {took}, of which waiting for people {format_duration(timeline.waited())}"
    yield from _labelled("steps", _counts(board))
    if board.run.started is None or board.run.started.mode not in RESTORING_NOTHING:
        for line in _services(timeline):
            yield from _labelled("services", line)
    yield from _labelled("lost", loss_text(board.run))
    found = [_told(trouble) for trouble in troubles(board)]
    found += [f"skipped: {step.id}: {step.skip.reason}" for step in board.skipped if step.skip]
    yield from _capped(found, "open")
    yield f"  head      {closing.head}"
    yield f"            after {closing.lines} lines; kept elsewhere, it shows whether any are missing"
    yield f"Incident log: {closing.incident}"
    commands = [*next_commands(board, Life(alive=False)), *afterwards(board.run)]
    if commands:
        yield "Next:"
        yield from (f"  {command}" for command in islice(commands, MOST))
        if len(commands) > MOST:
            yield f"  … all of them: drctl status {board.run.started.run if board.run.started else 'last'}"


def afterwards(run: Run) -> Iterator[str]:
    """Yield what follows a run that has just ended: a drill is cleaned up, a move protected and reported."""
    if run.started is None or run.finished is None:
        return
    name, moved = run.started.run, run.finished.outcome.startswith("completed")
    match run.started.mode:
        case "drill":
            yield f"drctl cleanup {name}"
        case "failover" if moved:
            yield f"drctl note {name} TEXT --kind back-to-normal"
            yield f"drctl reprotect {name}  # once {run.started.source.name} is back"
        case "switchover" if moved:
            yield f"drctl reprotect {name}"
        case _:
            return
    yield f"drctl report {name}"


def _told(trouble: Trouble) -> str:
    """Say what is the matter, and what its provider would do about it."""
    what = f"{trouble.word}: {trouble.name}: {trouble.why}"
    return f"{what} → {trouble.hint}" if trouble.hint else what


def _outcome(board: Board, code: ExitCode) -> str:
    run = board.run
    if run.denied is not None:
        reason = f": {run.denied.reason}" if run.denied.reason else ""
        return f"Aborted: {run.denied.by} said no-go at {run.denied.step}{reason}."
    if run.abort is not None and run.finished is not None:
        return f"Aborted by {run.abort.by}: {run.abort.reason}."
    return _OUTCOMES.get(code, "Ended.")


def _counts(board: Board) -> str:
    counts = Counter(board.standing(step) for step in board.planned())
    return ", ".join(f"{count} {word}" for word, count in counts.most_common())


def _services(timeline: Timeline) -> Iterator[str]:
    checked = [times for times in timeline.services() if times.service.checks]
    if not checked:
        return
    answering = [times for times in checked if times.restored is not None]
    yield f"{len(answering)} of {len(checked)} answer by their checks"
    for times in answering:
        yield f"{times.service.title}: after {format_duration(times.rto_actual or 0.0)}{_met(times)}"
    for times in checked:
        if times.restored is None:
            yield f"{times.service.title}: not proven"


def _met(times: ServiceTimes) -> str:
    if times.rto_target is None or times.rto_actual is None:
        return ""
    word = "met" if times.rto_actual <= times.rto_target else "MISSED"
    return f", RTO {format_duration(times.rto_target)} {word}"


def _capped(lines: Sequence[str], label: str) -> Iterator[str]:
    for line in lines[:MOST]:
        yield from _labelled(label, line)
    if len(lines) > MOST:
        yield from _labelled(label, f"… and {len(lines) - MOST} more in the incident log")


def _labelled(label: str, text: str) -> Iterator[str]:
    """Yield a text behind its label, on as many lines of 80 columns as it takes; names and paths stay whole."""
    yield from textwrap.wrap(
        text,
        80,
        initial_indent=f"  {label:<9} ",
        subsequent_indent=" " * 12,
        break_on_hyphens=False,
        break_long_words=False,
    )
