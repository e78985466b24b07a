"""A volume rolled back in place, killed before the journal knew: never rolled back twice."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import Any

import pytest
from crash_estate import ANSWERS, SMALL, Estate, finish
from installed import DRCTL

from drctl.core.problem import ExitCode
from drctl.lab.clones import create_snapshot
from drctl.lab.storage import find_path

PATH = "svm_dr:portal_vm_dr"


def volume(estate: Estate) -> Any:
    return find_path(estate.lab.world.estate.clusters["ontap-lyon"], PATH)


def patches(estate: Estate) -> int:
    """How often a state of the mirror was asked for: once to quiesce it, once to break it."""
    calls = estate.lab.status()["mutations"]
    return sum(call["call"] == "PATCH /snapmirror/relationships" for call in calls)


def ends(estate: Estate) -> dict[str, str]:
    journal = estate.home / str(estate.count) / "runs" / estate.last_run / "journal.jsonl"
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    return {e["data"]["step"]: e["data"]["how"] for e in events if e["type"] == "StepFinished"}


@pytest.mark.parametrize("step", ["go", "break"])
def test_what_was_rolled_back_is_not_rolled_back_again(crash_estate: Estate, step: str) -> None:
    crash_estate.fresh()
    held = [snapshot.name for snapshot in volume(crash_estate).snapshots]
    choice = f"portal_vm={held[-4]}"
    status, output = finish(crash_estate.fail_over(SMALL, ANSWERS, "end-of", step, choice))
    assert status == -signal.SIGKILL, output
    rolled_back = step == "break"
    assert patches(crash_estate) == (2 if rolled_back else 0)
    world = crash_estate.lab.world
    if rolled_back:
        with world.lock:
            create_snapshot(
                world, world.estate.clusters["ontap-lyon"], volume(crash_estate), "since", label="local"
            )
        back = subprocess.run(
            [DRCTL, "rollback", "last", "--dry-run"], env=crash_estate.environment, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert back.returncode == ExitCode.BLOCKED, back
        assert "break: error: past the point of no return" in back.stderr
        assert "break_to_snapshot has no inverse (irreversible)" in back.stderr
    status, output = finish(crash_estate.resume(ANSWERS))
    assert status == ExitCode.OK, output
    assert patches(crash_estate) == 2
    left = [snapshot.name for snapshot in volume(crash_estate).snapshots]
    assert left == [*held[:-3], *(["since"] if rolled_back else [])]
    assert ends(crash_estate)["break"] == ("adopted" if rolled_back else "applied")
