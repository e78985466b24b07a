"""``check.http``, ``check.tcp`` and ``check.dns``: whether it answers is the question, so silence is a finding."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import Field as Declared
from pydantic import JsonValue

from drctl.core.action import NotExercised, Recipe
from drctl.core.address import SocketAddress, parse_address
from drctl.core.bubble import Bubble
from drctl.core.duration import Duration
from drctl.core.probe import Finding, Level, Observation, Probe
from drctl.providers.check.model import DNS_PORT, Caller, Port, Request, ServerAddress, Url


class Http(Probe[Caller]):
    """GET ``url`` answers with ``status`` and, if given, ``contains`` in the first MiB of its body.

    ``resolver`` is the name server to find the host by; the Host field, SNI and the certificate's name
    stay the URL's. Redirects are answers: they are not followed. ``timeout`` covers name, connection
    and answer together.
    """

    name: ClassVar[str] = "check.http"
    output_names: ClassVar[frozenset[str]] = frozenset({"reason", "address", "status", "latency_seconds"})

    url: Url = Declared(description="What to ask for, `http://` or `https://`.")
    status: int = Declared(default=200, ge=100, le=599, description="The status that must come back.")
    contains: str | None = Declared(
        default=None,
        min_length=1,
        description="Text that must be in the first MiB of the answer; default any.",
    )
    resolver: ServerAddress | None = Declared(
        None,
        description="Name server to find the host by, `address` or `address:port`; default the machine's own.",
    )
    ca_file: Path | None = Declared(
        None, description="Authorities that may have signed the certificate, PEM; default the machine's own."
    )
    timeout: Duration = Declared(10.0, description="How long name, connection and answer may take together.")

    def observe(self, client: Caller) -> Observation:
        """Ask once."""
        request = Request(self.url, self.timeout, _resolver(self.resolver), self.ca_file, self.contains)
        seen = client.get(request)
        return Observation(
            {
                "reason": seen.reason,
                "address": seen.address,
                "status": seen.status,
                "location": seen.location,
                "contains": seen.contains,
                "latency_seconds": seen.latency,
            }
        )

    def judge(self, seen: Observation) -> Finding:
        """Compare status and text."""
        values = seen.values
        if values["reason"]:
            return _failing(
                f"{self.url}: {values['reason']}", f"expected status {self.status}", values["address"]
            )
        if values["status"] != self.status:
            to = f" to {values['location']} (redirects are not followed)" if values["location"] else ""
            wrong = f"{self.url}: status {values['status']}{to}, expected {self.status}"
            return _failing(wrong, "", values["address"])
        if self.contains is not None and not values["contains"]:
            return _failing(f"{self.url}: {self.contains!r} is not in the answer", "", values["address"])
        return Finding(Level.OK, f"{self.url}: status {self.status} in {values['latency_seconds']} s")

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Ask the copy, through the way in, under the name that its users know."""
        asked = self.model_dump(mode="json", exclude_unset=True, exclude={"resolver"})
        return _inside(bubble, urlsplit(self.url).hostname or "", "ssh.http", asked)


