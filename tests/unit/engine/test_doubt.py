"""A step left in doubt whose job is still at it: followed to the deadline, never started a second time."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pytest
from fake_clock import FakeClock

from drctl.core import events as ev
from drctl.core.action import Change, Control, Field, Handle, Interrupted, ObjectRef, Reversibility
from drctl.core.operation import Look, Operation, Seen
from drctl.core.problem import Source
from drctl.core.run import State, StepRun
from drctl.engine.control import Assignment, Surroundings
from drctl.engine.step import Step, Use
from drctl.engine.template import Arguments
from drctl.engine.worker import Worker

LEFT = Change("make it so", (Field("state", "old", "new"),))


@dataclass
class Slow:
    """An operation whose job runs on the target until a moment of the clock, or for ever."""

    clock: FakeClock
    until: float
    applied: int = 0
    uses: str = "thing.set"
    kind: str = "action"
    endpoint: str | None = "here"
    site: str | None = "north"
    reversibility: Reversibility | None = Reversibility.REVERSIBLE
    convergent: bool = True
    arguments: Mapping[str, object] = field(default_factory=dict)

    def touches(self) -> frozenset[ObjectRef]:
        return frozenset()

    def foresee(self) -> Mapping[str, object]:
        return {}

    def look(self) -> Seen:
        return Look() if self.clock.monotonic() >= self.until or self.applied else Look(change=LEFT)

    def find_running(self, since: datetime) -> Handle | None:
        return Handle("job", "7") if self.clock.monotonic() < self.until else None

    def apply(self, change: Change, control: Control) -> None:
        self.applied += 1


@dataclass
class OneOperation:
    """A binder that knows one operation."""

    operation: Slow

    def bind(
        self, uses: str, endpoint: str | None, arguments: Mapping[str, object], **_: object
    ) -> Operation:
        return self.operation

    def look_many(self, operations: Sequence[Operation]) -> list[Seen]:
        return [operation.look() for operation in operations]


@dataclass
class Log:
    """What was journaled."""

    events: list[ev.EventData] = field(default_factory=list)

    def append(self, *events: ev.EventData) -> None:
        self.events += events


def work(until: float, *, let_go: bool = False, uncertain: bool = True) -> tuple[Slow, Log]:
    clock, log, letting = FakeClock(), Log(), threading.Event()
    if let_go:
        letting.set()
    operation = Slow(clock, clock.monotonic() + until)
    record = StepRun("x", state=State.PENDING, started=clock.now(), uncertain=uncertain)
    body = Use("thing.set", "action", "here", "north", Arguments({}))
    step = Step("x", "x", "Only", body, Source("r.yaml", 1, 1), timeout=120.0)
    around = Surroundings(OneOperation(operation), log, clock, "R1", letting)
    try:
        Worker(around, Assignment(step, record, {}, frozenset())).work()
    except Interrupted:
        assert let_go
    return operation, log


def test_a_job_that_ends_in_time_is_adopted() -> None:
    operation, log = work(until=60)
    assert operation.applied == 0
    assert [event.how for event in log.events if isinstance(event, ev.StepFinished)] == ["adopted"]


def test_a_job_that_outlives_the_deadline_is_never_started_again() -> None:
    operation, log = work(until=10_000)
    assert operation.applied == 0
    assert isinstance(log.events[-1], ev.StepIndeterminate)
    assert "job 7 is still running on here" in log.events[-1].problem.summary


@pytest.mark.parametrize("uncertain", [True, False])
def test_nothing_begins_once_the_run_was_let_go(*, uncertain: bool) -> None:
    operation, log = work(until=-1 if uncertain else 10_000, let_go=True, uncertain=uncertain)
    assert operation.applied == 0
    assert not any(isinstance(event, ev.StepStarted) for event in log.events)
