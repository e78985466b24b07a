"""The machines' SSH servers: one host key per endpoint, one client key, commands and SFTP.

paramiko keeps the transport; what a command does is in ``commands`` and ``shell``, what SFTP sees in
``sftp``. Only public keys are accepted, and only the lab's.
"""

from __future__ import annotations

import contextlib
import logging
import math
import re
import socket
import time
from enum import Enum
from threading import Event, Thread
from typing import Final, cast

import paramiko
from paramiko import common

from drctl.lab.commands import commands_of
from drctl.lab.forwarding import Forwarding
from drctl.lab.model import Machine
from drctl.lab.net import Connection, Net
from drctl.lab.sftp import Exchange, SftpFiles
from drctl.lab.shell import Result, Shell
from drctl.lab.world import World

PORT: Final = 22
_LOG = logging.getLogger("drctl.lab.ssh")
_LOG.addHandler(logging.NullHandler())  # paramiko reports each client that hangs up as an error
_SLOW = 20.0
"""Estate seconds that the fault ``slow`` adds to each command."""
_LOOK = 0.5
"""Real seconds between looks at whether the client is still there; the world wakes waiters earlier."""
_TIMED_OUT = 124
"""The exit status of timeout(1) for a command it killed."""
_ACCEPTED = 1.0
"""Real seconds to wait for the answer to a request; a client may ask for none."""
_HUNG = 30.0
"""Real seconds a client may take for the handshake and the login together."""


class Verdict(Enum):
    """What becomes of a request that a fault held back."""

    GO_ON = "go on"
    GONE = "the client is gone"
    KILLED = "killed by timeout(1)"


def serve(world: World, net: Net, machine: Machine, port: int = PORT) -> None:
    """Serve SSH at a machine's address."""

    def accept(connection: Connection, _peer: tuple[str, int]) -> None:
        _serve_connection(world, net, machine, connection)

    net.tcp(machine.endpoint, machine.site, "ssh", machine.address, port, accept)


def _serve_connection(world: World, net: Net, machine: Machine, connection: Connection) -> None:
    changed = world.faults.take("ssh-host-key-changed", machine.endpoint) is not None
    key_file = net.pki.host_key(machine.endpoint, changed=changed)
    transport = _Transport(cast(socket.socket, connection))
    transport.set_log_channel(_LOG.name)
    transport.add_server_key(paramiko.Ed25519Key(filename=str(key_file)))
    server = Session(world, net, machine, transport)
    exchange = Exchange(world, machine, lambda: server.await_answer() is Verdict.GO_ON, server.reply_lost)
    transport.set_subsystem_handler("sftp", paramiko.SFTPServer, SftpFiles, exchange)
    try:
        transport.start_server(server=server)
    except (paramiko.SSHException, EOFError, OSError):
        _LOG.debug("no SSH session on %s", machine.endpoint, exc_info=True)
    else:
        server.forwarding.run(transport)
    finally:
        transport.close()


class _Transport(paramiko.Transport):
    """Tells when the answer to a request is on the wire: what a command says must come after it.

    paramiko sends that answer itself once ``check_channel_exec_request`` has returned, and offers nothing
    to wait for; a quick command would have closed the channel before.
    """

    answered: Event | None = None

    def _send_user_message(self, data: paramiko.Message) -> None:
        super()._send_user_message(data)  # type: ignore[misc]  # private, so the stubs leave it out
        if self.answered is not None and data.asbytes()[:1] == common.cMSG_CHANNEL_SUCCESS:
            self.answered.set()
            self.answered = None


