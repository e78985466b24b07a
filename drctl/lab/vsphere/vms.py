"""What virtual machines do: power, reconfiguration, questions, leaving the inventory."""

from __future__ import annotations

from typing import Final

from drctl.lab import machines
from drctl.lab.compute import VimFault, start_task
from drctl.lab.model import Network, Vm
from drctl.lab.vsphere.inventory import pool_cluster
from drctl.lab.vsphere.properties import gone
from drctl.lab.vsphere.schema import is_a
from drctl.lab.vsphere.scope import Methods, Scope
from drctl.lab.vsphere.soap import Call
from drctl.lab.vsphere.tasks import task_ref
from drctl.lab.vsphere.values import Fault, Obj, Ref, Value, obj
from drctl.lab.vsphere.vm_properties import question_id


def vm_of(scope: Scope, ref: Ref | None) -> Vm:
    """Return the VM a reference means.

    Raises:
        Fault: ManagedObjectNotFound, InvalidArgument when there is no reference.
    """
    if ref is None:
        raise Fault("InvalidArgument", "A specified parameter was not correct: vm", invalidProperty="vm")
    vm = scope.center.vcenter.vms.get(ref.id)
    if vm is None:
        raise gone(ref)
    return vm


def _recorded(scope: Scope, call: Call) -> Vm:
    """Return the VM a call is about to change, after logging the call."""
    vm = vm_of(scope, call.this)
    scope.center.record(call.method, vm.name)
    return vm


# --- power ----------------------------------------------------------------------------------------


def _power_on(scope: Scope, call: Call) -> Value:
    center = scope.center
    host = call.args.ref("host")
    with center.world.lock:
        vm = _recorded(scope, call)
        return task_ref(machines.power_on(center.world, center.vcenter, vm, host.id if host else None))


def _power_off(scope: Scope, call: Call) -> Value:
    with scope.center.world.lock:
        return task_ref(machines.power_off(scope.center.world, scope.center.vcenter, _recorded(scope, call)))


def _shutdown(scope: Scope, call: Call) -> Value:
    with scope.center.world.lock:
        machines.shutdown_guest(scope.center.world, scope.center.vcenter, _recorded(scope, call))
        return None


def _answer(scope: Scope, call: Call) -> Value:
    with scope.center.world.lock:
        vm = _recorded(scope, call)
        if vm.question is None or call.args.text("questionId") != question_id(vm):
            raise Fault(
                "InvalidArgument",
                "A specified parameter was not correct: questionId",
                invalidProperty="questionId",
            )
        machines.answer(scope.center.world, scope.center.vcenter, vm, call.args.text("answerChoice"))
        return None


# --- inventory ------------------------------------------------------------------------------------


def _unregister(scope: Scope, call: Call) -> Value:
    with scope.center.world.lock:
        machines.unregister(scope.center.world, scope.center.vcenter, _recorded(scope, call))
        return None


def _destroy(scope: Scope, call: Call) -> Value:
    """Refuse: nothing that drctl does deletes a VM's files, and the log shows who tried."""
    with scope.center.world.lock:
        _recorded(scope, call)
        raise Fault("NotSupported", "The lab does not delete virtual machines from disk.")


def _rename(scope: Scope, call: Call) -> Value:
    center = scope.center
    name = call.args.text("newName")
    with center.world.lock:
        vm = _recorded(scope, call)
        change = machines.VmChange(name=name)
        return task_ref(machines.reconfigure(center.world, center.vcenter, vm, change))


def _mark_template(scope: Scope, call: Call) -> Value:
    with scope.center.world.lock:
        vm = _recorded(scope, call)
        if vm.power != "poweredOff":
            message = "The operation cannot be performed in the current state (Powered on)."
            raise Fault("InvalidPowerState", message, requestedState="poweredOff", existingState=vm.power)
        vm.template = True
        scope.center.world.touch()
        return None


def _mark_machine(scope: Scope, call: Call) -> Value:
    with scope.center.world.lock:
        vm = _recorded(scope, call)
        pool = call.args.ref("pool")
        cluster = pool_cluster(scope, pool.id if pool else "")
        if cluster is None:
            raise gone(pool or call.this)
        vm.template, vm.pool = False, cluster
        scope.center.world.touch()
        return None


# --- reconfiguration ------------------------------------------------------------------------------


def _reconfigure(scope: Scope, call: Call) -> Value:
    """Change a VM; what the specification gets wrong fails the task, as in vCenter."""
    center = scope.center
    spec = call.args.obj("spec") or obj("VirtualMachineConfigSpec")
    with center.world.lock:
        vm = _recorded(scope, call)
        try:
            change = _change(scope, vm, spec)
        except VimFault as fault:
            return _failing(scope, vm, fault)
        version = spec.text("changeVersion") or None
        task = machines.reconfigure(center.world, center.vcenter, vm, change, change_version=version)
        return task_ref(task)


def _failing(scope: Scope, vm: Vm, fault: VimFault) -> Ref:
    def work() -> str | None:
        raise fault

    return task_ref(start_task(scope.center.world, scope.center.vcenter, "ReconfigVM", vm.moref, work))


