"""A zone of the lab as RRsets: the records it keeps as text, and the SOA and NS it does not keep."""

from __future__ import annotations

from collections.abc import Iterator

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.rdataclass import IN
from dns.rdatatype import NS, SOA, RdataType

from drctl.lab.model import Zone

_APEX_TTL = 3600


def origin(zone: Zone) -> dns.name.Name:
    """The zone's own name."""
    return dns.name.from_text(zone.name)


def key_of(zone: Zone, name: dns.name.Name, rdtype: RdataType) -> tuple[str, str]:
    """Where a zone keeps the values of a name and type."""
    return name.relativize(origin(zone)).to_text().lower(), dns.rdatatype.to_text(rdtype)


def parse(zone: Zone, rdtype: RdataType, text: str) -> dns.rdata.Rdata:
    """A value kept as text; names in it are relative to the zone unless they end in a dot."""
    return dns.rdata.from_text(IN, rdtype, text, origin=origin(zone), relativize=False)


def find(zone: Zone, name: dns.name.Name, rdtype: RdataType) -> dns.rrset.RRset | None:
    """The RRset of a name and type, None when there is none."""
    kept = zone.records.get(key_of(zone, name, rdtype))
    if kept is not None:
        return dns.rrset.from_rdata_list(name, kept[0], [parse(zone, rdtype, value) for value in kept[1]])
    if name == origin(zone) and rdtype in (SOA, NS):
        return _apex(zone, rdtype)
    return None


def _apex(zone: Zone, rdtype: RdataType) -> dns.rrset.RRset:
    """The SOA, and an NS, of a zone whose records name none."""
    top = origin(zone).to_text()
    if rdtype == NS:
        return dns.rrset.from_text(top, _APEX_TTL, IN, NS, f"ns1.{top}")
    timers = f"{zone.serial} 3600 600 604800 {zone.minimum}"
    return dns.rrset.from_text(top, _APEX_TTL, IN, SOA, f"ns1.{top} hostmaster.{top} {timers}")


def at(zone: Zone, name: dns.name.Name) -> Iterator[dns.rrset.RRset]:
    """Every RRset of a name."""
    owner = name.relativize(origin(zone)).to_text().lower()
    types = {dns.rdatatype.from_text(kept) for own, kept in zone.records if own == owner}
    if name == origin(zone):
        types |= {SOA, NS}
    for rdtype in sorted(types):
        rrset = find(zone, name, rdtype)
        if rrset is not None:
            yield rrset


def is_used(zone: Zone, name: dns.name.Name) -> bool:
    """Whether a name has records."""
    return next(at(zone, name), None) is not None


def exists(zone: Zone, name: dns.name.Name) -> bool:
    """Whether a name has records, or names below it have: the others are NXDOMAIN."""
    below = "." + name.relativize(origin(zone)).to_text().lower()
    return is_used(zone, name) or any(own.endswith(below) for own, _ in zone.records)


def everything(zone: Zone) -> Iterator[dns.rrset.RRset]:
    """The zone as a transfer sends it, without the SOA that ends it."""
    names = {dns.name.from_text(own, origin(zone)) for own, _ in zone.records} - {origin(zone)}
    soa = _apex(zone, SOA)
    yield find(zone, origin(zone), SOA) or soa
    yield from (rrset for rrset in at(zone, origin(zone)) if rrset.rdtype != SOA)
    for name in sorted(names):
        yield from at(zone, name)
