"""The checks against small real servers on loopback."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from drctl.core.probe import Level
from drctl.core.problem import ProviderError
from drctl.core.provider import Access
from drctl.providers.check import PROVIDER
from drctl.providers.check.probes import Dns, Http, Tcp

HOST = "pacs.teleradio.example"


def judged(probe):
    with PROVIDER.connect(None, Access.READ) as client:
        seen = probe.observe(client)
    assert seen.values.keys() >= probe.output_names
    return probe.judge(seen)


class Pages(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, self.headers["Host"]))
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/health")
            self.end_headers()
        elif self.path == "/drip":
            self.send_response(200)
            self.end_headers()
            while not self.server.stopping.wait(0.05):
                try:
                    self.wfile.write(b".")
                except OSError:
                    return
        else:
            self.send_response(200 if self.path.startswith("/health") else 503)
            self.end_headers()
            self.wfile.write(b'{"status": "ok"}')

    def log_message(self, *_):
        pass


class Web(ThreadingHTTPServer):
    def __init__(self, context=None):
        super().__init__(("127.0.0.1", 0), Pages)
        self.asked = []
        self.stopping = threading.Event()
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """A client that hangs up is what some tests are about."""

    def close(self):
        self.stopping.set()
        self.shutdown()
        self.server_close()


@pytest.fixture
def web():
    server = Web()
    yield server
    server.close()


def make_certificate(folder, name):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "both.pem").write_bytes(private + certificate.public_bytes(pem))
    (folder / "ca.pem").write_bytes(certificate.public_bytes(pem))


@pytest.fixture
def secure_web(tmp_path):
    make_certificate(tmp_path, HOST)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    server = Web(context)
    yield server
    server.close()


@pytest.fixture
def resolver():
    """A name server that knows one address, and counts who asks."""
    server = socket.socket(type=socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def serve():
        while True:
            data, peer = server.recvfrom(4096)
            if not data:
                return
            query = dns.message.from_wire(data)
            reply = dns.message.make_response(query)
            reply.flags |= dns.flags.AA
            question = query.question[0]
            if question.name.to_text() == f"{HOST}.":
                reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", "127.0.0.1"))
            else:
                reply.set_rcode(dns.rcode.NXDOMAIN)
            server.sendto(reply.to_wire(), peer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    address = server.getsockname()
    yield f"{address[0]}:{address[1]}"
    with socket.socket(type=socket.SOCK_DGRAM) as bye:
        bye.sendto(b"", address)
    thread.join()
    server.close()


@pytest.fixture
def silent():
    """A port that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed():
    """A port where nobody listens, held so that nobody else takes it."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


# --- HTTP -------------------------------------------------------------------------------------


def test_a_page_answers(web):
    finding = judged(Http(url=f"http://127.0.0.1:{web.port}/health?deep=1", contains='"ok"'))
    assert finding.level is Level.OK
    assert web.asked == [("/health?deep=1", f"127.0.0.1:{web.port}")]


@pytest.mark.parametrize(
    ("path", "fields", "text"),
    [
        ("/other", {}, "status 503, expected 200"),
        ("/health", {"contains": "ready"}, "'ready' is not in the answer"),
        ("/moved", {}, "status 302 to /health (redirects are not followed), expected 200"),
    ],
)
def test_a_page_answers_otherwise(web, path, fields, text):
    finding = judged(Http(url=f"http://127.0.0.1:{web.port}{path}", **fields))
    assert finding.level is Level.BLOCKER
    assert text in finding.summary
    assert len(web.asked) == 1


def test_a_status_other_than_200_may_be_what_is_wanted(web):
    assert judged(Http(url=f"http://127.0.0.1:{web.port}/x", status=503)).level is Level.OK


def test_name_and_certificate_stay_the_url_s_when_a_resolver_finds_the_address(
    secure_web, resolver, tmp_path
):
    url = f"https://{HOST}:{secure_web.port}/health"
    finding = judged(Http(url=url, resolver=resolver, ca_file=tmp_path / "ca.pem"))
    assert finding.level is Level.OK, finding
    assert secure_web.asked == [("/health", f"{HOST}:{secure_web.port}")]


def test_the_ca_file_is_not_replaced_by_the_environment(secure_web, resolver, tmp_path, monkeypatch):
    """Where REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE is set, requests ignores a CA given in code."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(tmp_path / "none.pem"))
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    url = f"https://{HOST}:{secure_web.port}/health"
    assert judged(Http(url=url, resolver=resolver, ca_file=tmp_path / "ca.pem")).level is Level.OK
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(tmp_path / "ca.pem"))
    assert "certificate is not valid" in judged(Http(url=url, resolver=resolver)).summary


