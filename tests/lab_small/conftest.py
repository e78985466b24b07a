"""A small estate on loopback: two sites, a DNS service, two machines, one application per kind."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from drctl.lab import dns, ssh
from drctl.lab.addresses import Block
from drctl.lab.model import Application, DnsService, Estate, Machine, Site, Zone
from drctl.lab.net import Net
from drctl.lab.pki import Pki
from drctl.lab.world import World

SECRET = base64.b64encode(bytes(range(32))).decode()
ZONE = "teleradio.example."


@dataclass
class SmallLab:
    """The world, its wires, and where everything listens."""

    world: World
    net: Net
    pki: Pki
    dns: DnsService
    primary: str
    secondary: str
    edge: Machine
    directory: Machine
    portal: str
    ldap: str

    dns_port: int = 10053
    ssh_port: int = 10022


def build(estate: Estate, number: int) -> SmallLab:
    world_at = f"127.{number}"
    estate.sites = {name: Site(name, name.title()) for name in ("paris", "lyon", "rennes")}
    primary, secondary = f"{world_at}.2.53", f"{world_at}.3.53:10053"
    records = {
        ("@", "NS"): (3600, ["ns1", "ns2"]),
        ("ris", "A"): (60, ["192.0.2.101"]),
        ("pool", "A"): (60, ["192.0.2.1", "192.0.2.2"]),
        ("www", "CNAME"): (300, ["ris"]),
        ("deep.below", "TXT"): (300, ['"x"']),
    }
    zone = Zone(ZONE, 7, records)
    service = DnsService(
        "dns-main",
        "lyon",
        primary,
        [secondary],
        "drctl.",
        "hmac-sha256",
        SECRET,
        zones={ZONE: zone},
        copies={secondary: {ZONE: Zone(ZONE, 7, dict(records))}},
        sites={secondary: "rennes"},
    )
    estate.dns = {"dns-main": service}
    edge = Machine(
        "edge-lyon", "lyon", "edge", f"{world_at}.2.14", {"/etc/edge/active-site": "paris\n"}, serving="paris"
    )
    directory = Machine("dc-lyon", "lyon", "directory", f"{world_at}.2.15")
    estate.machines = {"edge-lyon": edge, "dc-lyon": directory}
    estate.spns = {"cifs/nas-pacs": "CIFS-PARIS"}
    portal, ldap = f"{world_at}.2.103", f"{world_at}.2.15"
    estate.applications = {
        "directory": Application("directory", [], [], [], {"lyon": [(ldap, 10389, "tcp")]}),
        "portal": Application(
            "portal", ["directory"], [], [], {"lyon": [(portal, 10443, "http"), (portal, 11112, "tcp")]}
        ),
    }
    world = World(estate, speed=600)
    return SmallLab(
        world, None, None, service, primary, secondary.partition(":")[0], edge, directory, portal, ldap
    )


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[SmallLab]:
    block = Block()
    small = build(Estate(), block.number)
    small.pki = Pki(tmp_path)
    small.net = Net(small.world, small.pki)
    dns.serve(small.world, small.net, small.dns, small.dns_port)
    for machine in (small.edge, small.directory):
        ssh.serve(small.world, small.net, machine, small.ssh_port)
    small.net.start()
    try:
        yield small
    finally:
        small.net.stop()
        small.world.stop()
        block.release()
