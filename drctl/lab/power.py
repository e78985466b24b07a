"""Power, boot, questions and guest operations of VMs."""

from __future__ import annotations

from ipaddress import ip_address

from drctl.lab import fitting, vmx
from drctl.lab.compute import (
    StillRunning,
    VimFault,
    accessible,
    backing_volume,
    fail_task,
    find_datastore,
    location_uuid,
    split_path,
    start_task,
    writable,
)
from drctl.lab.hardware import edit_vmx, file_exists, invalid_power
from drctl.lab.model import Task, VCenter, Vm, Volume
from drctl.lab.world import World

BOOT_TIME = 60.0
"""Estate seconds until a Linux guest's tools run."""
WINDOWS_BOOT_TIME = 120.0
SHUTDOWN_TIME = 30.0
POWER_TIME = 3.0

UUID_QUESTION = "msg.uuid.altered"
OTHER_QUESTION = "msg.cdromdisconnect.locked"
CHOICES = {
    UUID_QUESTION: ("button.uuid.cancel", "button.uuid.movedTheVM", "button.uuid.copiedTheVM"),
    OTHER_QUESTION: ("button.yes", "button.no"),
}
"""Message id of a question to the keys of its choices, in the order in which vCenter numbers them."""


def power_on(world: World, vcenter: VCenter, vm: Vm, host: str | None = None) -> Task:
    """PowerOnVM_Task; a VM found in another place asks ``msg.uuid.altered`` while the task runs.

    Raises:
        VimFault: InvalidPowerState, NotSupported (a template), at once. The task fails with
            InaccessibleDatastore, FileNotFound (a disk path nobody can resolve), GenericVmConfigFault
            (a read-only datastore), TaskInProgress, or what ``fitting.check`` raises.
    """
    with world.lock:
        if vm.power == "poweredOn":
            raise invalid_power(vm, "poweredOn")
        if vm.template:
            raise VimFault("NotSupported", "The operation is not supported on the object.")
        if host is not None and host in vcenter.hosts:
            vm.host = host

        def work() -> None:
            if vm.power == "poweredOn":
                raise invalid_power(vm, "poweredOn")
            _check_storage(world, vcenter, vm)
            question = _question(world, vcenter, vm)
            if question:
                vm.question = question
                raise StillRunning
            start(world, vcenter, vm)

        return start_task(world, vcenter, "PowerOnVM", vm.moref, work, POWER_TIME)


def pending_task(vcenter: VCenter, vm: Vm) -> Task | None:
    """The power-on task that waits for the answer to a question."""
    tasks = reversed(vcenter.tasks.values())
    return next((t for t in tasks if (t.entity, t.name, t.state) == (vm.moref, "PowerOnVM", "running")), None)


def _check_storage(world: World, vcenter: VCenter, vm: Vm) -> None:
    host = vcenter.hosts.get(vm.host)
    if host is None or not host.connected or host.maintenance:
        raise VimFault("InvalidState", "The host of the virtual machine is not available.")
    fitting.check(world, vcenter, vm, host)
    for path in [vm.vmx, *vm.disks.values()]:
        if not path.startswith("["):
            raise VimFault("FileNotFound", f"File {path} was not found", file=path)
        label = split_path(path)[0]
        datastore = find_datastore(vcenter, label)
        if datastore is None or not accessible(world, vcenter, datastore, host):
            raise VimFault("InaccessibleDatastore", f"Datastore '{label}' is not accessible.", name_=label)
        if not file_exists(world, vcenter, path):
            raise VimFault("FileNotFound", f"File {path} was not found", file=path)
        if not writable(world, vcenter, datastore, host):
            raise VimFault(
                "GenericVmConfigFault",
                f"Failed to power on '{vm.name}': could not create the swap file on '{label}'.",
                reason=f"Failed to extend swap file on datastore '{label}': Read-only file system",
            )


def _question(world: World, vcenter: VCenter, vm: Vm) -> str | None:
    """What the machine asks before it starts: who it is comes first, and is settled before anything else."""
    asked = _identity_question(world, vcenter, vm)
    return asked or (OTHER_QUESTION if world.faults.take("vm-question", vm.name) else None)


def _identity_question(world: World, vcenter: VCenter, vm: Vm) -> str | None:
    moved = vm.location != location_uuid(vcenter.endpoint, vm.vmx)
    if not moved:
        return None
    action = vm.extra.get("uuid.action", "").lower()
    if action == "keep":
        _settle_identity(world, vcenter, vm)
        return None
    if action in ("create", "change"):
        _new_identity(world, vcenter, vm)
        return None
    return UUID_QUESTION


def _settle_identity(world: World, vcenter: VCenter, vm: Vm) -> None:
    vm.location = location_uuid(vcenter.endpoint, vm.vmx)
    edit_vmx(world, vcenter, vm, {"uuid.location": vmx.spaced_uuid(vm.location)})


def _new_identity(world: World, vcenter: VCenter, vm: Vm) -> None:
    vm.uuid = location_uuid("copy", vm.uuid)
    for nic in vm.nics:
        digits = location_uuid("mac", vm.uuid + str(nic.key)).replace("-", "")
        nic.mac = f"00:50:56:{int(digits[:2], 16) % 64:02x}:{digits[2:4]}:{digits[4:6]}"
    vm.change_version += 1
    _settle_identity(world, vcenter, vm)
    edit_vmx(world, vcenter, vm, {"uuid.bios": vmx.spaced_uuid(vm.uuid)})


