"""Views: containers that are walked each time they are read, and lists a client keeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from drctl.lab.vsphere import tree
from drctl.lab.vsphere.inventory import cluster_named, folder_path
from drctl.lab.vsphere.properties import Table, gone
from drctl.lab.vsphere.schema import is_a
from drctl.lab.vsphere.scope import Kind, Methods, Scope
from drctl.lab.vsphere.soap import Call
from drctl.lab.vsphere.values import Fault, Ref, Value, refs


@dataclass
class View:
    """A ContainerView."""

    ref: Ref
    container: Ref
    types: tuple[str, ...]
    recursive: bool


@dataclass
class Listed:
    """A ListView."""

    ref: Ref
    objects: dict[Ref, None]


def below(scope: Scope, ref: Ref) -> Iterator[Ref]:
    """Yield the objects directly contained in another."""
    vcenter = scope.center.vcenter
    if ref == tree.ROOT:
        yield tree.DATACENTER
    elif ref == tree.DATACENTER:
        yield from (tree.VM_FOLDER, tree.HOST_FOLDER, tree.DATASTORE_FOLDER, tree.NETWORK_FOLDER)
    elif ref == tree.HOST_FOLDER:
        yield from (tree.cluster_ref(name) for name in vcenter.clusters)
    elif ref == tree.DATASTORE_FOLDER:
        yield from (tree.datastore_ref(each) for each in vcenter.datastores.values())
    elif ref == tree.NETWORK_FOLDER:
        yield from (tree.network_ref(each) for each in vcenter.networks.values())
        yield from (tree.switch_ref(uuid) for uuid in tree.switches(vcenter))
    elif ref.kind == "Folder":
        path = folder_path(scope, ref.id) or ""
        yield from (tree.folder_ref(each) for each in tree.subfolders(vcenter, path))
        yield from (tree.vm_ref(vm) for vm in vcenter.vms.values() if vm.folder == path)
    elif ref.kind == "ClusterComputeResource":
        name = cluster_named(scope, ref.id) or ""
        yield tree.pool_ref(name)
        yield from (tree.host_ref(host) for host in vcenter.hosts.values() if host.cluster == name)


def _members(scope: Scope, view: View) -> tuple[Ref, ...]:
    found: list[Ref] = []
    waiting = list(below(scope, view.container))
    while waiting:
        each = waiting.pop(0)
        if not view.types or any(is_a(each.kind, kind) for kind in view.types):
            found.append(each)
        if view.recursive and each.kind != "VirtualMachine":
            waiting.extend(below(scope, each))
    return tuple(found)


def _create(scope: Scope, call: Call) -> Value:
    container = call.args.ref("container")
    kinds = ("Folder", "Datacenter", "ComputeResource", "ResourcePool", "HostSystem")
    if container is None or not any(is_a(container.kind, kind) for kind in kinds):
        raise Fault("InvalidArgument", "not a container", invalidProperty="container")
    with scope.center.world.lock:
        if not scope.center.kinds[container.kind].exists(scope, container):
            raise gone(container)
    ref = Ref("ContainerView", scope.session.name("view"))
    types = tuple(call.args.texts("type"))
    scope.session.made[ref.id] = View(ref, container, types, recursive=bool(call.args.flag("recursive")))
    return ref


def _create_list(scope: Scope, call: Call) -> Value:
    ref = Ref("ListView", scope.session.name("view"))
    scope.session.made[ref.id] = Listed(ref, dict.fromkeys(refs(call.args.get("obj"))))
    return ref


def _list(scope: Scope, ref: Ref) -> Listed:
    found = scope.session.made.get(ref.id)
    if not isinstance(found, Listed):
        raise gone(ref)
    return found


def _modify_list(scope: Scope, call: Call) -> Value:
    with scope.center.world.lock:
        listed = _list(scope, call.this)
        listed.objects.update(dict.fromkeys(refs(call.args.get("add"))))
        for each in refs(call.args.get("remove")):
            listed.objects.pop(each, None)
        scope.center.world.changed.notify_all()
    return ()


def _reset_list(scope: Scope, call: Call) -> Value:
    with scope.center.world.lock:
        _list(scope, call.this).objects = dict.fromkeys(refs(call.args.get("obj")))
        scope.center.world.changed.notify_all()
    return ()


def _destroy(scope: Scope, call: Call) -> Value:
    if scope.session.made.pop(call.this.id, None) is None:
        raise gone(call.this)
    return None


def _find_view(scope: Scope, moref: str) -> View | None:
    found = scope.session.made.get(moref)
    return found if isinstance(found, View) else None


def _find_list(scope: Scope, moref: str) -> Listed | None:
    found = scope.session.made.get(moref)
    return found if isinstance(found, Listed) else None


KINDS: Final[Mapping[str, Kind]] = {
    "ContainerView": Table[View](
        _find_view,
        {
            "container": lambda _scope, view: view.container,
            "type": lambda _scope, view: view.types,
            "recursive": lambda _scope, view: view.recursive,
            "view": _members,
        },
    ),
    "ListView": Table[Listed](_find_list, {"view": lambda _scope, listed: tuple(listed.objects)}),
}
"""The types of views."""

METHODS: Final[Methods] = {
    ("ViewManager", "CreateContainerView"): _create,
    ("ViewManager", "CreateListView"): _create_list,
    ("ListView", "ModifyListView"): _modify_list,
    ("ListView", "ResetListView"): _reset_list,
    ("View", "DestroyView"): _destroy,
}
"""What views do."""