class Session(paramiko.ServerInterface):
    """What one client's connection may do; paramiko calls it from the transport's thread."""

    def __init__(self, world: World, net: Net, machine: Machine, transport: _Transport) -> None:
        self.world = world
        self.machine = machine
        self.forwarding = Forwarding(world, net, machine)
        self._net = net
        self._transport = transport

    def get_allowed_auths(self, username: str) -> str:
        """Keys only."""
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        """Accept the lab's key and no other."""
        expired = self.world.faults.take("auth-expired", self.machine.endpoint)
        known = f"{key.get_name()} {key.get_base64()}" == self._net.pki.client_public.strip()
        return common.AUTH_SUCCESSFUL if known and not expired else common.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        """Sessions only; what is to be forwarded is asked for by the next method."""
        return common.OPEN_SUCCEEDED if kind == "session" else common.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        """Only the way into a bubble forwards, and only to what is inside."""
        return self.forwarding.judge(chanid, destination)

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        """Run a command in a thread of its own."""
        name = f"lab-{self.machine.endpoint}-exec"
        answered = self._transport.answered = Event()
        Thread(
            target=self._run,
            args=(channel, command.decode("utf-8", "replace"), answered),
            name=name,
            daemon=True,
        ).start()
        return True

    def await_answer(self, limit: float | None = None) -> Verdict:
        """Hold an answer back as the faults ``ssh-hang`` and ``slow`` ask.

        A command under timeout(1) is killed after ``limit`` estate seconds of hanging, before it did anything.
        """
        endpoint, site = self.machine.endpoint, self.machine.site
        hang = self.world.faults.take("ssh-hang", endpoint)
        ends = math.inf if limit is None else time.monotonic() + self.world.real_seconds(limit)
        while hang and self._transport.is_active():
            look = min(_LOOK, max(0.0, ends - time.monotonic()))
            lifted = self.world.wait(lambda: not self.world.faults.active("ssh-hang", endpoint), look)
            if lifted and not hang.once:
                break
            if time.monotonic() >= ends:
                return Verdict.KILLED
            if lifted:
                self.world.wait(lambda: not self._transport.is_active(), look)
        if self._net.fault("slow", endpoint, site):
            self.world.wait(lambda: not self._transport.is_active(), self.world.real_seconds(_SLOW))
        return Verdict.GO_ON if self._transport.is_active() else Verdict.GONE

    def reply_lost(self, recorded_before: int) -> bool:
        """Cut the connection when something was changed here and the fault ``reply-lost`` is in force."""
        changed = self.world.recorded_here() > recorded_before
        if changed and self._net.fault("reply-lost", self.machine.endpoint, self.machine.site):
            self._transport.close()
            return True
        return False

    def _run(self, channel: paramiko.Channel, line: str, answered: Event) -> None:
        try:
            answered.wait(_ACCEPTED)
            stdin = _read_all(channel) if _reads_input(line) else b""
            verdict = self.await_answer(_limit(line))
            if verdict is Verdict.GONE:
                return
            before = self.world.recorded_here()
            result = Result(_TIMED_OUT) if verdict is Verdict.KILLED else self._execute(line, stdin)
            if not self.reply_lost(before):
                _answer(channel, result)
        except (OSError, EOFError, paramiko.SSHException):
            _LOG.debug("the client of %s went away", self.machine.endpoint, exc_info=True)
        finally:
            with contextlib.suppress(OSError, EOFError):
                channel.close()

    def _execute(self, line: str, stdin: bytes) -> Result:
        with self.world.lock:
            result = Shell(self.world, self.machine, commands_of(self.machine.role)).run(line, stdin)
            self.world.touch()
        return result


def _answer(channel: paramiko.Channel, result: Result) -> None:
    channel.sendall(result.out)
    channel.sendall_stderr(result.err)
    channel.send_exit_status(result.status)
    channel.shutdown_write()


def _limit(line: str) -> float | None:
    """The time that a leading timeout(1) gives a command, estate seconds; None without one."""
    found = re.match(r"timeout (?:-k \S+ )?([0-9.]+)s? ", line)
    return float(found[1]) if found else None


def _reads_input(line: str) -> bool:
    """Whether a command line could wait for stdin; the others do not make the client close it first."""
    words = set(line.replace("'", " ").replace('"', " ").split())
    return bool(words & {"cat", "tee", "/dev/stdin", "sha256sum"})


def _read_all(channel: paramiko.Channel) -> bytes:
    """Everything up to the client's end of file.

    Raises:
        socket.timeout: the client leaves its side open for too long.
    """
    channel.settimeout(_HUNG)
    parts = []
    while part := channel.recv(65536):
        parts.append(part)
    return b"".join(parts)
