"""``/storage/volumes/{uuid}/snapshots``."""

from __future__ import annotations

from drctl.lab import volumes
from drctl.lab.model import Snapshot, Volume
from drctl.lab.ontap import references
from drctl.lab.ontap.bodies import check_settable, instant, required, string
from drctl.lab.ontap.errors import no_entry
from drctl.lab.ontap.records import Json, Record, format_duration, format_time, text
from drctl.lab.ontap.resource import Array, Call, Outcome, Resource, self_link
from drctl.lab.ontap.schema import Schema
from drctl.lab.ontap.volumes import find
from drctl.lab.storage import live_volumes, stable_uuid
from drctl.lab.writes import data_of


def _render(array: Array, volume: Volume, snapshot: Snapshot) -> Record:
    owners: list[Json] = [*sorted(snapshot.owners)]
    record: Record = {
        "uuid": snapshot.uuid,
        "name": snapshot.name,
        "create_time": format_time(snapshot.created),
        "state": "valid",
        "size": 0,
        "delta": _delta(array, volume, snapshot),
        "volume": references.volume(volume),
        "svm": references.svm(array.cluster, volume.svm),
        "version_uuid": stable_uuid("version", snapshot.uuid),
        "_links": self_link(f"/api/storage/volumes/{volume.uuid}/snapshots/{snapshot.uuid}"),
    }
    if snapshot.comment:
        record["comment"] = snapshot.comment
    if snapshot.label:
        record["snapmirror_label"] = snapshot.label
    if owners:
        record["owners"] = owners
    if snapshot.locked_until:
        until = format_time(snapshot.locked_until)
        left = (snapshot.locked_until - array.world.now()).total_seconds()
        record["snaplock_expiry_time"] = until
        record["snaplock"] = {
            "expiry_time": until,
            "expired": left <= 0,
            "time_until_expiry": format_duration(left),
        }
    return record


def _delta(array: Array, volume: Volume, snapshot: Snapshot) -> Record:
    """Return what was written since: a megabyte for each second in which somebody wrote."""
    written = sum(
        max(0.0, (stand - snapshot.data_at[service]).total_seconds()) if service in snapshot.data_at else 1.0
        for service, stand in data_of(array.world, volume).items()
    )
    elapsed = (array.world.now() - snapshot.created).total_seconds()
    return {"size_consumed": int(written * 1024**2), "time_elapsed": format_duration(elapsed)}


def _list(call: Call) -> list[Record]:
    """List a volume's snapshots; the uuid ``*`` stands for every volume."""
    uuid = call.parents["volume.uuid"]
    asked = list(live_volumes(call.array.cluster)) if uuid == "*" else [find(call.array, uuid)]
    return [_render(call.array, volume, snapshot) for volume in asked for snapshot in volume.snapshots]


def _find(volume: Volume, uuid: str) -> Snapshot:
    for snapshot in volume.snapshots:
        if snapshot.uuid == uuid:
            return snapshot
    raise no_entry()


def _create(call: Call) -> Outcome:
    expiries = ("snaplock.expiry_time", "snaplock_expiry_time", "expiry_time")
    check_settable(call, {"name", "comment", "snapmirror_label", *expiries})
    volume = find(call.array, call.parents["volume.uuid"])
    locked = instant(call.body, "snaplock.expiry_time") or instant(call.body, "snaplock_expiry_time")
    snapshot, job = volumes.create_snapshot(
        call.array.world,
        call.array.cluster,
        volume,
        required(call.body, "name"),
        label=string(call.body, "snapmirror_label") or "",
        comment=string(call.body, "comment") or "",
        locked_until=locked,
    )
    return Outcome(job, (snapshot.uuid,))


def _remove(call: Call, record: Record) -> Outcome:
    volume = find(call.array, call.parents["volume.uuid"])
    snapshot = _find(volume, text(record, "uuid"))
    return Outcome(volumes.delete_snapshot(call.array.world, call.array.cluster, volume, snapshot))


def _target(call: Call, record: Record) -> str:
    volume = call.array.cluster.volumes.get(call.parents["volume.uuid"])
    owner = f"{volume.svm}:{volume.name}" if volume else call.parents["volume.uuid"]
    return f"{owner}@{text(record, 'name') or '/'.join(call.keys)}"


SNAPSHOTS = Resource(
    path="/storage/volumes/{volume.uuid}/snapshots",
    schema=Schema(
        "uuid name comment create_time expiry_time snaplock_expiry_time "
        "snaplock(expired expiry_time time_until_expiry) snapmirror_label owners state version_uuid volume svm "
        "size delta reclaimable_space provenance_volume compress_savings dedup_savings logical_size",
        expensive=("reclaimable_space", "delta"),
    ),
    listing=_list,
    create=_create,
    remove=_remove,
    target=_target,
)
