"""Datastores as managed objects, and what is done to them as such."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from drctl.lab import compute
from drctl.lab.model import Datastore, Host
from drctl.lab.vsphere import tree
from drctl.lab.vsphere.properties import Table, gone
from drctl.lab.vsphere.scope import Center, Kind, Methods, Scope
from drctl.lab.vsphere.soap import Call
from drctl.lab.vsphere.tasks import task_ref
from drctl.lab.vsphere.values import Obj, Value, obj

_GIB: Final = 1024**3


def _volume_id(datastore: Datastore) -> str:
    return compute.datastore_uuid(datastore.server, datastore.path)


def _url(datastore: Datastore) -> str:
    return f"ds:///vmfs/volumes/{_volume_id(datastore)}/"


def _mounters(center: Center, datastore: Datastore) -> list[Host]:
    return [host for host in center.vcenter.hosts.values() if datastore.moref in host.mounts]


def _accessible(scope: Scope, datastore: Datastore) -> bool:
    return compute.accessible(scope.center.world, scope.center.vcenter, datastore)


def _capacity(scope: Scope, datastore: Datastore) -> tuple[int, int]:
    """Return size and free space in bytes; zeros while nobody reaches it."""
    if not _accessible(scope, datastore):
        return 0, 0
    volume = compute.backing_volume(scope.center.world, datastore)
    return (volume.size, max(0, volume.size - volume.used)) if volume else (0, 0)


def _datastore_summary(scope: Scope, datastore: Datastore) -> Obj:
    size, free = _capacity(scope, datastore)
    return obj(
        "DatastoreSummary",
        datastore=tree.datastore_ref(datastore),
        name=datastore.name,
        url=_url(datastore),
        capacity=size,
        freeSpace=free,
        accessible=_accessible(scope, datastore),
        multipleHostAccess=len(_mounters(scope.center, datastore)) > 1,
        type="NFS",
        maintenanceMode="normal",
    )


def nas_volume(datastore: Datastore, size: int) -> Obj:
    """Return the HostNasVolume behind a datastore: the server and path given when it was mounted."""
    return obj(
        "HostNasVolume",
        type=datastore.version,
        name=datastore.name,
        capacity=size,
        remoteHost=datastore.server,
        remotePath=datastore.path,
        remoteHostNames=(datastore.server,),
        securityType="AUTH_SYS",
    )


def mount_info(scope: Scope, host: Host, datastore: Datastore) -> Obj:
    """Return how one host sees a datastore."""
    center = scope.center
    reached = compute.accessible(center.world, center.vcenter, datastore, host)
    return obj(
        "HostMountInfo",
        path=f"/vmfs/volumes/{_volume_id(datastore)}",
        accessMode="readOnly" if host.mounts[datastore.moref] else "readWrite",
        mounted=True,
        accessible=reached,
        inaccessibleReason=None if reached else "AllPathsDown_Start",
    )


def _datastore_info(scope: Scope, datastore: Datastore) -> Obj:
    size, free = _capacity(scope, datastore)
    return obj(
        "NasDatastoreInfo",
        name=datastore.name,
        url=_url(datastore),
        freeSpace=free,
        maxFileSize=64 * 1024 * _GIB,
        nas=nas_volume(datastore, size),
    )


def _datastore_hosts(scope: Scope, datastore: Datastore) -> Value:
    return tuple(
        obj("DatastoreHostMount", key=tree.host_ref(host), mountInfo=mount_info(scope, host, datastore))
        for host in _mounters(scope.center, datastore)
    )


def _vms_on(scope: Scope, datastore: Datastore) -> Value:
    prefix = f"[{datastore.name}] "
    return tree.ordered(
        tree.vm_ref(vm)
        for vm in scope.center.vcenter.vms.values()
        if vm.datastore == datastore.moref or any(path.startswith(prefix) for path in vm.disks.values())
    )


_DATASTORE: Final = Table[Datastore](
    lambda scope, moref: scope.center.vcenter.datastores.get(moref),
    {
        "name": lambda _scope, datastore: datastore.name,
        "parent": lambda _scope, _datastore: tree.DATASTORE_FOLDER,
        "summary": _datastore_summary,
        "summary.accessible": _accessible,
        "summary.name": lambda _scope, datastore: datastore.name,
        "summary.type": lambda _scope, _datastore: "NFS",
        "summary.url": lambda _scope, datastore: _url(datastore),
        "info": _datastore_info,
        "host": _datastore_hosts,
        "vm": _vms_on,
        "browser": lambda _scope, datastore: tree.part_ref(
            "HostDatastoreBrowser", "browser", datastore.moref
        ),
        "capability.directoryHierarchySupported": lambda _scope, _datastore: True,
        "capability.rawDiskMappingsSupported": lambda _scope, _datastore: False,
        "capability.perFileThinProvisioningSupported": lambda _scope, _datastore: True,
        "overallStatus": lambda scope, datastore: "green" if _accessible(scope, datastore) else "red",
    },
)


# --- methods ----------------------------------------------------------------------------------------


def _datastore(scope: Scope, call: Call) -> Datastore:
    found = scope.center.vcenter.datastores.get(call.this.id)
    if found is None:
        raise gone(call.this)
    return found


def _rename(scope: Scope, call: Call) -> Value:
    center = scope.center
    with center.world.lock:
        datastore = _datastore(scope, call)
        center.record(call.method, datastore.name)
        name = call.args.text("newName")
        return task_ref(compute.rename_datastore(center.world, center.vcenter, datastore, name))


def _refresh(scope: Scope, call: Call) -> Value:
    """Look again: the estate is always fresh, so only its hosts have to be reached."""
    center = scope.center
    with center.world.lock:
        datastore = _datastore(scope, call)
        if not any(host.connected for host in _mounters(center, datastore)):
            raise compute.VimFault("HostConfigFault", f"No host reaches datastore '{datastore.name}'.")
        return None


KINDS: Final[Mapping[str, Kind]] = {"Datastore": _DATASTORE}
"""The managed type of datastores."""

METHODS: Final[Methods] = {
    ("Datastore", "Rename_Task"): _rename,
    ("Datastore", "RefreshDatastore"): _refresh,
    ("Datastore", "RefreshDatastoreStorageInfo"): _refresh,
}
"""What datastores do."""
