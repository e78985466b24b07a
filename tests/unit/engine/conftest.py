"""A world of things, a clock nobody waits for, workers in the test's own thread, and whole engines."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from drills import Drills, drilling
from fake_clock import FakeClock
from small_run import planned, started, taken
from things import ThingEndpoint, Things, registry

from drctl.core import events as ev
from drctl.core.binding import ProviderBinder
from drctl.core.clients import Clients
from drctl.core.problem import DrctlError, Problem
from drctl.core.run import Run, StepRun
from drctl.core.secret import Secret
from drctl.engine.chain import scan
from drctl.engine.control import Assignment, Surroundings, Touched
from drctl.engine.execute import Engine, Stop
from drctl.engine.journal import Entry, Fenced, Journal, JournalFile
from drctl.engine.ledger import Ledger
from drctl.engine.people import Answer, People
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


@dataclass
class Outcome:
    """How an engine's turn ended."""

    code: int | None
    events: list[ev.EventData]
    run: Run

    def of(self, *types: str) -> list[ev.EventData]:
        return [event for event in self.events if event.type in types]

    def states(self) -> dict[str, str]:
        return {step: record.state.value for step, record in self.run.steps.items()}


class CountingFile(JournalFile):
    """Counts how often the engine looked at what others wrote."""

    looks = 0

    def behind(self) -> bool:
        self.looks += 1
        return super().behind()


class Stage(Workbench):
    """Whole engines on a real journal, one after the other; others write to it as other processes do."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.answers: dict[str, Answer] = {}
        self.attended = False
        self.stop = Stop(patience=0.05)
        self.foreseen: dict[str, dict[str, object]] = {}
        self.limits = {"here": 3, "there": 1}
        self.watch: list[Callable[[ev.EventData], None]] = []
        self.verdict = "unknown"
        self.looks = 0
        self.file = CountingFile

    def say(self, *events: ev.EventData, by: str = "somebody") -> None:
        """Append as another process."""
        file = JournalFile(self.path, self.clock)
        file.commit([Entry(event, by) for event in events])
        file.close()

    def on(self, type_: str, step: str, *events: ev.EventData, times: int = 1) -> None:
        """Say something once the engine has journaled an event."""
        left = [times]

        def hear(event: ev.EventData) -> None:
            if event.type == type_ and getattr(event, "step", "") == step and left[0]:
                left[0] -= 1
                self.say(*events)

        self.watch.append(hear)

    def run(self, *steps: Step) -> Outcome:
        """Let an engine own the run until it ends or pauses."""
        file = self.file(self.path, self.clock)
        records = file.commit()
        code: int | None = None
        with Journal(file) as journal:
            ledger = Ledger(journal, records)
            if not records:
                ledger.append(started(), *(planned(step.id, self.verdict) for step in steps))
            ledger.append(taken(ledger.run.epoch + 1))
            journal.take(ledger.run.epoch)
            journal.subscribe(lambda news: [hear(r.event) for r in news for hear in self.watch])
            self.let_go = self.stop.let_go
            around = replace(self.around, log=journal)
            people = People(self.attended, "somebody", self.answers)
            engine = Engine(
                steps,
                ledger,
                around,
                people=people,
                limits=self.limits,
                stop=self.stop,
                foreseen=self.foreseen,
            )
            with suppress(Fenced):
                code = engine.execute()
        self.looks = file.looks
        whole = scan(self.path)
        return Outcome(code, [record.event for record in whole.records], Run.of(whole.records))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path / "journal.jsonl")
    with made.clients:
        yield made


@pytest.fixture
def drills() -> Iterator[Callable[..., Drills]]:
    """``drills(web="on", inventory=...)``: machines that are there, by state."""
    with drilling() as make:
        yield make
