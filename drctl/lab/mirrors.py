"""SnapMirror as ONTAP's REST interface shows it: states, transfers, refusals (facts in ONTAP's docs)."""

from __future__ import annotations

from drctl.lab.model import Cluster, Job, Mirror, Snapshot, Transfer
from drctl.lab.world import World

# Signatures for the façade; every function takes the destination cluster, like the REST call.


def find(cluster: Cluster, destination: str) -> Mirror | None:
    """The relationship with destination path ``svm:volume``."""
    return next((m for m in cluster.mirrors.values() if m.destination == destination), None)


def active_transfer(mirror: Mirror) -> Transfer | None:
    """The transfer that is queued or transferring."""
    return next((t for t in reversed(mirror.transfers) if t.state in ("queued", "transferring")), None)


def last_transfer(mirror: Mirror) -> Transfer | None:
    """The newest transfer, active or not."""
    return mirror.transfers[-1] if mirror.transfers else None


def exported_snapshot(world: World, mirror: Mirror) -> Snapshot | None:
    """The snapshot that the destination volume shows."""
    raise NotImplementedError


def lag(world: World, mirror: Mirror) -> float | None:
    """Seconds since the exported snapshot was made; None while uninitialized."""
    raise NotImplementedError


def destinations_of(world: World, cluster: Cluster) -> list[Mirror]:
    """Relationships whose source is on this cluster (``list_destinations_only``)."""
    raise NotImplementedError


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
    """POST a relationship; the mirror appears at once, the job ends later."""
    raise NotImplementedError


def change_state(
    world: World,
    cluster: Cluster,
    mirror: Mirror,
    state: str,
    *,
    force: bool = False,
    restore_to: str | None = None,
    validate_only: bool = False,
) -> Job:
    """PATCH ``state``: paused, broken_off or snapmirrored (initialize, resume or resync by state)."""
    raise NotImplementedError


def reverse(world: World, cluster: Cluster, mirror: Mirror, source: str, destination: str, state: str) -> Job:
    """PATCH with swapped paths (and state): the relationship moves to the other cluster."""
    raise NotImplementedError


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
    raise NotImplementedError


def delete(
    world: World,
    cluster: Cluster,
    mirror: Mirror,
    *,
    destination_only: bool = False,
    source_only: bool = False,
    source_info_only: bool = False,
) -> Job:
    """DELETE a relationship."""
    raise NotImplementedError


def start_transfer(world: World, cluster: Cluster, mirror: Mirror, snapshot: str | None = None) -> Transfer:
    """POST a transfer: initialize or update by state; not a job."""
    raise NotImplementedError


def abort(world: World, cluster: Cluster, mirror: Mirror, transfer: Transfer, *, hard: bool = False) -> None:
    """PATCH a transfer to aborted or hard_aborted."""
    raise NotImplementedError
