"""How long to wait, how often to try again, how to look repeatedly: all limits in one place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from drctl.core.events import GateOpened, StepNotExercised, StepSkipped
from drctl.engine.step import Gate, Outputs, Retry, Step, StepId, Unresolved

STEP_TIMEOUT = 900.0
"""Seconds an action may take where the runbook says nothing: longer than a slow boot or a busy array."""

DEFAULT_RETRY = Retry(attempts=4, every=2.0, backoff=2.0)
"""For what a provider calls transient, where the runbook says nothing."""

DOUBT_TIMEOUT = 60.0
"""Seconds to go on reading after a lost reply before a step is called indeterminate."""


ON_ITS_WAY = 1.0
"""Seconds in which a request that a dead engine had sent may still take effect."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one step."""

    timeout: float
    retry: Retry

    @classmethod
    def of(cls, step: Step) -> Limits:
        """Return what the runbook says, with the defaults where it says nothing."""
        return cls(step.timeout or STEP_TIMEOUT, step.retry or DEFAULT_RETRY)

    def delay(self, attempt: int) -> float:
        """Return the seconds to wait after the given failed attempt, counted from 1."""
        return self.retry.every * self.retry.backoff ** (attempt - 1)


def intervals(first: float = 0.05, factor: float = 1.5, longest: float = 2.0) -> Iterator[float]:
    """Yield the pauses between two looks: short at first, never longer than ``longest`` seconds."""
    pause = first
    while True:
        yield pause
        pause = min(pause * factor, longest)


def open_gate(step: Step, gate: Gate, now: datetime) -> GateOpened:
    """Return the event that opens a gate; its clock runs from now, whatever becomes of the process."""
    deadline = None if gate.timeout is None else now + timedelta(seconds=gate.timeout)
    return GateOpened(
        step=step.id, ask=gate.ask, role=gate.role or "", deadline=deadline, on_timeout=gate.on_timeout
    )


def overdue(opened: GateOpened, now: datetime) -> bool:
    """Say whether a gate's time has passed."""
    return opened.deadline is not None and now >= opened.deadline


def pass_over(
    step: Step, outputs: Outputs, unexercised: frozenset[StepId]
) -> StepSkipped | StepNotExercised | None:
    """Return why a step is not done at all: its condition, or that a drill leaves it out.

    Raises:
        DrctlError: the condition fails on the values it was given.
    """
    try:
        if step.when is not None and not step.when.holds(outputs):
            return StepSkipped(step=step.id, reason="its condition does not hold", cause="condition")
    except Unresolved as error:
        return without(step, error, unexercised)
    if step.not_exercised:
        return StepNotExercised(step=step.id, reason=step.not_exercised)
    return None


def without(
    step: Step, missing: Unresolved, unexercised: frozenset[StepId]
) -> StepSkipped | StepNotExercised:
    """Return what becomes of a step because the outputs of others will never be there."""
    if missing.steps & unexercised:
        return StepNotExercised(step=step.id, reason=f"{missing}, which the drill does not exercise")
    return StepSkipped(step=step.id, reason=str(missing), cause="chain", after=min(missing.steps, default=""))
