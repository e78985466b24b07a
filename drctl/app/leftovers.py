"""Drills that nobody cleaned up after: said before anything else is planned."""

from __future__ import annotations

from collections.abc import Iterator

from drctl.app.case import Case
from drctl.app.context import Context
from drctl.core.leftovers import cleanup_hint, uncleaned
from drctl.core.problem import DrctlError, ExitCode, Problem
from drctl.core.run import Run


def leftover_drills(context: Context) -> tuple[Run, ...]:
    """Return the drills that left something behind, oldest first; broken journals are passed over."""
    return uncleaned(_readable(context))


def leftover_problems(context: Context) -> tuple[Problem, ...]:
    """Return a warning for each of them."""
    return tuple(_problem(run) for run in leftover_drills(context))


def refuse_leftovers(context: Context, case: Case) -> None:
    """Raise ``DrctlError`` (exit 3) when a drill would meet what an earlier one left in the same bubble."""
    left = [
        _problem(run)
        for run in leftover_drills(context)
        if run.started is not None and run.started.target.name == case.expansion.target
    ]
    if case.mode == "drill" and left:
        raise DrctlError(*left, exit_code=ExitCode.BLOCKED)


def _readable(context: Context) -> Iterator[Run]:
    for directory in context.home.all():
        try:
            yield directory.fold()
        except DrctlError:
            continue  # `drctl runs` and `drctl verify` name it


def _problem(run: Run) -> Problem:
    started = run.started
    name, when = (started.run, run.started_at) if started else ("", None)
    began = f", begun {when:%Y-%m-%d %H:%M} UTC," if when else ""
    ended = "ended" if run.finished else "stopped"
    return Problem(
        code="drill-uncleaned",
        summary=f"the drill {name}{began} has {ended} and was never cleaned up",
        detail="Its clones take space and lock the snapshots they stand on: mirrors fail once those expire.",
        hint=cleanup_hint(run),
        severity="warning",
    )
