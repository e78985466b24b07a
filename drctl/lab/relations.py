"""SnapMirror relationships as objects: created, reversed, deleted."""

from __future__ import annotations

from collections.abc import Mapping

from drctl.lab import snapshots, transfers
from drctl.lab.model import Cluster, Job, Mirror, Volume
from drctl.lab.storage import (
    JOB_TIME,
    PEER_TIMEOUT,
    Refusal,
    ends,
    find_path,
    find_volume,
    new_uuid,
    peer_refusal,
    peers_answer,
    stable_uuid,
    start_job,
)
from drctl.lab.world import World

APPEARS = 2.0
"""Estate seconds after its job that a new relationship is not listed yet (netapp.ontap issue 344)."""


def peer_time(world: World, mirror: Mirror, *, force: bool = False) -> float:
    """Estate seconds of a job that asks the peer, long when that does not answer."""
    return JOB_TIME if force or transfers.linked(world, mirror) else PEER_TIMEOUT


def create(
    world: World,
    cluster: Cluster,
    source: str,
    destination: str,
    *,
    policy: str = "Asynchronous",
    schedule: int | None = None,
    create_destination: bool = False,
    initialize: bool = False,
) -> tuple[Mirror, Job]:
    """POST a relationship; the mirror appears at once, the job ends later.

    A destination that shares a snapshot with the source begins as broken_off, so that it can be
    resynced; a new data-protection volume begins as uninitialized.

    Raises:
        Refusal: 13303852 no colon, 6619441 source is destination, 6619637 exists, 13303868 a volume or
            peer is missing, 13303873 a state without create_destination, 262224 at once.
    """
    with world.lock:
        origin = _origin(world, cluster, source, destination)
        if initialize and not create_destination:
            raise Refusal(
                400, 13303873, "The state can only be given together with create_destination.", "state"
            )
        target = _target(cluster, origin, source, destination, create=create_destination)
        mirror = Mirror(
            new_uuid(),
            origin.endpoint,
            source,
            cluster.endpoint,
            destination,
            policy,
            "uninitialized",
            schedule,
            unseen=True,
        )
        _adopt(world, mirror, target)
        note_peers(world.estate.clusters, mirror)
        cluster.mirrors[mirror.uuid] = mirror

        def work() -> None:
            if initialize:
                transfers.begin(world, mirror, "initialize")

        world.after(JOB_TIME + APPEARS, lambda: _appear(world, mirror))
        return mirror, start_job(world, cluster, "POST /api/snapmirror/relationships", work)


def _appear(world: World, mirror: Mirror) -> None:
    mirror.unseen = False
    world.touch()


def _origin(world: World, cluster: Cluster, source: str, destination: str) -> Cluster:
    """The cluster of the source, once nothing speaks against a relationship with it."""
    for path in (source, destination):
        if ":" not in path:
            raise Refusal(400, 13303852, f'The path "{path}" has no colon.', "path")
    origin = _source_cluster(world, cluster, source)
    if (origin.endpoint, source) == (cluster.endpoint, destination):
        raise Refusal(400, 6619441, "The source and the destination are the same.")
    if any(m.destination == destination for m in cluster.mirrors.values()):
        raise Refusal(409, 6619637, f'A relationship with destination "{destination}" already exists.')
    if not peers_answer(world, origin, cluster):
        raise peer_refusal(origin, cluster)
    return origin


def _source_cluster(world: World, cluster: Cluster, source: str) -> Cluster:
    svm, _, name = source.partition(":")
    candidates = [
        cluster,
        *(world.estate.clusters[p] for p in sorted(cluster.peers) if p in world.estate.clusters),
    ]
    found = next((c for c in candidates if find_volume(c, svm, name)), None)
    if found is None:
        raise Refusal(400, 13303868, f'The source volume "{source}" does not exist or its SVM is not peered.')
    return found


def _target(cluster: Cluster, origin: Cluster, source: str, destination: str, *, create: bool) -> Volume:
    svm, _, name = destination.partition(":")
    found = find_volume(cluster, svm, name)
    if found is not None:
        return found
    if not create or svm not in cluster.svms:
        raise Refusal(400, 13303868, f'The destination volume "{destination}" does not exist.')
    model = find_path(origin, source)
    size = model.size if model else 0
    volume = Volume(
        stable_uuid(cluster.endpoint, svm, name, str(len(cluster.volumes))),
        name,
        svm,
        cluster.endpoint,
        "dp",
        size,
        0,
        next(iter(cluster.aggregates)),
    )
    volume.initialized = False
    volume.origin = model.origin if model else ""
    cluster.volumes[volume.uuid] = volume
    return volume


