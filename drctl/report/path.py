"""The critical path: the chain of steps that decided when the run ended."""

from __future__ import annotations

from collections.abc import Mapping

from drctl.core.run import State, StepRun
from drctl.report.timeline import Timeline


def critical_path(timeline: Timeline) -> frozenset[str]:
    """Return the steps on it, walked back from the one that ended last over the needs that ended last.

    Steps that took no part (not needed, skipped, not exercised) are on no path.
    """
    steps = {step.id: step for step in timeline.steps}
    ran = [step for step in steps.values() if _took_part(step)]
    if not ran:
        return frozenset()
    at: StepRun | None = max(ran, key=_end)
    path: set[str] = set()
    while at is not None and at.id not in path:
        path.add(at.id)
        at = _before(at, steps)
    return frozenset(path)


def _before(step: StepRun, steps: Mapping[str, StepRun]) -> StepRun | None:
    """Return the need that ended last; through needs that took no part to theirs."""
    found: list[StepRun] = []
    seen: set[str] = set()
    todo = list(step.planned.needs) if step.planned else []
    while todo:
        name = todo.pop()
        need = steps.get(name)
        if name in seen or need is None:
            continue
        seen.add(name)
        if _took_part(need):
            found.append(need)
        elif need.planned is not None:
            todo += need.planned.needs
    return max(found, key=_end, default=None)


def _took_part(step: StepRun) -> bool:
    idle = {State.SKIPPED, State.NOT_EXERCISED, State.PENDING}
    return step.state not in idle and step.ended is not None


def _end(step: StepRun) -> float:
    return step.ended.timestamp() if step.ended else 0.0
