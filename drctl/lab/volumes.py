"""FlexVols: create, mount, change, delete and the recovery queue; clones are in ``clones``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from drctl.lab.clones import (
    create_snapshot,
    delete_snapshot,
    make_clone,
    restore_snapshot,
    start_split,
)
from drctl.lab.model import Cluster, Job, Volume
from drctl.lab.snapshots import drop, release
from drctl.lab.storage import Refusal, find_volume, live_volumes, missing, path_of, stable_uuid, start_job
from drctl.lab.world import World

__all__ = [
    "Change",
    "Wish",
    "create",
    "create_snapshot",
    "delete",
    "delete_snapshot",
    "free_space",
    "modify",
    "purge",
    "recovery_queue",
    "restore_snapshot",
]

MOUNT_FAILED: Final = 917536
"""ONTAP's code for a refused mount or unmount; the cause is in the text only."""

_QUEUE_TIME = 12 * 3600.0
"""Real seconds that a deleted volume waits in the recovery queue."""


@dataclass(frozen=True)
class Change:
    """What one PATCH changes; None leaves a property alone."""

    junction: str | None = None
    """``""`` unmounts."""
    export_policy: str | None = None
    state: str | None = None
    comment: str | None = None
    snapshot_policy: str | None = None
    size: int | None = None
    name: str | None = None
    split: bool = False
    """Start to split a clone from its parent."""


@dataclass(frozen=True)
class Wish:
    """What one POST asks for; ``parent`` makes it a FlexClone."""

    svm: str
    name: str
    type: str = "rw"
    size: int = 20 * 1024 * 1024
    aggregate: str | None = None
    junction: str | None = None
    export_policy: str = "default"
    comment: str = ""
    guarantee: str = "none"
    parent: str | None = None
    """Parent volume's name or uuid."""
    parent_snapshot: str | None = None
    parent_svm: str | None = None


def free_space(cluster: Cluster, aggregate: str) -> int:
    """Bytes left in an aggregate."""
    found = cluster.aggregates[aggregate]
    return max(0, found.size - found.used)


def create(world: World, cluster: Cluster, wish: Wish) -> tuple[Volume, Job]:
    """POST a volume or clone; it can be read at once, the job ends later (a failure removes it).

    Raises:
        Refusal: 13434920 no SVM, 917526 duplicate name, 917508 no aggregate or no space in it, 1703954
            no export policy; for clones 524601, 524597, 918243, 1520442.
    """
    with world.lock:
        volume = _wished(cluster, wish)
        if wish.parent is not None:
            make_clone(
                world,
                cluster,
                volume,
                wish.parent,
                wish.parent_snapshot,
                wish.parent_svm,
                mounted=bool(wish.junction),
            )
        cluster.volumes[volume.uuid] = volume

        def work() -> None:
            try:
                if wish.junction:
                    _mount(world, cluster, volume, wish.junction)
            except Refusal:
                _forget(cluster, volume)
                raise

        return volume, start_job(world, cluster, "POST /api/storage/volumes", work, 3.0)


def _wished(cluster: Cluster, wish: Wish) -> Volume:
    """The volume asked for, not yet in the cluster, once nothing speaks against it."""
    if wish.svm not in cluster.svms:
        raise Refusal(404, 13434920, f'SVM "{wish.svm}" was not found.', "svm.name")
    if find_volume(cluster, wish.svm, wish.name):
        raise Refusal(409, 917526, f'Duplicate volume name "{wish.name}" in SVM "{wish.svm}".', "name")
    _check_policy(cluster, wish.svm, wish.export_policy)
    aggregate = wish.aggregate or next(iter(cluster.aggregates))
    needed = wish.size if wish.guarantee == "volume" and wish.parent is None else 1
    if aggregate not in cluster.aggregates or free_space(cluster, aggregate) < needed:
        full = f'Aggregate "{aggregate}" does not exist or has not enough space.'
        raise Refusal(400, 917508, full, "aggregates")
    volume = Volume(
        stable_uuid(cluster.endpoint, wish.svm, wish.name, str(len(cluster.volumes))),
        wish.name,
        wish.svm,
        cluster.endpoint,
        "dp" if wish.type == "dp" else "rw",
        wish.size,
        0,
        aggregate,
        export_policy=wish.export_policy,
        comment=wish.comment,
        guarantee="volume" if wish.guarantee == "volume" else "none",
    )
    volume.initialized = volume.type == "rw"
    return volume


