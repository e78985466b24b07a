"""``/network/ip/interfaces``: the data LIFs of the SVMs."""

from __future__ import annotations

from drctl.lab import nas
from drctl.lab.model import Lif, Svm
from drctl.lab.ontap import references
from drctl.lab.ontap.bodies import boolean, check_settable
from drctl.lab.ontap.errors import RestError
from drctl.lab.ontap.records import Record, text
from drctl.lab.ontap.resource import Array, Call, Outcome, Resource, self_link
from drctl.lab.ontap.schema import Schema
from drctl.lab.storage import stable_uuid


def _render(array: Array, svm: Svm, lif: Lif) -> Record:
    port: Record = {"name": "e0d", "node": {"name": references.node_name(array)}}
    port["uuid"] = stable_uuid("port", array.cluster.uuid)
    up = lif.enabled and svm.state == "running"
    return {
        "uuid": lif.uuid,
        "name": lif.name,
        "enabled": lif.enabled,
        "state": "up" if up else "down",
        "scope": "svm",
        "svm": references.svm(array.cluster, svm.name),
        "ip": {"address": lif.address, "netmask": "24", "family": "ipv4"},
        "ipspace": {"name": "Default", "uuid": stable_uuid("ipspace", array.cluster.uuid)},
        "location": {
            "node": references.node(array),
            "home_node": references.node(array),
            "port": port,
            "home_port": port,
            "is_home": True,
            "auto_revert": False,
            "failover": "broadcast_domain_only",
        },
        "service_policy": {"name": "default-data-files", "uuid": stable_uuid("service policy", svm.uuid)},
        "services": ["data_core", "data_nfs", "data_cifs"],
        "vip": False,
        "_links": self_link(f"/api/network/ip/interfaces/{lif.uuid}"),
    }


def _list(call: Call) -> list[Record]:
    svms = call.array.cluster.svms.values()
    return [_render(call.array, svm, lif) for svm in svms for lif in svm.lifs.values()]


def _modify(call: Call, record: Record) -> Outcome:
    check_settable(call, {"enabled", "location.is_home"}, record)
    if boolean(call.body, "location.is_home") is False:
        raise RestError(400, 1967389, '"location.is_home" can only be set to true.', "location.is_home")
    enabled = boolean(call.body, "enabled")
    if enabled is not None:
        lif = _find(call.array, text(record, "uuid"))
        nas.set_lif(call.array.world, call.array.cluster, lif, enabled=enabled)
    return Outcome()


def _find(array: Array, uuid: str) -> Lif:
    return next(lif for svm in array.cluster.svms.values() for lif in svm.lifs.values() if lif.uuid == uuid)


INTERFACES = Resource(
    path="/network/ip/interfaces",
    schema=Schema(
        "uuid name enabled state scope svm(name uuid) ip(address family netmask) ipspace(name uuid) "
        "location service_policy services vip subnet dns_zone ddns_enabled probe_port rdma_protocols metric "
        "statistics fail_if_subnet_conflicts",
    ),
    listing=_list,
    modify=_modify,
)
