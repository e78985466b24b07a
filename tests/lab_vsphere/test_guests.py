"""Programs inside guests, the files they leave, and the addresses they set."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from pyVmomi import vim, vmodl
from vcenter_client import Client, named

from drctl.lab.vsphere.programs import Guest, run
from drctl.lab.world import World

LINUX = Guest("ris-db01", windows=False, address="192.0.2.5", macs=("00:50:56:00:00:01",))
WINDOWS = Guest("pacs-win01", windows=True, address="192.0.2.6", macs=("00:50:56:00:00:02",))


class Inside:
    """A guest as its operators reach it."""

    def __init__(self, client: Client, content: Any, name: str) -> None:
        self.client = client
        self.vm = named(content, vim.VirtualMachine, name)
        self.guests = content.guestOperationsManager
        login = client.world.estate.guest_login
        assert login is not None
        self.auth = vim.vm.guest.NamePasswordAuthentication(
            username=login[0], password=login[1], interactiveSession=False
        )

    def run(self, program: str, arguments: str) -> int:
        """Run a program to its end; return its exit code."""
        spec = vim.vm.guest.ProcessManager.ProgramSpec(programPath=program, arguments=arguments)
        processes = self.guests.processManager
        pid = processes.StartProgramInGuest(self.vm, self.auth, spec)
        (seen,) = processes.ListProcessesInGuest(self.vm, self.auth, [pid])
        while seen.exitCode is None:
            self.client.world.advance(1)
            (seen,) = processes.ListProcessesInGuest(self.vm, self.auth, [pid])
        assert seen.endTime >= seen.startTime
        return int(seen.exitCode)

    def read(self, path: str) -> bytes:
        """Return a file of the guest."""
        url = self.guests.fileManager.InitiateFileTransferFromGuest(self.vm, self.auth, path).url
        parts = urlsplit(url)
        assert (parts.hostname, parts.port) == (self.client.host, self.client.port)
        status, content = self.client.get(f"{parts.path}?{parts.query}")
        assert status == 200
        assert self.client.get(f"{parts.path}?{parts.query}")[0] == 404  # good once
        return content


def test_a_linux_guest_takes_an_address_and_shows_it(paris: Client, content: Any):
    inside = Inside(paris, content, "ris-db01")
    code = inside.run("/bin/sh", "-c 'ip addr replace 192.0.2.77/24 dev eth0 && ip -4 addr show > /tmp/seen'")
    assert code == 0
    assert inside.vm.guest.ipAddress == "192.0.2.77"
    assert [list(net.ipAddress) for net in inside.vm.guest.net] == [["192.0.2.77"]]
    assert b"inet 192.0.2.77/24" in inside.read("/tmp/seen")
    assert paris.calls() == [("StartProgramInGuest", "ris-db01")]


def test_a_windows_guest_takes_an_address(paris: Client, content: Any):
    inside = Inside(paris, content, "pacs-win01")
    arguments = 'interface ip set address name="Ethernet0" static 192.0.2.78 255.255.255.0 192.0.2.1'
    assert inside.run(r"C:\Windows\System32\netsh.exe", arguments) == 0
    assert inside.vm.guest.ipAddress == "192.0.2.78"
    assert inside.vm.guest.guestFamily == "windowsGuest"


def test_an_address_survives_a_restart(paris: Client, world: World, content: Any):
    inside = Inside(paris, content, "ris-db01")
    inside.run("/usr/bin/nmcli", "connection modify eth0 ipv4.addresses 192.0.2.79/24")
    inside.vm.PowerOff()
    assert world.wait(lambda: paris.vm("ris-db01").power == "poweredOff")
    inside.vm.PowerOn()
    assert world.wait(lambda: paris.vm("ris-db01").booted)
    assert inside.vm.guest.ipAddress == "192.0.2.79"


def test_a_wrong_password_is_refused_by_the_guest(paris: Client, content: Any):
    inside = Inside(paris, content, "ris-db01")
    inside.guests.authManager.ValidateCredentialsInGuest(inside.vm, inside.auth)
    inside.auth.password = "wrong"
    with pytest.raises(vim.fault.InvalidGuestLogin):
        inside.guests.authManager.ValidateCredentialsInGuest(inside.vm, inside.auth)
    with pytest.raises(vim.fault.InvalidGuestLogin):
        inside.run("/bin/true", "")


def test_only_names_and_passwords_open_a_guest(paris: Client, content: Any):
    inside = Inside(paris, content, "ris-db01")
    with pytest.raises(vmodl.fault.InvalidArgument):
        inside.guests.authManager.ValidateCredentialsInGuest(
            inside.vm, vim.vm.guest.SAMLTokenAuthentication(token="t", interactiveSession=False)
        )


def test_a_guest_without_tools_runs_nothing(paris: Client, world: World, content: Any):
    inside = Inside(paris, content, "ris-db01")
    inside.vm.PowerOff()
    assert world.wait(lambda: paris.vm("ris-db01").power == "poweredOff")
    with pytest.raises(vim.fault.GuestOperationsUnavailable):
        inside.run("/bin/true", "")


def test_a_program_or_file_that_is_not_there(paris: Client, content: Any):
    inside = Inside(paris, content, "ris-db01")
    with pytest.raises(vim.fault.FileNotFound) as caught:
        inside.run("/usr/local/bin/unheard-of", "")
    assert caught.value.file == "/usr/local/bin/unheard-of"
    with pytest.raises(vim.fault.FileNotFound):
        inside.read("/tmp/nothing")
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        inside.guests.authManager.ValidateCredentialsInGuest(
            vim.VirtualMachine("vm-0", content.rootFolder._stub), inside.auth
        )


def test_temporary_files_come_and_go(paris: Client, content: Any):
    inside = Inside(paris, content, "ris-db01")
    files = inside.guests.fileManager
    path = files.CreateTemporaryFileInGuest(inside.vm, inside.auth, "drctl-", ".out", "")
    assert path.startswith("/tmp/drctl-")
    inside.run("/bin/sh", f"-c 'hostname > {path}'")
    assert inside.read(path) == b"ris-db01\n"
    files.DeleteFileInGuest(inside.vm, inside.auth, path)
    with pytest.raises(vim.fault.FileNotFound):
        files.DeleteFileInGuest(inside.vm, inside.auth, path)


@pytest.mark.parametrize(
    ("guest", "program", "arguments", "address"),
    [
        (LINUX, "/sbin/ip", "addr add 192.0.2.9/24 dev ens192", "192.0.2.9"),
        (LINUX, "/bin/sh", "-c 'ip -4 address replace 192.0.2.9/24 dev ens192'", "192.0.2.9"),
        (
            LINUX,
            "/bin/bash",
            '-lc "nmcli con mod eth0 ipv4.method manual ipv4.addresses 192.0.2.9/24"',
            "192.0.2.9",
        ),
        (LINUX, "/sbin/ifconfig", "eth0 192.0.2.9 netmask 255.255.255.0", "192.0.2.9"),
        (LINUX, "/sbin/ip", "addr show", None),
        (LINUX, "/bin/sh", "-c 'false && ip addr replace 192.0.2.9/24 dev eth0'", None),
        (LINUX, "/bin/sh", "-c 'false || ip addr replace 192.0.2.9/24 dev eth0'", "192.0.2.9"),
        (
            WINDOWS,
            r"C:\Windows\System32\cmd.exe",
            '/c "netsh interface ipv4 set address name=\\"Ethernet0\\" source=static address=192.0.2.9 mask=255.255.255.0"',
            "192.0.2.9",
        ),
        (
            WINDOWS,
            r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe",
            "-Command New-NetIPAddress -InterfaceAlias Ethernet0 -IPAddress 192.0.2.9 -PrefixLength 24",
            "192.0.2.9",
        ),
    ],
)
def test_programs_that_set_addresses(guest: Guest, program: str, arguments: str, address: str | None):
    outcome = run(guest, program, arguments)
    assert outcome is not None
    assert outcome.address == address


@pytest.mark.parametrize(
    ("guest", "program", "arguments", "code"),
    [
        (LINUX, "/bin/sh", "-c 'netsh interface ip set address'", 127),
        (LINUX, "/bin/sh", "-c 'exit 3'", 3),
        (LINUX, "/bin/sh", "-c 'false; true'", 0),
        (LINUX, "/bin/sh", "-c 'unclosed", 1),
        (LINUX, "/bin/false", "", 1),
        (WINDOWS, r"C:\Windows\System32\cmd.exe", "/c ip addr show", 1),
        (WINDOWS, r"C:\Windows\System32\cmd.exe", "", 1),
    ],
)
def test_exit_codes(guest: Guest, program: str, arguments: str, code: int):
    outcome = run(guest, program, arguments)
    assert outcome is not None
    assert outcome.code == code


def test_programs_of_the_other_system_are_not_there():
    assert run(LINUX, r"C:\Windows\System32\netsh.exe", "") is None
    assert run(WINDOWS, "/bin/sh", "-c true") is None
