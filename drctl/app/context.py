"""What a command works with: where runs live, which providers there are, who is asking."""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_state_path

from drctl.core.clock import Clock, SystemClock
from drctl.core.provider import Registry
from drctl.engine.home import Home
from drctl.engine.journal import JournalFile


@dataclass(frozen=True)
class Context:
    """The outside of a command; tests build their own, with a journal that dies where they want."""

    home: Home
    registry: Registry
    clock: Clock
    user: str
    host: str
    journal_file: type[JournalFile] = JournalFile

    @property
    def actor(self) -> str:
        """Return who acts, as the journal names people: ``user@host``."""
        return f"{self.user}@{self.host}"


def system_context(home: Path | None = None) -> Context:
    """Return the context of this machine and user; ``home`` is ``--home`` or ``DRCTL_HOME``."""
    clock = SystemClock()
    place = home or user_state_path("drctl")
    return Context(Home(place, clock), Registry(), clock, _user(), socket.gethostname())


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no entry for this uid, as in a bare container
        return f"uid {os.getuid()}"
