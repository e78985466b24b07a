"""The whole circle on the lab: rehearsed, moved, protected, home again, with writes going on all the time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from installed import ANSWERS, SHIPPED, Ran, User

from drctl.lab import apps
from drctl.lab.storage import live_volumes, path_of
from drctl.lab.writes import writers

SERVICES = ("ris", "pacs", "portal")
VOLUMES = ("ris_vm", "ris_db", "pacs_vm", "pacs_images", "portal_vm")
COPY = {"paris": "svm_prod:{}", "lyon": "svm_dr:{}_dr"}
GO = ("--yes", "--reason", "e2e")
MARGIN = timedelta(seconds=2)


@dataclass
class Witness:
    """Sees the lab's world from inside: what is where, who writes, what got lost."""

    user: User

    def world(self) -> dict[str, Any]:
        assert self.user.lab.wait("settled", 90)
        shown: dict[str, Any] = self.user.lab.status()["world"]
        return shown

    def answering(self, site: str) -> bool:
        assert self.user.lab.wait("settled", 90)
        world = self.user.lab.world
        with world.lock:
            return all(apps.answers(world, service, site).ok for service in SERVICES)

    def written(self) -> set[str]:
        """The clusters on which somebody writes to more than a drill's copy now."""
        world = self.user.lab.world
        with world.lock:
            return {volume.cluster for volume, _ in writers(world) if volume.clone_parent is None}

    def is_authoritative(self, site: str) -> None:
        """All answer from this site, and nobody writes anywhere else."""
        assert self.answering(site)
        assert self.written() == {f"ontap-{site}"}

    def mirrors(self) -> dict[str, tuple[str, str]]:
        """Each mirror between the two sites: destination to (source, state)."""
        clusters = self.user.lab.status()["world"]["clusters"]
        found = {**clusters["ontap-paris"]["mirrors"], **clusters["ontap-lyon"]["mirrors"]}
        return {
            destination: (mirror["source"].partition("/")[2], mirror["state"])
            for destination, mirror in found.items()
        }

    def protects(self, source: str, target: str) -> None:
        """Every volume is mirrored from source to target, healthy, hourly, and no other way."""
        assert self.mirrors() == {
            COPY[target].format(name): (COPY[source].format(name), "snapmirrored") for name in VOLUMES
        }
        world = self.user.lab.world
        with world.lock:
            for cluster in world.estate.clusters.values():
                for mirror in cluster.mirrors.values():
                    assert mirror.healthy, mirror
                    assert mirror.schedule, mirror

    def last_writes(self, site: str) -> dict[tuple[str, str], datetime]:
        """The last write of each service that each volume of a site holds."""
        world = self.user.lab.world
        with world.lock:
            world.writes.settle()
            volumes = [v for c in world.estate.clusters.values() if c.site == site for v in live_volumes(c)]
            return {
                (volume.origin, service): stand
                for volume in volumes
                if volume.origin
                for service, stand in volume.data_at.items()
            }

    def arrived(self, site: str) -> dict[tuple[str, str], datetime]:
        """The last write that came over with the snapshot each volume of a site was promoted at."""
        broken = self.user.of("StepFinished")
        world = self.user.lab.world
        found: dict[tuple[str, str], datetime] = {}
        with world.lock:
            volumes = {path_of(v): v for c in world.estate.clusters.values() for v in live_volumes(c)}
            for name in VOLUMES:
                point = datetime.fromisoformat(broken[f"promote[{name}].break"]["outputs"]["recovery_point"])
                volume = volumes[COPY[site].format(name)]
                snapshot = next(s for s in volume.snapshots if abs(s.created - point) < MARGIN)
                found |= {(name, service): stand for service, stand in snapshot.data_at.items()}
        return found

    def lost_nothing(self, source: str, target: str) -> None:
        """What was written last at the source is what the target was promoted with."""
        left, came = self.last_writes(source), self.arrived(target)
        assert set(came) == set(left)
        assert {key: left[key] - came[key] for key in left if left[key] - came[key] > timedelta(0)} == {}


@pytest.fixture
def witness(user: Callable[..., User]) -> Callable[..., Witness]:
    def start(*faults: str) -> Witness:
        return Witness(user(*faults))

    return start


def move(user: User, verb: str) -> Ran:
    return user.drctl(verb, SHIPPED, *GO, "--answers", ANSWERS)


def test_rehearsed_moved_protected_and_home_again(witness: Callable[..., Witness]) -> None:
    seen = witness()
    user = seen.user
    before = seen.world()

    drilled = user.drctl("drill", SHIPPED, *GO, "--answers", ANSWERS)
    assert drilled.status == 0, str(drilled)
    seen.is_authoritative("paris")
    cleaned = user.drctl("cleanup", "last", *GO)
    assert cleaned.status == 0, str(cleaned)
    assert without_time(seen.world()) == without_time(before)

    moved = move(user, "switchover")
    assert moved.status == 0, str(moved)
    seen.is_authoritative("lyon")
    seen.lost_nothing("paris", "lyon")
    assert user.of("LossStated") == {}

    protected = user.drctl("reprotect", "last", *GO)
    assert protected.status == 0, str(protected)
    seen.is_authoritative("lyon")
    seen.protects("lyon", "paris")

    home = move(user, "failback")
    assert home.status == 0, str(home)
    seen.is_authoritative("paris")
    seen.protects("paris", "lyon")
    for name in VOLUMES:
        assert f"the mirror svm_prod:{name} → svm_dr:{name}_dr is healthy" in home.err
    assert leftovers(seen.world()) == leftovers(before)


