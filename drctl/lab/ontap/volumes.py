"""``/storage/volumes``: FlexVols and FlexClones, shaped as recorded arrays show them.

``nas.path``, ``is_svm_root`` and other expensive fields come only when named (so ``fields=*`` never
shows a junction), and an unmounted volume has no ``nas.path`` at all.
"""

from __future__ import annotations

from drctl.lab import volumes
from drctl.lab.model import Volume
from drctl.lab.ontap import references
from drctl.lab.ontap.bodies import boolean, check_settable, integer, one_of, required, string, svm_named
from drctl.lab.ontap.errors import RestError, no_entry
from drctl.lab.ontap.records import Json, Record, text, value
from drctl.lab.ontap.resource import Array, Call, Outcome, Resource, self_link
from drctl.lab.ontap.schema import Schema
from drctl.lab.storage import find_snapshot, live_volumes, path_of

SET_UP = "2024-01-01T00:00:00+00:00"
"""When volumes of the lab claim to have been created."""

SCHEMA = Schema(
    "_tags access_time_enabled activity_tracking aggregates(name uuid) aggressive_readahead_mode analytics "
    "anti_ransomware application asynchronous_directory_delete autosize "
    "clone(has_flexclone inherited_physical_used inherited_savings is_flexclone parent_snapshot(name uuid) "
    "parent_svm(name uuid) parent_volume(name uuid) split_complete_percent split_estimate split_initiated) "
    "cloud_retrieval_policy cloud_write_enabled comment consistency_group constituent_count constituents "
    "constituents_per_aggregate convert_unicode create_time efficiency encryption error_state "
    "files(inodefile_capacity maximum used) flash_pool flexcache_endpoint_type flexgroup granular_data "
    "granular_data_mode guarantee(honored type) is_large_dir_enabled is_object_store is_svm_root language "
    "max_dir_size metric movement msid name "
    "nas(export_policy(id name) gid junction_parent(name uuid) path security_style uid unix_permissions) "
    "optimize_aggregates qos queue_for_encryption quota rebalancing restore_to(snapshot(name uuid)) "
    "scheduled_snapshot_naming_scheme size snaplock snapmirror(destinations is_protected) snapshot_count "
    "snapshot_directory_access_enabled snapshot_locking_enabled snapshot_policy(name uuid) space state "
    "statistics status style svm(name uuid) tiering type use_mirrored_aggregates uuid validate_only",
    expensive=(
        "is_svm_root",
        "aggressive_readahead_mode",
        "clone.parent_snapshot",
        "clone.parent_svm",
        "clone.parent_volume",
        "clone.split_complete_percent",
        "clone.split_initiated",
        "efficiency",
        "encryption",
        "anti_ransomware",
        "error_state",
        "files",
        "nas.export_policy.id",
        "nas.gid",
        "nas.path",
        "nas.security_style",
        "nas.uid",
        "nas.unix_permissions",
        "nas.junction_parent",
        "quota",
        "qos",
        "snaplock",
        "space.footprint",
        "space.metadata",
        "space.over_provisioned",
        "space.snapshot",
        "space.logical_space",
        "space.size_available_for_snapshots",
    ),
)

_CREATE = frozenset(
    {
        "name",
        "svm",
        "aggregates",
        "type",
        "size",
        "space.size",
        "comment",
        "nas.path",
        "nas.export_policy",
        "guarantee.type",
        "clone",
    }
)
_MODIFY = frozenset(
    {
        "name",
        "size",
        "space.size",
        "state",
        "comment",
        "nas.path",
        "nas.export_policy",
        "snapshot_policy.name",
        "clone.split_initiated",
        "restore_to",
    }
)
_AS_NEW: Record = {"state": "online", "style": "flexvol", "snapshot_policy": {"name": "default"}}
"""What a new volume has anyway; clients may say so."""


