"""Does a service answer? HTTP, TCP and DNS, asked the way its users ask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from drctl.core.provider import Access, AnyAction, AnyProbe, Endpoint
from drctl.providers.check.model import Caller
from drctl.providers.check.probes import Dns, Http, Tcp


class CheckProvider:
    """Checks from where drctl runs; they belong to no endpoint."""

    name = "check"
    endpoint: type[Endpoint] | None = None
    actions: Mapping[str, type[AnyAction]] = {}
    probes: Mapping[str, type[AnyProbe]] = {probe.name: probe for probe in (Http, Tcp, Dns)}

    @contextmanager
    def connect(self, endpoint: Endpoint | None, access: Access) -> Iterator[Caller]:
        """Yield a client; each check opens and closes its own connections."""
        from drctl.providers.check.client import CheckClient  # noqa: PLC0415 - dnspython loads on connecting

        yield CheckClient()


PROVIDER = CheckProvider()
