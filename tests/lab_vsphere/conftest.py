"""The shipped estate's arrays and vCenters, each vCenter behind its SOAP façade on loopback."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pyVmomi import vim
from vcenter_client import Client, Estate

from drctl.lab import vsphere
from drctl.lab.addresses import Addresses, Block
from drctl.lab.net import Net
from drctl.lab.pki import Pki
from drctl.lab.render import Rendering
from drctl.lab.seed import build_estate
from drctl.lab.seed_compute import furnish
from drctl.lab.survey import Survey
from drctl.lab.world import World

SPEED = 600.0
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def estate(pki: Pki) -> Iterator[Estate]:
    block = Block()
    source = yaml.safe_load((ROOT / "inventories" / "lab.yaml").read_text())
    rendering = Rendering(source, Addresses(block.number), pki)
    survey = Survey(rendering.inventory, rendering.secrets)
    world = World(build_estate(survey), speed=SPEED)
    furnish(world, survey)
    net = Net(world, pki)
    tls = ssl.create_default_context(cafile=str(pki.ca_file))
    clients = {}
    for name, vcenter in world.estate.vcenters.items():
        endpoint = rendering.inventory["endpoints"][name]
        vsphere.serve(world, net, name, endpoint["host"], endpoint["port"])
        clients[name] = Client(world, vcenter, endpoint["host"], endpoint["port"], tls)
    net.start()
    try:
        yield Estate(world, clients["vc-paris"], clients["vc-lyon"])
    finally:
        for client in clients.values():
            for stub in client.stubs:
                stub.DropConnections()
        net.stop()
        world.stop()
        block.release()


@pytest.fixture
def world(estate: Estate) -> World:
    return estate.world


@pytest.fixture
def paris(estate: Estate) -> Client:
    """Production: its datastores are mounted and its VMs run."""
    return estate.paris


@pytest.fixture
def lyon(estate: Estate) -> Client:
    """The standby: hosts and networks, nothing mounted."""
    return estate.lyon


@pytest.fixture
def content(paris: Client) -> vim.ServiceInstanceContent:
    """A session at production."""
    return paris.login()
