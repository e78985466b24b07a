"""A coverage matrix as lines of text and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pydantic import JsonValue

from drctl.core.duration import format_duration
from drctl.report.coverage import Coverage, Status, StepCoverage, Trial

STATUSES: tuple[Status, ...] = ("for real", "in the bubble", "not exercised", "never")


def coverage_lines(coverage: Coverage, runbook: str) -> Iterator[str]:
    """Yield the matrix, phase by phase, then what is stale and what nobody ever exercised."""
    modes = Counter(run.mode for run in coverage.runs)
    if not coverage.runs:
        yield f"{runbook}: no run yet, so nothing of it is proven."
    else:
        counted = ", ".join(f"{count} {mode}" for mode, count in modes.items())
        first, last = coverage.runs[0].began, coverage.runs[-1].began
        several = "s" if len(coverage.runs) > 1 else ""
        yield f"{runbook}: {len(coverage.runs)} run{several} ({counted}), {first:%Y-%m-%d} to {last:%Y-%m-%d}"
    shares = Counter(step.status for step in coverage.steps if not step.gone)
    yield "  " + ", ".join(f"{shares[status]} {status}" for status in STATUSES)
    phase = None
    for step in (step for step in coverage.steps if not step.gone):
        if step.phase != phase:
            phase = step.phase
            yield ""
            yield f"{phase:<36} {'for real':<11}{'bubble':<11}{'took':<14}last result"
        yield from _step_lines(step)
    yield from _stale(coverage)
    yield from _uncovered(coverage)
    gone = [step for step in coverage.steps if step.gone]
    if gone:
        yield ""
        yield f"No longer in the runbook: {', '.join(step.step for step in gone)}"


def _step_lines(step: StepCoverage) -> Iterator[str]:
    took = step.exercised.seconds if step.exercised else None
    figures = (
        f"{_day(step.real):<11}{_day(step.bubble):<11}"
        f"{format_duration(took) if took is not None else '-':<14}{_result(step)}"
    )
    mark = "!" if step.stale else " "
    if len(step.step) <= 34:
        yield f"{mark} {step.step:<34} {figures}"
        return
    yield f"{mark} {step.step}"
    yield f"{'':<37}{figures}"


def _stale(coverage: Coverage) -> Iterator[str]:
    if coverage.stale:
        yield ""
        yield f"! Stale (older than {coverage.older_than / 86400:.0f} d, changed or failed since):"
    for step in coverage.stale:
        yield f"  {step.step}: {'; '.join(step.stale)}"


def _uncovered(coverage: Coverage) -> Iterator[str]:
    for status, words in (("not exercised", "Planned, never exercised"), ("never", "Never in any run")):
        steps = [step for step in coverage.steps if step.status == status and not step.gone]
        if steps:
            yield ""
            yield f"{words}:"
        for step in steps:
            yield f"  {step.step}" + (f": {_result(step)}" if step.last else "")


def _result(step: StepCoverage) -> str:
    return step.last.result if step.last else "never"


def _day(trial: Trial | None) -> str:
    return f"{trial.at:%Y-%m-%d}" if trial else "-"


def coverage_document(coverage: Coverage, runbook: str) -> dict[str, JsonValue]:
    """Return the matrix as ``coverage --json`` prints it."""
    return {
        "kind": "coverage",
        "runbook": runbook,
        "older_than_seconds": coverage.older_than,
        "runs": [
            {
                "run": run.run,
                "mode": run.mode,
                "place": run.place,
                "began": run.began.isoformat(timespec="milliseconds"),
                "runbook_digest": run.runbook_digest,
            }
            for run in coverage.runs
        ],
        "counts": {status: len(_of(coverage, status)) for status in STATUSES},
        "stale": [step.step for step in coverage.stale],
        "steps": [_step_document(step) for step in coverage.steps],
    }


def _of(coverage: Coverage, status: str) -> list[StepCoverage]:
    return [step for step in coverage.steps if step.status == status and not step.gone]


def _step_document(step: StepCoverage) -> dict[str, JsonValue]:
    return {
        "step": step.step,
        "title": step.title,
        "phase": step.phase,
        "kind": step.kind,
        "status": step.status,
        "gone": step.gone,
        "stale": list(step.stale),
        "real": _trial_document(step.real),
        "bubble": _trial_document(step.bubble),
        "last": _trial_document(step.last),
        "trials": [_trial_document(trial) for trial in step.trials],
    }


def _trial_document(trial: Trial | None) -> dict[str, JsonValue] | None:
    if trial is None:
        return None
    return {
        "run": trial.run.run,
        "mode": trial.run.mode,
        "at": trial.at.isoformat(timespec="milliseconds"),
        "result": trial.result,
        "exercised": trial.exercised,
        "seconds": trial.seconds,
    }
