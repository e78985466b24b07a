"""A rollback killed anywhere goes on: what a stopped move had sealed is open again, each effect once."""

from __future__ import annotations

import re
import signal
import subprocess
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from crash_estate import ANSWERS, HERE, Estate, Kept, finish, uncounted
from installed import DRCTL

from drctl.core.problem import ExitCode

STRIDE = {"before": 1, "torn": 9, "after": 9}


@dataclass
class Model:
    """The estate with a move stopped before its break, and after that was rolled back undisturbed."""

    stopped: Kept
    world: Any
    effects: Counter[tuple[str, str, str]]
    writes: int


@pytest.fixture(scope="module")
def model(crash_estate: Estate) -> Model:
    crash_estate.fresh()
    before = uncounted(crash_estate.world())
    died = finish(
        crash_estate.move("switchover", HERE / "moved.yaml", ANSWERS, "end-of", "seal[pacs_images].transfer")
    )
    assert died[0] == -signal.SIGKILL, died
    given_up = subprocess.run(
        [DRCTL, "abort", "last", "--reason", "The carrier called it off"],
        env=crash_estate.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert given_up.returncode == 0, given_up
    stopped = crash_estate.keep()
    assert uncounted(crash_estate.world()) != before
    done = len(crash_estate.lab.status()["mutations"])
    status, output = finish(crash_estate.roll_back())
    assert status == ExitCode.OK, output
    assert uncounted(crash_estate.world()) == before
    assert len(crash_estate.lab.status()["mutations"]) > done
    writes = re.search(r"^writes (\d+)$", output, re.MULTILINE)
    assert writes
    return Model(stopped, before, crash_estate.effects(), int(writes[1]))


@pytest.mark.parametrize("when", ["before", "torn", "after"])
def test_killed_anywhere_it_goes_on(crash_estate: Estate, model: Model, when: str) -> None:
    wrong: list[str] = []
    for at in range(2, model.writes + 1, STRIDE[when]):
        crash_estate.back(model.stopped)
        status, output = finish(crash_estate.roll_back(when, at))
        assert status in {-signal.SIGKILL, ExitCode.OK}, output
        if status != ExitCode.OK:
            status, output = crash_estate.resumed(None)
        if status != ExitCode.OK:
            wrong.append(f"{when} {at}: exit {status}: {output}")
        elif uncounted(crash_estate.world()) != model.world:
            wrong.append(f"{when} {at}: another world: {output}")
        elif crash_estate.effects() != model.effects:
            wrong.append(f"{when} {at}: {crash_estate.effects() - model.effects}")
    assert wrong == []
