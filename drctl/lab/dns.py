"""Authoritative name servers over UDP and TCP: a primary that takes signed updates, and its secondaries.

Answers are what BIND 9 gives in the same place: REFUSED for zones it has not, for updates and transfers
without the key, and for updates sent to a secondary; NOTAUTH with a TSIG error for a bad key.
"""

from __future__ import annotations

import base64
import contextlib
import struct
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.update
from dns.rcode import Rcode

from drctl.lab import names, rrsets, updates
from drctl.lab.model import DnsService, Zone
from drctl.lab.net import Connection, Net
from drctl.lab.world import World

PORT: Final = 53
_PLAIN_UDP = 512
_LARGEST = 65535
_CNAME_STEPS = 8
_FUDGE = 300

_TSIG_ERRORS: Final[Mapping[type[Exception], Rcode]] = {
    dns.message.UnknownTSIGKey: dns.rcode.BADKEY,
    dns.tsig.BadKey: dns.rcode.BADKEY,
    dns.tsig.BadAlgorithm: dns.rcode.BADKEY,
    dns.tsig.BadSignature: dns.rcode.BADSIG,
    dns.tsig.BadTime: dns.rcode.BADTIME,
}


def serve(world: World, net: Net, service: DnsService, port: int = PORT) -> None:
    """Serve every address of a DNS endpoint; one may carry a port of its own (``address:port``)."""
    for server in (service.primary, *service.secondaries):
        host, _, own = server.partition(":")
        site = service.sites.get(server, service.site)
        answerer = NameServer(world, net, service, server, site)
        net.udp(service.endpoint, site, "dns", host, int(own or port), answerer.on_datagram)
        net.tcp(service.endpoint, site, "dns", host, int(own or port), answerer.on_connection)


class NameServer:
    """One server address of a DNS endpoint."""

    def __init__(self, world: World, net: Net, service: DnsService, address: str, site: str) -> None:
        self._world = world
        self._net = net
        self._service = service
        self._address = address
        self._site = site

    # --- the wire -----------------------------------------------------------------------------

    def on_datagram(self, data: bytes, _peer: tuple[str, int]) -> bytes | None:
        """Answer one UDP message; what does not fit is truncated, so that the client asks over TCP."""
        return self._answer(data, tcp=False)

    def on_connection(self, connection: Connection, _peer: tuple[str, int]) -> None:
        """Answer messages over TCP until the client closes."""
        with connection.makefile() as stream:
            while (data := _read_message(stream)) is not None:
                answer = self._answer(data, tcp=True)
                if answer is None:
                    return
                connection.sendall(struct.pack("!H", len(answer)) + answer)

    def _answer(self, data: bytes, *, tcp: bool) -> bytes | None:
        """The answer to a message, None for silence: to what is no query, and where a reply is lost."""
        try:
            asked = dns.message.from_wire(data, keyring=False)
        except (dns.exception.DNSException, struct.error):
            return _form_error(data)
        if asked.flags & dns.flags.QR:
            return None
        try:
            asked = dns.message.from_wire(data, keyring=self._keyring())
        except tuple(_TSIG_ERRORS) as problem:
            return _deny_key(asked, problem)
        before = self._world.recorded_here()
        with self._world.lock:
            answer = self._respond(asked, tcp=tcp)
        changed = self._world.recorded_here() > before
        if changed and self._net.fault("reply-lost", self._service.endpoint, self._site):
            return None
        size = _LARGEST if tcp else max(_PLAIN_UDP, asked.payload if asked.edns >= 0 else 0)
        return answer.to_wire(max_size=size, prefer_truncation=True)

    def _keyring(self) -> dict[dns.name.Name, dns.tsig.Key]:
        service = self._service
        secret = base64.b64decode(service.tsig_secret)
        if self._world.faults.take("tsig-bad-key", service.endpoint):
            secret = bytes(byte ^ 0xFF for byte in secret)
        name = dns.name.from_text(service.tsig_name)
        return {name: dns.tsig.Key(name, secret, dns.name.from_text(service.tsig_algorithm))}

    # --- what is asked ------------------------------------------------------------------------

    def _respond(self, asked: dns.message.Message, *, tcp: bool) -> dns.message.Message:
        answer = dns.message.make_response(asked)
        if isinstance(asked, dns.update.UpdateMessage):
            answer.set_rcode(self._update(asked))
        elif asked.opcode() == dns.opcode.NOTIFY:
            answer.flags |= dns.flags.AA
        elif asked.opcode() != dns.opcode.QUERY:
            answer.set_rcode(dns.rcode.NOTIMP)
        elif len(asked.question) != 1:
            answer.set_rcode(dns.rcode.FORMERR)
        else:
            self._query(asked, answer, tcp=tcp)
        return answer

    def _zone_of(self, name: dns.name.Name) -> Zone | None:
        """The zone a name lies in, the deepest of those this server has."""
        zones = names.zones_at(self._service, self._address).values()
        inside = [zone for zone in zones if name.is_subdomain(rrsets.origin(zone))]
        return max(inside, key=lambda zone: len(rrsets.origin(zone)), default=None)

    def _query(self, asked: dns.message.Message, answer: dns.message.Message, *, tcp: bool) -> None:
        question = asked.question[0]
        zone = self._zone_of(question.name)
        if zone is None or question.rdclass != dns.rdataclass.IN:
            answer.set_rcode(dns.rcode.REFUSED)
        elif question.rdtype in (dns.rdatatype.AXFR, dns.rdatatype.IXFR):
            self._transfer(zone, asked, answer, tcp=tcp)
        else:
            answer.flags |= dns.flags.AA
            _look_up(zone, question, answer)

    def _transfer(
        self, zone: Zone, asked: dns.message.Message, answer: dns.message.Message, *, tcp: bool
    ) -> None:
        """A whole zone to whoever has the key; an incremental request gets it whole too (RFC 1995 4)."""
        apex = asked.question[0].name == rrsets.origin(zone)
        if not tcp or not asked.had_tsig or not apex:
            answer.set_rcode(dns.rcode.REFUSED if apex else dns.rcode.NOTAUTH)
            return
        answer.flags |= dns.flags.AA
        answer.answer = list(rrsets.everything(zone))
        answer.answer.append(answer.answer[0])

    # --- updates ------------------------------------------------------------------------------

    def _update(self, asked: dns.update.UpdateMessage) -> Rcode:
        """Carry out a dynamic update: recorded when it is signed, all or nothing, for the primary alone."""
        service, world = self._service, self._world
        if not asked.had_tsig or self._address != service.primary:
            return dns.rcode.REFUSED
        world.record(self._site, "dns", "UPDATE", " ".join(_targets(asked)))
        if world.faults.take("dns-refused", service.endpoint):
            return dns.rcode.REFUSED
        zone = service.zones.get(asked.zone[0].name.to_text().lower()) if asked.zone else None
        if zone is None:
            return dns.rcode.NOTAUTH
        failed = updates.check(zone, asked.prerequisite)
        if failed != dns.rcode.NOERROR:
            return failed
        code, edited = updates.apply(zone, asked.update)
        if code == dns.rcode.NOERROR and edited.records != zone.records:
            zone.records = edited.records
            names.commit(world, service, zone)
            world.touch()
        return code


