"""Two published failures of today's tools, with their own module; then drctl, on the very same arrays.

* https://github.com/ansible-collections/netapp.ontap/issues/348: a mirror cannot be broken while the
  primary is unreachable, which is when one wants to (issue 204 is its older form, a hanging read);
* https://github.com/ansible-collections/netapp.ontap/issues/312: nor while it is unhealthy, even after
  the source volume is back online.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_peer import ROOT, Playbook, require_ansible

from drctl.core.action import Handle
from drctl.core.provider import Access, Registry
from drctl.lab import mirrors, volumes
from drctl.lab.server import Lab
from drctl.lab.storage import find_path
from drctl.lab.world import World

PLAYBOOK = Path(__file__).parent / "playbooks" / "break.yml"
SOURCE, DESTINATION = "svm_prod:ris_vm", "svm_dr:ris_vm_dr"
PATIENCE = 30.0


def lose_the_primary(lab: Lab) -> None:
    lab.fault("site-down:paris")


def lose_and_regain_the_source_volume(lab: Lab) -> None:
    """Take the source volume offline, let an update fail on it, and bring it back, as issue 312 tells."""
    world = lab.world
    paris, lyon = world.estate.clusters["ontap-paris"], world.estate.clusters["ontap-lyon"]
    mirror, source = mirrors.find(lyon, DESTINATION), find_path(paris, SOURCE)
    assert mirror
    assert source
    junction = source.junction
    wait_for(world, volumes.modify(world, paris, source, volumes.Change(state="offline")))
    transfer = mirrors.start_transfer(world, lyon, mirror)
    assert world.wait(lambda: transfer.ended is not None and not mirror.healthy, PATIENCE)
    wait_for(world, volumes.modify(world, paris, source, volumes.Change(state="online", junction=junction)))
    assert not mirror.healthy


def wait_for(world: World, job: Any) -> None:
    assert world.wait(lambda: job.ended is not None, PATIENCE)
    assert job.state == "success", job.message


@dataclass(frozen=True)
class Failed:
    """A lab in which NetApp's module has just failed to break ``DESTINATION``."""

    lab: Lab
    module: dict[str, Any]
    """What the module returned."""

    @property
    def state(self) -> str:
        """Return the relationship's state."""
        mirror = mirrors.find(self.lab.world.estate.clusters["ontap-lyon"], DESTINATION)
        assert mirror
        return mirror.state


CASES: dict[str, tuple[Callable[[Lab], None], bool]] = {
    "issue-348": (lose_the_primary, False),
    "issue-204": (lose_the_primary, True),
    "issue-312": (lose_and_regain_the_source_volume, True),
}
"""What goes wrong, and whether the module also checks the source path."""


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Failed]]:
    """Run the module in one lab per case, side by side."""
    require_ansible()
    folder = tmp_path_factory.mktemp("published")
    with ExitStack() as stack:
        started = {}
        for name, (go_wrong, validate) in CASES.items():
            shipped = yaml.safe_load((ROOT / "inventories" / "lab.yaml").read_text())
            lab = stack.enter_context(Lab(shipped, folder / name, speed=600))
            go_wrong(lab)
            variables = {
                "array": login(lab),
                "source": SOURCE,
                "destination": DESTINATION,
                "validate": validate,
            }
            playbook = Playbook(PLAYBOOK, folder / f"{name}-ansible", lab.pki.ca_file, variables)
            stack.callback(playbook.stop)
            started[name] = (lab, playbook)
        yield {name: Failed(lab, playbook.results()["broken"]) for name, (lab, playbook) in started.items()}


def endpoint(lab: Lab) -> dict[str, Any]:
    fields: dict[str, Any] = yaml.safe_load(lab.inventory.read_text())["endpoints"]["ontap-lyon"]
    return fields


def login(lab: Lab) -> dict[str, Any]:
    found = endpoint(lab)
    password = lab.secrets[found["password"]["env"]]
    return {"host": found["host"], "port": found["port"], "user": found["username"], "password": password}


# --- the module ----------------------------------------------------------------------------------


def test_the_module_cannot_break_while_the_primary_is_unreachable(failures):
    failed = failures["issue-348"].module
    assert failed["failed"] is True
    assert "Error patching SnapMirror: {'state': 'broken_off'}" in failed["msg"]
    assert "Failed to contact peer cluster" in failed["msg"]
    assert "'code': '262224'" in failed["msg"]


def test_the_module_does_not_even_try_when_it_checks_the_source(failures):
    failed = failures["issue-204"].module
    assert failed["failed"] is True
    assert "Error retrieving SVM peer" in failed["msg"]


def test_the_module_cannot_break_an_unhealthy_mirror(failures):
    failed = failures["issue-312"].module
    assert failed["failed"] is True
    assert "Error patching SnapMirror: {'state': 'broken_off'}" in failed["msg"]


# --- drctl ---------------------------------------------------------------------------------------


class Operator:
    """What an action asks of the engine while it runs; waits by advancing the lab's clock."""

    mark = "drctl:published:break"

    def __init__(self, world: World) -> None:
        self.world = world
        self.left = 3600.0
        self.overrides: list[tuple[str, str]] = []

    def progress(self, message: str, fraction: float | None = None) -> None:
        """Nobody watches."""

    def handle(self, handle: Handle) -> None:
        """Nobody journals."""

    def override(self, what: str, why: str) -> None:
        self.overrides.append((what, why))

    def sleep(self, seconds: float) -> None:
        self.left -= seconds
        self.world.advance(seconds)

    def remaining(self) -> float:
        return self.left


@pytest.mark.parametrize("name", CASES)
def test_drctl_breaks_it_and_says_which_override_it_used(failures, name):
    failed = failures[name]
    assert failed.state != "broken_off"
    before = failed.lab.world.estate.connections["paris"]
    registry = Registry()
    action = registry.find("ontap.snapmirror.break").model_validate({"destination": DESTINATION})
    provider = registry.provider("ontap")
    fields = endpoint(failed.lab) | {"name": "ontap-lyon"}
    fields["ca_file"] = str(failed.lab.pki.ca_file)
    context = {"resolve": lambda kind, place: failed.lab.secrets[place]}
    where = provider.endpoint.model_validate(fields, context=context)
    operator = Operator(failed.lab.world)
    with provider.connect(where, Access.WRITE) as client:
        change = action.diff(action.read(client))
        assert change.loss.recovery_point is not None
        action.apply(client, change, operator)
        assert action.diff(action.read(client)) is None
    assert failed.state == "broken_off"
    assert len(operator.overrides) == 1, json.dumps(operator.overrides)
    assert failed.lab.world.estate.connections["paris"] == before
