"""When a run will end, from how long its steps took in past runs.

Machine time only: what people take is told apart, for no past wait says when somebody answers the
phone tonight. P50 takes each remaining step at its median, P90 each at its slowest tenth: steps slow
down together (one array, one vCenter), so the P90 of a run is near the sum of its steps' P90, and where
it is not it errs on the late side. Quantiles are by nearest rank: of three past runs the P90 is the slowest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from graphlib import TopologicalSorter
from itertools import pairwise

from drctl.core import events as ev
from drctl.core.events import Recorded
from drctl.core.run import Run, State, StepRun
from drctl.report.timeline import stated

PEOPLE = frozenset({"gate", "manual"})


@dataclass(frozen=True, slots=True)
class Past:
    """Durations in seconds by step, and by family of steps for items that are new; ``runs`` learnt from.

    ``hint`` knows what runs of other modes took: it is asked for steps that this past does not know.
    """

    runs: int
    steps: Mapping[str, Sequence[float]]
    families: Mapping[str, Sequence[float]]
    hint: Past | None = None

    def quantile(self, step: str, share: float) -> float | None:
        """Return a step's duration that ``share`` of its past ones did not exceed; None without any."""
        if samples := self._samples(step):
            return quantile(samples, share)
        return self.hint.quantile(step, share) if self.hint else None

    def borrows(self, step: str) -> bool:
        """Say whether only runs of another mode know this step."""
        return not self._samples(step) and self.quantile(step, 1.0) is not None

    def _samples(self, step: str) -> Sequence[float]:
        return self.steps.get(step) or self.families.get(family(step)) or ()


@dataclass(frozen=True, slots=True)
class Span:
    """The same figure at the median and at the slowest tenth, in seconds."""

    p50: float
    p90: float


@dataclass(frozen=True, slots=True)
class ServiceForecast:
    """When a service's checks should have passed, in seconds from now; ``left`` of its RTO, if it has one."""

    name: str
    title: str
    end: Span
    target: float | None
    left: float | None


@dataclass(frozen=True, slots=True)
class Wait:
    """A question that waits for somebody now."""

    step: str
    role: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is to be expected; ``end`` is None where nothing was learnt, and counts no person's time.

    ``borrowed`` steps are known from runs of other modes alone.
    ``people`` are the seconds that the questions still ahead took in the past, one after another as
    the graph has them; None where one of them was never asked before. ``unknown`` steps count as nothing.
    """

    now: datetime
    runs: int
    end: Span | None
    services: tuple[ServiceForecast, ...]
    questions: int
    people: float | None
    unknown: tuple[str, ...]
    borrowed: tuple[str, ...]
    late: tuple[str, ...]
    waits: tuple[Wait, ...]

    def at(self, seconds: float) -> datetime:
        """Return the instant that many seconds ahead."""
        return self.now + timedelta(seconds=seconds)

    @property
    def tightest(self) -> ServiceForecast | None:
        """Return the service with the least margin against its RTO."""
        bound = [service for service in self.services if service.left is not None]
        return min(bound, key=lambda service: (service.left or 0.0) - service.end.p50, default=None)


def quantile(samples: Sequence[float], share: float) -> float:
    """Return the nearest-rank quantile of at least one sample."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def family(step: str) -> str:
    """Return a step's id without its item: all of ``promote[…].break`` are one family."""
    head, bracket, rest = step.partition("[")
    return f"{head}[]{rest.rpartition(']')[2]}" if bracket else head


def learn(journals: Iterable[Sequence[Recorded]]) -> Past:
    """Collect how long the steps of past runs took."""
    steps: dict[str, list[float]] = {}
    families: dict[str, list[float]] = {}
    runs = 0
    for records in journals:
        took = dict(_durations(records))
        runs += bool(took)
        for step, seconds in took.items():
            steps.setdefault(step, []).append(seconds)
            families.setdefault(family(step), []).append(seconds)
    return Past(runs, steps, families)


def _durations(records: Sequence[Recorded]) -> Iterable[tuple[str, float]]:
    """Yield how long each step that did its work took from when its turn came: queues are part of it."""
    run = Run.of(records)
    still = _standstills(records)
    for step in run.steps.values():
        if step.planned is None or step.planned.precheck or step.started is None or step.ended is None:
            continue
        if step.planned.kind in PEOPLE:
            if step.how == "answered":
                yield step.id, (step.ended - step.started).total_seconds()
        elif step.how in {"applied", "observed"} and step.state is State.SUCCEEDED:
            since = min(_ready(run, step) or step.started, step.started)
            lost = sum(_overlap(since, step.ended, start, end) for start, end in still)
            yield step.id, max(0.0, (step.ended - since).total_seconds() - lost)


def _ready(run: Run, step: StepRun) -> datetime | None:
    """Return when a step's turn came: when the last of its needs ended."""
    needs = [run.steps.get(need) for need in (step.planned.needs if step.planned else ())]
    ends = [need.ended for need in needs if need is not None and need.ended is not None]
    return max(ends) if len(ends) == len(needs) and ends else run.started_at if not needs else None


