"""A plan and its prechecks as lines of text, for a terminal and for a log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from drctl.core import events as ev
from drctl.core.duration import format_duration

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


def check_lines(checks: Sequence[tuple[str, ev.FindingData]], *, every: bool = False) -> Iterator[str]:
    """Yield the prechecks: those that are not ok with their details, the others counted."""
    fine = [identity for identity, finding in checks if finding.level == "ok"]
    for identity, finding in checks:
        if finding.level == "ok" and not every:
            continue
        yield f"  {finding.level:<8} {identity}: {finding.summary}"
        yield from (f"           {detail}" for detail in finding.details)
        if finding.hint:
            yield f"           → {finding.hint}"
    if fine and not every:
        yield f"  ok       {len(fine)} checks"


def step_lines(steps: Sequence[ev.StepPlanned]) -> Iterator[str]:
    """Yield each phase with its steps: verdict, id, what changes, where, and how it can be undone."""
    phase = ""
    final = point_of_no_return(steps)
    for step in steps:
        if step.phase != phase:
            phase = step.phase
            yield ""
            yield phase
        if step is final:
            yield f"  ── point of no return: the way back from here is not free ({step.reversibility}) ──"
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
    yield from loss_lines(view.losses)
    yield f"  plan {view.digest[:16]}"


def loss_lines(losses: Sequence[ev.LossData]) -> Iterator[str]:
    """Yield the data that would be lost, per volume, in minutes, with both instants."""
    for loss in losses:
        since = f"last replicated {loss.recovery_point:%H:%M:%S} UTC"
        until = f"incident {loss.incident:%H:%M:%S} UTC" if loss.incident else "incident unknown"
        lost = format_duration(loss.seconds) if loss.seconds is not None else "unknown"
        skew = f", array clock {loss.clock_skew:+.0f} s" if loss.clock_skew else ""
        yield f"  data lost on {loss.volume}: {lost} ({since}, {until}{skew})"


def point_of_no_return(steps: Sequence[ev.StepPlanned]) -> ev.StepPlanned | None:
    """Return the first step that changes something and cannot simply be undone; None in a drill or cleanup.

    Steps are in the order of the plan; what a step before it tolerates to fail counts as well.
    """
    costly = (
        s for s in steps if s.verdict in {"will", "unknown"} and s.reversibility not in {None, "reversible"}
    )
    return next(costly, None)


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
    return "absent" if value is None else str(value)
