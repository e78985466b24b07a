"""Commands and files over SSH, with host keys checked strictly and keys only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from drctl.core.provider import Access, AnyAction, AnyProbe, Endpoint
from drctl.providers.ssh.actions import PutFile, RunCommand
from drctl.providers.ssh.model import Host, SshEndpoint
from drctl.providers.ssh.probes import Access as SshAccess
from drctl.providers.ssh.services import Http, Tcp


class SshProvider:
    """POSIX hosts with an SSH server."""

    name = "ssh"
    endpoint: type[Endpoint] | None = SshEndpoint
    actions: Mapping[str, type[AnyAction]] = {action.name: action for action in (RunCommand, PutFile)}
    probes: Mapping[str, type[AnyProbe]] = {probe.name: probe for probe in (SshAccess, Http, Tcp)}

    @contextmanager
    def connect(self, endpoint: Endpoint | None, access: Access) -> Iterator[Host]:
        """Yield a client that logs in on first use and keeps that one connection."""
        from drctl.providers.ssh.client import SshClient  # noqa: PLC0415 - paramiko loads on connecting

        if not isinstance(endpoint, SshEndpoint):
            raise TypeError(f"ssh connects to an SshEndpoint, not {endpoint!r}")
        client = SshClient(endpoint, access)
        try:
            yield client
        finally:
            client.close()


PROVIDER = SshProvider()
