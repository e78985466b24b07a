"""One read for all threads that ask for the same at the same time.

Sixteen steps that each need the names of all VMs would read them sixteen times over. Whoever asks
while such a read is under way waits for the next one and shares it, so every answer was read after
it was asked for: nothing is ever served from the past.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, wait
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Runs at most one read per key at a time; the others of that key share the next."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[Hashable, Future[T]] = {}
        self._next: dict[Hashable, Future[T]] = {}

    def get(self, key: Hashable, read: Callable[[], T]) -> T:
        """Return what ``read`` returns, read by this thread or another; raise what it raises."""
        with self._lock:
            turn = self._next.get(key)
            mine = turn is None
            if turn is None:
                turn = self._next[key] = Future()
            before = self._running.get(key)
        if mine:
            if before is not None:
                wait([before])
            self._run(key, turn, read)
        return turn.result()

    def _run(self, key: Hashable, turn: Future[T], read: Callable[[], T]) -> None:
        with self._lock:
            self._running[key] = self._next.pop(key)
        try:
            result = read()
        except BaseException as error:
            self._end(key)
            turn.set_exception(error)
            raise
        self._end(key)
        turn.set_result(result)

    def _end(self, key: Hashable) -> None:
        """Put the read away before anybody hears of its end: the next one begins at that word."""
        with self._lock:
            self._running.pop(key)
