"""Whether something answers at the far end of a connection that a host opens for us."""

from __future__ import annotations

import contextlib
import http.client
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TypeAlias
from urllib.parse import urlsplit

import paramiko

from drctl.core.clock import Clock
from drctl.providers.ssh.model import Answer, Question
from drctl.providers.ssh.tunnel import context_for, exchange

PROHIBITED = 1
"""SSH_OPEN_ADMINISTRATIVELY_PROHIBITED (RFC 4254, section 5.1): the server's rule, not the address's state."""

Forward: TypeAlias = Callable[[str, int, float], AbstractContextManager[paramiko.Channel]]


class ConnectError(Exception):
    """The host could not open the connection; its text is the host's."""


def dial(forward: Forward, address: str, port: int, timeout: float, clock: Clock) -> Answer:
    """Open and close."""
    start = clock.monotonic()
    try:
        with forward(address, port, timeout):
            return Answer(latency=round(clock.monotonic() - start, 3))
    except (ConnectError, TimeoutError) as error:
        return Answer(_reason(error, timeout))


def get(forward: Forward, question: Question, clock: Clock) -> Answer:
    """Ask for a URL at an address."""
    parts = urlsplit(question.url)
    secure = parts.scheme == "https"
    context = context_for(question.ca_file) if secure else None
    start = clock.monotonic()

    def left() -> float:
        return question.timeout - (clock.monotonic() - start)

    try:
        with forward(question.address, parts.port or (443 if secure else 80), question.timeout) as channel:
            channel.settimeout(max(0.01, left()))
            with _cut_after(max(0.01, left()), channel):
                seen = exchange(channel, parts, question, context)
    except (ConnectError, paramiko.SSHException, http.client.HTTPException, EOFError, OSError) as error:
        return Answer(_reason(error if left() > 0 else TimeoutError(), question.timeout))
    return replace(seen, latency=round(clock.monotonic() - start, 3))


@contextlib.contextmanager
def _cut_after(seconds: float, channel: paramiko.Channel) -> Iterator[None]:
    """Close the channel when time is up: its timeout begins anew with every byte it gets."""
    timer = threading.Timer(seconds, channel.close)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _reason(error: Exception, timeout: float) -> str:
    """Return why there is no answer, for people."""
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout:g} s"
    if isinstance(error, ConnectError):
        return f"the way in cannot connect: {str(error).lower() or 'no reason given'}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason}"
    return f"it broke off or did not speak the protocol ({type(error).__name__})"
