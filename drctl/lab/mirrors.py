"""SnapMirror as ONTAP's REST interface shows it: states and their changes, refusals with ONTAP's codes.

Every function takes the destination cluster, like the REST call. What takes place between two
clusters needs both: with the peer out of reach it fails after a while with 262224, as recorded in
netapp.ontap issue 348, unless ``force`` overrides the check.
"""

from __future__ import annotations

from drctl.lab import snapshots, transfers
from drctl.lab.clones import is_locked
from drctl.lab.model import Cluster, Job, Mirror, Snapshot, Transfer, Volume
from drctl.lab.relations import create, delete, peer_time, reverse
from drctl.lab.storage import (
    JOB_TIME,
    Refusal,
    close_job,
    ends,
    find_snapshot,
    missing,
    open_job,
    peer_refusal,
    start_job,
)
from drctl.lab.transfers import BUSY, abort
from drctl.lab.transfers import active as active_transfer
from drctl.lab.world import World

__all__ = [
    "abort",
    "active_transfer",
    "change_state",
    "create",
    "delete",
    "destinations_of",
    "exported_snapshot",
    "find",
    "lag",
    "last_transfer",
    "modify",
    "reverse",
    "start_transfer",
]

QUIESCE_TIME = 5.0
_QUIESCE_PATIENCE = 120.0
"""Estate seconds after which ONTAP gives up waiting for a transfer to end."""


def find(cluster: Cluster, destination: str) -> Mirror | None:
    """The relationship with destination path ``svm:volume``."""
    return next((m for m in cluster.mirrors.values() if m.destination == destination), None)


def last_transfer(mirror: Mirror) -> Transfer | None:
    """The newest transfer, active or not."""
    return mirror.transfers[-1] if mirror.transfers else None


def exported_snapshot(world: World, mirror: Mirror) -> Snapshot | None:
    """The snapshot that the destination volume shows."""
    with world.lock:
        target = ends(world, mirror)[1]
        return find_snapshot(target, mirror.exported) if target and mirror.exported else None


def lag(world: World, mirror: Mirror) -> float | None:
    """Seconds since the exported snapshot was made; None while uninitialized."""
    snapshot = exported_snapshot(world, mirror)
    return max(0.0, (world.now() - snapshot.created).total_seconds()) if snapshot else None


def destinations_of(world: World, cluster: Cluster) -> list[Mirror]:
    """Relationships whose source is on this cluster (``list_destinations_only``)."""
    with world.lock:
        everywhere = (m for c in world.estate.clusters.values() for m in c.mirrors.values())
        return [m for m in everywhere if m.source_cluster == cluster.endpoint and not m.released]


# --- changes of state -----------------------------------------------------------------------------


def change_state(
    world: World,
    cluster: Cluster,
    mirror: Mirror,
    state: str,
    *,
    force: bool = False,
    restore_to: str | None = None,
    validate_only: bool = False,
    preserve: bool = False,
) -> Job:
    """PATCH ``state``: paused, broken_off or snapmirrored (initialize, resume or resync by state).

    ``preserve`` keeps the destination's snapshots that are newer than the common one when resyncing.

    Raises:
        Refusal: 13303817 unknown state, 13303818 illegal transition, at once.
    """
    with world.lock:
        change = {"paused": _quiesce, "broken_off": _break, "snapmirrored": _activate}.get(state)
        if change is None:
            raise Refusal(400, 13303817, f'Unknown state value "{state}".', "state")
        if state == "paused" and mirror.state in ("broken_off", "uninitialized"):
            raise Refusal(
                400, 13303818, f'A transition from "{mirror.state}" to "{state}" is not allowed.', "state"
            )
        if validate_only:
            return start_job(world, cluster, _description(mirror), lambda: None)
        mirror.preserves = preserve
        return change(world, cluster, mirror, force, restore_to)


def _description(mirror: Mirror) -> str:
    return f"PATCH /api/snapmirror/relationships/{mirror.uuid}"


