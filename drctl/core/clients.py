"""Open clients, one per endpoint and access, shared by all workers and opened on first use."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Self

from drctl.core.clock import Clock
from drctl.core.problem import DrctlError, Problem, ProviderError
from drctl.core.provider import Access, Endpoint, Provider, Registry

UNREACHABLE_FOR = 20.0
"""Seconds during which an endpoint that timed out is not tried again: the steps of a dead site would
otherwise wait for the same time-out one after the other."""


class Clients:
    """A pool of clients; closing it ends every session. ``object`` is the erased client type."""

    def __init__(self, registry: Registry, endpoints: Mapping[str, Endpoint], clock: Clock) -> None:
        self._registry = registry
        self._endpoints = endpoints
        self._clock = clock
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._locks: dict[tuple[str, Access], threading.Lock] = {}
        self._open: dict[tuple[str, Access], object] = {}
        self._unreachable: dict[str, tuple[float, ProviderError]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def endpoint(self, name: str | None) -> Endpoint | None:
        """Return an endpoint of the inventory; raise ``DrctlError`` when there is none of that name."""
        if name is None:
            return None
        if name not in self._endpoints:
            raise DrctlError(Problem(code="unknown-endpoint", summary=f"no endpoint is called {name!r}"))
        return self._endpoints[name]

    def provider(self, uses: str) -> Provider:
        """Return the provider of an action's full name."""
        return self._registry.provider(uses.split(".", 1)[0])

    def client(self, provider: Provider, name: str | None, access: Access) -> object:
        """Return the open client; raise ``ProviderError`` while the endpoint is known to be out of reach."""
        if name is not None:
            self._refuse_unreachable(name)
        key = (name or provider.name, access)
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._open:
                context = provider.connect(self.endpoint(name), access)
                self._open[key] = self._stack.enter_context(context)
            return self._open[key]

    def note(self, name: str | None, error: ProviderError) -> None:
        """Remember that an endpoint could not be reached; being refused here is no news of it."""
        if name is not None and error.unreachable and self._known_unreachable(name) is None:
            self._unreachable[name] = (self._clock.monotonic() + UNREACHABLE_FOR, error)

    def _refuse_unreachable(self, name: str) -> None:
        error = self._known_unreachable(name)
        if error is not None:
            raise ProviderError(error.problem, transient=error.transient, unreachable=True)

    def _known_unreachable(self, name: str) -> ProviderError | None:
        until, error = self._unreachable.get(name, (0.0, None))
        return error if self._clock.monotonic() < until else None
