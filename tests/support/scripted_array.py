"""An HTTPS server that answers by script and keeps count, and a control that remembers."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

from drctl.core.action import Handle
from drctl.lab.pki import Pki


@dataclass(frozen=True)
class Asked:
    """One request as it came over the wire; ``query`` is raw."""

    method: str
    path: str
    query: str
    body: Any
    headers: dict[str, str]


@dataclass(frozen=True)
class Reply:
    """One answer; ``body`` is JSON, or bytes sent as they are. ``drop`` closes the connection instead."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False


def collection(*records: dict[str, Any], after: str = "") -> Reply:
    body: dict[str, Any] = {"records": list(records), "num_records": len(records)}
    if after:
        body["_links"] = {"next": {"href": after}}
    return Reply(200, body)


def refused(status: int, code: object, message: str, target: str = "") -> Reply:
    error = {"message": message, "code": code} | ({"target": target} if target else {})
    return Reply(status, {"error": error})


def job_started(uuid: str = "j1") -> Reply:
    return Reply(202, {"job": {"uuid": uuid, "_links": {"self": {"href": f"/api/cluster/jobs/{uuid}"}}}})


class Array:
    """Answers by ``METHOD /path``: one reply, or several used in turn, the last one again and again."""

    def __init__(self, pki: Pki) -> None:
        self.asked: list[Asked] = []
        self.connections = 0
        self.ca_file = pki.ca_file
        self.script: dict[str, list[Reply]] = {}
        self._lock = threading.Lock()
        self._tls = pki.context("127.0.0.1", ("array.example",))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def on(self, call: str, *replies: Reply) -> None:
        self.script[call] = list(replies)

    def seen(self, method: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.method == method]

    def close(self) -> None:
        if self._listener.fileno() < 0:
            return
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for sock in self._open:
            sock.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            with self._tls.wrap_socket(sock, server_side=True) as tls, tls.makefile("rb") as stream:
                self.connections += 1
                while (asked := _read(stream)) is not None:
                    reply = self._answer(asked)
                    if reply.drop:
                        return
                    tls.sendall(_encode(reply))
        except (OSError, ssl.SSLError):
            return

    def _answer(self, asked: Asked) -> Reply:
        with self._lock:
            self.asked.append(asked)
            replies = self.script.get(f"{asked.method} {asked.path}")
            if replies is None:
                return refused(404, "3", f"API not found: {asked.path}")
            return replies.pop(0) if len(replies) > 1 else replies[0]


def _read(stream: Any) -> Asked | None:
    line = stream.readline().decode()
    if not line.strip():
        return None
    method, target, _ = line.split()
    headers = {}
    while text := stream.readline().decode().strip():
        name, _, value = text.partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", 0)))
    path, _, query = target.partition("?")
    return Asked(method, path.removeprefix("/api"), query, json.loads(body) if body else None, headers)


def _encode(reply: Reply) -> bytes:
    body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
    headers = {"Content-Length": str(len(body)), "Date": formatdate(usegmt=True), **reply.headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {reply.status} Said\r\n{head}\r\n".encode() + body


@dataclass
class Recorder:
    """A ``Control`` that remembers; time passes only as ``sleep`` says."""

    clock: Any
    deadline: float = 600.0
    said: list[str] = field(default_factory=list)
    handles: list[Handle] = field(default_factory=list)
    overrides: list[str] = field(default_factory=list)
    mark: str = "drctl:run:step"

    def progress(self, message: str, fraction: float | None = None) -> None:
        self.said.append(message)

    def handle(self, handle: Handle) -> None:
        self.handles.append(handle)

    def override(self, what: str, why: str) -> None:
        self.overrides.append(f"{what}: {why}")

    def sleep(self, seconds: float) -> None:
        self.clock.passed += seconds

    def remaining(self) -> float:
        return max(0.0, self.deadline - self.clock.passed)


@dataclass
class Clock:
    """The wall clock of the machine, and seconds that pass when told."""

    passed: float = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float, wake: Any = None) -> bool:
        self.passed += seconds
        return False
