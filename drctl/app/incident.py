"""Keeps ``incident.md`` a projection of the journal: at most a second behind, exact at every stop."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from drctl.core import events as ev
from drctl.core.clock import Clock
from drctl.core.events import Recorded
from drctl.engine.journal import Journal
from drctl.report.incident import render_incident

INTERVAL = 1.0
"""Seconds the file may be behind while a run goes on."""

EXACT = (ev.RunPaused, ev.RunFinished, ev.GateOpened, ev.ManualOpened, ev.DriftFound)
"""Events at which somebody will read: the file is written before the run goes on."""


class IncidentLog:
    """An observer of the journal that rewrites one Markdown file, atomically.

    A file that cannot be written is tried again with the next events: the journal alone must be on
    disk. After a takeover it is the new owner's.
    """

    def __init__(self, path: Path, journal: Journal, records: Sequence[Recorded], clock: Clock) -> None:
        self._path = path
        self._journal = journal
        self._records = list(records)
        self._clock = clock
        self._lock = threading.Lock()
        self._dirty = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._keep_up, name="incident", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._dirty.set()
        self._thread.join()
        self.write()

    def hear(self, records: Sequence[Recorded]) -> None:
        """Take new records in; write at once where somebody will read."""
        with self._lock:
            self._records.extend(records)
        if any(isinstance(record.event, EXACT) for record in records):
            self.write()
        elif records:
            self._dirty.set()

    def write(self) -> None:
        """Write the file and put it in place of the old one."""
        if self._journal.fenced:
            return
        with self._lock, suppress(OSError):
            write_incident(self._path, self._records, self._journal.head.digest)

    def _keep_up(self) -> None:
        while not self._closed.is_set():
            self._dirty.wait()
            self._dirty.clear()
            began = self._clock.monotonic()
            self.write()
            spent = self._clock.monotonic() - began
            self._clock.sleep(max(INTERVAL - spent, 4 * spent), self._closed)


def write_incident(path: Path, records: Sequence[Recorded], head: str) -> None:
    """Render and replace the file in one step, so that a reader never sees half of it."""
    draft = path.with_suffix(".md.new")
    draft.write_text(render_incident(records, head), encoding="utf-8")
    draft.replace(path)
