"""The values of expressions: records of the inventory, plain JSON, parts of a text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from pydantic import JsonValue

MAX_ITEMS: Final = 100_000
"""How many values a list made by an expression may hold."""


class ExpressionError(Exception):
    """An expression is wrong, or fails on its values; ``offset`` counts inside its own text."""

    def __init__(self, message: str, offset: int = 0, hint: str = "") -> None:
        super().__init__(message)
        self.offset = offset
        self.hint = hint

    def moved(self, by: int) -> ExpressionError:
        """Return the same error inside a longer text."""
        return ExpressionError(str(self), self.offset + by, self.hint)


class Record(Mapping[str, object]):
    """A named thing with fields: what expressions see of sites, services and items.

    Fields are reached as ``x.name`` and ``x['name']``; it hashes by identity, so ``unique`` works.
    ``hidden`` fields are links to other things: they are no part of its value. ``absent`` says why a
    field that others have is missing.
    """

    def __init__(
        self,
        label: str,
        fields: Mapping[str, object],
        hidden: Mapping[str, object] | None = None,
        absent: Mapping[str, str] | None = None,
    ) -> None:
        self._label = label
        self._fields = fields
        self._hidden = {} if hidden is None else hidden
        self._absent = {} if absent is None else absent

    def __getitem__(self, name: str) -> object:
        return self._fields[name] if name in self._fields else self._hidden[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __repr__(self) -> str:
        return self._label

    def __str__(self) -> str:
        raise TypeError(f"{self._label} cannot be put into a text: name a field")

    def names(self) -> list[str]:
        """Return the names of its fields, links to other things included."""
        return [*self._fields, *self._hidden]

    def absent(self, name: str) -> str:
        """Return why it has no such field, empty when nothing is known about it."""
        return self._absent.get(name, "")


def plain(value: object, depth: int = 0) -> JsonValue:
    """Return the value as JSON; raise ``ExpressionError`` for what is none."""
    if depth > 20:
        raise ExpressionError("nested too deeply")
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(one, depth + 1) for key, one in value.items()}
    if callable(value):
        raise ExpressionError("this is not a value", hint="Call it with (), or name a field.")
    if hasattr(value, "__iter__"):
        values = [plain(one, depth + 1) for one in islice(value, MAX_ITEMS + 1)]
        if len(values) <= MAX_ITEMS:
            return values
    raise ExpressionError(f"a {type(value).__name__} is not a value")


def text_of(value: object) -> str:
    """Return a value as part of a text; raise ``ExpressionError`` for lists, mappings and nothing."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (str, int, float)):
        return str(value)
    what = "nothing" if value is None else "a mapping" if isinstance(value, Mapping) else "a list"
    raise ExpressionError(f"{what} cannot be put into a text", hint="Use | join(', ') or name a field.")
