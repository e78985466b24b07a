"""Where in a file each value stands, down to a word inside a string."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple, TypeAlias

from pydantic import JsonValue

from drctl.core.problem import Problem, Source

Keys: TypeAlias = tuple[str | int, ...]
"""The keys and indices that lead from the top of a file to a value."""

_BREAKS: Final = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")  # what YAML 1.1 counts as line ends
_WORD: Final = re.compile(r"\w+|[^\w\s]+")
_ESCAPE: Final = re.compile(r"\\(?:x..|u.{4}|U.{8}|.)", re.DOTALL)


class Spot(NamedTuple):
    """Where a value begins and ends, and its key's spot where it has one; all count from 1."""

    line: int
    column: int
    end_line: int
    end_column: int
    key: Spot | None = None


@dataclass
class Document:
    """A file's text, its plain data and the spot of every value; read-only once it is read."""

    name: str
    text: str
    data: JsonValue = None
    spots: dict[Keys, Spot] = field(default_factory=dict)
    first_keys: dict[Keys, Spot] = field(default_factory=dict)

    @cached_property
    def lines(self) -> list[str]:
        """The lines without their ends."""
        return _BREAKS.split(self.text)

    def line(self, number: int) -> str:
        """Return a line, empty beyond the end."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def source(self, line: int, column: int) -> Source:
        """Return a place with its line's text."""
        return Source(self.name, line, column, self.line(line))

    def value(self, keys: Keys) -> Source:
        """Return where the value at ``keys``, or the nearest thing around it, begins."""
        spot = self._nearest(keys)
        return self.source(spot.line, spot.column)

    def key(self, keys: Keys) -> Source:
        """Return where the key of the value at ``keys`` stands; the value itself when it has none."""
        spot = self._nearest(keys)
        spot = spot.key or spot
        return self.source(spot.line, spot.column)

    def within(self, keys: Keys, value: str, offset: int) -> Source:
        """Return where the word at ``offset`` of the string at ``keys`` stands.

        The string may be quoted, escaped, folded or a block: its words are the same in the file, so
        the word is found by counting its occurrences.
        """
        spot = self.spots.get(keys)
        word = _WORD.match(value, offset) if offset < len(value) else None
        if spot is None or word is None:
            return self.value(keys)
        pattern = re.compile(re.escape(word[0]))
        count = sum(1 for found in pattern.finditer(value) if found.start() < offset)
        region = self._region(spot)
        start = next((m.start() for i, m in enumerate(pattern.finditer(region)) if i == count), None)
        if start is None:
            return self.value(keys)
        before = _BREAKS.split(region[:start])
        column = len(before[-1]) + (spot.column if len(before) == 1 else 1)
        return self.source(spot.line + len(before) - 1, column)

    def _region(self, spot: Spot) -> str:
        """Return the value's raw text, escapes blanked out with text of the same length."""
        lines = self.lines[spot.line - 1 : spot.end_line]
        if not lines:
            return ""
        if len(lines) == spot.end_line - spot.line + 1:
            lines[-1] = lines[-1][: spot.end_column - 1]
        lines[0] = lines[0][spot.column - 1 :]
        raw = "\n".join(lines)
        if raw.startswith('"'):
            return _ESCAPE.sub(lambda match: re.sub(".", "\0", match[0]), raw)  # line ends stay
        return raw.replace("''", "\0'") if raw.startswith("'") else raw

    def _nearest(self, keys: Keys) -> Spot:
        while keys and keys not in self.spots:
            keys = keys[:-1]
        return self.spots.get(keys) or Spot(1, 1, 1, 1)

    def problem(self, code: str, summary: str, keys: Keys, hint: str = "", detail: str = "") -> Problem:
        """Return a problem of the value at ``keys``."""
        return Problem(code=code, summary=summary, detail=detail, hint=hint, where=self.value(keys))

    def key_problem(self, code: str, summary: str, keys: Keys, hint: str = "") -> Problem:
        """Return a problem of the key at ``keys``."""
        return Problem(code=code, summary=summary, hint=hint, where=self.key(keys))
