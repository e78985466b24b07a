"""SearchIndex: objects by uuid, path, address or name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from drctl.lab.model import Vm
from drctl.lab.vsphere import tree
from drctl.lab.vsphere.scope import Methods, Scope
from drctl.lab.vsphere.soap import Call
from drctl.lab.vsphere.values import Ref, Value
from drctl.lab.vsphere.views import below


def _vms(scope: Scope, fits: Callable[[Vm], bool]) -> tuple[Ref, ...]:
    with scope.center.world.lock:
        return tuple(tree.vm_ref(vm) for vm in scope.center.vcenter.vms.values() if fits(vm))


def _by_uuid(scope: Scope, call: Call) -> tuple[Ref, ...]:
    uuid = call.args.text("uuid").lower()
    if not call.args.flag("vmSearch"):
        return ()
    if call.args.flag("instanceUuid"):
        return _vms(scope, lambda vm: vm.instance_uuid == uuid)
    return _vms(scope, lambda vm: vm.uuid == uuid)


def _by_ip(scope: Scope, call: Call) -> tuple[Ref, ...]:
    address = call.args.text("ip")
    return _vms(scope, lambda vm: vm.booted and vm.guest_ip == address)


def _by_dns(scope: Scope, call: Call) -> tuple[Ref, ...]:
    name = call.args.text("dnsName").lower()
    return _vms(scope, lambda vm: vm.booted and vm.name.lower() == name)


def _by_datastore_path(scope: Scope, call: Call) -> Value:
    path = call.args.text("path")
    return next(iter(_vms(scope, lambda vm: vm.vmx == path)), None)


def _child(scope: Scope, parent: Ref, name: str) -> Ref | None:
    vcenter = scope.center.vcenter
    return next((ref for ref in below(scope, parent) if tree.name_of(vcenter, ref) == name), None)


def _by_path(scope: Scope, call: Call) -> Value:
    """Follow ``/datacenter/vm/folder/name``; %2f stands for a slash inside a name."""
    with scope.center.world.lock:
        found: Ref | None = tree.ROOT
        for name in call.args.text("inventoryPath").strip("/").split("/"):
            found = _child(scope, found, name.replace("%2f", "/")) if found else None
        return found


def _find_child(scope: Scope, call: Call) -> Value:
    entity = call.args.ref("entity")
    with scope.center.world.lock:
        return _child(scope, entity, call.args.text("name")) if entity else None


METHODS: Final[Methods] = {
    ("SearchIndex", "FindByUuid"): lambda scope, call: next(iter(_by_uuid(scope, call)), None),
    ("SearchIndex", "FindAllByUuid"): _by_uuid,
    ("SearchIndex", "FindByIp"): lambda scope, call: next(iter(_by_ip(scope, call)), None),
    ("SearchIndex", "FindAllByIp"): _by_ip,
    ("SearchIndex", "FindByDnsName"): lambda scope, call: next(iter(_by_dns(scope, call)), None),
    ("SearchIndex", "FindAllByDnsName"): _by_dns,
    ("SearchIndex", "FindByDatastorePath"): _by_datastore_path,
    ("SearchIndex", "FindByInventoryPath"): _by_path,
    ("SearchIndex", "FindChild"): _find_child,
}
"""What the index finds."""
