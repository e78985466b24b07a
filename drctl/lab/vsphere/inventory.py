"""Folders, datacenter, clusters, pools and datastores as managed objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from drctl.lab import compute
from drctl.lab.model import Datastore, Host
from drctl.lab.vsphere import tree
from drctl.lab.vsphere.properties import Table
from drctl.lab.vsphere.scope import Center, Kind, Scope
from drctl.lab.vsphere.values import Obj, Ref, Value, obj

_DRS: Final[Mapping[bool, str]] = {True: "fullyAutomated", False: "manual"}
_GIB: Final = 1024**3


# --- folders and the datacenter -------------------------------------------------------------------


def folder_path(scope: Scope, moref: str) -> str | None:
    """Return the path of a VM folder, ``vm`` for the root VM folder and None for any other folder."""
    if moref == tree.VM_FOLDER.id:
        return tree.ROOT_PATH
    paths = tree.folder_paths(scope.center.vcenter)
    return next((path for path in paths if tree.folder_ref(path).id == moref), None)


def _find_folder(scope: Scope, moref: str) -> str | None:
    """Return what the folder's readers take: its moref if it is a fixed one, else its path."""
    return moref if moref in tree.FIXED_FOLDERS else folder_path(scope, moref)


def _folder_name(_scope: Scope, key: str) -> Value:
    return tree.FIXED_FOLDERS[key][0] if key in tree.FIXED_FOLDERS else key.rpartition("/")[2]


def _folder_parent(_scope: Scope, key: str) -> Value:
    if key in tree.FIXED_FOLDERS:
        return tree.FIXED_FOLDERS[key][1]
    return tree.folder_ref(key.rpartition("/")[0] or tree.ROOT_PATH)


def _folder_children(scope: Scope, key: str) -> Value:
    vcenter = scope.center.vcenter
    if key == tree.ROOT.id:
        return (tree.DATACENTER,)
    if key == tree.HOST_FOLDER.id:
        return tree.ordered(tree.cluster_ref(name) for name in vcenter.clusters)
    if key == tree.DATASTORE_FOLDER.id:
        return tree.ordered(tree.datastore_ref(each) for each in vcenter.datastores.values())
    if key == tree.NETWORK_FOLDER.id:
        ports = [tree.network_ref(each) for each in vcenter.networks.values()]
        return tree.ordered([*ports, *(tree.switch_ref(uuid) for uuid in tree.switches(vcenter))])
    path = tree.ROOT_PATH if key == tree.VM_FOLDER.id else key
    inside = [tree.vm_ref(vm) for vm in vcenter.vms.values() if vm.folder == path]
    return tree.ordered([*(tree.folder_ref(each) for each in tree.subfolders(vcenter, path)), *inside])


def _folder_types(_scope: Scope, key: str) -> Value:
    return tree.FIXED_FOLDERS[key if key in tree.FIXED_FOLDERS else tree.VM_FOLDER.id][2]


_FOLDER: Final = Table(
    _find_folder,
    {
        "name": _folder_name,
        "parent": _folder_parent,
        "childEntity": _folder_children,
        "childType": _folder_types,
        "overallStatus": lambda _scope, _key: "green",
    },
)


def _all_datastores(scope: Scope) -> tuple[Ref, ...]:
    return tree.ordered(tree.datastore_ref(each) for each in scope.center.vcenter.datastores.values())


def _all_networks(scope: Scope) -> tuple[Ref, ...]:
    return tree.ordered(tree.network_ref(each) for each in scope.center.vcenter.networks.values())


_DATACENTER: Final = Table[str](
    lambda scope, moref: scope.center.vcenter.site if moref == tree.DATACENTER.id else None,
    {
        "name": lambda _scope, name: name,
        "parent": lambda _scope, _name: tree.ROOT,
        "vmFolder": lambda _scope, _name: tree.VM_FOLDER,
        "hostFolder": lambda _scope, _name: tree.HOST_FOLDER,
        "datastoreFolder": lambda _scope, _name: tree.DATASTORE_FOLDER,
        "networkFolder": lambda _scope, _name: tree.NETWORK_FOLDER,
        "datastore": lambda scope, _name: _all_datastores(scope),
        "network": lambda scope, _name: _all_networks(scope),
        "overallStatus": lambda _scope, _name: "green",
    },
)


