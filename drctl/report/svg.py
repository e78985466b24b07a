"""The picture of a run as inline SVG: readable on its own, painted by the page's style where there is one.

Every shape carries its colour as an attribute too: a PDF writer does not apply the page's style inside SVG.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from html import escape

from drctl.report.chart import Bar, Chart, Mark, Row
from drctl.report.speech import Speech

WIDTH = 1000
LABELS = 230
ROW = 20
TOP = 46
FILLS: Mapping[str, str] = {
    "work": "#2a6fb0", "check": "#2e7d4f", "person": "#b35c00", "bad": "#a61b14", "stopped": "#d9d9de",
    "detection": "#6b4fa0", "decision": "#7a6a00", "execution": "#2a6fb0", "people": "#b35c00",
    "validation": "#2e7d4f", "ink": "#1b1b1f", "quiet": "#55555e", "line": "#d4d4da",
}  # fmt: skip
"""The light theme's colours; ``style.css`` says the same, and what they are in the dark."""

STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)


def gantt_svg(chart: Chart, speech: Speech, title: str) -> str:
    """Return the Gantt of a run."""
    return "".join(_Gantt(chart, speech).draw(title))


class _Gantt:
    def __init__(self, chart: Chart, speech: Speech) -> None:
        self._chart = chart
        self._speech = speech
        self._seconds = max((chart.end - chart.start).total_seconds(), 1.0)
        self._bottom = TOP + ROW * len(chart.rows)

    def draw(self, title: str) -> Iterator[str]:
        height = self._bottom + 10
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
            f'role="img" font-family="DejaVu Sans, Verdana, sans-serif" font-size="11"><title>{escape(title)}</title>'
        )
        for stop in self._chart.stops:
            yield self._box(stop, TOP, self._bottom - TOP, "stopped")
        yield from self._axis()
        for number, row in enumerate(self._chart.rows):
            yield from self._row(row, TOP + ROW * number)
        yield from self._marks()
        yield "</svg>"

    def _x(self, at: datetime) -> float:
        share = (at - self._chart.start).total_seconds() / self._seconds
        return LABELS + (WIDTH - LABELS - 12) * min(max(share, 0.0), 1.0)

    def _axis(self) -> Iterator[str]:
        step = next((each for each in STEPS if self._seconds / each <= 8), STEPS[-1])
        local = self._chart.start.astimezone(self._speech.zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        first = int((local - midnight).total_seconds() // step + 1) * step
        at = midnight + timedelta(seconds=first)
        form = "%H:%M" if step >= 60 else "%H:%M:%S"
        yield _text(0, TOP - 30, f"{self._speech.zone.key}", "quiet")
        while at <= self._chart.end:
            x = self._x(at)
            yield f'<path class="s-line" stroke="{FILLS["line"]}" d="M{x:.1f} {TOP - 4}V{self._bottom}"/>'
            if x < WIDTH - 30:
                yield _text(x, TOP - 30, f"{at:{form}}", "quiet", anchor="middle")
            at += timedelta(seconds=step)

    def _row(self, row: Row, y: int) -> Iterator[str]:
        phase = row.level == "phase"
        if phase:
            yield f'<path class="s-line" stroke="{FILLS["line"]}" d="M0 {y}H{WIDTH}"/>'
        if row.critical:
            yield f'<rect class="f-ink" fill="{FILLS["ink"]}" x="{0 if phase else 10}" y="{y + 3}" width="3" height="{ROW - 6}"/>'
        count = f" ×{row.count}" if row.count > 1 else ""
        label = _short(row.label, 34 - len(count)) + count
        yield _text(6 if phase else 18, y + 14, label, "ink", bold=row.critical or phase, full=row.label)
        for bar in row.bars:
            yield self._box(
                bar, y + (3 if phase else 5), ROW - (6 if phase else 10), bar.paint, self._tip(row, bar)
            )

    def _tip(self, row: Row, bar: Bar) -> str:
        took = self._speech.length((bar.end - bar.start).total_seconds())
        start = self._speech.moment(bar.start, "clock")
        return f"{row.label}: {self._speech.word(f'paint.{bar.paint}')}, {start}, {took}"

    def _box(self, bar: Bar, y: int, height: int, paint: str, tip: str = "") -> str:
        x = self._x(bar.start)
        width = max(self._x(bar.end) - x, 1.5)
        inside = f"<title>{escape(tip)}</title>" if tip else ""
        return (
            f'<rect class="f-{paint}" fill="{FILLS[paint]}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{height}" '
            f'rx="1.5">{inside}</rect>'
        )

    def _marks(self) -> Iterator[str]:
        for mark in self._chart.marks:
            yield self._mark(mark)

    def _mark(self, mark: Mark) -> str:
        x, y = self._x(mark.at), TOP - 13
        word = self._speech.mark(mark)
        tip = f"<title>{escape(word)}, {self._speech.moment(mark.at, 'clock')}</title>"
        match mark.kind:
            case "decision":
                shape = f'<path class="f-ink" fill="{FILLS["ink"]}" d="M{x:.1f} {y - 6}l5 6l-5 6l-5-6z">{tip}</path>'
            case "note":
                shape = f'<path class="f-person" fill="{FILLS["person"]}" d="M{x:.1f} {y - 5}l5 10h-10z">{tip}</path>'
            case _:
                paint = {"no-return": "bad", "restored": "check", "clock": "quiet"}[mark.kind]
                dash = "" if mark.kind == "no-return" else ' stroke-dasharray="4 3"'
                shape = (
                    f'<path class="s-{paint}" stroke="{FILLS[paint]}" stroke-width="1.6"{dash} fill="none" '
                    f'd="M{x:.1f} {TOP - 22}V{self._bottom}">{tip}</path>'
                )
        return shape


def _text(
    x: float, y: float, text: str, paint: str, *, bold: bool = False, anchor: str = "", full: str = ""
) -> str:
    weight = ' font-weight="bold"' if bold else ""
    place = f' text-anchor="{anchor}"' if anchor else ""
    tip = f"<title>{escape(full)}</title>" if full and full not in text else ""
    return f'<text class="f-{paint}" fill="{FILLS[paint]}" x="{x:.1f}" y="{y}"{weight}{place}>{tip}{escape(text)}</text>'


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
