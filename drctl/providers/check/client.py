"""The checks' sockets: every wait is bounded, no environment variable is asked for proxies or CAs."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver

from drctl.core.address import SocketAddress
from drctl.core.clock import Clock, SystemClock
from drctl.core.problem import Problem, ProviderError
from drctl.providers.check.model import LIMIT, Named, Request, Seen

_FAILED = (OSError, http.client.HTTPException, dns.exception.DNSException, UnicodeError)


class Deadline:
    """A point in time that all parts of one check share."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._start = clock.monotonic()
        self._seconds = seconds

    @property
    def elapsed(self) -> float:
        """Seconds since the check began."""
        return self._clock.monotonic() - self._start

    def left(self) -> float:
        """Return the seconds left; raise ``TimeoutError`` when there are none."""
        left = self._seconds - self.elapsed
        if left <= 0:
            raise TimeoutError
        return left


class CheckClient:
    """Asks services; thread-safe, keeps nothing between calls."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()

    def get(self, request: Request) -> Seen:
        """Ask for a URL; redirects are not followed.

        Raises:
            ProviderError: ``ca_file`` cannot be used.
        """
        parts = urlsplit(request.url)
        context = _context(request.ca_file) if parts.scheme == "https" else None
        deadline = Deadline(self._clock, request.timeout)
        address = None
        try:
            host, port = parts.hostname or "", parts.port or (443 if context else 80)
            connection = _connect(host, port, request.resolver, deadline)
            address = str(connection.getpeername()[0])
            seen = _exchange(_secured(connection, host, context), parts, request, deadline)
        except _FAILED as error:
            return Seen(_reason(error, request.timeout), address)
        return seen

    def dial(self, host: str, port: int, resolver: SocketAddress | None, timeout: float) -> Seen:
        """Open a TCP connection and close it."""
        deadline = Deadline(self._clock, timeout)
        try:
            with _connect(host, port, resolver, deadline) as connection:
                return Seen(address=str(connection.getpeername()[0]), latency=round(deadline.elapsed, 3))
        except _FAILED as error:
            return Seen(_reason(error, timeout))

    def ask(self, name: str, kind: str, servers: tuple[SocketAddress, ...], timeout: float) -> list[Named]:
        """Ask each server, all at once, without recursion."""
        with ThreadPoolExecutor(max_workers=min(16, len(servers))) as pool:
            return list(pool.map(lambda server: self._ask(name, kind, server, timeout), servers))

    def _ask(self, name: str, kind: str, server: SocketAddress, timeout: float) -> Named:
        query = dns.message.make_query(name, kind, use_edns=0, payload=1232)
        query.flags &= ~dns.flags.RD
        deadline = Deadline(self._clock, timeout)
        try:
            where = _numeric(server)
            try:  # half of the time for the first datagram: one may be lost
                reply, _ = dns.query.udp_with_fallback(
                    query, where, deadline.left() / 2, server.port, ignore_unexpected=True, ignore_errors=True
                )
            except dns.exception.Timeout:
                reply, _ = dns.query.udp_with_fallback(
                    query, where, deadline.left(), server.port, ignore_unexpected=True, ignore_errors=True
                )
        except _FAILED as error:
            return Named(str(server), reason=_reason(error, timeout))
        return _named(str(server), name, kind, reply)


def _named(server: str, name: str, kind: str, reply: dns.message.Message) -> Named:
    authoritative = bool(reply.flags & dns.flags.AA)
    code = reply.rcode()
    if code not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return Named(server, authoritative=authoritative, reason=f"answered {dns.rcode.to_text(code)}")
    owner, wanted = dns.name.from_text(name), dns.rdatatype.from_text(kind)
    values = [
        rdata.to_text()
        for rrset in reply.answer
        if rrset.name == owner and rrset.rdtype == wanted
        for rdata in rrset
    ]
    return Named(server, tuple(sorted(values)), authoritative)


# --- connecting -----------------------------------------------------------------------------------


def _connect(host: str, port: int, resolver: SocketAddress | None, deadline: Deadline) -> socket.socket:
    """Try each address in turn, sharing what is left of the time; raise the last one's error."""
    addresses = _addresses(host, port, resolver, deadline)
    failure: OSError = TimeoutError()
    for tried, address in enumerate(addresses):
        try:
            return socket.create_connection((address, port), deadline.left() / (len(addresses) - tried))
        except OSError as error:
            failure = error
    raise failure


