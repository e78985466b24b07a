"""The picture of a run as a Mermaid Gantt, for Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from drctl.report.chart import Bar, Chart, Paint, Row
from drctl.report.speech import Speech

TAGS: Mapping[Paint, str] = {
    "work": "",
    "check": "done, ",
    "person": "active, ",
    "bad": "crit, ",
    "phase": "",
    "stopped": "crit, ",
}
"""Mermaid knows four looks; a wait on people is ``active``, validation ``done``, a bad end ``crit``."""

SHORTEST = timedelta(seconds=1)
"""Mermaid draws whole seconds; what was shorter is drawn as one."""


def gantt(chart: Chart, speech: Speech) -> str:
    """Return the Gantt; times are local to the site."""
    lines = ["gantt", "  dateFormat YYYY-MM-DD HH:mm:ss", "  axisFormat %H:%M:%S"]
    for row in chart.rows:
        if row.level == "phase":
            lines.append(f"  section {_name(row.label)}")
            if chart.folded == "phases":
                lines += _bars(row, speech)
        else:
            lines += _bars(row, speech)
    if chart.marks:
        lines.append(f"  section {speech.word('page.marks')}")
        lines += [
            f"  {_name(speech.mark(mark))} :milestone, {_at(mark.at, speech)}, 0s" for mark in chart.marks
        ]
    return "\n".join(lines) + "\n"


def _bars(row: Row, speech: Speech) -> list[str]:
    star = f" ({speech.word('paint.critical')})" if row.critical else ""
    return [
        f"  {_name(row.label)}{star}{_paint(bar, speech)} :{TAGS[bar.paint]}{_span(bar, speech)}"
        for bar in row.bars
    ]


def _paint(bar: Bar, speech: Speech) -> str:
    return f" – {speech.word(f'paint.{bar.paint}')}" if bar.paint in {"person", "bad"} else ""


def _span(bar: Bar, speech: Speech) -> str:
    end = max(bar.end, bar.start + SHORTEST)
    return f"{_at(bar.start, speech)}, {_at(end, speech)}"


def _at(instant: datetime, speech: Speech) -> str:
    return f"{instant.astimezone(speech.zone):%Y-%m-%d %H:%M:%S}"


def _name(text: str) -> str:
    """Keep what Mermaid would read as syntax out of a name."""
    return re.sub(r"[:;#,`\n]+", " ", text)[:60].strip()
