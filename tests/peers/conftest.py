"""Servers that we did not write, started on free loopback ports as the current user, stopped with the test."""

from __future__ import annotations

import base64
import contextlib
import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.query
import pytest

from drctl.core.secret import Secret
from drctl.providers.dns.model import DnsEndpoint, TsigKey
from drctl.providers.ssh.model import SshEndpoint

LOOPBACK = "127.0.0.1"
ZONE = "teleradio.example."
PATIENCE = 30.0


def find_binary(name: str) -> str:
    """Return the path of a server's program; Debian keeps daemons outside users' PATH."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.fail(f"{name} is not installed: run `make peers`", pytrace=False)
    return found


@pytest.fixture(name="find_binary")
def find_binary_fixture() -> Callable[[str], str]:
    """Lend ``find_binary`` to the tests."""
    return find_binary


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Wait, looking 50 times a second, until a condition holds; fail after ``PATIENCE`` seconds."""
    pause = threading.Event()
    for _ in range(int(PATIENCE * 50)):
        if holds():
            return
        pause.wait(0.02)
    pytest.fail(f"{what} did not come about within {PATIENCE:g} s")


def free_port() -> int:
    """Return a port that is free for TCP and UDP."""
    while True:
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            stream.bind((LOOPBACK, 0))
            try:
                datagrams.bind(stream.getsockname())
            except OSError:
                continue
            return int(stream.getsockname()[1])


@pytest.fixture(name="wait_until")
def wait_until_fixture() -> Callable[[Callable[[], bool], str], None]:
    """Lend ``wait_until`` to the tests."""
    return wait_until


class Control:
    """A step's control that remembers what it was told."""

    mark = "drctl:peers:step"

    def __init__(self) -> None:
        self.said: list[str] = []

    def progress(self, message, fraction=None):
        self.said.append(message)

    def handle(self, handle):
        raise AssertionError(handle)

    def override(self, what, why):
        raise AssertionError(what)

    def sleep(self, seconds):
        raise AssertionError(seconds)

    def remaining(self):
        return PATIENCE


@pytest.fixture
def control() -> Control:
    return Control()


# --- BIND -----------------------------------------------------------------------------------------

_OPTIONS = """
options {{
  directory "{folder}"; pid-file "{folder}/named.pid"; session-keyfile "{folder}/session.key";
  listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
  recursion no; dnssec-validation no; notify {notify}; notify-delay 0; allow-transfer {{ key "drctl."; }};
}};
controls {{ }};
key "drctl." {{ algorithm hmac-sha256; secret "{secret}"; }};
"""

_PRIMARY = """
zone "teleradio.example" {{
  type primary; file "zone.db"; allow-update {{ key "drctl."; }}; also-notify {{ 127.0.0.1 port {other}; }};
}};
"""

_SECONDARY = """
zone "teleradio.example" {{
  type secondary; file "copy.db"; primaries port {other} {{ 127.0.0.1 key "drctl."; }};
  allow-notify {{ 127.0.0.1; }};
}};
"""

_RECORDS = """$TTL 300
@ IN SOA ns1 hostmaster 1 3600 600 86400 60
@ IN NS ns1
ns1 IN A 127.0.0.1
pacs 300 IN A 192.0.2.102
pair 300 IN A 192.0.2.1
pair 300 IN A 192.0.2.2
old IN CNAME pacs
*.any IN A 192.0.2.9
"""


