"""What all compute rules share: faults, look-ups, tasks, datastores as each host sees them.

VM rules are in ``machines``. As with storage, functions take the world first and hold its lock;
``VimFault`` raised at once is a SOAP fault of the call, raised by a task's work it fails the task.
"""

from __future__ import annotations

from collections.abc import Callable

from drctl.lab.model import Datastore, Host, Task, VCenter, Volume
from drctl.lab.nas import admits, resolve
from drctl.lab.storage import stable_uuid
from drctl.lab.world import World

TASK_TIME = 2.0
"""Estate seconds of an ordinary task."""

_QUEUED_TIME = 120.0
"""Estate seconds that the fault ``task-queued`` keeps a task from starting."""


class VimFault(Exception):
    """A vim fault: its type name (AlreadyExists, NotFound...), a message, and properties of the type."""

    def __init__(self, name: str, message: str, **detail: object) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message
        self.detail = detail


class StillRunning(Exception):
    """Raised by a task's work that goes on: something else will end the task."""


def new_moref(vcenter: VCenter, prefix: str) -> str:
    """A managed object id that this vCenter has not used."""
    vcenter.next_id += 1
    return f"{prefix}-{vcenter.next_id}"


def start_task(
    world: World,
    vcenter: VCenter,
    name: str,
    entity: str,
    work: Callable[[], str | None],
    seconds: float = TASK_TIME,
) -> Task:
    """Start a task: ``work`` runs at its end, returns the moref of what it made or raises ``VimFault``.

    ``name`` is the method without ``_Task``, ``entity`` the moref acted on. The fault
    ``task-queued`` keeps it queued for two minutes.
    """
    with world.lock:
        queued = world.faults.take("task-queued", vcenter.endpoint)
        task = Task(new_moref(vcenter, "task"), name, entity, "queued" if queued else "running", world.now())
        vcenter.tasks[task.moref] = task

        def begin() -> None:
            task.state = "running"
            world.after(seconds, lambda: _end_task(world, vcenter, task, work))

        if queued:
            world.after(_QUEUED_TIME, begin)
        else:
            begin()
        world.touch()
        return task


def _end_task(world: World, vcenter: VCenter, task: Task, work: Callable[[], str | None]) -> None:
    if task.state != "running":
        return
    if not world.site(vcenter.site).alive:
        fail_task(world, task, VimFault("SystemError", "The vCenter went down while the task ran."))
        return
    try:
        task.result = work()
    except StillRunning:
        return
    except VimFault as fault:
        fail_task(world, task, fault)
    else:
        task.state, task.progress, task.ended = "success", 100, world.now()


def fail_task(world: World, task: Task, fault: VimFault) -> None:
    """End a task in error."""
    task.state, task.ended = "error", world.now()
    task.fault = f"{fault.name}: {fault.message}"
    task.detail = dict(fault.detail)
    world.touch()


# --- datastores -----------------------------------------------------------------------------------


def datastore_uuid(server: str, path: str) -> str:
    """The uuid a host derives from an NFS server and path (the same in every block of loopback)."""
    tail = ".".join(server.split(".")[-2:]) if server.startswith("127.") else server
    digits = stable_uuid("nfs", tail, path.rstrip("/")).replace("-", "")
    return f"{digits[:8]}-{digits[16:24]}"


def location_uuid(endpoint: str, path: str) -> str:
    """What a host writes as uuid.location for a VM it finds at ``[datastore] path``."""
    return stable_uuid("location", endpoint, path)


def backing_volume(world: World, datastore: Datastore) -> Volume | None:
    """The volume behind a datastore, None when its export does not answer."""
    export = resolve(world, datastore.server, datastore.path)
    return export.volume if export else None


def _reaches(world: World, vcenter: VCenter, host: Host, server: str, path: str, *, write: bool) -> bool:
    """Whether NFS calls of a host are answered and admitted."""
    export = resolve(world, server, path)
    return (
        export is not None
        and export.volume.initialized
        and world.linked(vcenter.site, export.cluster.site)
        and admits(world, export.cluster, export.volume, host.address, write=write)
    )


def accessible(world: World, vcenter: VCenter, datastore: Datastore, host: Host | None = None) -> bool:
    """Whether a host (any connected host that mounted it, when None) reaches a datastore."""
    with world.lock:
        if world.faults.active("datastore-inaccessible", datastore.name):
            return False
        hosts = [host] if host else list(vcenter.hosts.values())
        return any(
            each.connected
            and datastore.moref in each.mounts
            and _reaches(world, vcenter, each, datastore.server, datastore.path, write=False)
            for each in hosts
        )


def writable(world: World, vcenter: VCenter, datastore: Datastore, host: Host | None = None) -> bool:
    """Whether writes to a datastore would succeed: accessible, volume rw, export rw, mount not read-only."""
    with world.lock:
        volume = backing_volume(world, datastore)
        if volume is None or volume.type != "rw" or volume.read_only:
            return False
        hosts = [host] if host else list(vcenter.hosts.values())
        return any(
            accessible(world, vcenter, datastore, each)
            and not each.mounts[datastore.moref]
            and _reaches(world, vcenter, each, datastore.server, datastore.path, write=True)
            for each in hosts
        )


def find_datastore(vcenter: VCenter, name: str) -> Datastore | None:
    """The datastore of that name."""
    return next((d for d in vcenter.datastores.values() if d.name == name), None)


