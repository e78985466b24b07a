"""The way into a bubble: a host that stands on the isolated networks and opens connections there."""

from __future__ import annotations

import contextlib
import socket
from threading import Thread
from typing import Final

import paramiko
from paramiko import common

from drctl.lab.app import Front
from drctl.lab.inside import service_at, state_inside
from drctl.lab.listener import Listener
from drctl.lab.model import Application, Machine
from drctl.lab.net import Net
from drctl.lab.world import World

ROLE: Final = "bubble"
"""What ``lab.ssh`` says of such a machine."""

_PEER = "127.0.0.1"
_CHUNK = 65536


class Forwarding:
    """What one client may reach through a machine: services inside the bubble, and nothing else."""

    def __init__(self, world: World, net: Net, machine: Machine) -> None:
        self._world = world
        self._net = net
        self._machine = machine
        self._asked: dict[int, tuple[str, int]] = {}
        self._held: list[paramiko.Channel] = []

    def judge(self, channel: int, destination: tuple[str, int]) -> int:
        """Answer a request for a connection, as sshd does: forbidden, failed, or open."""
        if self._machine.role != ROLE:
            return common.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        if service_at(self._world, self._machine.site, *destination) is None:
            return common.OPEN_FAILED_CONNECT_FAILED
        self._asked[channel] = destination
        return common.OPEN_SUCCEEDED

    def run(self, transport: paramiko.Transport) -> None:
        """Serve forwarded connections until the client is gone; sessions are only kept from being forgotten."""
        while transport.is_active():
            channel = transport.accept(0.5)
            self._held = [each for each in self._held if not each.closed]
            if channel is None:
                continue
            destination = self._asked.pop(channel.get_id(), None)
            if destination is None:
                self._held.append(channel)
                continue
            name = f"lab-{self._machine.endpoint}-forward"
            Thread(target=self._serve, args=(channel, destination), name=name, daemon=True).start()

    def _serve(self, channel: paramiko.Channel, destination: tuple[str, int]) -> None:
        found = service_at(self._world, self._machine.site, *destination)
        if found is None:
            channel.close()
            return
        here, there = socket.socketpair()
        for source, sink in ((channel, here), (here, channel)):
            Thread(target=_pump, args=(source, sink), name="lab-forward", daemon=True).start()
        self._net.converse(self._listener(*found, *destination), there, (_PEER, 0))

    def _listener(self, application: Application, kind: str, address: str, port: int) -> Listener:
        site, service = self._machine.site, application.service

        front = Front(self._world, application, site, state_inside)
        web = self._net.speaking_http(service, site, front.on_request)
        speak = web if kind == "http" else front.on_connection
        return Listener(service, site, "app", address, port, tls=kind == "http", on_connection=speak)


def _pump(source: paramiko.Channel | socket.socket, sink: paramiko.Channel | socket.socket) -> None:
    """Carry bytes one way until either side ends, then end both."""
    with contextlib.suppress(OSError, EOFError):
        while data := source.recv(_CHUNK):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError, EOFError):
            if isinstance(end, socket.socket):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
