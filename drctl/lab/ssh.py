"""The machines' SSH servers: one host key per endpoint, one client key, commands and SFTP.

paramiko keeps the transport; what a command does is in ``commands`` and ``shell``, what SFTP sees in
``sftp``. Only public keys are accepted, and only the lab's.
"""

from __future__ import annotations

import logging
import socket
from threading import Thread
from typing import Final, cast

import paramiko
from paramiko import common

from drctl.lab.commands import commands_of
from drctl.lab.model import Machine
from drctl.lab.net import Connection, Net
from drctl.lab.sftp import Exchange, SftpFiles
from drctl.lab.shell import Result, Shell
from drctl.lab.world import World

PORT: Final = 22
_LOG = logging.getLogger("drctl.lab.ssh")
_SLOW = 20.0
"""Estate seconds that the fault ``slow`` adds to each command."""
_LOOK = 0.5
"""Real seconds between looks at whether the client is still there; the world wakes waiters earlier."""
_HUNG = 30.0
"""Real seconds a client may take for the handshake and the login together."""


def serve(world: World, net: Net, machine: Machine, port: int = PORT) -> None:
    """Serve SSH at a machine's address."""

    def accept(connection: Connection, _peer: tuple[str, int]) -> None:
        _serve_connection(world, net, machine, connection)

    net.tcp(machine.endpoint, machine.site, "ssh", machine.address, port, accept)


def _serve_connection(world: World, net: Net, machine: Machine, connection: Connection) -> None:
    changed = world.faults.take("ssh-host-key-changed", machine.endpoint) is not None
    key_file = net.pki.host_key(machine.endpoint, changed=changed)
    transport = paramiko.Transport(cast(socket.socket, connection))
    transport.set_log_channel(_LOG.name)
    transport.add_server_key(paramiko.Ed25519Key(filename=str(key_file)))
    server = Session(world, net, machine, transport)
    exchange = Exchange(world, machine, server.await_answer, server.reply_lost)
    transport.set_subsystem_handler("sftp", paramiko.SFTPServer, SftpFiles, exchange)
    try:
        transport.start_server(server=server)
    except (paramiko.SSHException, EOFError, OSError):
        _LOG.debug("no SSH session on %s", machine.endpoint, exc_info=True)
    else:
        transport.join()
    finally:
        transport.close()


class Session(paramiko.ServerInterface):
    """What one client's connection may do; paramiko calls it from the transport's thread."""

    def __init__(self, world: World, net: Net, machine: Machine, transport: paramiko.Transport) -> None:
        self.world = world
        self.machine = machine
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
        """Sessions only; nothing is forwarded."""
        return common.OPEN_SUCCEEDED if kind == "session" else common.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        """Run a command in a thread of its own."""
        name = f"lab-{self.machine.endpoint}-exec"
        Thread(
            target=self._run, args=(channel, command.decode("utf-8", "replace")), name=name, daemon=True
        ).start()
        return True

    def await_answer(self) -> bool:
        """Hold back as the faults ``ssh-hang`` and ``slow`` ask; False when the client went away meanwhile."""
        endpoint, site = self.machine.endpoint, self.machine.site
        hang = self.world.faults.take("ssh-hang", endpoint)
        while hang and self._transport.is_active():
            lifted = self.world.wait(lambda: not self.world.faults.active("ssh-hang", endpoint), _LOOK)
            if lifted and not hang.once:
                break
        if self._net.fault("slow", endpoint, site):
            self.world.wait(lambda: not self._transport.is_active(), self.world.real_seconds(_SLOW))
        return self._transport.is_active()

    def reply_lost(self, recorded_before: int) -> bool:
        """Cut the connection when something was changed here and the fault ``reply-lost`` is in force."""
        changed = self.world.recorded_here() > recorded_before
        if changed and self._net.fault("reply-lost", self.machine.endpoint, self.machine.site):
            self._transport.close()
            return True
        return False

    def _run(self, channel: paramiko.Channel, line: str) -> None:
        try:
            stdin = _read_all(channel) if _reads_input(line) else b""
            if not self.await_answer():
                return
            before = self.world.recorded_here()
            with self.world.lock:
                result = Shell(self.world, self.machine, commands_of(self.machine.role)).run(line, stdin)
                self.world.touch()
            if not self.reply_lost(before):
                _answer(channel, result)
        except (OSError, EOFError, paramiko.SSHException):
            _LOG.debug("the client of %s went away", self.machine.endpoint, exc_info=True)
        finally:
            channel.close()


def _answer(channel: paramiko.Channel, result: Result) -> None:
    channel.sendall(result.out)
    channel.sendall_stderr(result.err)
    channel.send_exit_status(result.status)
    channel.shutdown_write()


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
