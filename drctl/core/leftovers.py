"""Which drills left something behind: folded from the runs' journals, nothing else is asked."""

from __future__ import annotations

from collections.abc import Iterable

from drctl.core.run import Run


def uncleaned(runs: Iterable[Run]) -> tuple[Run, ...]:
    """Return the drills that began to change something and that no completed cleanup followed."""
    drills: list[Run] = []
    cleaned: set[str] = set()
    for run in runs:
        if run.started is None:
            continue
        if run.started.mode == "drill" and _changed(run):
            drills.append(run)
        elif run.started.mode == "cleanup" and _completed(run) and run.started.parent is not None:
            cleaned.add(run.started.parent)
    return tuple(run for run in drills if run.started is not None and run.started.run not in cleaned)


def cleanup_hint(run: Run) -> str:
    """Return the command that cleans up after a drill."""
    return f"drctl cleanup {run.started.run}" if run.started else ""


def _changed(run: Run) -> bool:
    return any(step.change is not None for step in run.steps.values())


def _completed(run: Run) -> bool:
    return run.finished is not None and run.finished.outcome == "completed"
