"""``/snapmirror/relationships``, asked on the destination cluster.

No recording of these answers is public; the shapes rest on NetApp's published client and on what
its Ansible collection, Cinder and Manila drivers read. ``paused`` is how REST shows *quiesced*.
"""

from __future__ import annotations

from drctl.lab import mirrors, restores
from drctl.lab.model import Cluster, Mirror
from drctl.lab.ontap import references
from drctl.lab.ontap.bodies import boolean, check_settable, integer, required, string
from drctl.lab.ontap.errors import RestError, no_entry
from drctl.lab.ontap.policies import POLICIES, policy_record
from drctl.lab.ontap.records import Record, format_duration, format_time, text
from drctl.lab.ontap.resource import Array, Call, Outcome, Resource, self_link
from drctl.lab.ontap.schedules import schedule_name, schedule_seconds
from drctl.lab.ontap.schema import Schema
from drctl.lab.storage import stable_uuid

STATES = frozenset({"snapmirrored", "paused", "broken_off", "in_sync"})

_SVM_DR_FLAGS = {"failover": 13303834, "force_failover": 13303835, "failback": 13303836}

_ENDPOINT = "path svm cluster ipspace consistency_group_volumes luns"

SCHEMA = Schema(
    f"uuid source({_ENDPOINT}) destination({_ENDPOINT}) policy(uuid name type) state healthy "
    "unhealthy_reason lag_time exported_snapshot transfer restore preserve quick_resync "
    "recover_after_break restore_to_snapshot create_destination consistency_group_failover group_type "
    "identity_preservation last_transfer_type throttle transfer_schedule svmdr_volumes "
    "total_transfer_bytes total_transfer_duration backoff_level io_serving_copy preferred_site "
    "master_bias_activated_site fan_out_type",
    brief=("uuid", "source.path", "source.svm", "destination.path", "destination.svm", "healthy", "state"),
    expensive=(
        "source.consistency_group_volumes",
        "destination.consistency_group_volumes",
        "svmdr_volumes",
    ),
)

_SETTABLE = frozenset(
    {
        "state",
        "policy",
        "transfer_schedule",
        "throttle",
        "source.path",
        "destination.path",
        "restore_to_snapshot",
        "preserve",
        "quick_resync",  # it only hints how to resync
    }
)
_AS_NEW: Record = {"throttle": 0, "backoff_level": "high", "preserve": False}
"""What a new relationship of the lab has anyway; clients may say so."""


def endpoint(cluster: Cluster, path: str) -> Record:
    """Return one end of a relationship: its path and SVM."""
    return {"path": path, "svm": references.svm(cluster, path.partition(":")[0])}


def _transfer(mirror: Mirror) -> Record:
    """Return the newest transfer; its uuid is there only while it goes on (Ansible's abort needs that)."""
    last = mirrors.last_transfer(mirror)
    if last is None:
        return {}
    record: Record = {"state": last.state, "type": last.type, "bytes_transferred": last.bytes}
    if last.ended is None:
        record["uuid"] = last.uuid
        record["_links"] = self_link(f"/api/snapmirror/relationships/{mirror.uuid}/transfers/{last.uuid}/")
    else:
        record["end_time"] = format_time(last.ended)
        record["total_duration"] = format_duration((last.ended - last.started).total_seconds())
    record["last_updated_time"] = format_time(last.ended or last.started)
    return record


def _render(array: Array, mirror: Mirror) -> Record:
    estate = array.world.estate
    source = estate.clusters[mirror.source_cluster]
    record: Record = {
        "uuid": mirror.uuid,
        "source": {**endpoint(source, mirror.source), "cluster": references.cluster_of(source)},
        "destination": endpoint(array.cluster, mirror.destination),
        "policy": policy_record(mirror.policy),
        "state": "in_sync" if is_sync(mirror) and mirror.state == "snapmirrored" else mirror.state,
        "healthy": mirror.healthy,
        "restore": mirror.restore,
        "group_type": "none",
        "throttle": mirror.throttle,
        "backoff_level": "high",
        "_links": self_link(f"/api/snapmirror/relationships/{mirror.uuid}"),
    }
    if not mirror.healthy:
        record["unhealthy_reason"] = [{"code": c, "message": m} for c, m in mirror.unhealthy_reason]
    lag = mirrors.lag(array.world, mirror)
    if lag is not None:
        record["lag_time"] = format_duration(lag)
    if mirror.exported:
        record["exported_snapshot"] = mirror.exported
    if mirror.schedule:
        name = schedule_name(mirror.schedule)
        record["transfer_schedule"] = {"name": name, "uuid": stable_uuid("schedule", name)}
    _add_history(record, mirror)
    return record


