"""A drill killed at its boundaries is cleaned up whole; a cleanup killed at its own goes on, and leaves nothing."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from typing import Any

import pytest
from crash_estate import ANSWERS, SMALL, Estate, Kept, finish

from drctl.core.problem import ExitCode

STRIDE = {"before": 1, "torn": 9, "after": 9}
"""Before a write and after the one before it are the same place for the world: one of them is every boundary."""


@dataclass
class Model:
    """An estate before any drill, and how often an undisturbed drill and cleanup write."""

    world: Any
    drilled: Kept
    drill: int
    cleanup: int


def writes(output: str) -> int:
    found = re.search(r"^writes (\d+)$", output, re.MULTILINE)
    assert found, output
    return int(found[1])


def fresh(estate: Estate) -> None:
    """Reset the estate, and let the bubble's folder be one that the drill has to make."""
    estate.fresh()
    world = estate.lab.world
    with world.lock:
        world.estate.vcenters["vc-lyon"].folders.remove("DRILL")


@pytest.fixture(scope="module")
def model(crash_estate: Estate) -> Model:
    fresh(crash_estate)
    before = crash_estate.world()
    status, drilled = finish(crash_estate.drill(SMALL, ANSWERS))
    assert status == ExitCode.OK, drilled
    assert crash_estate.world() != before
    kept = crash_estate.keep()
    status, cleaned = finish(crash_estate.clean_up())
    assert status == ExitCode.OK, cleaned
    assert crash_estate.world() == before
    return Model(before, kept, writes(drilled), writes(cleaned))


@pytest.mark.parametrize("when", ["before", "torn", "after"])
def test_a_drill_killed_anywhere_is_cleaned_up(crash_estate: Estate, model: Model, when: str) -> None:
    wrong: list[str] = []
    for at in range(2, model.drill + 1, STRIDE[when]):
        fresh(crash_estate)
        status, output = finish(crash_estate.drill(SMALL, ANSWERS, when, at))
        assert status in {-signal.SIGKILL, ExitCode.OK}, output
        status, output = finish(crash_estate.clean_up())
        if status != ExitCode.OK:
            wrong.append(f"{when} {at}: exit {status}: {output}")
        elif crash_estate.world() != model.world:
            wrong.append(f"{when} {at}: another world")
    assert wrong == []


@pytest.mark.parametrize("when", ["before", "torn", "after"])
def test_a_cleanup_killed_anywhere_goes_on(crash_estate: Estate, model: Model, when: str) -> None:
    wrong: list[str] = []
    for at in range(1, model.cleanup + 1, STRIDE[when]):
        crash_estate.back(model.drilled)
        status, output = finish(crash_estate.clean_up(when, at))
        assert status in {-signal.SIGKILL, ExitCode.OK}, output
        begun = "cleanup" in crash_estate.last_run
        status, output = crash_estate.resumed(None) if begun else finish(crash_estate.clean_up())
        if status != ExitCode.OK:
            wrong.append(f"{when} {at}: exit {status}: {output}")
        elif crash_estate.world() != model.world:
            wrong.append(f"{when} {at}: another world: {output}")
    assert wrong == []
