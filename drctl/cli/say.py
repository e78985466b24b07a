"""Prints lines: folded at the width of a terminal, untouched into a file or a pipe."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable

import typer

from drctl.console.fold import fold
from drctl.core.excerpt import render_problem
from drctl.core.problem import Problem

NO_TERMINAL = 1000
"""Columns of what is no terminal."""


def say(text: str, *, err: bool = False) -> None:
    """Print a text of one or more lines on stdout or stderr."""
    for line in folded(text, terminal=(sys.stderr if err else sys.stdout).isatty()):
        typer.echo(line, err=err)


def say_problem(problem: Problem) -> None:
    """Print a problem on stderr, with the offending line cut to what the terminal shows."""
    say(render_problem(problem, columns() if sys.stderr.isatty() else NO_TERMINAL), err=True)


def folded(text: str, *, terminal: bool) -> Iterable[str]:
    """Return the lines of a text as they are to be printed."""
    lines = text.split("\n")
    if not terminal:
        return lines
    return [piece for line in lines for piece in fold(line, columns())]


def columns() -> int:
    """Return how wide the terminal is; very wide where there is none."""
    return shutil.get_terminal_size((NO_TERMINAL, 24)).columns
