"""One listening socket of the lab and the three ways it can be: open, refused, swallowed by a black hole."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from drctl.lab.connection import Connection

FILLER = "127.255.255.254"
"""Source address of the lab's own connections that keep a dead site's backlog full."""

_SYN_SENT = "02"


class Mode(Enum):
    """How a listener treats a client."""

    OPEN = "open"
    REFUSED = "refused"
    HOLE = "hole"


@dataclass
class Listener:
    """A TCP or UDP address that a façade serves."""

    name: str
    site: str
    facade: str
    address: str
    port: int
    tls: bool = False
    on_connection: Callable[[Connection, tuple[str, int]], None] | None = None
    on_datagram: Callable[[bytes, tuple[str, int]], bytes | None] | None = None
    is_up: Callable[[], bool] | None = None
    """Whether what listens here runs; always when None."""
    mode: Mode = Mode.OPEN
    registered: bool = False
    sock: socket.socket = field(init=False)
    _fillers: list[socket.socket] = field(default_factory=list)

    def open(self) -> None:
        """Bind (and listen).

        Raises:
            OSError: the address is taken.
        """
        stream = self.on_connection is not None
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(stream))
        self.sock.bind((self.address, self.port))
        if stream:
            self.sock.listen(256)
        self.sock.setblocking(False)

    def change(self, mode: Mode) -> None:
        """Become open, refusing or a black hole."""
        if self.mode is Mode.REFUSED:
            self.open()
        if mode is Mode.REFUSED:
            self.close()
        elif self.on_connection is not None:
            if mode is Mode.HOLE:
                self._fill()
            else:
                self._empty()
        self.mode = mode

    def _fill(self) -> None:
        """Keep the accept queue full: the kernel then drops every SYN, so a connect times out.

        A backlog of 0 admits one connection; the surplus fillers stay in SYN_SENT and take the
        place of any that ends.
        """
        self.sock.listen(0)
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.bind((FILLER, 0))
            filler.connect_ex((self.address, self.port))
            self._fillers.append(filler)

    def _empty(self) -> None:
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
        self.sock.listen(256)

    def close(self) -> None:
        """Close the socket; clients are refused from now on."""
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
        self.sock.close()


def count_attempts(
    holes: dict[tuple[str, int], str], seen: set[tuple[str, str]], count: Callable[[str], None]
) -> set[tuple[str, str]]:
    """Count, per site, new SYNs on their way to a black hole, read from ``/proc/net/tcp``.

    Returns the attempts under way, to be passed as ``seen`` next time.
    """
    current: set[tuple[str, str]] = set()
    with contextlib.suppress(OSError):
        for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
            _, source, target, state, *_ = line.split()
            if state != _SYN_SENT or _address(source)[0] == FILLER:
                continue
            site = holes.get(_address(target))
            if site is None:
                continue
            current.add((source, target))
            if (source, target) not in seen:
                count(site)
    return current


def _address(text: str) -> tuple[str, int]:
    """``0100007F:CDDA`` as ("127.0.0.1", 52698); the kernel prints the address in host byte order."""
    address, _, port = text.partition(":")
    return socket.inet_ntoa(int(address, 16).to_bytes(4, "little")), int(port, 16)
