"""Whole runs in this process on a bay of machines: failovers, drills, and what undoes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bay import Bay, registry

from drctl.app.aftermath import Aftermath, Undoer, aftermath
from drctl.app.approval import Approval
from drctl.app.case import Case, Files, load_case, opened, prepare, refuse_blockers
from drctl.app.context import Context
from drctl.app.leftovers import refuse_leftovers
from drctl.app.precedence import refuse_conflict
from drctl.app.resume import go_on, resuming
from drctl.app.session import Audience
from drctl.app.start import Ended, start
from drctl.core.clock import SystemClock
from drctl.core.run import Run
from drctl.engine.execute import Stop
from drctl.engine.home import Home
from drctl.engine.people import Answer, People
from drctl.engine.step import Mode

INVENTORY = """\
drctl: 1
kind: inventory
name: bays
sites: {north: {}, south: {}}
endpoints:
  far: {type: bay, site: north}
  near: {type: bay, site: south}
services:
  app:
    vms:
      - {name: db, datastore: ds, vmx: d, at: {}}
      - {name: web, datastore: ds, vmx: w, at: {}}
    datastores: [{name: ds, volume: v, at: {}}]
    volumes: [{name: v, at: {}}]
bubble:
  south: {networks: island, folder: DRILL}
"""

RUNBOOK = """\
drctl: 1
kind: runbook
name: bays
title: Bays
owner: somebody
direction: {source: north, target: south}
phases:
  - name: Fence
    steps:
      - {id: fence, for_each: services.app.vms, uses: bay.make, on: far, with: {vm: "{{ item.name }}-old", to: "off"}, on_error: continue}
  - name: Move
    steps:
      - {id: db, uses: bay.make, on: near, with: {vm: db}}
      - {id: web, for_each: services.app.vms, uses: bay.make, on: near, with: {vm: "{{ item.name }}-2", after: "{{ steps.db.outputs.vm }}"}}
  - name: Last
    steps:
      - {id: go, gate: {ask: "Go?"}}
      - {id: record, uses: bay.final, on: near, with: {vm: record}}
      - {id: last, uses: bay.make, on: near, with: {vm: last}}
"""


@dataclass
class Circle:
    """One estate, one home of runs; ``stop`` of a run is where a gate waits for an answer."""

    folder: Path
    bay: Bay = field(default_factory=lambda: Bay({"db-old": "on", "web-old": "on"}))

    def __post_init__(self) -> None:
        (self.folder / "i.yaml").write_text(INVENTORY)
        (self.folder / "r.yaml").write_text(RUNBOOK)

    @property
    def context(self) -> Context:
        clock = SystemClock()
        return Context(Home(self.folder / "home", clock), registry(self.bay), clock, "kim", "desk.example")

    @property
    def files(self) -> Files:
        return Files(self.folder / "r.yaml", self.folder / "i.yaml")

    def case(self, mode: Mode) -> Case:
        return load_case(self.context, self.files, mode, {})

    def run(self, mode: Mode, answer: str | None = "go") -> Ended:
        """Start a run; without an answer it stops at the gate."""
        case = self.case(mode)
        if mode == "drill":
            refuse_leftovers(self.context, case)
        return self.start(case, self.files, answer)

    def undo(self, mode: Undoer, reference: str) -> Ended:
        """Undo a run."""
        found = self.aftermath(mode, reference)
        return self.start(found.case, found.files)

    def aftermath(self, mode: Undoer, reference: str) -> Aftermath:
        return aftermath(self.context, reference, mode)

    def start(self, case: Case, files: Files, answer: str | None = None) -> Ended:
        refuse_conflict(self.context, case)
        with opened(case, self.context) as binder:
            plan = prepare(case, binder)
            refuse_blockers(plan)
            approval = Approval("yes", self.context.actor, "a test")
            return start(self.context, case, files, binder, plan, approval, self.audience(answer))

    def resume(self, reference: str, answer: str | None = None) -> Ended:
        with resuming(self.context, reference, accept_changes=False) as resumption:
            return go_on(resumption, self.context.actor, "a test", self.audience(answer))

    def audience(self, answer: str | None) -> Audience:
        answers = {"go": Answer("go" if answer == "go" else "no-go")} if answer else {}
        return Audience(People(False, self.context.actor, answers), Stop())

    def fold(self, ended: Ended) -> Run:
        return ended.directory.fold()
