"""Actions on mirrors: quiesce and break, on the destination cluster only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from drctl.core.duration import Duration
from drctl.core.problem import Problem, ProviderError
from drctl.providers.ontap.arguments import Override, QuiesceTimeout
from drctl.providers.ontap.client import Client
from drctl.providers.ontap.copies import clone_in_bubble
from drctl.providers.ontap.mirrors import MirrorState, read_mirror, read_mirrors
from drctl.providers.ontap.model import Mirror, split_path
from drctl.providers.ontap.promotion import Promotion

Destination = Annotated[
    str,
    Argument(
        pattern=r"^[^:/\s]+:[^:/\s]+$",
        description="Destination of the mirror, svm:volume, e.g. `svm_dr:pacs_vm_dr`.",
    ),
]


class _OnMirror(Action[Client, MirrorState]):
    """What both share: the destination path, and reading in bulk."""

    reversibility: ClassVar[Reversibility] = Reversibility.COMPENSABLE
    state: ClassVar[type] = MirrorState

    destination: Destination

    def read(self, client: Client) -> MirrorState:
        """Read the relationship, its volume and its exported snapshot."""
        return read_mirrors(client, [self.destination])[0]

    @classmethod
    def read_many(cls, actions: Sequence[Self], client: Client) -> list[MirrorState | ProviderError]:
        """Read for all of them with three requests."""
        try:
            return list(read_mirrors(client, [action.destination for action in actions]))
        except ProviderError as error:
            return [error for _ in actions]

    def find_running(self, client: Client, since: datetime) -> Handle | None:
        """Return a job at work on this relationship.

        A transfer is no sign of it: a scheduled update may run without anybody having asked for a break.
        """
        mirror = read_mirror(client, self.destination)
        return client.job_about(mirror.uuid) if mirror else None


class Quiesce(_OnMirror):
    """Stop the mirror's transfers: the one under way ends, no other begins.

    Not aborted here: a planned move waits for its data. ``ontap.snapmirror.break`` aborts.
    """

    name: ClassVar[str] = "ontap.snapmirror.quiesce"

    timeout: Duration = Argument(60.0, description="How long the transfer under way may take to end.")

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Leave it: replication goes on while a drill runs."""
        return NotExercised(f"the mirror to {self.destination} goes on replicating")

    def touches(self) -> frozenset[ObjectRef]:
        """Name the mirror."""
        return frozenset({ObjectRef("mirror", self.destination)})

    def diff(self, now: MirrorState) -> Change | None:
        """Done when paused, or broken off already."""
        mirror = present(now.mirror, self.destination)
        if mirror.state in {"paused", "broken_off"}:
            if not mirror.transferring:
                return None
            waited = Field("transfer", mirror.transfer, None)
            return Change(f"wait for the transfer under way to {self.destination}", (waited,))
        return Change(
            f"quiesce {self.destination}: {mirror.state} → paused",
            (Field("mirror.state", mirror.state, "paused"),),
        )

    def apply(self, client: Client, change: Change, control: Control) -> None:
        """Quiesce and wait; a transfer that outlives ``timeout`` fails the step and goes on."""
        if not Promotion(client, control, self.destination, self.timeout).quiesce():
            problem = Problem(
                code="ontap-quiesce-timeout",
                summary=f"{self.destination} is not quiet after {self.timeout:.0f} s: a transfer still runs",
                detail="The quiesce stands: the mirror pauses when the transfer ends.",
                hint="Retry to wait on, or raise `timeout`.",
                endpoint=client.name,
            )
            raise ProviderError(problem)


class Break(_OnMirror):
    """Break the mirror so that its destination becomes writable; the source is never asked.

    The mirror is quiesced first, for ``quiesce_timeout`` at most; a transfer that cannot end is aborted.
    When ONTAP refuses the break because its peer does not answer (262224) or the mirror is unhealthy, it is
    asked again with ``force=true``, which overrides its validation: said and journaled before, and never
    with ``override: false``.

    Everything written at the source after the exported snapshot is given up: the change says since when.
    Going back means a resync, which discards what was written at the destination since.
    A relationship that is gone while its volume is writable counts as broken.
    """

    name: ClassVar[str] = "ontap.snapmirror.break"
    output_names: ClassVar[frozenset[str]] = frozenset({"svm", "volume", "recovery_point"})

    quiesce_timeout: QuiesceTimeout = 60.0
    override: Override = True

    def touches(self) -> frozenset[ObjectRef]:
        """Name the mirror and its volume."""
        return frozenset({ObjectRef("mirror", self.destination), ObjectRef("volume", self.destination)})

    def diff(self, now: MirrorState) -> Change | None:
        """Done when the relationship is broken off (or gone) and the volume writable."""
        if now.mirror is None and now.volume is not None and now.volume.type == "rw":
            return None
        mirror = present(now.mirror, self.destination)
        if now.volume is None:
            raise Missing(ObjectRef("volume", self.destination))
        if mirror.state == "broken_off" and now.volume.type == "rw":
            return None
        fields = (
            Field("mirror.state", mirror.state, "broken_off"),
            Field("volume.type", now.volume.type, "rw"),
        )
        left = tuple(field for field in fields if field.before != field.after)
        steps = ", ".join(f"{f.name.replace('.', ' ')} {f.before} → {f.after}" for f in left)
        return Change(f"break {self.destination}: {steps}", left, self._loss(mirror, now))

    def _loss(self, mirror: Mirror, now: MirrorState) -> DataLoss | None:
        """Nothing is lost of a relationship in sync: each write is at both sites before it is acknowledged."""
        if mirror.state in {"in_sync", "broken_off"} or now.recovery_point is None:
            return None
        return DataLoss(self.destination, mirror.exported or "", now.recovery_point, now.clock_skew)

    def apply(self, client: Client, change: Change, control: Control) -> None:
        """Quiesce (bounded), abort a transfer that cannot end, break; override last."""
        Promotion(client, control, self.destination, self.quiesce_timeout, self.override).run()

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Clone the newest replicated snapshot, with an export policy of the clone's own."""
        svm, volume = split_path(self.destination)
        return clone_in_bubble(bubble, svm, volume)

    def foresee(self) -> Mapping[str, JsonValue]:
        """The path's two halves."""
        svm, volume = split_path(self.destination)
        return {"svm": svm, "volume": volume}

    def outputs(self, now: MirrorState) -> Mapping[str, JsonValue]:
        """SVM, volume and, where it can be seen, the recovery point (ISO 8601, UTC)."""
        point = now.recovery_point.isoformat() if now.recovery_point else None
        return {**self.foresee(), "recovery_point": point}


def present(mirror: Mirror | None, destination: str) -> Mirror:
    """Return the mirror; what was never initialised holds nothing to take over from."""
    if mirror is None:
        raise Missing(ObjectRef("mirror", destination))
    if mirror.state == "uninitialized":
        problem = Problem(
            code="ontap-uninitialized",
            summary=f"the mirror to {destination} was never initialised: its volume holds no data",
            detail="; ".join(mirror.reasons),
            hint="Only a copy elsewhere (a vault, a backup) can help; look at `snapmirror show`.",
        )
        raise ProviderError(problem)
    return mirror
