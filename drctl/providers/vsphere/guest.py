"""Inside the guest: addresses, set by commands that VMware Tools run and read back from their report."""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field as Limits
from pydantic import JsonValue, field_validator

from drctl.core.action import (
    Action,
    Change,
    Control,
    Field,
    Handle,
    Missing,
    NotExercised,
    ObjectRef,
    Recipe,
    Reversibility,
)
from drctl.core.bubble import Bubble
from drctl.core.problem import Problem, ProviderError
from drctl.core.secret import Secret
from drctl.providers.vsphere import entries, reads
from drctl.providers.vsphere.arguments import Disposable, VmName
from drctl.providers.vsphere.client import Vsphere
from drctl.providers.vsphere.faults import refuse
from drctl.providers.vsphere.model import GuestState

if TYPE_CHECKING:
    from drctl.providers.vsphere.session import Wire

POLL = 2.0
"""Seconds between two looks at the command in the guest."""

LINUX = """\
set -e
for link in /sys/class/net/*; do
  if [ "$(cat "$link/address" 2>/dev/null)" = {mac} ]; then dev="${{link##*/}}"; fi
done
test -n "$dev"
con=""
if command -v nmcli >/dev/null; then con="$(nmcli -g GENERAL.CONNECTION device show "$dev")"; fi
if [ -n "$con" ]; then
  nmcli connection modify "$con" ipv4.method manual ipv4.addresses {address} ipv4.gateway {gateway} ipv4.dns {dns}
  nmcli connection up "$con"
else
  ip -4 address flush dev "$dev" scope global
  ip address add {address} dev "$dev"
  ip link set "$dev" up
  {route}
fi
exit 0
"""
"""Found by MAC, because the kernel's name may differ from the source's; NetworkManager keeps the
setting over a reboot, plain ``ip`` does not."""

WINDOWS = """\
$ErrorActionPreference = 'Stop'
$name = (Get-NetAdapter | Where-Object MacAddress -eq '{mac}').Name
if (-not $name) {{ exit 3 }}
netsh interface ipv4 set address name="$name" static {ip} {mask}{gateway}
if ($LASTEXITCODE) {{ exit $LASTEXITCODE }}
{dns}"""