def answer(world: World, vcenter: VCenter, vm: Vm, choice: str) -> None:
    """AnswerVM: a key of ``CHOICES`` or its number as text.

    Raises:
        VimFault: InvalidArgument (no question, or not a choice of it).
    """
    with world.lock:
        choices = CHOICES.get(vm.question or "", ())
        picked = choices[int(choice)] if choice.isdigit() and int(choice) < len(choices) else choice
        if picked not in choices:
            raise VimFault("InvalidArgument", "A specified parameter was not correct: answerChoice")
        vm.question = None
        task = pending_task(vcenter, vm)
        if picked.endswith((".cancel", ".no")):
            if task:
                fail_task(
                    world, task, VimFault("GenericVmConfigFault", "The operation was cancelled by the user.")
                )
            return
        if picked.endswith("movedTheVM"):
            _settle_identity(world, vcenter, vm)
        elif picked.endswith("copiedTheVM"):
            _new_identity(world, vcenter, vm)
        start(world, vcenter, vm)
        if task:
            task.state, task.progress, task.ended = "success", 100, world.now()
        world.touch()


# --- running --------------------------------------------------------------------------------------


def start(world: World, vcenter: VCenter, vm: Vm) -> None:
    """Power is on; the guest boots and its tools run after a while."""
    vm.power = "poweredOn"
    vm.booted = False
    vm.boots += 1
    _boot(world, vcenter, vm, vm.boots)


def _boot(world: World, vcenter: VCenter, vm: Vm, boot: int) -> None:
    def up() -> None:
        if vm.boots != boot or vm.power != "poweredOn":
            return
        if world.faults.take("vm-stuck-booting", vm.name):
            _boot(world, vcenter, vm, boot)
        else:
            wake(world, vcenter, vm)

    world.after(WINDOWS_BOOT_TIME if vm.windows else BOOT_TIME, up)


def wake(world: World, vcenter: VCenter, vm: Vm) -> None:
    """The guest has booted with the address on its disk."""
    vm.booted = True
    vm.guest_ip = disk_address(world, vcenter, vm)


def halt(vm: Vm) -> None:
    """Power is gone."""
    vm.power = "poweredOff"
    vm.booted = False
    vm.guest_ip = None
    vm.question = None
    vm.boots += 1


def power_off(world: World, vcenter: VCenter, vm: Vm) -> Task:
    """PowerOffVM_Task.

    Raises:
        VimFault: InvalidPowerState at once.
    """
    with world.lock:
        if vm.power == "poweredOff":
            raise invalid_power(vm, "poweredOff")

        def work() -> None:
            halt(vm)

        return start_task(world, vcenter, "PowerOffVM", vm.moref, work, POWER_TIME)


def shutdown_guest(world: World, vcenter: VCenter, vm: Vm) -> None:
    """ShutdownGuest, returns at once; ToolsUnavailable when tools do not run."""
    with world.lock:
        if vm.moref not in vcenter.vms:
            raise VimFault("ManagedObjectNotFound", "The object has already been deleted.", obj=vm.moref)
        if vm.power == "poweredOff":
            raise invalid_power(vm, "poweredOn")
        if not vm.booted:
            raise VimFault(
                "ToolsUnavailable", "Cannot complete operation because VMware Tools is not running."
            )
        boot = vm.boots

        def down() -> None:
            if vm.boots == boot:
                halt(vm)

        world.after(SHUTDOWN_TIME, down)


# --- guests ---------------------------------------------------------------------------------------


def _system_disk(world: World, vcenter: VCenter, vm: Vm) -> tuple[Volume, str] | None:
    """The volume and path of the flat file that holds the guest's settings."""
    if not vm.disks or not vm.disks[min(vm.disks)].startswith("["):
        return None
    label, file = split_path(vm.disks[min(vm.disks)])
    datastore = find_datastore(vcenter, label)
    volume = backing_volume(world, datastore) if datastore else None
    return (volume, file.removesuffix(".vmdk") + "-flat.vmdk") if volume else None


def disk_address(world: World, vcenter: VCenter, vm: Vm) -> str | None:
    """The address that the guest has on its disk."""
    found = _system_disk(world, vcenter, vm)
    if found is None:
        return None
    text = found[0].files.get(found[1], "")
    return text.partition("address = ")[2].strip() or None


def check_login(world: World, vm: Vm, username: str, password: str) -> None:
    """InvalidGuestLogin, GuestOperationsUnavailable or nothing."""
    with world.lock:
        if vm.power != "poweredOn" or not vm.booted:
            raise VimFault("GuestOperationsUnavailable", "The guest operations agent could not be contacted.")
        if world.estate.guest_login not in (None, (username, password)):
            raise VimFault("InvalidGuestLogin", "Failed to authenticate with the guest operating system.")


def set_guest_ip(world: World, vm: Vm, address: str) -> None:
    """The guest takes another address (what a command run inside it did); it is on the disk from then on.

    Raises:
        VimFault: GuestOperationsUnavailable, InvalidArgument (not an address).
    """
    with world.lock:
        if not vm.booted:
            raise VimFault("GuestOperationsUnavailable", "The guest operations agent could not be contacted.")
        try:
            vm.guest_ip = str(ip_address(address))
        except ValueError:
            raise VimFault("InvalidArgument", f"not an address: {address}") from None
        found = _system_disk(world, world.estate.vcenters[vm.vcenter], vm)
        if found:
            found[0].files[found[1]] = f"address = {vm.guest_ip}\n"
        world.touch()
