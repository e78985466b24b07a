"""HTTP/1.1 over a connection of the lab: one packet per answer, keep-alive, nothing more."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import BinaryIO

_LIMIT = 32 * 1024 * 1024
"""Largest body read, bytes."""


@dataclass(frozen=True)
class Request:
    """What a client asked; ``path`` and ``query`` are raw, header names in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    peer: tuple[str, int]


@dataclass(frozen=True)
class Response:
    """What a façade answers; Content-Length, Date and Connection are added."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class BadRequest(ValueError):
    """The bytes are no HTTP request that the lab understands."""


class _Gone(Exception):
    """The sender went away in the middle of a request: nobody asked for anything."""


def read_request(stream: BinaryIO, peer: tuple[str, int]) -> Request | None:
    """Read one request; None when the client closed the connection, be it in the middle of a request.

    Raises:
        BadRequest: malformed request line, header or length.
    """
    line = stream.readline(65536)
    if not line.strip():
        return None
    try:
        method, target, _version = line.decode("latin-1").split()
        headers = _read_headers(stream)
        body = _read_body(stream, headers)
    except _Gone:
        return None
    except (ValueError, UnicodeDecodeError) as problem:
        raise BadRequest(f"not a request: {problem}") from problem
    path, _, query = target.partition("?")
    return Request(method.upper(), path, query, headers, body, peer)


def _read_headers(stream: BinaryIO) -> dict[str, str]:
    headers: dict[str, str] = {}
    while (line := _line(stream)).strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return headers


def _read_body(stream: BinaryIO, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _read_chunks(stream)
    length = int(headers.get("content-length", "0"))
    if not 0 <= length <= _LIMIT:
        raise ValueError(f"a body of {length} bytes")
    return _exactly(stream, length)


def _line(stream: BinaryIO) -> bytes:
    line = stream.readline(65536)
    if not line.endswith(b"\n"):
        raise _Gone
    return line


def _exactly(stream: BinaryIO, length: int) -> bytes:
    content = stream.read(length)
    if len(content) < length:
        raise _Gone
    return content


def _read_chunks(stream: BinaryIO) -> bytes:
    body = b""
    while size := int(_line(stream).split(b";")[0], 16):
        body += _exactly(stream, size)
        _line(stream)
        if len(body) > _LIMIT:
            raise ValueError("a body too large")
    while _line(stream).strip():
        pass
    return body


def encode(response: Response, *, head: bool = False, close: bool = False) -> bytes:
    """The answer as one string of bytes, to be sent in one packet (two cost 40 ms by delayed ACK)."""
    try:
        phrase = HTTPStatus(response.status).phrase
    except ValueError:
        phrase = "Unknown"
    headers = {
        "Date": formatdate(usegmt=True),
        **response.headers,
        "Content-Length": str(len(response.body)),
        "Connection": "close" if close else "keep-alive",
    }
    lines = [f"HTTP/1.1 {response.status} {phrase}", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + (b"" if head else response.body)
