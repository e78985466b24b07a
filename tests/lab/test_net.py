"""Wires: answers in one packet, dead sites, transport faults, counting."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from drctl.lab.addresses import Addresses, Block, lab_port
from drctl.lab.http import Request, Response
from drctl.lab.model import Estate, Site
from drctl.lab.net import Net
from drctl.lab.pki import Pki
from drctl.lab.world import World

PORT = 10443


@dataclass
class Wire:
    world: World
    net: Net
    address: str
    tls: ssl.SSLContext

    def open(self, timeout: float = 2.0) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self.address, PORT, context=self.tls, timeout=timeout)

    def get(self, path: str = "/x", method: str = "GET", timeout: float = 2.0) -> tuple[int, bytes]:
        client = self.open(timeout)
        try:
            return self.ask(client, path, method)
        finally:
            client.close()

    @staticmethod
    def ask(client: http.client.HTTPConnection, path: str = "/x", method: str = "GET") -> tuple[int, bytes]:
        client.request(method, path, body=b"abc" if method == "PATCH" else None)
        reply = client.getresponse()
        return reply.status, reply.read()

    def fault(self, text: str) -> None:
        self.world.faults.add(text)
        assert self.net.await_settled()

    def lift(self, text: str) -> None:
        self.world.faults.lift(text)
        assert self.net.await_settled()

    def kill(self, *, power: bool = True) -> None:
        with self.world.lock:
            site = self.world.site("a")
            site.alive = False
            site.generation += power
        self.world.touch()
        assert self.net.await_settled()

    def revive(self) -> None:
        with self.world.lock:
            self.world.site("a").alive = True
        self.world.touch()
        assert self.net.await_settled()


@pytest.fixture
def wire(pki: Pki) -> Iterator[Wire]:
    block = Block()
    address = f"127.{block.number}.1.5"
    world = World(Estate(sites={"a": Site("a", "A"), "b": Site("b", "B")}), speed=60.0)
    net = Net(world, pki, ("svc.example",))

    def app(request: Request) -> Response:
        if request.path == "/boom":
            raise ZeroDivisionError
        if request.method == "PATCH":
            world.record("a", "test", "PATCH", request.path)
        return Response(200, request.path.encode() + b"?" + request.query.encode() + request.body)

    net.http("svc", "a", "test", address, PORT, app)
    net.http("plain", "a", "test", address, 10080, app, tls=False)
    net.udp("echo", "a", "test", address, 10053, lambda data, _: data if data != b"hush" else None)
    net.tcp(
        "line", "a", "test", address, 10389, lambda connection, _: connection.sendall(connection.recv(99))
    )
    net.start()
    yield Wire(world, net, address, ssl.create_default_context(cafile=str(pki.ca_file)))
    net.stop()
    world.stop()
    block.release()


def test_answers_and_counts(wire):
    assert wire.get("/x?a=b") == (200, b"/x?a=b")
    client = wire.open()
    assert [wire.ask(client, f"/{i}")[0] for i in range(3)] == [200, 200, 200]
    client.close()
    assert wire.world.estate.connections == {"a": 2}


def test_dns_names_are_on_the_certificate(wire):
    plain = socket.create_connection((wire.address, PORT), 2)
    with wire.tls.wrap_socket(plain, server_hostname="svc.example") as secure:
        assert ("DNS", "svc.example") in secure.getpeercert()["subjectAltName"]


def test_bugs_and_nonsense_are_answered(wire, caplog):
    assert wire.get("/boom")[0] == 500
    assert "ZeroDivisionError" in caplog.text
    with (
        socket.create_connection((wire.address, PORT), 2) as plain,
        wire.tls.wrap_socket(plain, server_hostname=wire.address) as secure,
    ):
        secure.sendall(b"nonsense\r\n\r\n")
        assert secure.recv(100).startswith(b"HTTP/1.1 400")


def test_chunked_bodies_are_read(wire):
    client = wire.open()
    client.request(
        "PATCH",
        "/c",
        body=iter([b"ab", b"cd"]),
        encode_chunked=True,
        headers={"Transfer-Encoding": "chunked"},
    )
    assert client.getresponse().read() == b"/c?abcd"
    client.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"PATCH /x HTTP/1.1\r\nContent-Length: 9\r\n",
        b"PATCH /x HTTP/1.1\r\nContent-Length: 9\r\n\r\n",
        b"PATCH /x HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf",
        b"PATCH /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nha",
        b"PATCH /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ],
)
def test_a_request_whose_sender_died_halfway_is_none(wire, sent):
    with socket.create_connection((wire.address, 10080), 2) as plain:
        plain.sendall(sent)
        plain.shutdown(socket.SHUT_WR)
        assert plain.recv(100) == b""
    assert not wire.world.estate.mutations


def test_udp_and_tcp(wire):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(2)
        client.connect((wire.address, 10053))
        client.send(b"ping")
        assert client.recv(100) == b"ping"
        client.settimeout(0.05)
        client.send(b"hush")
        with pytest.raises(TimeoutError):
            client.recv(100)
    with socket.create_connection((wire.address, 10389), 2) as line:
        line.sendall(b"hello")
        assert line.recv(100) == b"hello"
        assert line.recv(100) == b""


def test_dead_site_times_out_and_is_counted(wire):
    wire.kill()
    for _ in range(2):
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            socket.create_connection((wire.address, PORT), 0.3)
        assert time.monotonic() - started >= 0.3
    assert wire.world.wait(lambda: wire.world.estate.connections.get("a") == 2, 2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.1)
        client.connect((wire.address, 10053))
        client.send(b"ping")
        with pytest.raises(TimeoutError):
            client.recv(100)
    assert wire.world.wait(lambda: wire.world.estate.connections["a"] == 3, 2)
    wire.revive()
    assert wire.get()[0] == 200


def test_established_connections_freeze_and_are_cut_after_a_power_loss(wire):
    client = wire.open(timeout=0.2)
    assert wire.ask(client)[0] == 200
    wire.kill()
    with pytest.raises(TimeoutError):
        wire.ask(client)
    wire.revive()
    client.sock.settimeout(2)
    assert client.sock.recv(100) == b""
    client.close()


def test_established_connections_go_on_after_a_partition(wire):
    client = wire.open(timeout=0.2)
    assert wire.ask(client)[0] == 200
    with wire.world.lock:
        wire.world.site("a").partitioned_from.add("*")
    wire.world.touch()
    assert wire.net.await_settled()
    client.request("GET", "/later")
    with pytest.raises(TimeoutError):
        client.sock.recv(100)
    with wire.world.lock:
        wire.world.site("a").partitioned_from.clear()
    wire.world.touch()
    client.sock.settimeout(2)
    assert client.sock.recv(1000).endswith(b"/later?")
    client.close()


def test_refused(wire):
    wire.fault("refused:svc")
    with pytest.raises(ConnectionRefusedError):
        wire.get()
    wire.lift("refused")
    assert wire.get()[0] == 200


def test_refused_port_of_a_site_that_dies(wire):
    wire.fault("refused:a")
    wire.kill()
    with pytest.raises(TimeoutError):
        socket.create_connection((wire.address, PORT), 0.2)
    wire.revive()
    with pytest.raises(ConnectionRefusedError):
        wire.get()
    wire.lift("refused")
    assert wire.get()[0] == 200


def test_http_500_and_slow(wire):
    wire.fault("http-500:svc:once")
    assert wire.get()[0] == 500
    assert wire.get()[0] == 200
    wire.fault("slow:a:once")
    started = time.monotonic()
    assert wire.get()[0] == 200
    assert time.monotonic() - started > 0.3


def test_reply_lost_strikes_changes_only_after_their_effect(wire):
    wire.fault("reply-lost:svc:once")
    assert wire.get()[0] == 200
    with pytest.raises(http.client.RemoteDisconnected):
        wire.get(method="PATCH")
    assert [m.call for m in wire.world.estate.mutations] == ["PATCH"]
    assert wire.get(method="PATCH")[0] == 200


def test_expired_certificate(wire):
    wire.fault("tls-expired:svc:once")
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        wire.get()
    assert wire.get()[0] == 200


def test_port_refuses_while_what_listens_is_down(wire):
    up = [True]
    wire.net.tcp("app", "a", "app", wire.address, 11112, lambda *_: None, is_up=lambda: up[0])
    up[0] = False
    wire.world.touch()
    assert wire.net.await_settled()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((wire.address, 11112), 2)


def test_addresses_keep_subnets_and_blocks_are_exclusive():
    one, two = Block(), Block()
    assert one.number != two.number
    addresses = Addresses(7)
    assert (
        addresses.text("192.0.2.31, 198.51.100.31 and 192.0.2.128/26")
        == "127.7.1.31, 127.7.2.31 and 127.7.1.128/26"
    )
    assert addresses.text("0.0.0.0/0 127.0.0.1 1.2.3 999.1.1.1") == "0.0.0.0/0 127.0.0.1 1.2.3 999.1.1.1"
    named = addresses.host("vc.example")
    assert named == addresses.host("vc.example") != addresses.host("other.example")
    assert addresses.host("192.0.2.1") == "127.7.1.1"
    assert [lab_port(p) for p in (443, 53, 1023, 1024, 11112)] == [10443, 10053, 11023, 1024, 11112]
    one.release()
    two.release()
