"""Questions at a prompt: answered here, answered elsewhere, never answered by accident."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from journals import BEGAN, FrozenClock

from drctl.console.ask import Asker, parse_answer, question_lines
from drctl.core import events as ev
from drctl.core.clock import SystemClock
from drctl.core.events import Recorded

GATE = ev.GateOpened(step="go", ask="Go?", role="commander", deadline=BEGAN + timedelta(minutes=30))
MANUAL = ev.ManualOpened(step="call", do="Call them. " * 20, evidence="Ticket")


class Desk:
    """A person with a pipe for a keyboard: what was said, shown and journaled."""

    def __init__(self) -> None:
        reading, self._keys = os.pipe()
        self.source = os.fdopen(reading)
        self.shown: list[str] = []
        self.said: list[ev.EventData] = []
        self.pauses = 0

    def type(self, text: str) -> None:
        os.write(self._keys, text.encode())

    def leave(self) -> None:
        os.close(self._keys)

    @contextmanager
    def pause(self) -> Iterator[None]:
        self.pauses += 1
        yield

    @contextmanager
    def asker(self) -> Iterator[Asker]:
        with (
            self.source,
            Asker(
                self.said.append,
                "kim@jump.example",
                self.shown.append,
                FrozenClock(),
                source=self.source,
                pause=self.pause,
            ) as asker,
        ):
            yield asker

    def wait(self, what: str, times: int = 1) -> None:
        """Wait until a line was shown or an event said; no fixed pause."""
        clock = SystemClock()
        deadline = clock.monotonic() + 30
        while sum(what in text for text in (*self.shown, *map(repr, self.said))) < times:
            assert clock.monotonic() < deadline, (what, self.shown, self.said)
            clock.sleep(0.01)


def recorded(*events: ev.EventData) -> list[Recorded]:
    return [Recorded(n, BEGAN, "engine", event) for n, event in enumerate(events)]


def test_an_answer_is_journaled_as_typed_here() -> None:
    desk = Desk()
    with desk.asker() as asker:
        asker.hear(recorded(GATE))
        desk.wait("Enter alone")
        desk.type("go the crisis cell says so\n")
        desk.wait("GateAnswered")
    assert desk.said == [
        ev.GateAnswered(
            step="go", answer="go", by="kim@jump.example", reason="the crisis cell says so", via="terminal"
        )
    ]
    assert desk.pauses == 1


def test_nonsense_is_refused_and_enter_shows_the_run_again() -> None:
    desk = Desk()
    with desk.asker() as asker:
        asker.hear(recorded(GATE))
        desk.wait("Enter alone")
        desk.type("perhaps\n")
        desk.wait("'perhaps' is no answer")
        desk.type("\n")
        desk.wait("DECISION", times=2)
        desk.type("no-go\n")
        desk.wait("no-go', by")
    assert desk.pauses == 2


def test_an_answer_from_elsewhere_ends_the_question() -> None:
    desk = Desk()
    elsewhere = ev.GateAnswered(step="go", answer="go", by="sam@desk.example")
    with desk.asker() as asker:
        asker.hear(recorded(GATE))
        desk.wait("Enter alone")
        asker.hear(recorded(elsewhere))
        desk.wait("answered elsewhere")
    assert desk.said == []


def test_a_question_that_came_with_its_answer_is_never_asked() -> None:
    desk = Desk()
    with desk.asker() as asker:
        asker.hear(recorded(GATE, ev.GateAnswered(step="go", answer="go", by="kim", via="file"), MANUAL))
        desk.wait("MANUAL STEP call")
    assert not any("DECISION" in line for line in desk.shown)


def test_a_keyboard_that_is_gone_leaves_the_question_to_others() -> None:
    desk = Desk()
    with desk.asker() as asker:
        asker.hear(recorded(GATE))
        desk.wait("Enter alone")
        desk.leave()
    assert desk.said == []


@pytest.mark.parametrize(
    ("question", "typed", "expected"),
    [
        (GATE, "GO", ("go", "")),
        (GATE, "no-go power is back", ("no-go", "power is back")),
        (GATE, "done", None),
        (GATE, "gone", None),
        (MANUAL, "done T-1", ("done", "T-1")),
        (MANUAL, "failed nobody answers", ("failed", "nobody answers")),
        (MANUAL, "go", None),
        (MANUAL, "", None),
    ],
)
def test_only_the_words_of_a_question_answer_it(
    question: ev.GateOpened | ev.ManualOpened, typed: str, expected: tuple[str, str] | None
) -> None:
    event = parse_answer(question, typed, "kim")
    if expected is None:
        assert event is None
    elif isinstance(event, ev.GateAnswered):
        assert (event.answer, event.reason) == expected
    else:
        assert isinstance(event, ev.ManualRecorded)
        assert (event.result, event.evidence or event.reason) == expected


def test_a_question_fits_80_columns_and_says_how_long_there_is() -> None:
    paris = ZoneInfo("Europe/Paris")
    lines = question_lines(GATE, BEGAN + timedelta(minutes=10), paris)
    assert "DECISION go (commander), 20 min 00 s left (until 04:00:00 CET)" in lines
    assert "OVERDUE by 10 min 00 s" in question_lines(GATE, BEGAN + timedelta(minutes=40), paris)[1]
    assert max(map(len, question_lines(MANUAL, BEGAN, paris))) <= 80
