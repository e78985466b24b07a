"""Starting a run: everything that is known before the first step, on disk in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from drctl import __version__
from drctl.app.approval import Approval, save_plan
from drctl.app.case import Case, Files
from drctl.app.context import Context
from drctl.app.precedence import make_way, refuse_conflict
from drctl.app.services import services_of
from drctl.app.session import Audience, execute, open_session, watched
from drctl.app.zero_loss import sealed
from drctl.core import events as ev
from drctl.core.operation import Binder
from drctl.core.problem import ExitCode
from drctl.core.run import Run
from drctl.engine.home import RunDirectory, claim, taken_by
from drctl.engine.journal import Entry
from drctl.engine.plan import Checked, Plan, Planner
from drctl.engine.step import Use


@dataclass(frozen=True, slots=True)
class Ended:
    """How a session ended, and where its files are."""

    directory: RunDirectory
    exit_code: ExitCode


def start(
    context: Context,
    case: Case,
    files: Files,
    binder: Binder,
    plan: Plan,
    approval: Approval,
    audience: Audience,
) -> Ended:
    """Create the run and execute it; raise ``DrctlError`` (exit 5) when another run holds a service."""
    directory = _create(context, case, files, plan, approval)
    with claim(directory, context.clock), open_session(context, directory, case) as session:
        session.ledger.journal.take(session.ledger.run.epoch)
        with watched(session, audience):
            foreseen = Planner(binder, case.graph, case.expansion.steps, {}).foresee()
            code = execute(session, case, binder, audience, frozenset(), foreseen)
    return Ended(directory, code)


def _create(context: Context, case: Case, files: Files, plan: Plan, approval: Approval) -> RunDirectory:
    """Write the run's directory; its journal appears last, complete, so that a run exists or does not."""
    with context.home.starting():
        refuse_conflict(context, case)
        make_way(context, case)
        directory = context.home.create(case.run_id)
        directory.runbook.write_text(case.runbook.text)
        directory.inventory.write_text(case.inventory.text)
        directory.write_origins(files.runbook, files.inventory)
        save_plan(plan, directory.plan, context.clock.now(), context.actor)
        draft = directory.journal.with_suffix(".new")
        file = context.journal_file(draft, context.clock, case.secrets.redactor.tree)
        events = first_events(context, case, plan, approval, directory.id)
        file.commit([Entry(event, context.actor) for event in events])
        file.close()
        directory.publish(draft)
    return directory


def first_events(
    context: Context, case: Case, plan: Plan, approval: Approval, run_id: str
) -> list[ev.EventData]:
    """Return what a journal begins with: who, what, when, what will be lost, and every planned step."""
    now = context.clock.now()
    clocks = _clocks(approval, now)
    incident = next(clock.instant for clock in clocks if clock.clock == "impact")
    events: list[ev.EventData] = [_run_started(context, case, plan, run_id)]
    events.append(taken_by(Run(), context.user, context.host))
    events.append(
        ev.PlanApproved(plan_digest=plan.digest, by=approval.by, how=approval.how, reason=approval.reason)
    )
    events += clocks
    events += [event for checked in plan.checks for event in _check_events(checked)]
    losses = stated_losses(case, plan, incident)
    if losses:
        events.append(ev.LossStated(losses=losses))
    events += [planned.event() for planned in plan.steps]
    events += [
        ev.StepSkipped(step=identity, reason=reason, cause="condition")
        for identity, reason in case.expansion.skipped
    ]
    return events


def stated_losses(case: Case, plan: Plan, incident: datetime) -> tuple[ev.LossData, ...]:
    """Measure what a plan gives up; a break that waits for a proven last transfer gives up nothing."""
    proven = sealed(case)
    return state_losses(tuple(loss for loss in plan.losses() if loss.step not in proven), incident)


def state_losses(losses: tuple[ev.LossData, ...], incident: datetime) -> tuple[ev.LossData, ...]:
    """Measure each loss: from its recovery point to the incident, never below zero."""
    return tuple(
        loss.model_copy(
            update={
                "incident": incident,
                "seconds": max(0.0, (incident - loss.recovery_point).total_seconds()),
            }
        )
        for loss in losses
    )


def incident_of(approval: Approval, now: datetime) -> datetime:
    """Return since when data is lost: the impact, else the earliest stated instant after it, else now."""
    return approval.impact_at or approval.detected_at or approval.declared_at or now


def _clocks(approval: Approval, now: datetime) -> list[ev.ClockSet]:
    declared = approval.declared_at or now
    impact = incident_of(approval, now)
    clocks = [
        ev.ClockSet(clock="impact", instant=impact, source="given" if approval.impact_at else "assumed"),
        ev.ClockSet(
            clock="declaration", instant=declared, source="given" if approval.declared_at else "assumed"
        ),
    ]
    if approval.detected_at:
        clocks.append(ev.ClockSet(clock="detection", instant=approval.detected_at))
    return clocks


def _run_started(context: Context, case: Case, plan: Plan, run_id: str) -> ev.RunStarted:
    body, inventory, expansion = case.runbook.body, case.inventory, case.expansion
    return ev.RunStarted(
        run=run_id,
        mode=case.mode,
        runbook=ev.FileData(name=body.name, title=body.title, digest=case.runbook.digest(), owner=body.owner),
        inventory=ev.FileData(name=inventory.name, digest=inventory.digest()),
        source=_site(case, expansion.source),
        target=_site(case, expansion.target),
        objectives=ev.ObjectivesData(
            rto=body.objectives.rto,
            rpo=body.objectives.rpo,
            mtpd=body.objectives.mtpd,
            clock_starts=body.objectives.clock_starts,
        ),
        services=services_of(case),
        parameters=dict(case.parameters),
        contacts={role: contact.name for role, contact in inventory.contacts.items()},
        plan_digest=plan.digest,
        tool=__version__,
        host=context.host,
        user=context.user,
        parent=case.parent,
        clock_offset=clock_offset(plan.checks),
    )


def clock_offset(checks: Sequence[Checked]) -> float | None:
    """Return how far our clock is ahead of those of the systems that told theirs, in seconds: the median."""
    told = [checked.values.get("clock_skew_seconds") for checked in checks]
    skews = [float(skew) for skew in told if isinstance(skew, int | float)]
    return 0.0 - median(skews) if skews else None


def _site(case: Case, name: str) -> ev.SiteData:
    site = case.inventory.sites[name]
    return ev.SiteData(name=name, title=site.title or name, timezone=site.timezone)


def _check_events(checked: Checked) -> list[ev.EventData]:
    step, body = checked.step, checked.step.body
    uses = body if isinstance(body, Use) else None
    planned = ev.StepPlanned(
        step=step.id,
        title=step.title,
        phase="Prechecks",
        kind="probe",
        service=step.service,
        item=step.item,
        action=uses.uses if uses else None,
        endpoint=uses.endpoint if uses else None,
        site=uses.site if uses else None,
        verdict="observes",
        precheck=True,
        digest=step.definition,
    )
    observed = ev.Observed(step=step.id, finding=checked.finding, values=checked.values)
    finished = ev.StepFinished(step=step.id, how="observed", summary=checked.finding.summary)
    return [planned, observed, finished]
