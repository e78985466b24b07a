"""Guest operations: programs run inside a VM through its tools, and files read out of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import uuid4

from drctl.lab import machines
from drctl.lab.model import Vm
from drctl.lab.vsphere import tree
from drctl.lab.vsphere.programs import Guest, Outcome, run
from drctl.lab.vsphere.properties import Table
from drctl.lab.vsphere.scope import Center, Kind, Methods, Program, Scope
from drctl.lab.vsphere.soap import Call
from drctl.lab.vsphere.values import Fault, Obj, Ref, Value, items, obj
from drctl.lab.vsphere.vms import vm_of

_RUN_TIME: Final = 1.0
"""Estate seconds a program takes."""

_PARTS: Final[Mapping[str, Ref]] = {
    "authManager": Ref("GuestAuthManager", "guestOperationsAuthManager"),
    "fileManager": Ref("GuestFileManager", "guestOperationsFileManager"),
    "processManager": Ref("GuestProcessManager", "guestOperationsProcessManager"),
}
"""Field of GuestOperationsManager to the object."""


def _guest(scope: Scope, call: Call) -> Vm:
    """Return the VM, once its tools run and the credentials are right.

    Raises:
        Fault: InvalidArgument for another kind of credentials.
        VimFault: GuestOperationsUnavailable, InvalidGuestLogin.
    """
    vm = vm_of(scope, call.args.ref("vm"))
    auth = call.args.obj("auth") or obj("GuestAuthentication")
    if auth.kind != "NamePasswordAuthentication":
        raise Fault("InvalidArgument", "A specified parameter was not correct: auth", invalidProperty="auth")
    machines.check_login(scope.center.world, vm, auth.text("username"), auth.text("password"))
    return vm


def _validate(scope: Scope, call: Call) -> Value:
    with scope.center.world.lock:
        _guest(scope, call)
        return None


def _start(scope: Scope, call: Call) -> Value:
    """Start a program; its effect on the guest comes when it ends."""
    center = scope.center
    spec = call.args.obj("spec") or obj("GuestProgramSpec")
    with center.world.lock:
        vm = vm_of(scope, call.args.ref("vm"))
        center.record(call.method, vm.name)
        _guest(scope, call)
        seen = Guest(vm.name, vm.windows, vm.guest_ip, tuple(nic.mac for nic in vm.nics))
        program, arguments = spec.text("programPath"), spec.text("arguments")
        outcome = run(seen, program, arguments)
        if outcome is None:
            raise Fault("FileNotFound", f"File {program} was not found", file=program)
        owner = (call.args.obj("auth") or obj("GuestAuthentication")).text("username")
        pid = 2000 + len(center.processes)
        process = Program(pid, vm.moref, owner, f'"{program}" {arguments}'.strip(), center.world.now())
        center.processes[pid] = process
        center.world.after(_RUN_TIME, lambda: _end(center, vm, process, outcome))
        return pid


def _end(center: Center, vm: Vm, process: Program, outcome: Outcome) -> None:
    if not vm.booted:  # the guest died under the program
        process.code = 1
    else:
        process.code = outcome.code
        center.guests.setdefault(vm.moref, {}).update(outcome.files)
        if outcome.address:
            machines.set_guest_ip(center.world, vm, outcome.address)
    process.ended = center.world.now()


def _list(scope: Scope, call: Call) -> Value:
    with scope.center.world.lock:
        vm = _guest(scope, call)
        wanted = [each for each in items(call.args.get("pids")) if isinstance(each, int)]
        found = [each for each in scope.center.processes.values() if each.vm == vm.moref]
        return tuple(_shown(each) for each in found if not wanted or each.pid in wanted)


def _shown(process: Program) -> Obj:
    return obj(
        "GuestProcessInfo",
        name=process.command.split('"')[1].replace("\\", "/").rpartition("/")[2],
        pid=process.pid,
        owner=process.owner,
        cmdLine=process.command,
        startTime=process.began,
        endTime=process.ended,
        exitCode=process.code,
    )


# --- files ----------------------------------------------------------------------------------------


def _read_file(scope: Scope, call: Call) -> Value:
    """Offer a guest's file at a url that works once."""
    center = scope.center
    path = call.args.text("guestFilePath")
    with center.world.lock:
        vm = _guest(scope, call)
        content = center.guests.get(vm.moref, {}).get(path)
        if content is None:
            raise Fault("FileNotFound", f"File {path} was not found", file=path)
        token = uuid4().hex
        center.transfers[token] = content
        return obj(
            "FileTransferInformation",
            attributes=obj("GuestFileAttributes", modificationTime=center.world.now()),
            size=len(content),
            url=f"https://{center.address}:{center.port}/guestFile?id={vm.moref}&token={token}",
        )


def take_transfer(center: Center, token: str) -> bytes | None:
    """Return the file that a transfer's url means; a token is good once."""
    with center.world.lock:
        return center.transfers.pop(token, None)


def _temporary(scope: Scope, call: Call) -> Value:
    args = call.args
    with scope.center.world.lock:
        vm = vm_of(scope, args.ref("vm"))
        scope.center.record(call.method, vm.name)
        _guest(scope, call)
        folder = args.text("directoryPath") or (r"C:\Windows\Temp" if vm.windows else "/tmp")
        name = f"{args.text('prefix')}{uuid4().hex[:8]}{args.text('suffix')}"
        path = f"{folder}{chr(92) if vm.windows else '/'}{name}"
        scope.center.guests.setdefault(vm.moref, {})[path] = b""
        return path


def _delete(scope: Scope, call: Call) -> Value:
    path = call.args.text("filePath")
    with scope.center.world.lock:
        vm = vm_of(scope, call.args.ref("vm"))
        scope.center.record(call.method, vm.name)
        _guest(scope, call)
        if scope.center.guests.get(vm.moref, {}).pop(path, None) is None:
            raise Fault("FileNotFound", f"File {path} was not found", file=path)
        return None


def _part(name: str) -> Table[Center]:
    return Table(lambda scope, moref: scope.center if moref == _PARTS[name].id else None, {})


KINDS: Final[Mapping[str, Kind]] = {
    "GuestOperationsManager": Table[Center](
        lambda scope, moref: scope.center if moref == tree.SINGLETONS["guestOperationsManager"].id else None,
        {
            "authManager": lambda _scope, _center: _PARTS["authManager"],
            "fileManager": lambda _scope, _center: _PARTS["fileManager"],
            "processManager": lambda _scope, _center: _PARTS["processManager"],
        },
    ),
    "GuestAuthManager": _part("authManager"),
    "GuestFileManager": _part("fileManager"),
    "GuestProcessManager": _part("processManager"),
}
"""The managers of guest operations."""

METHODS: Final[Methods] = {
    ("GuestAuthManager", "ValidateCredentialsInGuest"): _validate,
    ("GuestProcessManager", "StartProgramInGuest"): _start,
    ("GuestProcessManager", "ListProcessesInGuest"): _list,
    ("GuestFileManager", "InitiateFileTransferFromGuest"): _read_file,
    ("GuestFileManager", "CreateTemporaryFileInGuest"): _temporary,
    ("GuestFileManager", "DeleteFileInGuest"): _delete,
}
"""What guest operations there are."""
