"""The services as their users meet them: ``/health`` over HTTPS and the ports of the applications."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Final

from drctl.lab.apps import ServiceState, answers
from drctl.lab.model import Application
from drctl.lab.net import Connection, Net, Request, Response
from drctl.lab.world import World

_PATHS: Final = frozenset({"/", "/health"})
Look = Callable[[World, str, str], ServiceState]
"""How a service is at a site, for whoever asks: its users, or a drill inside the bubble."""

_IDLE = 60.0
"""Real seconds after which a port closes a connection on which nothing is said."""


def serve(world: World, net: Net) -> None:
    """Serve every address of every service at every site."""
    for application in world.estate.applications.values():
        for site, addresses in application.addresses.items():
            for address, port, kind in addresses:
                front = Front(world, application, site)
                if kind == "http":
                    net.http(application.service, site, "app", address, port, front.on_request)
                else:
                    net.tcp(
                        application.service,
                        site,
                        "app",
                        address,
                        port,
                        front.on_connection,
                        is_up=front.is_up,
                    )


class Front:
    """One service at one site."""

    def __init__(self, world: World, application: Application, site: str, look: Look = answers) -> None:
        self._world = world
        self._look = look
        self._service = application.service
        self._site = site

    def is_up(self) -> bool:
        """Whether something listens on the service's ports: also when it works badly."""
        state = self._look(self._world, self._service, self._site)
        return state.ok or state.degraded

    def on_request(self, request: Request) -> Response:
        """``/health`` says how the service is: 200 when it works, 503 and the reason when not."""
        if request.path not in _PATHS:
            return _json(404, {"error": f"no such page: {request.path}"})
        if request.method not in ("GET", "HEAD"):
            return _json(405, {"error": f"{request.method} is not allowed"})
        with self._world.lock:
            state = self._look(self._world, self._service, self._site)
        return _json(200 if state.ok else 503, self._health(state))

    def _health(self, state: ServiceState) -> dict[str, object]:
        age = None if state.data_at is None else (self._world.now() - state.data_at).total_seconds()
        return {
            "service": self._service,
            "site": self._site,
            "ok": state.ok,
            "data_age_seconds": None if age is None else round(max(0.0, age), 1),
            "reason": state.reason,
        }

    def on_connection(self, connection: Connection, _peer: tuple[str, int]) -> None:
        """Hold the connection, as a server does that waits for its protocol's first message."""
        connection.settimeout(_IDLE)
        with contextlib.suppress(OSError):
            while connection.recv(4096):
                continue


def _json(status: int, body: dict[str, object]) -> Response:
    return Response(status, json.dumps(body).encode() + b"\n", {"Content-Type": "application/json"})
