"""What a step's thread works with: the shared surroundings, its assignment, its line to the journal."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from drctl.core import events as ev
from drctl.core.action import Handle, Interrupted, ObjectRef
from drctl.core.clock import Clock
from drctl.core.operation import Binder
from drctl.core.run import StepRun
from drctl.engine.step import Outputs, Step, StepId


class Log(Protocol):
    """The part of the journal a worker needs."""

    def append(self, *events: ev.EventData) -> None:
        """Return when the events are durable."""
        ...


class Touched:
    """The objects this run has begun to change: they are not held to the plan any more.

    Steps side by side may share an object, so it counts from the moment a step begins, not from its end.
    """

    def __init__(self, objects: Iterable[ObjectRef] = ()) -> None:
        self._objects = set(objects)
        self._lock = threading.Lock()

    def add(self, objects: Iterable[ObjectRef]) -> None:
        """Remember objects that are about to change."""
        with self._lock:
            self._objects.update(objects)

    def holds_any(self, objects: frozenset[ObjectRef]) -> bool:
        """Say whether one of these was touched."""
        with self._lock:
            return not self._objects.isdisjoint(objects)


@dataclass(frozen=True)
class Surroundings:
    """What every worker of a run shares. ``let_go`` is set when steps must be left as they are."""

    binder: Binder
    log: Log
    clock: Clock
    run_id: str
    let_go: threading.Event
    touched: Touched = field(default_factory=Touched)


@dataclass(frozen=True)
class Assignment:
    """A step to do, and what the run knows at its start.

    ``unexercised`` are the steps a drill left out: what needs their outputs is left out, too.
    """

    step: Step
    record: StepRun
    outputs: Outputs
    unexercised: frozenset[StepId] = frozenset()


class StepControl:
    """The ``Control`` of one attempt."""

    def __init__(self, around: Surroundings, step: Step, deadline: float) -> None:
        self._around = around
        self._step = step.id
        self._deadline = deadline

    @property
    def mark(self) -> str:
        """Return ``drctl:<run>:<step>``."""
        return f"drctl:{self._around.run_id}:{self._step}"

    def progress(self, message: str, fraction: float | None = None) -> None:
        """Journal how far the step is."""
        self._check()
        self._around.log.append(ev.StepProgress(step=self._step, message=message, fraction=fraction))

    def override(self, what: str, why: str) -> None:
        """Journal a documented override before it is used."""
        self._check()
        self._around.log.append(ev.StepProgress(step=self._step, message=f"{what}: {why}", override=True))

    def handle(self, handle: Handle) -> None:
        """Journal the id of a long job."""
        self._around.log.append(
            ev.StepHandle(step=self._step, kind=handle.kind, id=handle.id, summary=handle.summary)
        )

    def sleep(self, seconds: float) -> None:
        """Wait; raise ``Interrupted`` when the run lets go."""
        self._around.clock.sleep(seconds, self._around.let_go)
        self._check()

    def remaining(self) -> float:
        """Return the seconds left before the step's deadline."""
        return max(0.0, self._deadline - self._around.clock.monotonic())

    def _check(self) -> None:
        if self._around.let_go.is_set():
            raise Interrupted
