"""How a run ends that no engine drives any more: what was under way is in doubt, and the last word counts it."""

from __future__ import annotations

from copy import deepcopy

from drctl.app.context import Context
from drctl.core import events as ev
from drctl.core.events import Recorded
from drctl.core.problem import ExitCode
from drctl.core.run import Run, State, StepRun
from drctl.engine.decide import closing


def last_words(context: Context, run: Run, *said: ev.EventData) -> list[ev.EventData]:
    """Return what an aborted run's journal ends with: ``said``, the doubts it leaves, its end."""
    left = [left_running(record) for record in run.steps.values() if record.state is State.RUNNING]
    events = [*said, *left]
    ended = deepcopy(run)
    for event in events:
        ended.add(Recorded(0, context.clock.now(), context.actor, event))
    steps = [i for i, r in run.steps.items() if r.planned is not None and not r.planned.precheck]
    return [*events, closing(steps, ended, "aborted", ExitCode.FAILED)]


def left_running(record: StepRun) -> ev.StepIndeterminate:
    """Return that nobody knows how a step ended."""
    problem = ev.ProblemData(
        code="interrupted",
        summary="its engine ended while it ran, and nobody has read reality since",
        hint="Look at the target.",
    )
    return ev.StepIndeterminate(step=record.id, problem=problem)
