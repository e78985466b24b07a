"""Each step as it went, and the phases they make up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from drctl.core import events as ev
from drctl.core.run import State, StepRun
from drctl.report.facts import READ_OUT, Coverage, PhaseFact, Result, StepFact
from drctl.report.timeline import Timeline, seconds

ENDED: Mapping[str, Result] = {
    "applied": "done", "adopted": "adopted", "unchanged": "unchanged", "observed": "observed", "answered": "recorded",
}  # fmt: skip


def step_facts(
    timeline: Timeline, path: frozenset[str], expected: Mapping[str, float]
) -> tuple[StepFact, ...]:
    """Return the steps in the runbook's order, prechecks left out."""
    lines, idle, late = _marks(timeline)
    over = timeline.run.finished is not None
    mode = timeline.run.started.mode if timeline.run.started else ""
    return tuple(
        _fact(
            step,
            planned,
            result=_result(step, over=over, late=step.id in late),
            mode=mode,
            reason=idle.get(step.id, ""),
            critical=step.id in path,
            expected=expected.get(step.id),
            lines=lines.get(step.id, (0, 0)),
        )
        for step in timeline.steps
        if (planned := step.planned) is not None
    )


def _marks(timeline: Timeline) -> tuple[dict[str, tuple[int, int]], dict[str, str], set[str]]:
    """Return first and last line, the reason not to be exercised, and a last failure by time-out."""
    lines: dict[str, tuple[int, int]] = {}
    idle: dict[str, str] = {}
    late: set[str] = set()
    for record in timeline.records:
        event = record.event
        if isinstance(event, ev.StepPlanned):
            continue
        step = getattr(event, "step", "")
        if step:
            first = lines[step][0] if step in lines else record.seq + 1
            lines[step] = (first, record.seq + 1)
        if isinstance(event, ev.StepNotExercised):
            idle[step] = event.reason
        elif isinstance(event, ev.StepFailed):
            (late.add if event.timed_out else late.discard)(step)
    return lines, idle, late


PLAIN: Mapping[State, Result] = {
    State.INDETERMINATE: "indeterminate",
    State.NOT_EXERCISED: "not-exercised",
    State.PENDING: "not-reached",
}


def _result(step: StepRun, *, over: bool, late: bool) -> Result:
    """Return the one code for a step's result; only what the journal proves."""
    match step.state:
        case State.SUCCEEDED | State.UNCHANGED:
            answered = isinstance(step.decision, ev.GateAnswered)
            return "go" if answered else ENDED[step.how or "unchanged"]
        case State.FAILED:
            return _failure(step, late=late)
        case State.SKIPPED:
            return "not-needed" if step.skip and step.skip.cause == "condition" else "skipped"
        case State.WAITING:
            return "unanswered" if over else "waiting"
        case State.RUNNING:
            return "indeterminate" if over else "running"
        case other:
            return PLAIN[other]


def _failure(step: StepRun, *, late: bool) -> Result:
    if isinstance(step.decision, ev.GateAnswered) and step.decision.answer == "no-go":
        return "no-go"
    return "unreachable" if step.unreachable else "timed-out" if late else "failed"


def _fact(
    step: StepRun,
    planned: ev.StepPlanned,
    *,
    result: Result,
    mode: str,
    reason: str,
    critical: bool,
    expected: float | None,
    lines: tuple[int, int],
) -> StepFact:
    decision, change = step.decision, step.change or planned.change
    why = reason or _reason(step)
    coverage, missing = _coverage(step, mode, why, result)
    return StepFact(
        id=step.id,
        title="" if planned.title == step.id else planned.title,
        phase=planned.phase,
        service=planned.service or "",
        kind=planned.kind,
        action=planned.action or "",
        endpoint=planned.endpoint or "",
        site=planned.site or "",
        planned=planned.verdict,
        result=result,
        tolerated=step.tolerated and step.state in {State.FAILED, State.INDETERMINATE},
        started=step.started if result != "not-reached" or step.attempts else None,
        ended=step.ended,
        seconds=seconds(step) if result not in {"not-needed", "not-exercised"} else None,
        expected=expected,
        by=decision.by if decision else step.skip.by if step.skip else "",
        summary=_summary(step, planned, change),
        reason=why,
        hint=step.problem.hint if step.problem else "",
        evidence=decision.evidence if isinstance(decision, ev.ManualRecorded) else "",
        overrides=tuple(step.overrides),
        attempts=step.attempts,
        coverage=coverage,
        coverage_reason=missing,
        critical=critical,
        lines=lines,
    )


def _summary(step: StepRun, planned: ev.StepPlanned, change: ev.ChangeData | None) -> str:
    if step.gate is not None:
        return step.gate.ask
    if step.manual is not None:
        return step.manual.do
    if step.finding is not None:
        return step.finding.summary
    return change.summary if change else planned.summary


def _reason(step: StepRun) -> str:
    if step.skip is not None and step.state is State.SKIPPED:
        return step.skip.reason
    if step.decision is not None and step.decision.reason:
        return step.decision.reason
    return step.problem.summary if step.problem and step.state in {State.FAILED, State.INDETERMINATE} else ""


def _coverage(step: StepRun, mode: str, reason: str, result: Result) -> tuple[Coverage, str]:
    """Say where a step was exercised; found already as wished, or only read out, it proves nothing."""
    if mode == "drill" and result == "recorded":
        return "none", READ_OUT
    if step.state is State.SUCCEEDED:
        return ("bubble" if mode == "drill" else "real"), ""
    return "none", reason or ("" if result == "not-exercised" else result)


def phase_facts(steps: Sequence[StepFact]) -> tuple[PhaseFact, ...]:
    """Return the phases in the runbook's order."""
    phases: dict[str, list[StepFact]] = {}
    for step in steps:
        phases.setdefault(step.phase, []).append(step)
    return tuple(
        PhaseFact(
            name=name,
            started=min((s.started for s in inside if s.started and s.seconds is not None), default=None),
            ended=max((s.ended for s in inside if s.ended and s.seconds is not None), default=None),
            steps=len(inside),
            results=dict(Counter(step.result for step in inside)),
        )
        for name, inside in phases.items()
    )
