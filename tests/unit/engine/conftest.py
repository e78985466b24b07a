"""A world of things, a clock nobody waits for, and workers that run in the test's own thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from fake_clock import FakeClock
from things import ThingEndpoint, Things, registry

from drctl.core import events as ev
from drctl.core.binding import ProviderBinder
from drctl.core.clients import Clients
from drctl.core.problem import DrctlError, Problem
from drctl.core.run import StepRun
from drctl.core.secret import Secret
from drctl.engine.control import Assignment, Surroundings, Touched
from drctl.engine.step import Step
from drctl.engine.worker import Worker

ENDPOINTS = {
    "here": ThingEndpoint(name="here", type="thing", site="north", concurrency=3),
    "there": ThingEndpoint(name="there", type="thing", site="south", concurrency=1),
}


class Log(list):
    """What a worker would journal; ``heard`` are called with each event."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = []

    def append(self, *events: ev.EventData) -> None:
        self.extend(events)
        for hear in self.heard:
            for event in events:
                hear(event)


def _no_secret(kind: str, place: str) -> str:
    raise DrctlError(Problem(code="secret", summary=f"{kind}:{place}: the environment variable is not set"))


@dataclass
class Workbench:
    """One worker at a time, and everything it journals."""

    world: Things = field(default_factory=Things)
    clock: FakeClock = field(default_factory=FakeClock)
    log: Log = field(default_factory=Log)
    let_go: threading.Event = field(default_factory=threading.Event)
    touched: Touched = field(default_factory=Touched)

    def __post_init__(self) -> None:
        locked = ThingEndpoint(
            name="locked", type="thing", site="north", password=Secret("env", "ABSENT", _no_secret)
        )
        self.registry = registry(self.world)
        self.clients = Clients(self.registry, {**ENDPOINTS, "locked": locked}, self.clock)
        self.binder = ProviderBinder(self.registry, self.clients, lambda kind, place: "")

    @property
    def around(self) -> Surroundings:
        return Surroundings(self.binder, self.log, self.clock, "R1", self.let_go, self.touched)

    def work(self, step: Step, record: StepRun | None = None, **outputs: dict[str, object]) -> list[str]:
        """Do a step; return the types of the events it journaled."""
        Worker(self.around, Assignment(step, record or StepRun(step.id), outputs)).work()
        return [event.type.removeprefix("Step") for event in self.log]

    @property
    def end(self) -> ev.EventData:
        return self.log[-1]


@pytest.fixture
def bench() -> Iterator[Workbench]:
    made = Workbench()
    with made.clients:
        yield made
