"""A person at an 80x24 terminal: a pseudo-terminal whose bytes are read and typed, with bounded waits."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

PATIENCE = 90.0
"""Seconds to wait for what must appear."""

# The child of Popen has a session of its own; this makes the terminal its controlling one.
_SHIM = (
    "import fcntl,os,sys,termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>]")


class Terminal:
    """A command on a terminal of its own; ``seen`` is all it wrote."""

    def __init__(self, command: list[str | Path], environment: Mapping[str, str], columns: int = 80) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        clean = {k: v for k, v in environment.items() if k not in {"COLUMNS", "LINES", "NO_COLOR"}}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SHIM, *map(str, command)],
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env={"TERM": "xterm-256color", **clean},
        )  # fmt: skip
        os.close(slave)
        self._bytes = b""
        self._read = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.hang_up()

    @property
    def seen(self) -> str:
        """Everything written so far, escape sequences included."""
        return self._bytes.decode(errors="replace")

    @property
    def text(self) -> str:
        """Everything written so far, as text."""
        return _ESCAPES.sub("", self.seen).replace("\r", "")

    def wait_for(self, pattern: str) -> str:
        """Read until the pattern appears after what earlier waits found; return everything up to its end."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = re.search(pattern, self.text[self._read :])
            if found:
                self._read += found.end()
                return self.text[: self._read]
            if not self._take(deadline):
                raise AssertionError(f"{pattern!r} did not appear after:\n{self.text[-3000:]}")

    def type(self, text: str) -> None:
        """Press keys; a line ends with a newline, Ctrl-C is ``\\x03``."""
        os.write(self._master, text.encode())

    def hang_up(self) -> None:
        """Close the terminal: what runs on it gets SIGHUP."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def end(self) -> int:
        """Read to the end and return the exit status."""
        deadline = time.monotonic() + PATIENCE
        while self._master >= 0 and self.process.poll() is None:
            if not self._take(deadline, 0.1) and time.monotonic() > deadline:
                raise AssertionError(f"did not end; last seen:\n{self.text[-3000:]}")
        while self._master >= 0 and self._take(time.monotonic() + 0.2):
            pass
        return self.process.wait(PATIENCE)

    def _take(self, deadline: float, longest: float = PATIENCE) -> bool:
        """Read what is there; False at the deadline or when the other side has closed."""
        patience = max(0.0, min(longest, deadline - time.monotonic()))
        ready, _, _ = select.select([self._master], [], [], patience)
        if not ready:
            return False
        try:
            chunk = os.read(self._master, 65536)
        except OSError:  # the last process on the terminal has ended
            return False
        self._bytes += chunk
        return bool(chunk)
