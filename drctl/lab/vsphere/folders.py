"""What folders and the datacenter do: make folders, register VMs, power on many."""

from __future__ import annotations

from typing import Final

from drctl.lab import machines
from drctl.lab.compute import VimFault, start_task
from drctl.lab.model import Vm
from drctl.lab.vsphere import tree
from drctl.lab.vsphere.inventory import folder_path, pool_cluster
from drctl.lab.vsphere.properties import gone
from drctl.lab.vsphere.refusals import as_fault
from drctl.lab.vsphere.scope import Methods, Scope
from drctl.lab.vsphere.soap import Call
from drctl.lab.vsphere.tasks import task_ref
from drctl.lab.vsphere.values import Fault, Obj, Ref, Value, obj, refs


def _vm_folder(scope: Scope, ref: Ref) -> str:
    """Return a VM folder's path; other folders take no VMs."""
    path = folder_path(scope, ref.id)
    if path is None:
        raise Fault("NotSupported", "The operation is not supported on the object.")
    return path


def _create(scope: Scope, call: Call) -> Value:
    center = scope.center
    name = call.args.text("name")
    with center.world.lock:
        center.record(call.method, name)
        above = _vm_folder(scope, call.this)
        path = tree.below_path(above, name)
        if not name or "/" in name:
            raise Fault("InvalidName", f"The name '{name}' is invalid.", name=name)
        if path in tree.folder_paths(center.vcenter):
            message = f"The name '{name}' already exists."
            raise Fault("DuplicateName", message, name=name, object=tree.folder_ref(path))
        center.vcenter.folders.add(path)
        center.world.touch()
        return tree.folder_ref(path)


def _register(scope: Scope, call: Call) -> Value:
    center = scope.center
    args = call.args
    with center.world.lock:
        center.record(call.method, args.text("name") or args.text("path"))
        folder = _vm_folder(scope, call.this)
        template = bool(args.flag("asTemplate"))
        pool, host = args.ref("pool"), args.ref("host")
        if (pool is None) != template:  # a template has no pool, a VM must have one
            raise Fault(
                "InvalidArgument", "A specified parameter was not correct: pool", invalidProperty="pool"
            )
        if host is not None and host.id not in center.vcenter.hosts:
            raise gone(host)
        task = machines.register(
            center.world,
            center.vcenter,
            args.text("path"),
            name=args.text("name") or None,
            folder=folder,
            pool=_cluster(scope, pool, host),
            host=host.id if host else None,
            template=template,
        )
        return task_ref(task)


def _cluster(scope: Scope, pool: Ref | None, host: Ref | None) -> str:
    if pool is None:
        if host is None:
            raise Fault(
                "InvalidArgument", "A specified parameter was not correct: host", invalidProperty="host"
            )
        return scope.center.vcenter.hosts[host.id].cluster
    cluster = pool_cluster(scope, pool.id)
    if cluster is None:
        raise gone(pool)
    return cluster


def _dissolve(scope: Scope, call: Call) -> Value:
    """Unregister what is in a folder, then take the folder away; a machine that is on stops it."""
    center = scope.center
    with center.world.lock:
        path = _vm_folder(scope, call.this)
        center.record(call.method, path)
        if path == tree.ROOT_PATH:
            raise Fault("InvalidArgument", "A specified parameter was not correct.", invalidProperty="this")

        def work() -> None:
            known = center.vcenter
            inside = {each for each in tree.folder_paths(known) if f"{each}/".startswith(f"{path}/")}
            for vm in [vm for vm in known.vms.values() if vm.folder in inside]:
                machines.unregister(center.world, known, vm)
            known.folders -= inside

        task = start_task(center.world, center.vcenter, "UnregisterAndDestroy", call.this.id, work)
        return task_ref(task)


# --- power on many --------------------------------------------------------------------------------


def _power_on_many(scope: Scope, call: Call) -> Value:
    """Start one task that starts the others; DRS that is not automatic only recommends."""
    center = scope.center
    known = center.vcenter.vms
    with center.world.lock:
        wanted = refs(call.args.get("vm"))
        for ref in wanted:
            if ref.id not in known:
                raise gone(ref)
            center.record(call.method, known[ref.id].name)
        options = {option.text("key"): option.get("value") for option in call.args.objs("option")}
        override = options.get("OverrideAutomationLevel") == "fullyAutomated"

        def work() -> None:
            center.results[task.moref] = _start_all(scope, wanted, override=override)

        task = start_task(center.world, center.vcenter, "PowerOnMultiVM", tree.DATACENTER.id, work)
        return task_ref(task)


def _start_all(scope: Scope, wanted: list[Ref], *, override: bool) -> Obj:
    center = scope.center
    attempted: list[Value] = []
    refused: list[Value] = []
    advice: list[Value] = []
    for ref in wanted:
        vm = center.vcenter.vms.get(ref.id)
        if vm is None:
            continue
        if not (override or center.vcenter.clusters.get(vm.pool)):
            advice.append(_advice(vm, len(advice)))
            continue
        try:
            task = machines.power_on(center.world, center.vcenter, vm)
            attempted.append(obj("ClusterAttemptedVmInfo", vm=ref, task=task_ref(task)))
        except VimFault as fault:
            detail = as_fault(center.vcenter, fault).detail
            refused.append(obj("ClusterNotAttemptedVmInfo", vm=ref, fault=detail))
    return obj(
        "ClusterPowerOnVmResult",
        attempted=tuple(attempted),
        notAttempted=tuple(refused),
        recommendations=tuple(advice),
    )


def _advice(vm: Vm, number: int) -> Obj:
    return obj(
        "ClusterRecommendation",
        key=str(number + 1),
        type="V1",
        rating=5,
        reason="powerOnVm",
        reasonText=f"Power on virtual machine {vm.name}",
        target=tree.vm_ref(vm),
    )


METHODS: Final[Methods] = {
    ("Folder", "CreateFolder"): _create,
    ("Folder", "RegisterVM_Task"): _register,
    ("Folder", "UnregisterAndDestroy_Task"): _dissolve,
    ("Datacenter", "PowerOnMultiVM_Task"): _power_on_many,
}
"""What folders and the datacenter do."""
