"""What verbs that follow a journal have in common: they end with the run, or at Ctrl-C."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import typer

from drctl.core.problem import ExitCode

T = TypeVar("T")


def until_interrupted(batches: Iterator[T]) -> Iterator[T]:
    """Yield what comes; Ctrl-C exits with 130, quietly: nothing but the looking ends."""
    try:
        yield from batches
    except KeyboardInterrupt as pressed:
        raise typer.Exit(int(ExitCode.INTERRUPTED)) from pressed