def _quiesce(world: World, cluster: Cluster, mirror: Mirror, _force: bool, _snapshot: str | None) -> Job:  # noqa: FBT001 - one of three changes
    """New transfers are held at once; the job ends when the running one has, or gives up (13303823)."""
    job = open_job(world, cluster, _description(mirror))
    stuck = world.faults.take("quiesce-stuck", mirror.destination)
    mirror.quiescing = mirror.state == "snapmirrored"
    waited = 0.0

    def work() -> None:
        if waited >= _QUIESCE_PATIENCE:
            reason = BUSY if active_transfer(mirror) else "the relationship is busy"
            raise Refusal(
                500, 13303823, f"Timed out waiting for the relationship to quiesce. Reason: {reason}"
            )

    def look() -> None:
        nonlocal waited
        waited += QUIESCE_TIME
        if not stuck:
            transfers.settle_quiesce(world, mirror)
        if waited >= _QUIESCE_PATIENCE or (not mirror.quiescing and not stuck):
            close_job(world, cluster, job, work)
        else:
            world.after(QUIESCE_TIME, look)

    world.after(QUIESCE_TIME, look)
    return job


def _break(world: World, cluster: Cluster, mirror: Mirror, force: bool, restore_to: str | None) -> Job:  # noqa: FBT001 - one of three changes
    """The destination becomes writable; nothing is mounted, exported or shared by it."""

    def work() -> None:
        if mirror.state == "broken_off":
            return
        _check_break(world, cluster, mirror, force=force)
        target = ends(world, mirror)[1]
        if target is None:
            raise _no_break("The destination volume does not exist")
        if restore_to is not None:
            _roll_back(world, cluster, mirror, target, restore_to)
        mirror.state, mirror.quiescing = "broken_off", False
        target.type = "rw"

    return start_job(world, cluster, _description(mirror), work, peer_time(world, mirror, force=force))


def _no_break(reason: str) -> Refusal:
    return Refusal(500, 13303808, f"Transition to broken_off state failed. Reason: {reason}")


def _check_break(world: World, cluster: Cluster, mirror: Mirror, *, force: bool) -> None:
    if active_transfer(mirror):
        raise _no_break(BUSY)
    if mirror.state == "uninitialized":
        raise _no_break("The relationship is uninitialized")
    if force:
        return
    if not transfers.linked(world, mirror):
        raise peer_refusal(world.estate.clusters[mirror.source_cluster], cluster)
    if not mirror.healthy:
        told = mirror.unhealthy_reason[0][1] if mirror.unhealthy_reason else "unknown"
        raise _no_break(f"The relationship is unhealthy: {told}")


def _roll_back(world: World, cluster: Cluster, mirror: Mirror, target: Volume, name: str) -> None:
    """Back to a snapshot as part of a break: newer ones go, unless one of them must stay; force changes nothing."""
    snapshot = find_snapshot(target, name)
    if snapshot is None:
        raise _no_break(f'Snapshot "{name}" does not exist')
    newer = target.snapshots[target.snapshots.index(snapshot) + 1 :]
    bases = {m.exported for m in destinations_of(world, cluster) if m.source == mirror.destination}
    for each in newer:
        if each.name in bases:
            raise _no_break(f'Newer snapshot "{each.name}" is in use as a SnapMirror reference (1638480)')
        if each.owners - {"snapmirror"}:
            raise _no_break(f'Newer snapshot "{each.name}" is busy: it has an owner (1638543)')
        if is_locked(world, target, each):
            raise _no_break(f'Newer snapshot "{each.name}" is locked and has not expired (9437886)')
    target.snapshots[:] = [each for each in target.snapshots if each not in newer]
    snapshots.show(target, snapshot)


