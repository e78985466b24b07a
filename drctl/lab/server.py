"""One running lab: inventory in, estate served on loopback, rendered inventory and secrets out."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from copy import deepcopy
from pathlib import Path
from threading import Event
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

from drctl.lab import app, dns, ontap, sites, ssh, vsphere
from drctl.lab.addresses import Addresses, Block
from drctl.lab.control import Control
from drctl.lab.faults import FAULTS, Fault, parse
from drctl.lab.mirrors import active_transfer
from drctl.lab.model import Estate
from drctl.lab.names import behind
from drctl.lab.net import Net
from drctl.lab.pki import Pki
from drctl.lab.render import Rendering
from drctl.lab.schedule import start_schedules
from drctl.lab.seed import build_estate, furnish
from drctl.lab.status import status
from drctl.lab.survey import Survey
from drctl.lab.targets import refuse_unknown, targets
from drctl.lab.world import World
from drctl.lab.writes import Writes

_LONGEST_SOCKET = 100
"""Unix socket paths end at 107 bytes on Linux."""


class Lab:
    """A lab in this process: ``with Lab(inventory, directory) as lab`` serves until the block ends.

    Constructing one raises ``UnknownFault`` for a fault that the lab does not know.

    Attributes:
        inventory: path of the rendered copy, beside ``pki/`` and ``secrets/``.
        secrets: environment variables that the inventory refers to.
        world: the truth; hold its lock while looking.
        control: path of the control socket.
    """

    def __init__(
        self, inventory: dict[str, Any], directory: Path, speed: float = 60.0, faults: Iterable[str] = ()
    ) -> None:
        self._source = inventory
        self._faults = tuple(parse(fault) for fault in faults)
        self.directory = directory
        self.speed = speed
        self.secrets: dict[str, str] = {}
        self.stopped = Event()
        """Set when the control socket was asked to stop the lab."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Render, seed and serve.

        Raises:
            NoBlock: no loopback block is free.
            OSError: a port of the block is taken.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        self._block = Block()
        with ExitStack() as undo:
            undo.callback(self._block.release)
            self.pki = Pki(self.directory)
            self.rendering = Rendering(self._source, Addresses(self._block.number), self.pki)
            self.secrets.update(self.rendering.secrets)
            self.inventory = self.rendering.write(self.directory)
            self.control = self._control_path()
            self._open()
            undo.callback(self._close)
            self._control = Control(self, self.control)
            undo.pop_all()

    def _control_path(self) -> Path:
        path = self.directory.resolve() / "control.sock"
        if len(os.fsencode(path)) > _LONGEST_SOCKET:
            path = Path(tempfile.mkdtemp(prefix="drctl-lab-")) / "control.sock"
        return path

    def _open(self, kept: Estate | None = None) -> None:
        survey = Survey(self.rendering.inventory, self.secrets)
        with ExitStack() as undo:
            self.world = World(kept or build_estate(survey), self.speed)
            undo.callback(self.world.stop)
            Writes(self.world)
            sites.attach(self.world)
            if kept is None:
                furnish(self.world, survey)
            start_schedules(self.world)
            self.net = Net(self.world, self.pki, tuple(sorted(self.rendering.names)))
            undo.callback(self.net.stop)
            self._serve()
            self.net.start()
            for fault in self._faults:
                self._add(fault)
            self.net.await_settled()
            undo.pop_all()

    def _serve(self) -> None:
        estate, endpoints = self.world.estate, self.rendering.inventory.get("endpoints") or {}
        for name in estate.clusters:
            ontap.serve(self.world, self.net, name, endpoints[name]["host"], endpoints[name]["port"])
        for name in estate.vcenters:
            vsphere.serve(self.world, self.net, name, endpoints[name]["host"], endpoints[name]["port"])
        for name, service in estate.dns.items():
            dns.serve(self.world, self.net, service, endpoints[name]["port"])
        for name, machine in estate.machines.items():
            ssh.serve(self.world, self.net, machine, endpoints[name]["port"])
        app.serve(self.world, self.net)

    def stop(self) -> None:
        """Close everything; the files stay."""
        self._control.close()
        if self.control.parent != self.directory.resolve():
            self.control.parent.rmdir()
        self._close()
        self._block.release()

    def _close(self) -> None:
        self.net.stop()
        self.world.stop()

    def reset(self, kept: Estate | None = None) -> None:
        """Begin again: same addresses, keys and secrets, a fresh estate (or a kept one) without faults."""
        self._close()
        self._faults = ()
        self._open(deepcopy(kept))

    def keep(self) -> Estate:
        """Return a copy of the estate as it is, to ``reset`` to; it must have come to rest.

        What was on its way (transfers, jobs, boots) has no clock in a copy.
        """
        with self.world.lock:
            self.world.touch()
            return deepcopy(self.world.estate)

    def fault(self, fault: str) -> None:
        """Put a fault in force and wait until the wires have followed.

        Raises:
            UnknownFault: its name is unknown, or nothing here bears its target's.
        """
        self._add(parse(fault))
        self.net.await_settled()

    def _add(self, fault: Fault) -> None:
        survey = Survey(self.rendering.inventory, self.secrets)
        planned = {node["name"] for _, node in survey.datastores()} | {vm.name for vm in survey.vms()}
        refuse_unknown(self.world.estate, fault, planned)
        self.world.faults.add(fault)

    def lift(self, fault: str) -> bool:
        """Lift a fault and wait until the wires have followed; False when it was not in force."""
        lifted = self.world.faults.lift(fault)
        self.net.await_settled()
        return lifted

    def wait(self, condition: str, timeout: float = 30.0) -> bool:
        """Wait real seconds for ``idle``, ``booted``, ``dns`` or ``settled`` (all of these)."""
        met = _CONDITIONS[condition]
        return self.world.wait(lambda: all(each(self.world) for each in met), timeout)

    def info(self) -> dict[str, Any]:
        """Where the inventory is, the secrets it refers to, the control socket and the speed."""
        return {
            "inventory": str(self.inventory.resolve()),
            "secrets": self.secrets,
            "control": str(self.control),
            "speed": self.speed,
        }

    def breakable(self) -> dict[str, list[str]]:
        """Return the names of all faults, and of everything they can be aimed at."""
        with self.world.lock:
            return {"faults": sorted(FAULTS), "targets": sorted(targets(self.world.estate))}

    def status(self, *, live: bool = False) -> dict[str, Any]:
        """World, mutations and connections, ready for JSON; ``live`` adds what moves by itself."""
        return status(self.world, self._block.number, live=live)


def _idle(world: World) -> bool:
    estate = world.estate
    jobs = (job.state for cluster in estate.clusters.values() for job in cluster.jobs.values())
    tasks = (task.state for vcenter in estate.vcenters.values() for task in vcenter.tasks.values())
    mirrors = (mirror for cluster in estate.clusters.values() for mirror in cluster.mirrors.values())
    busy = {"queued", "running"}
    return not (busy & {*jobs, *tasks}) and not any(active_transfer(mirror) for mirror in mirrors)


def _booted(world: World) -> bool:
    vms = (vm for vcenter in world.estate.vcenters.values() for vm in vcenter.vms.values())
    return all(vm.booted for vm in vms if vm.power == "poweredOn")


def _followed(world: World) -> bool:
    return not any(
        behind(service, address) for service in world.estate.dns.values() for address in service.secondaries
    )


_CONDITIONS: Final[Mapping[str, tuple[Callable[[World], bool], ...]]] = MappingProxyType(
    {
        "idle": (_idle,),
        "booted": (_booted,),
        "dns": (_followed,),
        "settled": (_idle, _booted, _followed),
    }
)
