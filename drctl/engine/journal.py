"""The journal of one run: durable before ``append`` returns, shared by many processes.

Every batch takes ``flock``, reads the lines other processes added, chains, writes, fsyncs, unlocks.
Worker threads share one fsync: their events queue for the one thread that writes.
"""

from __future__ import annotations

import fcntl
import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeAlias

from pydantic import JsonValue

from drctl.core.clock import Clock
from drctl.core.events import EventData, LockTaken, Recorded
from drctl.engine.chain import Head, digest, encode, scan_bytes

Redact: TypeAlias = Callable[[JsonValue], JsonValue]
"""Replaces every secret inside a JSON value."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event about to be written, and who says it."""

    event: EventData
    actor: str


class Fenced(Exception):  # noqa: N818 - an order to stop, not a fault
    """Another engine took this run over: nothing more may be written or done."""

    def __init__(self, taken: LockTaken) -> None:
        super().__init__(f"run taken over by {taken.owner} on {taken.host} (epoch {taken.epoch})")
        self.taken = taken


def unredacted(value: JsonValue) -> JsonValue:
    """Return the value as it is: for journals that can hold no secret."""
    return value


class JournalFile:
    """The file: synchronous, one batch at a time. ``torn`` is True when opening dropped a torn line."""

    def __init__(self, path: Path, clock: Clock, redact: Redact = unredacted) -> None:
        self._path = path
        self._clock = clock
        self._redact = redact
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.head = Head()
        self.torn = False
        self.epoch = 0

    def close(self) -> None:
        """Close the file; what was appended is already durable."""
        os.close(self._fd)

    def commit(self, entries: Sequence[Entry] = ()) -> list[Recorded]:
        """Append a batch durably; return every new record, those of other processes first.

        Raises:
            DrctlError: a line others wrote breaks the chain.
            Fenced: another engine took the run over since this one did; nothing was written.
        """
        with self._locked():
            news = self._catch_up()
            if not entries:
                return news
            fence = max((r.event for r in news if isinstance(r.event, LockTaken)), key=_epoch, default=None)
            if self.epoch and fence is not None and fence.epoch > self.epoch:
                raise Fenced(fence)
            return news + self._write(entries)

    def behind(self) -> bool:
        """Say whether other processes appended since the last commit; one system call."""
        return os.fstat(self._fd).st_size > self.head.size

    def _catch_up(self) -> list[Recorded]:
        content = os.pread(self._fd, os.fstat(self._fd).st_size - self.head.size, self.head.size)
        result = scan_bytes(content, self._path, self.head)
        if result.torn:
            os.ftruncate(self._fd, result.head.size)
            self.torn = True
        self.head = result.head
        return list(result.records)

    def _write(self, entries: Sequence[Entry]) -> list[Recorded]:
        lines: list[bytes] = []
        records: list[Recorded] = []
        head = self.head
        for entry in entries:
            at = self._clock.now()
            data = self._redact(entry.event.model_dump(mode="json"))
            raw = encode(head, at, entry.actor, entry.event.type, _mapping(data))
            records.append(Recorded(head.seq, at, entry.actor, type(entry.event).model_validate(data)))
            head = Head(head.seq + 1, digest(raw), head.size + len(raw) + 1)
            lines.append(raw + b"\n")
        self._persist(b"".join(lines))
        self.head = head
        return records

    def _persist(self, content: bytes) -> None:
        view = memoryview(content)
        while view:
            view = view[os.write(self._fd, view) :]
        os.fsync(self._fd)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)


@dataclass
class _Batch:
    entries: list[Entry] = field(default_factory=list)
    waiting: list[Future[None]] = field(default_factory=list)


class Journal:
    """The engine's journal: group commit over a ``JournalFile``; observers see every record in order.

    Observers are called on the writing thread, after the batch is durable; they must be quick.
    """

    def __init__(self, file: JournalFile, actor: str = "engine") -> None:
        self._file = file
        self._actor = actor
        self._queue: queue.SimpleQueue[tuple[tuple[Entry, ...], Future[None]] | None] = queue.SimpleQueue()
        self._observers: list[Callable[[Sequence[Recorded]], None]] = []
        self._thread = threading.Thread(target=self._write_batches, name="journal", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._queue.put(None)
        self._thread.join()
        self._file.close()

    @property
    def head(self) -> Head:
        """Return where the chain ended at the last commit."""
        return self._file.head

    def subscribe(self, observer: Callable[[Sequence[Recorded]], None]) -> None:
        """Call ``observer`` with each batch of new records."""
        self._observers.append(observer)

    def take(self, epoch: int) -> None:
        """From now on refuse to write once another engine has taken a later epoch."""
        self._file.epoch = epoch

    def append(self, *events: EventData, actor: str | None = None) -> None:
        """Return when the events are durable; raise ``Fenced`` after a takeover."""
        done: Future[None] = Future()
        self._queue.put((tuple(Entry(event, actor or self._actor) for event in events), done))
        done.result()

    def poll(self) -> None:
        """Bring in what other processes appended, if anything."""
        if self._file.behind():
            self.append()

    def _write_batches(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = _Batch(list(first[0]), [first[1]])
            stop = self._drain(batch)
            self._commit(batch)
            if stop:
                return

    def _drain(self, batch: _Batch) -> bool:
        while True:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return False
            if item is None:
                return True
            batch.entries.extend(item[0])
            batch.waiting.append(item[1])

    def _commit(self, batch: _Batch) -> None:
        try:
            records = self._file.commit(batch.entries)
        except BaseException as error:  # noqa: BLE001 - handed to every thread that waits for the batch
            for future in batch.waiting:
                future.set_exception(error)
            return
        for observer in self._observers:
            observer(records)
        for future in batch.waiting:
            future.set_result(None)


def _epoch(event: LockTaken) -> int:
    return event.epoch


def _mapping(value: JsonValue) -> Mapping[str, JsonValue]:
    assert isinstance(value, dict)  # noqa: S101 - model_dump of an event is a mapping
    return value
