"""Asks the person at the terminal what a run waits for, while the run goes on."""

from __future__ import annotations

import queue
import select
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Self, TextIO

from drctl.core import events as ev
from drctl.core.events import Recorded

Say = Callable[[ev.EventData], None]
Question = ev.GateOpened | ev.ManualOpened


class Asker:
    """A thread that reads answers from the terminal; what another terminal answered is dropped.

    ``say`` journals an answer. ``pause`` is entered while a question stands on the screen, so that a
    moving display keeps still.
    """

    def __init__(
        self,
        say: Say,
        by: str,
        write: Callable[[str], None],
        *,
        source: TextIO | None = None,
        pause: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._say = say
        self._by = by
        self._write = write
        self._source = source or sys.stdin
        self._pause = pause
        self._questions: queue.SimpleQueue[Question | None] = queue.SimpleQueue()
        self._answered: set[str] = set()
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
        for record in records:
            event = record.event
            if isinstance(event, Question):
                self._answered.discard(event.step)
                self._questions.put(event)
            elif isinstance(event, ev.GateAnswered | ev.ManualRecorded | ev.SkipRequested):
                self._answered.add(event.step)

    def _work(self) -> None:
        while (question := self._questions.get()) is not None:
            if not self._is_over(question):
                with self._pause():
                    self._ask(question)

    def _ask(self, question: Question) -> None:
        for line in question_lines(question):
            self._write(line)
        while (text := self._read(question)) is not None:
            event = parse_answer(question, text, self._by)
            if event is not None:
                self._say(event)
                return
            self._write("  " + _expected(question))
        if not self._closed.is_set():
            self._write(f"  {question.step} has been answered elsewhere.")

    def _read(self, question: Question) -> str | None:
        """Return the next line typed; None when the question is over."""
        while not self._is_over(question):
            ready, _, _ = select.select([self._source], [], [], 0.2)
            if ready:
                line = self._source.readline()
                if not line:  # end of input: nobody is there any more, another terminal may answer
                    self._closed.wait()
                    return None
                return line.strip()
        return None

    def _is_over(self, question: Question) -> bool:
        return self._closed.is_set() or question.step in self._answered


def question_lines(question: Question) -> list[str]:
    """Return what to print to ask a question."""
    role = f" ({question.role})" if question.role else ""
    if isinstance(question, ev.GateOpened):
        until = f", asked until {question.deadline:%H:%M:%S} UTC" if question.deadline else ""
        return ["", f"DECISION {question.step}{role}{until}", f"  {question.ask}", f"  {_expected(question)}"]
    evidence = f" Evidence wanted: {question.evidence}." if question.evidence else ""
    return [
        "",
        f"MANUAL STEP {question.step}{role}",
        f"  {question.do}",
        f"  {_expected(question)}{evidence}",
    ]


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


def _expected(question: Question) -> str:
    if isinstance(question, ev.GateOpened):
        return "Type go or no-go, and a reason if you like:"
    return "Type done or failed, then evidence or reason:"
