"""Both sides of a mirror whose direction is to change, as the cluster of the new destination sees them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pydantic import AliasPath, BaseModel, ConfigDict, Field

from drctl.core.problem import ProviderError
from drctl.providers.ontap.client import Client
from drctl.providers.ontap.copies import Copy
from drctl.providers.ontap.model import Instant, Row, split_path
from drctl.providers.ontap.points import Point, read_changed, read_points
from drctl.providers.ontap.relation import Downstream, Relation, read_downstream, read_relations

KEPT = "_before_drctl"
"""What is added to a volume's name when a full baseline replaces it."""


class SourcePoint(BaseModel):
    """A snapshot of the other side: name and time identify it on both."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(description="The snapshot's name.")
    created: Instant = Field(description="When it was made, by the array's clock.")


class Held(Copy):
    """A volume with what it holds, in bytes."""

    used: int = Field(0, validation_alias=AliasPath("space", "used"))


class ClusterPeer(Row):
    """A peer cluster."""

    resource = "ClusterPeer"

    name: str
    state: str = Field("", validation_alias=AliasPath("status", "state"))


class SvmPeer(Row):
    """A peer SVM; ``name`` is what it is called here."""

    resource = "SvmPeer"

    name: str
    cluster: str = Field("", validation_alias=AliasPath("peer", "cluster", "name"))
    state: str = ""


@dataclass(frozen=True, slots=True)
class Sides:
    """The new destination: its relationship, volume and snapshots.

    ``downstream`` are the uuids of relationships in the old direction that this cluster still knows.
    ``base`` is the newest snapshot both sides have; ``changed`` how many bytes were written here since
    then, None when the array does not tell. ``kept`` is the volume put aside for a full baseline.
    """

    relation: Relation | None
    volume: Held | None
    base: Point | None = None
    changed: int | None = None
    downstream: tuple[str, ...] = ()
    kept: Held | None = None
    clock_skew: float | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """What is asked about: ``points`` None when nobody said what the source holds."""

    source: str
    destination: str
    points: tuple[SourcePoint, ...] | None


def read_sides(client: Client, pairs: Sequence[Pair]) -> list[Sides]:
    """Read for many: one request each for relationships, old directions, volumes, snapshots; one delta each.

    Raises:
        ProviderError: The cluster cannot be read.
    """
    relations = read_relations(client, [pair.destination for pair in pairs])
    known = read_downstream(client)
    svms = sorted({split_path(pair.destination)[0] for pair in pairs})
    volumes = {volume.path: volume for volume in client.fetch(Held, svm__name="|".join(svms))}
    mine = [volumes[pair.destination].uuid for pair in pairs if pair.destination in volumes]
    points = read_points(client, mine)
    return [_side(client, pair, relations, known, volumes, points) for pair in pairs]


def _side(
    client: Client,
    pair: Pair,
    relations: dict[str, Relation],
    known: Collection[Downstream],
    volumes: dict[str, Held],
    points: dict[str, list[Point]],
) -> Sides:
    volume = volumes.get(pair.destination)
    base = common(points.get(volume.uuid, ()), pair.points) if volume else None
    writable = volume is not None and volume.type == "rw"
    return Sides(
        relations.get(pair.destination),
        volume,
        base,
        read_changed(client, volume.uuid, base.name) if volume and base and writable else None,
        tuple(d.uuid for d in known if (d.source, d.destination) == (pair.destination, pair.source)),
        volumes.get(pair.destination + KEPT),
        client.skew(),
    )


def common(points: Sequence[Point], others: Sequence[SourcePoint] | None) -> Point | None:
    """Return the newest snapshot that the other side has too: same name, made at the same time.

    Without knowledge of the other side, the newest that SnapMirror made: the likely one, no more.
    """
    if others is None:
        shared = [point for point in points if point.name.startswith("snapmirror.")]
    else:
        theirs = {(other.name, other.created) for other in others}
        shared = [point for point in points if (point.name, point.created) in theirs]
    return max(shared, key=lambda point: point.created, default=None)


def peer_trouble(client: Client, source: str, destination: str, cluster: str | None) -> str:
    """Return why a relationship between two SVMs cannot come about; empty when they are peers.

    The cluster is asked about first: a question about the SVM peers of a dead cluster hangs for a minute
    (netapp.ontap issue 204).
    """
    theirs, mine = split_path(source)[0], split_path(destination)[0]
    clusters = client.fetch(ClusterPeer)
    if cluster is not None:
        found = next((peer for peer in clusters if peer.name == cluster), None)
        if found is None:
            return f"cluster {cluster} is no peer of this one (known: {_names(clusters)})"
        if found.state != "available":
            return f"peer cluster {cluster} is {found.state or 'in an unknown state'}"
    elif clusters and all(peer.state != "available" for peer in clusters):
        return f"no peer cluster is available ({_names(clusters)})"
    try:
        peers = client.fetch(SvmPeer, svm__name=mine, name=theirs)
    except ProviderError as error:
        return f"the SVM peers of {mine} cannot be read: {error.problem.summary}"
    peers = [peer for peer in peers if cluster is None or peer.cluster in {"", cluster}]
    if not peers:
        return f"SVM {theirs} is no peer of {mine}"
    state = peers[0].state
    return "" if state == "peered" else f"the peering of {mine} with {theirs} is {state}"


def _names(clusters: Sequence[ClusterPeer]) -> str:
    return ", ".join(peer.name for peer in clusters) or "none"