def _activate(world: World, cluster: Cluster, mirror: Mirror, _force: bool, _snapshot: str | None) -> Job:  # noqa: FBT001 - one of three changes
    """Initialize, resume or resync; for the first and last the job's end means the transfer has begun."""

    def work() -> None:
        if mirror.state == "paused" or mirror.quiescing:
            mirror.state, mirror.quiescing = "snapmirrored", False
        elif mirror.state in ("uninitialized", "broken_off"):
            code = 13303812 if mirror.state == "uninitialized" else 13303810
            if active_transfer(mirror):
                raise Refusal(500, code, f"Transition to snapmirrored state failed. Reason: {BUSY}")
            if not transfers.linked(world, mirror):
                raise peer_refusal(world.estate.clusters[mirror.source_cluster], cluster)
            (_initialize if mirror.state == "uninitialized" else _resync)(world, mirror)

    needs_peer = mirror.state in ("uninitialized", "broken_off")
    seconds = peer_time(world, mirror) if needs_peer else JOB_TIME
    return start_job(world, cluster, _description(mirror), work, seconds)


def _initialize(world: World, mirror: Mirror) -> None:
    source, target = ends(world, mirror)
    if source is None or target is None:
        raise Refusal(500, 13303812, "Initialize failed. Reason: a volume of the relationship does not exist")
    if target.type != "dp":
        raise Refusal(500, 6619546, "The destination volume must be a data-protection volume.")
    transfers.begin(world, mirror, "initialize")


def _resync(world: World, mirror: Mirror) -> None:
    """Back to the newest common snapshot: what was written at the destination since is lost."""
    source, target = ends(world, mirror)
    base = snapshots.common(source, target) if source and target else None
    if target is None or base is None:
        raise Refusal(
            500,
            13303810,
            "Transition to snapmirrored state failed. Reason: No common Snapshot copy was found",
        )
    if any(v.clone_parent and v.clone_parent[0] == target.uuid for v in _siblings(world, target)):
        newer = [s for s in target.snapshots if s.created > base.created and s.owners - {"snapmirror"}]
        if newer:
            raise Refusal(500, 13303810, f'Transition failed. Reason: Snapshot "{newer[0].name}" is busy')
    if not mirror.preserves:
        target.snapshots[:] = [s for s in target.snapshots if s.created <= base.created]
    snapshots.show(target, base)
    target.type = "dp"
    mirror.state, mirror.exported = "snapmirrored", base.name
    transfers.begin(world, mirror, "resync")


def _siblings(world: World, volume: Volume) -> list[Volume]:
    return list(world.estate.clusters[volume.cluster].volumes.values())


def start_transfer(world: World, cluster: Cluster, mirror: Mirror, snapshot: str | None = None) -> Transfer:
    """POST a transfer: initialize or update by state; not a job.

    Raises:
        Refusal: 13303844 (one runs, or the state allows none), 6619546; 4, the relationship is gone.
    """
    with world.lock:
        if mirror.uuid not in cluster.mirrors:
            raise missing()
        if active_transfer(mirror):
            raise Refusal(409, 13303844, f"Update failed. Reason: {BUSY}")
        if mirror.state in ("paused", "broken_off") or mirror.quiescing:
            raise Refusal(409, 13303844, f'Update failed. Reason: The relationship is "{mirror.state}"')
        if mirror.state == "uninitialized":
            target = ends(world, mirror)[1]
            if target is None or target.type != "dp":
                raise Refusal(409, 6619546, "The destination volume must be a data-protection volume.")
            return transfers.begin(world, mirror, "initialize", snapshot)
        return transfers.begin(world, mirror, "update", snapshot)


def modify(
    world: World,
    cluster: Cluster,
    mirror: Mirror,
    *,
    policy: str | None = None,
    throttle: int | None = None,
    schedule: int | None = None,
) -> Job:
    """PATCH policy, throttle or transfer schedule (seconds, 0 removes it)."""

    def work() -> None:
        mirror.policy = policy if policy is not None else mirror.policy
        mirror.throttle = throttle if throttle is not None else mirror.throttle
        mirror.schedule = (schedule or None) if schedule is not None else mirror.schedule

    return start_job(world, cluster, _description(mirror), work)
