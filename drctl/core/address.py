"""Socket addresses as inventories and checks write them: ``192.0.2.53``, ``192.0.2.53:5353``, ``[2001:db8::53]:53``."""

from __future__ import annotations

import re
from dataclasses import dataclass

_BRACKETED = re.compile(r"\[([^\[\]]+)\](?::(\d{1,5}))?")
_PLAIN = re.compile(r"([^:\[\]\s]+)(?::(\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class SocketAddress:
    """A host and a port; prints the way it is written."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, default_port: int) -> SocketAddress:
    """Return the address ``text`` names; raise ``ValueError`` saying what is expected."""
    if text.count(":") > 1 and "[" not in text:
        return SocketAddress(text, default_port)
    match = _BRACKETED.fullmatch(text) or _PLAIN.fullmatch(text)
    if match is None or not 0 < int(match[2] or default_port) < 65536:
        raise ValueError(f"{text!r} is no address: write 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:5353")
    return SocketAddress(match[1], int(match[2] or default_port))
