"""The shipped failover, killed at moments nobody chose, and killed again while resuming."""

from __future__ import annotations

import random
import signal
from dataclasses import dataclass
from typing import Any

import pytest
from crash_estate import ROOT, Estate, finish

from drctl.core.problem import ExitCode

SHIPPED = ROOT / "runbooks" / "pacs-site-loss.yaml"
ANSWERS = ROOT / "runbooks" / "lab-answers.yaml"
DRAW = random.Random(20260131)
"""Fixed, so that a failure can be seen again; the moments themselves follow from thread timing."""


@dataclass
class Model:
    """What an uninterrupted run makes of the estate."""

    world: Any
    effects: Any


@pytest.fixture(scope="module")
def model(crash_estate: Estate) -> Model:
    crash_estate.fresh()
    status, output = finish(crash_estate.fail_over(SHIPPED, ANSWERS))
    assert status == ExitCode.OK, output
    return Model(crash_estate.world(), crash_estate.effects())


def kill_at(estate: Estate, process: Any, changes: int) -> None:
    """Kill the child as soon as the lab has seen so many changing calls."""
    world = estate.lab.world
    assert world.wait(lambda: len(world.estate.mutations) >= changes, 60)
    process.send_signal(signal.SIGKILL)
    finish(process)


@pytest.mark.parametrize("moment", sorted(DRAW.sample(range(3, 95), 6)))
def test_killed_at_a_random_moment(crash_estate: Estate, model: Model, moment: int) -> None:
    crash_estate.fresh()
    kill_at(crash_estate, crash_estate.fail_over(SHIPPED, ANSWERS), moment)
    status, output = finish(crash_estate.resume(ANSWERS))
    assert status == ExitCode.OK, output
    assert crash_estate.world() == model.world
    assert crash_estate.effects() == model.effects


def test_killed_twice(crash_estate: Estate, model: Model) -> None:
    crash_estate.fresh()
    kill_at(crash_estate, crash_estate.fail_over(SHIPPED, ANSWERS), 25)
    kill_at(crash_estate, crash_estate.resume(ANSWERS), 60)
    status, output = finish(crash_estate.resume(ANSWERS))
    assert status == ExitCode.OK, output
    assert crash_estate.world() == model.world
    assert crash_estate.effects() == model.effects
