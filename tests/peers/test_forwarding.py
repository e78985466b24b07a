"""``ssh.http`` and ``ssh.tcp`` through OpenSSH: what a real server says when it cannot or may not connect."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from drctl.core.probe import Finding, Level
from drctl.core.problem import ProviderError
from drctl.core.provider import Access
from drctl.providers.ssh import PROVIDER
from drctl.providers.ssh.services import Http, Tcp

LOOPBACK = "127.0.0.1"


@contextlib.contextmanager
def answering(reply: bytes) -> Iterator[int]:
    """A server that says one thing to each client; an empty reply means that it says nothing at all."""
    listener = socket.create_server((LOOPBACK, 0))
    held: list[socket.socket] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                held.append(client)
                if reply:
                    client.recv(4096)
                    client.sendall(reply)
                    client.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for client in held:
            client.close()


def ask(sshd, probe) -> Finding:
    with PROVIDER.connect(sshd.endpoint(), Access.READ) as client:
        return probe.judge(probe.observe(client))


def http(port: int, scheme: str = "http", **fields: object) -> Http:
    url = f"{scheme}://inside.example:{port}/health"
    return Http.model_validate({"url": url, "address": LOOPBACK, "timeout": 5, **fields})


def test_a_service_is_asked_at_its_address_under_its_name(sshd):
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nready") as port:
        assert ask(sshd, http(port, contains="ready")).level is Level.OK
        assert "is not in the answer" in ask(sshd, http(port, contains="other")).summary
        open_port = Tcp(host="inside.example", port=port, address=LOOPBACK)
        assert ask(sshd, open_port).level is Level.OK


def test_a_closed_port_is_a_finding(sshd):
    with answering(b"") as port:
        pass
    closed = Tcp(host="inside.example", port=port, address=LOOPBACK)
    for probe in (closed, http(port)):
        assert "the way in cannot connect" in ask(sshd, probe).summary


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_silence_is_bounded(sshd, scheme):
    with answering(b"") as port:
        assert "no answer within 1 s" in ask(sshd, http(port, scheme, timeout=1)).summary


def test_what_speaks_no_tls_is_said_so(sshd):
    with answering(b"SSH-2.0-something\r\n") as port:
        assert "TLS failed" in ask(sshd, http(port, "https")).summary


def test_a_server_that_forwards_nothing_is_no_finding_but_an_error(sshd):
    keys = sshd.folder / "authorized_keys"
    keys.write_text(f"no-port-forwarding {keys.read_text()}")
    with answering(b"") as port, pytest.raises(ProviderError) as refused:
        ask(sshd, Tcp(host="inside.example", port=port, address=LOOPBACK))
    assert refused.value.problem.code == "ssh-no-forwarding"
    assert not refused.value.unreachable
