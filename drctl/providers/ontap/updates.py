"""The last transfer before a planned move: proven to hold everything written before the source was fenced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Self

from pydantic import Field as Argument
from pydantic import JsonValue

from drctl.core.action import (
    Action,
    Change,
    Control,
    Field,
    Handle,
    NotExercised,
    ObjectRef,
    Recipe,
    Reversibility,
)
from drctl.core.bubble import Bubble
from drctl.core.problem import Problem, ProviderError
from drctl.providers.ontap.client import Client
from drctl.providers.ontap.mirrors import MirrorState, read_mirrors
from drctl.providers.ontap.model import Instant, Mirror, split_path
from drctl.providers.ontap.relation import ACTIVE, FAILED, Following, read_relations, wait_past
from drctl.providers.ontap.snapmirror import Destination, present

ATTEMPTS = 3
"""Transfers asked for before it is given up that one is newer than the fence."""


class Update(Action[Client, MirrorState]):
    """Transfer what was written since, and prove it.

    ``newer_than`` is when the source was last seen unwritable, by its array's clock (the output
    ``unmounted_at`` of ``ontap.volume.unmount``). Done when the exported snapshot was made after it and the
    last transfer ended in success: then nothing is lost by breaking the mirror. Without ``newer_than`` it
    always transfers once, and proves nothing but that.
    """

    name: ClassVar[str] = "ontap.snapmirror.update"
    reversibility: ClassVar[Reversibility] = Reversibility.REVERSIBLE
    state: ClassVar[type] = MirrorState
    output_names: ClassVar[frozenset[str]] = frozenset({"svm", "volume", "recovery_point", "snapshot"})

    destination: Destination
    newer_than: Instant | None = Argument(
        None,
        description="When the source was last seen unwritable: the transferred snapshot must be younger. "
        "Default: transfer once.",
    )

    def touches(self) -> frozenset[ObjectRef]:
        """Name the mirror."""
        return frozenset({ObjectRef("mirror", self.destination)})

    def read(self, client: Client) -> MirrorState:
        """Read the relationship and when its exported snapshot was made."""
        return read_mirrors(client, [self.destination])[0]

    @classmethod
    def read_many(cls, actions: Sequence[Self], client: Client) -> list[MirrorState | ProviderError]:
        """Read for all of them with three requests."""
        try:
            return list(read_mirrors(client, [action.destination for action in actions]))
        except ProviderError as error:
            return [error for _ in actions]

    def diff(self, now: MirrorState) -> Change | None:
        """Done when the exported snapshot is newer and the last transfer succeeded."""
        mirror = present(now.mirror, self.destination)
        if self._is_proven(mirror, now.recovery_point):
            return None
        if mirror.state not in ACTIVE:
            raise ProviderError(_not_mirroring(mirror))
        point = now.recovery_point.isoformat() if now.recovery_point else None
        wished = f"after {self.newer_than.isoformat()}" if self.newer_than else "now"
        summary = f"update {self.destination}: exported snapshot of {point or 'unknown time'} → {wished}"
        fields = (Field("recovery_point", point, wished),)
        return Change(summary, fields, opaque=self.newer_than is None)

    def _is_proven(self, mirror: Mirror, point: datetime | None) -> bool:
        if self.newer_than is None or point is None:
            return False
        return point > self.newer_than and mirror.transfer not in FAILED

    def apply(self, client: Client, change: Change, control: Control) -> None:
        """Transfer until the exported snapshot is newer; a transfer under way may hold an older one."""
        following = Following(client, control, self.destination, self._usual_size(client))
        if self.newer_than is None:
            following.update()
            return
        now = self.read(client)
        if now.mirror is not None and self._is_proven(now.mirror, now.recovery_point):
            return  # an earlier attempt's transfer, whose end was not seen
        wait_past(client, control, self.newer_than)
        for _ in range(ATTEMPTS):
            relation = following.update()
            if self._is_proven(relation, self.read(client).recovery_point):
                return
        raise ProviderError(_unproven(self.destination, self.newer_than, client.name))

    def _usual_size(self, client: Client) -> int:
        """Take the last transfer's size for what this one will bring: ONTAP tells no total."""
        relation = read_relations(client, [self.destination]).get(self.destination)
        return relation.moved if relation and not relation.transferring else 0

    def find_running(self, client: Client, since: datetime) -> Handle | None:
        """Return the transfer under way: it may be the one asked for."""
        relation = read_relations(client, [self.destination]).get(self.destination)
        if relation is None or not relation.transferring:
            return None
        return Handle("transfer", relation.transfer_uuid or "", f"transfer to {self.destination}")

    def foresee(self) -> Mapping[str, JsonValue]:
        """The path's two halves."""
        svm, volume = split_path(self.destination)
        return {"svm": svm, "volume": volume}

    def outputs(self, now: MirrorState) -> Mapping[str, JsonValue]:
        """Add the exported snapshot and when it was made (ISO 8601, UTC)."""
        point = now.recovery_point.isoformat() if now.recovery_point else None
        name = now.mirror.exported if now.mirror else None
        return {**self.foresee(), "recovery_point": point, "snapshot": name}

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Leave it: the source is not fenced in a drill, and replication keeps its schedule."""
        return NotExercised(f"the mirror to {self.destination} keeps its own schedule")


def _not_mirroring(mirror: Mirror) -> Problem:
    words = {"paused": "is quiesced", "broken_off": "is broken off"}.get(mirror.state, f"is {mirror.state}")
    return Problem(
        code="ontap-not-mirroring",
        summary=f"the mirror to {mirror.destination} {words}: it takes no transfer",
        detail="; ".join(mirror.reasons),
        hint="Resume it (snapmirror resume) or resync it before a planned move.",
    )


def _unproven(destination: str, fence: datetime, endpoint: str) -> Problem:
    return Problem(
        code="ontap-transfer-unproven",
        summary=f"no transfer to {destination} brought a snapshot made after {fence.isoformat()}",
        detail="Transfers ended in success, but what they brought is older than the fence.",
        hint="Compare the source array's clock with ours (ontap.access), then retry.",
        endpoint=endpoint,
    )