class SetIp(Action[Vsphere, GuestState]):
    """Give a guest's network card an address, by commands inside the guest.

    Never by customisation with sysprep: that changes a Windows machine's identity and breaks its
    membership of the domain. The account needs the right to configure the network. Going back leaves a
    ``disposable`` VM, a drill's copy, as it is.
    """

    name: ClassVar[str] = "vsphere.vm.set_ip"
    reversibility: ClassVar[Reversibility] = Reversibility.REVERSIBLE
    state: ClassVar[type] = GuestState
    output_names: ClassVar[frozenset[str]] = frozenset({"ip"})

    vm: VmName
    adapter: str = Limits(description="The network card, by its label, e.g. `Network adapter 1`.")
    ip: str = Limits(description="The IPv4 address it gets.")
    prefix: Annotated[int, Limits(ge=1, le=32)] = Limits(description="Length of the network prefix, e.g. 24.")
    gateway: str | None = Limits(None, description="Default gateway of the guest; default left as it is.")
    dns: tuple[str, ...] = Limits(
        (), description="Name servers of the guest, in order; default left as they are."
    )
    username: str = Limits(description="The account in the guest that may configure the network.")
    password: Secret = Limits(description="That account's password, as a reference.")
    disposable: Disposable = False

    @field_validator("ip", "gateway")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None:
            ipaddress.IPv4Address(value)
        return value

    @field_validator("dns")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            ipaddress.ip_address(one)
        return value

    @property
    def address(self) -> str:
        """Return ``address/prefix``."""
        return f"{self.ip}/{self.prefix}"

    def touches(self) -> frozenset[ObjectRef]:
        """Name the guest's address."""
        return frozenset({ObjectRef("guest-ip", self.vm)})

    def read(self, client: Vsphere) -> GuestState:
        """Read what VMware Tools report of the card."""
        return reads.only(self.read_many([self], client))

    @classmethod
    def read_many(cls, actions: Sequence[Self], client: Vsphere) -> list[GuestState | ProviderError]:
        """Read the VMs once for all."""
        look_up = entries.vms_named(client, [one.vm for one in actions], entries.GUEST)
        return [
            reads.outcome(lambda one: entries.guest(look_up(one.vm), one.adapter), one) for one in actions
        ]

    def diff(self, now: GuestState) -> Change | None:
        """Compare address, gateway and name servers, each where it was asked for and is reported."""
        self._need(now)
        fields = []
        if self.address not in now.addresses and self.ip not in now.addresses:
            fields.append(Field("ip", ", ".join(now.addresses) or None, self.address))
        if self.gateway and now.gateways and self.gateway not in now.gateways:
            fields.append(Field("gateway", ", ".join(now.gateways), self.gateway))
        if self.dns and now.dns and set(self.dns) - set(now.dns):
            fields.append(Field("dns", ", ".join(now.dns), ", ".join(self.dns)))
        if not fields:
            return None
        return Change(f"set {self.adapter} of {self.vm} to {self.address}", tuple(fields))

    def _need(self, now: GuestState) -> None:
        vm = ObjectRef("vm", self.vm)
        if not now.found:
            raise Missing(vm, f"VM {self.vm} is not registered")
        if now.power != "poweredOn":
            raise Missing(vm, f"{self.vm} is not running: an address is set inside the running guest")
        if now.tools != "guestToolsRunning":
            raise Missing(vm, f"VMware Tools do not run in {self.vm} (yet)")
        if self.adapter not in now.labels:
            raise refuse(
                "no-network-card",
                f"{self.vm} has no card {self.adapter!r}",
                f"It has {', '.join(now.labels) or 'none'}.",
                "Correct `adapter`.",
            )

    def find_running(self, client: Vsphere, since: datetime) -> Handle | None:
        """Return None: the commands in the guest end by themselves and may be given twice."""
        return None

    def apply(self, client: Vsphere, change: Change, control: Control) -> None:
        """Run the command in the guest and wait until it ended well and the address is reported."""
        now = self.read(client)
        if self.diff(now) is None:
            return
        program, arguments = self.command(now)
        auth = _Guest(client, now.moref, self.username, self.password.reveal())
        auth.check(self.vm)
        control.progress(f"setting {self.address} inside {self.vm}")
        process = auth.start(self.vm, program, arguments)
        control.handle(Handle("guest-process", str(process), f"{program} in {self.vm}"))
        self._wait_for_exit(auth, process, control)
        self._wait_for_report(client, now.moref, control)

    def command(self, now: GuestState) -> tuple[str, str]:
        """Return program and arguments that set the address in this guest."""
        if now.family.lower().startswith("windows"):
            return r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe", self._windows(now)
        if now.family.lower().startswith("linux"):
            return "/bin/sh", f"-c {shlex.quote(self._linux(now))}"
        raise refuse(
            "guest-unknown",
            f"{self.vm}: no way is known to set an address in a {now.family or 'guest that does not say what it is'}",
            hint="Set it by hand (a manual step), or by ssh.run.",
        )

    def _linux(self, now: GuestState) -> str:
        route = f"ip route replace default via {self.gateway}" if self.gateway else ":"
        return LINUX.format(
            mac=now.mac.lower(),
            address=self.address,
            gateway=self.gateway or "''",
            dns=shlex.quote(",".join(self.dns)),
            route=route,
        )

    def _windows(self, now: GuestState) -> str:
        mask = ipaddress.IPv4Network(f"0.0.0.0/{self.prefix}").netmask
        servers = [
            f'netsh interface ipv4 {"set dnsservers" if first else "add dnsservers"} name="$name" '
            + (f"static {one} validate=no" if first else f"{one} validate=no")
            for first, one in ((index == 0, one) for index, one in enumerate(self.dns))
        ]
        script = WINDOWS.format(
            mac=now.mac.upper().replace(":", "-"),
            ip=self.ip,
            mask=mask,
            gateway=f" {self.gateway}" if self.gateway else "",
            dns="\n".join([*servers, "exit $LASTEXITCODE"]),
        )
        line = "; ".join(script.splitlines()).replace('"', '\\"')
        return f'-NoProfile -NonInteractive -Command "{line}"'

    def _wait_for_exit(self, auth: _Guest, process: int, control: Control) -> None:
        while True:
            code = auth.exit_code(self.vm, process)
            if code == 0:
                return
            if code is not None:
                raise refuse(
                    "guest-command-failed",
                    f"{self.vm}: the command that sets {self.address} ended with {code}",
                    "The account may lack the right to configure the network, or the card was not found by its MAC.",
                    f"Look inside {self.vm}; its card should be {self.adapter}.",
                )
            if control.remaining() <= 0:
                raise _unproven(
                    f"{self.vm}: the command that sets {self.address} has not ended", auth.endpoint
                )
            control.sleep(POLL)

    def _wait_for_report(self, client: Vsphere, moref: str, control: Control) -> None:
        """VMware Tools report addresses some seconds late."""

        def judge(watch: Any) -> bool | None:
            nets = watch.value(moref, "guest.net") or ()
            told = {str(one) for net in nets for one in net.ipAddress or ()}
            return True if self.ip in told else None

        client.wait(
            {("VirtualMachine", moref): ("guest.net",)},
            judge,
            control,
            lambda: _unproven(f"{self.vm} does not report {self.ip}", client.endpoint.name),
        )

    def outputs(self, now: GuestState) -> Mapping[str, JsonValue]:
        """Return the address."""
        return {"ip": self.ip}

    def foresee(self) -> Mapping[str, JsonValue]:
        """Return the address, which is certain."""
        return {"ip": self.ip}

    def undo(self, before: GuestState, change: Change) -> Recipe | None:
        """Set the address it had, when it is known with its prefix."""
        known = [one for one in before.addresses if "/" in one and ":" not in one]
        if self.disposable or not known:
            return None
        ip, _, prefix = known[0].partition("/")
        arguments: dict[str, JsonValue] = {
            "vm": self.vm,
            "adapter": self.adapter,
            "ip": ip,
            "prefix": int(prefix),
            "gateway": next((one for one in before.gateways if ":" not in one), None),
            "dns": list(before.dns),
            "username": self.username,
            "password": {self.password.kind: self.password.place},
        }
        return Recipe(self.name, arguments)

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Set the same address, inside the copy."""
        arguments = self.model_dump(mode="json", exclude_unset=True)
        inside = {
            "vm": bubble.vm(self.vm),
            "password": {self.password.kind: self.password.place},
            "disposable": True,
        }
        return Recipe(self.name, arguments | inside)


class _Guest:
    """Guest operations on one VM; the password lives as long as this."""

    def __init__(self, client: Vsphere, moref: str, username: str, password: str) -> None:
        self._client = client
        self._moref = moref
        self._login = (username, password)
        self.endpoint = client.endpoint.name

    def _auth(self, wire: Wire) -> Any:
        username, password = self._login
        return wire.vim.vm.guest.NamePasswordAuthentication(
            username=username, password=password, interactiveSession=False
        )

    def _managers(self, wire: Wire) -> tuple[Any, Any]:
        """Return the guest's auth and process managers by one read of their references."""
        query = wire.vmodl.query.PropertyCollector
        spec = query.FilterSpec(
            objectSet=[query.ObjectSpec(obj=wire.content.guestOperationsManager)],
            propSet=[
                query.PropertySpec(
                    type=wire.vim.vm.guest.GuestOperationsManager, pathSet=["authManager", "processManager"]
                )
            ],
        )
        found = wire.content.propertyCollector.RetrievePropertiesEx([spec], query.RetrieveOptions())
        values = {one.name: one.val for one in found.objects[0].propSet}
        return values["authManager"], values["processManager"]

    def check(self, vm: str) -> None:
        """Try the credentials; raise ``ProviderError`` before anything is changed."""

        def call(wire: Wire) -> None:
            self._managers(wire)[0].ValidateCredentialsInGuest(
                wire.ref("VirtualMachine", self._moref), self._auth(wire)
            )

        self._client.read(f"logging in to the guest of {vm}", call)

    def start(self, vm: str, program: str, arguments: str) -> int:
        """Start a program and return its process id."""

        def call(wire: Wire) -> Any:
            spec = wire.vim.vm.guest.ProcessManager.ProgramSpec(programPath=program, arguments=arguments)
            target = wire.ref("VirtualMachine", self._moref)
            return self._managers(wire)[1].StartProgramInGuest(target, self._auth(wire), spec)

        return int(self._client.change(f"running {program} in {vm}", call))

    def exit_code(self, vm: str, process: int) -> int | None:
        """Return how the program ended, None while it runs or once the guest forgot it well."""

        def call(wire: Wire) -> Any:
            target = wire.ref("VirtualMachine", self._moref)
            return self._managers(wire)[1].ListProcessesInGuest(target, self._auth(wire), [process])

        for one in self._client.read(f"looking at process {process} in {vm}", call) or ():
            if one.pid == process and one.endTime is not None:
                return int(one.exitCode or 0)
        return None


def _unproven(summary: str, endpoint: str) -> ProviderError:
    return ProviderError(
        Problem(
            code="guest-unproven",
            summary=summary,
            detail="The command was given; whether the guest took the address is not known.",
            hint="Read it again: drctl verify.",
            endpoint=endpoint,
        ),
        effect_unknown=True,
    )
