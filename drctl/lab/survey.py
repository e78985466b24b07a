"""What an inventory says, gathered per system: the facts from which the lab's estate is seeded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Node = dict[str, Any]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def seconds(duration: object) -> int | None:
    """``1h`` or a number as seconds; None for anything that is not a duration."""
    if isinstance(duration, int | float):
        return int(duration)
    parts = re.findall(r"(\d+)\s*([smhdw])", str(duration or ""))
    return sum(int(n) * _UNITS[unit] for n, unit in parts) or None


def isolated_names(bubble: Node) -> list[str]:
    """The networks of a bubble: one for everything, or one per portgroup."""
    told = bubble.get("networks")
    return [str(name) for name in told.values()] if isinstance(told, dict) else [str(told)] if told else []


@dataclass(frozen=True)
class VolumeFacts:
    """One protected volume of a service; ``at`` maps sites to places."""

    service: str
    name: str
    node: Node
    at: dict[str, Node]

    def shares(self) -> list[Node]:
        """Its CIFS shares."""
        return list(self.node.get("shares") or [])

    def aliases(self) -> list[str]:
        """The CIFS aliases that move with it."""
        return list(self.node.get("cifs_aliases") or [])


@dataclass(frozen=True)
class VmFacts:
    """One VM of a service."""

    service: str
    name: str
    node: Node
    at: dict[str, Node]

    @property
    def file(self) -> str:
        """The path of its .vmx on its datastore."""
        return str(self.node.get("vmx") or f"{self.name}/{self.name}.vmx")


class Survey:
    """Reads a rendered inventory; ``lab`` is its section for the lab, empty when absent."""

    def __init__(self, inventory: Node, secrets: dict[str, str]) -> None:
        self.inventory = inventory
        self.secrets = secrets
        self.lab: Node = inventory.get("lab") or {}
        self.sites: dict[str, Node] = inventory.get("sites") or {}
        self.endpoints: dict[str, Node] = inventory.get("endpoints") or {}
        self.services: dict[str, Node] = inventory.get("services") or {}
        self.bubbles: dict[str, Node] = inventory.get("bubble") or {}
        self.production: str = self.lab.get("production") or self._first_site()

    def _first_site(self) -> str:
        for volume in self.volumes():
            return next(iter(volume.at))
        return next(iter(self.sites))

    def of_type(self, kind: str) -> Iterator[tuple[str, Node]]:
        """Endpoints of a type."""
        return ((n, e) for n, e in self.endpoints.items() if e.get("type") == kind)

    def secret(self, node: object) -> str:
        """The value behind ``{env: NAME}``, or a literal."""
        if isinstance(node, dict) and "env" in node:
            return self.secrets.get(node["env"], "")
        return str(node or "")

    def _items(self, key: str) -> Iterator[tuple[str, Node]]:
        for service, node in self.services.items():
            for each in node.get(key) or []:
                yield service, each

    def volumes(self) -> Iterator[VolumeFacts]:
        """Every volume of every service."""
        for service, node in self._items("volumes"):
            yield VolumeFacts(service, node["name"], node, node.get("at") or {})

    def vms(self) -> Iterator[VmFacts]:
        """Every VM of every service."""
        for service, node in self._items("vms"):
            yield VmFacts(service, node["name"], node, node.get("at") or {})

    def datastores(self) -> Iterator[tuple[str, Node]]:
        """Every datastore with its service."""
        return self._items("datastores")

    def records(self) -> Iterator[tuple[str, Node]]:
        """Every DNS record with its service."""
        return self._items("records")

    def volume(self, name: str) -> VolumeFacts | None:
        """The volume of that name."""
        return next((v for v in self.volumes() if v.name == name), None)

    def datastore(self, name: str) -> Node | None:
        """The datastore of that name."""
        return next((d for _, d in self.datastores() if d["name"] == name), None)

    def path(self, datastore: Node, site: str) -> str:
        """The NFS path of a datastore at a site: its own, or its volume's junction."""
        own = datastore.get("at", {}).get(site, {}).get("path")
        volume = self.volume(datastore.get("volume", ""))
        return str(
            own or (volume.at.get(site, {}).get("junction") if volume else None) or f"/{datastore['name']}"
        )

    def site_of(self, address: str) -> str:
        """The site an address belongs to: an endpoint has it, else most endpoints share its /24."""
        prefix = address.rpartition(".")[0]
        votes: dict[str, int] = {}
        for endpoint in self.endpoints.values():
            host = str(endpoint.get("host") or endpoint.get("server") or "")
            if host == address:
                return str(endpoint["site"])
            if host.rpartition(".")[0] == prefix:
                votes[endpoint["site"]] = votes.get(endpoint["site"], 0) + 1
        return max(votes, key=lambda site: votes[site]) if votes else self.production

    def clients(self, site: str) -> list[str]:
        """Addresses that exports at a site admit, in order of appearance."""
        found: dict[str, None] = {}
        for volume in self.volumes():
            found |= dict.fromkeys(volume.at.get(site, {}).get("clients") or [])
        return list(found)
