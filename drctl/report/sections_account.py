"""The account of the run: its steps, its deviations, its prechecks, and the annex with every event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from drctl.report.alike import alike, name_steps
from drctl.report.document import (
    Badge,
    Block,
    Column,
    Moment,
    Name,
    Paragraph,
    Phrase,
    Quote,
    Section,
    Sheet,
    Table,
    Tone,
    Value,
    length,
    moment,
    quote,
    say,
    several,
)
from drctl.report.entries import TimelineEntry
from drctl.report.facts import READ_OUT, DeviationFact, Report, Result, StepFact
from drctl.report.forecast import family

TONES: dict[Result, Tone] = {
    "done": "good", "adopted": "warn", "unchanged": "quiet", "observed": "good", "go": "good", "no-go": "bad",
    "recorded": "good", "not-needed": "quiet", "skipped": "warn", "failed": "bad", "unreachable": "bad",
    "timed-out": "bad", "indeterminate": "bad", "not-exercised": "warn", "waiting": "warn", "unanswered": "warn", "running": "warn",
    "not-reached": "warn",
}  # fmt: skip

LEVELS: dict[str, Tone] = {"ok": "good", "warning": "warn", "blocker": "bad", "none": "quiet"}


def steps(report: Report) -> Section:
    """Return the phases, and every step as it went."""
    blocks: list[Block] = [_phases(report)]
    drill = report.kind == "drill"
    columns = [
        Column("column.step", "name"), Column("column.result", "short"), Column("column.what"), Column("column.started", "time"),
        Column("column.took", "number"), Column("column.by", "short"), Column("column.lines", "number"),
    ]  # fmt: skip
    expected = any(step.expected is not None for step in report.steps)
    if expected:
        columns.insert(5, Column("column.before", "number"))
    if drill:
        columns.insert(2, Column("column.coverage", "short"))
    for phase in report.phases:
        inside = [step for step in report.steps if step.phase == phase.name]
        rows = [_step(step, drill=drill, expected=expected) for step in inside]
        tones: list[Tone] = ["warn" if step.critical else "plain" for step in inside]
        blocks.append(Table(f"={phase.name}", tuple(columns), rows, tones=tones))
    blocks.append(Paragraph(say("steps.words"), "quiet"))
    return Section("section.steps", tuple(blocks))


def _phases(report: Report) -> Table:
    columns = (
        Column("column.phase"), Column("column.started", "time"), Column("column.ended", "time"),
        Column("column.took", "number"), Column("column.steps", "number"), Column("column.results"),
    )  # fmt: skip
    rows = [
        (
            Quote(phase.name),
            moment(phase.started, "clock"),
            moment(phase.ended, "clock"),
            length((phase.ended - phase.started).total_seconds()) if phase.started and phase.ended else None,
            Quote(str(phase.steps)),
            several(
                *(
                    say("counted", count=Quote(str(count)), what=say(f"result.{name}"))
                    for name, count in phase.results.items()
                ),
                separator=", ",
            ),
        )
        for phase in report.phases
    ]
    return Table("table.phases", columns, rows)


def _step(step: StepFact, *, drill: bool, expected: bool) -> list[Value]:
    cells: list[Value] = [
        several(Name(step.id), quote(step.title), Badge("quiet", say("critical")) if step.critical else None),
        _result(step),
        _what(step, drill=drill),
        moment(step.started, "clock"),
        length(step.seconds),
        Quote(step.by or "drctl")
        if step.lines[0] and step.result not in {"not-needed", "not-exercised"}
        else None,
        _lines(step),
    ]
    if expected:
        cells.insert(5, length(step.expected))
    if drill:
        cells.insert(2, say(f"coverage.{step.coverage}"))
    return cells


def _lines(step: StepFact) -> Value:
    first, last = step.lines
    return Quote(str(first) if first == last else f"{first}–{last}") if first else None


def _result(step: StepFact) -> Value:
    badge = Badge(TONES[step.result], say(f"result.{step.result}"))
    return several(badge, Badge("warn", say("unproven"))) if step.tolerated else badge


def _what(step: StepFact, *, drill: bool) -> Value:
    parts: list[Value] = [None if step.reason and step.reason in step.summary else _meant(step)]
    if step.reason:
        parts.append(say("reason", text=Quote(step.reason)))
    if drill and step.coverage_reason == READ_OUT:
        parts.append(say("coverage.read-out"))
    if step.evidence:
        parts.append(say("evidence", text=Quote(step.evidence)))
    parts += [say("override", text=Quote(text)) for text in step.overrides]
    if step.attempts > 1:
        parts.append(say("attempts", count=Quote(str(step.attempts))))
    return several(*parts, separator=" · ") if any(parts) else None


def _meant(step: StepFact) -> Value:
    """Return what a step did; of one that was not begun, what the plan knew of it."""
    if step.result not in {"not-reached", "unanswered"}:
        return quote(step.summary)
    match step.planned:
        case "observes":
            return say("planned.observes", action=Name(step.action))
        case "unknown":
            return say("planned.unknown", action=Name(step.action))
        case _:
            return (
                say("planned", text=Quote(step.summary))
                if step.summary
                else Name(step.action)
                if step.action
                else None
            )


def deviations(report: Report) -> Section:
    """Return what did not go as planned, with who allowed it."""
    columns = (
        Column("column.when", "time"), Column("column.deviation"), Column("column.step", "name"), Column("column.what"),
        Column("column.who"),
    )  # fmt: skip
    groups = alike(report.deviations, lambda fact: replace(fact, at=None, step=family(fact.step)))
    rows = [_deviation(group) for group in groups]
    return Section("section.deviations", (Table("table.deviations", columns, rows, "no-deviations"),))


def _deviation(group: Sequence[DeviationFact]) -> tuple[Value, ...]:
    """Return one row for deviations that differ in nothing but their instant and their item."""
    fact, steps = group[0], [each.step for each in group]
    word: Phrase = say(f"deviation.{fact.what}")
    lost = say("crashed") if fact.what == "crashed" else None
    what = several(say(f"why.{fact.why}") if fact.why else lost, quote(fact.text), separator=" · ")
    tone: Tone = (
        "bad"
        if fact.what in {"failed", "unreachable", "timed-out", "indeterminate", "crashed", "no-go"}
        else "warn"
    )
    shown: Value = (
        several(Badge(tone, word), Badge("warn", say("unproven"))) if fact.tolerated else Badge(tone, word)
    )
    times = len(group) if len(set(steps)) == 1 and len(group) > 1 else 0
    return (
        moment(fact.at),
        several(shown, Quote(f"×{times}")) if times else shown,
        name_steps(steps),
        what if what.values else None,
        quote(fact.by),
    )


def prechecks(report: Report) -> Section:
    """Return what was looked at before; those that were fine only counted."""
    bad = [check for check in report.prechecks if check.level != "ok"]
    counted = say("prechecks.counted", all=Quote(str(len(report.prechecks))), bad=Quote(str(len(bad))))
    columns = (Column("column.check", "name"), Column("column.finding"), Column("column.seen"))
    rows = [
        (Name(check.step), Badge(LEVELS[check.level], say(f"level.{check.level}")), quote(check.summary))
        for check in bad
    ]
    blocks: tuple[Block, ...] = (Paragraph(counted),)
    return Section(
        "section.prechecks", (*blocks, Table("table.prechecks", columns, rows)) if rows else blocks
    )


def annex(report: Report, entries: Sequence[TimelineEntry]) -> Section:
    """Return every event that people read, and what proves the journal whole."""
    origin, chain = report.origin, report.chain
    proof: tuple[tuple[str, Value], ...] = (
        ("sheet.head", Name(chain.head)),
        ("sheet.lines", Quote(str(chain.lines))),
        ("sheet.plan-digest", Name(origin.plan_digest)),
        ("sheet.runbook-digest", Name(origin.runbook_digest)),
        ("sheet.inventory-digest", several(Name(origin.inventory), Name(origin.inventory_digest))),
        ("sheet.tool", Quote(f"drctl {origin.tool}")),
        ("sheet.offset", length(origin.clock_offset, signed=True) or say("unknown")),
        ("sheet.verify", Name(f"drctl verify {origin.run} --head {chain.head}")),
    )
    columns = (
        Column("column.line", "number"), Column("column.day", "time"), Column("column.local", "time"), Column("column.utc", "time"),
        Column("column.step", "name"), Column("column.what"),
    )  # fmt: skip
    rows = [
        (
            Quote(str(entry.line)),
            Moment(entry.at, "day"),
            Moment(entry.at, "clock"),
            Moment(entry.at, "utc-clock"),
            Name(entry.step) if entry.step else None,
            entry.said,
        )
        for entry in entries
    ]
    return Section(
        "section.annex",
        (
            Sheet("sheet.integrity", proof),
            Paragraph(say("integrity.end"), "quiet"),
            Table("table.events", columns, rows),
        ),
        annex=True,
    )
