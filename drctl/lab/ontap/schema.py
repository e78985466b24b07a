"""Which fields a resource has: legal names, keys, what a list shows unasked, what is expensive.

Names are those of NetApp's published client (netapp-ontap) up to ONTAP 9.16.1. A name without
parentheses is open: whatever lies below it is legal, so ``encryption`` admits ``encryption.enabled``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from drctl.lab.ontap.errors import unexpected_argument
from drctl.lab.ontap.records import Record, values

_TOKEN = re.compile(r"[^\s()]+|[()]")


def parse_names(notation: str) -> frozenset[str]:
    """Read ``uuid nas(path export_policy(name id))`` into dotted names of its leaves."""
    names: set[str] = set()
    path: list[str] = []
    last = ""
    for token in _TOKEN.findall(notation):
        if token == "(":
            names.discard(".".join([*path, last]))
            path.append(last)
        elif token == ")":
            path.pop()
        else:
            last = token
            names.add(".".join([*path, last]))
    return frozenset(names)


@dataclass(frozen=True)
class Schema:
    """The fields of one resource.

    ``keys`` identify a record inside its collection, ``brief`` are the fields a list shows when none
    are asked for, ``expensive`` those that ``*`` leaves out.
    """

    notation: str
    keys: tuple[str, ...] = ("uuid",)
    brief: tuple[str, ...] = ("uuid", "name")
    expensive: tuple[str, ...] = ()
    names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", parse_names(self.notation))

    def knows(self, name: str) -> bool:
        """Whether ``name`` is a field, an object around fields, or lies below an open field."""
        if name == "_links" or name.startswith("_links."):
            return True
        parts = name.split(".")
        above = {".".join(parts[: n + 1]) for n in range(len(parts))}
        return bool(above & self.names) or any(known.startswith(name + ".") for known in self.names)

    def check(self, names: Iterable[str]) -> None:
        """Raise ``RestError`` 262179 for the first name that is no field."""
        for name in names:
            if not self.knows(name):
                raise unexpected_argument(name)

    def project(self, record: Record, fields: tuple[str, ...], *, single: bool = False) -> Record:
        """Return the part of a full record that ``fields`` ask for; keys always come along."""
        if "**" in fields:
            return dict(record)
        if "*" in fields or (single and not fields):
            kept = dict(record)
            for name in self.expensive:
                _drop(kept, name)
            for name in fields:
                _copy(record, name, kept)
            return kept
        out: Record = {}
        for name in (*self.keys, *(fields or self.brief), "_links"):
            _copy(record, name, out)
        return out


def _copy(record: Record, name: str, out: Record) -> None:
    head, _, tail = name.partition(".")
    if head not in record:
        return
    inner = record[head]
    if not tail:
        out[head] = inner
        return
    if isinstance(inner, dict):
        below = out.setdefault(head, {})
        if isinstance(below, dict):
            _copy(inner, tail, below)
            if not below:
                del out[head]
    elif isinstance(inner, list):
        _copy_items([item for item in inner if isinstance(item, dict)], head, tail, out)


def _copy_items(items: list[Record], head: str, tail: str, out: Record) -> None:
    before = out.get(head)
    kept = [dict(item) for item in before if isinstance(item, dict)] if isinstance(before, list) else []
    kept += [{} for _ in items[len(kept) :]]
    for item, part in zip(items, kept, strict=True):
        _copy(item, tail, part)
    out[head] = list(kept)


def _drop(record: Record, name: str) -> None:
    head, _, tail = name.partition(".")
    inner = record.get(head)
    if not tail:
        record.pop(head, None)
    elif isinstance(inner, dict):
        record[head] = below = dict(inner)
        _drop(below, tail)
    elif isinstance(inner, list):
        below_items = [dict(item) for item in inner if isinstance(item, dict)]
        for item in below_items:
            _drop(item, tail)
        record[head] = list(below_items)


def key_of(record: Record, keys: tuple[str, ...]) -> tuple[str, ...]:
    """Return the values of a record's keys as text."""
    return tuple(str(next(values(record, key), "")) for key in keys)


def without_links(record: Record) -> Record:
    """Return a record without its HAL links, at every depth."""
    out: Record = {}
    for name, inner in record.items():
        if name == "_links":
            continue
        if isinstance(inner, dict):
            below = without_links(inner)
            if below or not inner:
                out[name] = below
        elif isinstance(inner, list):
            out[name] = [without_links(item) if isinstance(item, dict) else item for item in inner]
        else:
            out[name] = inner
    return out
