"""Record data as text: parsed and written back by dnspython, so that equal records are equal strings."""

from __future__ import annotations

from collections.abc import Iterable

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype


def canonical(record_type: str, values: Iterable[str], zone: str) -> tuple[str, ...]:
    """Return the values in one spelling, without doubles, sorted.

    Values are written as in a zone file; names without a final dot are relative to ``zone``.

    Raises:
        ValueError: A value is no data of that type.
    """
    return tuple(sorted({_canonical(record_type, value, zone) for value in values}))


def _canonical(record_type: str, value: str, zone: str) -> str:
    try:
        data = dns.rdata.from_text(
            dns.rdataclass.IN,
            dns.rdatatype.from_text(record_type),
            value,
            origin=dns.name.from_text(zone),
            relativize=False,
        )
    except dns.exception.DNSException as error:
        raise ValueError(f"{value!r} is no {record_type} record: {error}") from error
    return rdata_text(data)


def rdata_text(data: dns.rdata.Rdata) -> str:
    """Return the one spelling of a record's data; names in it compare without case."""
    text = data.to_text()
    return text if data.rdtype in (dns.rdatatype.TXT, dns.rdatatype.CAA) else text.lower()
