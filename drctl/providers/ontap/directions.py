"""Actions that turn replication round: reverse, repoint a third copy, remove what is broken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, Self

from pydantic import Field as Argument
from pydantic import JsonValue

from drctl.core.action import (
    Action,
    Change,
    Control,
    DataLoss,
    Field,
    Handle,
    Missing,
    NotExercised,
    ObjectRef,
    Recipe,
    Reversibility,
)
from drctl.core.bubble import Bubble
from drctl.core.problem import Problem, ProviderError
from drctl.providers.ontap.client import Client
from drctl.providers.ontap.model import split_path
from drctl.providers.ontap.relation import Relation, read_relations, size
from drctl.providers.ontap.request import Request
from drctl.providers.ontap.reversal import (
    Reversal,
    Wish,
    is_mirroring,
    is_proven,
    no_common,
    other_source,
    unreplicated,
)
from drctl.providers.ontap.sides import Pair, Sides, SourcePoint, read_sides
from drctl.providers.ontap.snapmirror import Destination


class _Directed(Action[Client, Sides]):
    """What reverse and repoint share; both run on the cluster of ``destination``."""

    reversibility: ClassVar[Reversibility] = Reversibility.IRREVERSIBLE
    state: ClassVar[type] = Sides
    output_names: ClassVar[frozenset[str]] = frozenset({"svm", "volume", "base"})
    replaces: ClassVar[bool] = False
    verb: ClassVar[str]

    source: Destination = Argument(description="The volume whose data counts from now on, svm:volume.")
    destination: Destination = Argument(description="The volume on this cluster that follows it, svm:volume.")
    source_cluster: str | None = Argument(
        None, description="Name of the peer cluster that holds `source`; default whichever peer has its SVM."
    )
    policy: str | None = Argument(
        None,
        description="SnapMirror policy of the relationship, e.g. Asynchronous; default left to the cluster.",
    )
    schedule: str | None = Argument(
        None,
        description="Name of the cluster's schedule for transfers, e.g. hourly; a new relationship has none "
        "without it.",
    )
    throttle: Annotated[int, Argument(ge=0)] | None = Argument(
        None, description="Most that transfers may take, in KB/s; default no limit."
    )
    source_points: tuple[SourcePoint, ...] | None = Argument(
        None,
        description="The source's snapshots (`points` of `ontap.recovery_points`); without them the common "
        "one is presumed.",
    )
    acknowledge_loss: bool = Argument(
        default=False,
        description="Go on although the destination holds writes that are nowhere else; they are lost.",
    )
    full_baseline: bool = Argument(
        default=False, description="Without a common snapshot, put the volume aside and transfer everything."
    )

    @property
    def wish(self) -> Wish:
        """The new direction."""
        return Wish(
            self.source,
            self.destination,
            self.source_cluster,
            self.policy,
            self.schedule,
            self.throttle,
            self.acknowledge_loss,
            self.full_baseline,
            self.replaces,
        )

    @property
    def pair(self) -> Pair:
        """What is read about it."""
        return Pair(self.source, self.destination, self.source_points)

    def touches(self) -> frozenset[ObjectRef]:
        """Name the mirror and the volume that is overwritten."""
        return frozenset({ObjectRef("mirror", self.destination), ObjectRef("volume", self.destination)})

    def read(self, client: Client) -> Sides:
        """Read relationship, volume, snapshots and what was written since the common one."""
        return read_sides(client, [self.pair])[0]

    @classmethod
    def read_many(cls, actions: Sequence[Self], client: Client) -> list[Sides | ProviderError]:
        """Read for all of them with four requests, and one each for what was written."""
        try:
            return list(read_sides(client, [action.pair for action in actions]))
        except ProviderError as error:
            return [error for _ in actions]

    def diff(self, now: Sides) -> Change | None:
        """Done when the destination follows the source, set as wished, and one update succeeded."""
        relation = now.relation
        if relation is not None and relation.source != self.source and not self.replaces:
            raise ProviderError(other_source(relation, self.source))
        fields = tuple(self._fields(now))
        if not fields:
            return None
        loss = None
        if now.volume and now.volume.type == "rw" and now.base and now.changed != 0:
            loss = DataLoss(self.destination, now.base.name, now.base.created, now.clock_skew)
        return Change(self._summary(now), fields, loss)

    def _summary(self, now: Sides) -> str:
        words = f"{self.verb}: {self.source} → {self.destination}"
        if is_mirroring(now, self.source):
            return f"{words}, settings and proof"
        if now.base is not None:
            words += f", base {now.base.name} of {now.base.created.isoformat()}"
            words += "" if self.source_points is not None else " (presumed)"
        if now.volume and now.volume.type == "rw":
            words += f"; overwrites {self.destination}, {self.source} is authoritative"
            if now.volume.junction:
                words += f" (still mounted at {now.volume.junction})"
        return words

    def _fields(self, now: Sides) -> Iterator[Field]:
        relation = now.relation
        if relation is None or relation.source != self.source:
            yield Field("mirror.source", relation.source if relation else None, self.source)
            relation = None
        if not is_mirroring(now, self.source):
            yield Field("mirror.state", relation.state if relation else None, "snapmirrored")
            yield from self._content(now)
        for name, (before, wish) in self.wish.settings(relation).items():
            yield Field(name, before, wish)
        if relation is not None and not relation.healthy:
            yield Field("healthy", before=False, after=True)
        if relation is None or not is_proven(relation):
            yield Field("last transfer", relation.last_type or None if relation else None, "update")

    def _content(self, now: Sides) -> Iterator[Field]:
        """What becomes of the volume: back to the common snapshot, or filled anew."""
        volume = now.volume
        if volume is None and not (self.full_baseline and now.kept):
            raise Missing(ObjectRef("volume", self.destination))
        if volume is not None and volume.type != "dp":
            yield Field("volume.type", volume.type, "dp")
        begun = now.relation is not None and now.relation.source == self.source
        if now.base is not None:
            if volume is not None and volume.type != "dp" and now.changed != 0:
                yield Field("unreplicated writes", unreplicated(now), "given up")
        elif not begun:
            if not self.full_baseline:
                raise ProviderError(no_common(self.source, self.destination, now))
            held = volume or now.kept
            yield Field("baseline", None, f"full, {_baseline(held.used if held else 0, self.throttle)}")

    def apply(self, client: Client, change: Change, control: Control) -> None:
        """Check peers and use, release, create, resync, settle, prove; each only where still needed."""
        Reversal(client, control, self.wish, lambda: self.read(client)).run()

    def find_running(self, client: Client, since: datetime) -> Handle | None:
        """Return the transfer or job at work on the relationship."""
        relation = read_relations(client, [self.destination]).get(self.destination)
        if relation is None or relation.source != self.source:
            return None
        if relation.transferring:
            return Handle("transfer", relation.transfer_uuid or "", f"transfer to {self.destination}")
        return client.job_about(relation.uuid)

    def foresee(self) -> Mapping[str, JsonValue]:
        """The destination's two halves."""
        svm, volume = split_path(self.destination)
        return {"svm": svm, "volume": volume}

    def outputs(self, now: Sides) -> Mapping[str, JsonValue]:
        """Add the common snapshot, where there is one."""
        return {**self.foresee(), "base": now.base.name if now.base else None}

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Leave it: a drill changes no direction."""
        return NotExercised(f"replication to {self.destination} stays as it is")


class Reverse(_Directed):
    """Let a volume that was the source follow what was its destination.

    Runs on the cluster of the new ``destination``. ``source_points`` are the source's snapshots (the output
    ``points`` of ``ontap.recovery_points`` there): with them the common snapshot is known, without it is
    presumed. Refused while the destination is mounted, and while it holds writes that are nowhere else
    unless ``acknowledge_loss``. Without a common snapshot ``full_baseline`` puts the volume aside under
    another name and fills a new one. The old relationship stays at its own cluster, broken:
    ``ontap.snapmirror.remove`` takes it away.
    """

    name: ClassVar[str] = "ontap.snapmirror.reverse"
    verb: ClassVar[str] = "replicate in the other direction"


class Repoint(_Directed):
    """Let a third copy (a vault) follow another source, from the newest snapshot both have.

    Runs on the third copy's cluster; its relationship with the former source is given up there.
    """

    name: ClassVar[str] = "ontap.snapmirror.repoint"
    verb: ClassVar[str] = "follow another source"
    replaces: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class RelationState:
    """A relationship, None when there is none."""

    relation: Relation | None


class Remove(Action[Client, RelationState]):
    """Delete a broken relationship at its destination; the volumes and their snapshots stay.

    With ``source`` only a relationship from that source is meant; another one counts as done.
    """

    name: ClassVar[str] = "ontap.snapmirror.remove"
    reversibility: ClassVar[Reversibility] = Reversibility.COMPENSABLE
    state: ClassVar[type] = RelationState

    destination: Destination
    source: Destination | None = Argument(
        None, description="Only a relationship from this source, svm:volume; default whatever its source."
    )

    def touches(self) -> frozenset[ObjectRef]:
        """Name the mirror."""
        return frozenset({ObjectRef("mirror", self.destination)})

    def read(self, client: Client) -> RelationState:
        """Read the relationship."""
        return RelationState(read_relations(client, [self.destination]).get(self.destination))

    @classmethod
    def read_many(cls, actions: Sequence[Self], client: Client) -> list[RelationState | ProviderError]:
        """Read for all of them with one request."""
        try:
            found = read_relations(client, [action.destination for action in actions])
        except ProviderError as error:
            return [error for _ in actions]
        return [RelationState(found.get(action.destination)) for action in actions]

    def diff(self, now: RelationState) -> Change | None:
        """Done when there is none."""
        relation = now.relation
        if relation is None or self.source not in {None, relation.source}:
            return None
        summary = f"remove the relationship {relation.source} → {self.destination} ({relation.state})"
        return Change(summary, (Field("mirror.source", relation.source, None),))

    def apply(self, client: Client, change: Change, control: Control) -> None:
        """Delete it at the destination alone; refused while it still mirrors."""
        relation = self.read(client).relation
        if relation is None or self.source not in {None, relation.source}:
            return
        if relation.state not in {"broken_off", "uninitialized"} or relation.transferring:
            raise ProviderError(_active(relation))
        keys: dict[str, JsonValue] = {"uuid": relation.uuid}
        doing = f"remove the mirror to {self.destination}"
        query = {"destination_only": "true"}
        client.change(Request("DELETE", "SnapmirrorRelationship", doing, keys, query=query), control)

    def find_running(self, client: Client, since: datetime) -> Handle | None:
        """Return a job at work on the relationship."""
        relation = self.read(client).relation
        return client.job_about(relation.uuid) if relation else None

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Leave it: a drill changes no direction."""
        return NotExercised(f"the mirror to {self.destination} stays as it is")


def _baseline(used: int, throttle: int | None) -> str:
    words = f"about {size(used)}"
    if throttle:
        words += f", at least {used / (throttle * 1000) / 3600:.1f} h at {throttle} KB/s"
    return words


def _active(relation: Relation) -> Problem:
    return Problem(
        code="ontap-still-mirroring",
        summary=f"the relationship {relation.source} → {relation.destination} is {relation.state}: not removed",
        hint="Only what is broken off is removed; break it first if it is the one to give up.",
    )
