"""PropertyCollector: bulk reads with paging, and filters whose changes a client waits for."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from drctl.lab.vsphere import tree
from drctl.lab.vsphere.properties import Table, check_path, gone, typed
from drctl.lab.vsphere.scope import Kind, Methods, Scope, Session
from drctl.lab.vsphere.selection import Selection, exists, read
from drctl.lab.vsphere.soap import Call
from drctl.lab.vsphere.values import Fault, Obj, Ref, Value, obj

PAGE: Final = 256
"""Most objects per answer; the API lets a server stop early, so that clients must follow the token."""

_COALESCE: Final = 0.02
"""Real seconds between two looks at the estate while a client waits."""

_FOREVER: Final = 3600.0

_State = dict[Ref, dict[str, Value]]


@dataclass
class Filter:
    """A PropertyFilter and what its client has been told."""

    ref: Ref
    selection: Selection
    partial: bool
    told: _State = field(default_factory=dict)
    before: _State = field(default_factory=dict)
    """What it had been told one version earlier, in case that answer was lost."""


@dataclass
class Collector:
    """A PropertyCollector of one session."""

    ref: Ref
    version: int = 0
    filters: dict[str, Filter] = field(default_factory=dict)
    pages: dict[str, list[Value]] = field(default_factory=dict)
    cancelled: int = 0
    gone: bool = False


def collector_of(scope: Scope, ref: Ref) -> Collector:
    """Return a session's collector; the default one has the same moref in every session.

    Raises:
        Fault: ManagedObjectNotFound.
    """
    made = scope.session.made
    found = made.get(ref.id)
    if found is None and ref == tree.COLLECTOR:
        found = made.setdefault(ref.id, Collector(ref))
    if not isinstance(found, Collector):
        raise gone(ref)
    return found


# --- bulk reads -----------------------------------------------------------------------------------


def _content(scope: Scope, selection: Selection, ref: Ref) -> Obj:
    props = tuple(
        obj("DynamicProperty", name=path, val=typed(ref.kind, path, value))
        for path, value in selection.values(scope, ref).items()
    )
    return obj("ObjectContent", obj=ref, propSet=props)


def _contents(scope: Scope, call: Call) -> list[Value]:
    with scope.center.world.lock:
        found: list[Value] = []
        for spec in call.args.objs("specSet"):
            selection = Selection(spec)
            found += [_content(scope, selection, ref) for ref in selection.objects(scope)]
        return found


def _retrieve_all(scope: Scope, call: Call) -> Value:
    collector_of(scope, call.this)
    return tuple(_contents(scope, call))


def _retrieve(scope: Scope, call: Call) -> Value:
    collector = collector_of(scope, call.this)
    options = call.args.obj("options") or obj("RetrieveOptions")
    limit = options.number("maxObjects", PAGE)
    if limit < 1:
        raise Fault("InvalidArgument", "maxObjects must be positive", invalidProperty="maxObjects")
    found = _contents(scope, call)
    return _page(scope.session, collector, found, min(limit, PAGE)) if found else None


def _page(session: Session, collector: Collector, found: list[Value], limit: int) -> Obj:
    token = None
    if len(found) > limit:
        token = f"{limit}:{session.name('token')}"
        collector.pages[token] = found[limit:]
    return obj("RetrieveResult", token=token, objects=tuple(found[:limit]))


def _continue(scope: Scope, call: Call) -> Value:
    collector = collector_of(scope, call.this)
    token = call.args.text("token")
    rest = collector.pages.pop(token, None)
    if rest is None:
        raise Fault("InvalidArgument", "unknown token", invalidProperty="token")
    return _page(scope.session, collector, rest, int(token.partition(":")[0]))


def _cancel_retrieve(scope: Scope, call: Call) -> Value:
    if collector_of(scope, call.this).pages.pop(call.args.text("token"), None) is None:
        raise Fault("InvalidArgument", "unknown token", invalidProperty="token")
    return None


def fetch(scope: Scope, call: Call) -> tuple[Value, str]:
    """Answer the hidden call behind an attribute read: the value and its declared type."""
    path = call.args.text("prop")
    declared = check_path(call.this.kind, path)
    with scope.center.world.lock:
        return read(scope, call.this, (path,))[0], declared


# --- filters --------------------------------------------------------------------------------------


def _create_filter(scope: Scope, call: Call) -> Value:
    collector = collector_of(scope, call.this)
    selection = Selection(call.args.obj("spec") or obj("PropertyFilterSpec"))
    with scope.center.world.lock:
        selection.objects(scope)  # refuses unknown objects and paths at once
        ref = Ref("PropertyFilter", scope.session.name("filter"))
        made = Filter(ref, selection, partial=bool(call.args.flag("partialUpdates")))
        collector.filters[ref.id] = made
        scope.session.made[ref.id] = made
        scope.center.world.changed.notify_all()
        return ref


def _destroy_filter(scope: Scope, call: Call) -> Value:
    found = scope.session.made.pop(call.this.id, None)
    if not isinstance(found, Filter):
        raise gone(call.this)
    for each in scope.session.made.values():
        if isinstance(each, Collector):
            each.filters.pop(call.this.id, None)
    return None


def _create_collector(scope: Scope, call: Call) -> Value:
    collector_of(scope, call.this)
    ref = Ref("PropertyCollector", scope.session.name("collector"))
    scope.session.made[ref.id] = Collector(ref)
    return ref


def _destroy_collector(scope: Scope, call: Call) -> Value:
    collector = collector_of(scope, call.this)
    with scope.center.world.lock:
        for each in collector.filters:
            scope.session.made.pop(each, None)
        scope.session.made.pop(call.this.id, None)
        collector.gone = True
        scope.center.world.changed.notify_all()
    return None


def _cancel_wait(scope: Scope, call: Call) -> Value:
    collector = collector_of(scope, call.this)
    with scope.center.world.lock:
        collector.cancelled += 1
        scope.center.world.changed.notify_all()
    return None


# --- waiting --------------------------------------------------------------------------------------


def _wait_ex(scope: Scope, call: Call) -> Value:
    options = call.args.obj("options") or obj("WaitOptions")
    seconds = options.get("maxWaitSeconds")
    limit = options.number("maxObjectUpdates", 0)
    return _wait(scope, call, float(seconds) if isinstance(seconds, int) else _FOREVER, limit)


def _wait_plain(scope: Scope, call: Call) -> Value:
    return _wait(scope, call, _FOREVER, 0)


def _check(scope: Scope, call: Call) -> Value:
    return _wait(scope, call, 0.0, 0)


def _wait(scope: Scope, call: Call, seconds: float, limit: int) -> Value:
    """Return the updates since the client's version, None when there were none in time."""
    world = scope.center.world
    deadline = time.monotonic() + seconds
    with world.lock:
        collector = collector_of(scope, call.this)
        _rewind(collector, call.args.text("version"))
        cancelled = collector.cancelled
        while True:
            updates, truncated = _updates(scope, collector, limit)
            if updates:
                collector.version += 1
                version = str(collector.version)
                return obj("UpdateSet", version=version, filterSet=updates, truncated=truncated)
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            world.changed.wait(left)
            pause = time.monotonic() + _COALESCE
            while (rest := min(pause, deadline) - time.monotonic()) > 0:
                world.changed.wait(rest)
            if scope.session.ended or collector.gone or collector.cancelled != cancelled:
                raise Fault("RequestCanceled", "The request was canceled")