def _check_policy(cluster: Cluster, svm: str, policy: str) -> None:
    if policy not in cluster.svms[svm].policies:
        raise Refusal(400, 1703954, f'Export policy "{policy}" does not exist.', "nas.export_policy.name")


def _check_snapshot_policy(cluster: Cluster, volume: Volume, name: str) -> None:
    if name not in {one.name for one in cluster.snapshot_policies if one.svm in ("", volume.svm)}:
        raise missing(target="snapshot_policy.name")


# --- PATCH ----------------------------------------------------------------------------------------


def modify(world: World, cluster: Cluster, volume: Volume, change: Change) -> Job:
    """PATCH a volume: junction, policy, state, comment and so on in one job.

    Raises:
        Refusal: 918252 a path without a leading slash, 1703954 no such export policy, 917526, 917837
            (an unknown state), 917628 (a split of what is no clone), 4 (no such snapshot policy), at
            once. The job fails with 917536, 917533 and their kind.
    """
    with world.lock:
        if change.junction and not change.junction.startswith("/"):
            raise Refusal(400, 918252, f'Invalid junction path "{change.junction}".', "nas.path")
        if change.export_policy is not None:
            _check_policy(cluster, volume.svm, change.export_policy)
        if change.snapshot_policy is not None:
            _check_snapshot_policy(cluster, volume, change.snapshot_policy)
        if (
            change.name is not None
            and change.name != volume.name
            and find_volume(cluster, volume.svm, change.name)
        ):
            raise Refusal(409, 917526, f'Duplicate volume name "{change.name}".', "name")
        if change.state not in (None, "online", "offline", "restricted"):
            raise Refusal(400, 917837, f'Invalid state "{change.state}".', "state")
        if change.split and volume.clone_parent is None:
            raise Refusal(400, 917628, "The volume is not a FlexClone.", "clone.split_initiated")

        def work() -> None:
            _apply(world, cluster, volume, change)

        return start_job(world, cluster, f"PATCH /api/storage/volumes/{volume.uuid}", work)


def _apply(world: World, cluster: Cluster, volume: Volume, change: Change) -> None:
    if volume.deleted or volume.uuid not in cluster.volumes:
        raise missing()
    if change.state is not None:
        _set_state(volume, change.state)
    if change.junction:
        _mount(world, cluster, volume, change.junction)
    elif change.junction == "":
        _unmount(world, cluster, volume)
    volume.export_policy = change.export_policy or volume.export_policy
    volume.comment = volume.comment if change.comment is None else change.comment
    volume.snapshot_policy = change.snapshot_policy or volume.snapshot_policy
    volume.size = change.size or volume.size
    volume.name = change.name or volume.name
    if change.split:
        start_split(world, cluster, volume)


def _set_state(volume: Volume, state: str) -> None:
    """Offline and restricted remove the junction; online does not put it back."""
    if volume.is_root and state != "online":
        raise Refusal(500, 917658, "The root volume of an SVM cannot be taken offline.")
    volume.state = "offline" if state == "offline" else "restricted" if state == "restricted" else "online"
    if volume.state != "online":
        volume.junction = None


def _failed(reason: str) -> Refusal:
    return Refusal(500, MOUNT_FAILED, f"The job completed with the specified error: {reason}")


def _mount(world: World, cluster: Cluster, volume: Volume, path: str) -> None:
    path = path.rstrip("/") or "/"
    if volume.junction == path:
        return
    if volume.state != "online":
        raise Refusal(500, 917533, f'Volume "{volume.name}" is not online.')
    if not volume.initialized:
        raise _failed(f'Volume "{volume.name}" is not initialized; the first transfer has not ended.')
    if world.faults.take("junction-busy", path_of(volume)):
        raise _failed(f'Volume "{volume.name}" is busy. Another operation on its junction is in progress.')
    taken = next((v for v in _mounted(cluster, volume.svm) if v.junction == path), None)
    if taken is not None:
        raise _failed(f'The junction path "{path}" is in use by volume "{taken.name}".')
    parent = path.rpartition("/")[0] or "/"
    if not _folder_exists(cluster, volume.svm, parent):
        raise _failed(f'The parent of junction path "{path}" does not exist.')
    volume.junction = path


