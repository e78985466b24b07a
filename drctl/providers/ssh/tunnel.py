"""One question through a channel: a TCP connection that the host at the other end opened for us.

The channel is no socket, so TLS runs in memory and its records go through the channel by hand
(RFC 4254, section 7.2, for the channel).
"""

from __future__ import annotations

import http.client
import io
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeAlias
from urllib.parse import SplitResult

import paramiko

from drctl.core.problem import Problem, ProviderError
from drctl.providers.ssh.model import LIMIT, Answer, Question

CHUNK = 1 << 14

Data: TypeAlias = bytes | bytearray | memoryview


class _Wire(Protocol):
    """As much of a socket as ``http.client`` needs."""

    def sendall(self, data: Data, /) -> None: ...
    def makefile(self, mode: str, /) -> io.BufferedIOBase: ...
    def close(self) -> None: ...


def context_for(ca_file: Path | None) -> ssl.SSLContext:
    """Trust ``ca_file`` alone, or what the system trusts; raise ``ProviderError`` when it cannot be used."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        problem = Problem(
            "ssh-ca-file", f"cannot use CA file {ca_file}", str(error), "It holds PEM certificates."
        )
        raise ProviderError(problem) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def exchange(
    channel: paramiko.Channel, parts: SplitResult, question: Question, context: ssl.SSLContext | None
) -> Answer:
    """Send one GET and read its answer; the host's name, not the address, is asked for and verified."""
    host = parts.hostname or ""
    wire: _Wire = _Plain(channel) if context is None else _Tls(channel, context, host)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    talk = kind(host, parts.port)
    talk.sock = wire
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    talk.request("GET", target, headers={"User-Agent": "drctl", "Accept": "*/*", "Connection": "close"})
    with talk.getresponse() as reply:
        body = reply.read(LIMIT)
        return Answer(
            status=reply.status,
            location=reply.getheader("Location") or "",
            contains=None
            if question.contains is None
            else question.contains in body.decode(errors="replace"),
        )


class _Plain:
    """A channel as it is."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel

    def sendall(self, data: Data, /) -> None:
        self._channel.sendall(bytes(data))

    def makefile(self, _mode: str, /) -> io.BufferedIOBase:
        return io.BufferedReader(_Stream(self._channel.recv))

    def close(self) -> None:
        """Leave the channel open: whoever opened it closes it, and answers are read after this."""


class _Tls:
    """A channel with TLS on it."""

    def __init__(self, channel: paramiko.Channel, context: ssl.SSLContext, host: str) -> None:
        self._channel = channel
        self._received, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._outgoing, server_hostname=host)
        self._pump(self._tls.do_handshake)

    def sendall(self, data: Data, /) -> None:
        self._pump(lambda: self._tls.write(bytes(data)))

    def makefile(self, _mode: str, /) -> io.BufferedIOBase:
        return io.BufferedReader(_Stream(self._read))

    def close(self) -> None:
        """Leave the channel open, as ``_Plain`` does."""

    def _read(self, size: int) -> bytes:
        found = b""

        def take() -> None:
            nonlocal found
            found = self._tls.read(size)

        try:
            self._pump(take)
        except ssl.SSLZeroReturnError:
            return b""
        return found

    def _pump(self, act: Callable[[], object]) -> None:
        """Do one thing of TLS, moving records both ways until it is done."""
        while True:
            try:
                act()
            except ssl.SSLWantReadError:
                self._flush()
                data = self._channel.recv(CHUNK)
                if data:
                    self._received.write(data)
                else:
                    self._received.write_eof()
            else:
                self._flush()
                return

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self._channel.sendall(data)


class _Stream(io.RawIOBase):
    """What ``read`` returns, as a raw stream."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        super().__init__()
        self._read = read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer is wider
        view = memoryview(buffer)
        data = self._read(len(view))
        view[: len(data)] = data
        return len(data)
