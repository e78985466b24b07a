"""Volumes: mounting, states, clones, snapshots, deletion."""

from __future__ import annotations

from datetime import timedelta

import pytest
from estate import mirrors, storage, volumes

from drctl.lab.storage import Refusal

RIS = "svm_dr:ris_vm_dr"


def refused(call, *arguments, **options) -> int:
    with pytest.raises(Refusal) as refusal:
        call(*arguments, **options)
    return refusal.value.code


def test_initialised_dp_volume_mounts(scene):
    scene.ok(scene.modify("ris_vm", junction="/ris_vm"))
    assert (scene.volume(RIS).junction, scene.volume(RIS).type) == ("/ris_vm", "dp")


def test_dp_volume_mounts_only_once_initialised(scene):
    scene.volume(RIS).initialized = False
    scene.fails(scene.modify("ris_vm", junction="/ris_vm"), 917536, "not initialized")


def test_mount_refusals(scene):
    assert refused(scene.modify, "ris_vm", junction="no-slash") == 918252
    scene.ok(scene.modify("ris_vm", junction="/a"))
    scene.fails(scene.modify("ris_db", junction="/a"), 917536, "in use")
    scene.fails(scene.modify("ris_db", junction="/nowhere/b"), 917536, "parent")
    scene.ok(scene.modify("ris_db", junction="/a/b"))
    scene.fails(scene.modify("ris_vm", junction=""), 917536, "mounted below")


def test_junction_busy(scene):
    scene.world.faults.add("junction-busy:svm_dr:ris_vm_dr:once")
    scene.fails(scene.modify("ris_vm", junction="/ris_vm"), 917536, "busy")
    scene.ok(scene.modify("ris_vm", junction="/ris_vm"))


def test_offline_drops_the_junction_for_good(scene):
    scene.ok(scene.modify("ris_vm", junction="/ris_vm"))
    scene.ok(scene.modify("ris_vm", state="offline"))
    scene.fails(scene.modify("ris_vm", junction="/ris_vm"), 917533)
    scene.ok(scene.modify("ris_vm", state="online"))
    assert scene.volume(RIS).junction is None


def test_one_patch_changes_many_properties(scene):
    scene.ok(
        scene.modify(
            "ris_vm", junction="/ris_vm", export_policy="esx", comment="drctl", snapshot_policy="none"
        )
    )
    volume = scene.volume(RIS)
    assert (volume.junction, volume.export_policy, volume.comment, volume.snapshot_policy) == (
        "/ris_vm",
        "esx",
        "drctl",
        "none",
    )


def test_patch_refusals(scene):
    assert refused(scene.modify, "ris_vm", export_policy="nonesuch") == 1703954
    assert refused(scene.modify, "ris_vm", state="sideways") == 917837
    assert refused(scene.modify, "ris_vm", name="ris_db_dr") == 917526
    assert refused(scene.modify, "ris_vm", split=True) == 917628


def test_create_and_its_refusals(scene):
    wish = volumes.Wish("svm_dr", "work", junction="/work", comment="drctl:1")
    volume, job = volumes.create(scene.world, scene.lyon, wish)
    assert scene.volume("svm_dr:work") is volume
    scene.ok(job)
    assert (volume.junction, volume.comment, volume.type) == ("/work", "drctl:1", "rw")
    for wrong, code in [
        (wish, 917526),
        (volumes.Wish("nowhere", "x"), 13434920),
        (volumes.Wish("svm_dr", "x", aggregate="aggr9"), 917508),
        (volumes.Wish("svm_dr", "x", export_policy="none"), 1703954),
    ]:
        assert refused(volumes.create, scene.world, scene.lyon, wrong) == code


def test_failed_creation_leaves_nothing(scene):
    wish = volumes.Wish("svm_dr", "work", junction="/a/b/c")
    volume, job = volumes.create(scene.world, scene.lyon, wish)
    scene.fails(job, 917536)
    assert volume.uuid not in scene.lyon.volumes


def test_full_aggregate(scene):
    free = volumes.free_space(scene.lyon, "aggr1")
    scene.world.faults.add("aggregate-full:ontap-lyon")
    assert volumes.free_space(scene.lyon, "aggr1") == 0
    assert volumes.free_space(scene.paris, "aggr1") > 0
    assert refused(volumes.create, scene.world, scene.lyon, volumes.Wish("svm_dr", "x")) == 917508
    scene.world.faults.lift("aggregate-full")
    assert volumes.free_space(scene.lyon, "aggr1") == free


def clone(scene, name="drill", **options):
    wish = volumes.Wish("svm_dr", name, parent="ris_vm_dr", **options)
    volume, job = volumes.create(scene.world, scene.lyon, wish)
    scene.ok(job)
    return volume


def test_clone_of_a_dp_volume_holds_its_snapshot(scene):
    made = clone(scene, junction="/drill")
    parent = scene.volume(RIS)
    assert (made.type, made.junction, made.files) == ("rw", "/drill", parent.files)
    assert made.clone_parent == (parent.uuid, parent.snapshots[-1].name)
    made.files["x"] = "only here"
    assert "x" not in parent.files


