"""The journal's bytes: one JSON line per event, each holding the SHA-256 of the line before it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue, ValidationError

from drctl.core.events import VERSION, Line, Recorded, read_event
from drctl.core.problem import DrctlError, ExitCode, Problem, Source

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ends: the number of lines, the last line's hash, the bytes they take."""

    seq: int = 0
    digest: str = GENESIS
    size: int = 0


@dataclass(frozen=True, slots=True)
class Scan:
    """A journal read from its start. ``torn`` is the number of bytes after the last newline.

    ``records`` holds the events this version knows; ``head`` counts every line. ``broken`` says why reading
    ended before the end.
    """

    records: tuple[Recorded, ...]
    head: Head
    torn: int
    broken: DrctlError | None = None


def digest(line: bytes) -> str:
    """Return the hash by which the next line names this one."""
    return hashlib.sha256(line).hexdigest()


def encode(head: Head, at: datetime, actor: str, kind: str, data: Mapping[str, JsonValue]) -> bytes:
    """Return the line after ``head``, without its newline; ``at`` is written in UTC with milliseconds."""
    stamp = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    line = {"seq": head.seq, "at": stamp, "actor": actor, "type": kind, "v": VERSION}
    line |= {"data": data, "prev": head.digest}
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode()


def decode(raw: bytes, head: Head, place: Source) -> tuple[Recorded | None, Head]:
    """Check one line against the chain; return its event and the new head.

    Raises:
        DrctlError: the line is no journal line, is out of order, or does not continue the chain.
    """
    try:
        line = Line.model_validate_json(raw)
        event = read_event(line)
    except ValidationError as error:
        first = error.errors()[0]
        raise broken(place, "is not a journal line", f"{first['loc']}: {first['msg']}") from error
    if line.seq != head.seq:
        raise broken(
            place, f"has number {line.seq} where {head.seq} is due", "Lines are missing or reordered."
        )
    if line.prev != head.digest:
        raise broken(place, "does not continue the chain", "A line before it was changed, removed or added.")
    record = None if event is None else Recorded(line.seq, line.at, line.actor, event)
    return record, Head(head.seq + 1, digest(raw), head.size + len(raw) + 1)


def scan_bytes(content: bytes, path: Path, start: Head = Head()) -> Scan:
    """Read the lines that follow ``start``; a last line without newline is torn, not broken.

    Raises:
        DrctlError: a line is broken; its number is named.
    """
    return _whole(_read_on(content, path, start))


def scan(path: Path) -> Scan:
    """Read and check a whole journal; raise ``DrctlError`` where it is broken or cannot be read."""
    return _whole(scan_readable(path))


def scan_readable(path: Path) -> Scan:
    """Read a journal up to its first broken line; raise ``DrctlError`` when it cannot be read at all."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        problem = Problem(code="no-journal", summary=f"there is no journal at {path}", hint="drctl runs")
        raise DrctlError(problem) from error
    except OSError as error:
        raise DrctlError(Problem(code="no-journal", summary=f"{path}: {error.strerror or error}")) from error
    return _read_on(content, path, Head())


def _whole(found: Scan) -> Scan:
    if found.broken is not None:
        raise found.broken
    return found


def _read_on(content: bytes, path: Path, head: Head) -> Scan:
    records: list[Recorded] = []
    for raw, complete in _split(content):
        if not complete:
            return Scan(tuple(records), head, len(raw))
        try:
            record, head = decode(raw, head, Source(str(path), head.seq + 1, 1))
        except DrctlError as error:
            return Scan(tuple(records), head, 0, error)
        if record is not None:
            records.append(record)
    return Scan(tuple(records), head, 0)


def _split(content: bytes) -> Iterator[tuple[bytes, bool]]:
    *lines, last = content.split(b"\n")
    for line in lines:
        yield line, True
    if last:
        yield last, False


def broken(place: Source, what: str, why: str) -> DrctlError:
    """Return the error of a journal that is not as it was written, placed at a line."""
    problem = Problem(
        code="journal-broken",
        summary=f"line {place.line} {what}",
        detail=why,
        hint="The journal was altered after it was written: keep the file as it is and compare it with a copy.",
        where=place,
    )
    return DrctlError(problem, exit_code=ExitCode.FAILED)
