"""A failover that rolls volumes back in place: nothing goes that was not named and agreed to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from installed import ANSWERS, DRCTL, ROOT, SHIPPED, Ran, User
from terminal import Terminal

from drctl.lab.snapshots import copy_of
from drctl.lab.storage import find_path

SMALL = ROOT / "tests" / "crash" / "small.yaml"
GO = ("--yes", "--reason", "e2e", "--answers", ANSWERS)
GO_SMALL = (*GO[:-1], SMALL.parent / "answers.yaml")


def names(user: User, path: str, cluster: str = "ontap-lyon") -> list[str]:
    """The snapshots a volume holds, oldest first."""
    world = user.lab.world
    with world.lock:
        volume = find_path(world.estate.clusters[cluster], path)
        assert volume is not None
        return [snapshot.name for snapshot in volume.snapshots]


def back(user: User, runbook: Path, volume: str, *more: Any, verb: str = "failover") -> Ran:
    """Roll a volume back past its three newest snapshots."""
    point = names(user, f"svm_dr:{volume}_dr")[-4]
    return user.drctl(verb, runbook, "--restore-in-place", f"{volume}={point}", *more)


def test_nothing_starts_before_somebody_agreed_to_what_goes(user: Callable[..., User]) -> None:
    someone = user()
    held = names(someone, "svm_dr:pacs_vm_dr")
    portal = names(someone, "svm_dr:portal_vm_dr")[-3]
    dry = back(someone, SHIPPED, "pacs_vm", "--dry-run", "--recovery-point", f"portal_vm={portal}")
    assert dry.status == 0, str(dry)
    assert "deleted for ever on svm_dr:pacs_vm_dr" in dry.out
    for name in held[-3:]:
        assert any(name in line and line.endswith(" old") for line in dry.out.splitlines()), name
    assert "data lost on svm_dr:pacs_vm_dr" in dry.out
    assert f"clone svm_dr:portal_vm_dr as portal_vm_dr_point from {portal}" in dry.out
    assert dry.out.index("── point of no return") < dry.out.index("promote[pacs_vm].break")
    assert "cannot be undone: promote[pacs_vm].break" in dry.out

    alone = back(someone, SHIPPED, "pacs_vm", *GO)
    assert alone.status == 3, str(alone)
    assert "--yes does not" in alone.err
    assert all(name in alone.err for name in held[-3:])
    assert "--delete-newer" in alone.err
    for verb, status, words in (
        ("drill", 2, "a drill works on copies and deletes nothing"),
        ("failover", 2, "it cannot be both"),
    ):
        twice = ("--recovery-point", "pacs_vm=x") if verb == "failover" else ()
        refused = back(someone, SHIPPED, "pacs_vm", *twice, *GO, verb=verb)
        assert (refused.status, words in refused.err) == (status, True), refused
    assert someone.lab.status()["mutations"] == []
    assert not (someone.home / "runs").exists() or list((someone.home / "runs").iterdir()) == []


def test_a_vault_keeps_its_base_unless_it_is_given_up(user: Callable[..., User]) -> None:
    someone = user()
    world = someone.lab.world
    with world.lock:
        shared = find_path(world.estate.clusters["ontap-lyon"], "svm_dr:portal_vm_dr").snapshots[-1]
        vault = find_path(world.estate.clusters["ontap-rennes"], "svm_vault:portal_vm_vault")
        vault.snapshots.append(copy_of(shared))
    refused = back(someone, SMALL, "portal_vm", "--dry-run")
    assert refused.status == 3, str(refused)
    assert "the vault of portal_vm would have no snapshot in common" in refused.err
    assert shared.name in refused.err
    allowed = back(someone, SMALL, "portal_vm", "--dry-run", "--orphan-mirrors")
    assert allowed.status == 0, str(allowed)
    world.faults.add("refused:ontap-rennes")
    unseen = back(someone, SMALL, "portal_vm", "--dry-run")
    assert unseen.status == 3, str(unseen)
    assert "cannot be seen" in unseen.err


def test_what_is_newer_is_gone_and_the_way_home_says_so(user: Callable[..., User]) -> None:
    someone = user()
    held = names(someone, "svm_dr:portal_vm_dr")
    plan = someone.home.parent / "plan.json"
    saved = back(someone, SMALL, "portal_vm", "-o", plan, verb="plan")
    assert saved.status == 0, str(saved)
    ran = back(someone, SMALL, "portal_vm", "--plan", plan, "--delete-newer", *GO_SMALL)
    assert ran.status == 0, str(ran)
    assert names(someone, "svm_dr:portal_vm_dr") == held[:-3]
    ended = someone.of("StepFinished")["break"]["outputs"]
    assert (ended["volume"], ended["snapshot"]) == ("portal_vm_dr", held[-4])
    (stated,) = (e["data"]["losses"] for e in someone.events() if e["type"] == "LossStated")
    (lost,) = (one for one in stated if one["volume"] == "svm_dr:portal_vm_dr")
    assert lost["recovery_point"] == ended["recovery_point"].replace("+00:00", "Z")
    assert lost["seconds"] > 3 * 3600
    told = next(
        e["data"]["message"]
        for e in someone.events()
        if e["type"] == "StepProgress"
        and e["data"]["override"]
        and "delete 3 snapshots" in e["data"]["message"]
    )
    assert all(name in told for name in held[-3:])
    assert all(name in someone.incident for name in held[-3:])

    protected = someone.drctl("reprotect", "last", "--dry-run")
    assert protected.status == 0, str(protected)
    assert "svm_dr:portal_vm_dr and svm_prod:portal_vm have no snapshot in common" in protected.out

    again = someone.drctl("failover", SMALL, "--restore-in-place", f"portal_vm={held[-4]}", *GO_SMALL)
    assert again.status == 0, str(again)
    assert someone.of("StepFinished")["break"]["how"] == "unchanged"


def test_a_person_types_what_is_deleted(user: Callable[..., User]) -> None:
    someone = user()
    held = names(someone, "svm_dr:portal_vm_dr")
    words = ("failover", SMALL, "--restore-in-place", f"portal_vm={held[-4]}")
    for answer, wanted in (("y", "is not 'delete 3'"), ("delete 3", "commander")):
        with Terminal([DRCTL, *words], someone.environment) as terminal:
            terminal.wait_for("Type lyon to fail over")
            terminal.type("lyon\n")
            named = terminal.wait_for("Type 'delete 3' to delete them")
            assert all(name in named for name in held[-3:])
            terminal.type(f"{answer}\n")
            terminal.wait_for(wanted)
            assert someone.lab.status()["mutations"] == []
