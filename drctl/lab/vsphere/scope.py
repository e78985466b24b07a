"""What a method works on: one vCenter of the world, the session that asks, and what both keep.

The estate is the world's; only what belongs to the server itself lives here: sessions, their views
and collectors, and task results that are no managed objects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol, TypeAlias

from drctl.lab.model import VCenter
from drctl.lab.vsphere.soap import Call
from drctl.lab.vsphere.values import Ref, Value
from drctl.lab.world import World


class Owned(Protocol):
    """Something a session made: a view, a property collector, a filter, a task collector."""

    ref: Ref


@dataclass
class Session:
    """A login; ``id`` is what the cookie carries, ``key`` what SessionManager shows."""

    id: str
    key: str
    user: str
    peer: str
    agent: str
    began: datetime
    active: datetime
    calls: int = 0
    ended: bool = False
    made: dict[str, Owned] = field(default_factory=dict)
    serial: int = 0

    def name(self, what: str) -> str:
        """Return a moref for something of this session; nobody else can use it."""
        self.serial += 1
        return f"session[{self.key}]{what}-{self.serial}"


@dataclass
class Program:
    """A program in a guest, kept after its end as the API keeps it."""

    pid: int
    vm: str
    """Moref."""
    owner: str
    command: str
    began: datetime
    ended: datetime | None = None
    code: int | None = None


@dataclass
class Center:
    """One vCenter as its server knows it."""

    world: World
    vcenter: VCenter
    address: str
    port: int
    kinds: Mapping[str, Kind]
    """Every managed type this server knows."""
    sessions: dict[str, Session] = field(default_factory=dict)
    reading: VCenter = field(init=False)
    """Keeps the tasks that only read, so that they leave no trace in the estate."""
    tickets: dict[str, str] = field(default_factory=dict)
    """Clone ticket to user."""
    results: dict[str, Value] = field(default_factory=dict)
    """Task moref to a result that is no managed object."""
    guests: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """VM moref to the files that programs wrote inside the guest."""
    processes: dict[int, Program] = field(default_factory=dict)
    """By process id."""
    transfers: dict[str, bytes] = field(default_factory=dict)
    """Token of a guest file transfer to the file's content."""

    def __post_init__(self) -> None:
        self.reading = replace(self.vcenter, tasks={}, next_id=9_000_000)

    def record(self, call: str, target: str) -> None:
        """Log a mutating call."""
        self.world.record(self.vcenter.site, "vsphere", call, target)


@dataclass(frozen=True, slots=True)
class Scope:
    """Who asks, and whom."""

    center: Center
    session: Session


class Kind(Protocol):
    """A managed type whose objects can be found and read."""

    def exists(self, scope: Scope, ref: Ref) -> bool:
        """Tell whether the object is there, for this session."""
        ...

    def read(self, scope: Scope, ref: Ref, paths: Sequence[str]) -> list[Value]:
        """Return the value of each path, None where it is unset.

        Raises:
            Fault: ManagedObjectNotFound.
        """
        ...

    def names(self, kind: str) -> tuple[str, ...]:
        """Return the top-level properties that this server knows."""
        ...


Method: TypeAlias = Callable[[Scope, Call], Value]
"""A method's work; it takes the world's lock itself and may raise ``Fault`` or ``VimFault``."""

Methods: TypeAlias = Mapping[tuple[str, str], Method]
"""Managed type and WSDL name of the method to its work; a type inherits what its ancestors do."""
