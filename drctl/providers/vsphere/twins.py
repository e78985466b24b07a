"""Twins: running machines that have a MAC address of another machine on the same network.

Most machines never change, and devices are dear to read: the cards of a machine are kept with the
version of its configuration, and only the machines on the networks in question are looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from drctl.providers.vsphere import entries, reads
from drctl.providers.vsphere.client import Row, Vsphere
from drctl.providers.vsphere.model import PlugSeen, TwinSeen

LOOK: Final = ("config.changeVersion", "name", "network", "runtime.powerState")
CARDS: Final = ("config.changeVersion", "config.hardware.device", "runtime.powerState")


def find(client: Vsphere, starting: Sequence[Row]) -> dict[str, tuple[TwinSeen, ...]]:
    """Return the twins of machines that are to be started, by their ids; those without any are left out.

    It costs one request for all machines of the vCenter, and one for those whose cards are not known yet.
    """
    if not starting:
        return {}
    every = {row.id: row for row in client.rows("VirtualMachine", LOOK)}
    wanted = [every[row.id] for row in starting if row.id in every]
    near = _near(wanted, every.values())
    found = _compare(wanted, near, _plugs(client, [*wanted, *near]))
    if found:  # a guest may have let go of a card since, which changes no version
        _forget(client, [*wanted, *near])
        found = _compare(wanted, near, _plugs(client, [*wanted, *near]))
    return _named(client, found)


def _near(wanted: Sequence[Row], every: Iterable[Row]) -> list[Row]:
    """Return the running machines that share a network with one of these."""
    networks = {key for row in wanted for key in _networks(row)}
    return [
        row
        for row in every
        if row.text("runtime.powerState") == "poweredOn" and not networks.isdisjoint(_networks(row))
    ]


def _networks(row: Row) -> set[str]:
    return {reads.identity(one) for one in row.values.get("network") or ()}


def _version(row: Row) -> tuple[str, str]:
    return row.text("config.changeVersion"), row.text("runtime.powerState")


def _forget(client: Vsphere, rows: Iterable[Row]) -> None:
    for row in rows:
        client.plugs.pop(row.id, None)


def _plugs(client: Vsphere, rows: Sequence[Row]) -> Mapping[str, tuple[PlugSeen, ...]]:
    """Return the connected cards of each machine, reading those whose configuration is not known."""
    known = {row.id: client.plugs.get(row.id) for row in rows}
    fresh = {key for row in rows if (key := row.id) and (known[key] or ("",))[0] != _version(row)}
    seen = {key: plugs[1] for key, plugs in known.items() if plugs is not None and key not in fresh}
    for row in client.rows_of("VirtualMachine", fresh, CARDS):
        seen[row.id] = tuple(_connected(row))
        client.plugs[row.id] = (_version(row), seen[row.id])
    return seen


def _connected(row: Row) -> Iterable[PlugSeen]:
    running = row.text("runtime.powerState") == "poweredOn"
    for card in entries.devices(row, "VirtualEthernetCard"):
        link = card.connectable
        if link is None or (link.connected if running else link.startConnected):
            yield PlugSeen(entries.label(card), str(card.macAddress or "").lower(), *_network(card.backing))


def _network(backing: Any) -> tuple[str, str]:
    """Return what tells a card's network from others, and its name where the card knows it."""
    port = getattr(backing, "port", None)
    if port is not None:
        return f"{port.switchUuid}/{port.portgroupKey}", ""
    name = str(getattr(backing, "deviceName", None) or "")
    return reads.identity(getattr(backing, "network", None)) or name, name


def _compare(
    wanted: Sequence[Row], near: Sequence[Row], plugs: Mapping[str, tuple[PlugSeen, ...]]
) -> dict[str, tuple[TwinSeen, ...]]:
    taken: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in near:
        for plug in plugs.get(row.id, ()):
            taken[plug.network, plug.mac].append(row)
    found = {
        row.id: tuple(
            TwinSeen(other.text("name"), other.id, plug.mac, plug.label, plug.network, plug.name)
            for plug in plugs.get(row.id, ())
            for other in taken.get((plug.network, plug.mac), ())
            if plug.mac and plug.network and other.id != row.id
        )
        for row in wanted
    }
    return {key: twins for key, twins in found.items() if twins}


def _named(client: Vsphere, found: dict[str, tuple[TwinSeen, ...]]) -> dict[str, tuple[TwinSeen, ...]]:
    """Give distributed portgroups their names, which a card does not know; read only when there are any."""
    if all(twin.network_name for twins in found.values() for twin in twins):
        return found
    names = {f"{one.switch}/{one.key}": one.name for one, _ in reads.read_networks(client).values()}
    return {
        key: tuple(twin.on(twin.network_name or names.get(twin.network, "")) for twin in twins)
        for key, twins in found.items()
    }
