"""Whom an export policy lets in, as ONTAP decides it: the first rule that matches the client counts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TypeAlias

from drctl.providers.ontap.model import Rule

Network: TypeAlias = IPv4Network | IPv6Network

_NFS = frozenset({"any", "nfs", "nfs3", "nfs4"})
_SYS = frozenset({"any", "sys"})
"""Flavours that admit an ESXi host: it mounts with AUTH_SYS."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a client gets. ``rule`` is the index of the rule that decided, None when none matched.

    ``opaque`` are matches met before that decision which only the array can resolve (host names,
    domains, netgroups): one of them may decide otherwise.
    """

    read: bool = False
    write: bool = False
    superuser: bool = False
    rule: int | None = None
    opaque: tuple[str, ...] = ()

    @property
    def full(self) -> bool:
        """Whether a datastore can be used: read, write, and root stays root."""
        return self.read and self.write and self.superuser

    def __str__(self) -> str:
        if self.rule is None:
            words = "no rule admits it"
        elif not self.read:
            words = f"rule {self.rule} refuses it"
        elif not self.write:
            words = f"rule {self.rule} lets it read only"
        elif not self.superuser:
            words = f"rule {self.rule} makes its root nobody"
        else:
            words = f"rule {self.rule} admits it"
        return words + (f" (unless {', '.join(self.opaque)} matches it first)" if self.opaque else "")


def grant(rules: Sequence[Rule], client: str) -> Grant:
    """Return what the rules give a client, an address or a network."""
    wanted = ip_network(client, strict=False)
    opaque: list[str] = []
    for rule in sorted(rules, key=lambda each: each.index):
        if not _NFS & set(rule.protocols):
            continue
        answers = {match: covers(match, wanted) for match in rule.clients}
        if True in answers.values():
            read = bool(_SYS & set(rule.ro))
            write = read and bool(_SYS & set(rule.rw))
            return Grant(read, write, bool(_SYS & set(rule.superuser)), rule.index, tuple(opaque))
        opaque += [match for match, answer in answers.items() if answer is None]
    return Grant(opaque=tuple(opaque))


def covers(match: str, client: Network) -> bool | None:
    """Say whether one client match covers an address or network; None when only the array can tell."""
    try:
        network = ip_network(match, strict=False)
    except ValueError:
        return None
    if isinstance(network, IPv4Network):
        return isinstance(client, IPv4Network) and client.subnet_of(network)
    return isinstance(client, IPv6Network) and client.subnet_of(network)


def admitted(rules: Sequence[Rule], clients: Collection[str], *, read_only: bool = False) -> list[str]:
    """Return the clients that get what they need: everything, or only to read."""
    grants = {client: grant(rules, client) for client in clients}
    return [client for client, given in grants.items() if (given.read if read_only else given.full)]


def is_shadowed(rules: Sequence[Rule], clients: Collection[str]) -> bool:
    """Say whether a rule matches one of the clients already, so that a new one must come before it."""
    return any(grant(rules, client).rule is not None or grant(rules, client).opaque for client in clients)
