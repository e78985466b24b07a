"""A provider whose world is a dictionary, and does what a script says: no network, no waiting.

``thing.set`` brings a thing into a state, ``thing.run`` runs a command that leaves no trace to read,
``thing.see`` looks whether a thing is in a state. ``Things.script`` puts one behaviour before the usual
one of a verb (``read``, ``apply``, ``running``): an exception is raised, a function is called with the world.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from drctl.core.action import (
    Action,
    Change,
    Control,
    DataLoss,
    Field,
    Handle,
    Missing,
    ObjectRef,
    Recipe,
    Reversibility,
)
from drctl.core.probe import Finding, Level, Observation, Probe
from drctl.core.problem import Problem, ProviderError
from drctl.core.provider import Access, Endpoint, Registry
from drctl.core.secret import Secret


class Things:
    """The world: what state each thing is in, what was done to it, what is still at it.

    Applying to what is ``ineffective`` changes nothing.
    """

    def __init__(self, **states: str) -> None:
        self.states: dict[str, str] = dict(states)
        self.calls: list[str] = []
        self.reads: list[str] = []
        self.running: dict[str, str] = {}
        self.asked_since: list[datetime] = []
        self.ineffective: set[str] = set()
        self.loss: dict[str, DataLoss] = {}
        self.at_once = 0
        self.most_at_once = 0
        self._lock = threading.Lock()
        self._scripts: dict[tuple[str, str], deque[object]] = defaultdict(deque)

    def script(self, verb: str, thing: str, *behaviours: object) -> None:
        """Queue behaviours; ``None`` is the usual one."""
        self._scripts[verb, thing].extend(behaviours)

    def play(self, verb: str, thing: str) -> object:
        """Do what is next; return what a function returned, None for the usual."""
        queue = self._scripts[verb, thing]
        behaviour = queue.popleft() if queue else None
        if isinstance(behaviour, BaseException):
            raise behaviour
        return behaviour(self) if callable(behaviour) else None

    def forget(self) -> None:
        """Do as usual from now on."""
        self._scripts.clear()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Count who is at work at the same time."""
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            yield
        finally:
            with self._lock:
                self.at_once -= 1


def failed(summary: str = "refused", **flags: bool) -> ProviderError:
    """A provider's error: ``transient``, ``unreachable``, ``effect_unknown``."""
    return ProviderError(Problem(code="scripted", summary=summary), **flags)


def made(thing: str, state: str) -> Callable[[Things], None]:
    """A behaviour: the thing comes into that state by itself."""

    def change(world: Things) -> None:
        world.states[thing] = state

    return change


@dataclass(frozen=True)
class Seen:
    """What reading says."""

    state: str | None
    needed: bool = True
    loss: DataLoss | None = None


class Set(Action[Things, Seen]):
    """Bring a thing into a state."""

    name = "thing.set"
    reversibility = Reversibility.REVERSIBLE
    state = Seen
    output_names = frozenset({"name", "before"})

    thing: str
    to: str
    wants: str | None = None
    shares: str | None = None
    again: bool = True

    def touches(self) -> frozenset[ObjectRef]:
        shared = {ObjectRef("thing", self.shares)} if self.shares else set()
        return frozenset({ObjectRef("thing", self.thing)} | shared)

    def is_convergent(self) -> bool:
        return self.again

    def read(self, client: Things) -> Seen:
        client.reads.append(self.thing)
        client.play("read", self.thing)
        return Seen(
            client.states.get(self.thing),
            self.wants is None or self.wants in client.states,
            client.loss.get(self.thing),
        )

    def diff(self, now: Seen) -> Change | None:
        if not now.needed:
            raise Missing(ObjectRef("thing", self.wants or ""))
        if now.state == self.to:
            return None
        field = Field("state", now.state, self.to)
        return Change(f"set {self.thing} to {self.to}", (field,), loss=now.loss)

    def find_running(self, client: Things, since: datetime) -> Handle | None:
        client.asked_since.append(since)
        client.play("running", self.thing)
        job = client.running.get(self.thing)
        return None if job is None else Handle("job", job)

    def apply(self, client: Things, change: Change, control: Control) -> None:
        with client.busy():
            client.calls.append(f"{self.thing}={self.to}")
            told = client.play("apply", self.thing)
            if callable(told):
                told(control)
            if self.thing not in client.ineffective:
                client.states[self.thing] = self.to

    def foresee(self) -> Mapping[str, Any]:
        return {"name": self.thing}

    def outputs(self, now: Seen) -> Mapping[str, Any]:
        return {"name": self.thing, "before": now.state}

    def undo(self, before: Seen, change: Change) -> Recipe | None:
        return Recipe(self.name, {"thing": self.thing, "to": before.state}) if before.state else None


class Run(Action[Things, Seen]):
    """Run a command that leaves nothing to read."""

    name = "thing.run"
    reversibility = Reversibility.IRREVERSIBLE
    state = Seen
    convergent = False

    command: str

    def touches(self) -> frozenset[ObjectRef]:
        return frozenset({ObjectRef("command", self.command)})

    def read(self, client: Things) -> Seen:
        client.play("read", self.command)
        return Seen(None)

    def diff(self, now: Seen) -> Change | None:
        return Change(f"run {self.command}", (), opaque=True)

    def apply(self, client: Things, change: Change, control: Control) -> None:
        client.calls.append(self.command)
        client.play("apply", self.command)


class See(Probe[Things]):
    """Look whether a thing is in a state."""

    name = "thing.see"
    output_names = frozenset({"state"})

    thing: str
    wanted: str

    def observe(self, client: Things) -> Observation:
        client.reads.append(self.thing)
        client.play("read", self.thing)
        return Observation({"state": client.states.get(self.thing)})

    def judge(self, seen: Observation) -> Finding:
        if seen.values["state"] == self.wanted:
            return Finding(Level.OK, f"{self.thing} is {self.wanted}")
        absent = seen.values["state"] is None
        return Finding(Level.BLOCKER, f"{self.thing} is {seen.values['state']}", impossible=absent)


class ThingEndpoint(Endpoint):
    """Where things are; a secret that cannot be found shows when the connection opens."""

    host: str = "192.0.2.1"
    password: Secret | None = None


class ThingProvider:
    """Implements ``core.provider.Provider`` over one world."""

    name = "thing"
    endpoint = ThingEndpoint
    actions: Mapping[str, Any] = {"thing.set": Set, "thing.run": Run}
    probes: Mapping[str, Any] = {"thing.see": See}

    def __init__(self, world: Things) -> None:
        self.world = world
        self.opened: list[tuple[str, Access]] = []

    @contextmanager
    def connect(self, endpoint: Endpoint | None, access: Access) -> Iterator[Things]:
        if isinstance(endpoint, ThingEndpoint) and endpoint.password is not None:
            endpoint.password.reveal()
        self.opened.append((endpoint.name if endpoint else "", access))
        yield self.world


def registry(world: Things) -> Registry:
    """The registry that knows things and nothing else."""
    return Registry({"thing": ThingProvider(world)})
