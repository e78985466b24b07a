"""A journal and its fold, kept together by the one thread that owns the run."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence

from drctl.core.events import EventData, Recorded
from drctl.core.run import Run
from drctl.engine.journal import Journal


class Ledger:
    """What the owner of a run writes to and decides from; ``wake`` is set when records came in.

    Records arrive on the journal's thread and are folded on the owner's, by ``fold``, ``append`` and
    ``poll``: the run's state never changes under a decision.
    """

    def __init__(self, journal: Journal, records: Sequence[Recorded]) -> None:
        self.journal = journal
        self.run = Run.of(records)
        self.records = list(records)
        self.wake = threading.Event()
        self._news: queue.SimpleQueue[Sequence[Recorded]] = queue.SimpleQueue()
        journal.subscribe(self._hear)

    def append(self, *events: EventData, actor: str | None = None) -> None:
        """Append durably, then fold; raise ``Fenced`` after a takeover."""
        self.journal.append(*events, actor=actor)
        self.fold()

    def poll(self) -> None:
        """Fold what other processes and other threads appended."""
        self.journal.poll()
        self.fold()

    def fold(self) -> None:
        """Fold every record that has come in."""
        while not self._news.empty():
            records = self._news.get()
            self.records.extend(records)
            for record in records:
                self.run.add(record)

    def _hear(self, records: Sequence[Recorded]) -> None:
        if records:
            self._news.put(records)
            self.wake.set()
