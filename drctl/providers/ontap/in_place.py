"""Going back in place: a mirror broken at an older snapshot, which deletes every newer one of its volume.

``restore_to_snapshot`` belongs to the break itself (PATCH of the relationship), for a volume that is still
a destination. What goes is gone: evidence, perhaps the base on which the mirror could be turned round.
So the action deletes nothing but what it was told by name (``may_delete``), and looks again once nothing
can arrive any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Self

from pydantic import AliasChoices, AliasPath, JsonValue
from pydantic import Field as Argument

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
from drctl.core.duration import Duration
from drctl.core.problem import Problem, ProviderError
from drctl.providers.ontap.client import Client
from drctl.providers.ontap.copies import clone_in_bubble
from drctl.providers.ontap.mirrors import MirrorState, read_mirror, read_mirrors
from drctl.providers.ontap.model import Instant, Mirror, Texts, split_path
from drctl.providers.ontap.points import Point, choose
from drctl.providers.ontap.promotion import Promotion
from drctl.providers.ontap.relation import Downstream, read_downstream
from drctl.providers.ontap.request import Request
from drctl.providers.ontap.snapmirror import Destination, present

SNAPSHOT = "snapshot "
"""How the fields of a change begin that name what is deleted."""

OWN = frozenset({"snapmirror"})
"""Owners of a snapshot that a break does not mind: the mirror's own."""


class Held(Point):
    """A snapshot with what keeps it from being deleted: a lock, or somebody who uses it.

    The lock's end has had two places in ONTAP's JSON; every field is asked for, so that either is found.
    """

    locked: Instant | None = Argument(
        None,
        validation_alias=AliasChoices(
            AliasPath("snaplock", "expiry_time"), AliasPath("snaplock_expiry_time")
        ),
    )
    owners: Texts = ()


def is_locked(point: Held, now: float | None) -> bool:
    """Say whether a snapshot must not be deleted yet; ``now`` in seconds, by the array's clock."""
    return point.locked is not None and (now is None or point.locked.timestamp() > now)


def read_held(client: Client, volume: str) -> list[Held]:
    """Return the snapshots of a volume (by its uuid), oldest first."""
    return sorted(client.fetch(Held, volume, fields="*"), key=lambda point: point.created)


@dataclass(frozen=True, slots=True)
class Rewind:
    """A mirror with its volume's snapshots, oldest first.

    ``fed`` are the destinations of mirrors that begin at this volume; ``seen_at`` the array's clock in seconds.
    """

    mirror: MirrorState
    points: tuple[Held, ...] = ()
    fed: tuple[Downstream, ...] = ()
    seen_at: float | None = None


