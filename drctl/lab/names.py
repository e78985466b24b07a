"""DNS zones: the primary's truth, the secondaries' copies and how they follow."""

from __future__ import annotations

from copy import deepcopy

from drctl.lab.model import DnsService, Zone
from drctl.lab.world import World

TRANSFER_TIME = 3.0
"""Estate seconds until a notified secondary has transferred a changed zone."""

_RETRY = 30.0
"""Estate seconds until a secondary that could not transfer tries again."""


def zones_at(service: DnsService, address: str) -> dict[str, Zone]:
    """The zones as the server at ``address`` has them (zone names absolute, lower case)."""
    return service.zones if address == service.primary else service.copies.get(address, {})


def commit(world: World, service: DnsService, zone: Zone) -> None:
    """After a change of the primary's zone: new serial, and the secondaries follow in their time."""
    with world.lock:
        zone.serial += 1
        for address in service.secondaries:
            _follow(world, service, address, TRANSFER_TIME)
        world.touch()


def _follow(world: World, service: DnsService, address: str, seconds: float) -> None:
    def attempt() -> None:
        if not transfer(world, service, address) and behind(service, address):
            _follow(world, service, address, _RETRY)

    world.after(seconds, attempt)


def behind(service: DnsService, address: str) -> bool:
    """Whether a secondary's copy is older than the primary's zones."""
    copies = service.copies.get(address, {})
    return any(
        name not in copies or copies[name].serial < zone.serial for name, zone in service.zones.items()
    )


def transfer(world: World, service: DnsService, address: str) -> bool:
    """Let one secondary fetch all zones now; False when it cannot reach the primary or is held back."""
    with world.lock:
        site = service.sites.get(address, service.site)
        held = world.faults.active("dns-stale-secondary", address) or world.faults.active(
            "dns-stale-secondary", address.partition(":")[0]
        )
        if held or not world.linked(site, service.site):
            return False
        service.copies[address] = deepcopy(service.zones)
        world.touch()
        return True


def lookup(world: World, name: str, rdtype: str = "A") -> list[str]:
    """Values of ``name`` (absolute or not) at the primary of whichever service has its zone."""
    wanted = name.lower().rstrip(".") + "."
    with world.lock:
        for service in world.estate.dns.values():
            for zone in service.zones.values():
                origin = zone.name.lower()
                if wanted == origin or wanted.endswith("." + origin):
                    owner = wanted[: -len(origin)].rstrip(".") or "@"
                    found = zone.records.get((owner, rdtype))
                    return list(found[1]) if found else []
    return []
