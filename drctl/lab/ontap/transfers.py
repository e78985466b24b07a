"""``/snapmirror/relationships/{uuid}/transfers``: no jobs; a transfer is followed by its own record."""

from __future__ import annotations

from drctl.lab import mirrors, restores
from drctl.lab.model import Mirror
from drctl.lab.ontap.bodies import check_settable, one_of, required, string
from drctl.lab.ontap.errors import RestError
from drctl.lab.ontap.records import Record, format_duration, format_time, text
from drctl.lab.ontap.relationships import endpoint, find, is_sync
from drctl.lab.ontap.resource import Call, Outcome, Resource, self_link
from drctl.lab.ontap.schema import Schema
from drctl.lab.storage import find_path, find_snapshot


def _list_transfers(call: Call) -> list[Record]:
    mirror = find(call, call.parents["relationship.uuid"])
    since = call.array.world.now().timestamp() - 86400
    records = []
    for transfer in reversed(mirror.transfers):
        if transfer.ended and transfer.ended.timestamp() < since:
            continue
        record: Record = {
            "uuid": transfer.uuid,
            "state": transfer.state,
            "bytes_transferred": transfer.bytes,
            "snapshot": transfer.snapshot,
            "last_updated_time": format_time(transfer.ended or call.array.world.now()),
            "relationship": {
                "uuid": mirror.uuid,
                "destination": endpoint(call.array.cluster, mirror.destination),
                "restore": mirror.restore,
                "_links": self_link(f"/api/snapmirror/relationships/{mirror.uuid}/"),
            },
            "_links": self_link(f"/api/snapmirror/relationships/{mirror.uuid}/transfers/{transfer.uuid}"),
        }
        if transfer.ended:
            record["end_time"] = format_time(transfer.ended)
            spent = (transfer.ended - transfer.started).total_seconds()
            record["total_duration"] = format_duration(spent)
        elif transfer.bytes:
            record["checkpoint_size"] = transfer.bytes
        records.append(record)
    return records


def _create_transfer(call: Call) -> Outcome:
    check_settable(call, {"source_snapshot"}, {"throttle": 0, "storage_efficiency_enabled": True})
    mirror = find(call, call.parents["relationship.uuid"])
    wanted = string(call.body, "source_snapshot")
    if mirror.restore:
        return Outcome(key=(restores.start(call.array.world, mirror, wanted).uuid,))
    if wanted and not _source_has(call, mirror, wanted):
        raise RestError(400, 13303844, f'Update failed. Reason: Snapshot "{wanted}" not found on the source.')
    transfer = mirrors.start_transfer(call.array.world, call.array.cluster, mirror, wanted)
    return Outcome(key=(transfer.uuid,))


def _source_has(call: Call, mirror: Mirror, snapshot: str) -> bool:
    cluster = call.array.world.estate.clusters[mirror.source_cluster]
    source = find_path(cluster, mirror.source)
    return source is not None and find_snapshot(source, snapshot) is not None


def _modify_transfer(call: Call, record: Record) -> Outcome:
    check_settable(call, {"state"}, record)
    mirror = find(call, call.parents["relationship.uuid"])
    state = one_of(required(call.body, "state"), {"aborted", "hard_aborted"}, "state")
    if is_sync(mirror):
        raise RestError(400, 13303848, "Transfers of a synchronous relationship cannot be aborted.", "state")
    transfer = next(t for t in mirror.transfers if t.uuid == text(record, "uuid"))
    hard = state == "hard_aborted"
    mirrors.abort(call.array.world, call.array.cluster, mirror, transfer, hard=hard)
    return Outcome()


def _target_of_transfer(call: Call, _record: Record) -> str:
    uuid = call.parents["relationship.uuid"]
    mirror = call.array.cluster.mirrors.get(uuid)
    return mirror.destination if mirror else uuid


TRANSFERS = Resource(
    path="/snapmirror/relationships/{relationship.uuid}/transfers",
    schema=Schema(
        "uuid state bytes_transferred checkpoint_size end_time error_info files last_updated_time "
        "network_compression_ratio on_demand_attrs options relationship snapshot source_snapshot "
        "storage_efficiency_enabled throttle total_duration",
        brief=("uuid", "state", "relationship"),
    ),
    listing=_list_transfers,
    create=_create_transfer,
    modify=_modify_transfer,
    target=_target_of_transfer,
)
