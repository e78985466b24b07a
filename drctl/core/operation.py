"""An action or probe bound to its endpoint, with all types erased: all the engine ever sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

from pydantic import JsonValue

from drctl.core.action import (
    Change,
    Control,
    Handle,
    Missing,
    NotExercised,
    ObjectRef,
    Recipe,
    Reversibility,
)
from drctl.core.bubble import Bubble
from drctl.core.probe import Finding
from drctl.core.problem import ProviderError


@dataclass(frozen=True, slots=True)
class Look:
    """What one read said: an action's ``change`` (None: done), or a probe's ``finding``."""

    change: Change | None = None
    finding: Finding | None = None
    outputs: Mapping[str, JsonValue] = field(default_factory=dict)
    values: Mapping[str, JsonValue] = field(default_factory=dict)
    undo: Recipe | None = None


Seen: TypeAlias = Look | Missing | ProviderError


class Unexercised(Exception):  # noqa: N818 - a statement about the drill, not an error of the caller
    """Raised when a step is bound that a drill leaves out; ``outputs`` are those that are certain all the same."""

    def __init__(self, reason: str, outputs: Mapping[str, JsonValue]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.outputs = outputs


class Operation(Protocol):
    """Something a step can do, bound to where it does it."""

    @property
    def uses(self) -> str:
        """Return its full name."""
        ...

    @property
    def kind(self) -> Literal["action", "probe"]:
        """Say whether it may change anything."""
        ...

    @property
    def endpoint(self) -> str | None:
        """Return the endpoint it talks to; None for checks."""
        ...

    @property
    def site(self) -> str | None:
        """Return the endpoint's site."""
        ...

    @property
    def reversibility(self) -> Reversibility | None:
        """Say what it costs to go back; None for probes."""
        ...

    @property
    def convergent(self) -> bool:
        """Say whether it may be applied again after a crash."""
        ...

    @property
    def arguments(self) -> Mapping[str, JsonValue]:
        """Return its ``with:``, complete; secrets as references."""
        ...

    def touches(self) -> frozenset[ObjectRef]:
        """Name the objects it changes, with their site."""
        ...

    def foresee(self) -> Mapping[str, JsonValue]:
        """Return the outputs that are certain before it runs."""
        ...

    def look(self) -> Seen:
        """Read with a READ client and compare; what cannot be known is returned, not raised."""
        ...

    def apply(self, change: Change, control: Control) -> None:
        """Make the change with a WRITE client; raise ``ProviderError``."""
        ...

    def find_running(self, since: datetime) -> Handle | None:
        """Return a job of an earlier attempt that is still at it; raise ``ProviderError``."""
        ...

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised | None:
        """Return what a drill does instead; None (probes alone) to do it as it is; raise ``DrctlError``."""
        ...


class Binder(Protocol):
    """Turns a step's ``uses``, ``on`` and complete ``with`` into an operation."""

    def bind(
        self,
        uses: str,
        endpoint: str | None,
        arguments: Mapping[str, JsonValue],
        *,
        as_is: bool = False,
    ) -> Operation:
        """Bind; raise ``DrctlError`` with every problem of the arguments.

        ``as_is`` matters to drills alone: what the runbook writes for drills is not replaced again.
        A drill's binder raises ``Unexercised`` for what it leaves out.
        """
        ...

    def look_many(self, operations: Sequence[Operation]) -> list[Seen]:
        """Look with bulk reads where the provider has them; endpoints in parallel; in order."""
        ...
