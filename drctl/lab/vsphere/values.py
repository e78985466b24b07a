"""What vCenter speaks of, as plain immutable values; only ``soap`` knows how they look on the wire.

A value is a scalar, a ``Ref`` to a managed object, an ``Obj`` (a data object or a fault) or a tuple of
values. An ``Obj`` holds only the fields that are set: an unset field is an absent one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Ref:
    """A managed object reference, e.g. ``Ref("VirtualMachine", "vm-12")``."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class Obj:
    """A data object of the WSDL type ``kind``; equal when all its fields are."""

    kind: str
    fields: tuple[tuple[str, Value], ...] = ()

    def get(self, name: str) -> Value:
        """Return a field, None when it is unset."""
        for key, value in self.fields:
            if key == name:
                return value
        return None

    def text(self, name: str, default: str = "") -> str:
        """Return a field that is a string, ``default`` when it is unset."""
        value = self.get(name)
        return value if isinstance(value, str) else default

    def flag(self, name: str) -> bool | None:
        """Return a field that is a boolean, None when it is unset."""
        value = self.get(name)
        return value if isinstance(value, bool) else None

    def number(self, name: str, default: int = 0) -> int:
        """Return a field that is a whole number, ``default`` when it is unset."""
        value = self.get(name)
        return value if isinstance(value, int) else default

    def ref(self, name: str) -> Ref | None:
        """Return a field that refers to a managed object."""
        value = self.get(name)
        return value if isinstance(value, Ref) else None

    def obj(self, name: str) -> Obj | None:
        """Return a field that is a data object."""
        value = self.get(name)
        return value if isinstance(value, Obj) else None

    def objs(self, name: str) -> list[Obj]:
        """Return a field that is a list of data objects."""
        return [each for each in items(self.get(name)) if isinstance(each, Obj)]

    def texts(self, name: str) -> list[str]:
        """Return a field that is a list of strings."""
        return [each for each in items(self.get(name)) if isinstance(each, str)]


@dataclass(frozen=True, slots=True)
class Typed:
    """A value in an ``anyType`` field, with the type its property declares (as pyVmomi names it)."""

    declared: str
    value: Value


Value: TypeAlias = (
    bool | int | float | str | bytes | datetime | Ref | Obj | Typed | tuple["Value", ...] | None
)


def obj(kind: str, /, **fields: Value) -> Obj:
    """Make a data object; fields given as None stay unset."""
    return Obj(kind, tuple((name, value) for name, value in fields.items() if value is not None))


def items(value: Value) -> Iterator[Value]:
    """Iterate over a list field, which is nothing when unset and itself when alone."""
    if isinstance(value, tuple):
        yield from value
    elif value is not None:
        yield value


def refs(value: Value) -> list[Ref]:
    """Return the references among a field's values."""
    return [each for each in items(value) if isinstance(each, Ref)]


class Fault(Exception):
    """A typed fault: ``kind`` is its WSDL name, ``fields`` its own fields."""

    def __init__(self, kind: str, message: str = "", /, **fields: Value) -> None:
        super().__init__(message or kind)
        self.detail = obj(kind, msg=message or kind, **fields)
