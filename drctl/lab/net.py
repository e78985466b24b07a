"""The lab's wires: listeners per address, dead sites that swallow packets, transport faults, counting."""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import ssl
from collections.abc import Callable
from threading import Event, Thread
from typing import Any

from drctl.lab.connection import Connection, Severed
from drctl.lab.faults import TRANSPORT_FAULTS, Fault
from drctl.lab.http import BadRequest, Request, Response, encode, read_request
from drctl.lab.listener import FILLER, Listener, Mode, count_attempts
from drctl.lab.pki import Pki
from drctl.lab.world import World

__all__ = ["Connection", "Net", "Request", "Response", "Severed"]

_LOG = logging.getLogger("drctl.lab")
_SLOW = 20.0
"""Estate seconds that the fault ``slow`` adds to each answer."""

App = Callable[[Request], Response]
OnConnection = Callable[[Connection, tuple[str, int]], None]
OnDatagram = Callable[[bytes, tuple[str, int]], bytes | None]


class Net:
    """Opens listeners for façades; ``start`` serves them all, ``stop`` closes everything."""

    def __init__(self, world: World, pki: Pki, names: tuple[str, ...] = ()) -> None:
        self.world = world
        self.pki = pki
        self.names = names
        """DNS names that every certificate covers."""
        self._listeners: list[Listener] = []
        self._connections: set[Connection] = set()
        self._stop = Event()
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._threads: list[Thread] = []
        world.on_fault.append(self._fault_changed)

    # --- what façades call --------------------------------------------------------------------

    def http(
        self, name: str, site: str, facade: str, address: str, port: int, app: App, *, tls: bool = True
    ) -> None:
        """Serve HTTP/1.1; ``name`` (an endpoint or service) is what faults aim at."""
        self.tcp(name, site, facade, address, port, self.speaking_http(name, site, app), tls=tls)

    def speaking_http(self, name: str, site: str, app: App) -> OnConnection:
        """What serves HTTP/1.1 on a connection."""

        def serve(connection: Connection, peer: tuple[str, int]) -> None:
            self._serve_http(connection, peer, name, site, app)

        return serve

    def converse(self, listener: Listener, sock: socket.socket, peer: tuple[str, int]) -> None:
        """Serve a connection that came another way than over the wire, as if ``listener`` had taken it."""
        self._serve(listener, sock, peer)

    def tcp(
        self,
        name: str,
        site: str,
        facade: str,
        address: str,
        port: int,
        on_connection: OnConnection,
        *,
        tls: bool = False,
        is_up: Callable[[], bool] | None = None,
    ) -> None:
        """Serve a TCP port; ``on_connection`` runs in a thread of its own and may return to close.

        While ``is_up`` (asked under the lock after each change of the world) is false, connections are refused.
        """
        self._add(
            Listener(name, site, facade, address, port, tls=tls, on_connection=on_connection, is_up=is_up)
        )

    def udp(
        self, name: str, site: str, facade: str, address: str, port: int, on_datagram: OnDatagram
    ) -> None:
        """Serve a UDP port; ``on_datagram`` returns the answer or None for silence."""
        self._add(Listener(name, site, facade, address, port, on_datagram=on_datagram))

    def fault(self, fault: str, name: str, site: str) -> Fault | None:
        """A transport fault in force on an endpoint or its site; a once-fault is consumed."""
        return self.world.faults.take(fault, name) or self.world.faults.take(fault, site)

    def _in_force(self, fault: str, name: str, site: str) -> bool:
        faults = self.world.faults
        return bool(faults.active(fault, name) or faults.active(fault, site))

    # --- life ---------------------------------------------------------------------------------

    def _add(self, listener: Listener) -> None:
        listener.open()
        self._listeners.append(listener)

    def start(self) -> None:
        """Begin to accept."""
        self._selector.register(self._woken, selectors.EVENT_READ)
        for target, name in ((self._accept, "lab-accept"), (self._watch, "lab-watch")):
            thread = Thread(target=target, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        with self.world.lock:
            self.world.on_touch.append(self._wake_up)
        self._wake_up()

    def await_settled(self, timeout: float = 5.0) -> bool:
        """Wait until every listener is as its site and the faults ask for; needed before looking from outside."""
        self._wake_up()
        return self.world.wait(
            lambda: all(each.mode is self._wanted(each) for each in self._listeners), timeout
        )

    def stop(self) -> None:
        """Close every listener and connection and join the threads that accept."""
        self._stop.set()
        self._wake_up()
        for thread in self._threads:
            thread.join()
        with self.world.lock:
            open_now = list(self._connections)
        for connection in open_now:
            connection.close()
        for listener in self._listeners:
            listener.close()
        self._selector.close()
        self._wake.close()
        self._woken.close()

    def _wake_up(self) -> None:
        with contextlib.suppress(OSError):
            self._wake.send(b".", socket.MSG_DONTWAIT)

    def _fault_changed(self, fault: Fault, active: bool) -> None:  # noqa: FBT001 - a callback
        if fault.name in TRANSPORT_FAULTS:
            self._wake_up()

    # --- accepting ----------------------------------------------------------------------------

    def _wanted(self, listener: Listener) -> Mode:
        if not self.world.answers_outside(listener.site):
            return Mode.HOLE
        if self._in_force("refused", listener.name, listener.site):
            return Mode.REFUSED
        if listener.is_up is not None and not listener.is_up():
            return Mode.REFUSED
        return Mode.OPEN

    def _settle(self) -> None:
        """Bring each listener into the mode its site and faults ask for; cut connections of the dead."""
        with self.world.lock:
            wanted = [(each, self._wanted(each)) for each in self._listeners]
        for listener, mode in wanted:
            if listener.mode is not mode:
                if listener.registered:
                    self._selector.unregister(listener.sock)
                    listener.registered = False
                listener.change(mode)
            if mode is Mode.OPEN and not listener.registered:
                self._selector.register(listener.sock, selectors.EVENT_READ, listener)
                listener.registered = True
        with self.world.lock:
            self.world.changed.notify_all()

    def _accept(self) -> None:
        while not self._stop.is_set():
            self._settle()
            for key, _events in self._selector.select():
                if key.data is None:
                    with contextlib.suppress(BlockingIOError):
                        self._woken.recv(4096)
                elif self._wanted_now(key.data):
                    self._take(key.data)

    def _wanted_now(self, listener: Listener) -> bool:
        with self.world.lock:
            return self._wanted(listener) is Mode.OPEN

    def _take(self, listener: Listener) -> None:
        if listener.on_datagram is not None:
            self._answer_datagram(listener, listener.on_datagram)
            return
        try:
            sock, peer = listener.sock.accept()
        except OSError:
            return
        if peer[0] == FILLER:
            sock.close()
            return
        self.world.connected(listener.site)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        Thread(
            target=self._serve, args=(listener, sock, peer), name=f"lab-{listener.name}", daemon=True
        ).start()

    def _answer_datagram(self, listener: Listener, on_datagram: OnDatagram) -> None:
        try:
            data, peer = listener.sock.recvfrom(65535)
        except OSError:
            return
        self.world.connected(listener.site)
        answer = on_datagram(data, peer)
        if answer is not None:
            with contextlib.suppress(OSError):
                listener.sock.sendto(answer, peer)

    def _serve(self, listener: Listener, sock: socket.socket, peer: tuple[str, int]) -> None:
        connection = Connection(self.world, listener.site, sock)
        with self.world.lock:
            self._connections.add(connection)
        try:
            if listener.tls:
                expired = self.fault("tls-expired", listener.name, listener.site) is not None
                connection.start_tls(self.pki.context(listener.address, self.names, expired=expired))
            assert listener.on_connection is not None
            listener.on_connection(connection, peer)
        except (OSError, ssl.SSLError, Severed):
            _LOG.debug("connection from %s to %s ended", peer, listener.name, exc_info=True)
        finally:
            connection.close()
            with self.world.lock:
                self._connections.discard(connection)

    def _watch(self) -> None:
        """Count the connection attempts that vanish in dead sites."""
        seen: set[tuple[str, str]] = set()
        while not self._stop.wait(0.02):
            holes = {(e.address, e.port): e.site for e in self._listeners if e.mode is Mode.HOLE}
            if holes:
                seen = count_attempts(holes, seen, self.world.connected)
                self._drain(holes)

    def _drain(self, holes: dict[tuple[str, int], str]) -> None:
        """Datagrams to dead sites are counted and dropped."""
        for listener in self._listeners:
            if listener.on_datagram is not None and (listener.address, listener.port) in holes:
                with contextlib.suppress(OSError):
                    while True:
                        listener.sock.recvfrom(65535, socket.MSG_DONTWAIT)
                        self.world.connected(listener.site)

    # --- HTTP ---------------------------------------------------------------------------------

    def _serve_http(
        self, connection: Connection, peer: tuple[str, int], name: str, site: str, app: App
    ) -> None:
        stream: Any = connection.makefile()
        with stream:
            while True:
                try:
                    request = read_request(stream, peer)
                except BadRequest as problem:
                    connection.sendall(encode(Response(400, str(problem).encode()), close=True))
                    return
                if request is None:
                    return
                before = self.world.recorded_here()
                response = self._respond(request, name, site, app)
                if self.world.recorded_here() > before and self.fault("reply-lost", name, site):
                    return
                close = request.headers.get("connection", "").lower() == "close"
                connection.sendall(encode(response, head=request.method == "HEAD", close=close))
                if close:
                    return

    def _respond(self, request: Request, name: str, site: str, app: App) -> Response:
        if self.fault("slow", name, site):
            self._stop.wait(self.world.real_seconds(_SLOW))
        if self.fault("http-500", name, site):
            return Response(500, b"internal error", {"Content-Type": "text/plain"})
        try:
            return app(request)
        except Severed:
            raise
        except Exception:  # noqa: BLE001 - a bug in a façade must show as a broken server, not as a silent one
            _LOG.exception("%s %s failed in %s", request.method, request.path, name)
            return Response(500, b"internal error", {"Content-Type": "text/plain"})
