"""What every verb that executes has in common: who watches, who answers, which signals mean what."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer

from drctl.app.context import Context
from drctl.app.session import Audience
from drctl.app.start import Ended
from drctl.console.plain import JsonView, PlainView
from drctl.core.problem import ExitCode
from drctl.engine.execute import Stop
from drctl.engine.people import Answer, People
from drctl.runbook.load import load_answers


@dataclass(frozen=True, slots=True)
class Display:
    """How a run is shown."""

    as_json: bool
    plain: bool
    color: bool
    terminal: bool


def read_answers(path: Path | None) -> dict[str, Answer]:
    """Return the answers given beforehand; raise ``DrctlError`` with every problem of the file."""
    if path is None:
        return {}
    answers = load_answers(path).answers
    return {step: Answer(body.answer, body.reason, body.evidence) for step, body in answers.items()}


@contextmanager
def audience(context: Context, display: Display, answers: dict[str, Answer]) -> Iterator[Audience]:
    """Watch and answer a run from this process; signals reach it while the block lasts."""
    stop = Stop()
    people = People(display.terminal, context.actor, answers)
    write = _write_line
    view = JsonView(write) if display.as_json else PlainView(write)
    with _signals(stop):
        yield Audience(people, stop, (view.hear,))


def conclude(ended: Ended, *, as_json: bool) -> None:
    """Say how it ended and what to do next; exit with the run's code."""
    if not as_json:
        for line in closing_lines(ended):
            typer.echo(line, err=True)
    raise typer.Exit(int(ended.exit_code))


def closing_lines(ended: Ended) -> Iterator[str]:
    """Yield the outcome, where the incident log is, and the next command to type."""
    run = ended.directory.id
    words = {
        ExitCode.OK: "Completed: everything as wished.",
        ExitCode.EXCEPTIONS: "Completed with exceptions: the incident log lists what is unproven.",
        ExitCode.FAILED: "Stopped: a step failed, or somebody said no.",
        ExitCode.WAITING: "Waiting for a person.",
        ExitCode.DRIFTED: "Paused: the world is not what the approved plan saw.",
        ExitCode.INDETERMINATE: "Paused: a step is neither done nor failed for sure.",
        ExitCode.INTERRUPTED: "Interrupted.",
        ExitCode.TERMINATED: "Terminated.",
    }
    yield words.get(ended.exit_code, "")
    yield f"Incident log: {ended.directory.incident}"
    if ended.exit_code not in {ExitCode.OK, ExitCode.EXCEPTIONS}:
        yield f"Next: drctl status {run}; drctl resume {run}"


@contextmanager
def _signals(stop: Stop) -> Iterator[None]:
    """SIGINT and SIGTERM ask for a stop; after a dropped terminal the run goes on, silently."""
    codes = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}
    before = {
        number: signal.signal(number, lambda number, _: stop.request(codes[signal.Signals(number)]))
        for number in codes
    }
    before[signal.SIGHUP] = signal.signal(signal.SIGHUP, lambda *_: _go_silent())
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _go_silent() -> None:
    """Give up the terminal: later output goes nowhere, and nothing is read from it any more."""
    void = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(void, stream)
    os.close(void)


def _write_line(text: str) -> None:
    try:
        print(text, flush=True)
    except OSError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - the reader has gone; the run has not
