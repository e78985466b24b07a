"""The shipped failover, from a command line to services that answer and a log that a manager can read."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from installed import ANSWERS, SHIPPED, User, shipped, write_runbook

from drctl.engine.chain import scan
from drctl.lab import apps

SERVICES = ("directory", "ris", "pacs", "portal")


def answering(user: User) -> dict[str, bool]:
    """Which services answer their users from the standby."""
    assert user.lab.wait("settled", 60)
    world = user.lab.world
    with world.lock:
        return {service: apps.answers(world, service, "lyon").ok for service in SERVICES}


def heads(user: User) -> tuple[str, str]:
    """The head hash the incident log prints, and the journal's own."""
    printed = re.search(r"Head hash: `([0-9a-f]{64})`", user.incident)
    assert printed
    return printed[1], scan(user.last / "journal.jsonl").head.digest


def test_everything_as_wished_while_production_still_answers(user: Callable[..., User]) -> None:
    someone = user()
    ran = someone.fail_over()
    assert ran.status == 0, str(ran)
    assert answering(someone) == dict.fromkeys(SERVICES, True)
    assert set(someone.of("StepFailed")) == set()
    printed, own = heads(someone)
    assert printed == own
    assert str(someone.last / "incident.md") in ran.err


def test_a_manager_can_read_the_incident_log(user: Callable[..., User]) -> None:
    someone = user()
    assert someone.fail_over("--impact-at", "2020-01-01T00:00:00Z").status == 0
    log = someone.incident
    assert "# Incident log: Loss of the production datacenter" in log
    for section in ("Data loss", "Services", "Decisions", "Open questions", "Timeline", "Steps", "Integrity"):
        assert f"## {section}\n" in log
    assert re.search(r"GO by .*answer given beforehand: Rehearsed in the lab", log)
    assert "LAB-0001" in log
    assert re.search(r"\| Storage \| `promote\[pacs_vm\]\.break` \| done \| \d\d:\d\d:\d\d \| \d", log)
    assert len(re.findall(r"\| svm_dr:\w+_dr \|.*\| \d+ min \|", log)) == 5, "the loss in minutes, per volume"


def test_production_dead_ends_with_exceptions_and_says_what_is_unproven(user: Callable[..., User]) -> None:
    someone = user("site-down:paris")
    ran = someone.fail_over()
    assert ran.status == 8, str(ran)
    assert answering(someone) == dict.fromkeys(SERVICES, True)
    unproven = {step for step, data in someone.of("StepFailed").items() if data["tolerated"]}
    assert {step.split("[")[0] for step in unproven} == {"stop-source", "unshare-source"}
    assert "unproven" in someone.incident
    assert "Override used" in someone.incident
    finished = someone.events()[-1]
    assert set(finished["data"]["unproven"]) == unproven


def test_no_connection_to_the_dead_site_but_from_steps_that_name_it(
    user: Callable[..., User], tmp_path: Path
) -> None:
    """The shipped runbook without its two steps at the source must not try to reach Paris even once."""
    runbook = shipped()
    runbook["phases"] = [phase for phase in runbook["phases"] if phase["name"] != "Fence"]
    someone = user("site-down:paris")
    ran = someone.fail_over(runbook=write_runbook(runbook, tmp_path))
    assert ran.status == 0, str(ran)
    assert someone.lab.status()["connections"].get("paris", 0) == 0
    assert answering(someone) == dict.fromkeys(SERVICES, True)


def test_steps_that_name_the_dead_site_try_once_and_share_the_time_out(user: Callable[..., User]) -> None:
    """Thirteen steps name it; each endpoint is tried a few times at most, not once per step."""
    someone = user("site-down:paris")
    assert someone.fail_over().status == 8
    assert 1 <= someone.lab.status()["connections"]["paris"] <= 6


