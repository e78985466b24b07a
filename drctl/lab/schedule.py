"""What happens by itself: transfers on schedule, and the storage faults that need no call to strike."""

from __future__ import annotations

from collections.abc import Callable

from drctl.lab import transfers
from drctl.lab.faults import Fault
from drctl.lab.model import Aggregate, Cluster, Mirror
from drctl.lab.world import World

_NEVER = 600.0
"""Real seconds between looks at a relationship without a schedule."""


def start_schedules(world: World) -> None:
    """Transfers from now on run by schedule, in real time from the last one; faults strike storage."""
    armed: set[str] = set()

    def arm_new() -> None:
        for cluster in world.estate.clusters.values():
            for uuid in cluster.mirrors.keys() - armed:
                armed.add(uuid)
                _arm(world, cluster, cluster.mirrors[uuid])

    with world.lock:
        arm_new()
        world.on_touch.append(arm_new)
    world.on_fault.append(_Strikes(world).changed)


def _arm(world: World, cluster: Cluster, mirror: Mirror) -> None:
    last = mirror.transfers[-1].started if mirror.transfers else world.now()
    every = mirror.schedule or _NEVER
    due = max(1.0, every - (world.now() - last).total_seconds())
    _again(world, cluster, mirror, due)


def _again(world: World, cluster: Cluster, mirror: Mirror, seconds: float) -> None:
    def due() -> None:
        if mirror.uuid not in cluster.mirrors:
            return
        ready = mirror.state == "snapmirrored" and not mirror.quiescing and transfers.active(mirror) is None
        if mirror.schedule and ready and world.site(cluster.site).alive:
            transfers.begin(world, mirror, "update")
        _again(world, cluster, mirror, float(mirror.schedule or _NEVER))

    world.after(seconds, due, real=True)


class _Strikes:
    """Faults ``transfer-busy`` and ``aggregate-full``: in force from the moment they are added."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._filled: list[tuple[Fault, Aggregate, int]] = []
        self._handlers: dict[str, Callable[[Fault, bool], None]] = {
            "transfer-busy": self._busy,
            "aggregate-full": self._full,
        }

    def changed(self, fault: Fault, active: bool) -> None:  # noqa: FBT001 - a callback
        """Strike, or stop striking."""
        handler = self._handlers.get(fault.name)
        if handler:
            handler(fault, active)

    def _busy(self, fault: Fault, active: bool) -> None:  # noqa: FBT001 - a callback
        """A transfer runs that does not end until it is aborted or the fault lifted."""
        for cluster in self._world.estate.clusters.values():
            for mirror in cluster.mirrors.values():
                running = transfers.active(mirror)
                if not fault.hits(mirror.destination):
                    continue
                if active and running is None and mirror.state == "snapmirrored":
                    transfers.begin(self._world, mirror, "update", hangs=True)
                elif running is not None:
                    running.hangs = active

    def _full(self, fault: Fault, active: bool) -> None:  # noqa: FBT001 - a callback
        if active:
            for cluster in self._world.estate.clusters.values():
                for aggregate in cluster.aggregates.values():
                    if fault.hits(aggregate.name) or fault.hits(cluster.endpoint):
                        self._filled.append((fault, aggregate, aggregate.used))
                        aggregate.used = aggregate.size
        else:
            for _, aggregate, used in (entry for entry in self._filled if entry[0] == fault):
                aggregate.used = used
            self._filled = [entry for entry in self._filled if entry[0] != fault]