def render(array: Array, volume: Volume) -> Record:
    """Return a volume's complete record."""
    cluster = array.cluster
    record: Record = {
        "uuid": volume.uuid,
        "comment": volume.comment,
        "create_time": SET_UP,
        "language": "c.utf_8",
        "name": volume.name,
        "size": volume.size,
        "state": volume.state,
        "style": "flexvol",
        "is_svm_root": volume.is_root,
        "tiering": {"policy": "none"},
        "cloud_retrieval_policy": "default",
        "type": volume.type,
        "aggregates": [references.aggregate(cluster, volume.aggregate)],
        "snapshot_count": len(volume.snapshots),
        "msid": int(volume.uuid[:7], 16) + 2147483648,
        "encryption": {"enabled": False},
        "scheduled_snapshot_naming_scheme": "create_time",
        "clone": _clone(array, volume),
        "nas": _nas(array, volume),
        "snapshot_locking_enabled": any(s.locked_until for s in volume.snapshots),
        "snaplock": {"type": "non_snaplock"},
        "snapshot_policy": {"name": volume.snapshot_policy},
        "svm": references.svm(cluster, volume.svm),
        "space": _space(volume),
        "autosize": {"mode": "off", "maximum": volume.size, "minimum": volume.size},
        "snapmirror": _protection(array, volume),
        "analytics": {"state": "off"},
        "activity_tracking": {"supported": volume.type == "rw", "state": "off"},
        "granular_data": False,
        "anti_ransomware": {"state": "disabled"},
        "guarantee": {"type": volume.guarantee, "honored": True},
        "files": {"maximum": 31122, "used": 96 + len(volume.files)},
        "efficiency": {"compression": "none", "state": "disabled", "policy": {"name": "-"}},
        "_links": self_link(f"/api/storage/volumes/{volume.uuid}"),
    }
    if volume.state != "online":
        del record["language"], record["autosize"]
        record["status"] = [f"Volume {volume.name} is {volume.state}."]
    return record


def _clone(array: Array, volume: Volume) -> Record:
    record: Record = {"is_flexclone": volume.clone_parent is not None}
    children = [v for v in live_volumes(array.cluster) if v.clone_parent and v.clone_parent[0] == volume.uuid]
    if children:
        record["has_flexclone"] = True
    if volume.clone_parent is None:
        return record
    uuid, snapshot = volume.clone_parent
    record["split_initiated"] = volume.split_percent is not None
    if volume.split_percent is not None:
        record["split_complete_percent"] = volume.split_percent
    parent = array.cluster.volumes.get(uuid)
    if parent:
        found = find_snapshot(parent, snapshot)
        record["parent_volume"] = references.volume(parent)
        record["parent_svm"] = references.svm(array.cluster, parent.svm)
        record["parent_snapshot"] = {"name": snapshot, **({"uuid": found.uuid} if found else {})}
    return record


def _nas(array: Array, volume: Volume) -> Record:
    policy: Record = {"name": volume.export_policy}
    svm = array.cluster.svms.get(volume.svm)
    if svm and volume.export_policy in svm.policies:
        policy["id"] = svm.policies[volume.export_policy].id
    record: Record = {"export_policy": policy}
    if volume.state == "online":
        record |= {"security_style": "unix", "uid": 0, "gid": 0, "unix_permissions": 755}
    if volume.junction is None:
        return record
    record["path"] = volume.junction
    root = next((v for v in live_volumes(array.cluster) if v.svm == volume.svm and v.is_root), None)
    if root and root is not volume:
        record["junction_parent"] = references.volume(root)
    return record


def _space(volume: Volume) -> Record:
    available = max(0, volume.size - volume.used)
    snapshot: Record = {"reserve_percent": 5, "autodelete_enabled": False, "autodelete_trigger": "volume"}
    return {
        "size": volume.size,
        "available": available,
        "used": volume.used,
        "percent_used": round(100 * volume.used / volume.size) if volume.size else 0,
        "available_percent": round(100 * available / volume.size) if volume.size else 0,
        "afs_total": volume.size,
        "used_by_afs": volume.used,
        "physical_used": volume.used,
        "footprint": volume.used,
        "metadata": 0,
        "over_provisioned": 0,
        "full_threshold_percent": 98,
        "nearly_full_threshold_percent": 95,
        "filesystem_size": volume.size,
        "filesystem_size_fixed": volume.type == "dp",
        "large_size_enabled": False,
        "size_available_for_snapshots": available,
        "logical_space": {"reporting": False, "enforcement": False, "used": volume.used},
        "snapshot": snapshot,
    }


def _protection(array: Array, volume: Volume) -> Record:
    here = (array.endpoint, path_of(volume))
    protected = any(
        (mirror.source_cluster, mirror.source) == here
        for cluster in array.world.estate.clusters.values()
        for mirror in cluster.mirrors.values()
    )
    return {"is_protected": protected, "destinations": {"is_ontap": protected, "is_cloud": False}}


def _list(call: Call) -> list[Record]:
    return [render(call.array, volume) for volume in live_volumes(call.array.cluster)]


