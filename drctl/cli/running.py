"""What every verb that executes has in common: who watches, who answers, which signals mean what."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial

import typer

from drctl.app.context import Context
from drctl.app.history import past_of
from drctl.app.session import Audience, Observer
from drctl.app.start import Ended
from drctl.console.ask import Asker
from drctl.console.board import Life
from drctl.console.closing import Closing, closing_lines
from drctl.console.live import LiveView, can_move_cursor
from drctl.console.plain import JsonView, PlainView
from drctl.core.action import Interrupted
from drctl.core.events import EventData
from drctl.core.problem import ExitCode
from drctl.engine.chain import scan
from drctl.engine.execute import Stop
from drctl.engine.journal import Fenced, Journal
from drctl.engine.people import Answer, People

KEYS = (
    "Ctrl-C: start nothing more, running steps end, resumable; twice: let go of them",
    "From another terminal: drctl status, answer, note, skip, retry, abort",
)
"""What the moving display of a run says at its foot."""


@dataclass(frozen=True, slots=True)
class Display:
    """How a run is shown."""

    as_json: bool
    plain: bool
    color: bool
    terminal: bool

    @property
    def moving(self) -> bool:
        """Say whether one screen is redrawn in place."""
        return self.terminal and not self.plain and not self.as_json and can_move_cursor()


@contextmanager
def audience(context: Context, display: Display, answers: dict[str, Answer]) -> Iterator[Audience]:
    """Watch and answer a run from this process; signals reach it while the block lasts."""
    stop = Stop()
    people = People(display.terminal, context.actor, answers)
    voice = _Voice(stop)
    with _signals(stop, voice.tell):
        yield Audience(people, stop, partial(_attend, context, display, voice))


@contextmanager
def _attend(
    context: Context, display: Display, voice: _Voice, journal: Journal
) -> Iterator[Sequence[Observer]]:
    """Show the run, and ask where there is a terminal to ask on."""
    with ExitStack() as stack:
        pause: Callable[[], AbstractContextManager[object]] = nullcontext
        observers: list[Observer] = []
        if display.moving:
            view = stack.enter_context(live_view(context, display, notice=voice.notice, asks=True))
            voice.view, pause = view, view.pause
            observers.append(view.hear)
        else:
            observers.append((JsonView if display.as_json else PlainView)(_write_line).hear)
        if display.terminal:
            write = _write_aside if display.as_json else _write_line
            say = partial(_say, journal, context.actor)
            asker = Asker(say, context.actor, write, context.clock, pause=pause)
            observers.append(stack.enter_context(asker).hear)
        yield observers


def live_view(
    context: Context,
    display: Display,
    *,
    notice: Callable[[], str] = str,
    life: Callable[[], Life] = lambda: Life(alive=True),
    keys: tuple[str, ...] = KEYS,
    asks: bool = False,
) -> LiveView:
    """Return the moving display for this terminal."""
    return LiveView(
        context.clock,
        color=display.color,
        keys=keys,
        asks=asks,
        life=life,
        notice=notice,
        lost=_go_silent,
        past=partial(past_of, context),
    )


def _say(journal: Journal, by: str, event: EventData) -> None:
    """Journal what was typed; after a takeover, or once the run was let go, it is too late."""
    with suppress(Fenced, Interrupted):
        journal.append(event, actor=by)


@dataclass
class _Voice:
    """Tells the person what their last signal did: on the moving display, or as a line."""

    stop: Stop
    view: LiveView | None = None

    def notice(self) -> str:
        """Return what the run is doing about the signals so far."""
        if self.stop.let_go.is_set():
            return "LETTING GO: running steps stay as they are; drctl resume reads reality first"
        if self.stop.exit_code is not None:
            return "STOPPING: nothing new starts, running steps end; Ctrl-C again lets go of them"
        return ""

    def tell(self) -> None:
        """Write the notice where no moving display would draw over it; called by a signal handler."""
        if self.view is None or self.view.still:
            with suppress(OSError):
                os.write(2, f"\n{self.notice()}\n".encode())


def conclude(ended: Ended, *, as_json: bool) -> None:
    """Say how it ended and what to do next; exit with the run's code."""
    say_end(ended, as_json=as_json)
    raise typer.Exit(int(ended.exit_code))


def say_end(ended: Ended, *, as_json: bool) -> None:
    """Say how it ended and what to do next."""
    if not as_json:
        found = scan(ended.directory.journal)
        closing = Closing(
            found.records, found.head.digest, found.head.seq, ended.exit_code, ended.directory.incident
        )
        for line in closing_lines(closing):
            typer.echo(line, err=True)
        if not ended.directory.incident.exists():
            typer.echo(f"It could not be written; make room: drctl report {ended.directory.id}", err=True)


@contextmanager
def _signals(stop: Stop, tell: Callable[[], None]) -> Iterator[None]:
    """SIGINT and SIGTERM ask for a stop; after a dropped terminal the run goes on, silently."""
    codes = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}

    def request(number: int, _: object) -> None:
        stop.request(codes[signal.Signals(number)])
        tell()

    before = {number: signal.signal(number, request) for number in codes}
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


def _write_aside(text: str) -> None:
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)
