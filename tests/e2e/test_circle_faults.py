"""What can go wrong on the way there and back: each ends in a clear state, and goes on once it is mended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from installed import ROOT, Ran, User

MOVED = ROOT / "tests" / "crash" / "moved.yaml"
ANSWERS = ROOT / "tests" / "crash" / "answers.yaml"
GO = ("--yes", "--reason", "e2e")
WITH_ANSWERS = (*GO, "--answers", ANSWERS)

ANY = [
    "http-500:ontap-paris:once",
    "reply-lost:ontap-paris:once",
    "reply-lost:ontap-lyon:once",
    "session-expired:ontap-lyon:once",
    "auth-expired:ontap-paris",
    "peer-unreachable:ontap-lyon",
    "peer-unreachable:ontap-paris",
    "job-failed:ontap-paris:once",
    "job-forgotten:ontap-lyon:once",
    "junction-busy:svm_prod:pacs_images",
    "site-down:paris",
    "refused:ontap-lyon",
]


def move(user: User, verb: str) -> Ran:
    return user.drctl(verb, MOVED, *WITH_ANSWERS)


def protect(user: User) -> Ran:
    return user.drctl("reprotect", "last", *GO)


def mirrors(user: User, cluster: str) -> dict[str, Any]:
    assert user.lab.wait("settled", 60)
    found: dict[str, Any] = user.lab.status()["world"]["clusters"][cluster]["mirrors"]
    return found


def strike(user: User, fault: str) -> None:
    user.lab.world.faults.add(fault)


def mend(user: User, fault: str) -> None:
    user.lab.lift(fault)
    assert user.lab.wait("settled", 60)


def is_clear(ran: Ran) -> None:
    """Whatever happened is said: the problem, or the run's next commands; never a traceback."""
    assert ran.status in {0, 1, 2, 3, 7, 8}, ran
    assert "Traceback" not in ran.err, ran
    assert ran.status == 0 or "error: " in ran.err or "drctl " in ran.err, ran


@pytest.mark.parametrize("fault", ANY)
def test_a_switchover_goes_on_once_it_is_mended(user: Callable[..., User], fault: str) -> None:
    someone = user()
    strike(someone, fault)
    ran = move(someone, "switchover")
    is_clear(ran)
    mend(someone, fault)
    if ran.status not in {0, 2, 3}:
        ran = someone.drctl("resume", "last", *WITH_ANSWERS)
    elif ran.status:
        assert not (someone.home / "runs").exists()
        ran = move(someone, "switchover")
    assert ran.status == 0, ran
    assert mirrors(someone, "ontap-lyon")["svm_dr:pacs_images_dr"]["state"] == "broken_off"


@pytest.mark.parametrize("fault", ANY)
def test_a_reprotect_is_run_again_once_it_is_mended(user: Callable[..., User], fault: str) -> None:
    someone = user()
    assert move(someone, "switchover").status == 0
    strike(someone, fault)
    ran = protect(someone)
    is_clear(ran)
    mend(someone, fault)
    again = protect(someone)
    assert again.status == 0, (ran, again)
    found = mirrors(someone, "ontap-paris")["svm_prod:pacs_images"]
    assert (found["state"], found["source"]) == ("snapmirrored", "ontap-lyon/svm_dr:pacs_images_dr")
    assert "svm_dr:pacs_images_dr" not in mirrors(someone, "ontap-lyon")
