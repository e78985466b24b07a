"""Folders, datacenter, clusters and pools as managed objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from drctl.lab.model import Host
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

KINDS: Final[Mapping[str, Kind]] = {
    "Folder": _FOLDER,
    "Datacenter": _DATACENTER,
    "ClusterComputeResource": _CLUSTER,
    "ResourcePool": _POOL,
}
"""The infrastructure's managed types."""
