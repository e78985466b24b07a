"""Whether a guest is reached on its network: power, boot, subnet, twins, datastore."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from ipaddress import ip_address, ip_network

from drctl.lab.compute import accessible
from drctl.lab.model import Network, VCenter, Vm
from drctl.lab.world import World


class View:
    """The estate's networks and datastores as they are now; made anew for each question, never kept.

    What many VMs share is worked out once: an estate of 500 VMs is asked after each change.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._accessible: dict[tuple[str, str], bool] = {}

    @cached_property
    def _present(self) -> dict[tuple[str, str], list[tuple[VCenter, Vm]]]:
        """(segment, address or MAC) to the running VMs that have it there."""
        found: dict[tuple[str, str], list[tuple[VCenter, Vm]]] = defaultdict(list)
        for vcenter in self._world.estate.vcenters.values():
            for vm in vcenter.vms.values():
                if vm.power == "poweredOn":
                    for key in _traces(vcenter, vm):
                        found[key].append((vcenter, vm))
        return found

    @cached_property
    def _names(self) -> dict[str, list[tuple[VCenter, Vm]]]:
        found: dict[str, list[tuple[VCenter, Vm]]] = defaultdict(list)
        for vcenter in self._world.estate.vcenters.values():
            for vm in vcenter.vms.values():
                found[vm.name].append((vcenter, vm))
        return found

    def named(self, name: str) -> list[tuple[VCenter, Vm]]:
        """The registered VMs of that name, templates excepted."""
        return [(vcenter, vm) for vcenter, vm in self._names.get(name, ()) if not vm.template]

    def twins(self, vcenter: VCenter, vm: Vm) -> list[Vm]:
        """Other running VMs on the same layer 2 (same subnet, sites linked) with its address or a MAC of its own."""
        found = {
            id(other): other
            for key in _traces(vcenter, vm)
            for center, other in self._present.get(key, ())
            if other is not vm and self._world.linked(vcenter.site, center.site)
        }
        return list(found.values())

    def connection_state(self, vcenter: VCenter, vm: Vm) -> str:
        """``connected``, ``disconnected`` (its host is) or ``inaccessible`` (its datastore is)."""
        host = vcenter.hosts.get(vm.host)
        if host is None or not host.connected:
            return "disconnected"
        key = (vcenter.endpoint, vm.datastore)
        if key not in self._accessible:
            home = vcenter.datastores.get(vm.datastore)
            self._accessible[key] = home is not None and accessible(self._world, vcenter, home)
        return "connected" if self._accessible[key] else "inaccessible"

    def trouble(self, vcenter: VCenter, vm: Vm) -> str:
        """Why the guest does not answer on its network; empty when it does."""
        if vm.power != "poweredOn":
            return f"{vm.name} is powered off"
        if not vm.booted:
            return f"{vm.name} is still booting"
        networks = _networks(vcenter, vm)
        if not networks:
            return f"{vm.name} is connected to no network"
        if not vm.guest_ip or not any(_within(vm.guest_ip, network) for network in networks):
            return f"{vm.name} has the address {vm.guest_ip}, which is not of its network {networks[0].name}"
        if same := self.twins(vcenter, vm):
            return f"{vm.name} has the address or MAC of {same[0].name} at {same[0].vcenter}"
        if self.connection_state(vcenter, vm) != "connected":
            return f"{vm.name} lost its datastore"
        return ""


def _within(address: str, network: Network) -> bool:
    return ip_address(address) in ip_network(network.subnet, strict=False)


def _networks(vcenter: VCenter, vm: Vm) -> list[Network]:
    return [vcenter.networks[n.network] for n in vm.nics if n.connected and n.network in vcenter.networks]


def _traces(vcenter: VCenter, vm: Vm) -> list[tuple[str, str]]:
    """What a VM is seen by on its networks: its MACs and its address."""
    own = [nic for nic in vm.nics if nic.connected and nic.network in vcenter.networks]
    seen = [(_segment(vcenter, vcenter.networks[nic.network or ""]), nic.mac) for nic in own]
    if vm.guest_ip:
        seen += [(_segment(vcenter, network), vm.guest_ip) for network in _networks(vcenter, vm)]
    return seen


def _segment(vcenter: VCenter, network: Network) -> str:
    """The layer 2 that a network is part of: stretched ones share a subnet, an isolated one is alone."""
    return f"{vcenter.endpoint}/{network.moref}" if network.isolated else network.subnet


def prefix_of(world: World, network: Network, address: str | None) -> int:
    """How long a guest's mask is: its network's, or on an isolated one that of the network it comes from."""
    if not network.isolated:
        return ip_network(network.subnet, strict=False).prefixlen
    others = (n for each in world.estate.vcenters.values() for n in each.networks.values() if not n.isolated)
    homes = [ip_network(n.subnet, strict=False) for n in others if address and _within(address, n)]
    return max((home.prefixlen for home in homes), default=24)


def is_isolated(vcenter: VCenter, vm: Vm) -> bool:
    """Whether a VM is on isolated networks only, and on one at least."""
    networks = _networks(vcenter, vm)
    return bool(networks) and all(network.isolated for network in networks)


def connection_state(world: World, vcenter: VCenter, vm: Vm) -> str:
    """``connected``, ``disconnected`` or ``inaccessible``; for many VMs keep one ``View``."""
    return View(world).connection_state(vcenter, vm)


def duplicates(world: World, vcenter: VCenter, vm: Vm) -> list[Vm]:
    """See ``View.twins``."""
    return View(world).twins(vcenter, vm)


def trouble(world: World, vcenter: VCenter, vm: Vm) -> str:
    """See ``View.trouble``."""
    return View(world).trouble(vcenter, vm)