class BreakToSnapshot(Action[Client, Rewind]):
    """Break the mirror at an older snapshot of its volume: whatever is newer there is deleted for ever.

    ``snapshot`` is a name or a time (the newest made at or before it). ``may_delete`` names the snapshots
    that may go: without it nothing is changed, and one that came since is not deleted either. Refused
    while one of them is locked or in use, and while another mirror begins at this volume, unless
    ``give_up_mirrors``: these are released first, and need a full baseline afterwards. Nothing undoes it.
    ``ontap.volume.clone`` serves an older snapshot without deleting anything.
    """

    name: ClassVar[str] = "ontap.snapmirror.break_to_snapshot"
    reversibility: ClassVar[Reversibility] = Reversibility.IRREVERSIBLE
    state: ClassVar[type] = Rewind
    output_names: ClassVar[frozenset[str]] = frozenset({"svm", "volume", "recovery_point", "snapshot"})

    destination: Destination
    snapshot: str = Argument(description="A snapshot's name, or a time: the newest made at or before it.")
    may_delete: tuple[str, ...] | None = Argument(
        None, description="Names of the newer snapshots that may go; without it nothing is changed."
    )
    give_up_mirrors: bool = Argument(
        default=False, description="Release mirrors that begin at this volume: they lose their base."
    )
    quiesce_timeout: Duration = Argument(
        60.0, description="How long the mirror may take to become quiet; a transfer is aborted at once."
    )
    override: bool = Argument(
        default=True, description="Break with force where the peer does not answer or validation fails."
    )

    def touches(self) -> frozenset[ObjectRef]:
        """Name the mirror and its volume."""
        return frozenset({ObjectRef("mirror", self.destination), ObjectRef("volume", self.destination)})

    def read(self, client: Client) -> Rewind:
        """Read relationship, volume, snapshots, and what this cluster mirrors on from the volume."""
        return next(_read(client, [self.destination]))

    @classmethod
    def read_many(cls, actions: Sequence[Self], client: Client) -> list[Rewind | ProviderError]:
        """Read for all of them with four requests, and one each for the snapshots."""
        try:
            return list(_read(client, [action.destination for action in actions]))
        except ProviderError as error:
            return [error for _ in actions]

    def diff(self, now: Rewind) -> Change | None:
        """Done when the volume is writable and nothing newer than the snapshot is left of its mirror."""
        mirror, volume = now.mirror.mirror, now.mirror.volume
        if volume is None:
            raise Missing(ObjectRef("volume", self.destination))
        point, newer = self._split(now)
        if volume.type == "rw" and (mirror is None or mirror.state == "broken_off"):
            self._refuse_broken(mirror, newer)
            return None
        mirror = present(mirror, self.destination)
        self._refuse_held(now, newer)
        self._refuse_unnamed(newer, point)
        fields = (
            Field("mirror.state", mirror.state, "broken_off"),
            Field("volume.type", volume.type, "rw"),
            Field("content", mirror.exported, point.name),
        )
        gone = tuple(Field(f"{SNAPSHOT}{one.name}", one.created.isoformat(), None) for one in reversed(newer))
        left = tuple(field for field in (*fields, *gone) if field.before != field.after)
        loss = DataLoss(self.destination, point.name, point.created, now.mirror.clock_skew)
        return Change(self._summary(mirror, point, newer), left, loss)

    def _split(self, now: Rewind) -> tuple[Held, tuple[Held, ...]]:
        """Return the snapshot to go back to and those newer than it; none when it is what a break gives."""
        mirror = now.mirror.mirror
        exported = mirror.exported if mirror else None
        chosen = choose(now.points, self.snapshot, exported, self.destination, mirrored=mirror is not None)
        at = next(i for i, point in enumerate(now.points) if point.name == chosen.name)
        newer = now.points[at + 1 :]
        return now.points[at], () if chosen.name == exported else newer

    def _summary(self, mirror: Mirror, point: Held, newer: Collection[Held]) -> str:
        words = f"break {self.destination} back to {point.name} of {point.created.isoformat()}"
        if not newer:
            return words
        words += f", deleting {counted(len(newer))} newer than it"
        if any(one.name == mirror.exported for one in newer):
            words += f", the base {mirror.exported} of its own mirror among them"
        return words

    # --- what speaks against it ---------------------------------------------------------------

    def _refuse_broken(self, mirror: Mirror | None, newer: Collection[Held]) -> None:
        """A volume that was broken without going back serves newer data: it may be in use since."""
        marks = {*(self.may_delete or ()), *([mirror.exported] if mirror and mirror.exported else [])}
        left = [one for one in newer if mirror is None or one.name in marks]
        if left:
            raise ProviderError(_broken_already(self.destination, left[-1]))

    def _refuse_held(self, now: Rewind, newer: Collection[Held]) -> None:
        for one in newer:
            if is_locked(one, now.seen_at):
                raise ProviderError(_locked(self.destination, one))
            if users := [owner for owner in one.owners if owner not in OWN]:
                raise ProviderError(_in_use(self.destination, one, users))
        if now.fed and newer and not self.give_up_mirrors:
            raise ProviderError(_feeds(self.destination, now.fed, newer))

    def _refuse_unnamed(self, newer: Collection[Held], point: Held) -> None:
        """Only what somebody consented to by name is deleted; a plan shows what there is to consent to."""
        if self.may_delete is None:
            return
        unnamed = [one for one in newer if one.name not in self.may_delete]
        if unnamed:
            raise ProviderError(_unnamed(self.destination, point, unnamed))

    # --- doing it -----------------------------------------------------------------------------

    def apply(self, client: Client, change: Change, control: Control) -> None:
        """Quiet the mirror, look again, announce what goes, break back to the snapshot."""
        if self.may_delete is None:
            raise ProviderError(_no_consent(self.destination, client.name))
        now = self.read(client)
        if self.diff(now) is None:
            return
        promotion = Promotion(client, control, self.destination, self.quiesce_timeout, self.override)
        self._quiet(promotion, present(now.mirror.mirror, self.destination))
        now = self.read(client)
        if self.diff(now) is None:
            return
        point, newer = self._split(now)
        self._announce(control, point, newer)
        if newer:
            self._give_up(client, control, now.fed)
        back = point.name if newer else None
        Promotion(
            client, control, self.destination, self.quiesce_timeout, self.override, restore_to=back
        ).run()
        self.diff(self.read(client))  # raises where somebody else broke it in between, without going back

    def _quiet(self, promotion: Promotion, mirror: Mirror) -> None:
        """End a transfer at once: what it would bring is newer than what is wished for."""
        if mirror.transferring:
            promotion.abort(mirror)
            mirror = present(read_mirror(promotion.client, self.destination), self.destination)
        if mirror.state not in {"paused", "broken_off"} or mirror.transferring:
            promotion.quiet(mirror)

    def _announce(self, control: Control, point: Held, newer: Sequence[Held]) -> None:
        if newer:
            names = ", ".join(one.name for one in newer)
            control.override(
                f"delete {counted(len(newer))} of {self.destination}: {names}",
                f"consented to by name, to go back in place to {point.name} of {point.created.isoformat()}",
            )

    def _give_up(self, client: Client, control: Control, fed: Collection[Downstream]) -> None:
        for one in fed:
            control.override(
                f"release the mirror {one.source} → {one.destination}",
                "give_up_mirrors is set: its base may be among the snapshots that go; it needs a full baseline",
            )
            doing = f"release {one.source} as the source of {one.destination}"
            keys: dict[str, JsonValue] = {"uuid": one.uuid}
            query = {"source_only": "true"}
            client.change(Request("DELETE", "SnapmirrorRelationship", doing, keys, query=query), control)

    def find_running(self, client: Client, since: datetime) -> Handle | None:
        """Return a job at work on this relationship."""
        mirror = read_mirror(client, self.destination)
        return client.job_about(mirror.uuid) if mirror else None

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Clone the same snapshot: a drill deletes nothing."""
        svm, volume = split_path(self.destination)
        return clone_in_bubble(bubble, svm, volume, self.snapshot)

    def foresee(self) -> Mapping[str, JsonValue]:
        """The path's two halves."""
        svm, volume = split_path(self.destination)
        return {"svm": svm, "volume": volume}

    def outputs(self, now: Rewind) -> Mapping[str, JsonValue]:
        """SVM, volume, the snapshot and when it was made (ISO 8601, UTC)."""
        point = self._split(now)[0]
        return {**self.foresee(), "snapshot": point.name, "recovery_point": point.created.isoformat()}


