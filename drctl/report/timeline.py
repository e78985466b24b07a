"""The one reading of a journal that all documents share: durations, waits, objectives, losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import JsonValue

from drctl.core import events as ev
from drctl.core.events import Recorded
from drctl.core.run import GOOD, Run, State, StepRun


@dataclass(frozen=True, slots=True)
class ServiceTimes:
    """A service's recovery: ``restored`` when all its checks had passed, None while they have not."""

    service: ev.ServiceData
    restored: datetime | None
    rto_actual: float | None
    rto_target: float | None
    rpo_actual: float | None
    rpo_target: float | None


@dataclass(frozen=True)
class Timeline:
    """A run with everything a document needs to say about it."""

    run: Run
    records: Sequence[Recorded]
    zone: ZoneInfo

    @classmethod
    def of(cls, records: Sequence[Recorded]) -> Timeline:
        """Fold the records; local times are those of the target site."""
        run = Run.of(records)
        return cls(run, records, _zone(run.started.target.timezone if run.started else "UTC"))

    def local(self, instant: datetime) -> datetime:
        """Return an instant in the target site's time zone."""
        return instant.astimezone(self.zone)

    @property
    def steps(self) -> list[StepRun]:
        """Return the planned steps in the runbook's order, prechecks left out."""
        return [s for s in self.run.steps.values() if s.planned is not None and not s.planned.precheck]

    @property
    def prechecks(self) -> list[StepRun]:
        """Return the prechecks."""
        return [s for s in self.run.steps.values() if s.planned is not None and s.planned.precheck]

    @property
    def began(self) -> datetime | None:
        """Return when the run began."""
        return self.run.started_at

    @property
    def ended(self) -> datetime | None:
        """Return when the run finished, None while it has not."""
        finished = (r.at for r in self.records if isinstance(r.event, ev.RunFinished))
        return next(finished, None)

    def lasted(self) -> float:
        """Return the seconds from the beginning to the end, or to the last event so far."""
        last = self.ended or self.run.last_at
        return (last - self.began).total_seconds() if last and self.began else 0.0

    def clock(self, name: str) -> datetime | None:
        """Return a stated instant: impact, detection, declaration or back-to-normal.

        A note of that kind states it too, where nobody said more than an assumption when the run began.
        """
        return stated(self.run, name)

    @property
    def rto_start(self) -> datetime | None:
        """Return where the RTO clock starts, as the runbook's ``clock_starts`` says."""
        started = self.run.started
        return self.clock(started.objectives.clock_starts) if started else None

    def services(self) -> list[ServiceTimes]:
        """Return what each service's objectives were, and what they came to."""
        started = self.run.started
        if started is None:
            return []
        return [self._service(service, started.objectives) for service in started.services]

    def _service(self, service: ev.ServiceData, default: ev.ObjectivesData) -> ServiceTimes:
        ends = [self._check_ended(step) for step in (*service.checks, *self.confirming(service.name))]
        restored = max((end for end in ends if end), default=None) if ends and all(ends) else None
        start = self.rto_start
        losses = [
            loss.seconds
            for loss in self.losses()
            if loss.service == service.name and loss.seconds is not None
        ]
        return ServiceTimes(
            service=service,
            restored=restored,
            rto_actual=(restored - start).total_seconds() if restored and start else None,
            rto_target=service.objectives.rto or default.rto,
            rpo_actual=max(losses, default=None),
            rpo_target=service.objectives.rpo or default.rpo,
        )

    def _check_ended(self, step: str) -> datetime | None:
        record = self.run.steps.get(step)
        return record.ended if record is not None and record.state in GOOD else None

    def confirming(self, service: str) -> list[str]:
        """Return the manual steps whose success a service's recovery needs beside its checks."""
        return [step.id for step in self.steps if step.planned and step.planned.confirms == service]

    def losses(self) -> list[ev.LossData]:
        """Return the losses with the recovery points really used, where a step told which one that was."""
        return [self._really_lost(loss) for loss in self.run.losses] or self._rehearsed()

    def _rehearsed(self) -> list[ev.LossData]:
        """Return what a failover instead of this drill would have lost: it worked on copies of those points."""
        if self.run.started is None or self.run.started.mode != "drill":
            return []
        incident = self.clock("impact")
        return [
            ev.LossData(
                volume=step.planned.item or step.id,
                snapshot=str(step.outputs.get("snapshot") or ""),
                recovery_point=point,
                incident=incident,
                seconds=max(0.0, (incident - point).total_seconds()) if incident else None,
                service=step.planned.service,
                step=step.id,
            )
            for step in self.steps
            if step.planned is not None
            and (point := _instant(step.outputs.get("recovery_point"))) is not None
        ]

    def _really_lost(self, loss: ev.LossData) -> ev.LossData:
        step = self.run.steps.get(loss.step or "")
        point = _instant(step.outputs.get("recovery_point")) if step else None
        if point is None or point == loss.recovery_point:
            return loss
        incident = loss.incident
        lost = max(0.0, (incident - point).total_seconds()) if incident else None
        return loss.model_copy(update={"recovery_point": point, "seconds": lost})

    def phases(self) -> dict[str, list[StepRun]]:
        """Return the steps by phase, both in the runbook's order, prechecks left out."""
        found: dict[str, list[StepRun]] = {}
        for step in self.steps:
            found.setdefault(step.planned.phase if step.planned else "", []).append(step)
        return found

    def open_questions(self) -> list[StepRun]:
        """Return the steps nobody can vouch for: indeterminate, failed, skipped without their condition."""
        return [step for step in self.steps if is_open(step)]

    def waited(self) -> float:
        """Return the seconds spent waiting for people, overlaps counted once."""
        spans = sorted(
            (step.started, step.ended or self.run.last_at or step.started)
            for step in self.steps
            if step.started is not None and (step.gate is not None or step.manual is not None)
        )
        total, until = timedelta(0), datetime.min.replace(tzinfo=UTC)
        for start, end in spans:
            total += max(timedelta(0), end - max(start, until))
            until = max(until, end)
        return total.total_seconds()


