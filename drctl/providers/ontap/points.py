"""The snapshots a volume can go back to: reading them, and choosing one by name or by time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from pydantic import AliasPath, Field

from drctl.core.problem import Problem, ProviderError
from drctl.providers.ontap.client import Client
from drctl.providers.ontap.model import Row, Snapshot

_SHOWN = 5
"""Recovery points named where one was not found."""


class Point(Snapshot):
    """A snapshot as a recovery point; ``size`` is what it alone holds, in bytes."""

    size: int = 0
    label: str = Field("", validation_alias="snapmirror_label")
    comment: str = ""


class Delta(Row):
    """How many bytes of a volume changed since a snapshot."""

    resource = "Snapshot"

    name: str
    changed: int = Field(validation_alias=AliasPath("delta", "size_consumed"))


def read_points(client: Client, volumes: Collection[str]) -> dict[str, list[Point]]:
    """Return the snapshots of volumes, by volume uuid, oldest first.

    Raises:
        ProviderError: The cluster cannot be read.
    """
    found: dict[str, list[Point]] = {uuid: [] for uuid in volumes if uuid}
    if len(found) == 1:
        uuid = next(iter(found))
        found[uuid] = client.fetch(Point, uuid)
    elif found:
        _read_bulk(client, found)
    return {uuid: sorted(points, key=lambda point: point.created) for uuid, points in found.items()}


def _read_bulk(client: Client, found: dict[str, list[Point]]) -> None:
    try:
        every = client.fetch(Point, "*", volume__uuid="|".join(sorted(found)))
    except ProviderError as error:
        if error.unreachable:
            raise
        # The bulk path is newer than the others and may be closed to the account.
        for uuid in found:
            found[uuid] = client.fetch(Point, uuid)
        return
    for point in every:
        if point.volume in found:
            found[point.volume].append(point)


def read_changed(client: Client, volume: str, snapshot: str) -> int | None:
    """Return the bytes written to a volume since a snapshot, None where the array does not tell.

    ``delta`` of a single snapshot counts against the active file system (``snapshot show-delta``); it
    needs the advanced privilege level and a recent release.
    """
    try:
        found = client.fetch(Delta, volume, name=snapshot)
    except ProviderError as error:
        if error.unreachable:
            raise
        return None
    return found[0].changed if found else None


def choose(
    points: Sequence[Snapshot], wanted: str | None, exported: str | None, volume: str, *, mirrored: bool
) -> Snapshot:
    """Return the snapshot of that name, else the newest made at or before that time (ISO 8601).

    Without wish: the exported one of a mirror's destination (what a failover would give), or the newest.

    Raises:
        ProviderError: There is none.
    """
    if wanted is None:
        named = [point for point in points if point.name == exported] if mirrored else list(points)
        if named:
            return named[-1]
    else:
        exact = [point for point in points if point.name == wanted]
        moment = instant(wanted)
        before = [point for point in points if moment and point.created <= moment]
        if exact or before:
            return (exact or before)[-1]
    raise ProviderError(_none(points, wanted, volume))


def instant(text: str) -> datetime | None:
    """Return a time written as ISO 8601, taken for UTC without offset; None for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _none(points: Sequence[Snapshot], wanted: str | None, volume: str) -> Problem:
    newest = [f"{point.name} of {point.created.isoformat()}" for point in points[-_SHOWN:]]
    what = f"{wanted!r} names no snapshot of {volume}, nor a time after one" if wanted else ""
    return Problem(
        code="ontap-no-recovery-point",
        summary=what or f"{volume} has no replicated snapshot",
        detail=f"There are: {', '.join(reversed(newest))}." if newest else "It has no snapshot at all.",
        hint="drctl recovery-points lists them.",
    )
