"""A failover and a drill that go back further than the newest copy."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from installed import ANSWERS, SHIPPED, Ran, User

from drctl.lab import apps

GO = ("--yes", "--reason", "e2e", "--answers", ANSWERS)


def points_of(user: User, volume: str) -> list[dict[str, Any]]:
    """What ``drctl recovery-points`` lists for a volume, newest first."""
    listed = user.drctl("recovery-points", SHIPPED, "--json")
    assert listed.status == 0, str(listed)
    (found,) = (one["points"] for one in listed.documents if one["volume"] == volume)
    return list(found)


def run(user: User, verb: str, *choices: str) -> Ran:
    options = [word for choice in choices for word in ("--recovery-point", choice)]
    return user.drctl(verb, SHIPPED, *GO, *options)


def served(user: User) -> dict[str, dict[str, Any]]:
    """What each volume was served from, as the journal has it."""
    ended = user.of("StepFinished").items()
    return {
        step.partition("[")[2].partition("]")[0]: e["outputs"] for step, e in ended if step.endswith(".break")
    }


def test_points_are_listed_newest_first_and_the_one_a_break_gives_is_marked(
    user: Callable[..., User],
) -> None:
    someone = user()
    points = points_of(someone, "pacs_vm")
    assert [p["created"] for p in points] == sorted((p["created"] for p in points), reverse=True)
    assert [p["exported"] for p in points] == [True] + [False] * (len(points) - 1)
    text = someone.drctl("recovery-points", SHIPPED)
    assert text.status == 0, str(text)
    assert points[1]["name"] in text.out
    assert someone.lab.status()["mutations"] == []


def test_a_service_is_served_from_before_a_time_and_a_volume_from_a_snapshot(
    user: Callable[..., User],
) -> None:
    someone = user()
    moment = points_of(someone, "pacs_vm")[2]["created"]
    wanted = points_of(someone, "portal_vm")[1]["name"]
    ran = run(someone, "failover", f"pacs={moment}", f"portal_vm={wanted}")
    assert ran.status == 0, str(ran)
    assert someone.lab.wait("settled", 60)
    world = someone.lab.world
    with world.lock:
        assert all(apps.answers(world, service, "lyon").ok for service in ("ris", "pacs", "portal"))
    found = served(someone)
    assert found["portal_vm"]["snapshot"] == wanted
    assert found["ris_vm"]["volume"] == "ris_vm_dr"
    for name in ("pacs_vm", "pacs_images"):
        assert found[name]["volume"] == f"{name}_dr_point"
        assert datetime.fromisoformat(found[name]["recovery_point"]) <= datetime.fromisoformat(moment)
    mirrors = someone.lab.status()["world"]["clusters"]["ontap-lyon"]["mirrors"]
    assert {d for d, m in mirrors.items() if m["state"] == "broken_off"} == {
        "svm_dr:ris_vm_dr",
        "svm_dr:ris_db_dr",
    }
    (stated,) = (e["data"] for e in someone.events() if e["type"] == "LossStated")
    lost = {loss["volume"]: loss["seconds"] for loss in stated["losses"]}
    assert lost["svm_dr:pacs_vm_dr"] > 3600 > lost["svm_dr:ris_vm_dr"]
    assert f"pacs={moment}" in someone.incident
    protected = someone.drctl("reprotect", "last", "--yes", "--reason", "e2e")
    assert protected.status == 3, str(protected)
    assert "is a clone of" in protected.err


def test_a_drill_on_an_older_point_leaves_nothing(user: Callable[..., User]) -> None:
    someone = user()
    wanted = points_of(someone, "portal_vm")[1]["name"]
    ran = run(someone, "drill", f"portal_vm={wanted}")
    assert ran.status == 0, str(ran)
    assert served(someone)["portal_vm"]["snapshot"] == wanted
    cleaned = someone.drctl("cleanup", "last", "--yes", "--reason", "e2e")
    assert cleaned.status == 0, str(cleaned)


def test_what_cannot_be_gone_back_to_is_refused(user: Callable[..., User]) -> None:
    someone = user()
    unknown = run(someone, "failover", "pacss=x")
    assert unknown.status == 2, str(unknown)
    assert "pacs" in unknown.err
    absent = run(someone, "failover", "pacs=no-such-snapshot")
    assert absent.status == 3, str(absent)
    assert "names no snapshot" in absent.err
    assert someone.lab.status()["mutations"] == []
