"""Questions, signed questions and dynamic updates, over dnspython."""

from __future__ import annotations

import binascii
import socket
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.update

from drctl.core.address import SocketAddress
from drctl.core.clock import Clock, SystemClock
from drctl.core.problem import DrctlError, Problem, ProviderError, ReadOnlyError
from drctl.core.provider import Access
from drctl.providers.dns.model import Answer, DnsEndpoint, Question, SignedSoa, Update, soa_serial
from drctl.providers.dns.rrset import rdata_text

ATTEMPTS = 2
"""A datagram may be lost; a second loss in a row is taken for an answer."""

PARALLEL = 16
PAYLOAD = 1232
"""The EDNS buffer size that crosses every path unfragmented (DNS flag day 2020)."""

UPDATE_TIMEOUT = 15.0
"""Seconds for a server to write an update to its journal and say so."""

_PREREQUISITE_FAILED = (dns.rcode.NXRRSET, dns.rcode.YXRRSET, dns.rcode.NXDOMAIN, dns.rcode.YXDOMAIN)
_REFUSED_BEFORE_SIGNING = (dns.rcode.REFUSED, dns.rcode.NOTAUTH, dns.rcode.FORMERR, dns.rcode.NOTIMP)
"""Answers a server may give unsigned because it never looked at the update (RFC 8945, section 5.2)."""


class DnsClient:
    """Talks to one primary and its secondaries; thread-safe, holds no connection between calls."""

    def __init__(self, endpoint: DnsEndpoint, access: Access, clock: Clock | None = None) -> None:
        self._endpoint = endpoint
        self._access = access
        self._clock = clock or SystemClock()
        self._servers = endpoint.servers()

    @property
    def servers(self) -> tuple[SocketAddress, ...]:
        """Name every authoritative server, the primary first."""
        return self._servers

    def ask(self, questions: Collection[Question]) -> Mapping[Question, Answer]:
        """Ask all at once; a server that fails is an answer with a ``problem``, never an exception."""
        distinct = list(dict.fromkeys(questions))
        with ThreadPoolExecutor(max_workers=min(PARALLEL, len(distinct)) or 1) as pool:
            return dict(zip(distinct, pool.map(self._ask, distinct), strict=True))

    def signed_soa(self, zone: str) -> SignedSoa:
        """Ask the primary for the zone's SOA with a signed message.

        Over TCP, the way an update will go, so that a firewall that lets only datagrams pass is seen.

        Raises:
            ProviderError: The primary cannot be reached, does not answer, or the key has no secret.
        """
        query = dns.message.make_query(zone, dns.rdatatype.SOA)
        query.flags &= ~dns.flags.RD
        self._sign(query)
        try:
            reply = self._exchange(query, self._endpoint.timeout * ATTEMPTS)
        except dns.tsig.PeerError as error:
            return SignedSoa(refused=_tsig_refusal(error))
        except (dns.exception.DNSException, OSError, EOFError) as error:
            if isinstance(error, (dns.exception.Timeout, OSError, EOFError)):
                raise self._silent(error) from error
            return SignedSoa(refused=f"its answer is not signed by our key ({_reason(error)})")
        return self._read_soa(zone, reply)

    def update(self, update: Update) -> None:
        """Send one signed update to the primary, guarded by the whole RRset it replaces.

        The prerequisite lists every value (RFC 2136, section 2.4.2): a subset would be refused, and a
        record that somebody changed meanwhile is never overwritten.

        Raises:
            ReadOnlyError: The client may only read.
            ProviderError: Refused, unreachable, or ``effect_unknown`` when no verifiable answer came.
        """
        if self._access is not Access.WRITE:
            raise ReadOnlyError(f"update of {update.name} {update.type}", self._endpoint.name)
        message = update_message(update)
        self._sign(message)
        try:
            reply = self._exchange(message, UPDATE_TIMEOUT)
        except dns.tsig.PeerError as error:
            raise self._error("dns-key-refused", _tsig_refusal(error), hint=_KEY_HINT) from error
        except (dns.exception.DNSException, OSError, EOFError) as error:
            raise self._unproven(f"no answer that can be trusted came back ({_reason(error)})") from error
        self._judge(update, reply)

    def _ask(self, question: Question) -> Answer:
        query = dns.message.make_query(question.name, question.type, use_edns=0, payload=PAYLOAD)
        query.flags &= ~dns.flags.RD
        server = str(question.server)
        reason = ""
        for _ in range(ATTEMPTS):
            try:
                where, port = _resolve(question.server)
                reply, _ = dns.query.udp_with_fallback(
                    query, where, self._endpoint.timeout, port, ignore_unexpected=True, ignore_errors=True
                )
            except (dns.exception.DNSException, OSError, EOFError) as error:
                reason = _reason(error)
            else:
                return _answer(server, question, reply)
        return Answer(server, problem=f"no answer ({reason})", unreachable=True)

    def _sign(self, message: dns.message.Message) -> None:
        key = self._endpoint.tsig
        try:
            secret = key.secret.reveal()
            message.use_tsig(dns.tsig.Key(key.name, _decode(secret), key.algorithm))
        except DrctlError as error:
            raise ProviderError(error.problems[0]) from error
        except binascii.Error:
            raise self._error(
                "dns-key-invalid",
                f"the secret of TSIG key {key.name} is not base64",
                hint=f"Look at {key.secret}: it holds the `secret` of the key as tsig-keygen prints it.",
            ) from None

    def _exchange(self, message: dns.message.Message, timeout: float) -> dns.message.Message:
        """Send over TCP; raise ``ProviderError(unreachable)`` only where nothing was sent."""
        primary = self._servers[0]
        try:
            connection = socket.create_connection((primary.host, primary.port), self._endpoint.timeout)
        except OSError as error:
            raise self._silent(error) from error
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setblocking(False)
            return dns.query.tcp(message, primary.host, timeout, sock=connection)

    def _read_soa(self, zone: str, reply: dns.message.Message) -> SignedSoa:
        if not reply.had_tsig:
            return SignedSoa(refused=f"it answered without a signature ({dns.rcode.to_text(reply.rcode())})")
        skew = None
        if reply.tsig is not None:
            skew = round(reply.tsig[0].time_signed - self._clock.now().timestamp(), 1)
        answer = _answer("", Question(self._servers[0], zone, "SOA"), reply)
        return SignedSoa(not answer.problem, soa_serial(answer), clock_skew=skew)

    def _judge(self, update: Update, reply: dns.message.Message) -> None:
        code = reply.rcode()
        what = f"{update.name} {update.type}"
        if not reply.had_tsig and code not in _REFUSED_BEFORE_SIGNING:
            raise self._unproven(f"the answer {dns.rcode.to_text(code)} carries no signature")
        if code == dns.rcode.NOERROR:
            return
        if code in _PREREQUISITE_FAILED:
            raise self._error(
                "dns-changed-meanwhile",
                f"{what} is no longer what it was when it was read",
                f"The server answered {dns.rcode.to_text(code)}: a prerequisite did not hold; nothing was changed.",
                "Plan again. Where a wildcard answers for the name, no record stands there to compare with.",
            )
        raise self._error(
            "dns-update-refused",
            f"the primary refused to change {what}: {dns.rcode.to_text(code)}",
            "Nothing was changed.",
            "Check that the key may update this record (update-policy, allow-update) and that `server` is the primary.",
            transient=code == dns.rcode.SERVFAIL,
        )

    def _error(
        self, code: str, summary: str, detail: str = "", hint: str = "", *, transient: bool = False
    ) -> ProviderError:
        problem = Problem(code, summary, detail, hint, endpoint=self._endpoint.name)
        return ProviderError(problem, transient=transient)

    def _unproven(self, why: str) -> ProviderError:
        problem = Problem(
            "dns-effect-unknown",
            "the update was sent, and whether it took effect is not known",
            why,
            "The record is read again from the server; nothing is sent twice before that.",
            endpoint=self._endpoint.name,
        )
        return ProviderError(problem, effect_unknown=True)

    def _silent(self, error: Exception) -> ProviderError:
        problem = Problem(
            "dns-unreachable",
            f"name server {self._servers[0]} cannot be reached over TCP",
            _reason(error),
            "Dynamic updates need TCP port 53 of the primary.",
            endpoint=self._endpoint.name,
        )
        return ProviderError(problem, transient=True, unreachable=True)


