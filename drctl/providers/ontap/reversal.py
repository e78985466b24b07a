"""Replication in the other direction: create, resync, settle, prove.

The order is NetApp's for a reverse resync: the old relationship's record is released at its source with
``source_info_only`` (its snapshots, the common one among them, stay), the new one is made at its
destination and resynced, which discards what that side wrote since the common snapshot. ``preserve``
keeps newer snapshots all the same, the one taken before the reversal among them. Schedule and throttle
cannot be given with it and are set afterwards (codes 13304156 and its neighbours).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import JsonValue

from drctl.core.action import Control
from drctl.core.problem import Problem, ProviderError
from drctl.providers.ontap import problems
from drctl.providers.ontap.client import Client
from drctl.providers.ontap.model import split_path
from drctl.providers.ontap.relation import ACTIVE, Following, Relation, size
from drctl.providers.ontap.request import Request
from drctl.providers.ontap.sides import KEPT, Held, Sides, peer_trouble

_NO_PRESERVE = frozenset({13303834, 13303835, 13303836, 13303837, 262196})
"""Codes of a flag that does not apply to this kind of relationship."""

_KNOWN = 6619637
"""ONTAP's code for a relationship that exists."""


@dataclass(frozen=True)
class Wish:
    """What the new direction is to be; ``throttle`` in KB/s. None leaves a setting as ONTAP made it."""

    source: str
    destination: str
    source_cluster: str | None = None
    policy: str | None = None
    schedule: str | None = None
    throttle: int | None = None
    acknowledge_loss: bool = False
    full_baseline: bool = False
    replaces: bool = False
    """Whether a relationship with another source may be given up for this one."""

    def settings(self, relation: Relation | None) -> dict[str, tuple[JsonValue, JsonValue]]:
        """Return what differs from the wish: present value (None without relationship), wished one."""
        wished: dict[str, JsonValue] = {
            "policy": self.policy,
            "schedule": self.schedule,
            "throttle": self.throttle,
        }
        found: dict[str, JsonValue] = dict.fromkeys(wished)
        if relation is not None:
            found = {
                "policy": relation.policy,
                "schedule": relation.schedule,
                "throttle": relation.throttle,
            }
        return {
            name: (found[name], wish)
            for name, wish in wished.items()
            if wish is not None and wish != found[name]
        }


