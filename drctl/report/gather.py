"""From a journal to what a report says of it: the one place where facts are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from drctl.core import events as ev
from drctl.core.events import Recorded
from drctl.report.actions import Action, actions_of, closed_in
from drctl.report.activity import Ledger, Span, segments, watch
from drctl.report.facts import (
    ActionFact,
    Chain,
    CheckFact,
    Kind,
    NoteFact,
    Origin,
    RelatedRun,
    Report,
    ServiceFact,
    Stamp,
    StepFact,
    Times,
)
from drctl.report.gaps import find_gaps
from drctl.report.labels import read_label
from drctl.report.objectives import loss_facts, service_facts
from drctl.report.path import critical_path
from drctl.report.register import decisions, deviations
from drctl.report.steps import phase_facts, step_facts
from drctl.report.timeline import Timeline


@dataclass(frozen=True)
class Background:
    """What other runs say, where somebody looked: empty, a report rests on its own journal alone."""

    previous: RelatedRun | None = None
    expected: Mapping[str, float] = field(default_factory=dict)
    """Seconds that each step took in the previous run of the same runbook."""
    related: tuple[RelatedRun, ...] = ()
    proofs: tuple[CheckFact, ...] = ()
    carried: tuple[Action, ...] = ()
    closed: frozenset[str] = frozenset()
    """Actions that other runs' notes closed."""


def report_kind(mode: str) -> Kind:
    """Return the kind of report a mode asks for."""
    return "drill" if mode == "drill" else "incident"


def gather(
    records: Sequence[Recorded],
    head: str,
    *,
    kind: Kind | None = None,
    background: Background | None = None,
) -> tuple[Report, Timeline, list[Span]]:
    """Return the facts, with the timeline and the spans they rest on.

    Raises:
        ValueError: the journal has no beginning.
    """
    timeline = Timeline.of(records)
    started, began = timeline.run.started, timeline.began
    if started is None or began is None:
        raise ValueError("the journal has no beginning yet")
    spans = watch(timeline)
    chosen = kind or report_kind(started.mode)
    return (
        _report(timeline, spans, Chain(head, records[-1].seq + 1), chosen, background or Background()),
        timeline,
        spans,
    )


def _report(
    timeline: Timeline, spans: Sequence[Span], chain: Chain, kind: Kind, behind: Background
) -> Report:
    started, began, run = timeline.run.started, timeline.began, timeline.run
    assert started is not None and began is not None  # noqa: S101, PT018 - gather has looked
    steps = step_facts(timeline, critical_path(timeline), behind.expected)
    notes = _notes(timeline.records)
    ledger = Ledger(segments(spans), timeline.clock("detection"), first_action(timeline))
    horizon = timeline.ended or _last_event(timeline.records)
    services = service_facts(timeline, ledger, horizon)
    times = _times(timeline, services, steps)
    actions = _actions(started.run, timeline.records, behind)
    proofs = (*proofs_of(timeline), *behind.proofs)
    return Report(
        kind=kind,
        origin=_origin(started, timeline),
        state=run.finished.outcome if run.finished else "paused" if run.paused else "running",
        paused_why=run.paused.why if run.paused and not run.finished else "",
        began=began,
        ended=timeline.ended,
        last=horizon,
        waited=timeline.waited(),
        times=times,
        services=services,
        losses=loss_facts(timeline),
        phases=phase_facts(steps),
        steps=steps,
        prechecks=_prechecks(timeline),
        proofs=proofs,
        decisions=decisions(timeline.records),
        deviations=deviations(timeline, steps),
        notes=notes,
        actions=actions,
        previous=behind.previous,
        related=behind.related,
        gaps=find_gaps(kind, started.mode, started.run, notes, times, actions, proofs),
        chain=chain,
    )


def first_action(timeline: Timeline) -> datetime | None:
    """Return when the first step began that is no check and asks nobody."""
    early = {step.id for step in timeline.prechecks}
    found = (
        record.at
        for record in timeline.records
        if isinstance(record.event, ev.StepStarted) and record.event.step not in early
    )
    return next(found, None)


def _last_event(records: Sequence[Recorded]) -> datetime:
    """Return when the run last did something; notes may be written days after."""
    return next((r.at for r in reversed(records) if not isinstance(r.event, ev.Note)), records[-1].at)


