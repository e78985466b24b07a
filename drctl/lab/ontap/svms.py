"""``/svm/svms`` and ``/svm/peers``."""

from __future__ import annotations

from collections.abc import Iterator

from drctl.lab import nas
from drctl.lab.model import Cluster, Svm
from drctl.lab.ontap import references
from drctl.lab.ontap.bodies import check_settable, one_of, required
from drctl.lab.ontap.errors import RestError, no_entry
from drctl.lab.ontap.records import Json, Record, text
from drctl.lab.ontap.resource import Array, Call, Outcome, Resource, Stall, self_link
from drctl.lab.ontap.schema import Schema
from drctl.lab.storage import PEER_UNREACHABLE, peer_refusal, stable_uuid

PEER_STALL = 60.0
"""Estate seconds that ``/svm/peers`` hangs while a peer's site is dead (netapp.ontap issue 204)."""


def _render(array: Array, svm: Svm) -> Record:
    cluster = array.cluster
    used = sorted({v.aggregate for v in cluster.volumes.values() if v.svm == svm.name})
    aggregates: list[Json] = [references.aggregate(cluster, name) for name in used]
    cifs: Record = {"allowed": True, "enabled": bool(svm.cifs_server) and svm.cifs_enabled}
    if svm.cifs_server:
        cifs |= {"name": svm.cifs_server, "ad_domain": {"fqdn": svm.cifs_domain}}
    sources = {m.source for c in array.world.estate.clusters.values() for m in c.mirrors.values()}
    protected = sum(path.partition(":")[0] == svm.name for path in sources)
    return {
        "uuid": svm.uuid,
        "name": svm.name,
        "subtype": svm.subtype,
        "language": "c.utf_8",
        "aggregates": aggregates,
        "state": svm.state,
        "comment": "",
        "ipspace": {"name": "Default", "uuid": stable_uuid("ipspace", cluster.uuid)},
        "ip_interfaces": [
            {
                "uuid": lif.uuid,
                "name": lif.name,
                "ip": {"address": lif.address},
                "services": ["data_nfs", "data_cifs"],
            }
            for lif in svm.lifs.values()
        ],
        "snapshot_policy": {"name": "default"},
        "nsswitch": {"hosts": ["files", "dns"], "passwd": ["files"], "group": ["files"]},
        "nfs": {"allowed": True, "enabled": True},
        "cifs": cifs,
        "iscsi": {"allowed": False, "enabled": False},
        "fcp": {"allowed": False, "enabled": False},
        "nvme": {"allowed": False, "enabled": False},
        "snapmirror": {"is_protected": bool(protected), "protected_volumes_count": protected},
        "_links": self_link(f"/api/svm/svms/{svm.uuid}"),
    }


def _list(call: Call) -> list[Record]:
    return [_render(call.array, svm) for svm in call.array.cluster.svms.values()]


def find(array: Array, uuid: str) -> Svm:
    """Return an SVM by uuid; raise ``RestError`` 404 when there is none."""
    for svm in array.cluster.svms.values():
        if svm.uuid == uuid:
            return svm
    raise no_entry()


def _modify(call: Call, record: Record) -> Outcome:
    check_settable(call, {"state"}, record)
    if "state" not in call.body:
        return Outcome()
    state = one_of(required(call.body, "state"), {"running", "stopped"}, "state")
    svm = find(call.array, text(record, "uuid"))
    return Outcome(nas.set_svm_state(call.array.world, call.array.cluster, svm, state))


SVMS = Resource(
    path="/svm/svms",
    schema=Schema(
        "uuid name state subtype language comment aggregates ip_interfaces fc_interfaces ipspace "
        "snapshot_policy nsswitch nfs cifs iscsi fcp nvme ndmp s3 dns ldap nis routes certificate "
        "snapmirror max_volumes qos_policy aggregates_delegated is_space_reporting_logical storage "
        "is_space_enforcement_logical number_of_volumes_in_recovery_queue",
        expensive=("snapmirror",),
    ),
    listing=_list,
    modify=_modify,
)


def _pairs(array: Array) -> Iterator[tuple[str, Cluster, str]]:
    """Yield (local SVM, peer cluster, peer SVM) of every peering: those kept, and those relationships need."""
    clusters = array.world.estate.clusters
    seen: set[tuple[str, str, str]] = set()
    for local_svm, endpoint, remote_svm in sorted(array.cluster.svm_peers):
        if endpoint in clusters:
            seen.add((local_svm, endpoint, remote_svm))
            yield local_svm, clusters[endpoint], remote_svm
    for cluster in clusters.values():
        for mirror in cluster.mirrors.values():
            here = (mirror.destination_cluster, mirror.destination.partition(":")[0])
            there = (mirror.source_cluster, mirror.source.partition(":")[0])
            for local, remote in ((here, there), (there, here)):
                pair = (local[1], *remote)
                if local[0] == array.endpoint and remote[0] != array.endpoint and pair not in seen:
                    seen.add(pair)
                    yield local[1], clusters[remote[0]], remote[1]


def _peer(array: Array, local: str, cluster: Cluster, remote: str) -> Record:
    uuid = stable_uuid("svm peer", array.cluster.uuid, local, cluster.uuid, remote)
    return {
        "uuid": uuid,
        "name": remote,
        "svm": references.svm(array.cluster, local),
        "peer": {"svm": references.svm(cluster, remote), "cluster": references.cluster_of(cluster)},
        "state": "peered",
        "applications": ["snapmirror"],
        "_links": self_link(f"/api/svm/peers/{uuid}"),
    }


def _list_peers(call: Call) -> list[Record]:
    """List the SVM peers; hang and fail when one that is asked for lives at a dead site."""
    array, records = call.array, []
    for local, cluster, remote in _pairs(array):
        record = _peer(array, local, cluster, remote)
        asked = bool(call.query.select([record])) and call.keys in ((), (text(record, "uuid"),))
        if asked and not array.world.linked(array.cluster.site, cluster.site):
            refusal = peer_refusal(cluster, array.cluster)
            raise Stall(PEER_STALL, RestError(500, PEER_UNREACHABLE, refusal.message))
        records.append(record)
    return records


SVM_PEERS = Resource(
    path="/svm/peers",
    schema=Schema("uuid name svm(name uuid) peer state applications force", brief=("uuid", "name")),
    listing=_list_peers,
)
