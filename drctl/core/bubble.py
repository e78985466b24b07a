"""Where drills live: the one home of the names that copies, machines and networks have in a drill.

Everything a drill makes can be told by its name; ``contains`` is the guard by which a plan is refused
when one of its steps would touch anything else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from drctl.core.action import ObjectRef
from drctl.core.problem import DrctlError, Problem

_SUFFIXED: Final = frozenset({"vm", "nic-network", "guest-ip", "datastore"})
_MARKED: Final = frozenset({"volume", "export", "share"})
_ON_WAY_IN: Final = frozenset({"file", "command"})


@dataclass(frozen=True)
class Bubble:
    """The isolated place of one site's drills.

    ``networks`` is one isolated network for all adapters, or one per portgroup of production.
    ``via`` names the ssh endpoint that stands inside; ``addresses`` says where a service's public
    name answers there. All naming methods leave a name alone that is the bubble's already, so that
    a step may be given either the production's name or the output of an exercised step.
    """

    site: str
    networks: str | Mapping[str, str]
    folder: str
    suffix: str
    junction_prefix: str
    via: str | None = None
    addresses: Mapping[str, str] = field(default_factory=dict)
    run_id: str = ""

    @property
    def mark(self) -> str:
        """Return the suffix as array names allow it: letters, digits and underscores (``_drill``)."""
        return re.sub(r"[^A-Za-z0-9_]", "_", self.suffix)

    def vm(self, name: str) -> str:
        """Return a virtual machine's name in the bubble."""
        return _ending(name, self.suffix)

    def datastore(self, name: str) -> str:
        """Return a datastore's name in the bubble."""
        return _ending(name, self.suffix)

    def volume(self, name: str) -> str:
        """Return the name of a volume's clone."""
        return _ending(name, self.mark)

    def policy(self, name: str) -> str:
        """Return the name of the export policy of a clone."""
        return _ending(name, self.mark)

    def share(self, name: str) -> str:
        """Return a share's name in the bubble."""
        return _ending(name, self.mark)

    def junction(self, path: str) -> str:
        """Return where a clone is mounted: one level deep, for no parent of it exists in the bubble."""
        if path.startswith(self.junction_prefix):
            return path
        return self.junction_prefix + path.strip("/").replace("/", "_")

    def network(self, portgroup: str) -> str:
        """Return the isolated network that stands for a portgroup; raise ``DrctlError`` without one."""
        if isinstance(self.networks, str):
            return self.networks
        if portgroup in self.networks.values():
            return portgroup
        if portgroup not in self.networks:
            raise DrctlError(
                Problem(
                    code="bubble-network",
                    summary=f"the bubble of {self.site} has no network for {portgroup!r}",
                    hint=f"Name one under bubble.{self.site}.networks in the inventory.",
                )
            )
        return self.networks[portgroup]

    def is_isolated(self, network: str) -> bool:
        """Say whether a network is one of the bubble's own."""
        return (
            network == self.networks if isinstance(self.networks, str) else network in self.networks.values()
        )

    def address(self, host: str) -> str | None:
        """Return where a name or address of production answers inside; None when nobody said."""
        if host in self.addresses.values():
            return host
        return self.addresses.get(host) or self.addresses.get(host.rstrip("."))

    def contains(self, thing: ObjectRef, endpoint: str | None = None) -> bool:
        """Say whether an object is the bubble's: on its site, of a kind drills make, under a drill's name.

        Files and commands are inside only on the endpoint that is the way in. Mirrors, records, SVMs,
        interfaces and aliases never are.
        """
        if thing.site != self.site or not self.mark.strip("_"):
            return False
        name = thing.identity.rpartition(":")[2] if ":" in thing.identity else thing.identity
        if thing.kind in _SUFFIXED:
            return thing.identity.endswith(self.suffix)
        if thing.kind in _MARKED:
            return name.endswith(self.mark)
        if thing.kind == "junction":
            return name.startswith(self.junction_prefix)
        return thing.kind in _ON_WAY_IN and self.via is not None and endpoint == self.via


def _ending(name: str, ending: str) -> str:
    return name if name.endswith(ending) else name + ending


def folder_parts(path: str) -> tuple[str, ...]:
    """Return a folder's path and those it lies in, from the top: ``A`` and ``A/B`` of ``A/B``."""
    names = path.split("/")
    return tuple("/".join(names[: depth + 1]) for depth in range(len(names)))