def _add_history(record: Record, mirror: Mirror) -> None:
    if not mirror.transfers:
        return
    record["transfer"] = _transfer(mirror)
    ended = [transfer for transfer in mirror.transfers if transfer.ended]
    if ended:
        record["last_transfer_type"] = ended[-1].type
        record["total_transfer_bytes"] = sum(transfer.bytes for transfer in ended)
        spent = sum((t.ended - t.started).total_seconds() for t in ended if t.ended)
        record["total_transfer_duration"] = format_duration(spent)


def _render_destination(array: Array, mirror: Mirror) -> Record:
    """Return what a source cluster knows of a relationship: its two ends and policy."""
    other = array.world.estate.clusters[mirror.destination_cluster]
    return {
        "uuid": mirror.uuid,
        "source": endpoint(array.cluster, mirror.source),
        "destination": {
            "path": mirror.destination,
            "svm": references.svm(other, mirror.destination.partition(":")[0]),
            "cluster": references.cluster_of(other),
        },
        "policy": {"type": POLICIES.get(mirror.policy, "async")},
        "group_type": "none",
        "_links": self_link(f"/api/snapmirror/relationships/{mirror.uuid}/?list_destinations_only=true"),
    }


def _list(call: Call) -> list[Record]:
    array = call.array
    at_source = {"source_only", "source_info_only"} & set(_delete_flags(call))
    if at_source or call.query.flag("list_destinations_only"):
        return [_render_destination(array, m) for m in mirrors.destinations_of(array.world, array.cluster)]
    return [_render(array, mirror) for mirror in array.cluster.mirrors.values() if not mirror.unseen]


def is_sync(mirror: Mirror) -> bool:
    """Say whether each write goes to both sides at once: other states, no aborts."""
    return POLICIES.get(mirror.policy) == "sync"


def find(call: Call, uuid: str) -> Mirror:
    """Return a relationship known to this cluster, as destination or as source."""
    array = call.array
    known = [*array.cluster.mirrors.values(), *mirrors.destinations_of(array.world, array.cluster)]
    for mirror in known:
        if mirror.uuid == uuid:
            return mirror
    raise no_entry()


def _create(call: Call) -> Outcome:
    settable = {
        "source",
        "destination",
        "policy",
        "create_destination",
        "state",
        "transfer_schedule",
        "restore",
    }
    check_settable(call, settable, _AS_NEW)
    body = call.body
    source, destination = required(body, "source.path"), required(body, "destination.path")
    for path, name in ((source, "source.path"), (destination, "destination.path")):
        if ":" not in path:
            raise RestError(400, 13303852, f'Path "{path}" does not hold the ":" that ends an SVM.', name)
    if boolean(body, "restore"):
        mirror, job = restores.create(call.array.world, call.array.cluster, source, destination)
        return Outcome(job, (mirror.uuid,))
    provision = boolean(body, "create_destination.enabled") or False
    if string(body, "state") and not provision:
        raise RestError(
            400, 13303873, 'Property "state" can be given only with "create_destination".', "state"
        )
    mirror, job = mirrors.create(
        call.array.world,
        call.array.cluster,
        source,
        destination,
        policy=_policy(body) or "Asynchronous",
        schedule=_schedule(body),
        create_destination=provision,
        initialize=string(body, "state") in {"snapmirrored", "in_sync"},
    )
    return Outcome(job, (mirror.uuid,))


def _policy(body: Record) -> str | None:
    uuid = string(body, "policy.uuid")
    for name in POLICIES:
        if uuid and stable_uuid("policy", name) == uuid:
            return name
    return string(body, "policy.name")


def _schedule(body: Record) -> int | None:
    name = string(body, "transfer_schedule.name")
    return None if name is None else schedule_seconds(name)