def _standstills(records: Sequence[Recorded]) -> list[tuple[datetime, datetime]]:
    """Return the spans during which no engine was at work: from a pause or a crash to the takeover."""
    paused: datetime | None = None
    found = []
    for before, record in pairwise(records):
        if isinstance(before.event, ev.RunPaused):
            paused = before.at
        if isinstance(record.event, ev.LockTaken) and record.event.epoch > 1:
            found.append((paused or before.at, record.at))
            paused = None
    return found


def _overlap(start: datetime, end: datetime, other_start: datetime, other_end: datetime) -> float:
    return max(0.0, (min(end, other_end) - max(start, other_start)).total_seconds())


def foresee(run: Run, past: Past, now: datetime, planned: Sequence[ev.ServiceData] = ()) -> Forecast:
    """Return what to expect of a run, from its journal so far; of one that is only ``planned``, of its services."""
    ahead = {
        step.id: step
        for step in run.steps.values()
        if step.planned is not None and not step.planned.precheck and not step.settled
    }
    order = list(
        TopologicalSorter({name: _needs(step, ahead) for name, step in ahead.items()}).static_order()
    )
    machines = [name for name in order if not _asks(ahead[name]) and not _idle(ahead[name])]
    unknown = tuple(name for name in machines if past.quantile(name, 0.5) is None)
    p50, p90 = (_finish(ahead, order, past, now, share) for share in (0.5, 0.9))
    borrowed = tuple(name for name in machines if past.borrows(name))
    runs = past.runs + (past.hint.runs if past.hint and borrowed else 0)
    learnt = runs > 0 and (len(unknown) < len(machines) or not machines)
    asked = [name for name in order if _asks(ahead[name])]
    return Forecast(
        now=now,
        runs=runs,
        end=Span(max(p50.values(), default=0.0), max(p90.values(), default=0.0)) if learnt else None,
        services=tuple(_services(run, planned, ahead, (p50, p90), now)) if learnt else (),
        questions=len(asked),
        people=_people(ahead, order, past) if asked else 0.0,
        unknown=unknown,
        borrowed=borrowed,
        late=tuple(name for name in machines if _is_late(ahead[name], past, now)),
        waits=tuple(_wait(step, now) for step in ahead.values() if step.state is State.WAITING),
    )


def _needs(step: StepRun, ahead: Mapping[str, StepRun]) -> list[str]:
    return [need for need in (step.planned.needs if step.planned else ()) if need in ahead]


def _asks(step: StepRun) -> bool:
    return step.planned is not None and step.planned.kind in PEOPLE


def _idle(step: StepRun) -> bool:
    """Say whether a step was found as wished when it was planned: it will only be looked at again."""
    return step.planned is not None and step.planned.verdict == "done" and step.state is State.PENDING


def _finish(
    ahead: Mapping[str, StepRun], order: Sequence[str], past: Past, now: datetime, share: float
) -> dict[str, float]:
    """Return in how many seconds each step ahead should have ended."""
    ends: dict[str, float] = {}
    for name in order:
        step = ahead[name]
        begins = max((ends[need] for need in _needs(step, ahead)), default=0.0)
        rest = 0.0 if _asks(step) or _idle(step) else past.quantile(name, share) or 0.0
        if step.state is State.RUNNING:
            rest = max(0.0, rest - _spent(step, now))
        ends[name] = begins + rest
    return ends


def _spent(step: StepRun, now: datetime) -> float:
    return max(0.0, (now - (step.started or now)).total_seconds())


def _is_late(step: StepRun, past: Past, now: datetime) -> bool:
    longest = past.quantile(step.id, 1.0)
    return step.state is State.RUNNING and longest is not None and _spent(step, now) > longest


def _people(ahead: Mapping[str, StepRun], order: Sequence[str], past: Past) -> float | None:
    """Return how long the questions ahead took people, along the graph."""
    ends: dict[str, float] = {}
    for name in order:
        step = ahead[name]
        took = past.quantile(name, 0.5) if _asks(step) else 0.0
        if took is None:
            return None
        ends[name] = max((ends[need] for need in _needs(step, ahead)), default=0.0) + took
    return max(ends.values(), default=0.0)


def _services(
    run: Run,
    planned: Sequence[ev.ServiceData],
    ahead: Mapping[str, StepRun],
    ends: tuple[Mapping[str, float], Mapping[str, float]],
    now: datetime,
) -> Iterable[ServiceForecast]:
    p50, p90 = ends
    default = run.started.objectives if run.started else ev.ObjectivesData()
    start = stated(run, default.clock_starts)
    for service in run.started.services if run.started else planned:
        checks = [check for check in service.checks if check in ahead]
        if not checks:
            continue
        target = service.objectives.rto or default.rto
        spent = (now - start).total_seconds() if start else 0.0
        end = Span(max(p50[check] for check in checks), max(p90[check] for check in checks))
        left = None if target is None else target - spent
        yield ServiceForecast(service.name, service.title, end, target, left)


def _wait(step: StepRun, now: datetime) -> Wait:
    question = step.gate or step.manual
    return Wait(step.id, question.role if question else "", (now - (step.started or now)).total_seconds())