@dataclass(frozen=True)
class Reversal:
    """One destination on its way to follow a new source; ``look`` reads both sides again."""

    client: Client
    control: Control
    wish: Wish
    look: Callable[[], Sides]

    def run(self) -> None:
        """Do what is left, from wherever an earlier attempt got to.

        Raises:
            ProviderError: Refused here or by ONTAP, a transfer failed, or ``effect_unknown``.
        """
        sides = self.look()
        following = Following(self.client, self.control, self.wish.destination)
        if not is_mirroring(sides, self.wish.source):
            self._check(sides)
            self._release(sides)
            relation = self._relate(sides)
            if relation is None:
                held = sides.volume or sides.kept
                following = Following(
                    self.client, self.control, self.wish.destination, held.used if held else 0
                )
                following.appear()
            elif not relation.transferring and relation.state not in ACTIVE:
                self._resync(relation)
            following.finish()
        elif following.relation().transferring:
            following.finish()
        self._settle(following.relation())
        self._prove(following)

    # --- before anything is touched -----------------------------------------------------------

    def _check(self, sides: Sides) -> None:
        volume = sides.volume
        if volume is None and not (self.wish.full_baseline and sides.kept):
            raise problems.vanished(f"volume {self.wish.destination}", self.client.name)
        if volume is not None and volume.junction and volume.type == "rw":
            raise ProviderError(_mounted(volume))
        if trouble := peer_trouble(
            self.client, self.wish.source, self.wish.destination, self.wish.source_cluster
        ):
            raise ProviderError(_no_peers(self.wish, trouble, self.client.name))
        if volume is not None and volume.type == "rw" and sides.base is not None:
            self._check_loss(sides, volume)

    def _check_loss(self, sides: Sides, volume: Held) -> None:
        """What was written here and is nowhere else goes only with an acknowledgement, journaled."""
        if sides.base is None or sides.changed == 0:
            return
        words = f"{unreplicated(sides)} on {volume.path} since {sides.base.name}"
        if not self.wish.acknowledge_loss:
            raise ProviderError(_unacknowledged(volume, words))
        self.control.override(
            f"overwrite {words}", f"acknowledge_loss is set; {self.wish.source} is authoritative"
        )

    # --- the new relationship -----------------------------------------------------------------

    def _release(self, sides: Sides) -> None:
        """Let this cluster forget the old direction; snapshots stay, the other cluster is not asked."""
        for uuid in sides.downstream:
            self.control.progress(f"releasing the old relationship from {self.wish.destination}")
            doing = f"release {self.wish.destination} as a source"
            query = {"source_info_only": "true"}
            request = Request("DELETE", "SnapmirrorRelationship", doing, {"uuid": uuid}, query=query)
            try:
                self.client.change(request, self.control)
            except ProviderError as error:
                if problems.code_of(error) != problems.ENTRY_MISSING:
                    raise

    def _relate(self, sides: Sides) -> Relation | None:
        """Return the new relationship, made where needed; None when its baseline transfer has begun."""
        relation = sides.relation
        if relation is not None and relation.source != self.wish.source:
            self._forget(relation)
            relation = None
        if relation is not None:
            return relation
        if sides.base is None:
            self._begin_baseline(sides)
            return None
        self.control.progress(
            f"mirroring {self.wish.source} to {self.wish.destination}: base {sides.base.name}"
        )
        self._create({})
        return Following(self.client, self.control, self.wish.destination).appear()

    def _forget(self, relation: Relation) -> None:
        if not self.wish.replaces:
            raise ProviderError(other_source(relation, self.wish.source))
        doing = f"give up the mirror of {relation.source} to {relation.destination}"
        keys: dict[str, JsonValue] = {"uuid": relation.uuid}
        query = {"destination_only": "true"}
        self.client.change(
            Request("DELETE", "SnapmirrorRelationship", doing, keys, query=query), self.control
        )

    def _create(self, more: dict[str, JsonValue]) -> None:
        source: dict[str, JsonValue] = {"path": self.wish.source}
        if self.wish.source_cluster:
            source["cluster"] = {"name": self.wish.source_cluster}
        body: dict[str, JsonValue] = {
            "source": source,
            "destination": {"path": self.wish.destination},
            **more,
        }
        if self.wish.policy:
            body["policy"] = {"name": self.wish.policy}
        doing = f"mirror {self.wish.source} to {self.wish.destination}"
        try:
            self.client.change(Request("POST", "SnapmirrorRelationship", doing, body=body), self.control)
        except ProviderError as error:
            if problems.code_of(error) != _KNOWN:
                raise

    def _begin_baseline(self, sides: Sides) -> None:
        """Put the volume aside under another name, and fill a new one from the source."""
        if not self.wish.full_baseline:
            raise ProviderError(no_common(self.wish.source, self.wish.destination, sides))
        volume = sides.volume
        if volume is not None:
            if sides.kept is not None:
                raise ProviderError(_kept_already(sides.kept))
            name = split_path(self.wish.destination)[1] + KEPT
            doing = f"put {volume.path} aside as {name}"
            body: dict[str, JsonValue] = {"name": name}
            self.client.change(Request("PATCH", "Volume", doing, {"uuid": volume.uuid}, body), self.control)
        held = volume or sides.kept
        self.control.progress(
            f"full baseline of {self.wish.destination}" + (f": about {size(held.used)}" if held else "")
        )
        self._create({"create_destination": {"enabled": True}, "state": "snapmirrored"})

    def _resync(self, relation: Relation) -> None:
        """Resync what is broken off; initialise or resume what is not."""
        self.control.progress(f"resyncing {self.wish.destination} from {self.wish.source}")
        try:
            self.client.change(_activate(relation, preserve=relation.state == "broken_off"), self.control)
        except ProviderError as error:
            if (
                problems.code_of(error) not in _NO_PRESERVE
                and "preserve" not in error.problem.summary.lower()
            ):
                raise
            if not self.wish.acknowledge_loss:
                raise
            self.control.override(
                f"resync {self.wish.destination} without preserve",
                f"ONTAP refused with it: {error.problem.summary}; newer snapshots there are deleted",
            )
            self.client.change(_activate(relation, preserve=False), self.control)

    # --- afterwards ---------------------------------------------------------------------------

    def _settle(self, relation: Relation) -> None:
        left = self.wish.settings(relation)
        if not left:
            return
        body: dict[str, JsonValue] = {}
        for name, (_, wish) in left.items():
            if name == "throttle":
                body["throttle"] = wish
            else:
                body["policy" if name == "policy" else "transfer_schedule"] = {"name": wish}
        doing = f"set {', '.join(left)} of the mirror to {self.wish.destination}"
        keys: dict[str, JsonValue] = {"uuid": relation.uuid}
        self.client.change(Request("PATCH", "SnapmirrorRelationship", doing, keys, body), self.control)

    def _prove(self, following: Following) -> None:
        """An ordinary update has to succeed: a resync alone does not prove that the next one will."""
        if not is_proven(following.relation()):
            self.control.progress(f"proving one update of {self.wish.destination}")
            following.update()


