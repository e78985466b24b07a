"""FlexVols: create, mount, clone, split, snapshots, deletion and its recovery queue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from drctl.lab.model import Cluster, Job, Snapshot, Volume
from drctl.lab.world import World


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


def create(world: World, cluster: Cluster, wish: Wish) -> tuple[Volume, Job]:
    """POST a volume or clone; it can be read at once, the job ends later (a failure removes it)."""
    raise NotImplementedError


def modify(world: World, cluster: Cluster, volume: Volume, change: Change) -> Job:
    """PATCH a volume: junction, policy, state, comment and so on in one job."""
    raise NotImplementedError


def delete(world: World, cluster: Cluster, volume: Volume, *, force: bool = False) -> Job:
    """DELETE a volume; it stays in the recovery queue unless forced."""
    raise NotImplementedError


def recovery_queue(cluster: Cluster) -> list[Volume]:
    """Deleted volumes that still take space."""
    raise NotImplementedError


def purge(world: World, cluster: Cluster, volume: Volume) -> None:
    """Remove a deleted volume from the recovery queue."""
    raise NotImplementedError


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
    """POST a snapshot."""
    raise NotImplementedError


def delete_snapshot(world: World, cluster: Cluster, volume: Volume, snapshot: Snapshot) -> Job:
    """DELETE a snapshot; refused while it has owners or is locked."""
    raise NotImplementedError


def restore_snapshot(world: World, cluster: Cluster, volume: Volume, snapshot: Snapshot) -> Job:
    """PATCH ``restore_to.snapshot``: roll the volume back, newer snapshots are gone."""
    raise NotImplementedError


def free_space(cluster: Cluster, aggregate: str) -> int:
    """Bytes left in an aggregate."""
    raise NotImplementedError
