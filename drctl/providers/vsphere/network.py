"""Network cards: each put on a named network, standard or distributed, its MAC kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field as Limits
from pydantic import JsonValue

from drctl.core.action import (
    Action,
    Change,
    Control,
    Field,
    Missing,
    NotExercised,
    ObjectRef,
    Recipe,
    Reversibility,
)
from drctl.core.bubble import Bubble
from drctl.core.problem import ProviderError
from drctl.providers.vsphere import entries, reads
from drctl.providers.vsphere.arguments import Disposable, VmName
from drctl.providers.vsphere.client import Row, Vsphere
from drctl.providers.vsphere.faults import refuse
from drctl.providers.vsphere.model import NetworkSeen, NicSeen, NicsState

if TYPE_CHECKING:
    from drctl.providers.vsphere.session import Wire

PATHS = ("config.changeVersion", "config.hardware.device", "name", "runtime.host", "runtime.powerState")


class ConnectNetworks(Action[Vsphere, NicsState]):
    """Put network cards, by label, on networks, by name, and connect them.

    A card on a distributed switch of another vCenter has a backing without a name; the new one is
    built from the portgroup's key and its switch's UUID. The MAC address stays. ``others`` is the network
    for cards that are not named; going back leaves a ``disposable`` VM, a drill's copy, as it is.
    """

    name: ClassVar[str] = "vsphere.vm.connect_networks"
    reversibility: ClassVar[Reversibility] = Reversibility.REVERSIBLE
    state: ClassVar[type] = NicsState

    vm: VmName
    networks: Annotated[Mapping[str, str], Limits(min_length=1)] = Limits(
        description="The network of each card, by the card's label, e.g. `{Network adapter 1: dr-200}`."
    )
    others: str | None = Limits(
        None, description="The network of cards that are not named; default left as they are."
    )
    disposable: Disposable = False

    def wanted(self, now: NicsState) -> Mapping[str, str]:
        """Return the network of each card that is to have one, by label."""
        if self.others is None:
            return self.networks
        return {**{nic.label: self.others for nic in now.nics}, **self.networks}

    def touches(self) -> frozenset[ObjectRef]:
        """Name the VM's connection to networks."""
        return frozenset({ObjectRef("nic-network", self.vm)})

    def read(self, client: Vsphere) -> NicsState:
        """Read the VM's cards and the networks of its host."""
        return reads.only(self.read_many([self], client))

    @classmethod
    def read_many(cls, actions: Sequence[Self], client: Vsphere) -> list[NicsState | ProviderError]:
        """Read the VMs and the networks once for all."""
        look_up = entries.vms_named(client, [one.vm for one in actions], PATHS)
        networks = reads.read_networks(client)
        return [reads.outcome(lambda name: _state(look_up(name), networks), one.vm) for one in actions]

    def diff(self, now: NicsState) -> Change | None:
        """Compare each card named with the network wanted."""
        if not now.found:
            raise Missing(ObjectRef("vm", self.vm), f"VM {self.vm} is not registered")
        fields = []
        for label, wanted in self.wanted(now).items():
            nic, network = self._nic(now, label), self._network(now, wanted)
            if nic.moref != network.moref or not nic.connected:
                before = nic.network or "unknown"
                fields.append(Field(label, before if nic.connected else f"{before} (disconnected)", wanted))
        if not fields:
            return None
        return Change(
            f"connect {self.vm}: " + ", ".join(f"{field.name} to {field.after}" for field in fields),
            tuple(fields),
        )

    def _nic(self, now: NicsState, label: str) -> NicSeen:
        for nic in now.nics:
            if nic.label == label:
                return nic
        raise refuse(
            "no-network-card",
            f"{self.vm} has no card {label!r}",
            f"It has {', '.join(nic.label for nic in now.nics) or 'none'}.",
            "Correct the labels under `networks`.",
        )

    def _network(self, now: NicsState, wanted: str) -> NetworkSeen:
        named = [one for one in now.networks if one.name == wanted]
        found = [one for one in named if one.on_host] or named
        if not found:
            raise refuse(
                "no-network",
                f"this vCenter has no network {wanted}",
                f"It has {', '.join(sorted({one.name for one in now.networks})) or 'none'}.",
                "Correct the name under `networks`, or make the portgroup.",
            )
        if len(found) > 1:
            raise reads.ambiguous("network", wanted, [f"{one.kind} {one.moref}" for one in found])
        if not found[0].on_host:
            raise refuse(
                "network-not-on-host",
                f"network {wanted} does not exist on the host of {self.vm}",
                hint="Make the portgroup on that host, or add the host to the distributed switch.",
            )
        return found[0]

    def apply(self, client: Vsphere, change: Change, control: Control) -> None:
        """Reconfigure all cards at once, only if nobody changed the VM since it was read."""
        look_up = entries.vms_named(client, [self.vm], PATHS)
        row = look_up(self.vm)
        now = _state(row, reads.read_networks(client))
        if row is None or self.diff(now) is None:
            return
        wanted = {
            self._nic(now, label).key: self._network(now, network)
            for label, network in self.wanted(now).items()
        }

        def issue(wire: Wire) -> Any:
            return wire.ref("VirtualMachine", row.id).ReconfigVM_Task(_spec(wire, row, wanted))

        client.run(f"connecting {self.vm}", issue, control)

    def undo(self, before: NicsState, change: Change) -> Recipe | None:
        """Put the cards back where they were, when those networks have names here."""
        wanted = self.wanted(before)
        names: dict[str, JsonValue] = {
            nic.label: nic.network for nic in before.nics if nic.label in wanted and nic.network
        }
        if self.disposable or len(names) < len(wanted):
            return None
        return Recipe(self.name, {"vm": self.vm, "networks": names})

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Put every card of the copy on the bubble's isolated network, named or not."""
        networks: dict[str, JsonValue] = {label: bubble.network(one) for label, one in self.networks.items()}
        arguments: dict[str, JsonValue] = {
            "vm": bubble.vm(self.vm),
            "networks": networks,
            "others": bubble.network(next(iter(self.networks.values()))),
            "disposable": True,
        }
        return Recipe(self.name, arguments)


