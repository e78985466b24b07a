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
            with cut_after(max(0.01, left()), channel):
                seen = exchange(channel, parts, question, context)
    except (ConnectError, paramiko.SSHException, http.client.HTTPException, EOFError, OSError) as error:
        return Answer(_reason(error if left() > 0 else TimeoutError(), question.timeout))
    return replace(seen, latency=round(clock.monotonic() - start, 3))


@contextlib.contextmanager
def cut_after(seconds: float, channel: paramiko.Channel) -> Iterator[threading.Event]:
    """Close the channel when time is up; the event says so.

    Some of paramiko's waits have no timeout of their own, and that of others begins anew with every byte.
    """
    over = threading.Event()

    def cut() -> None:
        over.set()
        with contextlib.suppress(paramiko.SSHException, EOFError, OSError):  # it broke off at the same time
            channel.close()

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield over
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
