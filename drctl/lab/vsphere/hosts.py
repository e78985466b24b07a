"""ESXi hosts as managed objects, and the methods that mount, unmount and rescan their storage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from drctl.lab import compute
from drctl.lab.model import Host
from drctl.lab.vsphere import tree
from drctl.lab.vsphere.datastores import mount_info, nas_volume
from drctl.lab.vsphere.properties import Table, gone
from drctl.lab.vsphere.scope import Kind, Methods, Scope
from drctl.lab.vsphere.soap import Call
from drctl.lab.vsphere.values import Fault, Obj, Ref, Value, obj

_PARTS: Final[Mapping[str, tuple[str, str]]] = {
    "datastoreSystem": ("HostDatastoreSystem", "datastoreSystem"),
    "storageSystem": ("HostStorageSystem", "storageSystem"),
    "networkSystem": ("HostNetworkSystem", "networkSystem"),
    "advancedOption": ("OptionManager", "EsxHostAdvSettings"),
}
"""Field of HostConfigManager to the type and moref prefix of the part."""


def _find(scope: Scope, moref: str) -> Host | None:
    return scope.center.vcenter.hosts.get(moref)


def _owner(scope: Scope, moref: str) -> Host | None:
    """Return the host a part such as ``datastoreSystem-host-12`` belongs to."""
    return _find(scope, moref.partition("-")[2])


def _connection(_scope: Scope, host: Host) -> str:
    return "connected" if host.connected else "notResponding"


def _runtime(scope: Scope, host: Host) -> Obj:
    return obj(
        "HostRuntimeInfo",
        connectionState=_connection(scope, host),
        powerState="poweredOn" if host.connected else "unknown",
        inMaintenanceMode=host.maintenance,
    )


def _datastores(scope: Scope, host: Host) -> tuple[Ref, ...]:
    known = scope.center.vcenter.datastores
    return tuple(tree.datastore_ref(known[moref]) for moref in sorted(host.mounts) if moref in known)


def _file_systems(scope: Scope, host: Host) -> Value:
    known = scope.center.vcenter.datastores
    mounts = tuple(
        obj(
            "HostFileSystemMountInfo",
            mountInfo=mount_info(scope, host, known[moref]),
            volume=nas_volume(known[moref], 0),
        )
        for moref in sorted(host.mounts)
        if moref in known
    )
    return obj("HostFileSystemVolumeInfo", volumeTypeList=("VMFS", "NFS", "NFS41"), mountInfo=mounts)


def _nics(_scope: Scope, host: Host) -> Value:
    address = obj("HostIpConfig", dhcp=False, ipAddress=host.address, subnetMask="255.255.255.0")
    spec = obj("HostVirtualNicSpec", ip=address, mtu=1500)
    return (obj("HostVirtualNic", device="vmk0", key="vmk0", portgroup="Management", spec=spec),)


def _settings(_scope: Scope, host: Host) -> tuple[Obj, ...]:
    return (obj("OptionValue", key="NFS.MaxVolumes", value=host.nfs_volumes),)


def _part(kind: str, prefix: str) -> Callable[[Scope, Host], Value]:
    return lambda _scope, host: tree.part_ref(kind, prefix, host.moref)


_HOST: Final = Table[Host](
    _find,
    {
        "name": lambda _scope, host: host.name,
        "parent": lambda _scope, host: tree.cluster_ref(host.cluster),
        "runtime": _runtime,
        "runtime.connectionState": _connection,
        "runtime.inMaintenanceMode": lambda _scope, host: host.maintenance,
        "datastore": _datastores,
        "network": lambda scope, _host: tuple(
            tree.network_ref(network) for network in scope.center.vcenter.networks.values()
        ),
        "vm": lambda scope, host: tuple(
            tree.vm_ref(vm) for vm in scope.center.vcenter.vms.values() if vm.host == host.moref
        ),
        **{f"configManager.{name}": _part(*part) for name, part in _PARTS.items()},
        "config.host": lambda _scope, host: tree.host_ref(host),
        "config.fileSystemVolume": _file_systems,
        "config.network.vnic": _nics,
        "config.option": _settings,
        "summary.host": lambda _scope, host: tree.host_ref(host),
        "summary.runtime": _runtime,
        "summary.config.name": lambda _scope, host: host.name,
        "summary.overallStatus": lambda _scope, host: "green" if host.connected else "red",
        "overallStatus": lambda _scope, host: "green" if host.connected else "red",
    },
)

_DATASTORE_SYSTEM: Final = Table[Host](_owner, {"datastore": _datastores})
_STORAGE_SYSTEM: Final = Table[Host](
    _owner, {"fileSystemVolumeInfo": _file_systems, "multipathStateInfo": lambda _scope, _host: None}
)
_NETWORK_SYSTEM: Final = Table[Host](_owner, {"networkConfig": lambda _scope, _host: None})
_SETTINGS: Final = Table[Host](_owner, {"setting": _settings})

KINDS: Final[Mapping[str, Kind]] = {
    "HostSystem": _HOST,
    "HostDatastoreSystem": _DATASTORE_SYSTEM,
    "HostStorageSystem": _STORAGE_SYSTEM,
    "HostNetworkSystem": _NETWORK_SYSTEM,
    "OptionManager": _SETTINGS,
}
"""Hosts and the parts of a host."""


# --- methods --------------------------------------------------------------------------------------


def _host_of(scope: Scope, part: Ref) -> Host:
    host = _owner(scope, part.id)
    if host is None:
        raise gone(part)
    if not host.connected:
        raise Fault("HostNotConnected", f"Unable to communicate with the remote host {host.name}")
    return host


def _create_nas(scope: Scope, call: Call) -> Value:
    """Mount an export on this host; other hosts know nothing of it until they mount it too."""
    center = scope.center
    spec = call.args.obj("spec") or obj("HostNasVolumeSpec")
    if spec.text("type", "NFS").upper() not in {"NFS", ""}:
        raise Fault("NotSupported", "the lab mounts NFS version 3 only")
    with center.world.lock:
        host = _host_of(scope, call.this)
        center.record(call.method, f"{spec.text('localPath')} on {host.name}")
        datastore = compute.mount_nfs(
            center.world,
            center.vcenter,
            host,
            spec.text("localPath"),
            spec.text("remoteHost"),
            spec.text("remotePath"),
            read_only=spec.text("accessMode") == "readOnly",
        )
        return tree.datastore_ref(datastore)


def _remove(scope: Scope, call: Call) -> Value:
    """Unmount a datastore from this host."""
    center = scope.center
    wanted = call.args.ref("datastore")
    with center.world.lock:
        host = _host_of(scope, call.this)
        datastore = center.vcenter.datastores.get(wanted.id if wanted else "")
        center.record(call.method, f"{datastore.name if datastore else wanted} on {host.name}")
        if datastore is None or datastore.moref not in host.mounts:
            raise Fault("NotFound", "The datastore is not mounted on this host")
        compute.unmount(center.world, center.vcenter, host, datastore)
        return None


def _rescan(scope: Scope, call: Call) -> Value:
    """Look again: the estate is always fresh, so this only has to reach its host."""
    with scope.center.world.lock:
        _host_of(scope, call.this)
        return None


def _query_settings(scope: Scope, call: Call) -> Value:
    """Return the setting of a name, or all below a name that ends with a dot."""
    wanted = call.args.text("name")
    with scope.center.world.lock:
        settings = _settings(scope, _host_of(scope, call.this))
    below = wanted == "" or wanted.endswith(".")
    found = tuple(
        each
        for each in settings
        if each.text("key") == wanted or (below and each.text("key").startswith(wanted))
    )
    if not found:
        raise Fault("InvalidName", f"There is no setting {wanted}", name=wanted)
    return found


METHODS: Final[Methods] = {
    ("HostDatastoreSystem", "CreateNasDatastore"): _create_nas,
    ("HostDatastoreSystem", "RemoveDatastore"): _remove,
    ("HostStorageSystem", "RescanAllHba"): _rescan,
    ("OptionManager", "QueryOptions"): _query_settings,
    ("HostStorageSystem", "RescanVmfs"): _rescan,
    ("HostStorageSystem", "RefreshStorageSystem"): _rescan,
}
"""What hosts do for storage, and what their settings are asked."""