def _rewind(collector: Collector, version: str) -> None:
    """Go to the version the client has: none, the last one, or the one before (a lost answer).

    Raises:
        Fault: InvalidCollectorVersion.
    """
    if version == "":
        for each in collector.filters.values():
            each.told = {}
    elif version == str(collector.version - 1):
        for each in collector.filters.values():
            each.told = each.before
    elif version != str(collector.version):
        raise Fault("InvalidCollectorVersion", f"unknown version {version}")
    for each in collector.filters.values():
        each.before = dict(each.told)


def _updates(scope: Scope, collector: Collector, limit: int) -> tuple[tuple[Value, ...], bool]:
    """Return what changed, per filter, and whether ``limit`` objects were not enough for all of it."""
    found: list[Value] = []
    left = limit or -1
    for each in list(collector.filters.values()):
        objects: list[Value] = []
        for update, ref, state in _changes(scope, each):
            if left == 0:
                break
            left -= 1
            objects.append(update)
            if state is None:
                del each.told[ref]
            else:
                each.told[ref] = state
        if objects:
            found.append(obj("PropertyFilterUpdate", filter=each.ref, objectSet=tuple(objects)))
        if left == 0:
            return tuple(found), True
    return tuple(found), False


def _changes(scope: Scope, watched: Filter) -> Iterator[tuple[Obj, Ref, dict[str, Value] | None]]:
    """Yield each object's update and what its client will know after it."""
    try:
        present = watched.selection.objects(scope)
    except Fault:  # a starting object is gone; the others are still looked at
        present = [ref for ref in watched.told if exists(scope, ref)]
    for ref in [ref for ref in watched.told if ref not in set(present)]:
        yield obj("ObjectUpdate", kind="leave", obj=ref), ref, None
    for ref in present:
        now = watched.selection.values(scope, ref)
        told = watched.told.get(ref)
        if told is None:
            yield _update("enter", ref, _differences({}, now, partial=False)), ref, now
        elif told != now:
            yield _update("modify", ref, _differences(told, now, partial=watched.partial)), ref, now


