"""Questions about the way replication goes: is this direction whole, and is a third copy still fed?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Self

from pydantic import Field as Argument
from pydantic import JsonValue

from drctl.core.action import NotExercised, ObjectRef, Recipe
from drctl.core.bubble import Bubble
from drctl.core.duration import Duration, format_duration
from drctl.core.probe import BulkProbe, Finding, Level, Observation
from drctl.core.problem import ProviderError
from drctl.providers.ontap.client import Client
from drctl.providers.ontap.mirrors import read_mirrors
from drctl.providers.ontap.relation import ACTIVE, FAILED, Relation, read_relations
from drctl.providers.ontap.snapmirror import Destination

_OUTPUTS = frozenset(
    {
        "source",
        "state",
        "healthy",
        "reasons",
        "policy",
        "schedule",
        "throttle",
        "last_transfer",
        "last_transfer_type",
        "exported_snapshot",
        "recovery_point",
        "lag_seconds",
    }
)


class _OnRelation(BulkProbe[Client]):
    output_names: ClassVar[frozenset[str]] = _OUTPUTS

    destination: Destination

    def needs_objects(self) -> frozenset[ObjectRef]:
        """Name the mirror."""
        return frozenset({ObjectRef("mirror", self.destination)})

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised | None:
        """Ask it as it is: it looks at the mirror alone."""
        return None

    @classmethod
    def observe_many(cls, probes: Sequence[Self], client: Client) -> list[Observation | ProviderError]:
        """Read the relationships on their destination cluster, with their settings."""
        wanted = sorted({probe.destination for probe in probes})
        relations = read_relations(client, wanted)
        there = [destination for destination in wanted if destination in relations]
        states = zip(there, read_mirrors(client, there) if there else (), strict=True)
        points = {destination: state.recovery_point for destination, state in states}
        return [
            Observation(_settings(relations[probe.destination], points[probe.destination]))
            if probe.destination in points
            else Observation({"state": None})
            for probe in probes
        ]


def _settings(relation: Relation, point: datetime | None) -> dict[str, JsonValue]:
    return {
        "source": relation.source,
        "state": relation.state,
        "healthy": relation.healthy,
        "reasons": list(relation.reasons),
        "policy": relation.policy,
        "schedule": relation.schedule,
        "throttle": relation.throttle,
        "last_transfer": relation.transfer,
        "last_transfer_type": relation.last_type,
        "exported_snapshot": relation.exported,
        "recovery_point": point.isoformat() if point else None,
        "lag_seconds": relation.lag,
    }


class MirrorDirection(_OnRelation):
    """Whether a mirror goes from this source to this destination, is healthy, scheduled and succeeds.

    Its outputs name policy, schedule and throttle: what has to be set again when the direction changes.
    """

    name: ClassVar[str] = "ontap.mirror.direction"

    source: Destination = Argument(description="The volume it must come from, svm:volume.")

    def judge(self, seen: Observation) -> Finding:
        """The first thing that is wrong decides."""
        values = seen.values
        words = f"{self.source} → {self.destination}"
        state = values.get("state")
        if state is None:
            return Finding(
                Level.BLOCKER, f"{words} is not mirrored", hint="drctl reprotect sets replication up."
            )
        if values.get("source") != self.source:
            return Finding(
                Level.BLOCKER,
                f"{self.destination} is mirrored from {values.get('source')}, not {self.source}",
            )
        if state not in ACTIVE:
            return Finding(Level.BLOCKER, f"the mirror {words} is {state}")
        if not values.get("healthy"):
            reasons = values.get("reasons")
            details = tuple(map(str, reasons)) if isinstance(reasons, list) else ()
            why = details[0] if details else "no reason given"
            return Finding(Level.BLOCKER, f"the mirror {words} is unhealthy: {why}", details)
        if values.get("last_transfer") in FAILED:
            return Finding(Level.BLOCKER, f"the last transfer {words} ended as {values.get('last_transfer')}")
        if not values.get("schedule"):
            hint = "Set a transfer schedule, unless the policy brings one."
            return Finding(Level.WARNING, f"the mirror {words} has no schedule of its own", hint=hint)
        return Finding(
            Level.OK, f"the mirror {words} is healthy, {values.get('schedule')}, {values.get('policy')}"
        )


class MirrorStopped(_OnRelation):
    """Whether a third copy (a vault) stopped following: its source is not the data that counts any more.

    ``fed_by`` are the volumes whose data counts: the authoritative one and its mirrors (a mirror passes on
    what it gets). ``max_lag`` says when a copy that is fed counts as stopped all the same.
    """

    name: ClassVar[str] = "ontap.mirror.stopped"

    fed_by: tuple[Destination, ...] = Argument(
        description="Volumes whose data counts, each svm:volume: the authoritative one and its mirrors."
    )
    max_lag: Duration | None = Argument(
        None, description="Lag above which a copy that is fed counts as stopped all the same; default any."
    )

    def judge(self, seen: Observation) -> Finding:
        """A stopped copy is a warning: it keeps what it has and gets nothing new."""
        values = seen.values
        state, source = values.get("state"), str(values.get("source"))
        if state is None:
            return Finding(Level.WARNING, f"{self.destination} is stopped: it is no mirror's destination")
        point = values.get("recovery_point")
        details = (f"its newest recovery point is {point}",) if point else ()
        if source not in self.fed_by:
            why = f"it follows {source}, the data that counts is on {', '.join(self.fed_by)}"
        elif state not in ACTIVE:
            why = f"its mirror of {source} is {state}"
        elif not values.get("healthy"):
            reasons = values.get("reasons")
            told = str(reasons[0]) if isinstance(reasons, list) and reasons else "no reason given"
            why = f"its mirror of {source} is unhealthy: {told}"
        elif self.max_lag is not None and (lag := _lag(values.get("lag_seconds"))) > self.max_lag:
            why = f"it lags {format_duration(lag)}, allowed are {format_duration(self.max_lag)}"
        else:
            return Finding(Level.OK, f"{self.destination} follows {source}", details)
        hint = "Repoint it (ontap.snapmirror.repoint) where both hold a common snapshot, or wait for the way back."
        return Finding(Level.WARNING, f"{self.destination} is stopped: {why}", details, hint)


def _lag(value: JsonValue) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
