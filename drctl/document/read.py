"""Reads one YAML file without guessing: text, whole numbers, decimals, true, false and nothing else.

PyYAML's own construction turns ``no`` into False, ``22:30`` into 1350, ``0123`` into 83 and lets a
second key of the same name win silently. So the event stream is walked here: explicit tags, anchors
and aliases are refused, and every key and value keeps its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml
from pydantic import JsonValue

from drctl.core.problem import DrctlError, Problem
from drctl.document.place import Document, Keys, Spot

_MAX_BYTES: Final = 8_000_000
_MAX_NODES: Final = 400_000
_MAX_DEPTH: Final = 40
_NULL: Final = frozenset({"", "~", "null"})
_BOOL: Final = {"true": True, "false": False}
_INT: Final = re.compile(r"-?(?:0|[1-9]\d{0,17})")
_FLOAT: Final = re.compile(r"-?(?:0|[1-9]\d{0,17})\.\d{1,17}")


def read_file(path: Path) -> Document:
    """Read a file; raise ``DrctlError`` with every problem of its YAML."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DrctlError(_unreadable(str(path), error.strerror or str(error))) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DrctlError(_unreadable(str(path), f"line {line} is not UTF-8")) from error
    return read_text(text, str(path))


def read_text(text: str, name: str) -> Document:
    """Read text as if it were the file ``name``; raise ``DrctlError`` with every problem of its YAML."""
    if len(text) > _MAX_BYTES:
        raise DrctlError(_unreadable(name, f"more than {_MAX_BYTES // 1_000_000} MB"))
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise DrctlError(_unreadable(name, "it holds half a character (a lone surrogate)"))
    walk = _Walk(Document(name, text))
    try:
        walk.document.data = walk.run()
    except yaml.YAMLError as error:
        walk.problems.append(_syntax(walk.document, error))
    except _TooMuchError as error:
        walk.problems.append(_problem(walk.document, "yaml-limit", str(error), error.spot))
    if walk.problems:
        raise DrctlError(*walk.problems)
    return walk.document


def _unreadable(name: str, why: str) -> Problem:
    return Problem(code="unreadable", summary=f"cannot read {name}: {why}")


class _TooMuchError(Exception):
    def __init__(self, message: str, spot: Spot) -> None:
        super().__init__(message)
        self.spot = spot


def _problem(document: Document, code: str, summary: str, spot: Spot, hint: str = "") -> Problem:
    return Problem(code=code, summary=summary, hint=hint, where=document.source(spot.line, spot.column))


def _syntax(document: Document, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML"
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    if mark is None:  # the reader's errors know an offset only
        offset = getattr(error, "position", None) or 0
        before = document.text.encode()[:offset].decode(errors="ignore")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    context = getattr(error, "context", None)
    summary = f"not valid YAML: {what}" + (f" {context}" if context else "")
    hint = "Indent with spaces, not tabs." if "\t" in document.line(line)[:column] else ""
    return Problem(code="yaml", summary=summary, hint=hint, where=document.source(line, column))


@dataclass
class _Walk:
    """One pass over the events."""

    document: Document
    problems: list[Problem] = field(default_factory=list)
    nodes: int = 0
    events: Iterator[yaml.Event] = field(default_factory=lambda: iter(()))

    def run(self) -> JsonValue:
        self.events = iter(yaml.parse(self.document.text, Loader=_loader()))
        data: JsonValue = None
        documents = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse("yaml-documents", "one file holds one document", event)
            elif isinstance(event, yaml.NodeEvent):
                value = self._node(event, (), None, 0)
                data = value if documents == 1 else data
        return data

    def _refuse(self, code: str, summary: str, event: yaml.Event, hint: str = "") -> None:
        self.problems.append(_problem(self.document, code, summary, _spot(event), hint))

    def _node(self, event: yaml.Event, path: Keys, key: Spot | None, depth: int) -> JsonValue:
        spot = _spot(event, key)
        self.document.spots[path] = spot
        self.nodes += 1
        if self.nodes > _MAX_NODES or depth > _MAX_DEPTH:
            raise _TooMuchError("too many values" if depth <= _MAX_DEPTH else "nested too deeply", spot)
        if isinstance(event, yaml.AliasEvent):
            self._refuse("yaml-alias", "aliases (*) are not part of the language", event, "Write it out.")
            return None
        self._check_plainness(event)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path, depth)
        return self._mapping(path, depth)

    def _check_plainness(self, event: yaml.Event) -> None:
        if getattr(event, "anchor", None) is not None:
            self._refuse("yaml-alias", "anchors (&) are not part of the language", event, "Write it out.")
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._refuse("yaml-tag", f"tags ({tag}) are not part of the language", event, "Remove it.")

    def _scalar(self, event: yaml.ScalarEvent) -> JsonValue:
        if "\0" in event.value:
            self._refuse("yaml-text", "a text may not hold the character NUL", event)
        return plain_value(event.value) if event.implicit[0] else event.value

    def _sequence(self, path: Keys, depth: int) -> JsonValue:
        values: list[JsonValue] = []
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            values.append(self._node(event, (*path, len(values)), None, depth + 1))
        return values

    def _mapping(self, path: Keys, depth: int) -> JsonValue:
        values: dict[str, JsonValue] = {}
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event, path, depth)
            value = self._node(next(self.events), (*path, key), _spot(event), depth + 1)
            values[key] = value
            if isinstance(event, yaml.ScalarEvent):
                self._seen(key, path, event)
        return values

    def _key(self, event: yaml.Event, path: Keys, depth: int) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self._node(event, (*path, "?"), None, depth + 1)
            self._refuse("yaml-key", "a key is a text, not a list or mapping", event)
            return "?"
        self._check_plainness(event)
        return event.value

    def _seen(self, key: str, path: Keys, event: yaml.ScalarEvent) -> None:
        first = self.document.first_keys.setdefault((*path, key), _spot(event))
        here = _spot(event)
        if (first.line, first.column) != (here.line, here.column):
            hint = f"It is already at line {first.line}."
            self._refuse("duplicate-key", f"the key {key!r} is here twice", event, hint)


def plain_value(text: str) -> JsonValue:
    """Return what a text without quotes means."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _spot(event: yaml.Event, key: Spot | None = None) -> Spot:
    start, end = event.start_mark, event.end_mark
    if start is None or end is None:  # never from a parser; the type allows it
        return Spot(1, 1, 1, 1, key)
    return Spot(start.line + 1, start.column + 1, end.line + 1, end.column + 1, key)


def _loader() -> type[yaml.CSafeLoader | yaml.SafeLoader]:
    """Return libyaml's parser where PyYAML was built with it: about eight times as fast."""
    return yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
