"""The truth of the lab: one estate, one lock, one clock for all that takes time.

Rules (``storage``, ``mirrors``, ``volumes``, ``nas``, ``compute``, ``names``, ``apps``) change the
estate under ``World.lock`` and call ``World.touch`` after each change; façades translate protocols.
Timestamps are wall-clock and never shifted. Durations are estate seconds, ``speed`` of them to one
real second; ``advance`` skips waiting, not the date.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Condition, Event, RLock, Thread, local
from typing import TYPE_CHECKING, Final

from drctl.lab.faults import Fault, Faults
from drctl.lab.model import Estate, Mutation, Site

if TYPE_CHECKING:
    from drctl.lab.writes import Writes

EVERYWHERE: Final = "*"
"""In ``Site.partitioned_from``: cut off from every other site and from whoever drives the lab."""


@dataclass(order=True)
class Timer:
    """A callback due at an instant of its clock; ``cancel`` makes it do nothing."""

    due: float
    order: int
    real: bool = field(compare=False)
    callback: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        """Let the callback never run."""
        self.cancelled = True


class World:
    """Owns the estate; hold ``lock`` while reading or changing it."""

    def __init__(self, estate: Estate, speed: float = 60.0) -> None:
        self.estate = estate
        self.speed = speed
        self.lock = RLock()
        self.changed = Condition(self.lock)
        self.faults = Faults(self.lock, self._fault_changed)
        self.on_touch: list[Callable[[], None]] = []
        """Called under the lock after every change, before waiters wake; must not block."""
        self.on_fault: list[Callable[[Fault, bool], None]] = []
        """Called under the lock with each fault put in force (True) or lifted (False)."""
        self.writes: Writes | None = None
        """Keeps the age of the data on volumes true, once the estate is furnished."""
        self._recorded = local()
        self._timers: tuple[list[Timer], list[Timer]] = ([], [])  # estate clock, real clock
        self._order = itertools.count()
        self._start = time.monotonic()
        self._skipped = 0.0
        self._stopped = Event()
        self._thread = Thread(target=self._run_timers, name="lab-clock", daemon=True)
        self._thread.start()

    # --- time ---------------------------------------------------------------------------------

    def now(self) -> datetime:
        """Wall-clock time, aware, UTC."""
        return datetime.now(UTC)

    def _clock(self, *, real: bool) -> float:
        return (time.monotonic() - self._start) * (1.0 if real else self.speed) + self._skipped

    def after(self, seconds: float, callback: Callable[[], None], *, real: bool = False) -> Timer:
        """Run ``callback`` under the lock after estate seconds (real seconds with ``real``)."""
        with self.lock:
            timer = Timer(self._clock(real=real) + max(0.0, seconds), next(self._order), real, callback)
            heapq.heappush(self._timers[real], timer)
            self.changed.notify_all()
            return timer

    def real_seconds(self, seconds: float) -> float:
        """How long estate seconds last on the wall clock of this lab."""
        return seconds / self.speed

    def advance(self, seconds: float) -> None:
        """Skip so many seconds of waiting on both clocks; callbacks run here, in order, chained ones too."""
        with self.lock:
            left = seconds
            while True:
                timer, wait = self._earliest()
                if timer is None or wait > left:
                    break
                self._skipped += wait
                left -= wait
                self._fire(timer)
            self._skipped += left
            self.touch()

    def _earliest(self) -> tuple[Timer | None, float]:
        """The timer that is due first and how far (in seconds of its own clock) it is away."""
        best: tuple[Timer | None, float] = (None, 0.0)
        for real, heap in enumerate(self._timers):
            while heap and heap[0].cancelled:
                heapq.heappop(heap)
            if heap:
                wait = max(0.0, heap[0].due - self._clock(real=bool(real)))
                if best[0] is None or wait < best[1]:
                    best = (heap[0], wait)
        return best

    def _fire(self, timer: Timer) -> None:
        heapq.heappop(self._timers[timer.real])
        if not timer.cancelled:
            timer.callback()
            self.touch()

    def _run_timers(self) -> None:
        with self.lock:
            while not self._stopped.is_set():
                delay: float | None = None
                for real, heap in enumerate(self._timers):
                    while heap and (heap[0].cancelled or heap[0].due <= self._clock(real=bool(real))):
                        self._fire(heap[0])
                        if self._stopped.is_set():
                            return
                    if heap:
                        away = (heap[0].due - self._clock(real=bool(real))) / (1.0 if real else self.speed)
                        delay = away if delay is None else min(delay, away)
                self.changed.wait(delay)

    # --- changes ------------------------------------------------------------------------------

    def touch(self) -> None:
        """Say that the estate changed: dependants settle, waiters look again."""
        with self.lock:
            for settle in self.on_touch:
                settle()
            self.changed.notify_all()

    def wait(self, predicate: Callable[[], bool], timeout: float = 30.0) -> bool:
        """Wait up to so many real seconds until ``predicate`` (evaluated under the lock) holds."""
        with self.lock:
            return self.changed.wait_for(predicate, timeout)

    def record(self, site: str, facade: str, call: str, target: str) -> None:
        """Note a call that a façade recognised as changing, before it is carried out."""
        with self.lock:
            self.estate.mutations.append(Mutation(self.now(), site, facade, call, target))
            self._recorded.count = self.recorded_here() + 1

    def recorded_here(self) -> int:
        """How many mutating calls the calling thread has recorded; the net loses only their replies."""
        count: int = getattr(self._recorded, "count", 0)
        return count

    def connected(self, site: str) -> None:
        """Count a connection attempt, successful or not, to an address of a site."""
        with self.lock:
            self.estate.connections[site] = self.estate.connections.get(site, 0) + 1

    def stop(self) -> None:
        """End the clock; no callback runs afterwards."""
        with self.lock:
            self._stopped.set()
            self.changed.notify_all()
        self._thread.join()

    # --- sites --------------------------------------------------------------------------------

    def site(self, name: str) -> Site:
        """The site of that name."""
        return self.estate.sites[name]

    def answers_outside(self, site: str) -> bool:
        """Whether packets from whoever drives the lab reach a site."""
        found = self.site(site)
        return found.alive and EVERYWHERE not in found.partitioned_from

    def linked(self, one: str, other: str) -> bool:
        """Whether two sites reach each other; a living site always reaches itself."""
        a, b = self.site(one), self.site(other)
        if not (a.alive and b.alive):
            return False
        cut = {EVERYWHERE, one, other}
        return one == other or not (cut & a.partitioned_from or cut & b.partitioned_from)

    def _fault_changed(self, fault: Fault, active: bool) -> None:  # noqa: FBT001 - a callback
        for told in self.on_fault:
            told(fault, active)
        self.touch()
