"""What a command takes, from its start to its end."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Taken:
    """Seconds on the clock, seconds of processor, MiB at most."""

    wall: float
    processor: float
    memory: float


def measure(command: Sequence[str]) -> Taken:
    """Run a command; raise ``RuntimeError`` when it fails."""
    began = time.monotonic()
    child = os.posix_spawn(command[0], command, os.environ)
    _, status, used = os.wait4(child, 0)
    if status:
        raise RuntimeError(f"{command} ended with {os.waitstatus_to_exitcode(status)}")
    return Taken(time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
