"""``/cluster``, its nodes and peers, aggregates, events and the compliance clock."""

from __future__ import annotations

from drctl.lab.model import Aggregate, Cluster
from drctl.lab.ontap import references
from drctl.lab.ontap.records import Json, Record, format_time
from drctl.lab.ontap.resource import Array, Call, Resource, self_link
from drctl.lab.ontap.schema import Schema
from drctl.lab.storage import peers_answer, stable_uuid

VERSION: Record = {
    "full": "NetApp Release 9.16.1P2: Tue Mar 04 05:11:16 UTC 2025",
    "generation": 9,
    "major": 16,
    "minor": 1,
}
"""The release the lab claims: the latest whose field names its schemas hold."""


def _cluster(call: Call) -> list[Record]:
    cluster = call.array.cluster
    uuid = stable_uuid("cluster_mgmt", cluster.uuid)
    management: Record = {"uuid": uuid, "name": "cluster_mgmt", "ip": {"address": call.array.address}}
    management["_links"] = self_link(f"/api/network/ip/interfaces/{uuid}")
    return [
        {
            "name": cluster.name,
            "uuid": cluster.uuid,
            "location": cluster.site,
            "contact": "",
            "version": VERSION,
            "dns_domains": [],
            "name_servers": [],
            "ntp_servers": [],
            "management_interfaces": [management],
            "timezone": {"name": "Etc/UTC"},
            "san_optimized": False,
            "health": "ok",
            "peering_policy": {
                "minimum_passphrase_length": 8,
                "authentication_required": True,
                "encryption_required": False,
            },
            "_links": self_link("/api/cluster"),
        }
    ]


CLUSTER = Resource(
    path="/cluster",
    schema=Schema(
        "name uuid location contact version(full generation major minor) dns_domains name_servers ntp_servers "
        "management_interfaces timezone certificate san_optimized health peering_policy metric statistics "
        "nodes disaggregated auto_enable_analytics auto_enable_activity_tracking",
        keys=(),
    ),
    listing=_cluster,
    single=True,
)


def _nodes(call: Call) -> list[Record]:
    node = references.node(call.array)
    return [
        {
            **node,
            "state": "up",
            "membership": "available",
            "model": "AFF-A250",
            "serial_number": node["uuid"],
            "version": VERSION,
            "date": format_time(call.array.world.now()),
            "uptime": 134555,
            "location": call.array.cluster.site,
            "ha": {"enabled": False, "auto_giveback": False},
        }
    ]


NODES = Resource(
    path="/cluster/nodes",
    schema=Schema(
        "uuid name state membership model serial_number version date uptime location ha controller owner "
        "management_interfaces cluster_interfaces service_processor metric statistics snaplock system_id",
    ),
    listing=_nodes,
)


def _peer(array: Array, cluster: Cluster) -> Record:
    answers = peers_answer(array.world, array.cluster, cluster)
    uuid = stable_uuid("cluster peer", array.cluster.uuid, cluster.uuid)
    addresses = sorted({lif.address for svm in cluster.svms.values() for lif in svm.lifs.values()})
    return {
        "uuid": uuid,
        "name": cluster.name,
        "remote": {"name": cluster.name, "ip_addresses": list(addresses), "serial_number": ""},
        "status": {
            "state": "available" if answers else "unavailable",
            "update_time": format_time(array.world.now()),
        },
        "authentication": {"state": "ok" if answers else "pending", "in_use": "ok"},
        "encryption": {"state": "tls_psk", "proposed": "tls_psk"},
        "ipspace": {"name": "Default", "uuid": stable_uuid("ipspace", array.cluster.uuid)},
        "version": VERSION,
        "_links": self_link(f"/api/cluster/peers/{uuid}"),
    }


def _peers(call: Call) -> list[Record]:
    clusters = call.array.world.estate.clusters
    return [
        _peer(call.array, clusters[name]) for name in sorted(call.array.cluster.peers) if name in clusters
    ]


CLUSTER_PEERS = Resource(
    path="/cluster/peers",
    schema=Schema(
        "uuid name remote(name ip_addresses serial_number) status(state update_time) authentication encryption "
        "ipspace version initial_allowed_svms peer_applications local_network",
    ),
    listing=_peers,
)


