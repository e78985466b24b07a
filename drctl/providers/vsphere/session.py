"""One session per vCenter: it logs in on first use, again when the session ended, and calls.

Importing this module imports pyVmomi; ``client`` does so when it first connects.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pyVmomi import vim as _vim
from pyVmomi import vmodl as _vmodl

from drctl.core.clock import Clock
from drctl.core.problem import ProviderError
from drctl.core.provider import Access
from drctl.providers.vsphere.endpoint import VsphereEndpoint
from drctl.providers.vsphere.faults import explain
from drctl.providers.vsphere.stub import REPLY_LOST, Stub, open_stub

T = TypeVar("T")

# pyVmomi's stubs leave constructors and faults untyped: inside this package its objects are Any, and
# ``reads`` turns them into the dataclasses of ``model``.
vim: Any = _vim
vmodl: Any = _vmodl

IDLE = 60.0
"""Seconds after which a changing call is preceded by a harmless one, to find out an ended session."""


@dataclass
class Wire:
    """A logged-in session; ``views`` are its container views by type."""

    stub: Stub
    content: Any
    generation: int
    skew: float
    """The vCenter's clock minus ours at login, in seconds."""
    views: dict[str, Any] = field(default_factory=dict)
    vim: Any = vim
    vmodl: Any = vmodl

    def ref(self, kind: str, identity: str) -> Any:
        """Return the managed object of a type (``VirtualMachine``) and an id (``vm-12``)."""
        return self.kind(kind)(identity, self.stub)

    def kind(self, name: str) -> Any:
        """Return pyVmomi's class of a type (``VirtualMachine``, ``dvs.DistributedVirtualPortgroup``)."""
        found: Any = vim
        for part in name.split("."):
            found = getattr(found, part)
        return found


class Session:
    """Calls to one vCenter; all threads share it."""

    def __init__(self, endpoint: VsphereEndpoint, access: Access, clock: Clock) -> None:
        self.endpoint = endpoint
        self.access = access
        self._clock = clock
        self._lock = threading.Lock()
        self._wire: Wire | None = None
        self._generation = 0
        self._failure: tuple[float, ProviderError] | None = None
        self._last = 0.0

    def wire(self) -> Wire:
        """Return the session, logging in when there is none; raise ``ProviderError``."""
        wire = self._wire
        if wire is not None:
            return wire
        asked = self._clock.monotonic()
        with self._lock:
            if self._wire is None:
                # Threads that waited for an attempt share its failure: a dead vCenter costs one timeout.
                if self._failure and self._failure[0] >= asked:
                    raise self._failure[1]
                try:
                    self._wire = self._login(None)
                except ProviderError as error:
                    self._failure = (self._clock.monotonic(), error)
                    raise
            return self._wire

    def renew(self, generation: int) -> None:
        """Log in again unless another thread already did since ``generation``."""
        with self._lock:
            if self._wire is not None and self._wire.generation == generation:
                stub, self._wire = self._wire.stub, None
                self._wire = self._login(stub)

    def _login(self, stub: Stub | None) -> Wire:
        stub = stub or open_stub(self.endpoint, self.access)
        instance = vim.ServiceInstance("ServiceInstance", stub)
        try:
            content = instance.RetrieveServiceContent()
            content.sessionManager.Login(self.endpoint.username, self.endpoint.password.reveal())
            before = self._clock.now()
            skew = (instance.CurrentTime() - before).total_seconds()
        except vmodl.MethodFault as fault:
            stub.hang_up()
            what = (
                f"{self.endpoint.name} ({self.endpoint.host}) refused the login of {self.endpoint.username}"
            )
            raise explain(what, fault, self.endpoint.name) from fault
        except ProviderError:
            stub.hang_up()
            raise
        self._generation += 1
        self._last = self._clock.monotonic()
        return Wire(stub, content, self._generation, skew)

    def read(self, what: str, call: Callable[[Wire], T]) -> T:
        """Make a call that changes nothing; an ended session or a lost answer is tried once more.

        Raises:
            ProviderError: with ``what`` in front.
        """
        try:
            return self._twice(call, lost=True)
        except vmodl.MethodFault as fault:
            raise explain(what, fault, self.endpoint.name) from fault

    def write(self, what: str, call: Callable[[Wire], T]) -> T:
        """Make one changing call; it is sent again only when the server said it was not logged in.

        Raises:
            ProviderError: ``effect_unknown`` when it was sent and no answer came.
        """
        if self._clock.monotonic() - self._last > IDLE:
            self.read("session", lambda wire: wire.ref("ServiceInstance", "ServiceInstance").CurrentTime())
        try:
            return self._twice(call, lost=False)
        except vmodl.MethodFault as fault:
            raise explain(what, fault, self.endpoint.name) from fault

    def attempt(self, call: Callable[[Wire], T]) -> T:
        """Make a read whose vSphere faults the caller handles: they are raised as they came."""
        return self._twice(call, lost=True)

    def _twice(self, call: Callable[[Wire], T], *, lost: bool) -> T:
        wire = self.wire()
        try:
            result = call(wire)
        except vim.fault.NotAuthenticated:
            self.renew(wire.generation)
            result = call(self.wire())
        except ProviderError as error:
            if not lost or error.problem.code != REPLY_LOST:
                raise
            result = call(self.wire())
        self._last = self._clock.monotonic()
        return result

    def close(self) -> None:
        """Log out and drop the connections; what goes wrong now no longer matters."""
        with self._lock:
            wire, self._wire = self._wire, None
        if wire is None:
            return
        try:
            wire.content.sessionManager.Logout()
        except (ProviderError, vmodl.MethodFault):
            return
        finally:
            wire.stub.hang_up()
