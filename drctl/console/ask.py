"""Asks the person at the terminal what a run waits for, while the run goes on."""

from __future__ import annotations

import os
import queue
import select
import sys
import termios
import textwrap
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime, tzinfo
from typing import Final, Self, TextIO

from drctl.console.figures import one_line, zone_named
from drctl.core import events as ev
from drctl.core.clock import Clock
from drctl.core.duration import format_duration
from drctl.core.events import Recorded

Say = Callable[[ev.EventData], None]
Question = ev.GateOpened | ev.ManualOpened

LOOK: Final = 0.2
"""Seconds between two looks at whether a question was answered elsewhere."""

WIDTH: Final = 78
"""Columns a question is wrapped at."""


class Asker:
    """A thread that reads answers from the terminal; what another terminal answered is dropped.

    ``say`` journals an answer. ``pause`` is entered while a question stands on the screen, so that a
    moving display keeps still; Enter alone leaves and enters it again, which shows the run as it is
    by then. Keys typed before a question stood there do not answer it.
    """

    def __init__(
        self,
        say: Say,
        by: str,
        write: Callable[[str], None],
        clock: Clock,
        *,
        source: TextIO | None = None,
        pause: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._say = say
        self._by = by
        self._write = write
        self._clock = clock
        self._source = source or sys.stdin
        self._pause = pause
        self._zone: tzinfo = UTC
        self._questions: queue.SimpleQueue[Question | None] = queue.SimpleQueue()
        self._over: set[str] = set()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="asker", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._questions.put(None)
        self._thread.join()

    def hear(self, records: Sequence[Recorded]) -> None:
        """Take in new questions, and answers given elsewhere."""
        asked: dict[str, Question] = {}
        for record in records:
            event = record.event
            if isinstance(event, ev.RunStarted):
                self._zone = zone_named(event.target.timezone)
            elif isinstance(event, Question):
                self._over.discard(event.step)
                asked[event.step] = event
            elif isinstance(event, _ENDS):
                self._over.add(event.step)
                asked.pop(event.step, None)
        for question in asked.values():
            self._questions.put(question)

    def _work(self) -> None:
        while (question := self._questions.get()) is not None:
            while not self._is_over(question):
                with self._pause():
                    self._ask(question)

    def _ask(self, question: Question) -> None:
        """Ask until an answer, the end of the question, or Enter alone."""
        forget_typed(self._source)
        for line in question_lines(question, self._clock.now(), self._zone):
            self._write(line)
        while (text := self._read(question)) is not None:
            if not text:
                return
            event = parse_answer(question, text, self._by)
            if event is not None:
                self._over.add(question.step)
                self._say(event)
                return
            self._write(f"  {text!r} is no answer.")
            self._write(f"  {_expected(question)}")
        if question.step in self._over:
            self._write(f"  {question.step} has been answered elsewhere.")

    def _read(self, question: Question) -> str | None:
        """Return the next line typed; None when the question is over."""
        while not self._is_over(question):
            if not _in_foreground(self._source):
                self._closed.wait(LOOK)
            elif select.select([self._source], [], [], LOOK)[0]:
                line = self._line()
                if not line:  # nobody is there any more; another terminal may answer
                    self._closed.wait()
                    return None
                return line.strip()
        return None

    def _line(self) -> str:
        try:
            return self._source.readline()
        except OSError:  # the terminal was hung up
            return ""

    def _is_over(self, question: Question) -> bool:
        return self._closed.is_set() or question.step in self._over


def forget_typed(source: TextIO) -> None:
    """Forget what was typed ahead: nobody answers a question before it can be read."""
    with suppress(termios.error, OSError, ValueError):  # not every source is a terminal
        if _in_foreground(source):
            termios.tcflush(source.fileno(), termios.TCIFLUSH)


def _in_foreground(source: TextIO) -> bool:
    """Say whether the shell gave us the terminal: reading it from the background would stop the run."""
    try:
        return os.tcgetpgrp(source.fileno()) == os.getpgrp()
    except (OSError, ValueError):  # a pipe, or a terminal that is not ours
        return True


_ENDS: Final = (
    ev.GateAnswered,
    ev.ManualRecorded,
    ev.SkipRequested,
    ev.StepFinished,
    ev.StepFailed,
    ev.StepSkipped,
)
"""What ends a question, whoever caused it."""


def question_lines(question: Question, now: datetime, zone: tzinfo) -> list[str]:
    """Return what to print to ask a question; its deadline is in the time that the screen above it shows."""
    role = f" ({question.role})" if question.role else ""
    if isinstance(question, ev.GateOpened):
        kind, text, tail = "DECISION", question.ask, _until(question, now, zone)
    else:
        kind, text = "MANUAL STEP", question.do
        tail = f", evidence wanted: {question.evidence}" if question.evidence else ""
    body = textwrap.wrap(one_line(text), WIDTH, initial_indent="  ", subsequent_indent="  ")
    return ["", f"{kind} {question.step}{role}{tail}", *body, f"  {_expected(question)}"]


def parse_answer(question: Question, text: str, by: str) -> ev.EventData | None:
    """Return the event of an answer such as ``go``, ``no-go power is back`` or ``done TICKET-7``."""
    word, _, rest = text.partition(" ")
    match word.lower(), question:
        case (("go" | "no-go" as answer), ev.GateOpened()):
            return ev.GateAnswered(
                step=question.step, answer=answer, by=by, reason=rest.strip(), via="terminal"
            )
        case (("done" | "failed" as result), ev.ManualOpened()):
            said = rest.strip()
            evidence, reason = (said, "") if result == "done" else ("", said)
            return ev.ManualRecorded(
                step=question.step, result=result, by=by, evidence=evidence, reason=reason, via="terminal"
            )
        case _:
            return None


def _until(question: ev.GateOpened, now: datetime, zone: tzinfo) -> str:
    if question.deadline is None:
        return ""
    left = (question.deadline - now).total_seconds()
    if left <= 0:
        return f", OVERDUE by {format_duration(-left)}"
    return f", {format_duration(left)} left (until {question.deadline.astimezone(zone):%H:%M:%S %Z})"


def _expected(question: Question) -> str:
    words = (
        "go or no-go, and a reason if you like"
        if isinstance(question, ev.GateOpened)
        else "done and its evidence, or failed and why"
    )
    return f"Type {words}; Enter alone: show the run."
