"""Hosts, datastores, tasks."""

from __future__ import annotations

import pytest
from estate import compute, nas


def fault(call, *arguments, **options) -> str:
    with pytest.raises(compute.VimFault) as raised:
        call(*arguments, **options)
    return raised.value.name


def mount(scene, name="ds_ris", path="/ris_vm", host=0, server=None, **options):
    server = server or scene.nfs()
    return compute.mount_nfs(scene.world, scene.vc, scene.hosts()[host], name, server, path, **options)


def test_production_is_mounted_on_every_host(scene):
    names = {
        d.name: sum(d.moref in h.mounts for h in scene.old_vc.hosts.values())
        for d in scene.old_vc.datastores.values()
    }
    assert names == {"ds_ris": 2, "ds_ris_db": 2, "ds_pacs": 2, "ds_portal": 2}
    assert not scene.vc.datastores


def test_no_export_no_datastore(scene):
    assert fault(mount, scene) == "PlatformConfigFault"
    scene.promote("ris_vm", policy=None)
    assert mount(scene).name == "ds_ris"


@pytest.mark.parametrize("spoil", ["rule", "root", "lif", "svm", "address", "path", "disconnected"])
def test_mount_needs_export_address_and_path(scene, spoil):
    scene.promote("ris_vm")
    server, path, expected = scene.nfs(), "/ris_vm", "PlatformConfigFault"
    if spoil == "rule":
        scene.svm.policies["esx"].rules.clear()
    elif spoil == "root":
        scene.svm.policies["default"].rules.clear()
    elif spoil == "lif":
        scene.svm.lifs["lif_nfs_1"].enabled = False
    elif spoil == "svm":
        scene.ok(nas.set_svm_state(scene.world, scene.lyon, scene.svm, "stopped"))
    elif spoil == "address":
        server = "127.99.2.99"
    elif spoil == "path":
        path = "/ris"
    else:
        scene.hosts()[0].connected = False
        expected = "HostNotConnected"
    assert fault(mount, scene, path=path, server=server) == expected


def test_dp_volume_gives_a_read_only_datastore(scene):
    scene.ok(scene.modify("ris_vm", junction="/ris_vm", export_policy="esx"))
    datastore = mount(scene)
    assert compute.accessible(scene.world, scene.vc, datastore)
    assert not compute.writable(scene.world, scene.vc, datastore)
    scene.break_off("ris_vm")
    assert compute.writable(scene.world, scene.vc, datastore)


def test_datastore_shows_the_files_of_its_volume(scene):
    scene.promote("ris_vm")
    datastore = mount(scene)
    assert compute.files(scene.world, scene.vc, datastore) is scene.volume("svm_dr:ris_vm_dr").files
    scene.world.faults.add("datastore-inaccessible:ds_ris")
    assert fault(compute.files, scene.world, scene.vc, datastore) == "InaccessibleDatastore"


def test_identity_is_server_and_path_not_name(scene):
    scene.promote("ris_vm")
    first = mount(scene)
    assert mount(scene, "another name", host=1) is first
    assert fault(mount, scene) == "AlreadyExists"


def test_other_export_under_a_taken_name_gets_a_number(scene):
    scene.promote("ris_vm")
    scene.promote("ris_db")
    mount(scene)
    assert mount(scene, "ds_ris", "/ris_db", host=1).name == "ds_ris (1)"
    assert fault(mount, scene, "ds_ris", "/ris_db") == "DuplicateName"


def test_read_only_mount(scene):
    scene.promote("ris_vm")
    assert not compute.writable(scene.world, scene.vc, mount(scene, read_only=True))


def test_export_without_rw_is_read_only(scene):
    scene.promote("ris_vm", policy=None)
    datastore = mount(scene)
    assert compute.accessible(scene.world, scene.vc, datastore)
    assert not compute.writable(scene.world, scene.vc, datastore)


def test_unmount(scene):
    scene.promote("ris_vm")
    datastore = mount(scene)
    mount(scene, host=1)
    host, other = scene.hosts()
    compute.unmount(scene.world, scene.vc, host, datastore)
    assert fault(compute.unmount, scene.world, scene.vc, host, datastore) == "NotFound"
    assert datastore.moref in scene.vc.datastores
    compute.unmount(scene.world, scene.vc, other, datastore)
    assert datastore.moref not in scene.vc.datastores


def test_unmount_is_refused_while_a_vm_lies_there(scene):
    old = scene.old_vc
    datastore = next(d for d in old.datastores.values() if d.name == "ds_ris_db")
    user = next(vm for vm in old.vms.values() if vm.name == "ris-db01")
    assert fault(compute.unmount, scene.world, old, old.hosts[user.host], datastore) == "ResourceInUse"


def test_tasks_run_fail_and_queue(scene):
    def refuse() -> None:
        raise compute.VimFault("NotFound", "gone", what="it")

    done = compute.start_task(scene.world, scene.vc, "X", "vm-1", lambda: "vm-9")
    failed = compute.start_task(scene.world, scene.vc, "X", "vm-1", refuse)
    assert (done.state, failed.state) == ("running", "running")
    scene.works(done)
    scene.faults_with(failed, "NotFound")
    assert (done.result, failed.detail) == ("vm-9", {"what": "it"})
    scene.world.faults.add("task-queued:vc-lyon:once")
    queued = compute.start_task(scene.world, scene.vc, "X", "vm-1", lambda: None)
    scene.world.advance(100)
    assert queued.state == "queued"
    scene.works(queued)


@pytest.mark.parametrize("path", ["ds/x.vmx", "[ds x.vmx", ""])
def test_bad_datastore_paths(path):
    assert fault(compute.split_path, path) == "InvalidDatastorePath"
