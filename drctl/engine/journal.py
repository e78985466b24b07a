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
from typing import Final, Self, TypeAlias

from pydantic import JsonValue, ValidationError

from drctl.core.action import Interrupted
from drctl.core.clock import Clock
from drctl.core.events import EventData, LockTaken, Recorded
from drctl.core.problem import DrctlError, ExitCode, Problem, Source
from drctl.engine.chain import Head, broken, digest, encode, scan_bytes

Redact: TypeAlias = Callable[[JsonValue], JsonValue]
"""Replaces every secret inside a JSON value."""

IDENTIFIERS: Final = frozenset({"step", "steps", "needs", "run", "mode"})
"""Fields a run is folded by. They come from the runbook, never from a target: they are not masked even
where a secret is an ordinary word, because a step recorded under another name would run again."""


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
        with _said(path):
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._fence: LockTaken | None = None
        self.head = Head()
        self.torn = False
        self.epoch = 0

    def close(self) -> None:
        """Close the file; what was appended is already durable."""
        os.close(self._fd)

    def commit(self, entries: Sequence[Entry] = ()) -> list[Recorded]:
        """Append a batch durably; return every new record, those of other processes first.

        Raises:
            DrctlError: a line others wrote breaks the chain, or the file cannot be written.
            Fenced: another engine took the run over since this one did; nothing was written.
        """
        with _said(self._path), self._locked():
            news = self._catch_up()
            if self._fence is not None and self.fenced:
                raise Fenced(self._fence)
            return news + self._write(entries) if entries else news

    @property
    def fenced(self) -> bool:
        """Say whether another engine took the run over since this one did."""
        return bool(self.epoch) and self._fence is not None and self._fence.epoch > self.epoch

    def behind(self) -> bool:
        """Say whether other processes appended since the last commit; one system call."""
        return os.fstat(self._fd).st_size > self.head.size

    def _catch_up(self) -> list[Recorded]:
        missing = self.head.size - os.fstat(self._fd).st_size
        if missing > 0:
            raise broken(
                Source(str(self._path), self.head.seq, 1), "is gone", f"{missing} bytes were cut off."
            )
        content = os.pread(self._fd, -missing, self.head.size)
        result = scan_bytes(content, self._path, self.head)
        if result.torn:
            os.ftruncate(self._fd, result.head.size)
            self.torn = True
        self.head = result.head
        for record in result.records:
            if isinstance(record.event, LockTaken):
                self._fence = record.event
        return list(result.records)

    def _write(self, entries: Sequence[Entry]) -> list[Recorded]:
        lines: list[bytes] = []
        records: list[Recorded] = []
        head = self.head
        for entry in entries:
            now = self._clock.now()
            at = now.replace(microsecond=now.microsecond // 1000 * 1000)  # as the file keeps it
            event, data = redacted(entry.event, self._redact)
            try:
                raw = encode(head, at, entry.actor, event.type, data)
            except UnicodeEncodeError:  # bytes that are no text: typed in another encoding, or from a target
                event, data = redacted(event, spellable)
                raw = encode(head, at, entry.actor, event.type, data)
            records.append(Recorded(head.seq, at, entry.actor, event))
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


def redacted(event: EventData, redact: Redact) -> tuple[EventData, Mapping[str, JsonValue]]:
    """Return an event without secrets, and its data; words the code itself wrote are kept."""
    plain = event.model_dump(mode="json")
    data = {name: value if name in IDENTIFIERS else redact(value) for name, value in plain.items()}
    try:
        return type(event).model_validate(data), data
    except ValidationError as error:  # a secret is spelled like a state, a kind or a time
        for item in error.errors():
            name, *inside = item["loc"]
            data[str(name)] = _restored(data[str(name)], plain[str(name)], inside)
        return type(event).model_validate(data), data


def spellable(value: JsonValue) -> JsonValue:
    """Return a JSON value whose texts can be written: what stands for no character becomes ``?``."""
    match value:
        case str():
            return value.encode(errors="replace").decode()
        case list():
            return [spellable(one) for one in value]
        case dict():
            return {key.encode(errors="replace").decode(): spellable(one) for key, one in value.items()}
        case _:
            return value


def _restored(data: JsonValue, plain: JsonValue, place: Sequence[str | int]) -> JsonValue:
    """Return ``data`` with what ``plain`` holds at a place."""
    if not place:
        return plain
    match data, plain, place[0]:
        case dict(), dict(), str() as key if key in plain:
            return {**data, key: _restored(data.get(key), plain[key], place[1:])}
        case list(), list(), int() as index:
            return [*data[:index], _restored(data[index], plain[index], place[1:]), *data[index + 1 :]]
        case _:
            return data


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """Turn what the operating system says about the file into a problem."""
    try:
        yield
    except OSError as error:
        problem = Problem(
            code="journal-unwritable",
            summary=f"{path}: {error.strerror or error}",
            detail="Nothing is done that cannot be journaled first.",
            hint="Make room or give access, then drctl resume: it reads reality before it goes on.",
        )
        raise DrctlError(problem, exit_code=ExitCode.FAILED) from error


@dataclass
class _Batch:
    entries: list[Entry] = field(default_factory=list)
    waiting: list[Future[None]] = field(default_factory=list)


CLOSED: Final = -1
"""The owner of a journal that takes no more events; no thread has this number."""


class Journal:
    """The engine's journal: group commit over a ``JournalFile``; observers see every record in order.

    Observers are called on the writing thread, after the batch is durable; they must be quick, and one
    that fails is not called again: what people see must not stop what is done.
    """

    def __init__(self, file: JournalFile, actor: str = "engine") -> None:
        self._file = file
        self._actor = actor
        self._queue: queue.SimpleQueue[tuple[tuple[Entry, ...], Future[None]] | None] = queue.SimpleQueue()
        self._observers: list[Callable[[Sequence[Recorded]], None]] = []
        self._gate = threading.Lock()
        self._owner: int | None = None
        self._thread = threading.Thread(target=self._write_batches, name="journal", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._gate:
            self._owner = CLOSED
            self._queue.put(None)
        self._thread.join()
        self._file.close()

    @property
    def head(self) -> Head:
        """Return where the chain ended at the last commit."""
        return self._file.head

    @property
    def fenced(self) -> bool:
        """Say whether this engine is no longer the run's owner."""
        return self._file.fenced

    def subscribe(self, observer: Callable[[Sequence[Recorded]], None]) -> None:
        """Call ``observer`` with each batch of new records."""
        self._observers.append(observer)

    def take(self, epoch: int) -> None:
        """From now on refuse to write once another engine has taken a later epoch."""
        self._file.epoch = epoch

    def seal(self) -> None:
        """From now on only this thread may append; what others appended before is in order before it."""
        with self._gate:
            self._owner = threading.get_ident()

    def append(self, *events: EventData, actor: str | None = None) -> None:
        """Return when the events are durable.

        Raises:
            Fenced: another engine took the run over.
            Interrupted: the journal was sealed by another thread, or closed.
            DrctlError: the file cannot be written, or is broken.
        """
        done: Future[None] = Future()
        entries = tuple(Entry(event, actor or self._actor) for event in events)
        with self._gate:
            if self._owner not in {None, threading.get_ident()}:
                raise Interrupted
            self._queue.put((entries, done))
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
        for observer in tuple(self._observers):
            try:
                observer(records)
            except Exception:  # noqa: BLE001 - whatever a display stumbles over, the run goes on without it
                self._observers.remove(observer)
        for future in batch.waiting:
            future.set_result(None)