def _addresses(host: str, port: int, resolver: SocketAddress | None, deadline: Deadline) -> list[str]:
    if resolver is None or _is_address(host):
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))
    asked = dns.resolver.Resolver(configure=False)
    asked.nameservers = [_numeric(resolver)]
    asked.port = resolver.port
    name = dns.name.from_text(host)
    for kind in ("A", "AAAA"):
        try:
            answer = asked.resolve(name, kind, lifetime=deadline.left())
        except dns.resolver.NoAnswer:
            continue
        return [rdata.to_text() for rdata in answer]
    raise socket.gaierror(socket.EAI_NONAME, "it has no address")


def _numeric(server: SocketAddress) -> str:
    return str(socket.getaddrinfo(server.host, server.port, type=socket.SOCK_DGRAM)[0][4][0])


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


# --- HTTP -----------------------------------------------------------------------------------------


def _context(ca_file: Path | None) -> ssl.SSLContext:
    """Trust ``ca_file`` alone, or what the system trusts.

    ``requests`` would let REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE replace a CA given in code
    (psf/requests issue 3829); ``ssl`` does not read them.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        problem = Problem(
            "check-ca-file", f"cannot use CA file {ca_file}", str(error), "It holds PEM certificates."
        )
        raise ProviderError(problem) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _secured(connection: socket.socket, host: str, context: ssl.SSLContext | None) -> socket.socket:
    if context is None:
        return connection
    return context.wrap_socket(connection, server_hostname=host, do_handshake_on_connect=False)


def _exchange(connection: socket.socket, parts: SplitResult, request: Request, deadline: Deadline) -> Seen:
    """Send the request and read the answer; ``http.client`` adds Host, with the port where it is unusual."""
    with connection, _cut_at(connection, deadline.left()):
        address = str(connection.getpeername()[0])
        connection.settimeout(deadline.left())
        if isinstance(connection, ssl.SSLSocket):
            connection.do_handshake()
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        talk = kind(parts.hostname or "", parts.port)
        talk.sock = connection
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        talk.request("GET", target, headers={"User-Agent": "drctl", "Accept": "*/*", "Connection": "close"})
        with talk.getresponse() as answer:
            body = answer.read(LIMIT)
            return Seen(
                address=address,
                latency=round(deadline.elapsed, 3),
                status=answer.status,
                location=answer.getheader("Location") or "",
                contains=None
                if request.contains is None
                else request.contains in body.decode(errors="replace"),
            )


@contextlib.contextmanager
def _cut_at(connection: socket.socket, seconds: float) -> Iterator[None]:
    """Shut the connection when time is up: a timeout of a socket begins anew with every byte it gets."""
    expired = threading.Event()

    def cut() -> None:
        expired.set()
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (*_FAILED, ValueError) as error:
        if expired.is_set():
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()
    if expired.is_set():  # an answer without a stated length ends where the connection was cut
        raise TimeoutError


def _reason(error: Exception, timeout: float) -> str:
    """Return why there is no answer, for people."""
    if isinstance(error, (TimeoutError, dns.exception.Timeout)):
        return f"no answer within {timeout:g} s"
    if isinstance(error, (dns.exception.DNSException, socket.gaierror)):
        return f"its name does not resolve: {_unresolved(error)}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason}"
    if isinstance(error, OSError):
        return (error.strerror or type(error).__name__).lower()
    return f"it broke off or did not speak the protocol ({type(error).__name__})"


def _unresolved(error: Exception) -> str:
    if isinstance(error, dns.resolver.NXDOMAIN):
        return "no such name"
    if isinstance(error, dns.resolver.NoNameservers):
        return "the resolver failed"
    if isinstance(error, socket.gaierror):
        return error.strerror or "no address"
    return type(error).__name__
