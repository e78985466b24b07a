"""A vCenter as the actions and probes see it; nothing is sent before the first call.

Importing this module does not import pyVmomi.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from drctl.core.action import Control, Handle
from drctl.core.clock import Clock
from drctl.core.problem import ProviderError
from drctl.core.provider import Access
from drctl.providers.vsphere.endpoint import VsphereEndpoint
from drctl.providers.vsphere.faults import explain
from drctl.providers.vsphere.model import PlugSeen
from drctl.providers.vsphere.sharing import Shared

if TYPE_CHECKING:
    from drctl.providers.vsphere.session import Session, Wire
    from drctl.providers.vsphere.watcher import Patience, Target, Watch, Watcher

T = TypeVar("T")

SEARCH_TIME = 120.0
"""Seconds a look into a datastore may take."""


@dataclass(frozen=True)
class Row:
    """An object as the PropertyCollector returned it: unset properties are absent from ``values``."""

    kind: str
    id: str
    values: Mapping[str, Any]

    def text(self, path: str) -> str:
        """Return a property as text, empty when unset."""
        value = self.values.get(path)
        return "" if value is None else str(value)

    def flag(self, path: str) -> bool:
        """Return a boolean property, False when unset."""
        return self.values.get(path) is True


class Deadline:
    """Patience by the clock, for waits that no run controls."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._end = clock.monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds left."""
        return self._end - self._clock.monotonic()


@dataclass(frozen=True)
class _Live:
    session: Session
    watcher: Watcher


class Vsphere:
    """One vCenter: bulk reads, single changes, tasks. Threads share it; ``close`` ends everything."""

    def __init__(self, endpoint: VsphereEndpoint, access: Access, clock: Clock) -> None:
        self.endpoint = endpoint
        self.access = access
        self.clock = clock
        self.plugs: dict[str, tuple[tuple[str, str], tuple[PlugSeen, ...]]] = {}
        """The connected cards of VMs by id, each with the configuration and power they were read at."""
        self._hints: dict[str, str] = {}
        self._shared: Shared[list[Row]] = Shared()
        self._lock = threading.Lock()
        self._live: _Live | None = None

    def _connected(self) -> _Live:
        """Return session and watcher, made on first use."""
        with self._lock:
            if self._live is None:
                from drctl.providers.vsphere.session import Session  # noqa: PLC0415 - pyVmomi costs 70 ms
                from drctl.providers.vsphere.watcher import Watcher  # noqa: PLC0415 - pyVmomi costs 70 ms

                session = Session(self.endpoint, self.access, self.clock)
                self._live = _Live(session, Watcher(session, self.clock))
            return self._live

    def close(self) -> None:
        """End the watcher's thread and the session."""
        with self._lock:
            live, self._live = self._live, None
        if live is not None:
            live.watcher.close()
            live.session.close()

    # --- reading ----------------------------------------------------------------------------

    def read(self, what: str, call: Callable[[Wire], T]) -> T:
        """Make a call that changes nothing; raise ``ProviderError`` with ``what`` in front."""
        return self._connected().session.read(what, call)

    def attempt(self, call: Callable[[Wire], T]) -> T:
        """Make a read whose vSphere faults the caller handles."""
        return self._connected().session.attempt(call)

    def rows(self, kind: str, paths: Sequence[str]) -> list[Row]:
        """Read properties of all objects of a type, in one request per page, shared by all who ask.

        The values are shared too: change none of them.
        """

        def read() -> list[Row]:
            return self.read(f"reading {kind}s", lambda wire: _collect_all(wire, kind, paths))

        return self._shared.get((kind, *paths), read)

    def rows_of(self, kind: str, identities: Iterable[str], paths: Sequence[str]) -> list[Row]:
        """Read properties of some objects in one request; those that are gone are left out."""
        wanted = sorted(set(identities))
        if not wanted:
            return []
        return self.read(f"reading {kind}s", lambda wire: _collect_some(wire, kind, wanted, paths))

    def hint(self, name: str) -> str | None:
        """Return the id a VM of that name had when last seen; it may be out of date."""
        return self._hints.get(name)

    def remember(self, name: str, identity: str | None) -> None:
        """Keep the id of a VM as a hint, or forget it."""
        if identity is None:
            self._hints.pop(name, None)
        else:
            self._hints[name] = identity

    def skew(self) -> float:
        """Return the vCenter's clock minus ours, in seconds, as measured at login."""
        return self.read("session", lambda wire: wire.skew)

    def instance(self) -> str:
        """Return the vCenter's instance UUID, which it keeps for life; empty for a single host."""
        return self.read("session", lambda wire: str(wire.content.about.instanceUuid or ""))

    # --- changing ---------------------------------------------------------------------------

    def change(self, what: str, call: Callable[[Wire], T]) -> T:
        """Make one changing call that is no task; raise ``ProviderError``."""
        return self._connected().session.write(what, call)

    def run(self, what: str, call: Callable[[Wire], Any], control: Control, vm: str | None = None) -> Any:
        """Start a task, journal its id, wait for its end and return its result.

        Args:
            what: the task in words, for errors and the journal.
            call: issues the ``_Task`` call.
            control: the step's control.
            vm: id of a VM whose question would hold the task up.

        Raises:
            ProviderError: it failed, a question blocks it, or (``effect_unknown``) time is up.
        """
        task: Any = self.change(what, call)
        identity = str(task._moId)  # noqa: SLF001 - pyVmomi has no other way
        control.handle(Handle("task", identity, what))
        return self.follow(what, identity, control, control=control, vm=vm)

    def follow(
        self,
        what: str,
        task: str,
        patience: Patience,
        *,
        control: Control | None = None,
        vm: str | None = None,
    ) -> Any:
        """Wait for a task and return its result; errors as of ``run``."""
        from drctl.providers.vsphere import waiting  # noqa: PLC0415 - pyVmomi costs 70 ms

        return waiting.task_result(self, waiting.Following(what, task, vm, control), patience)

    def wait(
        self,
        objects: Mapping[Target, tuple[str, ...]],
        judge: Callable[[Watch], T | None],
        patience: Patience,
        late: Callable[[], ProviderError],
    ) -> T:
        """Wait until ``judge`` of the objects' properties is not None; see ``Watcher.wait``."""
        return self._connected().watcher.wait(objects, judge, patience, late)

    def refused(self, what: str, fault: Any) -> ProviderError:
        """Return the error for a vSphere fault."""
        return explain(what, fault, self.endpoint.name)


