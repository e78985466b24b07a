"""A planned move and what protects it afterwards, killed at their boundaries, resumed: the same estate in the end."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from typing import Any

import pytest
from crash_estate import ANSWERS, HERE, Estate, Kept, finish, uncounted

from drctl.core.problem import ExitCode

MOVED = HERE / "moved.yaml"
STRIDE = {"before": 1, "torn": 9, "after": 9}
"""Before a write and after the one before it are the same place for the world: one of them is every boundary."""


@dataclass
class Model:
    """The estate before and after an undisturbed move, its reprotect, the way back; how often each wrote."""

    before: dict[str, Kept]
    worlds: dict[str, Any]
    writes: dict[str, int]


def writes(output: str) -> int:
    found = re.search(r"^writes (\d+)$", output, re.MULTILINE)
    assert found, output
    return int(found[1])


def begin(estate: Estate, verb: str, when: str = "never", at: int = 0) -> tuple[int, str]:
    """Run one verb of the circle to its end, or to its death."""
    if verb == "reprotect":
        return finish(estate.protect(when, at))
    return finish(estate.move(verb, MOVED, ANSWERS, when, at))


CIRCLE = ("switchover", "reprotect", "failback")


@pytest.fixture(scope="module")
def model(crash_estate: Estate) -> Model:
    crash_estate.fresh()
    found = Model({}, {}, {})
    for verb in CIRCLE:
        found.before[verb] = crash_estate.keep()
        status, output = begin(crash_estate, verb)
        assert status == ExitCode.OK, output
        found.worlds[verb] = settled(crash_estate)
        found.writes[verb] = writes(output)
    assert found.worlds["switchover"] != found.worlds["reprotect"] != found.worlds["failback"]
    return found


def settled(estate: Estate) -> Any:
    """The estate at rest, without how many snapshots its transfers left and without what it owes to the hour."""
    return uncounted(estate.world())


@pytest.mark.parametrize("when", ["before", "torn", "after"])
@pytest.mark.parametrize("verb", CIRCLE)
def test_killed_anywhere_it_goes_on(crash_estate: Estate, model: Model, verb: str, when: str) -> None:
    wrong: list[str] = []  # before its second write a run does not exist: test_boundaries looks there
    for at in range(2, model.writes[verb] + 1, STRIDE[when]):
        crash_estate.back(model.before[verb])
        status, output = begin(crash_estate, verb, when, at)
        assert status in {-signal.SIGKILL, ExitCode.OK}, output
        if status != ExitCode.OK:
            status, output = crash_estate.resumed(None if verb == "reprotect" else ANSWERS)
        if status != ExitCode.OK:
            wrong.append(f"{when} {at}: exit {status}: {output}")
        elif settled(crash_estate) != model.worlds[verb]:
            wrong.append(f"{when} {at}: another world: {output}")
    assert wrong == []
