"""Where an estate lives on loopback: one free 127.x block per lab, one /24 of it per /24 of the estate."""

from __future__ import annotations

import itertools
import os
import re
import socket
from ipaddress import IPv4Address, ip_address

_ADDRESS = re.compile(r"(?<![\d.])(\d{1,3}(?:\.\d{1,3}){3})(?:/(\d{1,2}))?(?![\d.])")
_LOCK_PORT = 4999
_NAMED = 250
"""Third octet of addresses given to hosts that the inventory knows by name only."""


class NoBlock(RuntimeError):
    """Every 127.x block is taken by another lab."""


class Block:
    """One 127.x block, held until ``release``; bound to a port so that no other process takes it."""

    def __init__(self) -> None:
        start = os.getpid()
        for step in range(250):
            number = 1 + (start + step) % 250
            lock = socket.socket()
            try:
                lock.bind((f"127.{number}.255.254", _LOCK_PORT))
            except OSError:
                lock.close()
            else:
                self.number = number
                self._lock = lock
                return
        raise NoBlock("all 127.x blocks are in use by other labs")

    def release(self) -> None:
        """Give the block back."""
        self._lock.close()


class Addresses:
    """Maps the estate's addresses into a block, keeping the last octet, so that subnets stay subnets."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._thirds: dict[str, int] = {}
        self._named: dict[str, str] = {}
        self._count = itertools.count(1)

    def text(self, text: str) -> str:
        """``text`` with each IPv4 address in it mapped, and networks too: ones wider than a /24 become the block."""
        return _ADDRESS.sub(lambda match: self._mapped(match.group(1), match.group(2)), text)

    def _mapped(self, address: str, prefix: str | None) -> str:
        if prefix is None:
            return self._one(address)
        if int(prefix) < 24 and self._one(address) != address:
            return f"127.{self._number}.0.0/16"
        return f"{self._one(address)}/{prefix}"

    def _one(self, address: str) -> str:
        try:
            parsed = ip_address(address)
        except ValueError:
            return address
        if parsed.is_loopback or parsed == IPv4Address("0.0.0.0"):
            return address
        prefix, _, last = address.rpartition(".")
        third = self._thirds.setdefault(prefix, len(self._thirds) + 1)
        return f"127.{self._number}.{third}.{last}"

    def host(self, host: str) -> str:
        """The address for a host given by address or by name; the same name gets the same address."""
        mapped = self.text(host)
        if mapped != host or not re.search("[a-z]", host, re.IGNORECASE):
            return mapped
        if host not in self._named:
            self._named[host] = f"127.{self._number}.{_NAMED}.{next(self._count)}"
        return self._named[host]


def lab_port(port: int) -> int:
    """The port used for a well-known one: below 1024 only root may listen, so 10000 is added."""
    return port + 10000 if port < 1024 else port