def _view(wire: Wire, kind: str) -> Any:
    """Return the session's container view of a type, made on first use."""
    view = wire.views.get(kind)
    if view is None:
        content = wire.content
        view = content.viewManager.CreateContainerView(content.rootFolder, [wire.kind(kind)], True)
        wire.views[kind] = view
    return view


def _collect_all(wire: Wire, kind: str, paths: Sequence[str]) -> list[Row]:
    """Collect over the session's view; one that is gone may mean that the session ended."""
    try:
        return _collect(wire, kind, _view(wire, kind), paths)
    except wire.vmodl.fault.ManagedObjectNotFound:
        wire.views.pop(kind, None)
        wire.ref("ServiceInstance", "ServiceInstance").CurrentTime()  # raises NotAuthenticated if so
        return _collect(wire, kind, _view(wire, kind), paths)


def _collect(wire: Wire, kind: str, view: Any, paths: Sequence[str]) -> list[Row]:
    query = wire.vmodl.query.PropertyCollector
    step = query.TraversalSpec(name="view", path="view", skip=False, type=wire.vim.view.ContainerView)
    spec = query.FilterSpec(
        objectSet=[query.ObjectSpec(obj=view, skip=True, selectSet=[step])],
        propSet=[query.PropertySpec(type=wire.kind(kind), pathSet=list(paths))],
    )
    return _pages(wire, spec)


def _collect_some(wire: Wire, kind: str, identities: Sequence[str], paths: Sequence[str]) -> list[Row]:
    query = wire.vmodl.query.PropertyCollector
    left = list(identities)
    while left:
        spec = query.FilterSpec(
            objectSet=[query.ObjectSpec(obj=wire.ref(kind, identity)) for identity in left],
            propSet=[query.PropertySpec(type=wire.kind(kind), pathSet=list(paths))],
        )
        try:
            return _pages(wire, spec)
        except wire.vmodl.fault.ManagedObjectNotFound as gone:
            key = gone.obj._moId if gone.obj is not None else ""  # noqa: SLF001 - pyVmomi has no other way
            if key not in left:
                raise
            left.remove(key)
    return []


def _pages(wire: Wire, spec: Any) -> list[Row]:
    """Retrieve and follow every page: an abandoned one keeps its memory in vCenter."""
    collector = wire.content.propertyCollector
    options = wire.vmodl.query.PropertyCollector.RetrieveOptions()
    rows: list[Row] = []
    page = collector.RetrievePropertiesEx([spec], options)
    while page is not None:
        rows += [_row(content) for content in page.objects or ()]
        if not page.token:
            break
        page = collector.ContinueRetrievePropertiesEx(page.token)
    return rows


def _row(content: Any) -> Row:
    kind = type(content.obj).__name__.rpartition(".")[2]
    return Row(kind, content.obj._moId, {one.name: one.val for one in content.propSet or ()})  # noqa: SLF001 - pyVmomi has no other way
