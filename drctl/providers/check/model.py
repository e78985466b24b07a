"""What a check asks and what it sees; a service that does not answer is seen, not raised."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from drctl.core.address import SocketAddress, parse_address

DNS_PORT = 53
LIMIT = 1 << 20
"""Bytes of an answer's body that are read."""


def _address(text: str) -> str:
    parse_address(text, DNS_PORT)
    return text


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("a URL begins with http:// or https:// and names a host")
    if parts.username or parts.password:
        raise ValueError("a URL holds no user name or password: it is shown and journaled")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("a URL is plain ASCII: write other characters as %XX")
    _ = parts.port  # raises ValueError when it is no port
    return text


ServerAddress = Annotated[str, AfterValidator(_address)]
"""``192.0.2.53``, ``192.0.2.53:5353`` or ``[2001:db8::53]:5353``."""

Url = Annotated[str, AfterValidator(_url)]
Port = Annotated[int, Field(ge=1, le=65535)]


@dataclass(frozen=True, slots=True)
class Request:
    """One GET; ``resolver`` finds the host's address instead of the system's, ``timeout`` covers it all."""

    url: str
    timeout: float
    resolver: SocketAddress | None = None
    ca_file: Path | None = None
    contains: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of it: ``reason`` says why there was no answer; ``latency`` in seconds."""

    reason: str = ""
    address: str | None = None
    latency: float | None = None
    status: int | None = None
    location: str = ""
    contains: bool | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """One name server's answer, in the order the servers were given."""

    server: str
    values: tuple[str, ...] = ()
    authoritative: bool = False
    reason: str = ""


class Caller(Protocol):
    """The client, as probes see it."""

    def get(self, request: Request) -> Seen:
        """Ask for a URL; redirects are not followed. Raise ``ProviderError`` for an unusable CA file."""
        ...

    def dial(self, host: str, port: int, resolver: SocketAddress | None, timeout: float) -> Seen:
        """Open a TCP connection and close it."""
        ...

    def ask(self, name: str, kind: str, servers: tuple[SocketAddress, ...], timeout: float) -> list[Named]:
        """Ask each server, all at once, without recursion."""
        ...
