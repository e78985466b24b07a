"""The one login to a host that all steps share, and the channels on it."""

from __future__ import annotations

import threading

import paramiko

from drctl.core.clock import Clock
from drctl.core.problem import Problem, ProviderError
from drctl.providers.ssh.login import log_in
from drctl.providers.ssh.model import SshEndpoint
from drctl.providers.ssh.reaching import PROHIBITED, ConnectError

LOST = (paramiko.SSHException, EOFError, OSError)
"""What paramiko raises when a connection broke, or an answer did not come."""

BETWEEN_OPENINGS = 0.05
"""Seconds before a session that was refused is asked for again."""


class Connection:
    """Logs in on first use and again when the connection broke; thread-safe."""

    def __init__(self, endpoint: SshEndpoint, clock: Clock) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._lock = threading.Lock()
        self._client: paramiko.SSHClient | None = None

    def close(self) -> None:
        """End the connection; the next channel would open another."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def forget(self, transport: paramiko.Transport) -> None:
        """End the connection that a channel broke on; one that others have opened since stays."""
        with self._lock:
            client = self._client
            if client is None or client.get_transport() is not transport:
                return
            self._client = None
        client.close()

    def session(self) -> paramiko.Channel:
        """Open a channel for one command; a connection that died while idle is replaced once.

        sshd counts a session until some time after both sides have closed it, so with all of them in use
        it may refuse the next one. Nothing was sent for it: it is asked for again, ``connect_timeout`` long.
        """
        patience = self._endpoint.connect_timeout
        deadline = self._clock.monotonic() + patience
        while True:
            transport, fresh = self._transport()
            asked = self._clock.monotonic()
            try:
                return transport.open_session(timeout=patience)
            except LOST as error:
                now = self._clock.monotonic()
                if transport.is_active() and now - asked < patience:
                    # Refused, be it no ChannelException: paramiko keeps one reason for all its threads.
                    if now >= deadline:
                        raise self._refused(error) from error
                    self._clock.sleep(BETWEEN_OPENINGS)
                    continue
                self.forget(transport)
                if fresh:
                    raise self._broke_off("broke off before anything was sent", error) from error

    def forward(self, address: str, port: int, timeout: float) -> paramiko.Channel:
        """Let the host open a TCP connection.

        Raises:
            ConnectError: It cannot; ``TimeoutError`` when it still tries.
            ProviderError: The host is not there, or forwards nothing.
        """
        transport, _fresh = self._transport()
        try:
            return transport.open_channel("direct-tcpip", (address, port), ("127.0.0.1", 0), timeout=timeout)
        except paramiko.ChannelException as error:
            if error.code == PROHIBITED:
                raise self._prohibited(address, port, error.text) from error
            raise ConnectError(error.text) from error
        except LOST as error:
            if transport.is_active():
                raise TimeoutError from error  # the host is there and still tries
            self.forget(transport)
            raise self._broke_off("broke off", error) from error

    def _transport(self) -> tuple[paramiko.Transport, bool]:
        """Return a live connection, and whether it is new."""
        with self._lock:
            transport = self._client.get_transport() if self._client else None
            if transport is not None and transport.is_active():
                return transport, False
            if self._client is not None:
                self._client.close()
            self._client = None
            self._client = log_in(self._endpoint)
            transport = self._client.get_transport()
            if transport is None:
                raise self._broke_off("broke off after the login", EOFError())
            return transport, True

    def _refused(self, error: Exception) -> ProviderError:
        problem = Problem(
            "ssh-session-refused",
            f"{self._endpoint.host} allows no further session",
            str(error),
            "Set `concurrency` of the endpoint to what MaxSessions in its sshd_config allows.",
            endpoint=self._endpoint.name,
        )
        return ProviderError(problem, transient=True)

    def _broke_off(self, how: str, error: Exception) -> ProviderError:
        problem = Problem(
            "ssh-unreachable",
            f"the connection to {self._endpoint.host} {how}",
            str(error),
            endpoint=self._endpoint.name,
        )
        return ProviderError(problem, transient=True, unreachable=True)

    def _prohibited(self, address: str, port: int, reason: str) -> ProviderError:
        problem = Problem(
            "ssh-no-forwarding",
            f"{self._endpoint.host} forwards no connection to {address}:{port}",
            reason,
            "Allow it there: AllowTcpForwarding and PermitOpen in sshd_config.",
            endpoint=self._endpoint.name,
        )
        return ProviderError(problem)
