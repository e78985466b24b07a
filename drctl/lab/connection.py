"""A server's end of a TCP connection that goes silent when its site dies and is cut when it returns."""

from __future__ import annotations

import contextlib
import errno
import io
import socket
import ssl

from drctl.lab.world import World


class Severed(ConnectionError):
    """The connection was closed by the lab, or its site died and came back."""


class Connection:
    """Looks enough like a socket for paramiko, ``ssl`` streams and hand-written servers."""

    def __init__(self, world: World, site: str, sock: socket.socket) -> None:
        self._world = world
        self._site = site
        with world.lock:
            self._generation = world.site(site).generation
        self._sock = sock
        self._closed = False
        self._held = b""
        self._timeout: float | None = None

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Make the server's side of a TLS handshake."""
        self._await_site()
        self._sock = context.wrap_socket(self._sock, server_side=True)

    def _await_site(self) -> None:
        """Block while the site is unreachable.

        Raises:
            Severed: closed meanwhile, or the site lost power.
            TimeoutError: longer than the socket's timeout.
        """
        world = self._world
        with world.lock:
            if not world.answers_outside(self._site) and not world.wait(
                lambda: self._closed or world.answers_outside(self._site),
                1e6 if self._timeout is None else self._timeout,
            ):
                raise TimeoutError("timed out")
            if self._closed or world.site(self._site).generation != self._generation:
                raise Severed(errno.ECONNRESET, "the connection is gone")

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Read; a site that died before the bytes arrived never reads them."""
        data = self._held or self._sock.recv(size, flags)
        self._held = data  # not lost when the site stays away for longer than the timeout
        self._await_site()
        self._held = data[size:]
        return data[:size]

    def send(self, data: bytes, flags: int = 0) -> int:
        """Write, once the site is reachable."""
        self._await_site()
        return self._sock.send(data, flags)

    def sendall(self, data: bytes, flags: int = 0) -> None:
        """Write all, once the site is reachable."""
        self._await_site()
        self._sock.sendall(data, flags)

    def settimeout(self, seconds: float | None) -> None:
        """As ``socket.settimeout``."""
        self._timeout = seconds
        self._sock.settimeout(seconds)

    def gettimeout(self) -> float | None:
        """As ``socket.gettimeout``."""
        return self._timeout

    def setsockopt(self, level: int, option: int, value: int) -> None:
        """As ``socket.setsockopt``."""
        self._sock.setsockopt(level, option, value)

    def getpeername(self) -> tuple[str, int]:
        """As ``socket.getpeername``."""
        peer: tuple[str, int] = self._sock.getpeername()
        return peer

    def getsockname(self) -> tuple[str, int]:
        """As ``socket.getsockname``."""
        name: tuple[str, int] = self._sock.getsockname()
        return name

    def fileno(self) -> int:
        """As ``socket.fileno``."""
        return self._sock.fileno()

    def makefile(self) -> io.BufferedReader:
        """A buffered stream to read from."""
        return io.BufferedReader(_Reader(self), 65536)

    def shutdown(self, how: int) -> None:
        """As ``socket.shutdown``."""
        self._sock.shutdown(how)

    def close(self) -> None:
        """Close; whoever waits in another thread is woken with ``Severed``."""
        with self._world.lock:
            self._closed = True
            self._world.changed.notify_all()
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()


class _Reader(io.RawIOBase):
    """The raw stream under ``Connection.makefile``."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer is wider
        data = self._connection.recv(len(buffer))
        buffer[: len(data)] = data
        return len(data)
