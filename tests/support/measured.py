"""What a command takes, from its start to its end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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
    """Run a command; raise ``RuntimeError`` when it fails.

    A small process starts it: the peak that Linux reports of a command begins with the size of whoever
    forked it, and a test's process is large by the end of a suite.
    """
    done = subprocess.run([sys.executable, __file__, *command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}: {done.stderr}")
    return Taken(*json.loads(done.stdout.splitlines()[-1]))


def run(command: Sequence[str]) -> None:
    """Run a command and print what it took; exit with its status when it fails."""
    began = time.monotonic()
    child = os.posix_spawn(command[0], command, os.environ)
    _, status, used = os.wait4(child, 0)
    wall = time.monotonic() - began
    if status:
        sys.exit(os.waitstatus_to_exitcode(status) or 1)
    print(json.dumps([wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))


if __name__ == "__main__":
    run(sys.argv[1:])