@pytest.mark.parametrize("verb", [("failover", "--dry-run"), ("precheck",), ("plan",)])
@pytest.mark.parametrize("faults", [(), ("site-down:paris",)])
def test_looking_changes_nothing(
    user: Callable[..., User], verb: tuple[str, ...], faults: tuple[str, ...]
) -> None:
    someone = user(*faults)
    before = someone.lab.status()
    ran = someone.drctl(verb[0], SHIPPED, *verb[1:])
    assert ran.status == 0, str(ran)
    after = someone.lab.status()
    assert after["mutations"] == before["mutations"] == []
    assert after["world"] == before["world"]
    assert not (someone.home / "runs").exists()


def test_a_second_run_finds_everything_done(user: Callable[..., User]) -> None:
    someone = user()
    assert someone.fail_over().status == 0
    assert someone.lab.wait("settled", 60)
    before = someone.lab.status()
    ran = someone.fail_over()
    assert ran.status == 0, str(ran)
    kinds = {s: p["kind"] for s, p in someone.of("StepPlanned").items() if not p["precheck"]}
    hows = {step: data["how"] for step, data in someone.of("StepFinished").items() if step in kinds}
    expected = {"action": "unchanged", "probe": "observed", "gate": "answered", "manual": "answered"}
    assert hows == {step: expected[kind] for step, kind in kinds.items()}
    assert someone.lab.status()["mutations"] == before["mutations"]
    assert someone.lab.status()["world"] == before["world"]


def test_a_service_that_does_not_come_back_fails_the_run_at_its_check(
    user: Callable[..., User], tmp_path: Path
) -> None:
    text = SHIPPED.read_text().replace("until: {timeout: 15m, every: 5s}", "until: {timeout: 2s, every: 1s}")
    impatient = tmp_path / "impatient.yaml"
    impatient.write_text(text)
    someone = user("app-degraded:pacs")
    ran = someone.fail_over(runbook=impatient)
    assert ran.status == 1, str(ran)
    assert set(someone.of("StepFailed")) >= {"service[pacs.viewer]"}
    assert "paused (failed at" in someone.incident
    assert someone.lab.lift("app-degraded:pacs")
    resumed = someone.drctl("resume", "last", "--yes", "--reason", "mended", "--answers", ANSWERS)
    assert resumed.status == 0, str(resumed)


def test_register_before_mount_is_refused_at_plan_time(user: Callable[..., User], tmp_path: Path) -> None:
    runbook = shipped()
    compute = next(phase for phase in runbook["phases"] if phase["name"] == "Compute")
    compute["steps"].reverse()
    someone = user()
    ran = someone.fail_over(runbook=write_runbook(runbook, tmp_path))
    assert ran.status == 3, str(ran)
    assert "vm[ris-db01].register" in ran.err
    assert "datastore[ds_ris] brings it about, but does not run before this step" in ran.err
    assert someone.lab.status()["mutations"] == []


def test_starting_machines_before_the_break_fails_at_the_right_step(
    user: Callable[..., User], tmp_path: Path
) -> None:
    """A pre-mounted standby volume can be seen, but a machine on a read-only mirror cannot be changed."""
    runbook = shipped()
    storage = next(phase for phase in runbook["phases"] if phase["name"] == "Storage")
    chain = storage["steps"][0]["steps"]
    late = {"id": "late", "for_each": "all.volumes", "steps": [s for s in chain if s["id"] == "break"]}
    storage["steps"][0]["steps"] = [s for s in chain if s["id"] != "break"]
    for step in storage["steps"][0]["steps"]:
        step["with"]["volume"] = "{{ item.target.volume }}"
    runbook["phases"].append({"name": "Late", "steps": [late]})
    someone = user()
    ran = someone.fail_over(runbook=write_runbook(runbook, tmp_path))
    assert ran.status == 1, str(ran)
    (step, failure), *others = someone.of("StepFailed").items()
    assert (step, others) == ("vm[ris-db01].register", []), ran
    said = f"{failure['problem']['summary']} {failure['problem']['detail']} {failure['problem']['hint']}"
    assert "read-only" in said, said
