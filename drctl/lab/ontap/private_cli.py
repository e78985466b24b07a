"""``/private/cli``: the few commands a failover may fall back to, in the CLI's own field names.

Records are flat, without ``_links``; dashes and underscores mean the same. Verbs of a command are
called with POST or PATCH and wait for what they do, as the command line does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from drctl.lab import mirrors, volumes
from drctl.lab.model import Job, Mirror, Volume
from drctl.lab.ontap.bodies import boolean, required, string
from drctl.lab.ontap.errors import RestError, no_entry
from drctl.lab.ontap.records import Json, Record, format_time, text
from drctl.lab.ontap.references import node_name
from drctl.lab.ontap.resource import Call, Outcome, Resource
from drctl.lab.ontap.schema import Schema
from drctl.lab.storage import find_path, live_volumes

WAIT = 60
"""Seconds a command waits for its job."""

_FLAGS = frozenset({"privilege_level", "destination-path", "destination_path"})


def _body(call: Call) -> Record:
    """Return a command's arguments, from body and query, with underscores."""
    given: Record = dict(call.query.flags.items())
    given.update(call.body)
    return {name.replace("-", "_"): part for name, part in given.items()}


def _volumes(call: Call) -> list[Record]:
    nodes: list[Json] = [node_name(call.array)]
    return [_volume(volume, nodes) for volume in live_volumes(call.array.cluster)]


def _volume(volume: Volume, nodes: list[Json]) -> Record:
    record: Record = {
        "vserver": volume.svm,
        "volume": volume.name,
        "aggregate": volume.aggregate,
        "nodes": list(nodes),
        "size": volume.size,
        "used": volume.used,
        "state": volume.state,
        "type": volume.type.upper(),
        "policy": volume.export_policy,
        "files": 31122,
        "files_used": 96 + len(volume.files),
        "is_sis_volume": False,
    }
    if volume.junction:
        record["junction_path"] = volume.junction
        record["junction_active"] = True
    return record


CLI_VOLUME = Resource(
    path="/private/cli/volume",
    schema=Schema(
        "vserver volume aggregate nodes size used state type policy files files_used is_sis_volume "
        "junction_path junction_active sis_space_saved",
        keys=("vserver", "volume"),
        brief=("vserver", "volume"),
    ),
    listing=_volumes,
    flags=_FLAGS,
    hal=False,
)


def _snapmirrors(call: Call) -> list[Record]:
    records = []
    for mirror in call.array.cluster.mirrors.values():
        active = mirrors.active_transfer(mirror)
        record: Record = {
            "source_path": mirror.source,
            "destination_path": mirror.destination,
            "policy": mirror.policy,
            "type": "XDP",
            "state": _STATES[mirror.state],
            "status": "transferring" if active else ("quiesced" if mirror.state == "paused" else "idle"),
            "healthy": mirror.healthy,
            "relationship_id": mirror.uuid,
        }
        lag = mirrors.lag(call.array.world, mirror)
        if lag is not None:
            record["lag_time"] = round(lag)
        if mirror.exported:
            record["exported_snapshot"] = mirror.exported
        records.append(record)
    return list(records)


_STATES = {
    "uninitialized": "uninitialized",
    "snapmirrored": "snapmirrored",
    "paused": "snapmirrored",
    "broken_off": "broken_off",
}

_SNAPMIRROR = Schema(
    "source_path destination_path policy type state status healthy lag_time exported_snapshot relationship_id "
    "unhealthy_reason last_transfer_error",
    keys=("destination_path",),
    brief=("source_path", "destination_path", "state", "status"),
)


def _target(call: Call, record: Record) -> str:
    given = _body(call)
    path = text(given, "destination_path") or text(record, "destination_path")
    return path or ":".join(filter(None, (text(given, "vserver"), text(given, "volume"))))


CLI_SNAPMIRROR = Resource(
    path="/private/cli/snapmirror",
    schema=_SNAPMIRROR,
    listing=_snapmirrors,
    flags=frozenset({"privilege_level"}),
    hal=False,
)


