"""FlexClones and snapshots of volumes: what locks what, and what cannot be deleted."""

from __future__ import annotations

from datetime import datetime

from drctl.lab import snapshots
from drctl.lab.model import Cluster, Job, Snapshot, Volume
from drctl.lab.storage import Refusal, find_snapshot, live_volumes, path_of, start_job
from drctl.lab.world import World
from drctl.lab.writes import data_of

_SPLIT_TIME = 60.0
_SPLIT_STEPS = 10
_MOST_SNAPSHOTS = 1023


def clone_owner(clone: Volume) -> str:
    """What a clone is called among the owners of its parent's snapshot."""
    return f"clone {clone.uuid}"


def make_clone(
    world: World,
    cluster: Cluster,
    clone: Volume,
    parent: str,
    snapshot: str | None,
    parent_svm: str | None,
    *,
    mounted: bool,
) -> None:
    """Give a new volume the content of a snapshot of its parent, and lock that snapshot.

    Raises:
        Refusal: 524601 no such parent, 1520442 a junction together with another SVM's parent, 918243 no
            such snapshot, 524597 a data-protection parent without a snapshot.
    """
    svm = parent_svm or clone.svm
    origin = next((v for v in live_volumes(cluster) if v.svm == svm and parent in (v.name, v.uuid)), None)
    if origin is None:
        raise Refusal(
            404, 524601, f'Parent volume "{parent}" of SVM "{svm}" was not found.', "clone.parent_volume"
        )
    if mounted and parent_svm not in (None, clone.svm):
        raise Refusal(
            400, 1520442, "A junction path cannot be given with a parent of another SVM.", "nas.path"
        )
    base = _base(world, origin, clone, snapshot)
    base.owners.add(clone_owner(clone))
    snapshots.show(clone, base)
    clone.clone_parent = (origin.uuid, base.name)
    clone.aggregate, clone.size = origin.aggregate, origin.size
    clone.read_only = clone.type == "dp"
    clone.initialized = True
    clone.origin = origin.origin


def _base(world: World, origin: Volume, clone: Volume, name: str | None) -> Snapshot:
    if name is not None:
        found = find_snapshot(origin, name)
        if found is None:
            raise Refusal(
                400, 918243, f'Snapshot "{name}" does not exist on volume "{origin.name}".', "clone"
            )
        return found
    if origin.type == "dp":
        if not origin.snapshots:
            raise Refusal(500, 524597, f'Volume "{origin.name}" has no snapshot to clone from.')
        return origin.snapshots[-1]
    data_of(world, origin)
    now = world.now()
    taken = snapshots.snapshot_of(origin, f"clone_{clone.name}.{now:%Y-%m-%d_%H%M%S}", now)
    origin.snapshots.append(taken)
    return taken


def start_split(world: World, cluster: Cluster, clone: Volume) -> None:
    """Copy what a clone shares with its parent, in the background; then it depends on nothing."""
    clone.split_percent = 0

    def step() -> None:
        if clone.split_percent is None or clone.clone_parent is None:
            return
        clone.split_percent += 100 // _SPLIT_STEPS
        if clone.split_percent < 100:
            world.after(_SPLIT_TIME / _SPLIT_STEPS, step)
            return
        parent = cluster.volumes.get(clone.clone_parent[0])
        if parent:
            snapshots.release(parent, clone.clone_parent[1], clone_owner(clone))
            clone.used = parent.used
            cluster.aggregates[clone.aggregate].used += clone.used
        clone.clone_parent, clone.split_percent = None, None

    world.after(_SPLIT_TIME / _SPLIT_STEPS, step)


# --- snapshots ------------------------------------------------------------------------------------


def create_snapshot(
    world: World,
    cluster: Cluster,
    volume: Volume,
    name: str,
    *,
    label: str = "",
    comment: str = "",
    locked_until: datetime | None = None,
) -> tuple[Snapshot, Job]:
    """POST a snapshot.

    Raises:
        Refusal: 1638461 not a writable volume, 524479 offline, 525059 it exists, 1638518 bad name,
            525062 too many.
    """
    with world.lock:
        if volume.type != "rw":
            raise Refusal(400, 1638461, "Snapshots can only be created on read/write volumes.")
        if volume.state != "online":
            raise Refusal(400, 524479, f'Volume "{volume.name}" is not online.')
        if find_snapshot(volume, name):
            raise Refusal(409, 525059, f'Snapshot "{name}" already exists.', "name")
        if not name or set(name) & set('/\\:*?"<>| '):
            raise Refusal(400, 1638518, f'The snapshot name "{name}" is invalid.', "name")
        if len(volume.snapshots) >= _MOST_SNAPSHOTS:
            raise Refusal(400, 525062, "The volume has the largest possible number of snapshots.")
        data_of(world, volume)
        snapshot = snapshots.snapshot_of(volume, name, world.now(), label=label)
        snapshot.comment, snapshot.locked_until = comment, locked_until
        volume.snapshots.append(snapshot)
        job = start_job(
            world, cluster, f"POST /api/storage/volumes/{volume.uuid}/snapshots", lambda: None, 1.0
        )
        return snapshot, job


def delete_snapshot(world: World, cluster: Cluster, volume: Volume, snapshot: Snapshot) -> Job:
    """DELETE a snapshot; refused while it has owners or is locked.

    Raises:
        Refusal: 1638543 busy, 1638555 locked.
    """
    with world.lock:
        _check_free(world, volume, snapshot)

        def work() -> None:
            volume.snapshots[:] = [each for each in volume.snapshots if each.uuid != snapshot.uuid]

        description = f"DELETE /api/storage/volumes/{volume.uuid}/snapshots/{snapshot.uuid}"
        return start_job(world, cluster, description, work, 1.0)


def _check_free(world: World, volume: Volume, snapshot: Snapshot) -> None:
    if snapshot.owners:
        raise Refusal(409, 1638543, f'Snapshot "{snapshot.name}" is busy: it has an owner.')
    if is_locked(world, volume, snapshot):
        raise Refusal(409, 1638555, f'Snapshot "{snapshot.name}" is locked and has not expired.')


def is_locked(world: World, volume: Volume, snapshot: Snapshot) -> bool:
    """Whether a snapshot must not be deleted yet, by its own lock or by the fault ``snapshot-locked``."""
    locked = snapshot.locked_until is not None and snapshot.locked_until > world.now()
    return locked or world.faults.take("snapshot-locked", path_of(volume)) is not None


def restore_snapshot(world: World, cluster: Cluster, volume: Volume, snapshot: Snapshot) -> Job:
    """PATCH ``restore_to.snapshot``: roll the volume back, newer snapshots are gone.

    Raises:
        Refusal: 524511 a data-protection volume, 1638480 a newer snapshot is a SnapMirror base, 9437886
            a newer one is locked.
    """
    with world.lock:
        if volume.type != "rw":
            raise Refusal(400, 524511, "A data-protection volume cannot be restored.")
        newer = [each for each in volume.snapshots if each.created > snapshot.created]
        if any(each.owners for each in newer):
            raise Refusal(409, 1638480, "A newer snapshot is in use as a SnapMirror reference.")
        if any(each.locked_until and each.locked_until > world.now() for each in newer):
            raise Refusal(409, 9437886, "A newer snapshot is locked.")

        def work() -> None:
            volume.snapshots[:] = [each for each in volume.snapshots if each not in newer]
            snapshots.show(volume, snapshot)

        return start_job(world, cluster, f"PATCH /api/storage/volumes/{volume.uuid}", work, 5.0)