def test_lost_taken_over_returned_and_home_again(witness: Callable[..., Witness]) -> None:
    seen = witness()
    user = seen.user
    before = seen.world()
    user.lab.world.faults.add("site-down:paris")

    taken = user.fail_over()
    assert taken.status == 8, str(taken)
    seen.is_authoritative("lyon")
    announced = stated_loss(user)
    left, came = seen.last_writes("paris"), seen.arrived("lyon")
    assert {key for key in left if left[key] - came[key] > announced[key[0]] + MARGIN} == set()

    early = user.drctl("reprotect", "last", *GO)
    assert early.status == 8, str(early)
    assert "vault stopped" in early.err
    assert set(seen.mirrors()) == {COPY["lyon"].format(name) for name in VOLUMES}

    user.lab.world.faults.add("site-returns-with-autostart:paris")
    assert seen.answering("lyon")
    refused = user.drctl("reprotect", user_run(user, "failover"), *GO)
    assert refused.status == 3, str(refused)
    assert "nowhere else" in refused.err
    accepted = user.drctl("reprotect", user_run(user, "failover"), *GO, "--acknowledge-loss")
    assert accepted.status == 0, str(accepted)
    seen.is_authoritative("lyon")
    seen.protects("lyon", "paris")

    home = move(user, "failback")
    assert home.status == 0, str(home)
    seen.is_authoritative("paris")
    seen.protects("paris", "lyon")
    assert leftovers(seen.world()) == leftovers(before)


def test_a_last_transfer_that_cannot_be_proven_stops_before_any_break(
    witness: Callable[..., Witness],
) -> None:
    seen = witness()
    user = seen.user
    user.lab.world.faults.add("peer-unreachable:ontap-lyon")
    ran = move(user, "switchover")
    assert ran.status in {1, 3}, ran
    assert all(state == "snapmirrored" for _, state in seen.mirrors().values())
    assert user.lab.lift("peer-unreachable:ontap-lyon")
    again = (
        user.drctl("resume", "last", *GO, "--answers", ANSWERS)
        if ran.status == 1
        else move(user, "switchover")
    )
    assert again.status == 0, str(again)
    seen.is_authoritative("lyon")


def test_a_move_that_stopped_before_the_break_is_rolled_back(witness: Callable[..., Witness]) -> None:
    seen = witness()
    user = seen.user
    before = seen.world()
    user.lab.world.faults.add("peer-unreachable:ontap-lyon")
    ran = move(user, "switchover")
    assert ran.status == 1, str(ran)
    assert user.lab.lift("peer-unreachable:ontap-lyon")
    back = user.drctl("rollback", "last", *GO)
    assert back.status == 0, str(back)
    seen.is_authoritative("paris")
    assert all(state == "snapmirrored" for _, state in seen.mirrors().values())
    assert leftovers(seen.world()) == leftovers(before)


def test_a_dead_source_is_no_planned_move(witness: Callable[..., Witness]) -> None:
    seen = witness("site-down:paris")
    ran = move(seen.user, "switchover")
    assert ran.status == 3, str(ran)
    assert seen.user.lab.status()["mutations"] == []


def stated_loss(user: User) -> dict[str, timedelta]:
    """What the last run announced, per volume of the inventory."""
    (stated,) = (e["data"] for e in user.events() if e["type"] == "LossStated")
    return {
        loss["volume"].partition(":")[2].removesuffix("_dr"): timedelta(seconds=loss["seconds"])
        for loss in stated["losses"]
    }


def user_run(user: User, mode: str) -> str:
    """The id of the last run of a mode."""
    return max(path.name for path in (user.home / "runs").iterdir() if f"-{mode}-" in path.name)


def without_time(world: dict[str, Any]) -> dict[str, Any]:
    """A world without the number of snapshots that schedules make as time goes by."""
    clusters = {
        name: {**cluster, "volumes": {p: {**v, "snapshots": None} for p, v in cluster["volumes"].items()}}
        for name, cluster in world["clusters"].items()
    }
    return {**world, "clusters": clusters}


def leftovers(world: dict[str, Any]) -> dict[str, Any]:
    """What a circle could leave behind: volumes and their junctions, datastores, machines, names."""
    return {
        "volumes": {
            name: {path: (v["type"], v["junction"], v["clone_of"]) for path, v in cluster["volumes"].items()}
            for name, cluster in world["clusters"].items()
        },
        "queues": {name: cluster["recovery_queue"] for name, cluster in world["clusters"].items()},
        "aliases": {
            name: {svm: one["aliases"] for svm, one in cluster["svms"].items()}
            for name, cluster in world["clusters"].items()
        },
        "datastores": {name: sorted(v["datastores"]) for name, v in world["vcenters"].items()},
        "vms": {
            name: {vm: one["power"] for vm, one in v["vms"].items()} for name, v in world["vcenters"].items()
        },
        "dns": world["dns"],
    }