def test_clone_locks_its_base_and_its_parent(scene):
    made = clone(scene)
    parent = scene.volume(RIS)
    base = storage.find_snapshot(parent, made.clone_parent[1])
    assert refused(volumes.delete_snapshot, scene.world, scene.lyon, parent, base) == 1638543
    scene.ok(mirrors.delete(scene.world, scene.lyon, scene.mirror(), destination_only=True))
    assert refused(volumes.delete, scene.world, scene.lyon, parent) == 524615
    scene.ok(volumes.delete(scene.world, scene.lyon, made, force=True))
    assert not any("clone" in owner for owner in base.owners)
    scene.ok(volumes.delete(scene.world, scene.lyon, parent))


def test_clone_base_survives_an_update(scene):
    made = clone(scene)
    mirrors.start_transfer(scene.world, scene.lyon, scene.mirror())
    scene.world.advance(250)
    assert storage.find_snapshot(scene.volume(RIS), made.clone_parent[1])


def test_clone_refusals(scene):
    for options, code in [
        ({"parent": "nonesuch"}, 524601),
        ({"parent": "ris_vm_dr", "parent_snapshot": "nonesuch"}, 918243),
        ({"parent": "ris_vm_dr", "parent_svm": "other"}, 524601),
    ]:
        wish = volumes.Wish("svm_dr", "drill", **options)
        assert refused(volumes.create, scene.world, scene.lyon, wish) == code
    scene.volume(RIS).snapshots.clear()
    wish = volumes.Wish("svm_dr", "drill", parent="ris_vm_dr")
    assert refused(volumes.create, scene.world, scene.lyon, wish) == 524597


def test_split_frees_the_parent(scene):
    made = clone(scene, junction="/drill")
    scene.ok(volumes.modify(scene.world, scene.lyon, made, volumes.Change(split=True)))
    scene.fails(volumes.modify(scene.world, scene.lyon, made, volumes.Change(junction="")), 917536, "job ID")
    assert made.split_percent is not None
    scene.world.advance(61)
    assert (made.split_percent, made.clone_parent) == (None, None)
    scene.ok(volumes.modify(scene.world, scene.lyon, made, volumes.Change(junction="")))


def test_deleted_volumes_wait_in_the_recovery_queue(scene):
    made = clone(scene)
    scene.ok(volumes.delete(scene.world, scene.lyon, made))
    assert storage.find_volume(scene.lyon, "svm_dr", "drill") is None
    assert volumes.recovery_queue(scene.lyon) == [made]
    volumes.purge(scene.world, scene.lyon, made)
    assert volumes.recovery_queue(scene.lyon) == []
    assert refused(volumes.purge, scene.world, scene.lyon, made) == 4


def test_recovery_queue_empties_after_twelve_hours(scene):
    scene.ok(volumes.delete(scene.world, scene.lyon, clone(scene)))
    scene.world.advance(12 * 3600 - 10)
    assert volumes.recovery_queue(scene.lyon)
    scene.world.advance(20)
    assert not volumes.recovery_queue(scene.lyon)


def test_delete_refusals(scene):
    assert refused(volumes.delete, scene.world, scene.lyon, scene.volume(RIS)) == 524486
    assert refused(volumes.delete, scene.world, scene.lyon, scene.volume("svm_dr:svm_dr_root")) == 917658


def test_snapshots(scene):
    source = scene.volume("svm_prod:ris_vm", "ontap-paris")
    snapshot, job = volumes.create_snapshot(scene.world, scene.paris, source, "evidence", label="keep")
    scene.ok(job)
    assert (snapshot.label, snapshot.files) == ("keep", source.files)
    for volume, name, code in [
        (scene.volume(RIS), "x", 1638461),
        (source, "evidence", 525059),
        (source, "a/b", 1638518),
    ]:
        assert refused(volumes.create_snapshot, scene.world, scene.paris, volume, name) == code
    scene.ok(volumes.delete_snapshot(scene.world, scene.paris, source, snapshot))
    assert storage.find_snapshot(source, "evidence") is None


def test_locked_snapshots(scene):
    source = scene.volume("svm_prod:ris_vm", "ontap-paris")
    until = scene.world.now() + timedelta(hours=1)
    locked, _ = volumes.create_snapshot(scene.world, scene.paris, source, "locked", locked_until=until)
    assert refused(volumes.delete_snapshot, scene.world, scene.paris, source, locked) == 1638555
    free, _ = volumes.create_snapshot(scene.world, scene.paris, source, "free")
    scene.world.faults.add("snapshot-locked:svm_prod:ris_vm:once")
    assert refused(volumes.delete_snapshot, scene.world, scene.paris, source, free) == 1638555
    scene.ok(volumes.delete_snapshot(scene.world, scene.paris, source, free))


def test_restore(scene):
    source = scene.volume("svm_prod:ris_vm", "ontap-paris")
    first, _ = volumes.create_snapshot(scene.world, scene.paris, source, "first")
    source.files["later"] = "x"
    volumes.create_snapshot(scene.world, scene.paris, source, "second")
    scene.ok(volumes.restore_snapshot(scene.world, scene.paris, source, first))
    assert "later" not in source.files
    assert source.snapshots[-1].name == "first"
    base = next(s for s in source.snapshots if s.owners)
    oldest = min(source.snapshots, key=lambda s: s.created)
    assert base
    assert refused(volumes.restore_snapshot, scene.world, scene.paris, source, oldest) == 1638480
    assert refused(volumes.restore_snapshot, scene.world, scene.lyon, scene.volume(RIS), first) == 524511