def stated(run: Run, name: str) -> datetime | None:
    """Return a clock's instant; a note states it where nobody said more than an assumption at the start."""
    found = run.clocks.get(name)
    if found is not None and found.source != "assumed":
        return found.instant
    noted = [note.instant or at for at, note in run.notes if note.kind == name != "impact"]
    return noted[-1] if noted else found.instant if found else None


LossStage: TypeAlias = Literal["none", "ahead", "real", "spared"]


def loss_stage(run: Run) -> LossStage:
    """Say what became of the stated loss: ``real`` once a step that gives data up has begun.

    ``ahead`` while none has, ``spared`` when the run ended before, ``none`` when nothing was to be lost.
    """
    if not run.losses:
        return "none"
    steps = [run.steps.get(loss.step) if loss.step else None for loss in run.losses]
    if any(step is None or step.change is not None for step in steps):
        return "real"
    return "spared" if run.finished is not None else "ahead"


def is_open(step: StepRun) -> bool:
    """Say whether a step's result is not proven."""
    if step.state in {State.FAILED, State.INDETERMINATE} or step.drift is not None:
        return True
    return step.skip is not None and step.skip.cause != "condition" and step.state is State.SKIPPED


def seconds(step: StepRun) -> float | None:
    """Return how long a step took, None while it has not ended."""
    if step.started is None or step.ended is None:
        return None
    return (step.ended - step.started).total_seconds()


def result_word(step: StepRun) -> str:
    """Return the one word for a step's result; only what the journal proves."""
    if step.state is State.SUCCEEDED and step.how is not None:
        return {"applied": "done", "adopted": "adopted", "observed": "observed", "answered": "answered"}.get(
            step.how, step.how
        )
    if step.state in {State.FAILED, State.INDETERMINATE}:
        word = "unreachable" if step.unreachable else step.state.value
        return f"{word}, unproven" if step.tolerated else word
    if step.skip is not None and step.skip.cause == "condition":
        return "not needed"
    if step.drift is not None:
        return "drifted"
    return step.state.value


def _instant(value: JsonValue) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
