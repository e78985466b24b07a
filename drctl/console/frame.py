"""One screen of a run: rows of text that fit a terminal of any size; no colour is needed to read them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from drctl.console.board import Board, Life, Standing, settled, total
from drctl.console.figures import (
    elapsed,
    loss_text,
    next_commands,
    one_line,
    overdue_text,
    question_text,
    rto_text,
    state_text,
    troubles,
    zone_of,
)
from drctl.console.forecast import forecast_text
from drctl.core.duration import format_duration
from drctl.core.run import StepRun
from drctl.report.forecast import Past, foresee

Tone: TypeAlias = Literal["plain", "title", "person", "problem", "faint"]

LABEL = 10
"""Columns of the section names on the left."""

NARROW = 6
"""The same before commands, which must not be cut."""

BAR = 16
"""Columns of a phase's bar."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a screen; ``tone`` only underlines what the words say."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Size:
    """A terminal's columns and rows."""

    width: int = 80
    height: int = 24


@dataclass(frozen=True, slots=True)
class Scene:
    """What a screen shows beside the run itself.

    ``keys`` say what can be pressed or typed; ``notice`` is what was just pressed; ``asks`` when this
    terminal asks the questions itself. ``past`` is what a forecast is made from, where there is one.
    """

    now: datetime
    life: Life
    keys: tuple[str, ...] = ()
    notice: str = ""
    asks: bool = False
    past: Past | None = None


@dataclass
class _Section:
    """A named part of the screen; ``least`` rows of it are always shown, further ones as room allows."""

    name: str
    rows: list[Row]
    least: int
    shown: int = field(init=False)

    def __post_init__(self) -> None:
        self.shown = min(len(self.rows), self.least)


def frame(board: Board, scene: Scene, size: Size) -> list[Row]:
    """Return at most ``height`` rows of at most ``width`` columns each."""
    head = list(_head(board, scene, size.width))
    foot = [Row(scene.notice, "person")] if scene.notice else []
    foot += [Row(key, "faint") for key in scene.keys]
    room = size.height - len(head) - len(foot)
    sections = [section for section in _sections(board, scene, size.width) if section.rows]
    _share(sections, room)
    body = _body(sections, room)
    rows = [*head, *body, *foot]
    return [Row(_cut(row.text, size.width), row.tone) for row in rows[: size.height]]


def _head(board: Board, scene: Scene, width: int) -> Iterator[Row]:
    run, started = board.run, board.run.started
    if started is None:
        yield Row("Reading the real systems; nothing is begun before that.")
        return
    local = f"{scene.now.astimezone(zone_of(run)):%H:%M:%S %Z}"
    title = f"{started.mode.upper()}  {started.source.title} → {started.target.title}"
    yield Row(_cut(title, width - len(local) - 2).ljust(width - len(local)) + local, "title")
    took = format_duration(elapsed(board, scene.now))
    yield _row("Run", f"{started.run}, {state_text(board, scene.life)}, {took}")
    yield _row("RTO", rto_text(board, scene.now))
    yield _row("Lost", loss_text(run))
    if scene.past is not None and run.finished is None:
        forecast = foresee(run, scene.past, scene.now)
        yield _row("Forecast", forecast_text(forecast, zone_of(run)))


def _sections(board: Board, scene: Scene, width: int) -> list[_Section]:
    """Return the parts of the screen from top to bottom."""
    return [
        _Section("Phases", list(_phases(board, 6)), 6),
        _Section("Problems", list(_problems(board)), 4),
        _Section("People", list(_people(board, scene, width)), 3),
        _Section("Next", list(_next(board, scene)), 2),
        _Section("Running", list(_running(board, scene.now)), 3),
        _Section("Latest", list(_latest(board)), 2),
    ]


def _share(sections: Sequence[_Section], room: int) -> None:
    """Decide how many rows each section gets: first what it must show, then what matters most."""
    by_name = {section.name: section for section in sections}
    for name in ("Latest", "Running", "Next", "People", "Phases", "Problems"):  # the first gives way first
        section = by_name.get(name)
        while section is not None and section.shown > 1 and _used(sections) > room:
            section.shown -= 1
    for name in ("Latest", "Running"):  # a terminal of a dozen rows
        if name in by_name and _used(sections) > room:
            by_name[name].shown = 0
    for name, most in (("Problems", 6), ("Running", 6), ("Latest", 3), ("Running", 99), ("Latest", 99)):
        section = by_name.get(name)
        spare = room - _used(sections)
        if section is not None and spare > 0:
            wished = min(len(section.rows), most)
            section.shown = max(section.shown, min(wished, section.shown + spare))
    latest = by_name.get("Latest")
    breaks = len(sections) + 1
    if latest is not None and latest.shown:  # air between the sections is worth more than old events
        air = breaks - (room - _used(sections))
        latest.shown = max(min(2, latest.shown), latest.shown - max(0, air))


