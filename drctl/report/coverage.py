"""What was exercised, when, and what of it has gone stale: a matrix over all runs of a runbook.

A step counts as exercised when it reached its end by doing, looking or asking. A step found already
as wished, skipped, failed or not reached proves nothing, and is shown as what it was. Nor does a
manual step of a drill: it is read out and not carried out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from drctl.core import events as ev
from drctl.core.events import Recorded
from drctl.core.run import Run, State, StepRun
from drctl.report.facts import FOLLOWING
from drctl.report.timeline import result_word, seconds

Place: TypeAlias = Literal["for real", "in the bubble"]
Status: TypeAlias = Literal["for real", "in the bubble", "not exercised", "never"]


@dataclass(frozen=True, slots=True)
class RunSeen:
    """A run that counts for the matrix."""

    run: str
    mode: str
    began: datetime
    runbook_digest: str

    @property
    def place(self) -> Place:
        """Return where its steps ran: a drill works in a bubble, everything else on the estate."""
        return "in the bubble" if self.mode == "drill" else "for real"


@dataclass(frozen=True, slots=True)
class Trial:
    """What one run did with a step; ``at`` is its end, or the run's beginning where it has none."""

    run: RunSeen
    at: datetime
    result: str
    exercised: bool
    seconds: float | None
    digest: str


@dataclass(frozen=True, slots=True)
class StepCoverage:
    """A step over all runs; ``stale`` holds the reasons why its last exercise proves less today."""

    step: str
    title: str
    phase: str
    kind: str
    status: Status
    real: Trial | None
    bubble: Trial | None
    last: Trial | None
    """The last run that planned it, whatever came of it."""
    stale: tuple[str, ...]
    gone: bool
    trials: tuple[Trial, ...]

    @property
    def exercised(self) -> Trial | None:
        """Return the last time it was exercised, in either place."""
        return max(filter(None, (self.real, self.bubble)), key=_at, default=None)


@dataclass(frozen=True, slots=True)
class Coverage:
    """The matrix; ``older_than`` in seconds."""

    runs: tuple[RunSeen, ...]
    steps: tuple[StepCoverage, ...]
    older_than: float

    def of(self, *statuses: Status) -> list[StepCoverage]:
        """Return the present steps of a status."""
        return [step for step in self.steps if step.status in statuses and not step.gone]

    @property
    def stale(self) -> list[StepCoverage]:
        """Return the present steps whose last exercise proves less today."""
        return [step for step in self.steps if step.stale and not step.gone]


def cover(
    journals: Iterable[Sequence[Recorded]],
    now: datetime,
    older_than: float,
    present: Sequence[ev.StepPlanned] | None = None,
) -> Coverage:
    """Fold the journals of a runbook's runs, oldest first.

    ``present`` are the steps as the runbook has them now; without it each step is taken as the last
    run planned it.
    """
    runs: list[RunSeen] = []
    trials: dict[str, list[Trial]] = {}
    planned: dict[str, ev.StepPlanned] = {}
    for records in journals:
        run = Run.of(records)
        if run.started is None or run.started_at is None or run.started.mode in FOLLOWING:
            continue
        seen = RunSeen(run.started.run, run.started.mode, run.started_at, run.started.runbook.digest)
        runs.append(seen)
        for step in run.steps.values():
            if step.planned is not None and not step.planned.precheck:
                planned[step.id] = step.planned
                trials.setdefault(step.id, []).append(_trial(seen, step))
    now_there = {step.step: step for step in present} if present is not None else planned
    known = {**now_there, **{name: step for name, step in planned.items() if name not in now_there}}
    steps = tuple(
        _cover_step(step, trials.get(name, []), now, older_than, gone=name not in now_there)
        for name, step in known.items()
    )
    return Coverage(tuple(runs), steps, older_than)


def _trial(seen: RunSeen, step: StepRun) -> Trial:
    result = "not reached" if step.state is State.PENDING else result_word(step)
    digest = step.planned.digest if step.planned else ""
    exercised = step.state is State.SUCCEEDED
    if exercised and seen.mode == "drill" and step.manual is not None:
        result, exercised = "read out", False
    return Trial(seen, step.ended or step.started or seen.began, result, exercised, seconds(step), digest)


def _cover_step(
    step: ev.StepPlanned, trials: Sequence[Trial], now: datetime, older_than: float, *, gone: bool
) -> StepCoverage:
    done = [trial for trial in trials if trial.exercised]
    real = max((trial for trial in done if trial.run.place == "for real"), key=_at, default=None)
    bubble = max((trial for trial in done if trial.run.place == "in the bubble"), key=_at, default=None)
    status: Status
    status = "for real" if real else "in the bubble" if bubble else "not exercised" if trials else "never"
    return StepCoverage(
        step=step.step,
        title=step.title,
        phase=step.phase,
        kind=step.kind,
        status=status,
        real=real,
        bubble=bubble,
        last=trials[-1] if trials else None,
        stale=tuple(_reasons(step, trials, now, older_than)) if done else (),
        gone=gone,
        trials=tuple(trials),
    )


def _reasons(
    step: ev.StepPlanned, trials: Sequence[Trial], now: datetime, older_than: float
) -> Iterable[str]:
    last = max((trial for trial in trials if trial.exercised), key=_at)
    days = (now - last.at).total_seconds() / 86400
    if days * 86400 > older_than:
        yield f"last exercised {days:.0f} d ago"
    if last.digest and step.digest and last.digest != step.digest:
        yield "changed since"
    since = [trial for trial in trials if trial.at > last.at]
    failed = next((t for t in reversed(since) if t.result.startswith(_BAD)), None)
    if failed is not None:
        yield f"{failed.result} in {failed.run.run}"


_BAD = (State.FAILED.value, State.INDETERMINATE.value, "unreachable")


def _at(trial: Trial) -> datetime:
    return trial.at
