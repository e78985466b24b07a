"""The shipped runbook rehearsed in the bubble and cleaned up after, as a user does it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from installed import ANSWERS, SHIPPED, Ran, User

WAIT = 90
"""Seconds for a command of a drill: one that hangs must not hold the suite for the runbook's own 15 minutes."""


def drill(user: User) -> Ran:
    """Run a drill unattended."""
    words = ("--yes", "--reason", "e2e", "--answers", ANSWERS)
    return user.drctl("drill", SHIPPED, *words, timeout=WAIT)


def cleanup(user: User, *more: str) -> Ran:
    """Clean up after the last drill, unattended."""
    return user.drctl("cleanup", "last", "--yes", "--reason", "e2e", *more, timeout=WAIT)


def world(user: User) -> Any:
    """The estate once it has come to rest."""
    assert user.lab.wait("settled", 60)
    return user.lab.status()["world"]


def test_a_drill_and_its_cleanup_leave_the_estate_as_it_was(user: Callable[..., User]) -> None:
    someone = user()
    with someone.lab.world.lock:
        someone.lab.world.estate.vcenters["vc-lyon"].folders.remove("DRILL")
    before = world(someone)
    ran = drill(someone)
    assert ran.status == 0, str(ran)
    left_out = someone.of("StepNotExercised")
    assert {step.split("[")[0] for step in left_out} >= {"dns", "edge-site", "share"}
    assert all(data["reason"] for data in left_out.values())
    answered = {step for step, data in someone.of("StepFinished").items() if step.startswith("service[")}
    assert answered == {
        "service[ris.api]",
        "service[pacs.viewer]",
        "service[pacs.dicom]",
        "service[portal.home]",
    }
    touched = {call["target"] for call in someone.lab.status()["mutations"] if call["site"] == "paris"}
    assert touched == set(), "production is left alone"
    during = world(someone)
    assert during != before
    assert "DRILL" in during["vcenters"]["vc-lyon"]["folders"]
    assert {m: s["state"] for m, s in during["clusters"]["ontap-lyon"]["mirrors"].items()} == {
        m: s["state"] for m, s in before["clusters"]["ontap-lyon"]["mirrors"].items()
    }
    ran = cleanup(someone)
    assert ran.status == 0, str(ran)
    assert world(someone) == before
    proof = {step: data["finding"]["level"] for step, data in someone.of("Observed").items()}
    assert proof == {
        "before[ontap-lyon]": "warning",
        "before[vc-lyon]": "warning",
        "empty[ontap-lyon]": "ok",
        "empty[vc-lyon]": "ok",
    }
    assert "nothing of a drill is left" in someone.incident
    told = report_of(someone, "drill")
    assert {service["name"]: service["rpo"]["verdict"] for service in told["services"] if service["recovery_point"]} == {
        "ris": "met", "pacs": "met", "portal": "met",
    }  # fmt: skip
    assert all(service["rpo"]["actual"] > 0 for service in told["services"] if service["recovery_point"])
    untested = {step["id"] for step in told["steps"] if step["coverage"] == "none"}
    assert untested == {*left_out, "vpn"}, "a manual step is read out"
    assert {check["step"]: check["level"] for check in told["proofs"]} == {
        "bubble[ontap-lyon]": "ok", "bubble[vc-lyon]": "ok", **proof,
    }  # fmt: skip
    assert "cleanup" not in {gap["field"] for gap in told["gaps"]}
    assert report_of(someone, "cleanup")["gaps"] == []


def report_of(someone: User, mode: str) -> dict[str, Any]:
    """Return what the report of the last run of a mode says."""
    run = max(path.name for path in (someone.home / "runs").iterdir() if f"-{mode}-" in path.name)
    document: dict[str, Any] = json.loads(someone.drctl("report", run, "-f", "json").out)
    return document


def test_a_drill_left_behind_is_shown_until_a_failover_and_a_cleanup(user: Callable[..., User]) -> None:
    someone = user()
    assert drill(someone).status == 0
    assert "not cleaned up: drctl cleanup" in someone.drctl("runs").out
    assert "never cleaned up" in someone.drctl("status").out
    assert "never cleaned up" in someone.drctl("precheck", SHIPPED).err
    again = drill(someone)
    assert again.status == 3, str(again)
    assert someone.fail_over().status == 0
    ran = cleanup(someone)
    assert ran.status == 0, str(ran)
    assert "not cleaned up" not in someone.drctl("runs").out


def test_a_dry_run_says_what_is_done_instead_and_what_is_left_out(user: Callable[..., User]) -> None:
    someone = user()
    ran = someone.drctl("drill", SHIPPED, "--dry-run", timeout=WAIT)
    assert ran.status == 0, str(ran)
    assert "ontap.volume.clone in the bubble, instead of ontap.snapmirror.break" in ran.out
    assert "not exercised: " in ran.out
    assert "point of no return" not in ran.out
    assert someone.lab.status()["mutations"] == []