def _used(sections: Sequence[_Section]) -> int:
    return sum(section.shown for section in sections)


def _body(sections: Sequence[_Section], room: int) -> list[Row]:
    """Return the rows of all sections, air between them if there is room, filled up to the foot."""
    airy = _used(sections) + len(sections) + 1 <= room
    rows: list[Row] = []
    for section in (section for section in sections if section.shown):
        if airy:
            rows.append(Row(""))
        rows += _shown(section)
    return rows + [Row("")] * (room - len(rows))


def _shown(section: _Section) -> Iterator[Row]:
    """Yield the rows a section gets; the last one says how many more there are."""
    hidden = len(section.rows) - section.shown
    rows = section.rows[: section.shown]
    if section.name == "Latest":
        rows, hidden = section.rows[-section.shown :], 0
    for index, row in enumerate(rows):
        name = section.name if index == 0 else ""
        last = hidden and index == len(rows) - 1
        text = f"… and {hidden + 1} more: drctl status" if last else row.text
        yield _row(name, text, row.tone, NARROW if section.name == "Next" else LABEL)


def _phases(board: Board, most: int) -> Iterator[Row]:
    """Yield a row per phase; when there are many, those that have ended share one."""
    phases = [(name, counts) for name, counts in board.phases.items() if total(counts)]
    over = [name for name, counts in phases if settled(counts)] if len(phases) > most else []
    over = over[: len(phases) - most + 1]
    if len(over) > 1:
        yield Row(f"ended: {', '.join(over)}")
        phases = [(name, counts) for name, counts in phases if name not in over]
    longest = max((len(name) for name, _ in phases), default=0)
    for name, counts in phases:
        yield Row(phase_text(name.ljust(min(longest, 24)), counts))


def phase_text(name: str, counts: Counter[Standing]) -> str:
    """Return a phase with its counts: done of total, then everything that is not simply done or ahead."""
    words: tuple[Standing, ...] = (
        "running", "retrying", "waiting", "failed", "indeterminate", "drifted", "unproven", "skipped",
        "not exercised",
    )  # fmt: skip
    rest = [f"{counts[word]} {word}" for word in words if counts[word]]
    done, every = counts["done"], total(counts)
    filled = BAR * done // every if every else BAR
    share = f"[{'#' * filled:.<{BAR}}] {done:>3}/{every} done"
    return f"{name}  {share}" + (f", {', '.join(rest)}" if rest else "")


def _problems(board: Board) -> Iterator[Row]:
    for trouble in troubles(board):
        yield Row(f"{trouble.word}: {trouble.name}: {trouble.why}", "problem")
    if board.skipped:
        names = ", ".join(step.id for step in board.skipped)
        count = len(board.skipped)
        yield Row(f"skipped: {count} step{'s' if count > 1 else ''}: {names}", "problem")


def _people(board: Board, scene: Scene, width: int) -> Iterator[Row]:
    for step in board.waiting:
        role = (step.gate.role if step.gate else step.manual.role if step.manual else "") or "anyone"
        yield Row(f"{step.id} ({role}), {overdue_text(step, scene.now)}", "person")
        yield Row("  " + _cut(question_text(step), width - LABEL - 2))


def _next(board: Board, scene: Scene) -> Iterator[Row]:
    for command in next_commands(board, scene.life):
        if not (scene.asks and command.startswith("drctl answer")):
            yield Row(command, "person")


def _running(board: Board, now: datetime) -> Iterator[Row]:
    spent = {step.id: format_duration((now - (step.started or now)).total_seconds()) for step in board.active}
    width = max(map(len, spent.values()), default=0)
    for step in board.active:
        word = "again: " if board.standing(step) == "retrying" else ""
        yield Row(f"{spent[step.id]:>{width}}  {step.id}  {word}{doing(step)}".rstrip())
    reading = board.reading() if board.run.finished is None and board.run.paused is None else []
    if reading:
        first = ", ".join(step.id for step in reading[:3])
        more = f" and {len(reading) - 3} more" if len(reading) > 3 else ""
        yield Row(f"{'reading':>{width}}  {first}{more}", "faint")


def doing(step: StepRun) -> str:
    """Return what a running step last said."""
    if step.progress is not None:
        fraction = step.progress.fraction
        share = f"{fraction:.0%} " if fraction is not None else ""
        return one_line(share + step.progress.message)
    if step.finding is not None:
        return one_line(step.finding.summary)
    if step.problem is not None:
        return one_line(step.problem.summary)
    return one_line(step.change.summary) if step.change else ""


def _latest(board: Board) -> Iterator[Row]:
    zone = zone_of(board.run)
    for entry in board.latest:
        place = f"{entry.step}: " if entry.step else ""
        yield Row(f"{entry.at.astimezone(zone):%H:%M:%S}  {place}{one_line(entry.text)}")


def _row(name: str, text: str, tone: Tone = "plain", indent: int = LABEL) -> Row:
    return Row(f"{name:<{indent}}{text}", tone)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"
