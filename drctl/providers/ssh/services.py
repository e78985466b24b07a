"""``ssh.http`` and ``ssh.tcp``: whether a service answers where only a host inside can reach it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, JsonValue
from pydantic import Field as Declared

from drctl.core.address import SocketAddress
from drctl.core.bubble import Bubble
from drctl.core.duration import Duration
from drctl.core.probe import Finding, Level, Observation, Probe
from drctl.providers.ssh.model import Host, Question


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("a URL begins with http:// or https:// and names a host")
    if parts.username or parts.password:
        raise ValueError("a URL holds no user name or password: it is shown and journaled")
    _ = parts.port  # raises ValueError when it is no port
    return text


class Http(Probe[Host]):
    """GET ``url``, sent to ``address`` through this host, answers with ``status`` and ``contains``.

    The host opens the connection (direct-tcpip), so ``address`` is one that it reaches. Host field,
    SNI and the certificate's name stay the URL's, so a service of another place is not taken for it.
    Redirects are not followed.
    """

    name: ClassVar[str] = "ssh.http"
    output_names: ClassVar[frozenset[str]] = frozenset({"reason", "address", "status", "latency_seconds"})

    url: Annotated[str, AfterValidator(_url)] = Declared(
        description="What to ask for, `http://` or `https://`."
    )
    address: str = Declared(
        min_length=1, description="Where to connect, as seen from this host; the URL's name is only spoken."
    )
    status: int = Declared(default=200, ge=100, le=599, description="The status that must come back.")
    contains: str | None = Declared(
        default=None, min_length=1, description="Text that must be in the answer; default any."
    )
    ca_file: Path | None = Declared(
        None, description="Authorities that may have signed the certificate, PEM; default the machine's own."
    )
    timeout: Duration = Declared(10.0, description="How long connection and answer may take together.")

    def observe(self, client: Host) -> Observation:
        """Ask once; raise ``ProviderError`` when the host itself cannot be used."""
        question = Question(self.url, self.address, self.timeout, self.ca_file, self.contains)
        seen = client.get(question)
        return Observation(
            {
                "reason": seen.reason,
                "address": self.address,
                "status": seen.status,
                "location": seen.location,
                "contains": seen.contains,
                "latency_seconds": seen.latency,
            }
        )

    def judge(self, seen: Observation) -> Finding:
        """Compare status and text."""
        values = seen.values
        where = f"{self.url} at {self.address}"
        if values["reason"]:
            return _failing(f"{where}: {values['reason']}", f"expected status {self.status}")
        if values["status"] != self.status:
            to = f" to {values['location']} (redirects are not followed)" if values["location"] else ""
            return _failing(f"{where}: status {values['status']}{to}, expected {self.status}")
        if self.contains is not None and not values["contains"]:
            return _failing(f"{where}: {self.contains!r} is not in the answer")
        return Finding(Level.OK, f"{where}: status {self.status} in {values['latency_seconds']} s")

    def in_drill(self, bubble: Bubble) -> None:
        """Ask as it is: the guard of a drill sees to it that the host is the bubble's way in."""


class Tcp(Probe[Host]):
    """A TCP connection to the port opens from this host; ``host`` is what users call it, for people."""

    name: ClassVar[str] = "ssh.tcp"
    output_names: ClassVar[frozenset[str]] = frozenset({"reason", "address", "latency_seconds"})

    host: str = Declared(min_length=1, description="What users call it; shown, never resolved.")
    port: int = Declared(ge=1, le=65535, description="TCP port that must be open.")
    address: str = Declared(min_length=1, description="Where to connect, as seen from this host.")
    timeout: Duration = Declared(5.0, description="How long the connection may take to open.")

    def observe(self, client: Host) -> Observation:
        """Connect once; raise ``ProviderError`` when the host itself cannot be used."""
        seen = client.dial(self.address, self.port, self.timeout)
        values: dict[str, JsonValue] = {
            "reason": seen.reason,
            "address": self.address,
            "latency_seconds": seen.latency,
        }
        return Observation(values)

    def judge(self, seen: Observation) -> Finding:
        """Say whether it opened."""
        where = f"{SocketAddress(self.host, self.port)} at {self.address}"
        if seen.values["reason"]:
            return _failing(f"{where}: {seen.values['reason']}", "expected an open port")
        return Finding(Level.OK, f"{where} opens in {seen.values['latency_seconds']} s")

    def in_drill(self, bubble: Bubble) -> None:
        """Ask as it is: the guard of a drill sees to it that the host is the bubble's way in."""


def _failing(summary: str, *details: str) -> Finding:
    return Finding(Level.BLOCKER, summary, details)
