"""Opening one SSH connection: own socket, strict host key, one private key, nothing else."""

from __future__ import annotations

import base64
import hashlib
import logging
import socket
import stat
from pathlib import Path

import paramiko

from drctl.core.problem import DrctlError, Problem, ProviderError
from drctl.providers.ssh.model import SshEndpoint

UNACKNOWLEDGED = 30_000
"""Milliseconds that sent bytes may stay unacknowledged before the kernel gives the connection up (tcp(7))."""

# paramiko logs the traceback of every broken handshake; the error it raises says the same.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class UnknownHostKey(paramiko.SSHException):
    """The host is in no line of known_hosts."""

    def __init__(self, key: paramiko.PKey) -> None:
        super().__init__("unknown host key")
        self.key = key


class _Strict(paramiko.MissingHostKeyPolicy):
    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        raise UnknownHostKey(key)


def log_in(endpoint: SshEndpoint) -> paramiko.SSHClient:
    """Return a connection.

    Raises:
        ProviderError: ``unreachable`` when no SSH server answers (nothing was sent); otherwise the host
            key, our key or the login was refused.
    """
    key = _private_key(endpoint)
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(_Strict())
    _load_known_hosts(client, endpoint)
    try:
        client.connect(
            endpoint.host,
            port=endpoint.port,
            username=endpoint.username,
            pkey=key,
            sock=_connect(endpoint),
            timeout=endpoint.connect_timeout,
            banner_timeout=endpoint.connect_timeout,
            auth_timeout=endpoint.connect_timeout,
            allow_agent=False,
            look_for_keys=False,
        )
        transport = client.get_transport()
        if transport is not None:
            transport.set_keepalive(round(endpoint.keepalive))
    except (paramiko.SSHException, EOFError, OSError) as error:
        client.close()
        raise _refused(endpoint, error) from error
    return client


def _connect(endpoint: SshEndpoint) -> socket.socket:
    """Connect; without TCP_NODELAY each command waits some 40 ms for a delayed acknowledgement."""
    try:
        connection = socket.create_connection((endpoint.host, endpoint.port), endpoint.connect_timeout)
    except OSError as error:
        raise _unreachable(endpoint, "cannot be reached", error) from error
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED)
    return connection


def _private_key(endpoint: SshEndpoint) -> paramiko.PKey:
    file = endpoint.key_file
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise _problem(
                endpoint,
                "ssh-key-exposed",
                f"private key {file} can be read by others",
                hint=f"chmod 600 {file}",
            )
        return _parse_key(file, endpoint.passphrase.reveal() if endpoint.passphrase else None)
    except DrctlError as error:
        raise ProviderError(error.problems[0]) from error
    except OSError as error:
        summary = f"cannot read private key {file}: {error.strerror}"
        raise _problem(endpoint, "ssh-key-missing", summary) from error
    except (paramiko.SSHException, ValueError, TypeError) as error:
        raise _problem(
            endpoint,
            "ssh-key-invalid",
            f"private key {file} cannot be used",
            str(error),
            "It is an Ed25519, ECDSA or RSA key; an encrypted one needs `passphrase: {env: NAME}` at the endpoint.",
        ) from error


def _parse_key(file: Path, passphrase: str | None) -> paramiko.PKey:
    """Try each kind of key; ``PKey.from_path`` of paramiko 5.1 cannot open an encrypted one."""
    failure: Exception = ValueError("no private key")
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key_file(str(file), passphrase)
        except paramiko.PasswordRequiredException:
            raise
        except (paramiko.SSHException, ValueError) as error:
            failure = error
    raise failure


def _load_known_hosts(client: paramiko.SSHClient, endpoint: SshEndpoint) -> None:
    try:
        client.load_host_keys(str(endpoint.known_hosts))
    except OSError as error:
        raise _problem(
            endpoint,
            "ssh-known-hosts-missing",
            f"cannot read {endpoint.known_hosts}: {error.strerror}",
            hint=f"{_scan(endpoint)}, then compare the fingerprint on the host's console.",
        ) from error


def _refused(endpoint: SshEndpoint, error: Exception) -> ProviderError:
    if isinstance(error, UnknownHostKey):
        return _problem(
            endpoint,
            "ssh-host-key-unknown",
            f"{_name(endpoint)} is not in {endpoint.known_hosts}",
            f"It offers {_fingerprint(error.key)}.",
            f"{_scan(endpoint)}, after comparing the fingerprint on the host's console.",
        )
    if isinstance(error, paramiko.BadHostKeyException):
        return _problem(
            endpoint,
            "ssh-host-key-changed",
            f"{_name(endpoint)} shows another host key than the one in {endpoint.known_hosts}",
            f"Known is {_fingerprint(error.expected_key)}, shown is {_fingerprint(error.key)}. "
            "It was reinstalled, or something else answers at its address.",
            f"Find out which. If it was reinstalled: ssh-keygen -f {endpoint.known_hosts} -R "
            f"'{_name(endpoint)}', then {_scan(endpoint)}",
        )
    if isinstance(error, paramiko.AuthenticationException):
        return _problem(
            endpoint,
            "ssh-login-refused",
            f"{_name(endpoint)} refuses {endpoint.username} with key {endpoint.key_file}",
            str(error),
            "Is the public key in that account's authorized_keys?",
        )
    return _unreachable(endpoint, "broke off the SSH handshake", error)


def _unreachable(endpoint: SshEndpoint, what: str, error: Exception) -> ProviderError:
    words = error.strerror if isinstance(error, OSError) else ""
    reason = "timed out" if isinstance(error, TimeoutError) else words or str(error) or type(error).__name__
    hint = "Check the address, the network, and that the host and its sshd are up."
    problem = Problem("ssh-unreachable", f"{_name(endpoint)} {what}", reason, hint, endpoint=endpoint.name)
    return ProviderError(problem, transient=True, unreachable=True)


def _problem(
    endpoint: SshEndpoint, code: str, summary: str, detail: str = "", hint: str = ""
) -> ProviderError:
    return ProviderError(Problem(code, summary, detail, hint, endpoint=endpoint.name))


def _name(endpoint: SshEndpoint) -> str:
    return endpoint.host if endpoint.port == 22 else f"[{endpoint.host}]:{endpoint.port}"


def _scan(endpoint: SshEndpoint) -> str:
    return f"ssh-keyscan -p {endpoint.port} {endpoint.host} >> {endpoint.known_hosts}"


def _fingerprint(key: paramiko.PKey) -> str:
    digest = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
    return f"{key.get_name()} SHA256:{digest}"
