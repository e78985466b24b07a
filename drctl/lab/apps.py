"""Whether a service works at a site, and whether its users reach it there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from drctl.lab.world import World


@dataclass(frozen=True)
class ServiceState:
    """``ok``, the reason when not, and how old the data served is."""

    ok: bool
    reason: str = ""
    data_at: datetime | None = None
    """The last write that the service's volumes at this site hold, the oldest of them."""
    degraded: bool = False


def service_state(world: World, service: str, site: str) -> ServiceState:
    """Whether a service works at a site: VMs up in the right subnet, shares, dependencies, directory."""
    raise NotImplementedError


def answers(world: World, service: str, site: str) -> ServiceState:
    """What a user who connects to the service's address at ``site`` gets; DNS must point there."""
    raise NotImplementedError


def directory_alive(world: World) -> bool:
    """Whether a directory controller answers somewhere."""
    raise NotImplementedError
