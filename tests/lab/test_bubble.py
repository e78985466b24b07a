"""Copies of machines beside the real ones: what an isolated network keeps apart, and what it does not."""

from __future__ import annotations

import pytest
from estate import machines, volumes

from drctl.lab.apps import data_at
from drctl.lab.inside import service_at, state_inside
from drctl.lab.writes import data_of

STORES = {"ds_ris": "ris_vm", "ds_ris_db": "ris_db"}
RIS = ("ris-db01", "ris-app01", "ris-worklist01")


def clone(scene, name: str):
    """What a drill makes of a mirror: a clone of its newest snapshot, under the drills' prefix."""
    wish = volumes.Wish(
        "svm_dr", f"{name}_dr_drill", junction=f"/drill_{name}", export_policy="esx", parent=f"{name}_dr"
    )
    volume, job = volumes.create(scene.world, scene.lyon, wish)
    scene.ok(job)
    return volume


def store(scene, name: str):
    copy = clone(scene, STORES[name])
    scene.mount(f"{name}-drill", f"/drill_{STORES[name]}")
    return copy


def adopt(scene, name: str, network: str = "bubble-isolated", suffix: str = "-drill"):
    """Register a copy beside the real machine and put it on a network."""
    path = f"[ds_ris-drill] {name}/{name}.vmx"
    scene.works(machines.register(scene.world, scene.vc, path, name=name + suffix, folder="DRILL", pool="dr"))
    vm = scene.vm(name + suffix)
    disks = {
        key: f"[ds_ris_db-drill] {file.split('/', 4)[4]}"
        for key, file in vm.disks.items()
        if file.startswith("/vmfs")
    }
    nic = machines.NicChange(vm.nics[0].key, machines.network_of(scene.vc, network))
    change = machines.VmChange(nics=(nic,), disks=disks, extra={"uuid.action": "keep"})
    scene.works(machines.reconfigure(scene.world, scene.vc, vm, change))
    return vm


@pytest.fixture
def drill(scene):
    """The RIS as a drill runs it; yields the clones by datastore."""
    copies = {name: store(scene, name) for name in STORES}
    for name in RIS:
        scene.run(adopt(scene, name))
    return copies


def test_the_isolated_network_and_the_folder_are_there_and_only_where_the_bubble_is(scene):
    assert [n.name for n in scene.vc.networks.values() if n.isolated] == ["bubble-isolated"]
    assert "DRILL" in scene.vc.folders
    assert not any(n.isolated for n in scene.old_vc.networks.values())
    assert "DRILL" not in scene.old_vc.folders


def test_copies_have_the_identity_of_the_real_ones_and_disturb_nobody(scene, drill):
    for name in RIS:
        real, copy = scene.vm(name, scene.old_vc), scene.vm(f"{name}-drill")
        assert (copy.uuid, copy.nics[0].mac, copy.guest_ip) == (real.uuid, real.nics[0].mac, real.guest_ip)
        assert machines.trouble(scene.world, scene.vc, copy) == ""
        assert machines.trouble(scene.world, scene.old_vc, real) == ""
    assert scene.reason("ris", "paris") == ""
    assert "not registered" in scene.reason("ris", "lyon")


def test_a_copy_on_the_stretched_network_disturbs_the_real_one(scene):
    store(scene, "ds_ris")
    scene.run(adopt(scene, "ris-app01", network="dr-200"))
    real = scene.vm("ris-app01", scene.old_vc)
    assert "address or MAC of ris-app01-drill" in machines.trouble(scene.world, scene.old_vc, real)
    assert "ris-app01" in scene.reason("ris", "paris")


def test_two_copies_on_one_isolated_network_disturb_each_other(scene, drill):
    again = clone(scene, "portal_vm")
    again.files = dict(drill["ds_ris"].files)
    scene.mount("ds_again-drill", "/drill_portal_vm")
    path = "[ds_again-drill] ris-app01/ris-app01.vmx"
    scene.works(
        machines.register(scene.world, scene.vc, path, name="ris-app01-two", folder="DRILL", pool="dr")
    )
    two = scene.vm("ris-app01-two")
    nic = machines.NicChange(two.nics[0].key, machines.network_of(scene.vc, "bubble-isolated"))
    change = machines.VmChange(nics=(nic,), extra={"uuid.action": "keep"})
    scene.works(machines.reconfigure(scene.world, scene.vc, two, change))
    scene.run(two)
    one = scene.vm("ris-app01-drill")
    assert machines.duplicates(scene.world, scene.vc, one) == [two]
    assert "ris-app01" in state_inside(scene.world, "ris", "lyon").reason


def test_copies_write_into_their_clones_only(scene):
    standing = {
        name: dict(data_of(scene.world, scene.volume(f"svm_dr:{name}_dr"))) for name in STORES.values()
    }
    files = {name: dict(scene.volume(f"svm_dr:{name}_dr").files) for name in STORES.values()}
    production = {
        name: dict(scene.volume(f"svm_prod:{name}", "ontap-paris").files) for name in STORES.values()
    }
    copies = {name: store(scene, name) for name in STORES}
    before = {name: dict(copy.files) for name, copy in copies.items()}
    for name in RIS:
        scene.run(adopt(scene, name))
    assert copies["ds_ris"].files != before["ds_ris"]
    for name, volume in STORES.items():
        mirror = scene.volume(f"svm_dr:{volume}_dr")
        assert mirror.files == files[volume]
        assert data_of(scene.world, mirror) == standing[volume]
        assert scene.volume(f"svm_prod:{volume}", "ontap-paris").files == production[volume]
        assert data_of(scene.world, copies[name])["ris"] > standing[volume]["ris"]


def test_clones_of_a_drill_are_no_stand_of_the_service(scene):
    before = data_at(scene.world, "ris", "lyon")
    for name in STORES:
        store(scene, name)
    for name in RIS:
        scene.run(adopt(scene, name))
    assert data_at(scene.world, "ris", "lyon") == before


def test_a_service_works_inside_once_every_copy_and_the_directory_do(scene):
    for name in STORES:
        store(scene, name)
    assert "no copy in the bubble" in state_inside(scene.world, "ris", "lyon").reason
    for name in RIS:
        assert not state_inside(scene.world, "ris", "lyon").ok
        scene.run(adopt(scene, name))
    assert state_inside(scene.world, "ris", "lyon").ok
    scene.world.estate.bubbles["lyon"].addresses.clear()
    assert "directory has no copy" in state_inside(scene.world, "ris", "lyon").reason


def test_who_answers_inside(scene, drill):
    address = scene.vm("ris-app01-drill").guest_ip
    port = next(port for _, port, _ in scene.world.estate.applications["ris"].addresses["paris"])
    found = service_at(scene.world, "lyon", address, port)
    assert found is not None
    assert (found[0].service, found[1]) == ("ris", "http")
    assert service_at(scene.world, "lyon", address, 22) is None
    assert service_at(scene.world, "paris", address, port) is None
    production = scene.world.estate.applications["ris"].addresses["paris"][0][0]
    assert service_at(scene.world, "lyon", production, port) is None
    scene.works(machines.power_off(scene.world, scene.vc, scene.vm("ris-app01-drill")))
    assert service_at(scene.world, "lyon", address, port) is None
