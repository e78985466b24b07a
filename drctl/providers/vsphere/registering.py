"""The calls behind registering and unregistering: folders, entries, and the one reconfiguration after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drctl.core.action import Control, Handle
from drctl.core.problem import ProviderError
from drctl.providers.vsphere import reads
from drctl.providers.vsphere.client import Row, Vsphere
from drctl.providers.vsphere.faults import refuse
from drctl.providers.vsphere.model import RegisteredVm
from drctl.providers.vsphere.placing import Estate, Wish

if TYPE_CHECKING:
    from drctl.providers.vsphere.session import Wire


@dataclass(frozen=True)
class Completion:
    """What one reconfiguration does to a VM just registered."""

    vm: RegisteredVm
    name: str
    disks: Mapping[int, str]
    eject: int | None
    mark: str


def register(client: Vsphere, wish: Wish, folder: str, control: Control) -> str:
    """Register a VM and return its id; the folder is made when it is missing."""
    estate = Estate(reads.read_clusters(client), {}, client.rows("ResourcePool", ["name", "owner"]), [], [])
    place = estate.place(wish.pool)
    if place is None:
        raise refuse("no-pool", f"this vCenter has no resource pool or cluster {wish.pool}")
    cluster, pool = place
    hosts = reads.read_hosts(client) if wish.host else {}
    host = next((key for key, one in hosts.items() if one.name == wish.host), None)
    target = ensure_folder(client, cluster, folder, control)
    template = wish.vmx.endswith(".vmtx")

    def issue(wire: Wire) -> Any:
        return wire.ref("Folder", target).RegisterVM_Task(
            path=wish.path,
            name=wish.vm,
            asTemplate=template,
            pool=None if template else wire.ref("ResourcePool", pool),
            host=wire.ref("HostSystem", host) if host else None,
        )

    return reads.identity(client.run(f"registering {wish.vm} from {wish.path}", issue, control))


def ensure_folder(client: Vsphere, cluster: reads.ClusterSeen, path: str, control: Control) -> str:
    """Return the id of a VM folder of the cluster's datacenter, made part by part where missing.

    What is made is journaled: a cleanup takes it away again.
    """
    here, above = _vm_folder(client, cluster), ""
    for part in filter(None, path.split("/")):
        above = f"{above}/{part}".strip("/")
        found = _child_folder(client, here, part)
        here = found or _make_folder(client, here, above, control)
    return here


def _vm_folder(client: Vsphere, cluster: reads.ClusterSeen) -> str:
    """Return the VM folder of the datacenter a cluster is in."""
    centers = {row.id: row for row in client.rows("Datacenter", ["name", "vmFolder"])}
    parents = {row.id: reads.identity(row.values.get("parent")) for row in client.rows("Folder", ["parent"])}
    above = cluster.parent
    while above in parents:
        above = parents[above]
    if above not in centers:
        raise refuse("no-datacenter", f"cluster {cluster.name} is in no datacenter")
    return reads.identity(centers[above].values.get("vmFolder"))


def _child_folder(client: Vsphere, parent: str, name: str) -> str:
    """Return the id of the folder of that name in a folder, empty when there is none."""

    def find(wire: Wire) -> Any:
        return wire.content.searchIndex.FindChild(wire.ref("Folder", parent), name)

    child = client.read(f"looking for folder {name}", find)
    if child is not None and type(child).__name__ != "vim.Folder":
        raise refuse("name-taken", f"{name} is no folder but a {type(child).__name__.rpartition('.')[2]}")
    return reads.identity(child)


def _make_folder(client: Vsphere, parent: str, path: str, control: Control) -> str:
    name = path.rpartition("/")[2]
    try:
        made = client.change(
            f"making folder {name}", lambda wire: wire.ref("Folder", parent).CreateFolder(name)
        )
        control.handle(Handle("folder", reads.identity(made), path))
        return reads.identity(made)
    except ProviderError as error:
        found = _child_folder(client, parent, name)  # another step may have made it in the meantime
        if error.problem.code != "vsphere-duplicate-name" or not found:
            raise
        return found


def unregister(client: Vsphere, moref: str, name: str) -> None:
    """Take a VM out of the inventory; its files stay."""
    client.change(f"unregistering {name}", lambda wire: wire.ref("VirtualMachine", moref).UnregisterVM())


def complete(client: Vsphere, wish: Completion, control: Control) -> None:
    """Reconfigure once: identity kept, disks and ISO repaired, the mark in the annotation."""
    rows = client.rows_of(
        "VirtualMachine", [wish.vm.moref], ["config.changeVersion", "config.hardware.device"]
    )
    if not rows:
        raise refuse("vm-vanished", f"{wish.name} is gone")
    row = rows[0]

    def issue(wire: Wire) -> Any:
        return wire.ref("VirtualMachine", wish.vm.moref).ReconfigVM_Task(_spec(wire, wish, row))

    client.run(f"completing {wish.name}", issue, control)


def _spec(wire: Wire, wish: Completion, row: Row) -> Any:
    vim = wire.vim
    changes = []
    for device in row.values.get("config.hardware.device") or ():
        if device.key in wish.disks:
            device.backing.fileName = wish.disks[device.key]
            device.backing.datastore = None
        elif device.key == wish.eject:
            device.backing = vim.vm.device.VirtualCdrom.RemotePassthroughBackingInfo(
                deviceName="", exclusive=False
            )
            if device.connectable is not None:
                device.connectable.startConnected = False
                device.connectable.connected = False
        else:
            continue
        changes.append(vim.vm.device.VirtualDeviceSpec(operation="edit", device=device))
    return vim.vm.ConfigSpec(
        changeVersion=row.text("config.changeVersion") or None,
        name=wish.name if wish.name != wish.vm.name else None,
        extraConfig=[vim.option.OptionValue(key="uuid.action", value="keep")],
        annotation=marked(wish.vm.annotation, wish.mark),
        deviceChange=changes,
    )


def marked(annotation: str, mark: str) -> str:
    """Return an annotation with the mark as its last line, in place of an earlier run's mark."""
    lines = [line for line in annotation.splitlines() if not line.startswith("drctl:")]
    return "\n".join([*lines, mark])
