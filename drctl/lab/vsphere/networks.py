"""Standard and distributed portgroups and distributed switches as managed objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from drctl.lab.model import Network
from drctl.lab.vsphere import tree
from drctl.lab.vsphere.properties import Table
from drctl.lab.vsphere.scope import Kind, Scope
from drctl.lab.vsphere.values import Obj, Value, obj


def _vms_at(scope: Scope, network: Network) -> Value:
    vms = scope.center.vcenter.vms.values()
    return tree.ordered(tree.vm_ref(vm) for vm in vms if any(nic.network == network.moref for nic in vm.nics))


def _network_summary(_scope: Scope, network: Network) -> Obj:
    return obj(
        "NetworkSummary", network=tree.network_ref(network), name=network.name, accessible=True, ipPoolName=""
    )


def _all_hosts(scope: Scope, _network: Network) -> Value:
    return tree.ordered(tree.host_ref(host) for host in scope.center.vcenter.hosts.values())


def _find_network(kind: str) -> Callable[[Scope, str], Network | None]:
    def find(scope: Scope, moref: str) -> Network | None:
        network = scope.center.vcenter.networks.get(moref)
        return network if network is not None and network.kind == kind else None

    return find


_NETWORK: Final = Table[Network](
    _find_network("standard"),
    {
        "name": lambda _scope, network: network.name,
        "parent": lambda _scope, _network: tree.NETWORK_FOLDER,
        "summary": _network_summary,
        "host": _all_hosts,
        "vm": _vms_at,
        "overallStatus": lambda _scope, _network: "green",
    },
)

_PORTGROUP: Final = Table[Network](
    _find_network("distributed"),
    {
        **_NETWORK.readers,
        "key": lambda _scope, network: network.portgroup_key,
        "config.key": lambda _scope, network: network.portgroup_key,
        "config.name": lambda _scope, network: network.name,
        "config.numPorts": lambda _scope, _network: 128,
        "config.type": lambda _scope, _network: "earlyBinding",
        "config.distributedVirtualSwitch": lambda _scope, network: tree.switch_ref(network.switch_uuid),
        "config.policy": lambda _scope, _network: obj("VMwareDVSPortgroupPolicy"),
    },
)


def _find_switch(scope: Scope, moref: str) -> tuple[str, list[Network]] | None:
    found = tree.switches(scope.center.vcenter).items()
    return next(((uuid, ports) for uuid, ports in found if tree.switch_ref(uuid).id == moref), None)


def _switch_name(scope: Scope, _switch: tuple[str, list[Network]]) -> str:
    return f"dvs-{scope.center.vcenter.site}"


_SWITCH: Final = Table(
    _find_switch,
    {
        "name": _switch_name,
        "uuid": lambda _scope, switch: switch[0],
        "parent": lambda _scope, _switch: tree.NETWORK_FOLDER,
        "portgroup": lambda _scope, switch: tree.ordered(tree.network_ref(each) for each in switch[1]),
        "config.uuid": lambda _scope, switch: switch[0],
        "config.name": _switch_name,
        "summary.name": _switch_name,
        "summary.uuid": lambda _scope, switch: switch[0],
        "overallStatus": lambda _scope, _switch: "green",
    },
)

KINDS: Final[Mapping[str, Kind]] = {
    "Network": _NETWORK,
    "DistributedVirtualPortgroup": _PORTGROUP,
    "VmwareDistributedVirtualSwitch": _SWITCH,
}
"""The networks' managed types."""
