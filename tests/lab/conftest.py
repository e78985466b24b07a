"""The shipped estate as a world without wires; at one estate second per second only ``advance`` moves it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from estate import Scene

from drctl.lab import sites
from drctl.lab.addresses import Addresses
from drctl.lab.pki import Pki
from drctl.lab.render import Rendering
from drctl.lab.schedule import start_schedules
from drctl.lab.seed import build_estate, furnish
from drctl.lab.survey import Survey
from drctl.lab.world import World
from drctl.lab.writes import Writes


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def scene(lab_inventory, pki: Pki) -> Iterator[Scene]:
    rendering = Rendering(lab_inventory, Addresses(99), pki)
    survey = Survey(rendering.inventory, rendering.secrets)
    world = World(build_estate(survey), speed=1.0)
    Writes(world)
    sites.attach(world)
    furnish(world, survey)
    start_schedules(world)
    yield Scene(world)
    world.stop()