def find(array: Array, uuid: str) -> Volume:
    """Return a volume by uuid; raise ``RestError`` 404 when it is gone or deleted."""
    for volume in live_volumes(array.cluster):
        if volume.uuid == uuid:
            return volume
    raise no_entry()


def _create(call: Call) -> Outcome:
    check_settable(call, _CREATE, _AS_NEW)
    body = call.body
    clone = boolean(body, "clone.is_flexclone") or value(body, "clone.parent_volume") is not None
    svm = svm_named(call.array, body)
    junction = string(body, "nas.path")
    if clone and junction and string(body, "clone.parent_svm.name") not in (None, "", svm.name):
        raise RestError(400, 1520442, '"nas.path" cannot be given with "clone.parent_svm".', "nas.path")
    wish = volumes.Wish(
        svm=svm.name,
        name=required(body, "name"),
        type=one_of(string(body, "type") or "rw", {"rw", "dp"}, "type"),
        size=_size(body) or volumes.Wish.size,
        aggregate=_aggregate(body),
        junction=junction or None,
        export_policy=_policy(call, svm.name) or "default",
        comment=string(body, "comment") or "",
        guarantee=one_of(string(body, "guarantee.type") or "none", {"none", "volume"}, "guarantee.type"),
        parent=_parent(body) if clone else None,
        parent_snapshot=_parent_snapshot(body) if clone else None,
        parent_svm=string(body, "clone.parent_svm.name") if clone else None,
    )
    made, job = volumes.create(call.array.world, call.array.cluster, wish)
    return Outcome(job, (made.uuid,))


def _size(body: Record) -> int | None:
    return integer(body, "size") or integer(body, "space.size")


def _aggregate(body: Record) -> str | None:
    given: Json = value(body, "aggregates")
    if not isinstance(given, list) or not given or not isinstance(given[0], dict):
        return None
    return string(given[0], "name")


def _parent(body: Record) -> str:
    return string(body, "clone.parent_volume.uuid") or required(body, "clone.parent_volume.name")


def _parent_snapshot(body: Record) -> str | None:
    return string(body, "clone.parent_snapshot.uuid") or string(body, "clone.parent_snapshot.name") or None


def _policy(call: Call, svm: str) -> str | None:
    """Return the export policy a body names by name or id."""
    name, number = string(call.body, "nas.export_policy.name"), integer(call.body, "nas.export_policy.id")
    if name or number is None:
        return name
    for policy in call.array.cluster.svms[svm].policies.values():
        if policy.id == number:
            return policy.name
    raise no_entry("nas.export_policy.id")


def _modify(call: Call, record: Record) -> Outcome:
    check_settable(call, _MODIFY, record)
    volume = find(call.array, text(record, "uuid"))
    world, cluster, body = call.array.world, call.array.cluster, call.body
    restore = _restore_to(call)
    if restore:
        snapshot = find_snapshot(volume, restore)
        if snapshot is None:
            raise no_entry("restore_to.snapshot")
        return Outcome(volumes.restore_snapshot(world, cluster, volume, snapshot))
    state = string(body, "state")
    change = volumes.Change(
        junction=string(body, "nas.path"),
        export_policy=_policy(call, volume.svm),
        state=one_of(state, {"online", "offline", "restricted"}, "state") if state else None,
        comment=string(body, "comment"),
        snapshot_policy=string(body, "snapshot_policy.name"),
        size=_size(body),
        name=string(body, "name"),
        split=boolean(body, "clone.split_initiated") or False,
    )
    return Outcome(volumes.modify(world, cluster, volume, change))


def _restore_to(call: Call) -> str | None:
    for name in ("restore_to.snapshot.uuid", "restore_to.snapshot.name"):
        found = call.query.flags.get(name) or string(call.body, name)
        if found:
            return found
    return None


def _remove(call: Call, record: Record) -> Outcome:
    volume = find(call.array, text(record, "uuid"))
    force = call.query.flag("force")
    return Outcome(volumes.delete(call.array.world, call.array.cluster, volume, force=force))


VOLUMES = Resource(
    path="/storage/volumes",
    schema=SCHEMA,
    listing=_list,
    create=_create,
    modify=_modify,
    remove=_remove,
    flags=frozenset(
        {"force", "restore_to.snapshot.name", "restore_to.snapshot.uuid", "nvfail", "sizing_method"}
    ),
)
