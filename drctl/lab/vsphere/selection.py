"""Which objects and properties a FilterSpec selects, traversal included, and what they are now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from drctl.lab.vsphere.properties import check_path, gone
from drctl.lab.vsphere.schema import is_a
from drctl.lab.vsphere.scope import Scope
from drctl.lab.vsphere.values import Fault, Obj, Ref, Value, refs


def exists(scope: Scope, ref: Ref) -> bool:
    """Tell whether an object is there, for this session."""
    kind = scope.center.kinds.get(ref.kind)
    return kind is not None and kind.exists(scope, ref)


def read(scope: Scope, ref: Ref, paths: tuple[str, ...]) -> list[Value]:
    """Return an object's properties; None where unset.

    Raises:
        Fault: ManagedObjectNotFound.
    """
    kind = scope.center.kinds.get(ref.kind)
    if kind is None:
        raise gone(ref)
    return kind.read(scope, ref, paths)


@dataclass(frozen=True)
class _Walk:
    """One evaluation of a selection."""

    scope: Scope
    named: Mapping[str, Obj]
    found: dict[Ref, None] = field(default_factory=dict)
    seen: set[tuple[Ref, int]] = field(default_factory=set)


@dataclass
class Selection:
    """A FilterSpec, checked once and evaluated as often as needed."""

    spec: Obj
    _paths: dict[str, tuple[str, ...] | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for prop in self.spec.objs("propSet"):
            for path in prop.texts("pathSet"):
                check_path(prop.text("type"), path)

    def objects(self, scope: Scope) -> list[Ref]:
        """Return the selected objects that are there, each once, in the order found.

        Raises:
            Fault: ManagedObjectNotFound when a starting object is gone, unless missing ones are wanted.
        """
        walk = _Walk(scope, {sel.text("name"): sel for sel in self._traversals() if sel.text("name")})
        for start in self.spec.objs("objectSet"):
            ref = start.ref("obj")
            if ref is None:
                raise Fault("InvalidArgument", "an ObjectSpec without object", invalidProperty="obj")
            if exists(scope, ref):
                self._take(walk, start, ref)
            elif not self.spec.flag("reportMissingObjectsInResults"):
                raise gone(ref)
        return list(walk.found)

    def _traversals(self) -> Iterator[Obj]:
        stack = [sel for start in self.spec.objs("objectSet") for sel in start.objs("selectSet")]
        while stack:
            each = stack.pop()
            if each.kind == "TraversalSpec":
                yield each
                stack.extend(each.objs("selectSet"))

    def _take(self, walk: _Walk, chooser: Obj, ref: Ref) -> None:
        """Take an object that an ObjectSpec or TraversalSpec led to, and go on from there."""
        if not chooser.flag("skip") and self.paths(walk.scope, ref.kind) is not None:
            walk.found[ref] = None
        for chosen in chooser.objs("selectSet"):
            step = chosen if chosen.kind == "TraversalSpec" else walk.named.get(chosen.text("name"))
            if step is not None and (ref, id(step)) not in walk.seen:
                walk.seen.add((ref, id(step)))
                self._follow(walk, step, ref)

    def _follow(self, walk: _Walk, step: Obj, ref: Ref) -> None:
        path = step.text("path")
        check_path(step.text("type"), path)
        if is_a(ref.kind, step.text("type")):
            for target in refs(read(walk.scope, ref, (path,))[0]):
                self._take(walk, step, target)

    def paths(self, scope: Scope, kind: str) -> tuple[str, ...] | None:
        """Return the properties wanted of a type; None when objects of it are not wanted at all."""
        if kind not in self._paths:
            matching = [prop for prop in self.spec.objs("propSet") if is_a(kind, prop.text("type"))]
            wanted: dict[str, None] = {}
            for prop in matching:
                names = scope.center.kinds[kind].names(kind) if prop.flag("all") else prop.texts("pathSet")
                wanted.update(dict.fromkeys(names))
            self._paths[kind] = tuple(wanted) if matching else None
        return self._paths[kind]

    def values(self, scope: Scope, ref: Ref) -> dict[str, Value]:
        """Return the wanted properties of one object that are set."""
        paths = self.paths(scope, ref.kind) or ()
        found = zip(paths, read(scope, ref, paths), strict=True)
        return {path: value for path, value in found if value is not None}