def note_peers(clusters: Mapping[str, Cluster], mirror: Mirror) -> None:
    """The SVMs of a relationship are peers of each other, from both sides."""
    ends = (
        (mirror.source_cluster, mirror.source.partition(":")[0]),
        (mirror.destination_cluster, mirror.destination.partition(":")[0]),
    )
    for (here, local), (there, remote) in (ends, ends[::-1]):
        if here != there:
            clusters[here].svm_peers.add((local, there, remote))


def _adopt(world: World, mirror: Mirror, target: Volume) -> None:
    source = ends(world, mirror)[0]
    base = snapshots.common(source, target) if source else None
    if base is not None and target.initialized:
        mirror.state, mirror.exported = "broken_off", base.name


def reverse(world: World, cluster: Cluster, mirror: Mirror, source: str, destination: str, state: str) -> Job:
    """PATCH with swapped paths (and state): the relationship moves to the other cluster and resyncs.

    What the new destination holds beyond the newest common snapshot is lost.

    Raises:
        Refusal: 13304120 the paths do not match, 13304003 within one cluster, 13303818.
    """
    with world.lock:
        if (source, destination) != (mirror.destination, mirror.source):
            raise Refusal(400, 13304120, "The paths do not match those of the relationship.")
        if mirror.source_cluster == mirror.destination_cluster:
            raise Refusal(400, 13304003, "The direction cannot be reversed within a cluster.")
        if mirror.state not in ("broken_off", "snapmirrored"):
            raise Refusal(
                400, 13303818, f'A relationship that is "{mirror.state}" cannot be reversed.', "state"
            )

        def work() -> None:
            _turn(world, cluster, mirror, resync=state == "snapmirrored")

        return start_job(
            world,
            cluster,
            f"PATCH /api/snapmirror/relationships/{mirror.uuid}",
            work,
            peer_time(world, mirror),
        )


def _turn(world: World, cluster: Cluster, mirror: Mirror, *, resync: bool) -> None:
    origin = world.estate.clusters[mirror.source_cluster]
    old_source, old_target = ends(world, mirror)
    if not transfers.linked(world, mirror):
        raise peer_refusal(origin, cluster)
    if transfers.active(mirror):
        raise Refusal(500, 13303810, f"Transition to snapmirrored state failed. Reason: {transfers.BUSY}")
    base = snapshots.common(old_target, old_source) if old_source and old_target else None
    if old_source is None or old_target is None or base is None:
        raise Refusal(
            500, 13303810, "Transition to snapmirrored state failed. Reason: No common Snapshot copy"
        )
    del cluster.mirrors[mirror.uuid]
    turned = Mirror(
        new_uuid(), cluster.endpoint, mirror.destination, origin.endpoint, mirror.source, mirror.policy,
        "broken_off", None, exported=base.name,
    )  # fmt: skip
    origin.mirrors[turned.uuid] = turned
    old_target.type = "rw"
    if resync:
        old_source.snapshots[:] = [s for s in old_source.snapshots if s.created <= base.created]
        snapshots.show(old_source, base)
        old_source.type, turned.state = "dp", "snapmirrored"
        transfers.begin(world, turned, "resync")


def delete(
    world: World,
    cluster: Cluster,
    mirror: Mirror,
    *,
    destination_only: bool = False,
    source_only: bool = False,
    source_info_only: bool = False,
) -> Job:
    """DELETE a relationship; without a flag both sides are needed (13303822 when the source is away).

    Raises:
        Refusal: 13303855, flags exclude each other.
    """
    with world.lock:
        if sum((destination_only, source_only, source_info_only)) > 1:
            raise Refusal(400, 13303855, "Only one of the delete options can be given.")
        local = source_only or source_info_only
        needs_peer = not (destination_only or local)

        def work() -> None:
            if needs_peer and not transfers.linked(world, mirror):
                away = peer_refusal(world.estate.clusters[mirror.source_cluster], cluster)
                raise Refusal(500, 13303822, f"Release failed. Reason: {away.message}")
            if not local:
                world.estate.clusters[mirror.destination_cluster].mirrors.pop(mirror.uuid, None)
            if not destination_only:
                _release(world, mirror, keep=source_info_only)

        seconds = peer_time(world, mirror) if needs_peer else JOB_TIME
        return start_job(world, cluster, f"DELETE /api/snapmirror/relationships/{mirror.uuid}", work, seconds)


def _release(world: World, mirror: Mirror, *, keep: bool) -> None:
    source = find_path(world.estate.clusters[mirror.source_cluster], mirror.source)
    mirror.released = True
    local = world.estate.clusters[mirror.source_cluster].mirrors.values()
    shown = {m.exported for m in local if m.destination == mirror.source}
    if source is not None and mirror.exported not in shown:  # what the volume shows belongs to its own mirror
        snapshots.release(source, mirror.exported)
        if not keep:
            snapshots.drop(source, mirror.exported)