def is_mirroring(sides: Sides, source: str) -> bool:
    """Say whether the destination follows that source already."""
    relation = sides.relation
    return relation is not None and relation.source == source and relation.state in ACTIVE


def is_proven(relation: Relation) -> bool:
    """Say whether an ordinary update succeeded and nothing is wrong since."""
    return relation.last_type == "update" and relation.healthy


def unreplicated(sides: Sides) -> str:
    """Say in words what would be lost of the overwritten side's own writes."""
    return "an unknown number of writes" if sides.changed is None else f"{size(sides.changed)} of writes"


def _activate(relation: Relation, *, preserve: bool) -> Request:
    body: dict[str, JsonValue] = {"state": "in_sync" if relation.policy_type == "sync" else "snapmirrored"}
    if preserve:
        body["preserve"] = True
    doing = f"resync {relation.destination} from {relation.source}"
    return Request("PATCH", "SnapmirrorRelationship", doing, {"uuid": relation.uuid}, body)


def other_source(relation: Relation, source: str) -> Problem:
    """Return that the destination follows somebody else."""
    return Problem(
        code="ontap-other-source",
        summary=f"{relation.destination} is the destination of a mirror of {relation.source}, not of {source}",
        hint="Remove that relationship first (ontap.snapmirror.remove), if it is the right one to give up.",
    )


def no_common(source: str, destination: str, sides: Sides) -> Problem:
    """Return that only a full baseline can bring both sides together."""
    held = f" ({size(sides.volume.used)})" if sides.volume else ""
    return Problem(
        code="ontap-no-common-snapshot",
        summary=f"{source} and {destination} have no snapshot in common: a full baseline{held} is needed",
        detail="It puts the present volume aside under another name and fills a new one.",
        hint="Set `full_baseline: true` once there is room and time for it; nothing is deleted.",
    )


def _mounted(volume: Held) -> Problem:
    return Problem(
        code="ontap-in-use",
        summary=f"{volume.path} is still mounted at {volume.junction}: it is not overwritten while in use",
        detail="Hosts or users may be writing to it.",
        hint="Power its VMs off, unregister them, unmount its datastores, then unmount it.",
    )


def _no_peers(wish: Wish, trouble: str, endpoint: str) -> Problem:
    return Problem(
        code="ontap-no-peer",
        summary=f"{wish.source} cannot be mirrored to {wish.destination}: {trouble}",
        hint="Look at `cluster peer show` and `vserver peer show`; retry when the other site is back.",
        endpoint=endpoint,
    )


def _unacknowledged(volume: Held, words: str) -> Problem:
    return Problem(
        code="ontap-unreplicated-writes",
        summary=f"{volume.path} would lose {words}",
        detail="They exist nowhere else. A snapshot taken before keeps them on this volume only.",
        hint="Save what matters, then acknowledge the loss (acknowledge_loss: true).",
    )


def _kept_already(kept: Held) -> Problem:
    return Problem(
        code="ontap-baseline-twice",
        summary=f"{kept.path} was put aside by an earlier full baseline and is still there",
        hint="Delete it once nobody needs what it holds, then retry.",
    )
