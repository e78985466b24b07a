"""Questions about copies: which points a volume can go back to, and whether a bubble left anything behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field as Argument
from pydantic import JsonValue

from drctl.core.action import NotExercised, ObjectRef, Recipe
from drctl.core.bubble import Bubble
from drctl.core.duration import format_duration
from drctl.core.probe import Finding, Level, Observation, Probe
from drctl.providers.ontap.client import Client
from drctl.providers.ontap.copies import OWNED, Copy
from drctl.providers.ontap.in_place import Held, is_locked, read_held
from drctl.providers.ontap.mirrors import read_mirror
from drctl.providers.ontap.model import ExportPolicy, Volume, split_path
from drctl.providers.ontap.probes import impossible
from drctl.providers.ontap.relation import size
from drctl.providers.ontap.snapmirror import Destination


class RecoveryPoints(Probe[Client]):
    """Which snapshots a volume holds, newest first: what a failover or drill can be served from.

    ``exported`` marks the one a break would give; ages in seconds, by the array's clock; ``bytes`` is
    what the snapshot alone holds. ``locked_until`` is None for one that may be deleted: a volume cannot be
    rolled back in place past one that may not.
    """

    name: ClassVar[str] = "ontap.recovery_points"
    output_names: ClassVar[frozenset[str]] = frozenset({"exists", "points"})

    destination: Destination = Argument(description="The volume, svm:volume; usually a mirror's destination.")

    def needs_objects(self) -> frozenset[ObjectRef]:
        """Name the volume."""
        return frozenset({ObjectRef("volume", self.destination)})

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised | None:
        """Ask it as it is: it looks at the volume alone."""
        return None

    def observe(self, client: Client) -> Observation:
        """Read the volume's snapshots and the mirror's exported one."""
        svm, name = split_path(self.destination)
        volume = next(iter(client.fetch(Volume, svm__name=svm, name=name)), None)
        if volume is None:
            return Observation({"exists": False, "points": []})
        mirror = read_mirror(client, self.destination)
        exported = mirror.exported if mirror and volume.type == "dp" else None
        points = read_held(client, volume.uuid)
        now = client.clock.now().timestamp() + (client.skew() or 0.0)
        shown: list[JsonValue] = [_shown(point, exported, now) for point in reversed(points)]
        return Observation({"exists": True, "points": shown})

    def judge(self, seen: Observation) -> Finding:
        """One line per point."""
        if not seen.values.get("exists"):
            return impossible(f"volume {self.destination} does not exist", hint="Look at `volume show`.")
        points = seen.values.get("points")
        listed = [point for point in points if isinstance(point, dict)] if isinstance(points, list) else []
        if not listed:
            return Finding(Level.BLOCKER, f"{self.destination} has no snapshot to go back to")
        ages = [float(str(point["age_seconds"])) for point in listed]
        details = tuple(
            f"{point['name']}: {point['created']}, {format_duration(age)} old, {size(float(str(point['bytes'])))}"
            + (f", locked until {point['locked_until']}" if point.get("locked_until") else "")
            for point, age in zip(listed, ages, strict=True)
        )
        summary = (
            f"{self.destination} has {len(listed)} recovery points, the newest {format_duration(ages[0])} old"
        )
        return Finding(Level.OK, summary, details)


def _shown(point: Held, exported: str | None, now: float) -> dict[str, JsonValue]:
    return {
        "name": point.name,
        "created": point.created.isoformat(),
        "age_seconds": max(0.0, round(now - point.created.timestamp())),
        "bytes": point.size,
        "label": point.label,
        "exported": point.name == exported,
        "locked_until": point.locked.isoformat() if is_locked(point, now) and point.locked else None,
    }


class BubbleEmpty(Probe[Client]):
    """Whether nothing of a drill is left on some SVMs: clones, junctions, policies, queued volumes.

    ``suffix`` ends the names of what drills make (``-drill`` counts as ``_drill``, as arrays write it),
    ``junction_prefix`` begins their junctions, ``owner`` their comments. ``volumes`` are names the drill
    journaled, looked for whatever they are called; ``known`` is what was there before, as an earlier look
    listed it, and is nobody's leftover.
    """

    name: ClassVar[str] = "ontap.bubble.empty"
    output_names: ClassVar[frozenset[str]] = frozenset(
        {"clones", "junctions", "policies", "queued", "queue_seen"}
    )

    svms: tuple[str, ...] = Argument(description="SVMs to look through.")
    suffix: str = Argument(description="How names of what drills make end, e.g. `-drill`.")
    junction_prefix: str = Argument(description="How junctions of what drills make begin, e.g. `/drill_`.")
    owner: str = Argument(OWNED, description="How comments of what drills make begin.")
    volumes: tuple[str, ...] = Argument(
        (), description="Names that the drill journaled, looked for whatever their ending."
    )
    known: tuple[str, ...] = Argument(
        (), description="What was there before, as an earlier look listed it; nobody's leftover."
    )

    @property
    def mark(self) -> str:
        """The suffix as arrays allow it in names."""
        return "".join(c if c.isalnum() or c == "_" else "_" for c in self.suffix)

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised | None:
        """Ask it as it is: it looks for the bubble's own objects."""
        return None

    def observe(self, client: Client) -> Observation:
        """Read volumes, policies and the recovery queue of the SVMs."""
        svms = "|".join(sorted(set(self.svms)))
        copies = client.fetch(Copy, svm__name=svms)
        policies = client.fetch(ExportPolicy, svm__name=svms)
        queue = client.queued(self.svms)
        waiting = [f"{svm}:{name}" for svm, names in (queue or {}).items() for name in names]
        clones: list[JsonValue] = [copy.path for copy in copies if self._is_left(copy)]
        junctions: list[JsonValue] = [
            f"{copy.svm}:{copy.junction}"
            for copy in copies
            if copy.junction and copy.junction.startswith(self.junction_prefix)
        ]
        left: list[JsonValue] = [f"{p.svm}:{p.name}" for p in policies if p.name.endswith(self.mark)]
        queued: list[JsonValue] = [path for path in waiting if self._was_ours(path)]
        return Observation(
            {
                "clones": clones,
                "junctions": junctions,
                "policies": left,
                "queued": queued,
                "queue_seen": queue is not None,
            }
        )

    def _is_left(self, copy: Copy) -> bool:
        marked = copy.is_clone and copy.comment.startswith(self.owner)
        return marked or copy.name.endswith(self.mark) or copy.name in self.volumes

    def _was_ours(self, path: str) -> bool:
        """Queued volumes wait under their name and a number."""
        name = path.partition(":")[2]
        former = name.rpartition("_")[0] if name.rpartition("_")[2].isdigit() else name
        return former.endswith(self.mark) or former in self.volumes

    def judge(self, seen: Observation) -> Finding:
        """Anything left blocks; a queue that cannot be seen is said."""
        details = tuple(self._details(seen))
        where = ", ".join(self.svms)
        if details:
            hint = "drctl cleanup takes away what a drill made."
            return Finding(
                Level.BLOCKER, f"{len(details)} objects of drills are left on {where}", details, hint
            )
        if not seen.values.get("queue_seen"):
            summary = f"nothing of a drill is left on {where}; the recovery queue cannot be seen"
            return Finding(Level.WARNING, summary, hint="Look at `volume recovery-queue show`.")
        return Finding(Level.OK, f"nothing of a drill is left on {where}")

    def _details(self, seen: Observation) -> Iterator[str]:
        kinds = (
            ("clones", "clone"),
            ("junctions", "junction"),
            ("policies", "export policy"),
            ("queued", "in the recovery queue:"),
        )
        for name, words in kinds:
            found = seen.values.get(name)
            for item in found if isinstance(found, list) else ():
                if item not in self.known:
                    yield f"{words} {item}"