def _modify(call: Call, record: Record) -> Outcome:
    check_settable(call, _SETTABLE, {**_AS_NEW, **record})
    _refuse_svm_dr(call)
    mirror = find(call, text(record, "uuid"))
    if mirror.restore:
        raise RestError(400, 13303851, "A restore relationship cannot be changed.")
    world, cluster, body = call.array.world, call.array.cluster, call.body
    state = string(body, "state")
    source, destination = string(body, "source.path"), string(body, "destination.path")
    if source and destination and (source, destination) == (mirror.destination, mirror.source):
        for name in {"transfer_schedule", "throttle"} & body.keys():
            raise RestError(
                400, 262196, f'Field "{name}" cannot be set when the direction is reversed.', name
            )
        return Outcome(mirrors.reverse(world, cluster, mirror, source, destination, state or "snapmirrored"))
    if source not in (None, mirror.source) or destination not in (None, mirror.destination):
        raise RestError(400, 13304120, "The paths do not match those of the relationship, swapped.")
    if state:
        return _change_state(call, mirror, state)
    if call.dry:
        return Outcome()
    job = mirrors.modify(
        world,
        cluster,
        mirror,
        policy=_policy(body),
        throttle=integer(body, "throttle"),
        schedule=_schedule(body),
    )
    return Outcome(job)


def _change_state(call: Call, mirror: Mirror, state: str) -> Outcome:
    if state not in STATES:
        raise RestError(400, 13303817, f'Unknown value "{state}" for property "state".', "state")
    if state == "in_sync" and POLICIES.get(mirror.policy) != "sync":
        raise RestError(400, 13303831, 'State "in_sync" is not valid for an asynchronous policy.', "state")
    if state == "snapmirrored" and is_sync(mirror):
        raise RestError(400, 13303829, 'State "snapmirrored" is not valid for a synchronous policy.', "state")
    forced = call.query.flag("force")
    if state == "broken_off" and is_sync(mirror) and mirror.state == "snapmirrored" and not forced:
        raise RestError(
            400, 13303818, "A synchronous relationship must be quiesced before it is broken.", "state"
        )
    job = mirrors.change_state(
        call.array.world,
        call.array.cluster,
        mirror,
        "snapmirrored" if state == "in_sync" else state,
        force=forced,
        restore_to=string(call.body, "restore_to_snapshot"),
        validate_only=call.dry,
        preserve=boolean(call.body, "preserve") or False,
    )
    return Outcome(job)


def _refuse_svm_dr(call: Call) -> None:
    """Refuse the flags of SVM disaster recovery: the world has relationships of volumes alone."""
    for flag, code in _SVM_DR_FLAGS.items():
        if call.query.flag(flag):
            if flag == "failover" and "state" in call.body:
                raise RestError(400, 13304156, '"failover" cannot be combined with "state".', flag)
            raise RestError(400, code, f'Flag "{flag}" applies only to relationships of SVMs.', flag)


def _delete_flags(call: Call) -> list[str]:
    names = ("destination_only", "source_only", "source_info_only")
    asked = [name for name in names if call.query.flag(name)]
    if len(asked) > 1:
        raise RestError(400, 13303855, "Only one of the delete options can be given.", asked[1])
    return asked


def _remove(call: Call, record: Record) -> Outcome:
    asked = _delete_flags(call)
    mirror = find(call, text(record, "uuid"))
    if mirror.restore:
        if asked:
            raise RestError(
                400, 13303855, f'"{asked[0]}" does not apply to a restore relationship.', asked[0]
            )
        return Outcome(restores.delete(call.array.world, call.array.cluster, mirror))
    job = mirrors.delete(
        call.array.world,
        call.array.cluster,
        mirror,
        destination_only="destination_only" in asked,
        source_only="source_only" in asked,
        source_info_only="source_info_only" in asked,
    )
    return Outcome(job)


def target(call: Call, record: Record) -> str:
    """Return the destination path, by which people know a relationship."""
    return text(record, "destination.path") or "/".join(call.keys)


RELATIONSHIPS = Resource(
    path="/snapmirror/relationships",
    schema=SCHEMA,
    listing=_list,
    create=_create,
    modify=_modify,
    remove=_remove,
    flags=frozenset(
        {
            "list_destinations_only",
            "validate_only",
            "force",
            "failback",
            "failover",
            "force_failover",
            "destination_only",
            "source_only",
            "source_info_only",
            "delete_lun_maps_in_destination",
        }
    ),
    target=target,
)
