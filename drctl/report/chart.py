"""The picture of a run as data: rows of bars, marks, lines; thousands of steps fold into groups or phases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from drctl.report.activity import Span
from drctl.report.facts import BAD, Report, StepFact

Paint: TypeAlias = Literal["work", "check", "person", "stopped", "bad", "phase"]
MarkKind: TypeAlias = Literal["decision", "note", "no-return", "clock", "restored"]

ROWS = 60
"""Rows that still read well on one sheet; beyond them steps fold into groups, and groups into phases."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time in a row."""

    start: datetime
    end: datetime
    paint: Paint


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the picture; ``count`` steps are folded into it."""

    label: str
    bars: tuple[Bar, ...]
    level: Literal["phase", "step"]
    critical: bool = False
    count: int = 1


@dataclass(frozen=True, slots=True)
class Mark:
    """An instant that matters: ``text`` is the journal's, ``what`` the code of a decision."""

    at: datetime
    kind: MarkKind
    text: str = ""
    what: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything to draw, between two instants."""

    start: datetime
    end: datetime
    rows: tuple[Row, ...]
    marks: tuple[Mark, ...]
    folded: Literal["no", "groups", "phases"]
    stops: tuple[Bar, ...] = ()
    """Standstills of the whole run."""


def draw(report: Report, spans: Sequence[Span]) -> Chart:
    """Return the picture of a run."""
    by_step: dict[str, list[Span]] = {}
    for span in spans:
        by_step.setdefault(span.step, []).append(span)
    shown = [step for step in report.steps if step.id in by_step]
    phases = list(dict.fromkeys(step.phase for step in shown))
    groups = {(step.phase, _group(step.id)) for step in shown}
    folded: Literal["no", "groups", "phases"] = "no"
    if len(shown) + len(phases) > ROWS:
        folded = "groups" if len(groups) + len(phases) <= ROWS else "phases"
    slack = (report.last - report.began) / 400
    rows: list[Row] = []
    for phase in phases:
        inside = [step for step in shown if step.phase == phase]
        rows.append(_row(phase, inside, by_step, "phase", slack))
        if folded == "no":
            rows += [_row(step.id, [step], by_step, "step", slack) for step in inside]
        elif folded == "groups":
            rows += [_row(name, steps, by_step, "step", slack) for name, steps in _grouped(inside)]
    end = max([report.last, report.began, *(span.end for span in spans)])
    stops = tuple(Bar(span.start, span.end, "stopped") for span in by_step.get("", []))
    return Chart(_start(report), end, tuple(rows), _marks(report), folded, stops)


def _start(report: Report) -> datetime:
    """Begin where the clock does, unless that would leave the run itself a sliver."""
    clocks = [
        stamp.at for stamp in (report.times.detection, report.times.declaration, report.times.impact) if stamp
    ]
    room = report.last - report.began
    return min([report.began, *(at for at in clocks if report.began - at <= room)])


def _group(step: str) -> str:
    return step.partition("[")[0]


def _grouped(steps: Iterable[StepFact]) -> list[tuple[str, list[StepFact]]]:
    found: dict[str, list[StepFact]] = {}
    for step in steps:
        found.setdefault(_group(step.id), []).append(step)
    return [(f"{name}[…]" if len(inside) > 1 else inside[0].id, inside) for name, inside in found.items()]


def _row(
    label: str,
    steps: Sequence[StepFact],
    by_step: dict[str, list[Span]],
    level: Literal["phase", "step"],
    slack: timedelta,
) -> Row:
    bars: dict[Paint, list[Span]] = {}
    for step in steps:
        spans = by_step[step.id]
        for span in spans:
            paint: Paint = "work" if span.kind == "stopped" else span.kind
            if step.result in BAD and span is spans[-1]:
                paint = "bad"
            bars.setdefault(paint, []).append(span)
    drawn = tuple(
        Bar(start, end, paint)
        for paint in ("work", "check", "person", "bad")
        for start, end in _joined(bars.get(paint, []), slack)
    )
    return Row(label, drawn, level, any(step.critical for step in steps), len(steps))


def _joined(spans: Sequence[Span], slack: timedelta) -> list[tuple[datetime, datetime]]:
    """Return the time some spans cover, without overlaps and without gaps too small to be drawn."""
    found: list[tuple[datetime, datetime]] = []
    for span in sorted(spans, key=lambda each: each.start):
        if found and span.start <= found[-1][1] + slack:
            found[-1] = (found[-1][0], max(found[-1][1], span.end))
        else:
            found.append((span.start, span.end))
    return found


def _marks(report: Report) -> tuple[Mark, ...]:
    times = report.times
    marks = [
        Mark(fact.at, "decision", fact.step, fact.what)
        for fact in report.decisions
        if fact.what in {"approved", "go", "no-go", "skip", "abort", "override", "resume"}
    ]
    marks += [
        Mark(note.at, "note", note.text) for note in report.notes if report.began <= note.at <= report.last
    ]
    starts = next((service.clock_start for service in report.services if service.clock_start), None)
    lines: tuple[tuple[MarkKind, datetime | None], ...] = (
        ("no-return", times.no_return.at if times.no_return else None),
        ("restored", times.restored.at if times.restored else None),
        ("clock", starts),
    )
    marks += [Mark(at, kind) for kind, at in lines if at is not None]
    return tuple(sorted(marks, key=lambda mark: mark.at))
