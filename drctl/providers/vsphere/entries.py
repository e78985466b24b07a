"""Bulk reads of virtual machines, turned into plain data.

pyVmomi's objects are ``Any`` here and stay here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from drctl.providers.vsphere import reads
from drctl.providers.vsphere.client import Row, Vsphere
from drctl.providers.vsphere.model import DiskSeen, GuestState, PowerState, RegisteredVm

ENTRY: Final = (
    "name",
    "runtime.connectionState",
    "runtime.powerState",
    "summary.config.template",
    "summary.config.vmPathName",
)
DETAIL: Final = ("config.annotation", "config.extraConfig", "config.hardware.device")
POWER: Final = (
    "guest.toolsRunningStatus",
    "name",
    "runtime.connectionState",
    "runtime.powerState",
    "runtime.question",
    "summary.config.vmPathName",
)
GUEST: Final = (
    "config.hardware.device",
    "guest.guestFamily",
    "guest.guestOperationsReady",
    "guest.ipStack",
    "guest.net",
    "guest.toolsRunningStatus",
    "name",
    "runtime.powerState",
)


def vms_named(client: Vsphere, names: Iterable[str], paths: Sequence[str]) -> Callable[[str], Row | None]:
    """Read VMs by name; the look-up returned raises ``ProviderError`` for a name borne twice.

    Ids seen before are asked for at once, one request; the names of all VMs are read only when a
    name is new or its VM is gone or renamed.
    """
    wanted = set(names)
    found: dict[str, list[Row]] = {}
    hinted = {key: name for name in wanted if (key := client.hint(name)) is not None}
    for row in client.rows_of("VirtualMachine", hinted, paths):
        if row.text("name") == hinted[row.id]:
            found.setdefault(hinted[row.id], []).append(row)
    if wanted - found.keys():
        found.clear()
        every = client.rows("VirtualMachine", ["name"])
        keys = [row.id for row in every if row.text("name") in wanted]
        for row in client.rows_of("VirtualMachine", keys, paths):
            found.setdefault(row.text("name"), []).append(row)
    for name in wanted:
        rows = found.get(name, [])
        client.remember(name, rows[0].id if len(rows) == 1 else None)

    def look_up(name: str) -> Row | None:
        rows = found.get(name, [])
        if len(rows) > 1:
            raise reads.ambiguous("VM", name, [row.id for row in rows])
        return rows[0] if rows else None

    return look_up


def each_named(
    client: Vsphere, names: Sequence[str], paths: Sequence[str], make: Callable[[Row | None], Any]
) -> list[Any]:
    """Return one state per name, made from its row; an ambiguous name becomes its error."""
    look_up = vms_named(client, names, paths)

    def compose(name: str) -> Any:
        return make(look_up(name))

    return [reads.outcome(compose, name) for name in names]


def entry(row: Row) -> RegisteredVm:
    """Return a VM's entry without details."""
    return RegisteredVm(
        name=row.text("name"),
        moref=row.id,
        path=row.text("summary.config.vmPathName"),
        power=row.text("runtime.powerState"),
        connection=row.text("runtime.connectionState"),
        template=row.flag("summary.config.template"),
    )


def power(row: Row | None) -> PowerState:
    """Return whether a VM runs."""
    if row is None:
        return PowerState(found=False)
    question = row.values.get("runtime.question")
    return PowerState(
        moref=row.id,
        power=row.text("runtime.powerState"),
        tools=row.text("guest.toolsRunningStatus"),
        connection=row.text("runtime.connectionState"),
        question=str(question.text).strip() if question is not None else "",
        path=row.text("summary.config.vmPathName"),
    )


def option(row: Row, key: str) -> str:
    """Return one key of extraConfig, empty when unset."""
    for option in row.values.get("config.extraConfig") or ():
        if option.key == key:
            return str(option.value)
    return ""


def devices(row: Row, kind: str) -> list[Any]:
    """Return the devices whose pyVmomi class, or one of its bases, ends in ``kind``."""
    return [
        device
        for device in row.values.get("config.hardware.device") or ()
        if any(base.__name__.endswith(f".{kind}") for base in type(device).__mro__)
    ]


def label(device: Any) -> str:
    """Return a device's label, e.g. ``Network adapter 1``."""
    info = device.deviceInfo
    return str(info.label) if info is not None else f"device {device.key}"


def disks(row: Row, known: Mapping[str, bool]) -> tuple[DiskSeen, ...]:
    """Return the virtual disks; one on a datastore that is not ``known`` is unresolved."""
    found = []
    for device in devices(row, "VirtualDisk"):
        path = str(getattr(device.backing, "fileName", None) or "")
        if path:  # raw device mappings to a LUN of another array have their own error at power-on
            found.append(DiskSeen(device.key, label(device), path, reads.split_path(path)[0] in known))
    return tuple(found)


def image(row: Row, known: Mapping[str, bool]) -> DiskSeen | None:
    """Return the ISO image in the VM's drive; unresolved when its datastore is unknown or not accessible."""
    for device in devices(row, "VirtualCdrom"):
        path = str(getattr(device.backing, "fileName", None) or "")
        if path:
            return DiskSeen(device.key, label(device), path, known.get(reads.split_path(path)[0], False))
    return None


def guest(row: Row | None, adapter: str) -> GuestState:
    """Return one card's addresses as the guest reports them."""
    if row is None:
        return GuestState(found=False)
    cards = {label(device): device for device in devices(row, "VirtualEthernetCard")}
    card = cards.get(adapter)
    mac = str(card.macAddress or "") if card is not None else ""
    nets = [net for net in row.values.get("guest.net") or () if card is not None and _is(net, card)]
    return GuestState(
        moref=row.id,
        power=row.text("runtime.powerState"),
        tools=row.text("guest.toolsRunningStatus"),
        ready=row.flag("guest.guestOperationsReady"),
        family=row.text("guest.guestFamily"),
        labels=tuple(cards),
        mac=mac,
        addresses=tuple(address for net in nets for address in _addresses(net)),
        gateways=tuple(_gateways(row.values.get("guest.ipStack"))),
        dns=tuple(server for net in nets for server in _servers(net)),
    )


def _is(net: Any, card: Any) -> bool:
    return bool(
        net.deviceConfigId == card.key or (net.macAddress or "").lower() == (card.macAddress or "?").lower()
    )


def _addresses(net: Any) -> list[str]:
    configured = net.ipConfig.ipAddress if net.ipConfig is not None else None
    if configured:
        return [f"{one.ipAddress}/{one.prefixLength}" for one in configured]
    return [str(one) for one in net.ipAddress or ()]


def _servers(net: Any) -> list[str]:
    return [str(one) for one in net.dnsConfig.ipAddress or ()] if net.dnsConfig is not None else []


def _gateways(stacks: Any) -> list[str]:
    return [
        str(route.gateway.ipAddress)
        for stack in stacks or ()
        if stack.ipRouteConfig is not None
        for route in stack.ipRouteConfig.ipRoute or ()
        if route.network in ("0.0.0.0", "::") and route.gateway is not None and route.gateway.ipAddress  # noqa: S104 - the default route
    ]
