"""What the inventory says about name servers, and what they answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from drctl.core.address import SocketAddress, parse_address
from drctl.core.duration import Duration, parse_duration
from drctl.core.provider import Endpoint
from drctl.core.secret import Secret

PORT = 53

RecordType: TypeAlias = Literal["A", "AAAA", "CAA", "CNAME", "MX", "PTR", "SRV", "TXT"]


def _absolute(zone: str) -> str:
    return zone.lower() if zone.endswith(".") else f"{zone.lower()}."


def _address(text: str) -> str:
    parse_address(text, PORT)
    return text


Zone = Annotated[str, StringConstraints(min_length=1, max_length=254), AfterValidator(_absolute)]
"""A zone's name, with or without the final dot."""

Ttl = Annotated[
    int, BeforeValidator(parse_duration, json_schema_input_type=Duration), Field(ge=0, le=2**31 - 1)
]
"""Seconds a resolver may remember an answer (RFC 2181 section 8); ``60`` or ``60s``."""

Address = Annotated[str, AfterValidator(_address)]
"""``192.0.2.53``, ``192.0.2.53:5353`` or ``[2001:db8::53]:5353``."""


class TsigKey(BaseModel):
    """The shared key that signs updates (RFC 8945); ``secret`` is its base64 text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="The key's name, as the server knows it, e.g. `drctl.`.")
    algorithm: Literal["hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha1", "hmac-md5"] = Field(
        "hmac-sha256", description="The hash both sides sign with."
    )
    secret: Secret = Field(description="The shared key in base64, as a reference.")


class DnsEndpoint(Endpoint):
    """A primary that accepts dynamic updates, and every other server that answers for its zones.

    ``secondaries`` are all the authoritative servers clients may ask: a record is not moved before
    they answer it too. ``timeout`` bounds one question to one server, in seconds.
    """

    server: str = Field(description="Address of the primary, which takes the updates.")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(PORT, description="UDP and TCP port of the primary.")
    secondaries: tuple[Address, ...] = Field(
        (),
        description="Every other authoritative server clients may ask, e.g. `192.0.2.53` or "
        "`192.0.2.53:5353`.",
    )
    tsig: TsigKey = Field(
        description="The key that signs updates, e.g. `{name: drctl., secret: {env: DNS_TSIG}}`."
    )
    timeout: Duration = Field(3.0, description="How long one server may take to answer one question.")

    def servers(self) -> tuple[SocketAddress, ...]:
        """Return the primary, then the secondaries."""
        return (
            SocketAddress(self.server, self.port),
            *(parse_address(text, PORT) for text in self.secondaries),
        )


@dataclass(frozen=True, slots=True)
class Question:
    """One question to one server."""

    server: SocketAddress
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What one server said.

    ``values`` are canonical and sorted, empty when the server is sure that there is no such record.
    ``problem`` is set when it gave no authoritative answer; ``unreachable`` when it gave none at all.
    """

    server: str
    values: tuple[str, ...] = ()
    ttl: int | None = None
    problem: str = ""
    unreachable: bool = False

    @property
    def text(self) -> str:
        """Return the answer for people."""
        return self.problem or show(self.values)


@dataclass(frozen=True, slots=True)
class RecordState:
    """One record as every authoritative server answers it; ``serial`` is the primary's SOA serial."""

    primary: Answer
    secondaries: tuple[Answer, ...] = ()
    serial: int | None = None


@dataclass(frozen=True, slots=True)
class SignedSoa:
    """The primary's answer to a signed question; ``refused`` says why the key was not accepted.

    ``clock_skew`` is the server's clock minus ours in seconds (whole seconds on the wire).
    """

    authoritative: bool = False
    serial: int | None = None
    refused: str = ""
    clock_skew: float | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """Replace the RRset ``before`` (empty: none exists) by ``after`` (empty: remove it)."""

    zone: str
    name: str
    type: str
    ttl: int
    before: tuple[str, ...]
    after: tuple[str, ...]


class NameServers(Protocol):
    """The client, as actions and probes see it; ``servers`` begins with the primary."""

    @property
    def servers(self) -> tuple[SocketAddress, ...]:
        """Name every authoritative server, the primary first."""
        ...

    def ask(self, questions: Collection[Question]) -> Mapping[Question, Answer]:
        """Ask all at once; a server that fails is an answer with a ``problem``, never an exception."""
        ...

    def signed_soa(self, zone: str) -> SignedSoa:
        """Ask the primary for the zone's SOA with a signed message; raise ``ProviderError``."""
        ...

    def update(self, update: Update) -> None:
        """Send one signed update to the primary; raise ``ProviderError``."""
        ...


def full_name(name: str, zone: str) -> str:
    """Return the absolute name; ``@`` is the zone itself.

    Raises:
        ValueError: An absolute name lies outside the zone.
    """
    name = name.lower()
    if name == "@":
        return zone
    if not name.endswith("."):
        return f"{name}.{zone}"
    if name != zone and not name.endswith(f".{zone}"):
        raise ValueError(f"{name} lies outside the zone {zone}")
    return name


def canonical_values(kind: str, values: Collection[str], zone: str) -> tuple[str, ...]:
    """Return the values as ``rrset.canonical`` spells them; raise ``ValueError``."""
    from drctl.providers.dns.rrset import canonical  # noqa: PLC0415 - dnspython loads when a step needs it

    return canonical(kind, values, zone)


def soa_serial(answer: Answer) -> int | None:
    """Return the serial of a SOA answer, None where there is none."""
    return int(answer.values[0].split()[2]) if answer.values else None


def show(values: Collection[str]) -> str:
    """Return values for people."""
    return ", ".join(values) or "no such record"
