"""SnapMirror transfers: begin, progress, end, abort; a transfer whose source is gone hangs."""

from __future__ import annotations

from typing import Literal

from drctl.lab import snapshots
from drctl.lab.model import Cluster, Mirror, Snapshot, Transfer, Volume
from drctl.lab.storage import (
    PEER_TIMEOUT,
    Refusal,
    ends,
    find_snapshot,
    missing,
    new_uuid,
    path_of,
    peer_refusal,
    peers_answer,
)
from drctl.lab.world import World
from drctl.lab.writes import data_of

Kind = Literal["initialize", "update", "resync"]

TRANSFER_TIME = 240.0
"""Estate seconds that an ordinary transfer takes."""

_STEPS = 12
_ABORT_TIME = 2.0
_GIB = 1024**3

BUSY = "Another transfer is in progress"
"""The words clients look for (Trident, Manila, Cinder)."""


def active(mirror: Mirror) -> Transfer | None:
    """The transfer that is queued or transferring."""
    return next((t for t in reversed(mirror.transfers) if t.state in ("queued", "transferring")), None)


def clusters(world: World, mirror: Mirror) -> tuple[Cluster, Cluster]:
    """Source and destination cluster."""
    return world.estate.clusters[mirror.source_cluster], world.estate.clusters[mirror.destination_cluster]


def linked(world: World, mirror: Mirror) -> bool:
    """Whether source and destination cluster reach each other."""
    return peers_answer(world, *clusters(world, mirror))


def begin(
    world: World, mirror: Mirror, kind: Kind, snapshot: str | None = None, *, hangs: bool = False
) -> Transfer:
    """Start a transfer of a new snapshot of the source, or of the one named.

    With the peer out of reach it fails after a while and the relationship is unhealthy.

    Raises:
        Refusal: 13303844, the snapshot named does not exist at the source.
    """
    source, target = ends(world, mirror)
    moved = 2 * _GIB + int(mirror.uuid[:4], 16) * 100_000
    full = target.used if target else moved
    transfer = Transfer(
        new_uuid(),
        "transferring",
        kind,
        world.now(),
        total=full if kind == "initialize" else moved,
        hangs=hangs,
    )
    if source and target and (hangs or linked(world, mirror)):
        mirror.pending = _take(world, mirror, source, target, snapshot)
        transfer.snapshot = mirror.pending.name
        _tick(world, mirror, transfer)
    else:
        world.after(PEER_TIMEOUT, lambda: _fail(world, mirror, transfer))
    mirror.transfers.append(transfer)
    del mirror.transfers[:-24]
    world.touch()
    return transfer


def _take(world: World, mirror: Mirror, source: Volume, target: Volume, name: str | None) -> Snapshot:
    if name is not None:
        chosen = find_snapshot(source, name)
        if chosen is None:
            raise Refusal(
                400, 13303844, f'Update failed. Reason: Snapshot "{name}" does not exist on the source.'
            )
        return chosen
    if source.type == "dp":
        return _newest_of(world, source)
    data_of(world, source)
    now = world.now()
    svm = world.estate.clusters[mirror.destination_cluster].svms[target.svm]
    taken = snapshots.snapshot_of(source, snapshots.snapshot_name(svm.uuid, target.uuid, now), now)
    taken.owners = {"snapmirror"}
    source.snapshots.append(taken)
    return taken


def _newest_of(world: World, source: Volume) -> Snapshot:
    """A read-only source (a cascade) makes no snapshot of its own: what its mirror brought is passed on."""
    if not source.snapshots:
        raise Refusal(409, 13303844, "Update failed. Reason: The source has no Snapshot copy")
    feeding = world.estate.clusters[source.cluster].mirrors.values()
    shown = {mirror.exported for mirror in feeding if mirror.destination == path_of(source)}
    return next((s for s in reversed(source.snapshots) if s.name in shown), source.snapshots[-1])


