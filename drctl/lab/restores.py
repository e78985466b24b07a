"""Restore relationships: a volume gets the content of a mirror's snapshot back.

They exist for one transfer: its success deletes the relationship, its failure leaves it to be deleted
(ONTAP's documentation of POST /snapmirror/relationships with ``restore=true``).
"""

from __future__ import annotations

from drctl.lab import snapshots, transfers
from drctl.lab.model import Cluster, Job, Mirror, Transfer
from drctl.lab.storage import (
    PEER_TIMEOUT,
    Refusal,
    cluster_of,
    ends,
    find_path,
    find_snapshot,
    new_uuid,
    peer_refusal,
    start_job,
)
from drctl.lab.world import World


def create(world: World, cluster: Cluster, source: str, destination: str) -> tuple[Mirror, Job]:
    """POST a restore relationship: ``source`` is a mirror's destination, ``destination`` a writable volume.

    Raises:
        Refusal: 6619637 it exists, 13303868 a volume is missing, 6619546 the destination is no writable one.
    """
    with world.lock:
        if any(m.restore and m.destination == destination for m in cluster.mirrors.values()):
            raise Refusal(409, 6619637, f'A relationship with destination "{destination}" already exists.')
        peers = [cluster, *(cluster_of(world, name) for name in sorted(cluster.peers))]
        origin = next((each for each in peers if find_path(each, source)), None)
        target = find_path(cluster, destination)
        if origin is None or target is None:
            missing = source if origin is None else destination
            raise Refusal(400, 13303868, f'The volume "{missing}" does not exist.')
        if target.type != "rw":
            raise Refusal(400, 6619546, f'The destination volume "{destination}" must be writable.')
        mirror = Mirror(
            new_uuid(),
            origin.endpoint,
            source,
            cluster.endpoint,
            destination,
            "Asynchronous",
            "uninitialized",
            None,
            restore=True,
        )
        cluster.mirrors[mirror.uuid] = mirror
        return mirror, start_job(world, cluster, "POST /api/snapmirror/relationships", lambda: None)


def start(world: World, mirror: Mirror, name: str | None) -> Transfer:
    """POST the transfer that restores a snapshot, the newest when none is named.

    Raises:
        Refusal: 13303845, one runs already or the source has no such snapshot; 262224.
    """
    with world.lock:
        source = ends(world, mirror)[0]
        known = source.snapshots if source else []
        chosen = known[-1] if known and name is None else next((s for s in known if s.name == name), None)
        if transfers.active(mirror):
            raise Refusal(409, 13303845, f"Restore failed. Reason: {transfers.BUSY}")
        if not transfers.linked(world, mirror):
            remote, local = transfers.clusters(world, mirror)
            raise peer_refusal(remote, local)
        if chosen is None:
            raise Refusal(400, 13303845, f'Restore failed. Reason: Snapshot "{name}" does not exist')
        transfer = Transfer(new_uuid(), "transferring", "restore", world.now(), snapshot=chosen.name)
        transfer.total = source.used if source else 0
        mirror.transfers.append(transfer)
        world.after(transfers.TRANSFER_TIME, lambda: _end(world, mirror, transfer))
        world.touch()
        return transfer


def _end(world: World, mirror: Mirror, transfer: Transfer) -> None:
    if transfer.state != "transferring":
        return
    if not transfers.linked(world, mirror):
        world.after(PEER_TIMEOUT, lambda: _end(world, mirror, transfer))
        return
    source, target = ends(world, mirror)
    brought = find_snapshot(source, transfer.snapshot) if source else None
    transfer.ended = world.now()
    if target is None or brought is None or target.state != "online":
        transfer.state = "failed"
        mirror.healthy = False
        mirror.unhealthy_reason = [("13303845", "Restore failed. Reason: a volume is not available")]
        return
    if find_snapshot(target, brought.uuid) is None:
        target.snapshots.append(snapshots.copy_of(brought))
    snapshots.show(target, brought)
    transfer.state, transfer.bytes = "success", transfer.total
    world.estate.clusters[mirror.destination_cluster].mirrors.pop(mirror.uuid, None)


def delete(world: World, cluster: Cluster, mirror: Mirror) -> Job:
    """DELETE a restore relationship that did not come to its end."""

    def work() -> None:
        cluster.mirrors.pop(mirror.uuid, None)

    return start_job(world, cluster, f"DELETE /api/snapmirror/relationships/{mirror.uuid}", work)
