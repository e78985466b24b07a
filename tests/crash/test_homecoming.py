"""A failback that is interrupted, anywhere, ends all the same with the reprotect it promises."""

from __future__ import annotations

import signal
import subprocess
from typing import Any

import pytest
from crash_estate import ANSWERS, HERE, Estate, finish
from installed import DRCTL

from drctl.core.problem import ExitCode
from drctl.core.run import Run
from drctl.engine.chain import scan

MOVED = HERE / "moved.yaml"


@pytest.fixture
def away(crash_estate: Estate) -> Estate:
    """The estate after a switchover and its reprotect: everything is at the standby, and protected."""
    crash_estate.fresh()
    for begin in (lambda: crash_estate.move("switchover", MOVED, ANSWERS), crash_estate.protect):
        status, output = finish(begin())
        assert status == ExitCode.OK, output
    return crash_estate


def drctl(estate: Estate, *words: Any) -> subprocess.Popen[str]:
    """Start the installed drctl without a terminal."""
    return subprocess.Popen(
        [DRCTL, *map(str, words)], env=estate.environment, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for it; return its exit status and what it printed."""
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def runs(estate: Estate) -> list[Run]:
    folders = (estate.home / str(estate.count) / "runs").iterdir()
    return [Run.of(scan(folder / "journal.jsonl").records) for folder in sorted(folders)]


def is_home(estate: Estate) -> None:
    """The original direction stands, and the last run is the failback's own reprotect."""
    clusters = estate.world()["clusters"]
    mirrors = {name: clusters[name]["mirrors"] for name in ("ontap-paris", "ontap-lyon")}
    assert mirrors["ontap-paris"] == {}
    state = mirrors["ontap-lyon"]["svm_dr:pacs_images_dr"]
    assert (state["source"], state["state"]) == ("ontap-paris/svm_prod:pacs_images", "snapmirrored")
    *_, failback, turned = runs(estate)
    assert failback.started is not None
    assert turned.started is not None
    assert (failback.started.mode, turned.started.mode) == ("failback", "reprotect")
    assert turned.started.parent == failback.started.run
    assert turned.finished is not None
    assert turned.finished.outcome == "completed"


def test_killed_on_its_way_it_goes_on_into_its_reprotect(away: Estate) -> None:
    world = away.lab.world
    changes = len(world.estate.mutations)
    words = ("--yes", "--reason", "CHG-13", "--answers", ANSWERS)
    begun = drctl(away, "failback", MOVED, *words)
    assert world.wait(lambda: len(world.estate.mutations) >= changes + 3, 60)
    begun.send_signal(signal.SIGKILL)
    begun.communicate(timeout=60)
    status, output = ended(drctl(away, "resume", "last", "--answers", ANSWERS))
    assert status == ExitCode.OK, output
    assert "the mirror svm_prod:pacs_images → svm_dr:pacs_images_dr is healthy" in output
    is_home(away)
    approved = runs(away)[-1].approved
    assert approved is not None
    assert (approved.how, approved.reason) == ("yes", "CHG-13"), (
        "the word given at the start holds to the end"
    )


def test_killed_between_the_two_the_reprotect_is_made_up_for_once(away: Estate) -> None:
    status, output = finish(away.move("failback", MOVED, ANSWERS))
    assert status == ExitCode.OK, output
    assert [run.started.mode for run in runs(away) if run.started] == ["switchover", "reprotect", "failback"]
    failback = away.last_run
    status, output = ended(drctl(away, "resume", "last"))
    assert status == ExitCode.OK, output
    is_home(away)
    status, output = ended(drctl(away, "resume", failback))
    assert status == ExitCode.USAGE, output
    assert "has ended" in output