def cards_of(row: Row, networks: Mapping[str, tuple[NetworkSeen, frozenset[str]]]) -> tuple[NicSeen, ...]:
    """Return a VM's cards; ``row`` was read with ``PATHS``."""
    return _state(row, networks).nics


def _state(row: Row | None, networks: Mapping[str, tuple[NetworkSeen, frozenset[str]]]) -> NicsState:
    if row is None:
        return NicsState(found=False)
    host = reads.identity(row.values.get("runtime.host"))
    running = row.text("runtime.powerState") == "poweredOn"
    seen = tuple(
        NetworkSeen(one.name, one.moref, one.kind, one.key, one.switch, not (host and hosts) or host in hosts)
        for one, hosts in networks.values()
    )
    cards = entries.devices(row, "VirtualEthernetCard")
    return NicsState(
        moref=row.id,
        nics=tuple(_nic(card, seen, running=running) for card in cards),
        networks=seen,
        change_version=row.text("config.changeVersion"),
    )


def _nic(card: Any, networks: Sequence[NetworkSeen], *, running: bool) -> NicSeen:
    network = _backing(card.backing, networks)
    link = card.connectable
    connected = link is None or (link.startConnected and (link.connected or not running))
    return NicSeen(
        key=card.key,
        label=entries.label(card),
        mac=str(card.macAddress or ""),
        network=network.name if network else "",
        moref=network.moref if network else "",
        connected=bool(connected),
    )


def _backing(backing: Any, networks: Sequence[NetworkSeen]) -> NetworkSeen | None:
    """Return the network a card is on, None when its backing means nothing to this vCenter."""
    port = getattr(backing, "port", None)
    if port is not None:
        return next(
            (
                one
                for one in networks
                if one.key == port.portgroupKey and one.switch == port.switchUuid and one.key
            ),
            None,
        )
    opaque = reads.identity(getattr(backing, "network", None))
    name = getattr(backing, "deviceName", None)
    by_id = next((one for one in networks if opaque and one.moref == opaque), None)
    return by_id or next(
        (one for one in networks if one.kind == "standard" and one.name == name and one.on_host), None
    )


def _spec(wire: Wire, row: Row, wanted: Mapping[int, NetworkSeen]) -> Any:
    vim = wire.vim
    changes = []
    for card in entries.devices(row, "VirtualEthernetCard"):
        if card.key not in wanted:
            continue
        card.backing = _new_backing(wire, wanted[card.key])
        if card.connectable is None:
            card.connectable = vim.vm.device.VirtualDevice.ConnectInfo(allowGuestControl=True)
        card.connectable.connected = row.text("runtime.powerState") == "poweredOn"
        card.connectable.startConnected = True
        changes.append(vim.vm.device.VirtualDeviceSpec(operation="edit", device=card))
    return vim.vm.ConfigSpec(changeVersion=row.text("config.changeVersion") or None, deviceChange=changes)


def _new_backing(wire: Wire, network: NetworkSeen) -> Any:
    card = wire.vim.vm.device.VirtualEthernetCard
    if network.kind == "distributed":
        port = wire.vim.dvs.PortConnection(portgroupKey=network.key, switchUuid=network.switch)
        return card.DistributedVirtualPortBackingInfo(port=port)
    if network.kind == "opaque":
        raise refuse(
            "opaque-network",
            f"{network.name} is an NSX network, which drctl does not connect",
            hint="Use a standard or distributed portgroup.",
        )
    return card.NetworkBackingInfo(deviceName=network.name, network=wire.ref("Network", network.moref))
