"""Writes go on at the source: which services write to which volumes now, and until when they did."""

from __future__ import annotations

from datetime import datetime

from drctl.lab import names, nas
from drctl.lab.compute import backing_volume, find_datastore, writable
from drctl.lab.model import Application, VCenter, Volume
from drctl.lab.reach import is_isolated
from drctl.lab.world import World


class Writes:
    """Keeps ``Volume.data_at`` true: frozen when the last writer of a service stops.

    Settled after each change of the world: whatever wrote until this change has data up to now.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._now: dict[tuple[str, str], Volume] = {}
        world.writes = self
        world.on_touch.append(self.settle)

    def settle(self) -> None:
        """Note the last write of all who wrote until now, then find who writes from now on."""
        self._stamp()
        self._now = {(v.uuid, service): v for v, service in writers(self._world)}
        self._stamp()

    def _stamp(self) -> None:
        now = self._world.now()
        for (_, service), volume in self._now.items():
            volume.data_at[service] = now

    def live(self, volume: Volume) -> bool:
        """Whether somebody writes to a volume at this moment."""
        return any(uuid == volume.uuid for uuid, _ in self._now)

    def data_of(self, volume: Volume) -> dict[str, datetime]:
        """Service to the last write that a volume holds, up to this moment."""
        self._stamp()
        return volume.data_at


def data_of(world: World, volume: Volume) -> dict[str, datetime]:
    """Service to the last write that a volume holds, up to this moment."""
    return world.writes.data_of(volume) if world.writes else volume.data_at


def writers(world: World) -> list[tuple[Volume, str]]:
    """Every (volume, service) to which a running guest of that service writes."""
    by_vm = {vm: app for app in world.estate.applications.values() for vm in app.vms}
    by_vm |= {file: by_vm[vm] for file, vm in world.estate.vm_files.items() if vm in by_vm}
    found: list[tuple[Volume, str]] = []
    for vcenter in world.estate.vcenters.values():
        if world.site(vcenter.site).alive:
            found += _of_vcenter(world, vcenter, by_vm)
    return found


def _of_vcenter(world: World, vcenter: VCenter, by_vm: dict[str, Application]) -> list[tuple[Volume, str]]:
    found: list[tuple[Volume, str]] = []
    stores: dict[str, Volume | None] = {}
    for vm in vcenter.vms.values():
        app = by_vm.get(vm.name) or by_vm.get(vm.vmx.partition("] ")[2])
        if app is None or vm.power != "poweredOn" or not vm.booted:
            continue
        for path in (vm.vmx, *vm.disks.values()):
            label = path[1:].partition("]")[0] if path.startswith("[") else ""
            if label not in stores:
                stores[label] = _writable_volume(world, vcenter, label)
            if volume := stores[label]:
                found.append((volume, app.service))
        if vm.windows and not is_isolated(vcenter, vm):
            found += [
                (v, app.service) for alias, share in app.shares if (v := _share_volume(world, alias, share))
            ]
    return found


def _writable_volume(world: World, vcenter: VCenter, label: str) -> Volume | None:
    datastore = find_datastore(vcenter, label)
    if datastore is None or not writable(world, vcenter, datastore):
        return None
    return backing_volume(world, datastore)


def _share_volume(world: World, alias: str, share: str) -> Volume | None:
    """The volume that a share opened by its alias lets write to."""
    zones = [zone.name for service in world.estate.dns.values() for zone in service.zones.values()]
    addresses = [a for zone in zones for a in names.lookup(world, f"{alias}.{zone}")]
    served = nas.svm_at(world, addresses[0]) if addresses else None
    found = nas.share_of(*served, share) if served else None
    volume = found[1] if found else None
    return volume if volume and volume.type == "rw" and volume.initialized else None
