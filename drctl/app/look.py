"""Looking at runs from outside: their journals are read, nobody is asked and nothing is written."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from drctl.app.context import Context
from drctl.console.board import Board, Life
from drctl.core.clock import Clock
from drctl.core.events import Recorded, RunFinished
from drctl.core.problem import DrctlError, Problem
from drctl.engine.chain import Head, Scan, scan, scan_bytes
from drctl.engine.home import RunDirectory, is_alive

INTERVAL = 0.25
"""Seconds between two looks at a journal that somebody else writes."""

LIFE_INTERVAL = 5.0
"""Seconds between two looks at whether an engine is alive."""


@dataclass(frozen=True)
class Sight:
    """A run as its files show it now."""

    directory: RunDirectory
    scan: Scan
    life: Life

    @property
    def board(self) -> Board:
        """Return the run, folded and ready to be shown."""
        board = Board()
        board.hear(self.scan.records)
        return board


def look(context: Context, reference: str) -> Sight:
    """Read a run; raise ``DrctlError`` when there is none of that name or its journal is broken."""
    return _see(context, context.home.find(reference))


def look_at_all(context: Context) -> Iterator[tuple[RunDirectory, Sight | Problem]]:
    """Yield every run, newest first; a run whose journal is broken comes with its problem."""
    for directory in reversed(context.home.all()):
        try:
            yield directory, _see(context, directory)
        except DrctlError as error:
            yield directory, error.problems[0]


def _see(context: Context, directory: RunDirectory) -> Sight:
    return Sight(directory, scan(directory.journal), life_of(directory, context.clock))


def life_of(directory: RunDirectory, clock: Clock) -> Life:
    """Say whether an engine of this host is at a run, and how long ago it gave a sign of life."""
    try:
        touched = (directory.path / "engine.lock").stat().st_mtime
    except FileNotFoundError:
        return Life(alive=False)
    return Life(is_alive(directory), max(0.0, clock.now().timestamp() - touched))


class Tail:
    """Reads what was appended to a journal since the last look; a line being written is left for the next."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._head = Head()

    def read(self) -> tuple[Recorded, ...]:
        """Return the new records; raise ``DrctlError`` where the chain is broken."""
        if self._path.stat().st_size <= self._head.size:
            return ()
        with self._path.open("rb") as file:
            file.seek(self._head.size)
            found = scan_bytes(file.read(), self._path, self._head)
        self._head = found.head
        return found.records


def follow(
    context: Context, directory: RunDirectory, left: threading.Event
) -> Iterator[tuple[Recorded, ...]]:
    """Yield what a journal holds and then what is appended, until the run has ended or ``left`` is set."""
    tail = Tail(directory.journal)
    while True:
        records = tail.read()
        if records:
            yield records
        if any(isinstance(record.event, RunFinished) for record in records):
            return
        if context.clock.sleep(INTERVAL, left):
            return


class Pulse:
    """Whether an engine is at a run, looked up now and then rather than at every redraw."""

    def __init__(self, context: Context, directory: RunDirectory) -> None:
        self._clock = context.clock
        self._directory = directory
        self._looked = self._clock.monotonic()
        self._life = life_of(directory, self._clock)

    def feel(self) -> Life:
        """Return what is known, at most ``LIFE_INTERVAL`` seconds old."""
        now = self._clock.monotonic()
        if now - self._looked >= LIFE_INTERVAL:
            self._looked, self._life = now, life_of(self._directory, self._clock)
        return self._life
