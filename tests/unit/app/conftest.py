"""Runs of real runbooks on a world of things: started, stopped and resumed in this process."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fake_clock import FakeClock
from things import Things, registry

from drctl.app.approval import Approval
from drctl.app.case import Files, load_case, opened, prepare, refuse_blockers
from drctl.app.context import Context
from drctl.app.requests import Speaker
from drctl.app.resume import Resumption, go_on, resuming
from drctl.app.session import Audience
from drctl.app.start import start
from drctl.core import events as ev
from drctl.core.problem import ExitCode
from drctl.core.run import Run
from drctl.engine.chain import scan
from drctl.engine.execute import Stop
from drctl.engine.home import Home, RunDirectory
from drctl.engine.journal import Journal
from drctl.engine.people import Answer, People

INVENTORY = """\
drctl: 1
kind: inventory
name: small
sites: {north: {title: The north}, south: {title: The south}}
endpoints:
  here: {type: thing, site: south, host: 192.0.2.1}
  source: {type: thing, site: north, host: 192.0.2.2}
services:
  pacs: {title: Images}
"""

RUNBOOK = """\
drctl: 1
kind: runbook
name: short
title: A short one
owner: somebody
objectives: {rto: 4h, rpo: 2h}
direction: {source: north, target: south}
phases:
  - name: Only
    steps:
"""

THREE = """
- {id: a, for_each: all.services, uses: thing.set, on: here, with: {thing: a, to: on}}
- {id: go, gate: {ask: Go on?}}
- {id: b, uses: thing.set, on: here, with: {thing: b, to: on}}
"""


@dataclass
class Site:
    """A home of runs, two files, and a world."""

    folder: Path
    world: Things = field(default_factory=Things)
    clock: FakeClock = field(default_factory=FakeClock)
    answers: dict[str, Answer] = field(default_factory=dict)
    hooks: list[Callable[[ev.EventData], None]] = field(default_factory=list)
    stop: Stop = field(default_factory=lambda: Stop(patience=0.05))

    def __post_init__(self) -> None:
        self.home = Home(self.folder / "home", self.clock)
        self.context = Context(self.home, registry(self.world), self.clock, "ann", "a.example")
        self.other = Context(self.home, registry(self.world), self.clock, "bob", "b.example")
        self.files = Files(self.folder / "runbook.yaml", self.folder / "inventory.yaml")
        self.files.inventory.write_text(INVENTORY)
        self.write(THREE)

    def write(self, steps: str) -> None:
        """Make these the runbook's steps."""
        self.files.runbook.write_text(
            RUNBOOK + textwrap.indent(textwrap.dedent(steps).strip(), " " * 6) + "\n"
        )

    def audience(self) -> Audience:
        def attend(_: Journal):
            return nullcontext([lambda records: [hook(r.event) for r in records for hook in self.hooks]])

        return Audience(People(False, "ann@a.example", self.answers), self.stop, attend)

    def start(self, **approval: object) -> ExitCode:
        """Fail over, approved."""
        case = load_case(self.context, self.files, "failover", {})
        with opened(case, self.context) as binder:
            plan = prepare(case, binder)
            refuse_blockers(plan)
            given = Approval("yes", "ann@a.example", "a test", **approval)
            return start(self.context, case, self.files, binder, plan, given, self.audience()).exit_code

    def interrupt_at(self, type_: str) -> None:
        """Start a run that stops, as Ctrl-C does, once it has journaled such an event."""
        self.hooks.append(
            lambda event: self.stop.request(ExitCode.INTERRUPTED) if event.type == type_ else None
        )
        assert self.start() == ExitCode.INTERRUPTED
        self.hooks.clear()
        self.stop = Stop(patience=0.05)

    def resume(
        self, *, accept_changes: bool = False, look: Callable[[Resumption], None] | None = None
    ) -> ExitCode:
        """Go on with the last run, agreeing to everything."""
        with resuming(self.context, "last", accept_changes=accept_changes) as resumption:
            if look is not None:
                look(resumption)
            return go_on(resumption, "ann@a.example", "a test", self.audience()).exit_code

    def speaker(self) -> Speaker:
        """Another terminal."""
        return Speaker(self.other, "last")

    @property
    def directory(self) -> RunDirectory:
        return self.home.find("last")

    @property
    def events(self) -> list[ev.EventData]:
        return [record.event for record in scan(self.directory.journal).records]

    @property
    def run(self) -> Run:
        return self.directory.fold()

    def of(self, type_: str) -> list[ev.EventData]:
        return [event for event in self.events if event.type == type_]

    def states(self) -> dict[str, str]:
        return {step: record.state.value for step, record in self.run.steps.items()}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)