def _targets(asked: dns.update.UpdateMessage) -> list[str]:
    """The names and types an update changes, each once."""
    found = (f"{change.name.to_text()}/{dns.rdatatype.to_text(change.rdtype)}" for change in asked.update)
    return list(dict.fromkeys(found))


def _look_up(zone: Zone, question: dns.rrset.RRset, answer: dns.message.Message) -> None:
    """Answer from a zone: the RRset, the aliases that lead to it, or the SOA that says there is none."""
    name = question.name
    found = list(_follow(zone, name, question.rdtype))
    answer.answer.extend(found)
    if found and found[-1].rdtype in (question.rdtype, dns.rdatatype.CNAME):
        return
    if question.rdtype == dns.rdatatype.ANY and found:
        return
    answer.authority.append(_negative(zone))
    if not rrsets.exists(zone, name):
        answer.set_rcode(dns.rcode.NXDOMAIN)


def _follow(zone: Zone, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> Iterator[dns.rrset.RRset]:
    if rdtype == dns.rdatatype.ANY:
        yield from rrsets.at(zone, name)
        return
    for _ in range(_CNAME_STEPS):
        found = rrsets.find(zone, name, rdtype)
        if found is not None:
            yield found
            return
        alias = rrsets.find(zone, name, dns.rdatatype.CNAME)
        if alias is None:
            return
        yield alias
        name = dns.name.from_text(alias[0].to_text())
        if not name.is_subdomain(rrsets.origin(zone)):
            return


def _negative(zone: Zone) -> dns.rrset.RRset:
    """The SOA with the time for which "there is none" may be believed (RFC 2308)."""
    for soa in rrsets.at(zone, rrsets.origin(zone)):
        if soa.rdtype == dns.rdatatype.SOA:
            soa.update_ttl(min(soa.ttl, zone.minimum))
            return soa
    raise LookupError(f"zone {zone.name} has no SOA")


def _deny_key(asked: dns.message.Message, problem: Exception) -> bytes:
    """NOTAUTH and an unsigned TSIG record that says why (RFC 8945 5.2)."""
    error = next(code for kind, code in _TSIG_ERRORS.items() if isinstance(problem, kind))
    answer = dns.message.make_response(asked)
    answer.set_rcode(dns.rcode.NOTAUTH)
    if asked.tsig is not None:
        why = asked.tsig[0].replace(mac=b"", error=error, other=b"", fudge=_FUDGE)
        answer.tsig = dns.rrset.from_rdata(asked.tsig.name, 0, why)
    answer.want_tsig_sign = False
    return answer.to_wire(max_size=_LARGEST)


def _form_error(data: bytes) -> bytes | None:
    """FORMERR under the id of a message that cannot be read; silence when not even that is there."""
    header = 12
    if len(data) < header:
        return None
    number, flags = struct.unpack("!HH", data[:4])
    if flags & dns.flags.QR:
        return None
    answer = dns.message.Message(id=number)
    answer.flags = dns.flags.Flag(dns.flags.QR)
    answer.set_opcode(dns.opcode.from_flags(flags))
    answer.set_rcode(dns.rcode.FORMERR)
    return answer.to_wire()


def _read_message(stream: BinaryIO) -> bytes | None:
    """One message with its length before it; None when the client has closed."""
    with contextlib.suppress(struct.error):
        (size,) = struct.unpack("!H", stream.read(2))
        data = stream.read(size)
        return data if len(data) == size else None
    return None