def _tick(world: World, mirror: Mirror, transfer: Transfer) -> None:
    def step() -> None:
        if transfer.state != "transferring":
            return
        if not transfer.hangs and linked(world, mirror):
            transfer.bytes = min(transfer.total, transfer.bytes + -(-transfer.total // _STEPS))
            if transfer.bytes >= transfer.total:
                _finish(world, mirror, transfer)
                return
        _tick(world, mirror, transfer)

    world.after(TRANSFER_TIME / _STEPS, step)


def _fail(world: World, mirror: Mirror, transfer: Transfer) -> None:
    if transfer.state not in ("queued", "transferring"):
        return
    local, remote = clusters(world, mirror)[1], clusters(world, mirror)[0]
    reason = "Source volume is not available."
    if not linked(world, mirror):
        reason = peer_refusal(remote, local).message
    transfer.state, transfer.ended = "failed", world.now()
    mirror.healthy = False
    mirror.unhealthy_reason = [("13303844", f"Transfer failed. {reason}")]
    settle_quiesce(world, mirror)


def _finish(world: World, mirror: Mirror, transfer: Transfer) -> None:
    source, target = ends(world, mirror)
    brought = mirror.pending
    if (
        source is None
        or target is None
        or brought is None
        or source.state != "online"
        or target.state != "online"
    ):
        _fail(world, mirror, transfer)
        return
    if mirror.state == "broken_off" and transfer.type == "update":
        _fail(world, mirror, transfer)
        return
    if find_snapshot(target, brought.uuid) is None:
        target.snapshots.append(snapshots.copy_of(brought))
    old = mirror.exported
    mirror.exported, mirror.pending = brought.name, None
    if old != brought.name:
        for volume in (source, target):
            _rotate(world, mirror, volume, old)
    target.initialized = True
    snapshots.show(target, brought)
    mirror.state = "snapmirrored" if mirror.state == "uninitialized" else mirror.state
    mirror.healthy, mirror.unhealthy_reason = True, []
    transfer.state, transfer.ended = "success", world.now()
    settle_quiesce(world, mirror)


def _rotate(world: World, mirror: Mirror, volume: Volume, name: str | None) -> None:
    """The former base goes, unless another relationship still exports it or a clone lies on it."""
    others = (m for c in world.estate.clusters.values() for m in c.mirrors.values() if m is not mirror)
    if name and not any(other.exported == name for other in others):
        snapshots.release(volume, name)
        snapshots.drop(volume, name)


def settle_quiesce(world: World, mirror: Mirror) -> None:
    """A relationship that was asked to pause does so once no transfer runs."""
    stuck = world.faults.active("quiesce-stuck", mirror.destination)
    if mirror.quiescing and not stuck and active(mirror) is None:
        mirror.quiescing = False
        if mirror.state == "snapmirrored":
            mirror.state = "paused"
        world.touch()


def abort(world: World, cluster: Cluster, mirror: Mirror, transfer: Transfer, *, hard: bool = False) -> None:
    """PATCH a transfer to aborted or hard_aborted; it has ended two seconds later.

    Raises:
        Refusal: 13303849, it is not active; 4, the relationship is gone.
    """
    with world.lock:
        if mirror.uuid not in cluster.mirrors:
            raise missing()
        if transfer.state not in ("queued", "transferring"):
            raise Refusal(
                400, 13303849, f'The transfer state "{transfer.state}" does not allow an abort.', "state"
            )

        def end() -> None:
            if transfer.state in ("queued", "transferring"):
                transfer.state, transfer.ended = ("hard_aborted" if hard else "aborted"), world.now()
                _discard(world, mirror)
                settle_quiesce(world, mirror)

        world.after(_ABORT_TIME, end)
        world.touch()


def _discard(world: World, mirror: Mirror) -> None:
    """What an aborted transfer was bringing is deleted at the source, when that can be reached."""
    source = ends(world, mirror)[0]
    pending, mirror.pending = mirror.pending, None
    if source and pending and pending.name != mirror.exported and linked(world, mirror):
        snapshots.release(source, pending.name)
        snapshots.drop(source, pending.name)
