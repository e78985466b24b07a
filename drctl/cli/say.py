"""Prints lines: folded at the width of a terminal, untouched into a file or a pipe."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable

import typer

from drctl.console.fold import fold


def say(text: str, *, err: bool = False) -> None:
    """Print a text of one or more lines on stdout or stderr."""
    for line in folded(text, terminal=(sys.stderr if err else sys.stdout).isatty()):
        typer.echo(line, err=err)


def folded(text: str, *, terminal: bool) -> Iterable[str]:
    """Return the lines of a text as they are to be printed."""
    lines = text.split("\n")
    if not terminal:
        return lines
    width = shutil.get_terminal_size().columns
    return [piece for line in lines for piece in fold(line, width)]