# --- clusters and pools ---------------------------------------------------------------------------


def _hosts(center: Center, cluster: str) -> list[Host]:
    return [host for host in center.vcenter.hosts.values() if host.cluster == cluster]


def cluster_named(scope: Scope, moref: str) -> str | None:
    """Return the name of the cluster with that moref."""
    return next((c for c in scope.center.vcenter.clusters if tree.cluster_ref(c).id == moref), None)


def pool_cluster(scope: Scope, moref: str) -> str | None:
    """Return the name of the cluster whose root pool has that moref."""
    return next((c for c in scope.center.vcenter.clusters if tree.pool_ref(c).id == moref), None)


def _drs(scope: Scope, cluster: str) -> Obj:
    automatic = scope.center.vcenter.clusters[cluster]
    return obj(
        "ClusterDrsConfigInfo",
        enabled=True,
        enableVmBehaviorOverrides=True,
        defaultVmBehavior=_DRS[automatic],
        vmotionRate=3,
    )


def _cluster_summary(scope: Scope, cluster: str) -> Obj:
    hosts = _hosts(scope.center, cluster)
    return obj(
        "ClusterComputeResourceSummary",
        totalCpu=len(hosts) * 76_800,
        totalMemory=len(hosts) * 512 * _GIB,
        numCpuCores=len(hosts) * 32,
        numCpuThreads=len(hosts) * 64,
        effectiveCpu=len(hosts) * 70_000,
        effectiveMemory=len(hosts) * 480 * 1024,
        numHosts=len(hosts),
        numEffectiveHosts=sum(host.connected and not host.maintenance for host in hosts),
        overallStatus="green",
        currentFailoverLevel=0,
        numVmotions=0,
    )


def _mounted_in(scope: Scope, cluster: str) -> tuple[Ref, ...]:
    morefs = {moref for host in _hosts(scope.center, cluster) for moref in host.mounts}
    known = scope.center.vcenter.datastores
    return tree.ordered(tree.datastore_ref(known[moref]) for moref in morefs if moref in known)


_CLUSTER: Final = Table(
    cluster_named,
    {
        "name": lambda _scope, cluster: cluster,
        "parent": lambda _scope, _cluster: tree.HOST_FOLDER,
        "host": lambda scope, cluster: tree.ordered(tree.host_ref(h) for h in _hosts(scope.center, cluster)),
        "resourcePool": lambda _scope, cluster: tree.pool_ref(cluster),
        "datastore": _mounted_in,
        "network": lambda scope, _cluster: _all_networks(scope),
        "summary": _cluster_summary,
        "configurationEx": lambda scope, cluster: obj(
            "ClusterConfigInfoEx",
            vmSwapPlacement="vmDirectory",
            dasConfig=obj("ClusterDasConfigInfo", enabled=False),
            drsConfig=_drs(scope, cluster),
        ),
        "configuration.drsConfig": _drs,
        "overallStatus": lambda _scope, _cluster: "green",
    },
)

_POOL: Final = Table(
    pool_cluster,
    {
        "name": lambda _scope, _cluster: "Resources",
        "parent": lambda _scope, cluster: tree.cluster_ref(cluster),
        "owner": lambda _scope, cluster: tree.cluster_ref(cluster),
        "resourcePool": lambda _scope, _cluster: (),
        "vm": lambda scope, cluster: tree.ordered(
            tree.vm_ref(vm) for vm in scope.center.vcenter.vms.values() if vm.pool == cluster
        ),
        "overallStatus": lambda _scope, _cluster: "green",
    },
)


# --- datastores -----------------------------------------------------------------------------------


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
        type="NFS",
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
        timestamp=scope.center.world.now(),
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


KINDS: Final[Mapping[str, Kind]] = {
    "Folder": _FOLDER,
    "Datacenter": _DATACENTER,
    "ClusterComputeResource": _CLUSTER,
    "ResourcePool": _POOL,
    "Datastore": _DATASTORE,
}
"""The infrastructure's managed types."""