def _origin(started: ev.RunStarted, timeline: Timeline) -> Origin:
    return Origin(
        run=started.run,
        mode=started.mode,
        runbook=started.runbook.name,
        title=started.runbook.title or started.runbook.name,
        owner=started.runbook.owner,
        runbook_digest=started.runbook.digest,
        inventory=started.inventory.name,
        inventory_digest=started.inventory.digest,
        plan_digest=timeline.run.plan_digest,
        source=started.source.title,
        target=started.target.title,
        timezone=timeline.zone.key,
        parent=started.parent or "",
        tool=started.tool,
        host=started.host,
        user=started.user,
        clock_offset=started.clock_offset,
        parameters={key: str(value) for key, value in started.parameters.items() if value not in {None, ""}},
        contacts=dict(started.contacts),
    )


def _times(timeline: Timeline, services: Sequence[ServiceFact], steps: Sequence[StepFact]) -> Times:
    stamps = _clocks(timeline)
    risky = {
        step.id for step in timeline.steps if step.planned and step.planned.reversibility == "irreversible"
    }
    for record in timeline.records:
        event, at = record.event, record.at
        stamp = Stamp(at, record.seq + 1)
        match event:
            case ev.PlanApproved():
                stamps["decision"] = replace(stamp, by=event.by)
            case ev.GateAnswered() if event.answer == "go" and "first_action" not in stamps:
                stamps["decision"] = replace(stamp, by=event.by)
            case ev.StepStarted():
                stamps.setdefault("first_action", stamp)
                if event.step in risky or (event.change is not None and event.change.loss is not None):
                    stamps.setdefault("no_return", stamp)
            case _:
                pass
    stamps |= _ends(services, steps)
    return Times(**stamps)


def _clocks(timeline: Timeline) -> dict[str, Stamp]:
    """Return what people stated: when the run began, and in notes."""
    names = {
        "impact": "impact",
        "detection": "detection",
        "declaration": "declaration",
        "back-to-normal": "normal",
    }
    stamps: dict[str, Stamp] = {}
    for record in timeline.records:
        event = record.event
        if isinstance(event, ev.ClockSet):
            stamps[names[event.clock]] = Stamp(event.instant, record.seq + 1, record.actor, event.source)
        elif isinstance(event, ev.Note) and event.kind in names and event.kind != "impact":
            known = stamps.get(names[event.kind])
            if known is None or known.source in {"assumed", "note"}:
                at = event.instant or record.at
                stamps[names[event.kind]] = Stamp(at, record.seq + 1, event.by or record.actor, "note")
    return stamps


def _ends(services: Sequence[ServiceFact], steps: Sequence[StepFact]) -> dict[str, Stamp]:
    """Return when the last service answered, and when every check and confirmation had passed."""
    if not services or any(service.restored is None for service in services):
        return {}
    by_id = {step.id: step for step in steps}
    checks = [by_id[name] for service in services for name in service.checks if name in by_id]
    probes = [step for step in checks if step.kind == "probe" and step.ended]
    found: dict[str, Stamp] = {}
    for name, candidates in (("restored", probes), ("validated", checks)):
        last = max((s for s in candidates if s.ended), key=lambda s: (s.ended, s.lines[1]), default=None)
        if last is not None and last.ended is not None:
            found[name] = Stamp(last.ended, last.lines[1], last.by)
    return found


def _prechecks(timeline: Timeline) -> tuple[CheckFact, ...]:
    return tuple(
        CheckFact(step.id, step.finding.level, step.finding.summary, at=step.ended)
        if step.finding
        else CheckFact(step.id, "none", step.problem.summary if step.problem else "", at=step.ended)
        for step in timeline.prechecks
        if not (step.skip and step.skip.cause == "condition")
    )


def proofs_of(timeline: Timeline) -> tuple[CheckFact, ...]:
    """Return the findings of probes that prove a bubble empty or closed: before a drill, and after it."""
    run = timeline.run.started.run if timeline.run.started else ""
    return tuple(
        CheckFact(step.id, step.finding.level, step.finding.summary, run, step.ended)
        for step in (*timeline.prechecks, *timeline.steps)
        if step.finding and step.planned and ".bubble." in (step.planned.action or "")
    )


def _notes(records: Sequence[Recorded]) -> tuple[NoteFact, ...]:
    found = []
    for record in records:
        note = record.event
        if not isinstance(note, ev.Note) or note.closes:
            continue
        label, text = read_label(note.text)
        at = note.instant or record.at
        found.append(NoteFact(at, record.seq + 1, note.kind, note.by or record.actor, text, label))
    return tuple(found)


def _actions(run: str, records: Sequence[Recorded], behind: Background) -> tuple[ActionFact, ...]:
    closed = closed_in(records) | behind.closed
    own = actions_of(run, records)
    return tuple(
        ActionFact(action.id, action.text, action.owner, action.due, action.id in closed, carried)
        for actions, carried in ((own, False), (behind.carried, True))
        for action in actions
    )