@dataclass
class Named:
    """One running BIND."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def answers(self) -> bool:
        query = dns.message.make_query(ZONE, "SOA")
        try:
            reply = dns.query.udp(query, LOOPBACK, timeout=0.5, port=self.port)
        except (dns.exception.DNSException, OSError):
            return False
        return bool(reply.answer and reply.flags & dns.flags.AA)

    def serial(self) -> int:
        reply = dns.query.udp(dns.message.make_query(ZONE, "SOA"), LOOPBACK, timeout=5, port=self.port)
        return int(reply.answer[0][0].serial)


@dataclass
class Bind:
    """A primary, its secondary and the key both know."""

    primary: Named
    secondary: Named
    secret: str
    folder: Path

    def endpoint(self, **changes: Any) -> DnsEndpoint:
        secret = changes.pop("secret", self.secret)
        key = TsigKey(
            name=changes.pop("key", "drctl."),
            algorithm=changes.pop("algorithm", "hmac-sha256"),
            secret=Secret("env", "TSIG", lambda kind, place: secret),
        )
        fields: dict[str, Any] = {
            "name": "dns-main",
            "type": "dns",
            "site": "lyon",
            "server": LOOPBACK,
            "port": self.primary.port,
            "secondaries": (self.secondary.address,),
            "tsig": key,
            "timeout": 2.0,
        }
        return DnsEndpoint(**{**fields, **changes})

    def nsupdate(self, *lines: str) -> None:
        """Change the zone with the foreign client that comes with BIND."""
        script = [f"server {LOOPBACK} {self.primary.port}", f"zone {ZONE}", *lines, "send", ""]
        key = f"hmac-sha256:drctl.:{self.secret}"
        subprocess.run(
            [find_binary("nsupdate"), "-y", key],
            input="\n".join(script).encode(),
            check=True,
            capture_output=True,
        )

    def notify_secondary(self) -> None:
        """Tell the secondary that the zone changed, as its primary would."""
        message = dns.message.make_query(ZONE, "SOA")
        message.set_opcode(dns.opcode.NOTIFY)
        message.flags = (message.flags & ~dns.flags.RD) | dns.flags.AA
        dns.query.udp(message, LOOPBACK, timeout=5, port=self.secondary.port)


def _start_named(folder: Path, port: int, configuration: str) -> Named:
    file = folder / "named.conf"
    file.write_text(configuration)
    with (folder / "named.log").open("wb") as log:
        process = subprocess.Popen(
            [find_binary("named"), "-g", "-n", "1", "-c", str(file)], stdout=log, stderr=log, cwd=folder
        )
    return Named(port, process)


def _run_bind(folder: Path, *, notify: bool) -> Iterator[Bind]:
    """Start the primary, then the secondary: one that finds no primary waits long before it asks again."""
    ports = free_port(), free_port()
    secret = base64.b64encode(secrets.token_bytes(32)).decode()
    servers: list[Named] = []
    zones = (_PRIMARY.format(other=ports[1]), _SECONDARY.format(other=ports[0]))
    try:
        for place, port, zone, told in zip(
            ("primary", "secondary"), ports, zones, ("explicit" if notify else "no", "no"), strict=True
        ):
            home = folder / place
            home.mkdir()
            if place == "primary":
                (home / "zone.db").write_text(_RECORDS)
            options = _OPTIONS.format(folder=home, port=port, secret=secret, notify=told)
            servers.append(_start_named(home, port, options + zone))
            wait_until(servers[-1].answers, f"an answer of the {place}")
        yield Bind(servers[0], servers[1], secret, folder)
    finally:
        for server in servers:
            server.signal(signal.SIGCONT)
            server.process.kill()
            server.process.wait()


@pytest.fixture
def bind(tmp_path) -> Iterator[Bind]:
    """A BIND 9 primary and a secondary that follows at once."""
    yield from _run_bind(tmp_path, notify=True)


@pytest.fixture
def slow_bind(tmp_path) -> Iterator[Bind]:
    """A BIND 9 pair whose primary tells the secondary nothing."""
    yield from _run_bind(tmp_path, notify=False)


# --- OpenSSH --------------------------------------------------------------------------------------

_SSHD = """
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
SetEnv SHLVL=2
Subsystem sftp internal-sftp
"""


@dataclass
class OpenSsh:
    """A running sshd, the key that it lets in, and the hosts file that knows it."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]

    def endpoint(self, **changes: Any) -> SshEndpoint:
        fields: dict[str, Any] = {
            "name": "edge-lyon",
            "type": "ssh",
            "site": "lyon",
            "host": LOOPBACK,
            "port": self.port,
            "username": getpass.getuser(),
            "key_file": self.folder / "id_ed25519",
            "known_hosts": self.folder / "known_hosts",
        }
        return SshEndpoint(**{**fields, **changes})

    def know(self, public_key: Path) -> None:
        """Write the hosts file with one host key."""
        kind, key = public_key.read_text().split()[:2]
        (self.folder / "known_hosts").write_text(f"[{LOOPBACK}]:{self.port} {kind} {key}\n")

    def listens(self) -> bool:
        try:
            socket.create_connection((LOOPBACK, self.port), 1).close()
        except OSError:
            return False
        return True

    def logins(self) -> int:
        """How many logins its log has seen."""
        return (self.folder / "sshd.log").read_text().count("Accepted publickey")


def make_key(path: Path, *more: str) -> Path:
    """Make an Ed25519 key pair and return the public half's path."""
    options = more or ("-N", "")
    subprocess.run([find_binary("ssh-keygen"), "-q", "-t", "ed25519", *options, "-f", str(path)], check=True)
    return path.with_name(f"{path.name}.pub")


@pytest.fixture(name="make_key")
def make_key_fixture() -> Callable[..., Path]:
    """Lend ``make_key`` to the tests."""
    return make_key


@contextlib.contextmanager
def _run_sshd(folder: Path, more: str = "") -> Iterator[OpenSsh]:
    program = find_binary("sshd")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd started by root insists on it
    port = free_port()
    host = make_key(folder / "host_key")
    shutil.copy(make_key(folder / "id_ed25519"), folder / "authorized_keys")
    (folder / "sshd_config").write_text(_SSHD.format(port=port, folder=folder) + more + "\n")
    process = subprocess.Popen(
        [program, "-D", "-f", str(folder / "sshd_config"), "-E", str(folder / "sshd.log")],
        start_new_session=True,
    )
    server = OpenSsh(port, folder, process)
    server.know(host)
    try:
        wait_until(server.listens, "a listening sshd")
        yield server
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def sshd(tmp_path) -> Iterator[OpenSsh]:
    """An OpenSSH server with stock limits, for the current user."""
    with _run_sshd(tmp_path) as server:
        yield server


@pytest.fixture
def make_sshd(tmp_path_factory) -> Iterator[Callable[[str], OpenSsh]]:
    """Start OpenSSH servers with another line in their configuration."""
    with contextlib.ExitStack() as stack:
        yield lambda line: stack.enter_context(_run_sshd(tmp_path_factory.mktemp("sshd"), line))


# --- a wire that fails ----------------------------------------------------------------------------


class Wire:
    """A TCP relay in front of a server; ``answer`` may change or drop (b"") what the server says."""

    def __init__(self, port: int, answer: Callable[[bytes], bytes]) -> None:
        self._target = port
        self._answer = answer
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, socket.create_connection((LOOPBACK, self._target)) as server:
                server.sendall(client.recv(65536))
                changed = self._answer(server.recv(65536))
                if changed:
                    client.sendall(changed)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def wire() -> Iterator[Callable[[int, Callable[[bytes], bytes]], Wire]]:
    wires: list[Wire] = []

    def lay(port: int, answer: Callable[[bytes], bytes]) -> Wire:
        wires.append(Wire(port, answer))
        return wires[-1]

    yield lay
    for each in wires:
        each.close()
