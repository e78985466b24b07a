"""Morefs: which objects there are beside those the estate records, and what they are called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Final
from zlib import crc32

from drctl.lab.model import Datastore, Host, Network, VCenter, Vm
from drctl.lab.vsphere.values import Ref

SERVICE: Final = Ref("ServiceInstance", "ServiceInstance")
ROOT: Final = Ref("Folder", "group-d1")
DATACENTER: Final = Ref("Datacenter", "datacenter-2")
VM_FOLDER: Final = Ref("Folder", "group-v3")
HOST_FOLDER: Final = Ref("Folder", "group-h4")
DATASTORE_FOLDER: Final = Ref("Folder", "group-s5")
NETWORK_FOLDER: Final = Ref("Folder", "group-n6")
COLLECTOR: Final = Ref("PropertyCollector", "propertyCollector")

ROOT_PATH: Final = "vm"
"""What the estate calls the datacenter's root VM folder."""

SINGLETONS: Final[Mapping[str, Ref]] = {
    "sessionManager": Ref("SessionManager", "SessionManager"),
    "viewManager": Ref("ViewManager", "ViewManager"),
    "taskManager": Ref("TaskManager", "TaskManager"),
    "eventManager": Ref("EventManager", "EventManager"),
    "searchIndex": Ref("SearchIndex", "SearchIndex"),
    "fileManager": Ref("FileManager", "FileManager"),
    "guestOperationsManager": Ref("GuestOperationsManager", "guestOperationsManager"),
    "propertyCollector": COLLECTOR,
}
"""Field of ServiceContent to the one object of its kind."""

FIXED_FOLDERS: Final[Mapping[str, tuple[str, Ref | None, tuple[str, ...]]]] = {
    ROOT.id: ("Datacenters", None, ("Folder", "Datacenter")),
    VM_FOLDER.id: ("vm", DATACENTER, ("Folder", "VirtualMachine", "VirtualApp")),
    HOST_FOLDER.id: ("host", DATACENTER, ("Folder", "ComputeResource")),
    DATASTORE_FOLDER.id: ("datastore", DATACENTER, ("Folder", "Datastore", "StoragePod")),
    NETWORK_FOLDER.id: ("network", DATACENTER, ("Folder", "Network", "DistributedVirtualSwitch")),
}
"""Moref of a folder that is always there to its name, parent and childType."""


_PREFIXES: Final[Mapping[str, str]] = {
    "vm": "VirtualMachine",
    "host": "HostSystem",
    "datastore": "Datastore",
    "network": "Network",
    "dvportgroup": "DistributedVirtualPortgroup",
    "datacenter": "Datacenter",
    "group": "Folder",
    "task": "Task",
}
"""How morefs of the estate begin, to the type they name."""


def _number(text: str) -> int:
    return 1000 + crc32(text.encode()) % 9_000_000


def ordered(refs: Iterable[Ref]) -> tuple[Ref, ...]:
    """Return references in the order of their morefs, as a property value."""
    return tuple(sorted(refs, key=lambda ref: ref.id))


def folder_ref(path: str) -> Ref:
    """Return the VM folder of a path such as ``RIS`` or ``Tier1/RIS``; ``vm`` is the root VM folder."""
    return VM_FOLDER if path == ROOT_PATH else Ref("Folder", f"group-v{_number(path)}")


def folder_paths(vcenter: VCenter) -> set[str]:
    """Return the paths of all VM folders below the root, those in between included."""
    found: set[str] = set()
    for path in vcenter.folders - {ROOT_PATH}:
        names = path.split("/")
        found |= {"/".join(names[: depth + 1]) for depth in range(len(names))}
    return found


def below_path(path: str, name: str) -> str:
    """Return the path of a folder inside another."""
    return name if path == ROOT_PATH else f"{path}/{name}"


def cluster_ref(name: str) -> Ref:
    """Return the cluster of that name."""
    return Ref("ClusterComputeResource", f"domain-c{_number(name)}")


def pool_ref(cluster: str) -> Ref:
    """Return a cluster's root resource pool, which vCenter calls ``Resources``."""
    return Ref("ResourcePool", f"resgroup-{_number(cluster)}")


def switch_ref(uuid: str) -> Ref:
    """Return the distributed switch of that uuid."""
    return Ref("VmwareDistributedVirtualSwitch", f"dvs-{_number(uuid)}")


def host_ref(host: Host) -> Ref:
    """Return a host's reference."""
    return Ref("HostSystem", host.moref)


def datastore_ref(datastore: Datastore) -> Ref:
    """Return a datastore's reference."""
    return Ref("Datastore", datastore.moref)


def vm_ref(vm: Vm) -> Ref:
    """Return a VM's reference."""
    return Ref("VirtualMachine", vm.moref)


def network_ref(network: Network) -> Ref:
    """Return a portgroup's reference; its type says standard or distributed."""
    return Ref("Network" if network.kind == "standard" else "DistributedVirtualPortgroup", network.moref)


def part_ref(kind: str, prefix: str, owner: str) -> Ref:
    """Return a part of a host or datastore, e.g. its datastoreSystem or browser."""
    return Ref(kind, f"{prefix}-{owner}")


def switches(vcenter: VCenter) -> dict[str, list[Network]]:
    """Return the distributed switches, by uuid, with their portgroups."""
    found: dict[str, list[Network]] = {}
    for network in vcenter.networks.values():
        if network.kind == "distributed":
            found.setdefault(network.switch_uuid, []).append(network)
    return found


def subfolders(vcenter: VCenter, path: str) -> Iterator[str]:
    """Yield the paths of the VM folders directly below a path."""
    for each in sorted(folder_paths(vcenter)):
        above, _, name = each.rpartition("/")
        if name and (above or ROOT_PATH) == path:
            yield each


def entity_ref(vcenter: VCenter, moref: str) -> Ref | None:
    """Return what a moref or folder path of the estate refers to, be it gone by now; None when unknown."""
    if moref in vcenter.networks:
        return network_ref(vcenter.networks[moref])
    if moref == ROOT_PATH or moref in folder_paths(vcenter):
        return folder_ref(moref)
    kind = _PREFIXES.get(moref.partition("-")[0])
    return Ref(kind, moref) if kind else None


def find_named(vcenter: VCenter, name: str) -> Ref | None:
    """Return the VM or datastore of that name."""
    vms = (vm_ref(vm) for vm in vcenter.vms.values() if vm.name == name)
    datastores = (datastore_ref(each) for each in vcenter.datastores.values() if each.name == name)
    return next(chain(vms, datastores), None)


def name_of(vcenter: VCenter, ref: Ref) -> str:
    """Return the name of an inventory object, its moref when it has none."""
    found = (
        vcenter.vms.get(ref.id)
        or vcenter.hosts.get(ref.id)
        or vcenter.datastores.get(ref.id)
        or vcenter.networks.get(ref.id)
    )
    if found is not None:
        return found.name
    if ref.id in FIXED_FOLDERS:
        return FIXED_FOLDERS[ref.id][0]
    if ref == DATACENTER:
        return vcenter.site
    for path in folder_paths(vcenter):
        if folder_ref(path) == ref:
            return path.rpartition("/")[2]
    for cluster in vcenter.clusters:
        if cluster_ref(cluster) == ref:
            return cluster
    return ref.id
