"""Renders a problem for people: where, what, the offending line with a caret, what to do."""

from __future__ import annotations

from typing import Final

from drctl.core.problem import Problem, Source

_WIDTH: Final = 100


def render_problem(problem: Problem, width: int = _WIDTH + 12) -> str:
    """Return the problem as a few lines of plain text, the last one without its line end.

    The offending line is cut to ``width`` columns; all else is as long as it is.
    """
    place = str(problem.where) if problem.where else " ".join(filter(None, (problem.step, problem.endpoint)))
    label = "warning" if problem.severity == "warning" else "error"
    lines = [f"{place}: {label}: {problem.summary}" if place else f"{label}: {problem.summary}"]
    if problem.where is not None and problem.where.text.strip():
        lines += excerpt(problem.where, width)
    if problem.detail:
        lines.append(f"  {problem.detail}")
    if problem.hint:
        lines.append(f"  → {problem.hint}")
    return "\n".join(lines)


def excerpt(where: Source, width: int = _WIDTH + 12) -> list[str]:
    """Return the offending line and, below it, a caret under the column; long lines are cut."""
    number = str(where.line)
    most = max(20, min(_WIDTH, width - len(f"  {number} | ……")))
    text, column = where.text.replace("\t", " ").rstrip(), where.column - 1
    start = max(0, column - most // 2) if len(text) > most else 0
    shown = text[start : start + most]
    before = "…" if start else ""
    after = "…" if start + most < len(text) else ""
    return [
        f"  {number} | {before}{shown}{after}",
        f"  {' ' * len(number)} | {' ' * (len(before) + column - start)}^",
    ]
