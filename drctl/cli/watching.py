"""What verbs that follow a journal have in common: they end with the run, or at Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import typer

from drctl.core.problem import ExitCode

T = TypeVar("T")


def until_interrupted(follow: Callable[[threading.Event], Iterator[T]]) -> Iterator[T]:
    """Yield what ``follow`` finds; Ctrl-C exits with 130, quietly: nothing but the looking ends.

    ``follow`` is given the event that Ctrl-C sets: an exception could strike anywhere, also where the
    interpreter drops it.
    """
    left = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: left.set())
    try:
        yield from follow(left)
    finally:
        signal.signal(signal.SIGINT, before)
    if left.is_set():
        raise typer.Exit(int(ExitCode.INTERRUPTED))
