"""What expansion hands to the engine: steps with everything resolved but other steps' outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from pydantic import JsonValue

from drctl.core.operation import Binder, Operation
from drctl.core.problem import Source

StepId: TypeAlias = str
"""Stable across edits of a runbook: ``go``, ``stop-source[pacs-db01]``, ``promote[pacs_vm].break``."""

Outputs: TypeAlias = Mapping[StepId, Mapping[str, JsonValue]]
"""The outputs of the steps that have ended, by step."""

Mode: TypeAlias = Literal["failover", "switchover", "drill", "failback", "cleanup", "rollback", "reprotect"]
"""The first four run a runbook; the others are built from another run's journal."""


class Unresolved(Exception):  # noqa: N818 - a statement about the moment, not an error of the caller
    """Raised when a value needs outputs that are not there (yet); ``steps`` names the steps."""

    def __init__(self, steps: frozenset[StepId]) -> None:
        super().__init__(f"needs the outputs of {', '.join(sorted(steps))}")
        self.steps = steps


class Template(Protocol):
    """A step's ``with:``, resolved up to the outputs of other steps."""

    @property
    def references(self) -> frozenset[StepId]:
        """Name the steps whose outputs it uses."""
        ...

    def resolve(self, outputs: Outputs) -> dict[str, JsonValue]:
        """Fill the outputs in.

        Raises:
            Unresolved: A step it refers to has no outputs, or not the one it asks for.
            DrctlError: The expression fails on the values it was given.
        """
        ...


class Condition(Protocol):
    """A ``when:`` that can only be decided with outputs of other steps."""

    @property
    def references(self) -> frozenset[StepId]:
        """Name the steps whose outputs it uses."""
        ...

    def holds(self, outputs: Outputs) -> bool:
        """Decide; raise ``Unresolved`` or ``DrctlError`` as ``Template.resolve`` does."""
        ...


@dataclass(frozen=True, slots=True)
class Use:
    """An action or probe and where it happens; ``endpoint`` and ``site`` are None for ``check.*``.

    ``as_is``: the runbook wrote it for drills, which put nothing else in its place.
    """

    uses: str
    kind: Literal["action", "probe"]
    endpoint: str | None
    site: str | None
    arguments: Template
    references: frozenset[StepId] = frozenset()
    as_is: bool = False

    def bound(self, binder: Binder, outputs: Outputs) -> Operation:
        """Fill the outputs in and bind; raise ``Unresolved``, ``Unexercised`` or ``DrctlError``."""
        arguments = self.arguments.resolve(outputs)
        return binder.bind(self.uses, self.endpoint, arguments, as_is=self.as_is)


@dataclass(frozen=True, slots=True)
class Gate:
    """A go/no-go decision; ``timeout`` in seconds."""

    ask: str
    role: str | None = None
    timeout: float | None = None
    on_timeout: Literal["ask", "deny", "continue"] = "ask"


@dataclass(frozen=True, slots=True)
class Manual:
    """Work a person does and confirms; ``confirms`` names the service whose return it proves."""

    do: str
    role: str | None = None
    evidence: str | None = None
    confirms: str | None = None


@dataclass(frozen=True, slots=True)
class Until:
    """Repeat a probe until it is content (and ``when`` holds), for ``timeout`` seconds at most."""

    timeout: float
    every: float = 5.0
    when: Condition | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """How often to try again what a provider calls transient; ``every`` in seconds, times ``backoff``."""

    attempts: int
    every: float = 5.0
    backoff: float = 2.0


OnError: TypeAlias = Literal["stop", "continue", "ask"]


@dataclass(frozen=True, slots=True)
class Step:
    """One node of the graph.

    ``needs`` holds order, explicit needs and references alike. ``chain`` names the item chain a step
    belongs to (``promote[pacs_vm]``): a tolerated failure skips the rest of it. ``lane`` bounds how
    many chains or steps of a group run at once: (group, limit). ``when`` is set only where the
    decision needs outputs; otherwise expansion has decided. ``reaches`` are the sites that must
    answer for it to succeed. ``definition`` is the SHA-256 of what the runbook says of the step,
    before anything is filled in: it differs when the step was edited, never between modes or items. ``not_exercised`` says
    why a drill leaves it out, where the runbook does.
    """

    id: StepId
    title: str
    phase: str
    body: Use | Gate | Manual
    where: Source
    needs: frozenset[StepId] = frozenset()
    service: str | None = None
    item: str | None = None
    chain: str | None = None
    on_error: OnError = "stop"
    retry: Retry | None = None
    timeout: float | None = None
    until: Until | None = None
    when: Condition | None = None
    lane: tuple[str, int] | None = None
    reaches: frozenset[str] = frozenset()
    definition: str = ""
    not_exercised: str = ""


@dataclass(frozen=True, slots=True)
class Expansion:
    """A runbook multiplied out for one mode; ``steps`` and ``prechecks`` in the file's order.

    ``skipped`` names what was left out, and why. ``services`` are those the run works on.
    """

    mode: Mode
    source: str
    target: str
    steps: tuple[Step, ...]
    prechecks: tuple[Step, ...] = ()
    skipped: tuple[tuple[StepId, str], ...] = ()
    services: frozenset[str] = frozenset()