def counted(number: int) -> str:
    """Return ``1 snapshot``, ``3 snapshots``."""
    return f"{number} snapshot{'' if number == 1 else 's'}"


def _read(client: Client, destinations: Sequence[str]) -> Iterator[Rewind]:
    mirrors = read_mirrors(client, destinations)
    fed = read_downstream(client)
    for destination, state in zip(destinations, mirrors, strict=True):
        points = read_held(client, state.volume.uuid) if state.volume else ()
        downstream = tuple(one for one in fed if one.source == destination)
        now = client.clock.now().timestamp() + (client.skew() or 0.0)
        yield Rewind(state, tuple(points), downstream, now)


def _listed(points: Collection[Held]) -> str:
    return ", ".join(f"{one.name} of {one.created.isoformat()}" for one in points)


def _broken_already(destination: str, newest: Held) -> Problem:
    return Problem(
        code="ontap-broken-already",
        summary=f"{destination} is writable already and still holds {newest.name}: it was not broken at an older snapshot",
        detail="Hosts may have written to it since; going back would overwrite that without a trace.",
        hint="Serve the older snapshot from a clone (--recovery-point), or roll the volume back by hand.",
    )


def _locked(destination: str, one: Held) -> Problem:
    until = one.locked.isoformat() if one.locked else "an unknown time"
    return Problem(
        code="ontap-snapshot-locked",
        summary=f"{destination} cannot go back: the newer snapshot {one.name} is locked until {until}",
        detail="A lock is there to be kept; nothing deletes this snapshot before.",
        hint="Serve the older snapshot from a clone, which deletes nothing: --recovery-point.",
    )


def _in_use(destination: str, one: Held, users: Collection[str]) -> Problem:
    return Problem(
        code="ontap-snapshot-busy",
        summary=f"{destination} cannot go back: the newer snapshot {one.name} is in use ({', '.join(users)})",
        detail="A clone may stand on it, such as a drill's.",
        hint="drctl cleanup removes what a drill left; or serve from a clone: --recovery-point.",
    )


def _feeds(destination: str, fed: Collection[Downstream], newer: Collection[Held]) -> Problem:
    mirrors = ", ".join(one.destination for one in fed)
    return Problem(
        code="ontap-feeds-mirrors",
        summary=f"{destination} feeds the mirror to {mirrors}, whose base may be among what would be deleted",
        detail=f"It would go: {_listed(newer)}. That copy could not be continued, only begun anew.",
        hint="Serve from a clone (--recovery-point), or give that mirror up: --orphan-mirrors.",
    )


def _unnamed(destination: str, point: Held, unnamed: Collection[Held]) -> Problem:
    return Problem(
        code="ontap-not-consented",
        summary=f"{destination} has {counted(len(unnamed))} newer than {point.name} that nobody agreed to delete",
        detail=f"Not on the list that was agreed to: {_listed(unnamed)}.",
        hint="drctl abort this run and start it again: what is done is found done, and the list is complete.",
    )


def _no_consent(destination: str, endpoint: str) -> Problem:
    return Problem(
        code="ontap-not-consented",
        summary=f"nobody agreed to what going back in place deletes on {destination}",
        detail="The plan could not list it before the start.",
        hint="Start again once the plan shows which snapshots would go.",
        endpoint=endpoint,
    )
