"""JSON as ONTAP writes it: nested records, dotted names into them, times and durations.

Names such as ``nas.export_policy.name`` reach through objects and through every item of a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import TypeAlias

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
Record: TypeAlias = dict[str, Json]

_DURATION = re.compile(
    r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?"
)
_SECONDS = (365 * 86400, 30 * 86400, 7 * 86400, 86400, 3600, 60, 1)


def format_duration(seconds: float) -> str:
    """Return an ISO 8601 duration of whole seconds, e.g. ``PT8H35M42S``, ``P2DT3S``, ``PT0S``."""
    days, rest = divmod(max(0, round(seconds)), 86400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    clock = "".join(f"{n}{unit}" for n, unit in ((hours, "H"), (minutes, "M"), (rest, "S")) if n)
    date = f"{days}D" if days else ""
    return f"P{date}T{clock}" if clock else (f"P{date}" if date else "PT0S")


def parse_duration(text: str) -> float | None:
    """Return the seconds of an ISO 8601 duration, None for anything else."""
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        return None
    return sum(float(n) * unit for n, unit in zip(match.groups(), _SECONDS, strict=True) if n)


def format_time(at: datetime) -> str:
    """Return a time with offset and whole seconds, as recorded arrays send it."""
    return at.isoformat(timespec="seconds")


def parse_time(text: str) -> float | None:
    """Return the epoch seconds of an ISO 8601 time with date, None for anything else."""
    if len(text) < len("2024-01-01"):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.timestamp()


def values(record: Json, name: str) -> Iterator[Json]:
    """Yield every value that a dotted name reaches; nothing where the record has no such field."""
    if not name:
        yield record
        return
    if isinstance(record, list):
        for item in record:
            yield from values(item, name)
        return
    if isinstance(record, dict):
        head, _, tail = name.partition(".")
        if head in record:
            yield from values(record[head], tail)


def value(record: Json, name: str) -> Json:
    """Return the first value a dotted name reaches, None when there is none."""
    return next(values(record, name), None)


def text(record: Json, name: str) -> str:
    """Return the value of a dotted name as text, empty when absent."""
    found = value(record, name)
    return "" if found is None else str(found)


def put(record: Record, name: str, new: Json) -> None:
    """Set a dotted name, making the objects on the way."""
    *path, last = name.split(".")
    for part in path:
        inner = record.setdefault(part, {})
        if not isinstance(inner, dict):
            inner = record[part] = {}
        record = inner
    record[last] = new


def nest(record: Record) -> Record:
    """Return a body with dotted keys turned into objects, merged with those given as objects."""
    out: Record = {}
    for name, given in record.items():
        inner = nest(given) if isinstance(given, dict) else given
        if isinstance(inner, list):
            inner = [nest(item) if isinstance(item, dict) else item for item in inner]
        before = value(out, name)
        put(out, name, merge(before, inner) if isinstance(before, dict) else inner)
    return out


def merge(one: Record, other: Json) -> Json:
    """Return two objects as one; the other wins where both have a field."""
    if not isinstance(other, dict):
        return other
    out = dict(one)
    for name, new in other.items():
        before = out.get(name)
        out[name] = merge(before, new) if isinstance(before, dict) else new
    return out


def leaves(record: Record, prefix: str = "") -> Iterator[tuple[str, Json]]:
    """Yield (dotted name, value) of every field that is not an object itself."""
    for name, inner in record.items():
        if isinstance(inner, dict) and inner:
            yield from leaves(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", inner


def as_bool(given: Json) -> bool | None:
    """Return a boolean that may have come as a string (``"true"``, ``True``); None when it is none."""
    if isinstance(given, bool):
        return given
    if isinstance(given, str) and given.lower() in {"true", "false"}:
        return given.lower() == "true"
    return None