def _mirror(call: Call) -> Mirror:
    found = mirrors.find(call.array.cluster, required(_body(call), "destination_path"))
    if found is None:
        raise no_entry("destination-path")
    return found


def _to_state(state: str, call: Call) -> Outcome:
    force = boolean(_body(call), "force") or False
    job = mirrors.change_state(call.array.world, call.array.cluster, _mirror(call), state, force=force)
    return Outcome(job)


def _abort(call: Call) -> Outcome:
    mirror = _mirror(call)
    transfer = mirrors.active_transfer(mirror)
    if transfer is None:
        raise RestError(400, 13303849, "There is no transfer to abort.")
    hard = boolean(_body(call), "hard") or False
    mirrors.abort(call.array.world, call.array.cluster, mirror, transfer, hard=hard)
    return Outcome()


def _named(call: Call) -> Volume:
    given = _body(call)
    found = find_path(call.array.cluster, f"{required(given, 'vserver')}:{required(given, 'volume')}")
    if found is None:
        raise no_entry("volume")
    return found


def _mount(call: Call) -> Outcome:
    return _junction(call, required(_body(call), "junction_path"))


def _unmount(call: Call) -> Outcome:
    return _junction(call, "")


def _junction(call: Call, path: str) -> Outcome:
    change = volumes.Change(junction=path)
    job: Job = volumes.modify(call.array.world, call.array.cluster, _named(call), change)
    return Outcome(job)


def _command(path: str, run: Callable[[Call], Outcome]) -> Resource:
    """Return a resource whose POST and PATCH run one command."""
    return Resource(
        path=f"/private/cli/{path}",
        schema=Schema("vserver volume destination_path", keys=(), brief=()),
        listing=lambda _: [{}],
        create=run,
        modify=lambda call, _: run(call),
        flags=_FLAGS | {"vserver", "volume", "force", "hard", "junction-path", "junction_path"},
        single=True,
        hal=False,
        wait=WAIT,
        target=_target,
    )


def _queue(call: Call) -> list[Record]:
    records: list[Record] = []
    for volume in volumes.recovery_queue(call.array.cluster):
        deleted = format_time(volume.deleted) if volume.deleted else ""
        records.append(
            {
                "vserver": volume.svm,
                "volume": _queued_name(volume),
                "deletion_request_time": deleted,
                "retention_hours": 12,
                "size": volume.size,
            }
        )
    return records


def _queued_name(volume: Volume) -> str:
    """Return the name a deleted volume waits under: its own and a number."""
    return f"{volume.name}_{int(volume.uuid[:4], 16)}"


def _purge(call: Call) -> Outcome:
    given = _body(call)
    name = string(given, "volume")
    for volume in volumes.recovery_queue(call.array.cluster):
        if volume.svm == string(given, "vserver") and name in {volume.name, _queued_name(volume)}:
            volumes.purge(call.array.world, call.array.cluster, volume)
            return Outcome()
    raise no_entry("volume")


CLI_RECOVERY_QUEUE = Resource(
    path="/private/cli/volume/recovery-queue",
    schema=Schema(
        "vserver volume deletion_request_time retention_hours size",
        keys=("vserver", "volume"),
        brief=("vserver", "volume"),
    ),
    listing=_queue,
    flags=_FLAGS,
    hal=False,
)

CLI_COMMANDS = (
    _command("snapmirror/break", partial(_to_state, "broken_off")),
    _command("snapmirror/quiesce", partial(_to_state, "paused")),
    _command("snapmirror/resume", partial(_to_state, "snapmirrored")),
    _command("snapmirror/resync", partial(_to_state, "snapmirrored")),
    _command("snapmirror/abort", _abort),
    _command("volume/mount", _mount),
    _command("volume/unmount", _unmount),
    _command("volume/recovery-queue/purge", _purge),
)
