"""VMs: registration from a .vmx, reconfiguration, and what their guests are reached by.

Power, boot and questions are in ``power``; ``machines`` offers both to the façade.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from drctl.lab import vmx
from drctl.lab.compute import (
    VimFault,
    accessible,
    backing_volume,
    datastore_uuid,
    files,
    find_datastore,
    new_moref,
    split_path,
    start_task,
    writable,
)
from drctl.lab.model import Datastore, Host, Network, Nic, Task, VCenter, Vm
from drctl.lab.storage import stable_uuid
from drctl.lab.world import World


@dataclass(frozen=True)
class NicChange:
    """A new backing for one NIC; ``network`` is a moref of this vCenter."""

    key: int
    network: str | None = None
    connected: bool | None = None
    mac: str | None = None


@dataclass(frozen=True)
class VmChange:
    """What one ReconfigVM changes."""

    nics: tuple[NicChange, ...] = ()
    disks: dict[int, str] = field(default_factory=dict)
    """Device key to new backing ``[datastore] path``."""
    cdrom: str | None = None
    """New ISO path; ``""`` removes it."""
    extra: dict[str, str] = field(default_factory=dict)
    annotation: str | None = None
    name: str | None = None


def network_of(vcenter: VCenter, name: str) -> str | None:
    """Moref of the network of that name."""
    return next((m for m, n in vcenter.networks.items() if n.name == name), None)


# --- registration ---------------------------------------------------------------------------------


def register(
    world: World,
    vcenter: VCenter,
    path: str,
    *,
    name: str | None,
    folder: str,
    pool: str,
    host: str | None = None,
    template: bool = False,
) -> Task:
    """RegisterVM_Task from ``[datastore] dir/file.vmx``; result is the new VM's moref.

    ``folder`` is a key of ``VCenter.folders``, ``pool`` a cluster name, ``host`` a host's moref. The
    task fails with InvalidDatastorePath, InaccessibleDatastore, NotFound, AlreadyExists (the file is
    registered), DuplicateName, or InvalidArgument (no host can take it).
    """

    def work() -> str:
        if world.faults.take("register-duplicate", name or path.rpartition("/")[2].removesuffix(".vmx")):
            raise VimFault(
                "AlreadyExists", "The specified key, name, or identifier already exists.", name_=name
            )
        vm = build(world, vcenter, path, name=name, folder=folder, pool=pool, host=host)
        vm.template = template
        vcenter.vms[vm.moref] = vm
        return vm.moref

    return start_task(world, vcenter, "RegisterVM", folder, work, 4.0)


def build(
    world: World, vcenter: VCenter, path: str, *, name: str | None, folder: str, pool: str, host: str | None
) -> Vm:
    """The VM that a .vmx describes, as this vCenter understands it; not yet in its inventory."""
    label, file = split_path(path)
    datastore = find_datastore(vcenter, label)
    if datastore is None:
        raise VimFault("InvalidDatastorePath", f"Invalid datastore path '{path}'.", datastorePath=path)
    content = files(world, vcenter, datastore).get(file)
    if content is None:
        raise VimFault("NotFound", f"File {path} was not found.")
    if any(vm.vmx == path for vm in vcenter.vms.values()):
        raise VimFault("AlreadyExists", "The specified key, name, or identifier already exists.", name_=path)
    text = vmx.read(content)
    name = name or text.name
    if any(vm.name == name and vm.folder == folder for vm in vcenter.vms.values()):
        raise VimFault("DuplicateName", f"The name '{name}' already exists.", name_=name)
    home = _choose_host(world, vcenter, datastore, pool, host)
    base = file.rpartition("/")[0]
    return Vm(
        new_moref(vcenter, "vm"),
        name,
        vcenter.endpoint,
        datastore.moref,
        path,
        folder,
        pool,
        home.moref,
        text.uuid,
        stable_uuid("instance", vcenter.endpoint, path),
        nics=[_nic(vcenter, nic) for nic in text.nics],
        disks={key: _backing(vcenter, datastore, base, file) for key, file in sorted(text.disks.items())},
        cdrom=text.cdrom and _backing(vcenter, datastore, base, text.cdrom),
        floppy=text.floppy and _backing(vcenter, datastore, base, text.floppy),
        hardware=text.hardware,
        vtpm=text.vtpm,
        extra=dict(text.extra),
        annotation=text.annotation,
        windows=text.guest.startswith("win"),
        location=text.location,
    )


def _choose_host(world: World, vcenter: VCenter, datastore: Datastore, pool: str, host: str | None) -> Host:
    """The host asked for, or the emptiest one of a DRS cluster that reaches the datastore."""
    if host is None and not vcenter.clusters.get(pool, False):
        raise VimFault(
            "InvalidArgument", "A specified parameter was not correct: host", invalidProperty="host"
        )
    fit = [
        each
        for each in vcenter.hosts.values()
        if (each.moref == host if host else each.cluster == pool)
        and each.connected
        and not each.maintenance
        and accessible(world, vcenter, datastore, each)
    ]
    if not fit:
        raise VimFault("InvalidArgument", "No host can access the virtual machine.", invalidProperty="host")
    load = {each.moref: sum(vm.host == each.moref for vm in vcenter.vms.values()) for each in fit}
    return min(fit, key=lambda each: (load[each.moref], each.name))


def _nic(vcenter: VCenter, text: vmx.NicText) -> Nic:
    network = next((n for n in vcenter.networks.values() if _same_network(n, text)), None)
    backing = f"{text.switch}/{text.portgroup}" if text.switch else text.network
    label = f"Network adapter {text.number + 1}"
    return Nic(
        vmx.FIRST_NIC + text.number,
        label,
        text.mac,
        network.moref if network else None,
        backing,
        text.connected,
    )


def _same_network(network: Network, text: vmx.NicText) -> bool:
    if text.switch:
        return (network.switch_uuid, network.portgroup_key) == (text.switch, text.portgroup)
    return network.kind == "standard" and network.name == text.network


def _backing(vcenter: VCenter, home: Datastore, base: str, file: str) -> str:
    """A file of a .vmx as ``[datastore] path``; an absolute path of a datastore unknown here stays as it is."""
    if not file.startswith("/vmfs/volumes/"):
        return f"[{home.name}] {base}/{file}" if base else f"[{home.name}] {file}"
    uuid, _, rest = file.removeprefix("/vmfs/volumes/").partition("/")
    known = next((d for d in vcenter.datastores.values() if datastore_uuid(d.server, d.path) == uuid), None)
    return f"[{known.name}] {rest}" if known else file


def unregister(world: World, vcenter: VCenter, vm: Vm) -> None:
    """UnregisterVM, synchronous; InvalidPowerState while on."""
    with world.lock:
        if vm.power != "poweredOff":
            raise invalid_power(vm, "poweredOff")
        vcenter.vms.pop(vm.moref, None)
        world.touch()


def invalid_power(vm: Vm, wanted: str) -> VimFault:
    """InvalidPowerState, as vCenter words it."""
    return VimFault(
        "InvalidPowerState",
        "The attempted operation cannot be performed in the current state "
        f"({'Powered on' if vm.power == 'poweredOn' else 'Powered off'}).",
        requestedState=wanted,
        existingState=vm.power,
    )


# --- reconfiguration ------------------------------------------------------------------------------


def reconfigure(
    world: World, vcenter: VCenter, vm: Vm, change: VmChange, *, change_version: str | None = None
) -> Task:
    """ReconfigVM_Task; ConcurrentAccess when the change version is stale.

    It fails with FileNotFound for a disk that is not there, InvalidArgument for an unknown network or
    device, and CannotAccessFile when the .vmx cannot be written.
    """

    def work() -> None:
        if change_version not in (None, "", str(vm.change_version)):
            raise VimFault(
                "ConcurrentAccess", "The operation cannot be performed: the configuration has changed."
            )
        if vm.moref not in vcenter.vms:
            raise VimFault("ManagedObjectNotFound", "The object has already been deleted.", obj=vm.moref)
        home = vcenter.datastores[vm.datastore]
        if not writable(world, vcenter, home):
            raise VimFault("CannotAccessFile", f"Unable to access file {vm.vmx}", file=vm.vmx)
        _check(world, vcenter, vm, change)
        _apply(world, vcenter, vm, change)
        vm.change_version += 1

    return start_task(world, vcenter, "ReconfigVM", vm.moref, work, 3.0)


def _check(world: World, vcenter: VCenter, vm: Vm, change: VmChange) -> None:
    keys = {nic.key for nic in vm.nics}
    for nic in change.nics:
        if nic.key not in keys or (nic.network is not None and nic.network not in vcenter.networks):
            raise VimFault(
                "InvalidArgument",
                "A specified parameter was not correct: deviceChange",
                invalidProperty="deviceChange",
            )
    for path in change.disks.values():
        if not file_exists(world, vcenter, path):
            raise VimFault("FileNotFound", f"File {path} was not found", file=path)


def file_exists(world: World, vcenter: VCenter, path: str) -> bool:
    """Whether ``[datastore] path`` is there and can be read."""
    try:
        label, file = split_path(path)
        datastore = find_datastore(vcenter, label)
        return datastore is not None and file in files(world, vcenter, datastore)
    except VimFault:
        return False


def _apply(world: World, vcenter: VCenter, vm: Vm, change: VmChange) -> None:
    edits: dict[str, str | None] = dict(change.extra)
    vm.extra |= change.extra
    for wanted in change.nics:
        nic = next(n for n in vm.nics if n.key == wanted.key)
        _change_nic(vcenter, nic, wanted)
        edits |= _nic_edits(vcenter, nic)
    for key, path in change.disks.items():
        vm.disks[key] = path
        edits[f"{vmx.disk_device(key)}.fileName"] = _file_name(vcenter, vm, path)
    if change.cdrom is not None:
        vm.cdrom = change.cdrom or None
        edits["ide1:0.fileName"] = change.cdrom or None
    if change.name is not None:
        vm.name = edits["displayName"] = change.name
    if change.annotation is not None:
        vm.annotation = change.annotation
        edits["annotation"] = vmx.quoted(change.annotation)
    edit_vmx(world, vcenter, vm, edits)


def _change_nic(vcenter: VCenter, nic: Nic, wanted: NicChange) -> None:
    if wanted.network is not None:
        network = vcenter.networks[wanted.network]
        nic.network = network.moref
        nic.backing = (
            f"{network.switch_uuid}/{network.portgroup_key}"
            if network.kind == "distributed"
            else network.name
        )
    if wanted.connected is not None:
        nic.connected = wanted.connected
    if wanted.mac:
        nic.mac = wanted.mac.lower()


def _nic_edits(vcenter: VCenter, nic: Nic) -> dict[str, str | None]:
    network = vcenter.networks.get(nic.network or "")
    number = nic.key - vmx.FIRST_NIC
    prefix = f"ethernet{number}."
    stale: dict[str, str | None] = {
        prefix + key: None
        for key in ("networkName", "dvs.switchId", "dvs.portId", "dvs.portgroupId", "dvs.connectionId")
    }
    if network is None:
        return {}
    text = vmx.NicText(
        number,
        nic.mac,
        "" if network.switch_uuid else network.name,
        network.switch_uuid,
        network.portgroup_key,
        nic.connected,
    )
    return stale | vmx.nic_lines(text)


def _file_name(vcenter: VCenter, vm: Vm, path: str) -> str:
    """How a .vmx names a backing: relative beside it, absolute elsewhere."""
    label, file = split_path(path)
    home, _, vmx_file = vm.vmx.removeprefix("[").partition("] ")
    base = vmx_file.rpartition("/")[0]
    if label == home and file.startswith(base + "/"):
        return file[len(base) + 1 :]
    datastore = find_datastore(vcenter, label)
    return f"/vmfs/volumes/{datastore_uuid(datastore.server, datastore.path)}/{file}" if datastore else path


def edit_vmx(world: World, vcenter: VCenter, vm: Vm, changes: dict[str, str | None]) -> None:
    """Write keys into the VM's .vmx on its volume, where it can be written."""
    home = vcenter.datastores.get(vm.datastore)
    volume = backing_volume(world, home) if home else None
    file = split_path(vm.vmx)[1]
    if home and volume and file in volume.files and writable(world, vcenter, home):
        volume.files[file] = vmx.edit(volume.files[file], changes)
