"""Properties of managed objects: tables from paths to readers, and how deeper or higher paths follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from drctl.lab.vsphere.schema import property_kind, property_names, property_type
from drctl.lab.vsphere.scope import Scope
from drctl.lab.vsphere.values import Fault, Obj, Ref, Typed, Value

R = TypeVar("R")


@dataclass(frozen=True)
class Table(Generic[R]):
    """Readers of one managed type, by leaf path; composites are put together from their leaves."""

    find: Callable[[Scope, str], R | None]
    readers: Mapping[str, Callable[[Scope, R], Value]]
    children: Mapping[str, tuple[str, ...]] = field(init=False)
    """Composite path to the names of its known fields."""

    def __post_init__(self) -> None:
        found: dict[str, dict[str, None]] = {}
        for path in self.readers:
            while path:
                path, _, name = path.rpartition(".")  # noqa: PLW2901 - climbs from leaf to root
                found.setdefault(path, {})[name] = None
        object.__setattr__(self, "children", {path: tuple(names) for path, names in found.items()})

    def exists(self, scope: Scope, ref: Ref) -> bool:
        """See ``scope.Kind``."""
        return self.find(scope, ref.id) is not None

    def names(self, kind: str) -> tuple[str, ...]:
        """See ``scope.Kind``."""
        known = self.children.get("", ())
        return tuple(name for name in property_names(kind) if name in known)

    def read(self, scope: Scope, ref: Ref, paths: Sequence[str]) -> list[Value]:
        """See ``scope.Kind``."""
        record = self.find(scope, ref.id)
        if record is None:
            raise gone(ref)
        done: dict[str, Value] = {}
        return [self._value(scope, record, ref.kind, path, done) for path in paths]

    def _value(self, scope: Scope, record: R, kind: str, path: str, done: dict[str, Value]) -> Value:
        if path in done:
            return done[path]
        reader = self.readers.get(path)
        if reader is not None:
            value = reader(scope, record)
        elif path in self.children:
            names = self.children[path]
            parts = ((name, self._value(scope, record, kind, f"{path}.{name}", done)) for name in names)
            value = Obj(property_kind(kind, path), tuple((n, v) for n, v in parts if v is not None))
        elif "." in path:
            above, _, name = path.rpartition(".")
            parent = self._value(scope, record, kind, above, done)
            value = parent.get(name) if isinstance(parent, Obj) else None
        else:
            value = None
        done[path] = value
        return value


def gone(ref: Ref) -> Fault:
    """Return the fault for an object that is not (or no longer) there."""
    message = f"The object '{ref.kind}:{ref.id}' has already been deleted or has not been completely created"
    return Fault("ManagedObjectNotFound", message, obj=ref)


def check_path(kind: str, path: str) -> str:
    """Return the type a path declares.

    Raises:
        Fault: InvalidProperty.
    """
    declared = property_type(kind, path)
    if declared is None:
        raise Fault("InvalidProperty", f"{kind} has no property {path}", name=path)
    return declared


def typed(kind: str, path: str, value: Value) -> Value:
    """Return a property's value as it stands in an ``anyType`` field."""
    return None if value is None else Typed(check_path(kind, path), value)
