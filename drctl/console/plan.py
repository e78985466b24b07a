"""A plan and its prechecks as lines of text, for a terminal and for a log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from drctl.console.deletions import deletion_lines
from drctl.console.forecast import plan_forecast_lines
from drctl.core import events as ev
from drctl.core.deletions import deletions
from drctl.core.duration import format_duration
from drctl.report.actions import Action, action_line
from drctl.report.forecast import Forecast

SIGNS = {
    "done": "=",
    "will": "~",
    "observes": "?",
    "asks": "!",
    "unknown": "…",
    "blocked": "✗",
    "unreadable": "-",
    "not exercised": "∅",
}
"""One sign per verdict; the word follows, so that no meaning hangs on the sign alone."""


_ON_COPIES = frozenset({"drill", "cleanup"})
"""Modes after which nothing is missed."""


@dataclass(frozen=True, slots=True)
class PlanView:
    """What there is to show of a plan."""

    mode: str
    source: str
    target: str
    steps: tuple[ev.StepPlanned, ...]
    checks: tuple[tuple[str, ev.FindingData], ...]
    losses: tuple[ev.LossData, ...]
    digest: str
    forecast: Forecast | None = None
    actions: tuple[Action, ...] = ()
    today: date | None = None
    now: datetime | None = None


def check_lines(checks: Sequence[tuple[str, ev.FindingData]], *, every: bool = False) -> Iterator[str]:
    """Yield the prechecks: those that are not ok with their details, the others counted."""
    fine = [identity for identity, finding in checks if finding.level == "ok"]
    for identity, finding in checks if every else _said_once(checks):
        if finding.level == "ok" and not every:
            continue
        yield f"  {finding.level:<8} {identity}: {finding.summary}"
        yield from (f"           {detail}" for detail in finding.details)
        if finding.hint:
            yield f"           → {finding.hint}"
    if fine and not every:
        yield f"  ok       {len(fine)} checks"


def _said_once(
    checks: Sequence[tuple[str, ev.FindingData]],
) -> Iterator[tuple[str, ev.FindingData]]:
    """Yield once what several checks found alike: an endpoint that does not answer is one trouble."""
    alike: dict[str, list[tuple[str, ev.FindingData]]] = {}
    for identity, finding in checks:
        alike.setdefault(finding.model_dump_json(), []).append((identity, finding))
    for (identity, finding), *others in alike.values():
        more = f" and {len(others)} more" if others else ""
        yield identity + more, finding


def step_lines(steps: Sequence[ev.StepPlanned], final: ev.StepPlanned | None = None) -> Iterator[str]:
    """Yield each phase with its steps: verdict, id, what changes, where; ``final`` is marked before it runs."""
    phase = ""
    for step in steps:
        if step.phase != phase:
            phase = step.phase
            yield ""
            yield phase
        if step is final:
            yield "  ── point of no return: up to here drctl rollback leads back ──"
        yield f"  {SIGNS[step.verdict]} {step.verdict:<10} {step.step}"
        yield f"      {step.summary}{_where(step)}"
        if step.instead_of is not None:
            yield f"      {step.action} in the bubble, instead of {step.instead_of}"
        if step.change is not None:
            yield from (
                f"      {field.name}: {_value(field.before)} → {_value(field.after)}"
                for field in step.change.fields
            )


def summary_lines(view: PlanView) -> Iterator[str]:
    """Yield what a person must know before saying yes: counts, what cannot be undone, what is lost."""
    counts = Counter(step.verdict for step in view.steps)
    yield f"Mode {view.mode}: {view.source} → {view.target}, {len(view.steps)} steps"
    yield "  " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    yield from _left_out(view.steps)
    if view.mode not in _ON_COPIES:
        yield from _price(view)
    yield from deletion_lines(deletions(view.steps), view.now)
    yield from loss_lines(view.losses)
    if view.forecast is not None:
        yield from (f"  {line}" for line in plan_forecast_lines(view.forecast))
    yield f"  plan {view.digest[:16]}"


def _price(view: PlanView) -> Iterator[str]:
    """Yield what going back would cost."""
    point = point_of_no_return(view)
    if point is not None:
        yield f"  point of no return: {point.step}"
    final = [
        step.step for step in view.steps if step.reversibility == "irreversible" and step.verdict != "done"
    ]
    if final:
        yield f"  cannot be undone: {', '.join(final)}"
    costly = [
        s.step for s in view.steps if s.reversibility == "compensable" and s.verdict in {"will", "unknown"}
    ]
    if costly:
        yield f"  can be undone only at a price: {_some(costly)}"


def action_lines(view: PlanView) -> Iterator[str]:
    """Yield the actions that earlier runs left open."""
    if view.actions and view.today is not None:
        yield f"Open actions of earlier runs: {len(view.actions)}"
        for action in view.actions:
            yield f"  {action_line(action, view.today)}"
        yield "      → close one: drctl note last 'what was done' --closes RUN/LINE"


def loss_lines(losses: Sequence[ev.LossData]) -> Iterator[str]:
    """Yield the data that would be lost, per volume, in minutes, with both instants."""
    for loss in losses:
        since = f"last replicated {loss.recovery_point:%H:%M:%S} UTC"
        until = f"incident {loss.incident:%H:%M:%S} UTC" if loss.incident else "incident unknown"
        lost = format_duration(loss.seconds) if loss.seconds is not None else "unknown"
        skew = f", array clock {loss.clock_skew:+.0f} s" if loss.clock_skew else ""
        yield f"  data lost on {loss.volume}: {lost} ({since}, {until}{skew})"


def point_of_no_return(view: PlanView) -> ev.StepPlanned | None:
    """Return the first step, in the plan's order, that changes something and that nothing undoes.

    None where there is nothing to lose: a drill works on copies, a cleanup takes them away.
    """
    if view.mode in _ON_COPIES:
        return None
    return next((step for step in view.steps if _is_final(step)), None)


def _is_final(step: ev.StepPlanned) -> bool:
    costly = step.reversibility not in {None, "reversible"} and not step.undoable
    return costly and step.verdict in {"will", "unknown"}


def _left_out(steps: Sequence[ev.StepPlanned]) -> Iterator[str]:
    """Yield what a drill does not exercise, grouped by reason: a test says what it does not test."""
    reasons: dict[str, list[str]] = {}
    for step in steps:
        if step.verdict == "not exercised":
            reasons.setdefault(step.summary, []).append(step.step)
    if reasons:
        yield f"  not exercised: {sum(map(len, reasons.values()))} of {len(steps)} steps"
    for reason, names in reasons.items():
        yield f"    {_some(names, 3)}: {reason}"


def _some(names: Sequence[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _where(step: ev.StepPlanned) -> str:
    return f"  [{step.endpoint}]" if step.endpoint else ""


def _value(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    return "absent" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