def split_path(path: str) -> tuple[str, str]:
    """``[ds] dir/file`` as (ds, dir/file).

    Raises:
        VimFault: InvalidDatastorePath.
    """
    name, bracket, rest = path.removeprefix("[").partition("]")
    if not path.startswith("[") or not bracket:
        raise VimFault("InvalidDatastorePath", f"Invalid datastore path '{path}'.", datastorePath=path)
    return name, rest.strip().strip("/")


def files(world: World, vcenter: VCenter, datastore: Datastore) -> dict[str, str]:
    """Paths (relative to the datastore) and contents; empty when nothing is there.

    Raises:
        VimFault: InaccessibleDatastore.
    """
    with world.lock:
        volume = backing_volume(world, datastore)
        if volume is None or not accessible(world, vcenter, datastore):
            raise VimFault(
                "InaccessibleDatastore",
                f"Datastore '{datastore.name}' is not accessible.",
                datastore=datastore.moref,
                name_=datastore.name,
            )
        return volume.files


def mount_nfs(
    world: World, vcenter: VCenter, host: Host, name: str, server: str, path: str, *, read_only: bool = False
) -> Datastore:
    """CreateNasDatastore on one host.

    One export seen by several hosts is one datastore, whatever name the later ones ask for, if they spell
    server and path alike to the letter: ESXi makes its identity of both. Another export, or another
    spelling, under a name already taken gets `` (1)`` appended.

    Raises:
        VimFault: HostNotConnected, AlreadyExists (this host has that export), DuplicateName (this
            host has another one of that name), PlatformConfigFault (the server does not let it mount, or
            the host has as many as its settings allow).
    """
    with world.lock:
        if not host.connected:
            raise VimFault("HostNotConnected", f"Host '{host.name}' is not connected.")
        same = next((d for d in vcenter.datastores.values() if (d.server, d.path) == (server, path)), None)
        if same and same.moref in host.mounts:
            raise VimFault(
                "AlreadyExists", f"The NAS volume is already mounted as '{same.name}'.", name_=same.name
            )
        if any(vcenter.datastores[moref].name == name for moref in host.mounts):
            raise VimFault("DuplicateName", f"The name '{name}' already exists.", name_=name)
        if sum(vcenter.datastores[moref].version == "NFS" for moref in host.mounts) >= host.nfs_volumes:
            raise VimFault(
                "PlatformConfigFault",
                "An error occurred during host configuration.",
                text=f"NFS mount {server}:{path} failed: the host already has the maximum number of NFS "
                f"datastores, {host.nfs_volumes}.",
            )
        if not _reaches(world, vcenter, host, server, path, write=False):
            raise VimFault(
                "PlatformConfigFault",
                "An error occurred during host configuration.",
                text=f"NFS mount {server}:{path} failed: the mount request was denied by the NFS server. "
                "Check that the export exists and that the client is permitted to mount it.",
            )
        datastore = same or _new_datastore(vcenter, name, server, path)
        host.mounts[datastore.moref] = read_only
        world.touch()
        return datastore


def _new_datastore(vcenter: VCenter, name: str, server: str, path: str) -> Datastore:
    taken = {d.name for d in vcenter.datastores.values()}
    number, unique = 0, name
    while unique in taken:
        number += 1
        unique = f"{name} ({number})"
    datastore = Datastore(new_moref(vcenter, "datastore"), unique, server, path)
    vcenter.datastores[datastore.moref] = datastore
    return datastore


def unmount(world: World, vcenter: VCenter, host: Host, datastore: Datastore) -> None:
    """RemoveDatastore on one host.

    Raises:
        VimFault: NotFound (not mounted there), ResourceInUse (a VM lies on it).
    """
    with world.lock:
        if datastore.moref not in host.mounts:
            raise VimFault("NotFound", f"Datastore '{datastore.name}' is not mounted on '{host.name}'.")
        for vm in vcenter.vms.values():
            uses = vm.datastore == datastore.moref or any(
                disk.startswith(f"[{datastore.name}]") for disk in vm.disks.values()
            )
            if uses and (vm.host == host.moref or _last_mount(vcenter, host, datastore)):
                raise VimFault(
                    "ResourceInUse", f"Datastore '{datastore.name}' is in use by '{vm.name}'.", name_=vm.name
                )
        del host.mounts[datastore.moref]
        if not any(datastore.moref in each.mounts for each in vcenter.hosts.values()):
            del vcenter.datastores[datastore.moref]
        world.touch()


def _last_mount(vcenter: VCenter, host: Host, datastore: Datastore) -> bool:
    return not any(datastore.moref in each.mounts for each in vcenter.hosts.values() if each is not host)


def rename_datastore(world: World, vcenter: VCenter, datastore: Datastore, name: str) -> Task:
    """Rename_Task on a datastore; the paths of the VMs on it follow. DuplicateName when taken."""

    def work() -> None:
        if any(each.name == name for each in vcenter.datastores.values() if each is not datastore):
            raise VimFault("DuplicateName", f"The name '{name}' already exists.", name_=name)
        old, new = f"[{datastore.name}] ", f"[{name}] "
        for vm in vcenter.vms.values():
            vm.vmx = _relabelled(vm.vmx, old, new)
            vm.disks = {key: _relabelled(path, old, new) for key, path in vm.disks.items()}
            vm.cdrom = vm.cdrom and _relabelled(vm.cdrom, old, new)
        datastore.name = name

    return start_task(world, vcenter, "Rename", datastore.moref, work)


def _relabelled(path: str, old: str, new: str) -> str:
    return new + path.removeprefix(old) if path.startswith(old) else path
