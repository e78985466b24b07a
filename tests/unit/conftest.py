"""A small estate and short ways to load, expand and complain."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from drctl.core.problem import DrctlError, Problem
from drctl.core.provider import Registry
from drctl.engine.expand import expand
from drctl.engine.step import Expansion
from drctl.inventory.load import Inventory, parse_inventory
from drctl.runbook.load import Runbook, parse_runbook

INVENTORY = """\
drctl: 1
kind: inventory
name: small
sites:
  north: {title: The north, timezone: Europe/Paris}
  south: {title: The south, timezone: Europe/Paris}
  vault: {title: The vault}
endpoints:
  ontap-north: {type: ontap, site: north, host: 192.0.2.11, username: drctl, password: {env: NORTH}}
  ontap-south: {type: ontap, site: south, host: 198.51.100.11, username: drctl, password: {env: SOUTH}}
  vc-north: {type: vsphere, site: north, host: 192.0.2.12, username: drctl, password: {env: NORTH}}
  vc-south: {type: vsphere, site: south, host: 198.51.100.12, username: drctl, password: {env: SOUTH}}
  edge: {type: ssh, site: south, host: 198.51.100.13, username: drctl, key_file: keys/id, known_hosts: keys/known}
services:
  base:
    checks:
      - {name: port, uses: check.tcp, with: {host: 198.51.100.13, port: 22}}
  app:
    depends_on: [base]
    objectives: {rto: 1h, rpo: 2h}
    volumes:
      - name: one
        schedule: 1h
        at:
          north: {endpoint: ontap-north, svm: n, volume: one, junction: /one, clients: [192.0.2.31]}
          south: {endpoint: ontap-south, svm: s, volume: one_dr, junction: /one, clients: [198.51.100.31]}
      - name: two
        schedule: 1h
        at:
          north: {endpoint: ontap-north, svm: n, volume: two, junction: /two}
          south: {endpoint: ontap-south, svm: s, volume: two_dr, junction: /two}
    datastores:
      - name: ds
        volume: one
        at:
          north: {endpoint: vc-north, nfs_server: 192.0.2.20, cluster: prod}
          south: {endpoint: vc-south, nfs_server: 198.51.100.20, cluster: dr, path: /elsewhere}
    vms:
      - name: db
        priority: 1
        datastore: ds
        vmx: db/db.vmx
        at:
          north: {endpoint: vc-north, folder: A, pool: p, networks: {Network adapter 1: n1}, ip: 192.0.2.131}
          south: {endpoint: vc-south, folder: A, pool: p, networks: {Network adapter 1: s1}, ip: 192.0.2.131}
      - name: web
        priority: 2
        datastore: ds
        vmx: web/web.vmx
        at:
          north: {endpoint: vc-north, folder: A, pool: p, ip: 192.0.2.132}
          south: {endpoint: vc-south, folder: A, pool: p, ip: 198.51.100.132}
      - name: batch
        priority: 2
        datastore: ds
        vmx: batch/batch.vmx
        at:
          north: {endpoint: vc-north, folder: A, pool: p}
          south: {endpoint: vc-south, folder: A, pool: p}
contacts:
  boss: {name: On call}
"""

HEAD = """\
drctl: 1
kind: runbook
name: short
title: A short one
owner: somebody
objectives: {rto: 4h, rpo: 2h}
direction: {source: north, target: south}
"""


class Language:
    """Loads texts as if they were files in ``folder``."""

    text = INVENTORY
    head = HEAD

    def __init__(self) -> None:
        self.registry = Registry()

    def inventory(self, text: str = INVENTORY, folder: Path = Path("/estate")) -> Inventory:
        return parse_inventory(text, "inventory.yaml", folder, self.registry)

    def runbook(self, rest: str, head: str = HEAD) -> Runbook:
        return parse_runbook(head + textwrap.dedent(rest), "runbook.yaml")

    def steps(self, steps: str) -> Runbook:
        """One phase with these steps."""
        body = textwrap.indent(textwrap.dedent(steps), "      ")
        return self.runbook(f"phases:\n  - name: Only\n    steps:\n{body}")

    def expand(
        self,
        book: Runbook,
        mode: str = "failover",
        params: Mapping[str, object] | None = None,
        inventory: str = INVENTORY,
    ) -> Expansion:
        return expand(book, self.inventory(inventory), mode, params or {}, self.registry, run_id="R1")

    def needs(self, expansion: Expansion) -> dict[str, set[str]]:
        return {step.id: set(step.needs) for step in expansion.steps}

    def problems(self, call: Callable[[], object]) -> list[Problem]:
        """Return the problems it raises; fail when it raises none."""
        with pytest.raises(DrctlError) as caught:
            call()
        return list(caught.value.problems)

    def places(self, call: Callable[[], object]) -> list[tuple[int, int, str]]:
        """Return (line, column, code) of the problems, in their order."""
        return [
            (p.where.line, p.where.column, p.code) if p.where else (0, 0, p.code) for p in self.problems(call)
        ]

    def pointed(self, problem: Problem) -> str:
        """Return the text that a problem's caret points at."""
        assert problem.where is not None
        return problem.where.text[problem.where.column - 1 :]


@pytest.fixture(scope="session")
def language() -> Language:
    return Language()


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).resolve().parents[2]