_KEY_HINT = "Compare name, algorithm and secret of the key with the server's, and both clocks."


def update_message(update: Update) -> dns.update.UpdateMessage:
    """Return the unsigned message of an update."""
    message = dns.update.UpdateMessage(update.zone)
    name = dns.name.from_text(update.name)
    if update.before:
        message.present(name, update.type, *update.before)
    else:
        message.absent(name, update.type)
    if update.after:
        message.replace(name, update.ttl, update.type, *update.after)
    else:
        message.delete(name, update.type)
    return message


def _answer(server: str, question: Question, reply: dns.message.Message) -> Answer:
    code = reply.rcode()
    if code not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return Answer(server, problem=f"answered {dns.rcode.to_text(code)}")
    if not reply.flags & dns.flags.AA:
        return Answer(server, problem="is not authoritative for it")
    name = dns.name.from_text(question.name)
    wanted = dns.rdatatype.from_text(question.type)
    for found in reply.answer:
        if found.name == name and found.rdtype == wanted:
            return Answer(server, tuple(sorted(rdata_text(data) for data in found)), found.ttl)
        if found.name == name and found.rdtype == dns.rdatatype.CNAME:
            return Answer(server, problem=f"answers an alias: CNAME {rdata_text(found[0])}")
    return Answer(server)


def _resolve(server: SocketAddress) -> tuple[str, int]:
    found = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_DGRAM)
    return str(found[0][4][0]), server.port


def _decode(secret: str) -> bytes:
    return binascii.a2b_base64(secret.strip(), strict_mode=True)


def _tsig_refusal(error: dns.tsig.PeerError) -> str:
    if isinstance(error, dns.tsig.PeerBadKey):
        return "the server does not know the TSIG key"
    if isinstance(error, dns.tsig.PeerBadSignature):
        return "the server knows the TSIG key by another secret or algorithm"
    if isinstance(error, dns.tsig.PeerBadTime):
        return "the server refused our signature as too old or too new: the clocks differ"
    return f"the server refused our signature ({_reason(error)})"


def _reason(error: Exception) -> str:
    if isinstance(error, (dns.exception.Timeout, TimeoutError)):
        return "timed out"
    if isinstance(error, EOFError):
        return "the connection was closed"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return f"{type(error).__name__}: {error}"
