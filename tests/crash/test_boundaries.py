"""Killed at every boundary, resumed: the same world as an uninterrupted run, and every effect once.

A write to the journal stands before and after each effect, so dying before, in the middle of and after
each write is dying on both sides of every effect.
"""

from __future__ import annotations

import re
import signal
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from crash_estate import ANSWERS, SMALL, Estate, finish

from drctl.core.problem import ExitCode
from drctl.engine.chain import scan


@dataclass
class Model:
    """What an uninterrupted run makes of the estate."""

    world: Any
    effects: Counter[tuple[str, str, str]]
    writes: int


@pytest.fixture(scope="module")
def model(crash_estate: Estate) -> Model:
    crash_estate.fresh()
    status, output = finish(crash_estate.fail_over(SMALL, ANSWERS))
    assert status == ExitCode.OK, output
    writes = re.search(r"^writes (\d+)$", output, re.MULTILINE)
    assert writes
    assert int(writes[1]) > 20
    return Model(crash_estate.world(), crash_estate.effects(), int(writes[1]))


def journal_is_whole(estate: Estate) -> bool:
    journals = sorted((estate.home / str(estate.count) / "runs").glob("*/journal.jsonl"))
    return len(journals) == 1 and scan(journals[0]).torn == 0


def die_and_resume(estate: Estate, model: Model, when: str, at: int) -> list[str]:
    """Return what differs from the uninterrupted run."""
    estate.fresh()
    status, output = finish(estate.fail_over(SMALL, ANSWERS, when, at))
    if status == ExitCode.OK:  # writes are grouped by chance: this run had fewer
        return []
    assert status == -signal.SIGKILL, output
    if not list((estate.home / str(estate.count) / "runs").glob("*/journal.jsonl")):
        return []
    if at == 1 and when != "after":  # the journal has no beginning: no run was made, nothing was touched
        return [] if not estate.effects() else [f"{when} {at}: touched before the journal began"]
    status, output = estate.resumed(ANSWERS)
    place = f"{when} {at}"
    wrong = [f"{place}: exit {status}: {output}"] if status != ExitCode.OK else []
    if estate.world() != model.world:
        wrong.append(f"{place}: another world")
    if estate.effects() != model.effects:
        wrong.append(
            f"{place}: effects {estate.effects() - model.effects} {model.effects - estate.effects()}"
        )
    return wrong + ([] if journal_is_whole(estate) else [f"{place}: journal not whole"])


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("when", ["before", "torn", "after"])
def test_killed_at_each_write(crash_estate: Estate, model: Model, when: str, part: int) -> None:
    stride = 4 if when == "before" else 24
    wrong: list[str] = []
    for at in range(1 + part, model.writes + 1, stride):
        wrong += die_and_resume(crash_estate, model, when, at)
    assert wrong == []
