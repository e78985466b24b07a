"""Questions about a cluster and its mirrors, answered in figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Self

from pydantic import Field as Argument
from pydantic import JsonValue

from drctl.core.action import NotExercised, ObjectRef, Recipe
from drctl.core.bubble import Bubble
from drctl.core.duration import Duration, format_duration
from drctl.core.probe import BulkProbe, Finding, Level, Observation, Probe
from drctl.core.problem import ProviderError
from drctl.providers.ontap.client import Client
from drctl.providers.ontap.mirrors import MirrorState, read_mirrors
from drctl.providers.ontap.model import Cluster
from drctl.providers.ontap.snapmirror import Destination


def impossible(summary: str, *, hint: str = "") -> Finding:
    """Return a blocker that no decision can override."""
    return Finding(Level.BLOCKER, summary, hint=hint, impossible=True)


class Access(Probe[Client]):
    """Whether the cluster accepts the credentials, and how far its clock is from ours."""

    name: ClassVar[str] = "ontap.access"
    output_names: ClassVar[frozenset[str]] = frozenset(
        {"accepted", "refusal", "cluster", "version", "clock_skew_seconds"}
    )

    max_skew: Duration = Argument(
        300.0, description="How far the cluster's clock may be from ours; beyond that it blocks."
    )

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised | None:
        """Ask it as it is: the cluster answers for itself."""
        return None

    def observe(self, client: Client) -> Observation:
        """Log in and ask who answers."""
        try:
            cluster = client.find(Cluster, {}) or Cluster()
        except ProviderError as error:
            if error.problem.code not in {"ontap-auth", "ontap-6"}:
                raise
            return Observation({"accepted": False, "refusal": error.problem.summary})
        return Observation(
            {
                "accepted": True,
                "cluster": cluster.name,
                "version": cluster.version,
                "clock_skew_seconds": client.skew(),
            }
        )

    def judge(self, seen: Observation) -> Finding:
        """Credentials decide; a clock far off makes every age and every ticket doubtful."""
        values = seen.values
        if not values.get("accepted"):
            hint = "Check the endpoint's username and password; the account must be allowed to use http."
            return impossible(str(values.get("refusal") or "credentials refused"), hint=hint)
        skew = _number(values.get("clock_skew_seconds"))
        who = f"cluster {values.get('cluster')} accepts the credentials"
        if skew is None:
            return Finding(Level.WARNING, f"{who}; its clock is not known", hint="Compare it by hand.")
        if abs(skew) > self.max_skew:
            return Finding(
                Level.BLOCKER,
                f"the clock of cluster {values.get('cluster')} is {_offset(skew)} ours, allowed are {format_duration(self.max_skew)}",
                hint="Set the time on whichever is wrong (cluster time-service ntp server).",
            )
        return Finding(Level.OK, f"{who}; clock {_offset(skew)} ours" if skew else f"{who}; clocks agree")


class _OnMirror(BulkProbe[Client]):
    destination: Destination

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised | None:
        """Ask it as it is: it looks at the mirror alone."""
        return None

    def needs_objects(self) -> frozenset[ObjectRef]:
        """Name the mirror."""
        return frozenset({ObjectRef("mirror", self.destination)})

    @classmethod
    def observe_many(cls, probes: Sequence[Self], client: Client) -> list[Observation | ProviderError]:
        """Read the relationships on their destination cluster, with their volumes and snapshots."""
        states = read_mirrors(client, [probe.destination for probe in probes])
        return [Observation(_mirror_values(state)) for state in states]

    def unusable(self, seen: Observation) -> Finding | None:
        """Say when there is no mirror to speak of."""
        state = seen.values.get("state")
        if state is None:
            return impossible(f"there is no mirror with destination {self.destination}")
        if state == "uninitialized":
            return impossible(f"the mirror to {self.destination} was never initialised: it holds no data")
        if state == "broken_off":
            summary = f"the mirror to {self.destination} is broken off already: nothing is replicated"
            return Finding(Level.WARNING, summary, hint="Expected after a failover; resync otherwise.")
        return None


_MIRROR_OUTPUTS = frozenset(
    {"state", "healthy", "reasons", "lag_seconds", "transfer", "exported_snapshot", "recovery_point"}
)


class MirrorFresh(_OnMirror):
    """Whether the lag is within ``max_lag``; lag runs from the exported snapshot's creation."""

    name: ClassVar[str] = "ontap.mirror.fresh"
    output_names: ClassVar[frozenset[str]] = _MIRROR_OUTPUTS

    max_lag: Duration = Argument(description="The age of the recovery point above which it blocks.")

    def judge(self, seen: Observation) -> Finding:
        """Compare, in minutes."""
        if unusable := self.unusable(seen):
            return unusable
        lag = _number(seen.values.get("lag_seconds"))
        allowed = format_duration(self.max_lag)
        if lag is None:
            summary = f"the lag of {self.destination} is not known, allowed are {allowed}"
            return Finding(Level.BLOCKER, summary, hint="Look at `snapmirror show -fields lag-time`.")
        point = seen.values.get("recovery_point")
        details = (f"recovery point {point}",) if point else ()
        figures = f"{self.destination} lags {format_duration(lag)}, allowed are {allowed}"
        if lag > self.max_lag:
            hint = "Update the mirror while its source lives (snapmirror update)."
            return Finding(Level.BLOCKER, figures, details, hint)
        return Finding(Level.OK, figures, details)


