"""Dynamic updates of a zone as RFC 2136 has them: all prerequisites, then all changes or none."""

from __future__ import annotations

from dataclasses import replace

import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset
import dns.update
from dns.rcode import Rcode
from dns.rdataclass import ANY as CLASS_ANY
from dns.rdataclass import NONE as CLASS_NONE
from dns.rdatatype import ANY, CNAME, NS, SOA, RdataType

from drctl.lab import rrsets
from drctl.lab.model import Zone

Wanted = dict[tuple[dns.name.Name, RdataType], set[dns.rdata.Rdata]]


def check(zone: Zone, prerequisites: list[dns.rrset.RRset]) -> Rcode:
    """The first prerequisite that fails, as the code RFC 2136 3.2 gives it; NOERROR when all hold."""
    wanted: Wanted = {}
    for wish in prerequisites:
        if not wish.name.is_subdomain(rrsets.origin(zone)):
            return dns.rcode.NOTZONE
        if wish.deleting is None:
            wanted.setdefault((wish.name, wish.rdtype), set()).update(wish)
        elif (failed := _check_presence(zone, wish)) != dns.rcode.NOERROR:
            return failed
    return _check_values(zone, wanted)


def _check_presence(zone: Zone, wish: dns.rrset.RRset) -> Rcode:
    """Class ANY: must be there; class NONE: must not."""
    if wish.rdtype == ANY:
        found, codes = rrsets.is_used(zone, wish.name), (dns.rcode.NXDOMAIN, dns.rcode.YXDOMAIN)
    else:
        found = rrsets.find(zone, wish.name, wish.rdtype) is not None
        codes = (dns.rcode.NXRRSET, dns.rcode.YXRRSET)
    if wish.deleting == CLASS_ANY:
        return dns.rcode.NOERROR if found else codes[0]
    return codes[1] if found else dns.rcode.NOERROR


def _check_values(zone: Zone, wanted: Wanted) -> Rcode:
    """Value-dependent: the whole RRset must be exactly as listed; TTLs are not compared."""
    for (name, rdtype), values in wanted.items():
        found = rrsets.find(zone, name, rdtype)
        if set(found or ()) != values:
            return dns.rcode.NXRRSET
    return dns.rcode.NOERROR


def apply(zone: Zone, changes: list[dns.rrset.RRset]) -> tuple[Rcode, Zone]:
    """Carry out changes on a copy of the zone; its serial is left to whoever commits it.

    Returns:
        NOERROR and the zone as it would be, or the code that refuses all of them and the zone as it is.
    """
    if any(not change.name.is_subdomain(rrsets.origin(zone)) for change in changes):
        return dns.rcode.NOTZONE, zone
    if any(change.deleting is None and change.rdtype == ANY for change in changes):
        return dns.rcode.FORMERR, zone
    edited = replace(zone, records=dict(zone.records))
    for change in changes:
        if change.deleting == CLASS_ANY:
            _delete_rrsets(edited, change.name, change.rdtype)
        elif change.deleting == CLASS_NONE:
            _delete_values(edited, change)
        else:
            _add(edited, change)
    return dns.rcode.NOERROR, edited


def _delete_rrsets(zone: Zone, name: dns.name.Name, rdtype: RdataType) -> None:
    """Delete one RRset or, for type ANY, all of a name; a zone keeps its SOA and NS."""
    for rrset in list(rrsets.at(zone, name)):
        kept = name == rrsets.origin(zone) and rrset.rdtype in (SOA, NS)
        if not kept and rdtype in (ANY, rrset.rdtype):
            del zone.records[rrsets.key_of(zone, name, rrset.rdtype)]


def _delete_values(zone: Zone, change: dns.rrset.RRset) -> None:
    found = rrsets.find(zone, change.name, change.rdtype)
    if found is None or change.rdtype == SOA:
        return
    left = [value for value in found if value not in change]
    if left:
        _keep(zone, change.name, change.rdtype, found.ttl, left)
    elif change.name != rrsets.origin(zone) or change.rdtype != NS:
        del zone.records[rrsets.key_of(zone, change.name, change.rdtype)]


def _add(zone: Zone, change: dns.rrset.RRset) -> None:
    """Add a value; the RRset takes its TTL. A CNAME shares its name with nothing (RFC 2136 3.4.2.2)."""
    if change.rdtype == SOA:
        return
    others = {rrset.rdtype for rrset in rrsets.at(zone, change.name)} - {change.rdtype}
    if CNAME in others or (change.rdtype == CNAME and others):
        return
    found = rrsets.find(zone, change.name, change.rdtype)
    before = [] if found is None or change.rdtype == CNAME else list(found)
    values = [*before, *(value for value in change if value not in before)]
    _keep(zone, change.name, change.rdtype, change.ttl, values)


def _keep(
    zone: Zone, name: dns.name.Name, rdtype: RdataType, ttl: int, values: list[dns.rdata.Rdata]
) -> None:
    zone.records[rrsets.key_of(zone, name, rdtype)] = (ttl, [value.to_text() for value in values])