def _aggregate(array: Array, found: Aggregate) -> Record:
    used = min(found.used, found.size)
    volumes = [v for v in array.cluster.volumes.values() if v.aggregate == found.name]
    return {
        "uuid": found.uuid,
        "name": found.name,
        "create_time": "2024-01-01T00:00:00+00:00",
        "state": "online",
        "snaplock_type": "non_snaplock",
        "node": references.node(array),
        "home_node": references.node(array),
        "volume-count": len(volumes),
        "data_encryption": {"drive_protection_enabled": False, "software_encryption_enabled": False},
        "cloud_storage": {"attach_eligible": False},
        "block_storage": {
            "storage_type": "ssd",
            "uses_partitions": False,
            "mirror": {"enabled": False, "state": "unmirrored"},
            "hybrid_cache": {"enabled": False},
            "plexes": [{"name": "plex0"}],
            "primary": {"disk_class": "solid_state", "disk_type": "ssd", "raid_type": "raid_dp"},
        },
        "space": {
            "block_storage": {
                "size": found.size,
                "used": used,
                "available": found.size - used,
                "used_percent": round(100 * used / found.size) if found.size else 0,
                "physical_used": used,
                "full_threshold_percent": 98,
            },
            "cloud_storage": {"used": 0},
            "snapshot": {"reserve_percent": 0, "total": 0, "used": 0, "available": 0, "used_percent": 0},
        },
        "_links": self_link(f"/api/storage/aggregates/{found.uuid}"),
    }


def _aggregates(call: Call) -> list[Record]:
    return [_aggregate(call.array, found) for found in call.array.cluster.aggregates.values()]


AGGREGATES = Resource(
    path="/storage/aggregates",
    schema=Schema(
        "uuid name create_time state snaplock_type node home_node dr_home_node volume-count data_encryption "
        "cloud_storage block_storage space snapshot inode_attributes inactive_data_reporting metric statistics "
        "is_spare_low sidl_enabled _tags",
        expensive=("metric", "statistics", "space.footprint", "is_spare_low"),
    ),
    listing=_aggregates,
)


def _events(call: Call) -> list[Record]:
    """Return events for transfers that failed and volumes that are offline, newest last."""
    array, found = call.array, []
    for mirror in array.cluster.mirrors.values():
        for transfer in mirror.transfers:
            if transfer.state in {"failed", "hard_aborted"} and transfer.ended:
                log = f"smc.snapmir.update.fail: SnapMirror update of '{mirror.destination}' failed."
                parameters = {"dstpath": mirror.destination, "srcpath": mirror.source}
                found.append((transfer.ended, "smc.snapmir.update.fail", "error", log, parameters))
    for volume in array.cluster.volumes.values():
        if volume.state == "offline":
            log = f"wafl.vvol.offline: Volume '{volume.name}' has been set temporarily offline"
            now = array.world.now()
            found.append((now, "wafl.vvol.offline", "informational", log, {"name": volume.name}))
    node = references.node(array)
    records: list[Record] = []
    for index, (at, name, severity, log, parameters) in enumerate(sorted(found, key=lambda e: e[0]), 1):
        listed: list[Json] = [{"name": key, "value": part} for key, part in parameters.items()]
        records.append(
            {
                "node": node,
                "index": index,
                "time": format_time(at),
                "message": {"name": name, "severity": severity},
                "source": "sms_volume_event_thread",
                "parameters": listed,
                "log_message": log,
                "_links": self_link(f"/api/support/ems/events/{node['name']}/{index}"),
            }
        )
    return records


EVENTS = Resource(
    path="/support/ems/events",
    schema=Schema(
        "node(name uuid) index time message(name severity) source parameters log_message",
        keys=("node.name", "index"),
        brief=("node", "index", "message"),
    ),
    listing=_events,
)


def _clocks(call: Call) -> list[Record]:
    node = references.node(call.array)
    links = self_link(f"/api/storage/snaplock/compliance-clocks/{node['uuid']}")
    return [{"node": node, "time": format_time(call.array.world.now()), "_links": links}]


COMPLIANCE_CLOCKS = Resource(
    path="/storage/snaplock/compliance-clocks",
    schema=Schema("node(name uuid) time", keys=("node.uuid",), brief=("node", "time")),
    listing=_clocks,
)
