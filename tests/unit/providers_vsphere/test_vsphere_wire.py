"""What happens below SOAP: silence, strangers, refused certificates; and what importing costs."""

from __future__ import annotations

import http.server
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from vcenter import Identity, make_endpoint, make_identity

from drctl.core.problem import ProviderError
from drctl.core.provider import Access
from drctl.providers.vsphere import PROVIDER
from drctl.providers.vsphere.power import PowerOff
from drctl.providers.vsphere.stub import READS
from drctl.providers.vsphere.tls import pinned_certificates


class Stranger(http.server.BaseHTTPRequestHandler):
    """An HTTPS server that is no vCenter."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>It works</html>")

    def log_message(self, *args):
        pass


@contextmanager
def serving(identity: Identity) -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stranger)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.certificate, identity.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def silent() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def failure(port, **fields):
    opening = PROVIDER.connect(make_endpoint(port, **fields), Access.READ)
    with opening as client, pytest.raises(ProviderError) as caught:
        PowerOff(vm="any").read(client)
    return caught.value


def test_a_server_that_accepts_and_says_nothing_costs_one_connect_timeout(tmp_path):
    identity = make_identity(tmp_path, "vc")
    with silent() as port:
        began = time.monotonic()
        error = failure(port, ca_file=identity.certificate, connect_timeout="0.5s")
        assert time.monotonic() - began < 3
    assert error.unreachable
    assert error.transient
    assert "no answer within 0.5 s" in error.problem.summary


def test_a_port_nobody_listens_on(tmp_path):
    identity = make_identity(tmp_path, "vc")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = failure(taken.getsockname()[1], ca_file=identity.certificate)
    assert error.unreachable
    assert "connection refused" in error.problem.summary


def test_a_server_that_is_no_vcenter_is_named(tmp_path):
    identity = make_identity(tmp_path, "vc")
    with serving(identity) as port:
        error = failure(port, ca_file=identity.certificate)
    assert error.problem.code == "not-a-vcenter"
    assert "vc-peer" in error.problem.hint


def test_an_unknown_certificate_is_refused_before_anything_is_sent(tmp_path):
    identity, other = make_identity(tmp_path, "vc"), make_identity(tmp_path, "other")
    with serving(identity) as port:
        assert failure(port, ca_file=other.certificate).problem.code == "certificate"
        assert failure(port, certificate_file=other.certificate).problem.code == "certificate"
        assert failure(port, certificate_file=identity.certificate).problem.code == "not-a-vcenter"


def test_a_name_the_certificate_does_not_bear_is_refused(tmp_path):
    identity = make_identity(tmp_path, "vc", address="192.0.2.12")
    with serving(identity) as port:
        error = failure(port, ca_file=identity.certificate)
        assert error.problem.code == "certificate"
        pinned = failure(port, certificate_file=identity.certificate)
        assert pinned.problem.code == "not-a-vcenter"


def test_a_missing_certificate_file_is_a_problem_of_the_inventory(tmp_path):
    error = failure(1, ca_file=tmp_path / "absent.pem")
    assert error.problem.code == "certificate-file"
    assert "absent.pem" in error.problem.summary


def test_every_certificate_of_a_pin_file_counts(tmp_path):
    one, two = make_identity(tmp_path, "one"), make_identity(tmp_path, "two")
    both = tmp_path / "both.pem"
    both.write_bytes(one.certificate.read_bytes() + two.certificate.read_bytes())
    assert len(pinned_certificates(both)) == 2


def test_calls_allowed_to_readers_only_read():
    tasks = {name for name in READS if name.endswith("_Task")}
    assert tasks == {"SearchDatastoreSubFolders_Task", "SearchDatastore_Task"}
    verbs = (
        "Power",
        "Register",
        "Unregister",
        "Reconfig",
        "Remove",
        "Rename",
        "Start",
        "Shutdown",
        "Move",
        "Set",
    )
    assert [name for name in READS if name.startswith(verbs)] == []


def test_importing_the_provider_does_not_import_pyvmomi():
    code = (
        "import sys\n"
        "from drctl.providers.vsphere import PROVIDER\n"
        "assert PROVIDER.actions and PROVIDER.probes\n"
        "heavy = [name for name in sys.modules if name.split('.')[0] in ('pyVmomi', 'pyVim', 'http', 'ssl')]\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