def test_a_certificate_for_another_name_is_not_accepted(secure_web, tmp_path):
    url = f"https://localhost:{secure_web.port}/health"
    finding = judged(Http(url=url, ca_file=tmp_path / "ca.pem"))
    assert finding.level is Level.BLOCKER
    assert "certificate is not valid: Hostname mismatch" in finding.summary


def test_a_ca_file_that_cannot_be_used_is_an_error_of_the_runbook(tmp_path):
    (tmp_path / "garbage").write_text("no certificate")
    for file in ("none", "garbage"):
        with pytest.raises(ProviderError) as refused:
            judged(Http(url="https://127.0.0.1/", ca_file=tmp_path / file))
        assert refused.value.problem.code == "check-ca-file"


def test_one_byte_at_a_time_does_not_outlast_the_timeout(web):
    started = time.monotonic()
    finding = judged(Http(url=f"http://127.0.0.1:{web.port}/drip", timeout=0.5))
    assert "no answer within 0.5 s" in finding.summary
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_port_that_stays_silent(silent, scheme):
    finding = judged(Http(url=f"{scheme}://127.0.0.1:{silent}/", timeout=0.3))
    assert finding.level is Level.BLOCKER
    assert "no answer within 0.3 s" in finding.summary


def test_plain_http_where_tls_is_expected(web):
    finding = judged(Http(url=f"https://127.0.0.1:{web.port}/"))
    assert "TLS failed" in finding.summary


def test_a_closed_port(closed):
    assert "connection refused" in judged(Http(url=f"http://127.0.0.1:{closed}/")).summary


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example/",
        "http:///x",
        "http://u:p@a.example/",
        "http://a.example/é",
        "http://a:99999/",
        "a.example",
    ],
)
def test_what_is_no_url(url):
    with pytest.raises(ValidationError):
        Http(url=url)


# --- TCP --------------------------------------------------------------------------------------


def test_a_port_opens(silent, resolver):
    assert judged(Tcp(host="127.0.0.1", port=silent)).level is Level.OK
    assert judged(Tcp(host=HOST, port=silent, resolver=resolver)).level is Level.OK


def test_a_port_does_not_open(closed, silent, resolver):
    assert "connection refused" in judged(Tcp(host="127.0.0.1", port=closed)).summary
    unknown = judged(Tcp(host="nobody.teleradio.example", port=silent, resolver=resolver))
    assert "no such name" in unknown.summary


def test_a_resolver_that_is_silent(silent, closed):
    finding = judged(Tcp(host=HOST, port=silent, resolver=f"127.0.0.1:{closed}", timeout=0.3))
    assert finding.level is Level.BLOCKER
    assert "within 0.3 s" in finding.summary


# --- DNS --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "level", "text"),
    [
        ({}, Level.OK, "on 1 server"),
        ({"values": ["192.0.2.1"]}, Level.BLOCKER, "answers 127.0.0.1"),
        ({"name": "nobody"}, Level.BLOCKER, "answers no such record"),
    ],
)
def test_a_name_server_answers(resolver, fields, level, text):
    given = {
        "zone": "teleradio.example",
        "name": "pacs",
        "type": "A",
        "values": ["127.0.0.1"],
        "servers": [resolver],
    }
    finding = judged(Dns.model_validate({**given, **fields}))
    assert finding.level is level
    assert text in finding.summary


def test_a_name_server_that_is_silent(resolver, closed):
    fields = {
        "zone": "teleradio.example",
        "name": "pacs",
        "type": "A",
        "values": ["127.0.0.1"],
        "timeout": 1.5,
    }
    finding = judged(Dns.model_validate({**fields, "servers": [resolver, f"127.0.0.1:{closed}"]}))
    assert finding.level is Level.BLOCKER
    assert finding.details == (f"127.0.0.1:{closed}: no answer within 1.5 s",)
