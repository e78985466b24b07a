"""A small estate of bays with a bubble, and the shortest way to a drill on it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bay import Bay, registry

from drctl.core.binding import ProviderBinder
from drctl.core.clients import Clients
from drctl.core.clock import SystemClock
from drctl.core.provider import Registry
from drctl.engine.drill import DrillBinder, bubble_of, production_of
from drctl.engine.expand import expand
from drctl.engine.graph import build
from drctl.engine.plan import Planned, Planner
from drctl.engine.step import Expansion
from drctl.inventory.load import Inventory, parse_inventory
from drctl.runbook.load import parse_runbook

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
      - {name: web, datastore: ds, vmx: w, at: {}}
      - {name: old-drill, datastore: ds, vmx: o, at: {}}
    datastores: [{name: ds, volume: v, at: {}}]
    volumes: [{name: v, at: {}}]
bubble:
  south: {networks: island, folder: DRILL, addresses: {app.example: 198.51.100.9}}
"""

RUNBOOK = """\
drctl: 1
kind: runbook
name: bays
title: Bays
owner: somebody
direction: {source: north, target: south}
phases:
  - name: Only
    steps:
"""


@dataclass
class Drills:
    """One bay, and what is made of runbooks on it."""

    bay: Bay
    registry: Registry
    inventory: Inventory
    outside: ProviderBinder

    @property
    def binder(self) -> DrillBinder:
        bubble = bubble_of(self.inventory, "south", "R1")
        return DrillBinder(self.outside, bubble, production_of(self.inventory))

    def expand(self, steps: str, mode: str = "drill") -> Expansion:
        text = RUNBOOK + textwrap.indent(textwrap.dedent(steps), "      ")
        return expand(parse_runbook(text, "r.yaml"), self.inventory, mode, {}, self.registry, run_id="R1")

    def plan(self, steps: str, mode: str = "drill") -> dict[str, Planned]:
        steps_ = self.expand(steps, mode).steps
        binder = self.binder if mode == "drill" else self.outside
        planner = Planner(binder, build(steps_), steps_, {})
        return {planned.step.id: planned for planned in planner.plan()}


@contextmanager
def drilling() -> Iterator[Callable[..., Drills]]:
    """Lend ``make(web="on", inventory=...)``: machines that are there, by state."""
    with ExitStack() as stack:

        def make(inventory: str = INVENTORY, **machines: str) -> Drills:
            bay = Bay(dict(machines))
            known = registry(bay)
            loaded = parse_inventory(inventory, "i.yaml", Path("/estate"), known)
            endpoints = {name: endpoint for name, (_, endpoint) in loaded.endpoints.items()}
            clients = stack.enter_context(Clients(known, endpoints, SystemClock()))
            return Drills(bay, known, loaded, ProviderBinder(known, clients, lambda kind, place: place))

        yield make
