"""What the inventory says about a host, and what is read from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Protocol

from pydantic import Field

from drctl.core.duration import Duration
from drctl.core.provider import Endpoint
from drctl.core.secret import Secret

LIMIT = 1 << 20
"""Bytes of output or of a file that are kept; the rest of an output is read and dropped."""


class SshEndpoint(Endpoint):
    """A POSIX host with GNU ``timeout``; login by key only, host key known beforehand.

    ``passphrase`` opens an encrypted key. ``connect_timeout`` and ``keepalive`` are seconds;
    ``file_timeout`` bounds the reading or writing of one file. The default concurrency keeps well below
    what sshd allows one connection (MaxSessions 10).
    """

    default_concurrency: ClassVar[int] = 4

    host: str = Field(description="Name or address to log in to.")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(22, description="TCP port of its SSH server.")
    username: str = Field(description="The account to log in as.")
    key_file: Path = Field(description="The private key that opens it; there is no login by password.")
    known_hosts: Path = Field(
        description="File with its host key, as OpenSSH writes it; an unknown host is refused."
    )
    passphrase: Secret | None = Field(
        None, description="Opens the private key when it is encrypted, as a reference."
    )
    connect_timeout: Duration = Field(10.0, description="How long connection and login may take.")
    keepalive: Duration = Field(15.0, description="Pause between two signs of life on an idle connection.")
    file_timeout: Duration = Field(60.0, description="How long reading or writing a file may take.")


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended; ``output`` is both streams as they came, ``status`` is never negative."""

    status: int
    output: str
    truncated: bool = False

    @property
    def tail(self) -> str:
        """The last lines of the output, for people."""
        return "\n".join(self.output.strip().splitlines()[-5:])[-1000:]


@dataclass(frozen=True, slots=True)
class CommandState:
    """Whether a command's guard holds; None for a command without guard."""

    satisfied: bool | None = None


@dataclass(frozen=True, slots=True)
class FileState:
    """A remote file; None everywhere when it does not exist.

    ``mode`` is octal text (``0644``). ``sha256`` is empty for a file over ``LIMIT`` bytes, ``content``
    None for that one and for one that is not UTF-8.
    """

    size: int | None = None
    mode: str | None = None
    sha256: str | None = None
    content: str | None = None

    @property
    def exists(self) -> bool:
        """Whether there is such a file."""
        return self.size is not None


@dataclass(frozen=True, slots=True)
class Question:
    """One GET, asked by the host: ``url`` as its users write it, sent to ``address``; ``timeout`` covers it all."""

    url: str
    address: str
    timeout: float
    ca_file: Path | None = None
    contains: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it: ``reason`` says why there was no answer; ``latency`` in seconds."""

    reason: str = ""
    latency: float | None = None
    status: int | None = None
    location: str = ""
    contains: bool | None = None


class Host(Protocol):
    """The client, as actions and probes see it; every method raises ``ProviderError``."""

    def guard(self, command: Sequence[str], timeout: float) -> Result:
        """Run a command that only looks; allowed to readers."""
        ...

    def execute(self, command: Sequence[str], timeout: float) -> Result:
        """Run a command that may change something."""
        ...

    def look(self, path: str) -> FileState:
        """Read a file."""
        ...

    def put(self, path: str, content: bytes, mode: int, mark: str) -> None:
        """Replace a file as a whole; ``mark`` names the temporary file beside it."""
        ...

    def get(self, question: Question) -> Answer:
        """Let the host connect and ask through it; redirects are not followed."""
        ...

    def dial(self, address: str, port: int, timeout: float) -> Answer:
        """Let the host open a TCP connection, and close it."""
        ...
