"""One thread per vCenter that waits for everything: tasks, power states, tools, questions.

Workers name the objects and properties they wait for and sleep; a single ``WaitForUpdatesEx`` on a
PropertyCollector of its own completes them all. The filter is rebuilt from the outstanding watches
after every change of them and after every reconnect, so a lost connection or session loses nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from drctl.core.clock import Clock
from drctl.core.problem import Problem, ProviderError
from drctl.providers.vsphere.session import Session, Wire, vim, vmodl
from drctl.providers.vsphere.stub import Stub, twin

T = TypeVar("T")

MAX_WAIT: Final = 20
"""Seconds one WaitForUpdatesEx may take; ten more without an answer mean a dead peer."""

SLICE: Final = 0.5
"""Seconds after which a waiting worker looks whether its run was told to stop."""

Target: TypeAlias = tuple[str, str]
"""Type and id of a managed object."""


class Patience(Protocol):
    """How long a worker waits; ``core.action.Control`` is one."""

    def remaining(self) -> float:
        """Return the seconds left; may raise to stop waiting."""
        ...


@dataclass(eq=False)
class Watch:
    """What one worker waits for: paths per object, and the values seen so far by (id, path)."""

    objects: Mapping[Target, tuple[str, ...]]
    values: dict[tuple[str, str], Any] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    armed: bool = False
    changed: threading.Condition = field(default_factory=threading.Condition)

    def value(self, identity: str, path: str) -> Any:
        """Return a property as last seen, None when unset or not seen yet."""
        return self.values.get((identity, path))


class Watcher:
    """Starts its thread with the first watch; ``close`` ends it."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock
        self._state = threading.Condition()
        self._watches: list[Watch] = []
        self._stale = False
        self._closing = False
        self._thread: threading.Thread | None = None
        self._stub: Stub | None = None
        self._collector: Any = None
        self._filter: Any = None
        self._generation = 0
        self._version = ""
        self._failures = 0
        """Times in a row that starting over did not help."""

    # --- for workers ------------------------------------------------------------------------

    def wait(
        self,
        objects: Mapping[Target, tuple[str, ...]],
        judge: Callable[[Watch], T | None],
        patience: Patience,
        late: Callable[[], ProviderError],
    ) -> T:
        """Return what ``judge`` returns once it is not None; raise ``late()`` when time is up.

        ``judge`` is called whenever something changed, and may raise.
        """
        with self._watching(objects) as watch:
            while True:
                with watch.changed:
                    verdict = judge(watch) if watch.armed else None
                    if verdict is not None:
                        return verdict
                    left = patience.remaining()
                    if left <= 0:
                        raise late()
                    watch.changed.wait(min(left, SLICE))
                if not watch.armed:
                    self._nudge()

    @contextmanager
    def _watching(self, objects: Mapping[Target, tuple[str, ...]]) -> Iterator[Watch]:
        watch = Watch(objects)
        with self._state:
            self._watches.append(watch)
            self._stale = True
            if self._thread is None:
                name = f"watch-{self._session.endpoint.name}"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._thread.start()
            self._state.notify_all()
        self._nudge()
        try:
            yield watch
        finally:
            with self._state:
                self._watches.remove(watch)

    def _nudge(self) -> None:
        """End the thread's present wait so that it sees new watches; one too early does no harm."""
        collector = self._collector
        if collector is None:
            return
        try:
            wire = self._session.wire()
            own = vmodl.query.PropertyCollector(collector._moId, wire.stub)  # noqa: SLF001 - pyVmomi has no other way
            own.CancelWaitForUpdates()
        except (ProviderError, vmodl.MethodFault):
            return  # the thread notices for itself

    def close(self) -> None:
        """End the thread; workers still waiting are left to their patience."""
        with self._state:
            self._closing = True
            self._state.notify_all()
            thread = self._thread
        for _ in range(10):  # a nudge that comes too early is lost
            if thread is None or not thread.is_alive():
                break
            self._nudge()
            thread.join(timeout=0.2)
        if self._stub is not None:
            self._stub.hang_up()

    # --- the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        while watches := self._next():
            try:
                self._look(watches)
            except vim.fault.NotAuthenticated:
                self._recover(login=True)
            except vmodl.fault.ManagedObjectNotFound as fault:
                self._lose(watches, fault)
            except vmodl.fault.RequestCanceled:
                continue
            except ProviderError:
                self._recover(login=False)
            except vmodl.MethodFault:
                self._recover(login=False)

    def _next(self) -> list[Watch]:
        """Return the watches once there are any; an empty list means the end."""
        with self._state:
            while not self._watches and not self._closing:
                self._state.wait()
            return [] if self._closing else list(self._watches)

    def _look(self, watches: list[Watch]) -> None:
        wire = self._session.wire()
        if self._collector is None or self._generation != wire.generation:
            self._open(wire)
        if self._stale:
            self._rebuild(watches)
        wait = vmodl.query.PropertyCollector.WaitOptions(maxWaitSeconds=MAX_WAIT)
        update = self._collector.WaitForUpdatesEx(self._version, wait)
        if update is not None:
            self._version = update.version
            self._failures = 0
            self._deliver(watches, update)
        for watch in watches:
            with watch.changed:
                watch.armed = True
                watch.changed.notify_all()

    def _open(self, wire: Wire) -> None:
        self._generation = wire.generation  # first, so that an ended session is the one renewed
        if self._stub is not None:
            self._stub.hang_up()
        self._stub = twin(wire.stub, self._session.endpoint, self._session.access, MAX_WAIT + 10)
        main = wire.content.propertyCollector._moId  # noqa: SLF001 - pyVmomi has no other way
        own = vmodl.query.PropertyCollector(main, self._stub)
        self._filter = None
        self._collector = own.CreatePropertyCollector()
        self._stale = True

    def _rebuild(self, watches: list[Watch]) -> None:
        with self._state:
            self._stale = False
            watches[:] = self._watches
        if self._filter is not None:
            old, self._filter = self._filter, None
            old.DestroyPropertyFilter()
        query = vmodl.query.PropertyCollector
        paths: dict[Target, set[str]] = {}
        for watch in watches:
            for target, wanted in watch.objects.items():
                if target[1] not in watch.gone:
                    paths.setdefault(target, set()).update(wanted)
        self._version = ""
        if not paths:
            return
        kinds = {kind for kind, _ in paths}
        spec = query.FilterSpec(
            objectSet=[query.ObjectSpec(obj=getattr(vim, kind)(key, self._stub)) for kind, key in paths],
            propSet=[
                query.PropertySpec(
                    type=getattr(vim, kind),
                    pathSet=sorted(set().union(*(wanted for (k, _), wanted in paths.items() if k == kind))),
                )
                for kind in sorted(kinds)
            ],
        )
        self._filter = self._collector.CreateFilter(spec, partialUpdates=False)

    def _deliver(self, watches: list[Watch], update: Any) -> None:
        for changed in (one for group in update.filterSet or () for one in group.objectSet or ()):
            key = changed.obj._moId  # noqa: SLF001 - pyVmomi has no other way
            for watch in watches:
                if all(key != identity for _, identity in watch.objects):
                    continue
                with watch.changed:
                    if changed.kind == "leave":
                        watch.gone.add(key)
                    for one in changed.changeSet or ():
                        watch.values[key, one.name] = one.val
                    watch.changed.notify_all()

    def _lose(self, watches: list[Watch], fault: Any) -> None:
        """A watched object is no more: tell its watches, watch the others."""
        key = fault.obj._moId if fault.obj is not None else ""  # noqa: SLF001 - pyVmomi has no other way
        known = False
        for watch in watches:
            if any(key == identity for _, identity in watch.objects):
                known = True
                with watch.changed:
                    watch.gone.add(key)
                    watch.armed = True
                    watch.changed.notify_all()
        with self._state:
            self._stale = True
        if not known:  # it was our own collector or filter
            self._recover(login=False)

    def _recover(self, *, login: bool) -> None:
        """Start over with a new collector; wait a little unless only the session had ended."""
        self._collector = None
        self._failures += 1
        if login:
            try:
                self._session.renew(self._generation)
            except ProviderError:
                login = False
        if not login or self._failures > 1:
            with self._state:
                self._state.wait(1.0)


def unfinished(what: str, endpoint: str, hint: str = "") -> ProviderError:
    """Return the error for a task that goes on after the wait for it ended."""
    return ProviderError(
        Problem(
            code="task-unfinished",
            summary=f"{what} is still under way",
            detail="The time for it is over, but vCenter goes on with it.",
            hint=hint or "Resume later, or give the step a longer timeout.",
            endpoint=endpoint,
        ),
        effect_unknown=True,
    )
