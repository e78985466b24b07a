"""Before a run goes on: *journal says / reality says / will do*, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from drctl.core import events as ev
from drctl.core.action import Handle, ObjectRef
from drctl.core.operation import Binder, Look, Operation, Seen, Unexercised
from drctl.core.problem import DrctlError, ProviderError
from drctl.core.run import GOOD, Run, StepRun
from drctl.engine import verdict as vd
from drctl.engine.step import Step, StepId, Unresolved, Use
from drctl.engine.worker import SKEW


@dataclass(frozen=True, slots=True)
class Reality:
    """What reading found: the table, the finished steps that no longer hold, what this run touched."""

    table: tuple[ev.Reconciled, ...]
    undone: tuple[StepId, ...]
    touched: frozenset[ObjectRef]


def reconcile(steps: Sequence[Step], run: Run, binder: Binder) -> Reality:
    """Read every finished and every doubtful action again, in bulk, and compare with the journal.

    ``run`` is the run as a new engine sees it: after its ``LockTaken``.
    """
    outputs = {i: record.outputs for i, record in run.steps.items() if record.state in GOOD}
    bound = _bind([step for step in steps if _begun(run.steps.get(step.id))], outputs, binder)
    looked = {identity: operation for identity, operation in bound.items() if _matters(run.steps[identity])}
    seen = dict(zip(looked, binder.look_many(list(looked.values())), strict=True))
    rows: list[ev.Reconciled] = []
    undone: list[StepId] = []
    for identity, operation in looked.items():
        record = run.steps[identity]
        row = _row(record, operation, seen[identity], _later(record, run, bound))
        if row is not None:
            rows.append(row)
            if record.state in GOOD:
                undone.append(identity)
    touched = [
        operation.touches()
        for identity, operation in bound.items()
        if _changed(run.steps[identity]) or identity in undone
    ]
    return Reality(tuple(rows), tuple(undone), frozenset().union(*touched))


def _begun(record: StepRun | None) -> bool:
    return record is not None and (_matters(record) or record.attempts > 0)


def _matters(record: StepRun) -> bool:
    """Say whether reality decides what becomes of it; what is tolerated or skipped stays as it is."""
    return record.state in GOOD or (record.uncertain and not record.settled)


def _changed(record: StepRun) -> bool:
    """Say whether this run may have changed its objects, be it in vain."""
    return record.how in {"applied", "adopted"} or record.uncertain or record.attempts > 0


def _bind(
    steps: Sequence[Step], outputs: Mapping[StepId, Mapping[str, JsonValue]], binder: Binder
) -> dict[StepId, Operation]:
    bound: dict[StepId, Operation] = {}
    for step in steps:
        if not isinstance(step.body, Use) or step.body.kind == "probe":
            continue
        try:
            bound[step.id] = step.body.bound(binder, outputs)
        except (Unresolved, Unexercised, DrctlError):
            continue  # its worker says why when its turn comes
    return bound


def _later(record: StepRun, run: Run, bound: Mapping[StepId, Operation]) -> frozenset[ObjectRef]:
    """Return what steps that ended after this one touched: they may rightly have changed its object."""
    ended = record.ended or datetime.max.replace(tzinfo=run.started_at.tzinfo if run.started_at else None)
    objects = [
        operation.touches()
        for identity, operation in bound.items()
        if identity != record.id and _changed(run.steps[identity]) and _after(run.steps[identity], ended)
    ]
    return frozenset().union(*objects)


def _after(record: StepRun, instant: datetime) -> bool:
    return record.started is not None and record.started >= instant


def _row(
    record: StepRun, operation: Operation, seen: Seen, later: frozenset[ObjectRef]
) -> ev.Reconciled | None:
    if record.uncertain:
        reality, will = _doubtful(record, operation, seen)
        said = "indeterminate" if record.ended is not None else "started, no end journaled"
        return ev.Reconciled(step=record.id, journal=said, reality=reality, will=will)
    if not isinstance(seen, Look) or seen.change is None or seen.change.opaque or operation.touches() & later:
        return None
    return ev.Reconciled(
        step=record.id,
        journal=f"finished ({record.how})",
        reality=vd.describe(vd.change_data(seen.change)),
        will="apply again, once confirmed",
    )


def _doubtful(record: StepRun, operation: Operation, seen: Seen) -> tuple[str, str]:
    if isinstance(seen, ProviderError):
        return f"cannot be read: {seen.problem.summary}", "read again; indeterminate while it cannot be read"
    if not isinstance(seen, Look):
        return str(seen), "fail, unless a step before it brings that about"
    if seen.change is None:
        return "as wished", "adopt"
    running = _running(record, operation)
    if running is not None:
        return f"{running.kind} {running.id} is running", "follow it, start no second one"
    left = vd.describe(vd.change_data(seen.change))
    return (left, "apply") if operation.convergent else (left, "ask: it must not be repeated blindly")


def _running(record: StepRun, operation: Operation) -> Handle | None:
    if record.started is None:
        return None
    try:
        return operation.find_running(record.started - SKEW)
    except ProviderError:
        return None