class Tcp(Probe[Caller]):
    """A TCP connection to the port opens. That a port is open does not say that its service works."""

    name: ClassVar[str] = "check.tcp"
    output_names: ClassVar[frozenset[str]] = frozenset({"reason", "address", "latency_seconds"})

    host: str = Declared(min_length=1, description="Name or address to connect to.")
    port: Port = Declared(description="TCP port that must be open.")
    resolver: ServerAddress | None = Declared(
        None,
        description="Name server to find the host by, `address` or `address:port`; default the machine's own.",
    )
    timeout: Duration = Declared(5.0, description="How long name and connection may take together.")

    def observe(self, client: Caller) -> Observation:
        """Connect once."""
        seen = client.dial(self.host, self.port, _resolver(self.resolver), self.timeout)
        return Observation({"reason": seen.reason, "address": seen.address, "latency_seconds": seen.latency})

    def judge(self, seen: Observation) -> Finding:
        """Say whether it opened."""
        where = SocketAddress(self.host, self.port)
        if seen.values["reason"]:
            return _failing(
                f"{where}: {seen.values['reason']}", "expected an open port", seen.values["address"]
            )
        return Finding(Level.OK, f"{where} opens in {seen.values['latency_seconds']} s")

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Connect to the copy, through the way in."""
        asked = self.model_dump(mode="json", exclude_unset=True, exclude={"resolver"})
        return _inside(bubble, self.host, "ssh.tcp", asked)


class Dns(Probe[Caller]):
    """Each of the named servers answers the record with these values, with authority.

    ``values`` compare as text, in presentation form and without regard to order or case.
    """

    name: ClassVar[str] = "check.dns"
    output_names: ClassVar[frozenset[str]] = frozenset({"answers"})

    zone: str = Declared(min_length=1, description="The zone the record is in, e.g. `clinic.example.`.")
    owner: str = Declared(
        alias="name", min_length=1, description="Relative to the zone, or absolute; @ is the zone."
    )
    type: str = Declared(pattern="^[A-Z][A-Z0-9]*$", description="DNS type of the record, e.g. A.")
    values: tuple[str, ...] = Declared(description="What each server must answer, in any order.")
    servers: tuple[ServerAddress, ...] = Declared(
        min_length=1, description="Name servers to ask, each `address` or `address:port`."
    )
    timeout: Duration = Declared(5.0, description="How long one server may take to answer.")

    @property
    def record(self) -> str:
        """The absolute name."""
        zone = self.zone if self.zone.endswith(".") else f"{self.zone}."
        if self.owner == "@":
            return zone
        return self.owner if self.owner.endswith(".") else f"{self.owner}.{zone}"

    def observe(self, client: Caller) -> Observation:
        """Ask every server."""
        servers = tuple(parse_address(server, DNS_PORT) for server in self.servers)
        answers: list[JsonValue] = [
            {
                "server": answer.server,
                "values": list(answer.values),
                "authoritative": answer.authoritative,
                "reason": answer.reason,
            }
            for answer in client.ask(self.record, self.type, servers, self.timeout)
        ]
        return Observation({"answers": answers})

    def judge(self, seen: Observation) -> Finding:
        """Name each server that does not answer as expected."""
        answers = seen.values["answers"]
        rows = [row for row in answers if isinstance(row, dict)] if isinstance(answers, list) else []
        wrong = tuple(f"{row['server']}: {said}" for row in rows if (said := self._wrong(row)))
        record, wanted = f"{self.record} {self.type}", ", ".join(self.values) or "no such record"
        if wrong:
            return Finding(Level.BLOCKER, f"{record} is not {wanted} everywhere; {wrong[0]}", wrong)
        return Finding(Level.OK, f"{record} is {wanted} on {len(rows)} server{'s' if len(rows) > 1 else ''}")

    def _wrong(self, row: dict[str, JsonValue]) -> str:
        if row["reason"]:
            return str(row["reason"])
        values = row["values"] if isinstance(row["values"], list) else []
        if {str(value).lower() for value in values} != {value.lower() for value in self.values}:
            return f"answers {', '.join(map(str, values)) or 'no such record'}"
        return "" if row["authoritative"] else "is not authoritative"

    def in_drill(self, bubble: Bubble) -> NotExercised:
        """Leave it: the record still leads to production, as it should during a drill."""
        return NotExercised(f"{self.record} {self.type} would be answered by production's name servers")


def _inside(bubble: Bubble, host: str, uses: str, asked: dict[str, JsonValue]) -> Recipe | NotExercised:
    address = bubble.address(host)
    if bubble.via is None or address is None:
        lacking = (
            "has no way in (`via`)" if bubble.via is None else f"has no address for {host} (`addresses`)"
        )
        return NotExercised(
            f"the bubble of {bubble.site} {lacking}: a check by public name would be answered by production"
        )
    return Recipe(uses, {**asked, "address": address}, endpoint=bubble.via)


def _resolver(text: str | None) -> SocketAddress | None:
    return parse_address(text, DNS_PORT) if text else None


def _failing(summary: str, expected: str, address: JsonValue) -> Finding:
    details = tuple(line for line in (expected, f"asked at {address}" if address else "") if line)
    return Finding(Level.BLOCKER, summary, details)
