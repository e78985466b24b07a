"""DNS zones: the primary's truth, the secondaries' copies and how they follow."""

from __future__ import annotations

from drctl.lab.model import DnsService, Zone
from drctl.lab.world import World

TRANSFER_TIME = 3.0
"""Estate seconds until a notified secondary has transferred a changed zone."""


def zones_at(service: DnsService, address: str) -> dict[str, Zone]:
    """The zones as the server at ``address`` has them (zone names absolute, lower case)."""
    return service.zones if address == service.primary else service.copies.get(address, {})


def commit(world: World, service: DnsService, zone: Zone) -> None:
    """After a change of the primary's zone: new serial, and the secondaries follow in their time."""
    raise NotImplementedError


def transfer(world: World, service: DnsService, address: str) -> None:
    """Let one secondary fetch all zones now, if it reaches the primary and is not held back."""
    raise NotImplementedError


def lookup(world: World, name: str, rdtype: str = "A") -> list[str]:
    """Values of ``name`` (absolute or not) at the primary of whichever service has its zone."""
    raise NotImplementedError