class MirrorHealthy(_OnMirror):
    """Whether ONTAP calls the mirror healthy, and its own reasons when not."""

    name: ClassVar[str] = "ontap.mirror.healthy"
    output_names: ClassVar[frozenset[str]] = _MIRROR_OUTPUTS

    def judge(self, seen: Observation) -> Finding:
        """Unhealthy blocks; quiesced is worth a warning."""
        if unusable := self.unusable(seen):
            return unusable
        reasons = seen.values.get("reasons")
        details = tuple(map(str, reasons)) if isinstance(reasons, list | tuple) else ()
        if not seen.values.get("healthy"):
            why = details[0] if details else "no reason given"
            return Finding(Level.BLOCKER, f"the mirror to {self.destination} is unhealthy: {why}", details)
        state = str(seen.values.get("state"))
        if state == "paused":
            return Finding(
                Level.WARNING, f"the mirror to {self.destination} is quiesced: no update runs", details
            )
        return Finding(Level.OK, f"the mirror to {self.destination} is healthy ({state})")


class OneRecoveryPoint(BulkProbe[Client]):
    """Whether several volumes would come back as of nearly the same time: a VM with disks on both."""

    name: ClassVar[str] = "ontap.recovery_point.consistent"
    output_names: ClassVar[frozenset[str]] = frozenset({"recovery_points", "spread_seconds"})

    destinations: tuple[Destination, ...] = Argument(
        description="Destinations of the mirrors to compare, each svm:volume."
    )
    max_skew: Duration = Argument(description="How far their recovery points may be apart.")

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised | None:
        """Ask it as it is: it looks at the mirrors alone."""
        return None

    def needs_objects(self) -> frozenset[ObjectRef]:
        """Name the mirrors."""
        return frozenset(ObjectRef("mirror", destination) for destination in self.destinations)

    @classmethod
    def observe_many(cls, probes: Sequence[Self], client: Client) -> list[Observation | ProviderError]:
        """Read when each exported snapshot was made."""
        every = sorted({destination for probe in probes for destination in probe.destinations})
        states = dict(zip(every, read_mirrors(client, every), strict=True))
        return [
            probe.compare({one: states[one].recovery_point for one in probe.destinations}) for probe in probes
        ]

    def compare(self, found: Mapping[str, datetime | None]) -> Observation:
        """Return what was seen of each mirror, and how far apart they are."""
        points = {destination: point.isoformat() if point else None for destination, point in found.items()}
        known = [point for point in found.values() if point]
        spread = (max(known) - min(known)).total_seconds() if known else None
        return Observation({"recovery_points": dict(points), "spread_seconds": spread})

    def judge(self, seen: Observation) -> Finding:
        """Compare the spread."""
        points = seen.values.get("recovery_points")
        shown = dict(points) if isinstance(points, dict) else {}
        details = tuple(f"{destination}: {point or 'unknown'}" for destination, point in shown.items())
        unknown = [destination for destination in self.destinations if not shown.get(destination)]
        if unknown:
            return Finding(
                Level.BLOCKER,
                f"the recovery point of {', '.join(unknown)} is not known",
                details,
                "Is there a mirror, and was it ever updated?",
            )
        times = [datetime.fromisoformat(str(point)) for point in shown.values()]
        spread = (max(times) - min(times)).total_seconds()
        figures = f"recovery points lie {format_duration(spread)} apart, allowed are {format_duration(self.max_skew)}"
        if spread > self.max_skew:
            hint = "Mirror these volumes as one consistency group, or accept the skew knowingly."
            return Finding(Level.BLOCKER, figures, details, hint)
        return Finding(Level.OK, figures, details)


def _mirror_values(state: MirrorState) -> dict[str, JsonValue]:
    mirror = state.mirror
    if mirror is None:
        return {"state": None}
    return {
        "state": mirror.state,
        "healthy": mirror.healthy,
        "reasons": list(mirror.reasons),
        "lag_seconds": mirror.lag,
        "transfer": mirror.transfer,
        "exported_snapshot": mirror.exported,
        "recovery_point": state.recovery_point.isoformat() if state.recovery_point else None,
    }


def _number(value: JsonValue) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _offset(skew: float) -> str:
    return f"{format_duration(abs(skew))} {'ahead of' if skew > 0 else 'behind'}"
