"""What a snapshot holds, how SnapMirror names its own, and how a volume shows or returns to one."""

from __future__ import annotations

from datetime import datetime

from drctl.lab.model import Snapshot, Volume
from drctl.lab.storage import stable_uuid


def snapshot_name(svm_uuid: str, volume_uuid: str, at: datetime) -> str:
    """The name SnapMirror gives its own snapshots: destination SVM, volume number, time."""
    return f"snapmirror.{svm_uuid}_{int(volume_uuid[:6], 16)}.{at:%Y-%m-%d_%H%M%S}"


def snapshot_of(
    volume: Volume, name: str, at: datetime, *, label: str = "", uuid: str | None = None
) -> Snapshot:
    """A snapshot of a volume's present files, with data not newer than ``at``."""
    return Snapshot(
        name,
        uuid or stable_uuid(volume.uuid, name),
        at,
        dict(volume.files),
        {service: min(stand, at) for service, stand in volume.data_at.items()},
        label,
    )


def copy_of(snapshot: Snapshot) -> Snapshot:
    """The same snapshot on another volume: same uuid and content, its own owners."""
    return Snapshot(
        snapshot.name,
        snapshot.uuid,
        snapshot.created,
        dict(snapshot.files),
        dict(snapshot.data_at),
        snapshot.label,
        snapshot.comment,
        {"snapmirror"},
    )


def show(volume: Volume, snapshot: Snapshot) -> None:
    """Let a volume's content be a snapshot's."""
    volume.files = dict(snapshot.files)
    volume.data_at = dict(snapshot.data_at)


def release(volume: Volume, name: str | None, owner: str = "snapmirror") -> None:
    """Take an owner off a snapshot."""
    for snapshot in volume.snapshots:
        if snapshot.name == name:
            snapshot.owners.discard(owner)


def drop(volume: Volume, name: str | None) -> None:
    """Delete a snapshot that nobody owns any more."""
    volume.snapshots[:] = [s for s in volume.snapshots if s.name != name or s.owners]


def common(one: Volume, other: Volume) -> Snapshot | None:
    """The newest snapshot that two volumes share, as ``other`` holds it."""
    mine = {snapshot.uuid for snapshot in one.snapshots}
    return max((s for s in other.snapshots if s.uuid in mine), key=lambda s: s.created, default=None)
