"""Entries of the inventory: registering a VM from its files and taking it out again."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, ClassVar, Self

from pydantic import Field as Limits
from pydantic import JsonValue

from drctl.core.action import (
    MARK,
    OUTPUT,
    Action,
    Change,
    Control,
    Field,
    Handle,
    Missing,
    NotExercised,
    ObjectRef,
    Recipe,
    Reversibility,
)
from drctl.core.bubble import Bubble
from drctl.core.problem import ProviderError
from drctl.providers.vsphere import placing, reads, registering, running
from drctl.providers.vsphere.arguments import DatastoreName, VmName
from drctl.providers.vsphere.client import Vsphere
from drctl.providers.vsphere.faults import refuse
from drctl.providers.vsphere.identity import Exactly, exactly
from drctl.providers.vsphere.model import DiskSeen, RegisteredVm, RegisterState, VmEntry

UNUSABLE = frozenset({"inaccessible", "orphaned", "invalid"})
"""connectionStates of entries that mean nothing any more; ``disconnected`` is not one: it may run."""


class Register(Action[Vsphere, RegisterState]):
    """Register a VM from its .vmx, ready to start: identity kept, disks found, missing ISO detached.

    ``uuid.action=keep`` answers beforehand what vSphere would ask at power-on: the VM moved, and keeps its
    BIOS UUID and MAC addresses. An entry that stands in the way (orphaned, invalid, inaccessible, or of the
    same name elsewhere and off) is unregistered first, and that is journaled; its files stay. An entry of
    a host that is disconnected is left alone: the VM may run there.

    ``pool`` is a resource pool or a cluster (its root pool), ``cluster/pool`` where names repeat.
    Without DRS and without ``host`` a connected host that has the datastore is chosen by the VM's
    name. Disks whose path means nothing here are looked for on ``datastore`` and ``also_on``; with
    ``contained`` so are disks on any other datastore: none of the VM's files may lie elsewhere.
    """

    name: ClassVar[str] = "vsphere.vm.register"
    reversibility: ClassVar[Reversibility] = Reversibility.REVERSIBLE
    state: ClassVar[type] = RegisterState
    output_names: ClassVar[frozenset[str]] = frozenset({"vm", "moref"})

    vm: VmName
    datastore: DatastoreName
    vmx: Annotated[str, Limits(pattern=r"\.(vmx|vmtx)$")] = Limits(
        description="Its configuration file, from the datastore's root, e.g. `pacs-db01/pacs-db01.vmx`."
    )
    folder: str = Limits(description="The VM folder it goes to, e.g. `PACS`.")
    pool: str = Limits(description="Resource pool or cluster it runs in; `cluster/pool` where names repeat.")
    host: str | None = Limits(
        None,
        description="The ESXi host it goes to; default DRS chooses, without DRS one that has the datastore.",
    )
    also_on: tuple[str, ...] = Limits((), description="Further datastores to look for its disks on.")
    contained: bool = Limits(
        default=False, description="Whether none of its files may lie on any other datastore, as in a drill."
    )

    @property
    def path(self) -> str:
        """Return the .vmx as vSphere writes it, ``[datastore] folder/file.vmx``."""
        return f"[{self.datastore}] {self.vmx}"

    def touches(self) -> frozenset[ObjectRef]:
        """Name the VM."""
        return frozenset({ObjectRef("vm", self.vm)})

    def read(self, client: Vsphere) -> RegisterState:
        """Read the entry, what stands in its way, and what it needs."""
        return reads.only(self.read_many([self], client))

    @classmethod
    def read_many(cls, actions: Sequence[Self], client: Vsphere) -> list[RegisterState | ProviderError]:
        """Read clusters, hosts, pools, datastores and VMs once for all."""
        return placing.read_register(client, [one.wish(one.host) for one in actions])

    def diff(self, now: RegisterState) -> Change | None:
        """Compare the entry with the wish."""
        if not now.datastore or not now.accessible:
            why = "is not mounted" if not now.datastore else "is not accessible from any host"
            raise Missing(ObjectRef("datastore", self.datastore), f"datastore {self.datastore} {why}")
        if not now.pool:
            raise refuse(
                "no-pool",
                f"this vCenter has no resource pool or cluster {self.pool}",
                f"It has {', '.join(now.pools) or 'none'}.",
                "Correct `pool` in the inventory.",
            )
        if now.stale is not None:
            self._check_stale(now.stale)
        if now.vm is not None:
            return self._diff_entry(now.vm)
        return self._diff_absent(now)

    def _check_stale(self, stale: RegisteredVm) -> None:
        if stale.connection == "disconnected":
            raise refuse(
                "vm-disconnected",
                f"{self.vm} is registered on a host that is not connected, and may run there",
                f"Its entry is {stale.moref} at {stale.path}.",
                "Reconnect that host, or remove it from the inventory once it is certainly off.",
            )
        if stale.power == "poweredOn" and stale.connection == "connected":
            raise refuse(
                "vm-in-the-way",
                f"another VM called {self.vm} is running",
                f"It is {stale.moref} at {stale.path}, not {self.path}.",
                "Power it off or rename it, if it is not the one wanted.",
            )

    def _diff_absent(self, now: RegisterState) -> Change:
        if now.vmx is False:
            raise Missing(
                ObjectRef("file", self.path),
                f"{self.path} does not exist: the VM may be younger than the recovery point, or lie elsewhere",
            )
        host = self._choose_host(now)
        fields = [
            Field("vm", None, self.path),
            Field("folder", None, self.folder),
            Field("pool", None, self.pool),
        ]
        if host is not None:
            fields.append(Field("host", None, host))
        summary = f"register {self.vm} from {self.path}"
        if host is not None:
            summary += f" on {host}"
        if now.stale is not None:
            stale = now.stale
            fields.append(Field("stale entry", f"{stale.connection} {stale.path}", None))
            summary += f", in place of the {stale.connection} entry {stale.moref}"
        return Change(summary, tuple(fields))

    def _choose_host(self, now: RegisterState) -> str | None:
        """Return the host to register on, None when DRS chooses; equal names give equal hosts."""
        template = self.vmx.endswith(".vmtx")  # a template is registered on a host, never in a pool
        if self.host is None and now.drs and not template:
            return None
        if self.host is not None and self.host in now.hosts:
            return self.host
        if not now.hosts or self.host is not None:
            wanted = f"host {self.host}" if self.host else f"no host of {self.pool}"
            raise refuse(
                "no-host",
                f"{wanted} is {'not ' if self.host else ''}connected, out of maintenance and has {self.datastore}",
                f"Usable: {', '.join(now.hosts) or 'none'}.",
                "Mount the datastore there, or take the host out of maintenance.",
            )
        return max(now.hosts, key=lambda host: zlib.crc32(f"{self.vm} {host}".encode()))

    def _diff_entry(self, vm: RegisteredVm) -> Change | None:
        fields = []
        if vm.name != self.vm:
            fields.append(Field("name", vm.name, self.vm))
        if vm.power == "poweredOff" and not vm.template:
            if vm.uuid_action != "keep":
                fields.append(Field("uuid.action", vm.uuid_action or None, "keep"))
            fields += [
                Field(disk.label, disk.path, self._resolve(disk)) for disk in vm.disks if not disk.resolved
            ]
            if vm.image is not None and not vm.image.resolved:
                fields.append(Field(vm.image.label, vm.image.path, None))
        if not fields:
            return None
        return Change(f"complete {self.vm}: {', '.join(field.name for field in fields)}", tuple(fields))

    def _resolve(self, disk: DiskSeen) -> str:
        if len(disk.candidates) == 1:
            return disk.candidates[0]
        looked = ", ".join((self.datastore, *self.also_on))
        raise refuse(
            "unresolved-disk",
            f"{self.vm}: {disk.label} points at {disk.path}, which "
            + (f"could be {' or '.join(disk.candidates)}" if disk.candidates else f"is not on {looked}"),
            "The path names a datastore of the other site, or one that this VM must not use.",
            "Name the datastore that holds it in `also_on`, and mount it first.",
        )

    def find_running(self, client: Vsphere, since: datetime) -> Handle | None:
        """Return a registration or reconfiguration under way that may be ours."""
        return running.find(client, since, ("RegisterVM_Task", "ReconfigVM_Task"), vm=self.vm, folders=True)

    def apply(self, client: Vsphere, change: Change, control: Control) -> None:
        """Clear the way, register, then complete identity, disks and mark in one reconfiguration."""
        now = self.read(client)
        if self.diff(now) is None:
            return
        vm = now.vm or self._register(client, now, control)
        # The notes of a .vmx that was registered before, at either site, bear the mark of that run.
        ours = now.vm is not None or control.mark in vm.annotation.splitlines()
        if ours and self._diff_entry(vm) is None:
            return
        disks = {disk.key: self._resolve(disk) for disk in vm.disks if not disk.resolved}
        eject = vm.image.key if vm.image is not None and not vm.image.resolved else None
        control.progress(f"completing {self.vm}: uuid.action=keep" + _repairs(vm, disks, eject))
        registering.complete(client, registering.Completion(vm, self.vm, disks, eject, control.mark), control)

    def _register(self, client: Vsphere, now: RegisterState, control: Control) -> RegisteredVm:
        host = self._choose_host(now)
        if now.stale is not None:
            stale = now.stale
            control.override(
                f"unregister {stale.moref} ({stale.path})",
                f"the {stale.connection} entry bears the name {self.vm}",
            )
            registering.unregister(client, stale.moref, stale.name)
            client.remember(self.vm, None)
        if host is not None and self.host is None:
            control.progress(f"DRS is off for {self.pool}: registering {self.vm} on {host}")
        try:
            moref = registering.register(client, self.wish(host), self.folder, control)
        except ProviderError as error:
            taken = error.problem.code in ("vsphere-already-exists", "vsphere-duplicate-name")
            again = self.read(client) if taken else now
            if again.vm is None:
                raise
            return again.vm  # an earlier attempt, or somebody else, was faster
        client.remember(self.vm, moref)
        return placing.read_registered(client, self.wish(host), moref)

    def wish(self, host: str | None) -> placing.Wish:
        """Return what ``placing`` needs to know, with the host chosen."""
        return placing.Wish(self.vm, self.datastore, self.vmx, self.pool, host, self.also_on, self.contained)

    def foresee(self) -> Mapping[str, JsonValue]:
        """Return the name, which is certain."""
        return {"vm": self.vm}

    def outputs(self, now: RegisterState) -> Mapping[str, JsonValue]:
        """Return the name and vCenter's id of the VM."""
        return {"vm": self.vm, "moref": now.vm.moref if now.vm else None}

    def undo(self, before: RegisterState, change: Change) -> Recipe | None:
        """Unregister the very VM that this registers, when it was not registered before."""
        if before.vm is not None:
            return None
        known = exactly(vcenter=before.vcenter, export=before.export)
        made: dict[str, JsonValue] = {"moref": f"{OUTPUT}moref", "datastore": self.datastore, "mark": MARK}
        return Recipe("vsphere.vm.unregister", {"vm": self.vm, **made, **known})

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Register the copy beside the real one: other name, folder and datastores, all its files there."""
        arguments: dict[str, JsonValue] = {
            "vm": bubble.vm(self.vm),
            "datastore": bubble.datastore(self.datastore),
            "vmx": self.vmx,
            "folder": bubble.folder,
            "pool": self.pool,
            "also_on": [bubble.datastore(one) for one in self.also_on],
            "contained": True,
        }
        return Recipe(self.name, arguments | exactly(host=self.host))


def _repairs(vm: RegisteredVm, disks: Mapping[int, str], eject: int | None) -> str:
    moved = [f"{disk.path} is {disks[disk.key]}" for disk in vm.disks if disk.key in disks]
    if eject is not None and vm.image is not None:
        moved.append(f"{vm.image.path} is detached")
    return "".join(f", {one}" for one in moved)


class Unregister(Exactly, Action[Vsphere, VmEntry]):
    """Take a VM out of the inventory; its files stay. Refused while it is on.

    Beside the name, ``moref`` and the fields after it name that very VM: another one is left alone.
    """

    name: ClassVar[str] = "vsphere.vm.unregister"
    reversibility: ClassVar[Reversibility] = Reversibility.REVERSIBLE
    state: ClassVar[type] = VmEntry

    def touches(self) -> frozenset[ObjectRef]:
        """Name the VM."""
        return frozenset({ObjectRef("vm", self.vm)})

    def read(self, client: Vsphere) -> VmEntry:
        """Read the entry, with its folder and pool so that it can be put back."""
        return reads.only(self.read_many([self], client))

    @classmethod
    def read_many(cls, actions: Sequence[Self], client: Vsphere) -> list[VmEntry | ProviderError]:
        """Read the VMs once for all."""
        return placing.read_entries(client, actions)

    def diff(self, now: VmEntry) -> Change | None:
        """Say what goes; nothing when there is no such VM."""
        if not now.found:
            return None
        if now.power == "poweredOn":
            raise Missing(
                ObjectRef("vm", self.vm), f"{self.vm} is running: power it off before it is unregistered"
            )
        return Change(f"unregister {self.vm} ({now.path})", (Field("vm", now.path, None),))

    def apply(self, client: Vsphere, change: Change, control: Control) -> None:
        """Unregister; never destroys files."""
        now = self.read(client)
        if self.diff(now) is None:
            return
        registering.unregister(client, now.moref, self.vm)
        client.remember(self.vm, None)

    def undo(self, before: VmEntry, change: Change) -> Recipe | None:
        """Register it again where it was."""
        datastore, vmx = reads.split_path(before.path)
        if not datastore or not before.pool:
            return None
        arguments: dict[str, JsonValue] = {
            "vm": self.vm,
            "datastore": datastore,
            "vmx": vmx,
            "folder": before.folder,
            "pool": before.pool,
        }
        return Recipe("vsphere.vm.register", arguments)

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Leave it: what a failover takes out of the inventory serves production."""
        return NotExercised(f"{self.vm} is production's own, which a drill leaves alone")
