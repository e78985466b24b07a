"""A mirror in full: policy, schedule, throttle, what its transfers do; and following one to its end."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from pydantic import AliasPath, Field

from drctl.core.action import Control, Handle
from drctl.core.clock import Clock
from drctl.core.duration import format_duration
from drctl.core.problem import Problem, ProviderError
from drctl.providers.ontap import problems
from drctl.providers.ontap.client import FIRST_PAUSE, LONGEST_PAUSE, Client
from drctl.providers.ontap.model import Instant, Mirror, Row
from drctl.providers.ontap.request import Request

BEGINS = 15.0
"""Seconds in which a transfer that was asked for, or a relationship just made, shows up."""

FAILED = frozenset({"failed", "aborted", "hard_aborted"})
ACTIVE = frozenset({"snapmirrored", "in_sync", "synchronizing"})
"""States in which a destination follows its source."""

LONGEST_QUERY = 20


class Relation(Mirror):
    """A relationship with what has to be set again after its direction changed.

    ``throttle`` in KB/s, 0 unlimited; ``moved`` are the bytes of the transfer under way or the last one.
    """

    policy: str = Field("", validation_alias=AliasPath("policy", "name"))
    schedule: str = Field("", validation_alias=AliasPath("transfer_schedule", "name"))
    throttle: int = 0
    last_type: str = Field("", validation_alias="last_transfer_type")
    moved: int = Field(0, validation_alias=AliasPath("transfer", "bytes_transferred"))
    ended: Instant | None = Field(None, validation_alias=AliasPath("transfer", "end_time"))


class Downstream(Row):
    """What a source cluster knows of a relationship that starts there."""

    resource = "SnapmirrorRelationship"

    uuid: str
    source: str = Field("", validation_alias=AliasPath("source", "path"))
    destination: str = Field("", validation_alias=AliasPath("destination", "path"))


def read_relations(client: Client, destinations: Collection[str]) -> dict[str, Relation]:
    """Return relationships by destination path, in one request to their destination cluster."""
    if len(destinations) > LONGEST_QUERY:
        found = client.fetch(Relation)
    else:
        found = client.fetch(Relation, destination__path="|".join(sorted(destinations)))
    return {relation.destination: relation for relation in found}


def read_downstream(client: Client) -> list[Downstream]:
    """Return the relationships whose source is on this cluster, as far as it knows them."""
    return client.fetch(Downstream, list_destinations_only="true")


Until: TypeAlias = Callable[[Relation], bool]


@dataclass(frozen=True)
class Following:
    """Transfers to one destination; ``expected`` is how many bytes one will bring, where that is known."""

    client: Client
    control: Control
    destination: str
    expected: int = 0

    def relation(self) -> Relation:
        """Read the relationship; a read that fails says nothing of the transfer, which goes on."""
        try:
            found = read_relations(self.client, [self.destination])
        except ProviderError as error:
            if error.unreachable or error.transient:
                doing = f"follow the transfer to {self.destination}"
                raise problems.no_reply(doing, self.client.name, str(error), changing=True) from error
            raise
        if self.destination not in found:
            raise problems.vanished(f"the mirror to {self.destination}", self.client.name)
        return found[self.destination]

    def appear(self) -> Relation:
        """Read a relationship just made: its job may end before it is listed (netapp.ontap issue 344)."""
        ends, pause = self.client.clock.monotonic() + BEGINS, FIRST_PAUSE
        while True:
            try:
                return self.relation()
            except ProviderError as error:
                if error.problem.code != "ontap-vanished" or self.client.clock.monotonic() >= ends:
                    raise
            self.control.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)

    def finish(self) -> Relation:
        """Wait until no transfer is under way, telling bytes, rate and time left.

        Raises:
            ProviderError: The transfer failed or was aborted; ``effect_unknown`` when it outlives the step.
        """
        meter, pause, told = _Meter(self.client.clock, self.expected), FIRST_PAUSE, ""
        while True:
            relation = self.relation()
            if not relation.transferring:
                break
            if relation.transfer_uuid and relation.transfer_uuid != told:
                told = relation.transfer_uuid
                self.control.handle(Handle("transfer", told, f"transfer to {self.destination}"))
            if meter.is_due():
                self.control.progress(*meter.tell(self.destination, relation.moved))
            left = self.control.remaining()
            if left <= 0:
                what = f"the transfer to {self.destination} is still running"
                raise problems.outlived(f"update {self.destination}", self.client.name, what)
            self.control.sleep(min(pause, left))
            pause = min(pause * 1.5, LONGEST_PAUSE)
        if relation.transfer in FAILED:
            raise ProviderError(_failed(relation, self.client.name))
        return relation

    def update(self) -> Relation:
        """Ask for one transfer and follow it to its success; one that runs already is followed first.

        Raises:
            ProviderError: Refused, failed, or ``effect_unknown``.
        """
        before = self.relation()
        if before.transferring:
            before = self.finish()
        doing = f"update {self.destination}"
        request = Request("POST", "SnapmirrorTransfer", doing, parents=(before.uuid,))
        try:
            self.client.change(request, self.control)
        except ProviderError as error:
            if not problems.is_busy(error):
                raise
        self._await_start(before)
        return self.finish()

    def _await_start(self, before: Relation) -> None:
        """Right after the request the record may still show the transfer before."""
        ends, pause = self.client.clock.monotonic() + BEGINS, FIRST_PAUSE
        while self.client.clock.monotonic() < ends:
            now = self.relation()
            if now.transferring or (now.ended, now.exported) != (before.ended, before.exported):
                return
            self.control.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)


@dataclass
class _Meter:
    """Bytes by time since the first look; speaks ever more rarely, for all it says is kept."""

    clock: Clock
    expected: int
    begun: float = field(init=False)
    due: float = 0.0
    first: tuple[float, int] | None = field(default=None)

    def __post_init__(self) -> None:
        self.begun = self.clock.monotonic()

    def is_due(self) -> bool:
        """Say whether it is time to speak again: at once, then each time a fifth longer, at most a minute."""
        now = self.clock.monotonic()
        if now < self.due:
            return False
        self.due = now + min((now - self.begun) / 5, 60.0)
        return True

    def tell(self, destination: str, moved: int) -> tuple[str, float | None]:
        """Return what to say, and how far it is when the size is known."""
        now = self.clock.monotonic()
        if self.first is None or moved < self.first[1]:
            self.first = (now, moved)
        spent, brought = now - self.first[0], moved - self.first[1]
        words = [f"transfer to {destination}: {size(moved)}"]
        rate = brought / spent if spent > 0 else 0.0
        if rate > 0:
            words.append(f"{size(rate)}/s")
        if self.expected > moved:
            words[0] += f" of about {size(self.expected)}"
            if rate > 0:
                words.append(f"{format_duration((self.expected - moved) / rate)} left")
        share = min(moved / self.expected, 1.0) if self.expected else None
        return ", ".join(words), share


def size(count: float) -> str:
    """Return bytes for people: ``1.5 GiB``, ``12.0 MiB``, ``640 B``."""
    for power, unit in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if count >= 1024**power:
            return f"{count / 1024**power:.1f} {unit}"
    return f"{count:.0f} B"


def wait_past(client: Client, control: Control, moment: datetime) -> None:
    """Let the array's clock pass a moment by a second: snapshots show whole seconds only."""
    left = (moment - client.clock.now()).total_seconds() - (client.skew() or 0.0) + 1.0
    if left > 0:
        control.sleep(left)


def _failed(relation: Relation, endpoint: str) -> Problem:
    why = relation.reasons[0] if relation.reasons else "ONTAP gives no reason"
    return Problem(
        code="ontap-transfer-failed",
        summary=f"the transfer to {relation.destination} ended as {relation.transfer}: {why}",
        detail="; ".join(relation.reasons[1:]),
        hint="Look at `snapmirror show -fields last-transfer-error`, put it right, then retry.",
        endpoint=endpoint,
    )