def _update(kind: str, ref: Ref, changes: Mapping[str, Value]) -> Obj:
    changed = tuple(
        obj("PropertyChange", name=path, op="assign", val=typed(ref.kind, path, value))
        for path, value in changes.items()
    )
    return obj("ObjectUpdate", kind=kind, obj=ref, changeSet=changed)


def _differences(told: Mapping[str, Value], now: Mapping[str, Value], *, partial: bool) -> dict[str, Value]:
    """Return changed paths with their new values; with ``partial`` down to the field that changed."""
    found: dict[str, Value] = {}
    for path in {**told, **now}:
        before, after = told.get(path), now.get(path)
        if before == after:
            continue
        if partial and isinstance(before, Obj) and isinstance(after, Obj) and before.kind == after.kind:
            inner = _differences(dict(before.fields), dict(after.fields), partial=True)
            found.update({f"{path}.{name}": value for name, value in inner.items()})
        else:
            found[path] = after
    return found


def _find_collector(scope: Scope, moref: str) -> Collector | None:
    found = scope.session.made.get(moref)
    if found is None and moref == tree.COLLECTOR.id:
        return collector_of(scope, tree.COLLECTOR)
    return found if isinstance(found, Collector) else None


def _find_filter(scope: Scope, moref: str) -> Filter | None:
    found = scope.session.made.get(moref)
    return found if isinstance(found, Filter) else None


KINDS: Final[Mapping[str, Kind]] = {
    "PropertyCollector": Table[Collector](
        _find_collector,
        {"filter": lambda _scope, found: tuple(each.ref for each in found.filters.values())},
    ),
    "PropertyFilter": Table[Filter](
        _find_filter,
        {
            "spec": lambda _scope, found: found.selection.spec,
            "partialUpdates": lambda _scope, found: found.partial,
        },
    ),
}
"""Collectors and their filters."""

METHODS: Final[Methods] = {
    ("PropertyCollector", "RetrieveProperties"): _retrieve_all,
    ("PropertyCollector", "RetrievePropertiesEx"): _retrieve,
    ("PropertyCollector", "ContinueRetrievePropertiesEx"): _continue,
    ("PropertyCollector", "CancelRetrievePropertiesEx"): _cancel_retrieve,
    ("PropertyCollector", "CreateFilter"): _create_filter,
    ("PropertyCollector", "CreatePropertyCollector"): _create_collector,
    ("PropertyCollector", "DestroyPropertyCollector"): _destroy_collector,
    ("PropertyCollector", "WaitForUpdatesEx"): _wait_ex,
    ("PropertyCollector", "WaitForUpdates"): _wait_plain,
    ("PropertyCollector", "CheckForUpdates"): _check,
    ("PropertyCollector", "CancelWaitForUpdates"): _cancel_wait,
    ("PropertyFilter", "DestroyPropertyFilter"): _destroy_filter,
}
"""What property collectors do."""
