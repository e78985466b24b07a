"""SnapMirror's states and what refuses to change them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from estate import mirrors, storage

from drctl.lab.faults import UnknownFault
from drctl.lab.storage import Refusal


def test_seeded_relationships_have_a_past(scene):
    mirror = scene.mirror()
    last = mirrors.last_transfer(mirror)
    assert (mirror.state, mirror.healthy, last.state) == ("snapmirrored", True, "success")
    assert 20 * 60 <= (scene.world.now() - last.ended).total_seconds() < 21 * 60
    assert 24 * 60 <= mirrors.lag(scene.world, mirror) < 25 * 60
    target = scene.volume("svm_dr:ris_vm_dr")
    assert [s.name.partition(".")[0] for s in target.snapshots] == ["hourly"] * 6 + ["snapmirror"]
    assert storage.find_snapshot(scene.volume("svm_prod:ris_vm", "ontap-paris"), mirror.exported).owners


def test_vault_is_mirrored_daily(scene):
    vault = scene.world.estate.clusters["ontap-rennes"]
    assert {m.schedule for m in vault.mirrors.values()} == {86400}
    assert len(vault.mirrors) == 5


def test_quiesce_pauses_and_resume_goes_on(scene):
    scene.ok(scene.state("ris_vm", "paused"))
    assert scene.mirror().state == "paused"
    scene.ok(scene.state("ris_vm", "snapmirrored"))
    assert scene.mirror().state == "snapmirrored"


def test_quiesce_waits_for_the_transfer_in_flight(scene):
    transfer = mirrors.start_transfer(scene.world, scene.lyon, scene.mirror())
    scene.world.advance(150)
    job = scene.state("ris_vm", "paused")
    scene.world.advance(50)
    assert (job.state, scene.mirror().state) == ("running", "snapmirrored")
    scene.ok(job)
    assert (transfer.state, scene.mirror().state) == ("success", "paused")


def test_quiesce_gives_up_on_a_transfer_whose_source_died(scene):
    transfer = mirrors.start_transfer(scene.world, scene.lyon, scene.mirror())
    scene.lose()
    scene.fails(scene.state("ris_vm", "paused"), 13303823, "Another transfer is in progress")
    assert transfer.state == "transferring"
    mirrors.abort(scene.world, scene.lyon, scene.mirror(), transfer)
    scene.world.advance(3)
    assert (transfer.state, scene.mirror().state) == ("aborted", "paused")


def test_quiesce_stuck_never_pauses(scene):
    scene.world.faults.add("quiesce-stuck:svm_dr:ris_vm_dr")
    scene.fails(scene.state("ris_vm", "paused"), 13303823)
    assert scene.mirror().state == "snapmirrored"
    scene.world.faults.lift("quiesce-stuck")
    scene.ok(scene.state("ris_vm", "paused"))


def test_break_makes_writable_and_nothing_more(scene):
    scene.ok(scene.state("ris_vm", "broken_off"))
    volume = scene.volume("svm_dr:ris_vm_dr")
    assert (scene.mirror().state, volume.type, volume.junction, volume.export_policy) == (
        "broken_off",
        "rw",
        None,
        "default",
    )


def test_break_again_changes_nothing(scene):
    scene.break_off("ris_vm")
    scene.ok(scene.state("ris_vm", "broken_off"))


def test_break_is_refused_while_a_transfer_runs(scene):
    transfer = mirrors.start_transfer(scene.world, scene.lyon, scene.mirror())
    for force in (False, True):
        scene.fails(
            scene.state("ris_vm", "broken_off", force=force), 13303808, "Another transfer is in progress"
        )
    mirrors.abort(scene.world, scene.lyon, scene.mirror(), transfer, hard=True)
    scene.world.advance(3)
    assert transfer.state == "hard_aborted"
    scene.break_off("ris_vm")


@pytest.mark.parametrize(
    "fault",
    ["site-down:paris", "site-partition:paris", "site-partition:paris/lyon", "peer-unreachable:ontap-lyon"],
)
def test_break_without_the_peer_needs_force(scene, fault):
    scene.world.faults.add(fault)
    job = scene.state("ris_vm", "broken_off")
    scene.world.advance(15)
    assert job.state == "running", "an unreachable peer takes its time"
    scene.fails(job, 262224, 'Failed to contact peer cluster "ontap-paris" at addresses: 127.')
    scene.break_off("ris_vm", force=True)


def test_break_of_an_unhealthy_relationship_needs_force(scene):
    scene.world.faults.add("peer-unreachable:ontap-lyon")
    failed = mirrors.start_transfer(scene.world, scene.lyon, scene.mirror())
    scene.world.advance(30)
    assert (failed.state, scene.mirror().healthy) == ("failed", False)
    scene.world.faults.lift("peer-unreachable")
    scene.fails(scene.state("ris_vm", "broken_off"), 13303808, "unhealthy")
    scene.break_off("ris_vm", force=True)


def test_break_to_an_older_snapshot_deletes_newer_ones(scene):
    volume = scene.volume("svm_dr:ris_vm_dr")
    older = volume.snapshots[2].name
    scene.ok(scene.state("ris_vm", "broken_off", restore_to=older))
    assert [s.name for s in volume.snapshots][-1] == older


@pytest.mark.parametrize("why", ["locked", "busy", "fault", "base of another mirror", "absent"])
def test_a_break_does_not_go_back_past_what_must_stay(scene, why):
    volume = scene.volume("svm_dr:ris_vm_dr")
    kept, older = volume.snapshots[-1], volume.snapshots[2].name
    match why:
        case "locked":
            kept.locked_until = scene.world.now() + timedelta(days=1)
        case "busy":
            kept.owners.add("clone 1")
        case "fault":
            scene.world.faults.add("snapshot-locked:svm_dr:ris_vm_dr")
        case "absent":
            older = "no-such-snapshot"
        case _:
            rennes = scene.world.estate.clusters["ontap-rennes"]
            fed = next(m for m in rennes.mirrors.values() if m.destination == "svm_vault:ris_vm_vault")
            fed.source_cluster, fed.source, fed.exported = "ontap-lyon", "svm_dr:ris_vm_dr", kept.name
    names = [s.name for s in volume.snapshots]
    words = "does not exist" if why == "absent" else kept.name if why != "fault" else "is locked"
    for force in (False, True):
        scene.fails(scene.state("ris_vm", "broken_off", restore_to=older, force=force), 13303808, words)
    assert [s.name for s in volume.snapshots] == names
    assert (scene.mirror().state, volume.type) == ("snapmirrored", "dp")


def test_releasing_a_mirror_leaves_what_its_source_shows_itself(scene):
    volume = scene.volume("svm_dr:ris_vm_dr")
    shown = volume.snapshots[-1]
    rennes = scene.world.estate.clusters["ontap-rennes"]
    fed = next(m for m in rennes.mirrors.values() if m.destination == "svm_vault:ris_vm_vault")
    fed.source_cluster, fed.source, fed.exported = "ontap-lyon", "svm_dr:ris_vm_dr", shown.name
    scene.ok(mirrors.delete(scene.world, scene.lyon, fed, source_only=True))
    assert fed.released
    assert shown in volume.snapshots
    assert shown.owners == {"snapmirror"}


@pytest.mark.parametrize(("state", "code"), [("nonsense", 13303817), ("in_sync", 13303817)])
def test_unknown_states(scene, state, code):
    with pytest.raises(Refusal) as refused:
        scene.state("ris_vm", state)
    assert refused.value.code == code


def test_paused_from_broken_off_is_illegal(scene):
    scene.break_off("ris_vm")
    with pytest.raises(Refusal) as refused:
        scene.state("ris_vm", "paused")
    assert (refused.value.status, refused.value.code) == (400, 13303818)


def test_dry_run_changes_nothing(scene):
    scene.ok(scene.state("ris_vm", "broken_off", validate_only=True))
    assert scene.mirror().state == "snapmirrored"


def test_update_brings_what_was_written(scene):
    source = scene.volume("svm_prod:ris_vm", "ontap-paris")
    source.files["new.txt"] = "later"
    before = scene.mirror().exported
    transfer = mirrors.start_transfer(scene.world, scene.lyon, scene.mirror())
    scene.world.advance(120)
    assert 0 < transfer.bytes < transfer.total
    assert "new.txt" not in scene.volume("svm_dr:ris_vm_dr").files
    scene.world.advance(121)
    assert (transfer.state, scene.volume("svm_dr:ris_vm_dr").files["new.txt"]) == ("success", "later")
    assert storage.find_snapshot(source, before) is None
    assert mirrors.lag(scene.world, scene.mirror()) < 60


@pytest.mark.parametrize("state", ["paused", "broken_off"])
def test_no_update_unless_snapmirrored(scene, state):
    scene.ok(scene.state("ris_vm", state))
    with pytest.raises(Refusal) as refused:
        mirrors.start_transfer(scene.world, scene.lyon, scene.mirror())
    assert refused.value.code == 13303844


def test_one_transfer_at_a_time(scene):
    mirrors.start_transfer(scene.world, scene.lyon, scene.mirror())
    with pytest.raises(Refusal, match="Another transfer"):
        mirrors.start_transfer(scene.world, scene.lyon, scene.mirror())


def test_update_from_a_snapshot_that_is_not_there(scene):
    with pytest.raises(Refusal, match="13303844"):
        mirrors.start_transfer(scene.world, scene.lyon, scene.mirror(), "nonesuch")


def test_abort_of_an_ended_transfer(scene):
    with pytest.raises(Refusal) as refused:
        mirrors.abort(scene.world, scene.lyon, scene.mirror(), mirrors.last_transfer(scene.mirror()))
    assert refused.value.code == 13303849


def test_transfer_in_flight_hangs_when_its_source_dies_and_goes_on_when_it_returns(scene):
    transfer = mirrors.start_transfer(scene.world, scene.lyon, scene.mirror())
    scene.world.advance(100)
    scene.lose()
    held = transfer.bytes
    scene.world.advance(1000)
    assert (transfer.state, transfer.bytes) == ("transferring", held)
    scene.world.faults.lift("site-down")
    scene.world.advance(200)
    assert transfer.state == "success"


def test_transfer_busy_runs_until_lifted(scene):
    scene.world.faults.add("transfer-busy:svm_dr:ris_vm_dr")
    running = mirrors.active_transfer(scene.mirror())
    assert mirrors.active_transfer(scene.mirror("ris_db")) is None
    scene.world.advance(1000)
    assert running.state == "transferring"
    scene.world.faults.lift("transfer-busy")
    scene.world.advance(300)
    assert running.state == "success"


def test_transfers_run_by_schedule_in_real_time(scene):
    before = scene.mirror().exported
    scene.world.advance(30 * 60)
    assert scene.mirror().exported == before
    scene.world.advance(15 * 60)
    assert scene.mirror().exported != before


def test_schedule_with_a_dead_source_makes_unhealthy(scene):
    scene.lose()
    scene.world.advance(40 * 60)
    assert not scene.mirror().healthy
    assert "Failed to contact peer cluster" in scene.mirror().unhealthy_reason[0][1]


def test_resync_discards_what_was_written_since(scene):
    scene.break_off("ris_vm")
    volume = scene.volume("svm_dr:ris_vm_dr")
    volume.files["written.txt"] = "at the standby"
    scene.ok(scene.state("ris_vm", "snapmirrored"))
    assert (volume.type, scene.mirror().state) == ("dp", "snapmirrored")
    assert "written.txt" not in volume.files
    assert mirrors.active_transfer(scene.mirror()).type == "resync"


def test_resync_needs_the_peer_and_a_common_snapshot(scene):
    scene.break_off("ris_vm")
    scene.world.faults.add("site-partition:paris")
    scene.fails(scene.state("ris_vm", "snapmirrored"), 262224)
    scene.world.faults.lift("site-partition")
    scene.volume("svm_prod:ris_vm", "ontap-paris").snapshots.clear()
    scene.fails(scene.state("ris_vm", "snapmirrored"), 13303810, "No common Snapshot")


def test_reverse_turns_the_relationship_round(scene):
    scene.break_off("ris_vm")
    scene.volume("svm_dr:ris_vm_dr").files["written.txt"] = "at the standby"
    mirror = scene.mirror()
    job = mirrors.reverse(scene.world, scene.lyon, mirror, mirror.destination, mirror.source, "snapmirrored")
    scene.ok(job)
    turned = mirrors.find(scene.paris, "svm_prod:ris_vm")
    assert (turned.source, turned.state) == ("svm_dr:ris_vm_dr", "snapmirrored")
    assert mirrors.find(scene.lyon, "svm_dr:ris_vm_dr") is None
    scene.world.advance(300)
    old = scene.volume("svm_prod:ris_vm", "ontap-paris")
    assert (old.type, old.files["written.txt"]) == ("dp", "at the standby")


def test_reverse_refuses_other_paths(scene):
    with pytest.raises(Refusal) as refused:
        mirrors.reverse(scene.world, scene.lyon, scene.mirror(), "a:b", "c:d", "snapmirrored")
    assert refused.value.code == 13304120


def test_delete_needs_the_source_unless_told_otherwise(scene):
    scene.lose()
    scene.fails(mirrors.delete(scene.world, scene.lyon, scene.mirror()), 13303822, "peer cluster")
    scene.ok(mirrors.delete(scene.world, scene.lyon, scene.mirror(), destination_only=True))
    assert mirrors.find(scene.lyon, "svm_dr:ris_vm_dr") is None
    with pytest.raises(Refusal):
        mirrors.delete(
            scene.world, scene.lyon, scene.mirror("ris_db"), destination_only=True, source_only=True
        )


def test_delete_source_info_keeps_the_common_snapshots(scene):
    mirror = scene.mirror()
    scene.ok(mirrors.delete(scene.world, scene.paris, mirror, source_info_only=True))
    kept = storage.find_snapshot(scene.volume("svm_prod:ris_vm", "ontap-paris"), mirror.exported)
    assert kept is not None
    assert not kept.owners


def test_create_initialize_and_its_refusals(scene):
    world, lyon = scene.world, scene.lyon
    for source, destination, code in [
        ("svm_prod:ris_vm", "svm_dr:ris_vm_dr", 6619637),
        ("nocolon", "svm_dr:x", 13303852),
        ("svm_prod:nothing", "svm_dr:x", 13303868),
        ("svm_prod:ris_vm", "svm_dr:x", 13303868),
    ]:
        with pytest.raises(Refusal) as refused:
            mirrors.create(world, lyon, source, destination)
        assert refused.value.code == code
    mirror, job = mirrors.create(world, lyon, "svm_prod:ris_vm", "svm_dr:copy", create_destination=True)
    scene.ok(job)
    assert (mirror.state, mirrors.lag(world, mirror)) == ("uninitialized", None)
    scene.fails(mirrors.change_state(world, lyon, mirror, "broken_off"), 13303808, "uninitialized")
    scene.ok(mirrors.change_state(world, lyon, mirror, "snapmirrored"))
    assert mirror.state == "uninitialized"
    world.advance(241)
    assert mirror.state == "snapmirrored"
    assert "ris-app01/ris-app01.vmx" in scene.volume("svm_dr:copy").files


def test_create_between_former_partners_begins_broken_off(scene):
    """The classic way back: old source becomes destination, resynced from the newest common snapshot."""
    scene.break_off("ris_vm")
    scene.ok(mirrors.delete(scene.world, scene.paris, scene.mirror(), source_info_only=True))
    mirror, job = mirrors.create(scene.world, scene.paris, "svm_dr:ris_vm_dr", "svm_prod:ris_vm")
    scene.ok(job)
    assert mirror.unseen, "its job ends before REST lists it"
    scene.world.advance(5)
    assert not mirror.unseen
    assert mirror.state == "broken_off"
    scene.ok(mirrors.change_state(scene.world, scene.paris, mirror, "snapmirrored"))
    assert scene.volume("svm_prod:ris_vm", "ontap-paris").type == "dp"


def test_modify(scene):
    scene.ok(mirrors.modify(scene.world, scene.lyon, scene.mirror(), throttle=10, schedule=0, policy="Other"))
    mirror = scene.mirror()
    assert (mirror.throttle, mirror.schedule, mirror.policy) == (10, None, "Other")


def test_destinations_are_known_at_the_source(scene):
    assert len(mirrors.destinations_of(scene.world, scene.paris)) == 10
    assert mirrors.destinations_of(scene.world, scene.lyon) == []


def test_job_faults(scene):
    scene.world.faults.add("job-failed:ontap-lyon:once")
    scene.fails(scene.state("ris_vm", "broken_off"), 393271)
    assert scene.mirror().state == "snapmirrored"
    scene.world.faults.add("job-forgotten:ontap-lyon:once")
    job = scene.state("ris_vm", "broken_off")
    scene.done(job)
    assert job.uuid not in scene.lyon.jobs
    assert scene.mirror().state == "broken_off"


def test_a_job_fault_may_name_a_word_of_what_the_job_does(scene):
    scene.world.faults.add("job-failed:volumes")
    scene.ok(scene.state("ris_vm", "broken_off"))
    scene.world.faults.add("job-failed:relationships:once")
    scene.fails(scene.state("pacs_vm", "broken_off"), 393271)


def test_finished_jobs_are_forgotten_after_five_minutes(scene):
    job = scene.ok(scene.state("ris_vm", "broken_off"))
    scene.world.advance(299)
    assert job.uuid in scene.lyon.jobs
    scene.world.advance(2)
    assert job.uuid not in scene.lyon.jobs


def test_job_of_a_site_that_loses_power_fails(scene):
    job = scene.state("ris_vm", "broken_off", force=True)
    scene.lose("lyon")
    scene.fails(job, 458753)
    assert scene.mirror().state == "snapmirrored"


def test_unknown_fault(scene):
    with pytest.raises(UnknownFault, match="quiesce-stuck"):
        scene.world.faults.add("no-such-fault")
