"""RTO, RPO and MTPD of each service: the target, what it came to, and where the time went."""

from __future__ import annotations

from datetime import datetime

from drctl.core import events as ev
from drctl.report.activity import Ledger
from drctl.report.facts import FOLLOWING, LossFact, Objective, ServiceFact
from drctl.report.timeline import ServiceTimes, Timeline


def service_facts(timeline: Timeline, ledger: Ledger, horizon: datetime) -> tuple[ServiceFact, ...]:
    """Return every service's facts; a service that does not answer yet is measured to ``horizon``."""
    started = timeline.run.started
    if started is None or started.mode in FOLLOWING:
        return ()
    return tuple(_service(timeline, ledger, horizon, times, started) for times in timeline.services())


def _service(
    timeline: Timeline, ledger: Ledger, horizon: datetime, times: ServiceTimes, started: ev.RunStarted
) -> ServiceFact:
    service, start = times.service, timeline.rto_start
    end = times.restored or horizon
    elapsed = max(0.0, (end - start).total_seconds()) if start else None
    mtpd = service.objectives.mtpd or started.objectives.mtpd
    answered = elapsed if times.restored else None
    lost = (
        times.rpo_actual
        if any(_given_up(timeline, loss) for loss in _losses(timeline, service.name))
        else None
    )
    points = [loss.recovery_point for loss in _losses(timeline, service.name)]
    return ServiceFact(
        name=service.name,
        title=service.title,
        tier=service.tier,
        clock_starts=started.objectives.clock_starts,
        clock_start=start,
        restored=times.restored,
        elapsed=elapsed,
        rto=judge(times.rto_target, answered, so_far=elapsed),
        rpo=judge(times.rpo_target, lost)
        if service.volumes
        else Objective(times.rpo_target, None, None, "no-objective"),
        mtpd=judge(mtpd, answered, so_far=elapsed),
        recovery_point=min(points, default=None),
        parts=ledger.split(start, end) if start else (),
        checks=(*service.checks, *timeline.confirming(service.name)),
    )


def judge(target: float | None, actual: float | None, *, so_far: float | None = None) -> Objective:
    """Compare; what is not reached yet is missed once ``so_far`` is beyond the target, else unproven."""
    if target is None:
        return Objective(None, actual, None, "no-objective")
    if actual is None:
        late = so_far is not None and so_far > target
        return Objective(
            target, None, target - so_far if late and so_far else None, "missed" if late else "unproven"
        )
    return Objective(target, actual, target - actual, "met" if actual <= target else "missed")


def _losses(timeline: Timeline, service: str) -> list[ev.LossData]:
    return [loss for loss in timeline.losses() if loss.service == service]


def _given_up(timeline: Timeline, loss: ev.LossData) -> bool:
    """Say whether the step that serves from this recovery point was really begun."""
    step = timeline.run.steps.get(loss.step or "")
    return step is None or step.attempts > 0 or step.how is not None


def loss_facts(timeline: Timeline) -> tuple[LossFact, ...]:
    """Return what each volume lost, with the recovery point really used."""
    return tuple(
        LossFact(
            volume=loss.volume,
            service=loss.service or "",
            step=loss.step or "",
            snapshot=loss.snapshot,
            recovery_point=loss.recovery_point,
            incident=loss.incident,
            seconds=loss.seconds,
            clock_skew=loss.clock_skew,
            used=_given_up(timeline, loss),
        )
        for loss in timeline.losses()
    )