def _change(scope: Scope, vm: Vm, spec: Obj) -> machines.VmChange:
    """Read a VirtualMachineConfigSpec.

    Raises:
        VimFault: InvalidDeviceSpec, InvalidDeviceBacking, NotSupported.
    """
    nics: list[machines.NicChange] = []
    disks: dict[int, str] = {}
    cdrom: str | None = None
    for index, change in enumerate(spec.objs("deviceChange")):
        device = change.obj("device") or obj("VirtualDevice")
        operation = change.text("operation")
        if is_a(device.kind, "VirtualEthernetCard") and operation == "edit":
            nics.append(_nic_change(scope, vm, device, index))
        elif is_a(device.kind, "VirtualDisk") and operation == "edit":
            disks[device.number("key")] = _disk_change(vm, device, index)
        elif is_a(device.kind, "VirtualCdrom") and operation in {"edit", "remove"}:
            backing = device.obj("backing") or obj("VirtualCdromRemotePassthroughBackingInfo")
            cdrom = backing.text("fileName") if operation == "edit" else ""
        else:
            raise VimFault("NotSupported", f"the lab does not simulate: {operation or 'no'} {device.kind}")
    known = {"deviceChange", "extraConfig", "annotation", "name", "changeVersion"}
    if strange := [name for name, _value in spec.fields if name not in known]:
        raise VimFault("NotSupported", f"the lab does not simulate: reconfiguring {', '.join(strange)}")
    extra = {each.text("key"): str(each.get("value") or "") for each in spec.objs("extraConfig")}
    annotation = spec.get("annotation")
    return machines.VmChange(
        nics=tuple(nics),
        disks=disks,
        cdrom=cdrom,
        extra=extra,
        annotation=annotation if isinstance(annotation, str) else None,
        name=spec.text("name") or None,
    )


def _invalid(kind: str, index: int, message: str, name: str) -> VimFault:
    where = f"virtualDeviceSpec.device.{name}"
    return VimFault(kind, f"{message} (device {index})", deviceIndex=index, property=where)


def _disk_change(vm: Vm, device: Obj, index: int) -> str:
    backing = device.obj("backing") or obj("VirtualDiskFlatVer2BackingInfo")
    path = backing.text("fileName")
    if device.number("key") not in vm.disks or not path:
        raise _invalid("InvalidDeviceSpec", index, "Invalid configuration for device", "backing.fileName")
    return path


def _nic_change(scope: Scope, vm: Vm, device: Obj, index: int) -> machines.NicChange:
    if device.number("key") not in {nic.key for nic in vm.nics}:
        raise _invalid("InvalidDeviceSpec", index, "Invalid configuration for device", "key")
    backing = device.obj("backing")
    network = _network(scope, backing) if backing else None
    if backing and network is None and not _is_present(vm, device, backing):
        message = "Invalid backing: no such network"
        raise _invalid("InvalidDeviceBacking", index, message, "backing")
    connectable = device.obj("connectable")
    manual = device.text("addressType") == "manual"
    return machines.NicChange(
        device.number("key"),
        network=network.moref if network else None,
        connected=connectable.flag("startConnected") if connectable else None,
        mac=device.text("macAddress") or None if manual else None,
    )


def _is_present(vm: Vm, device: Obj, backing: Obj) -> bool:
    """Tell whether a backing unknown here is just what the NIC already has."""
    nic = next(each for each in vm.nics if each.key == device.number("key"))
    port = backing.obj("port")
    named = backing.text("deviceName")
    if port is not None:
        named = f"{port.text('switchUuid')}/{port.text('portgroupKey')}"
    return nic.network is None and named == nic.backing


def _network(scope: Scope, backing: Obj) -> Network | None:
    """Return the portgroup a backing means, by reference or name, or by switch and portgroup ids."""
    networks = scope.center.vcenter.networks
    if is_a(backing.kind, "VirtualEthernetCardDistributedVirtualPortBackingInfo"):
        port = backing.obj("port") or obj("DistributedVirtualSwitchPortConnection")
        wanted = (port.text("switchUuid"), port.text("portgroupKey"))
        found = (each for each in networks.values() if each.kind == "distributed")
        return next((each for each in found if (each.switch_uuid, each.portgroup_key) == wanted), None)
    standard = [each for each in networks.values() if each.kind == "standard"]
    name = backing.text("deviceName")
    ref = backing.ref("network")
    if name:  # the name decides when both are given, as on a host
        return next((each for each in standard if each.name == name), None)
    return next((each for each in standard if ref is not None and each.moref == ref.id), None)


METHODS: Final[Methods] = {
    ("VirtualMachine", "PowerOnVM_Task"): _power_on,
    ("VirtualMachine", "PowerOffVM_Task"): _power_off,
    ("VirtualMachine", "ShutdownGuest"): _shutdown,
    ("VirtualMachine", "AnswerVM"): _answer,
    ("VirtualMachine", "UnregisterVM"): _unregister,
    ("VirtualMachine", "MarkAsTemplate"): _mark_template,
    ("VirtualMachine", "MarkAsVirtualMachine"): _mark_machine,
    ("VirtualMachine", "ReconfigVM_Task"): _reconfigure,
    ("VirtualMachine", "Destroy_Task"): _destroy,
    ("VirtualMachine", "Rename_Task"): _rename,
}
"""What virtual machines do."""