def _mounted(cluster: Cluster, svm: str) -> list[Volume]:
    return [
        v for v in live_volumes(cluster) if v.svm == svm and v.junction is not None and v.state == "online"
    ]


def _folder_exists(cluster: Cluster, svm: str, path: str) -> bool:
    """Whether a path is a junction, or a folder inside the volume mounted above it."""
    for volume in _mounted(cluster, svm):
        base = (volume.junction or "").rstrip("/")
        if path in (volume.junction, base) or (
            path.startswith(base + "/")
            and any(f.startswith(path[len(base) + 1 :] + "/") for f in volume.files)
        ):
            return True
    return False


def _unmount(world: World, cluster: Cluster, volume: Volume) -> None:
    if volume.junction is None:
        return
    if volume.is_root:
        raise _failed("The root volume of an SVM cannot be unmounted.")
    if volume.split_percent is not None:
        raise _failed(f"A clone split is in progress on the volume (job ID {volume.size % 1000}).")
    below = [v for v in _mounted(cluster, volume.svm) if (v.junction or "").startswith(f"{volume.junction}/")]
    if below or world.faults.take("junction-busy", path_of(volume)):
        holder = f' Volume "{below[0].name}" is mounted below it.' if below else ""
        raise _failed(f'Volume "{volume.name}" is busy.{holder}')
    volume.junction = None


# --- DELETE ---------------------------------------------------------------------------------------


def delete(world: World, cluster: Cluster, volume: Volume, *, force: bool = False) -> Job:
    """DELETE a volume; it stays in the recovery queue unless forced.

    Raises:
        Refusal: 524615 it has clones, 524486 it is the destination of a relationship, 917658 it is an
            SVM's root volume.
    """
    with world.lock:
        if volume.is_root:
            raise Refusal(409, 917658, "The root volume of an SVM cannot be deleted.")
        clones = [
            v.name for v in live_volumes(cluster) if v.clone_parent and v.clone_parent[0] == volume.uuid
        ]
        if clones:
            raise Refusal(409, 524615, f'Volume "{volume.name}" has one or more clones: {", ".join(clones)}.')
        if any(m.destination == path_of(volume) for m in cluster.mirrors.values()):
            raise Refusal(
                409, 524486, f'Volume "{volume.name}" is the destination of a SnapMirror relationship.'
            )

        def work() -> None:
            volume.junction, volume.state = None, "offline"
            if force:
                _forget(cluster, volume)
            else:
                volume.deleted = world.now()
                world.after(_QUEUE_TIME, lambda: _forget(cluster, volume), real=True)

        return start_job(world, cluster, f"DELETE /api/storage/volumes/{volume.uuid}", work, 3.0)


def _forget(cluster: Cluster, volume: Volume) -> None:
    if cluster.volumes.pop(volume.uuid, None) is not None:
        cluster.aggregates[volume.aggregate].used -= volume.used
        if volume.clone_parent and (parent := cluster.volumes.get(volume.clone_parent[0])):
            release(parent, volume.clone_parent[1], f"clone {volume.uuid}")
            _let_go(cluster, parent, volume.clone_parent[1])


def _let_go(cluster: Cluster, parent: Volume, name: str) -> None:
    """A former base that only a clone held leaves a mirror's destination, as the next update would have it."""
    exported = {mirror.exported for mirror in cluster.mirrors.values()}
    if parent.type == "dp" and name.startswith("snapmirror.") and name not in exported:
        drop(parent, name)


def recovery_queue(cluster: Cluster) -> list[Volume]:
    """Deleted volumes that still take space."""
    return [volume for volume in cluster.volumes.values() if volume.deleted is not None]


def purge(world: World, cluster: Cluster, volume: Volume) -> None:
    """Remove a deleted volume from the recovery queue."""
    with world.lock:
        if volume.deleted is None or volume.uuid not in cluster.volumes:
            raise missing("The volume is not in the recovery queue.", "name")
        _forget(cluster, volume)
        world.touch()
