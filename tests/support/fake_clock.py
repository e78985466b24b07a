"""A clock that only a test moves: nothing waits, and time passes exactly where somebody sleeps."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 31, 3, 0, tzinfo=UTC)
GRACE = 0.002
"""Real seconds a sleeper gives others to wake it before its time has passed."""


class FakeClock:
    """Implements ``core.clock.Clock``; ``sleeps`` holds every wait that ran to its end, in seconds.

    Threads of these names sleep until they are woken: time is not theirs to move.
    """

    def __init__(self, start: datetime = START, still: tuple[str, ...] = ("heartbeat", "incident")) -> None:
        self._start = start
        self._still = still
        self._passed = 0.0
        self._lock = threading.Lock()
        self.sleeps: list[float] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        return self._passed

    def sleep(self, seconds: float, wake: threading.Event | None = None) -> bool:
        if wake is not None and threading.current_thread().name in self._still:
            return wake.wait(60)
        if wake is not None and wake.wait(GRACE if threading.active_count() > 1 else 0):
            return True
        self.sleeps.append(seconds)
        self.advance(seconds)
        return False

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._passed += max(0.0, seconds)
