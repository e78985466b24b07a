"""DNS records by dynamic update (RFC 2136) signed with TSIG (RFC 8945)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from drctl.core.provider import Access, AnyAction, AnyProbe, Endpoint
from drctl.providers.dns.actions import SetRecord
from drctl.providers.dns.model import DnsEndpoint, NameServers
from drctl.providers.dns.probes import Access as DnsAccess
from drctl.providers.dns.probes import RecordAsExpected


class DnsProvider:
    """Name servers that accept dynamic updates."""

    name = "dns"
    endpoint: type[Endpoint] | None = DnsEndpoint
    actions: Mapping[str, type[AnyAction]] = {SetRecord.name: SetRecord}
    probes: Mapping[str, type[AnyProbe]] = {probe.name: probe for probe in (DnsAccess, RecordAsExpected)}

    @contextmanager
    def connect(self, endpoint: Endpoint | None, access: Access) -> Iterator[NameServers]:
        """Yield a client; each call opens and closes its own socket."""
        from drctl.providers.dns.client import DnsClient  # noqa: PLC0415 - dnspython loads on connecting

        if not isinstance(endpoint, DnsEndpoint):
            raise TypeError(f"dns connects to a DnsEndpoint, not {endpoint!r}")
        yield DnsClient(endpoint, access)


PROVIDER = DnsProvider()
