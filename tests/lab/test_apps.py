"""When a service answers its users, how old its data is, and what a whole site does to it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from estate import apps, machines, mirrors, names, nas

from drctl.lab import status
from drctl.lab.model import Share
from drctl.lab.names import behind

RIS = (("ris-db01", "ds_ris"), ("ris-app01", "ds_ris"), ("ris-worklist01", "ds_ris"))
PACS = (
    ("pacs-db01", "dr-210"),
    ("pacs-app01", "dr-dvs-220"),
    ("pacs-dicom01", "dr-210"),
    ("pacs-win01", "dr-210"),
    ("pacs-worker01", "dr-210"),
)


def recover_ris(scene) -> None:
    for name, store in (("ris_vm", "ds_ris"), ("ris_db", "ds_ris_db")):
        scene.promote(name)
        scene.mount(store, f"/{name}")
    for name, store in RIS:
        scene.run(scene.adopt(name, store, "RIS", "dr-200"))
    scene.point("ris", "lyon")


def recover_pacs(scene) -> None:
    scene.promote("pacs_vm")
    scene.mount("ds_pacs", "/pacs_vm")
    for name, network in PACS:
        scene.run(scene.adopt(name, "ds_pacs", "PACS", network))
    scene.point("pacs", "lyon")


def share_images(scene) -> None:
    scene.promote("pacs_images", policy=None)
    nas.create_share(scene.world, scene.lyon, scene.svm, Share("IMAGES", "/pacs_images"))
    nas.set_aliases(scene.world, scene.svm, {"NAS-PACS"})
    scene.world.estate.spns["cifs/nas-pacs"] = "CIFS-LYON"
    scene.point("nas-pacs", "lyon")


def test_everything_answers_at_production_and_only_there(scene):
    for service in ("ris", "pacs", "portal"):
        assert scene.reason(service, "paris") == ""
        assert "not registered" in scene.reason(service, "lyon")
    assert scene.reason("directory", "lyon") == ""


def test_dead_site_answers_nothing(scene):
    scene.lose()
    assert scene.reason("ris", "paris") == "paris is down"
    assert scene.reason("directory", "lyon") == ""


def test_ris_recovers_and_its_data_is_as_old_as_the_last_transfer(scene):
    lost_at = scene.world.now()
    scene.lose()
    recover_ris(scene)
    state = apps.answers(scene.world, "ris", "lyon")
    assert state.ok, state.reason
    scene.world.advance(0)
    before = apps.data_at(scene.world, "ris", "paris")
    assert abs(before - lost_at) < timedelta(seconds=2), "a dead source stopped writing when it died"
    assert scene.world.now() - apps.data_at(scene.world, "ris", "lyon") < timedelta(seconds=2), (
        "it writes again"
    )


def test_loss_is_what_was_written_after_the_exported_snapshot(scene):
    scene.break_off("ris_vm")
    target = scene.volume("svm_dr:ris_vm_dr")
    exported = mirrors.exported_snapshot(scene.world, scene.mirror())
    assert target.data_at["ris"] == exported.created
    lived = scene.world.writes.data_of(scene.volume("svm_prod:ris_vm", "ontap-paris"))["ris"]
    assert timedelta(minutes=24) < lived - target.data_at["ris"] < timedelta(minutes=26)


def test_writes_stop_when_the_vms_stop_or_the_volume_is_gone(scene):
    source = scene.volume("svm_prod:ris_db", "ontap-paris")
    assert scene.world.writes.live(source)
    source.export_policy = "default"
    scene.world.touch()
    assert not scene.world.writes.live(source)
    source.export_policy = "esx"
    scene.world.touch()
    assert scene.world.writes.live(source)
    for vm in scene.old_vc.vms.values():
        if vm.name.startswith("ris"):
            machines.power_off(scene.world, scene.old_vc, vm)
    scene.world.advance(10)
    frozen = source.data_at["ris"]
    assert not scene.world.writes.live(source)
    assert scene.world.writes.data_of(source)["ris"] == frozen


def test_name_must_point_to_the_site(scene):
    scene.lose()
    recover_ris(scene)
    scene.point("ris", "paris")
    assert scene.reason("ris") == "ris.teleradio.example does not point to lyon"


def test_service_needs_its_dependencies(scene):
    scene.lose()
    recover_pacs(scene)
    share_images(scene)
    assert scene.reason("pacs").startswith("ris: ")
    recover_ris(scene)
    assert scene.reason("pacs") == ""


def test_dependency_may_work_at_a_linked_site(scene):
    """pacs alone moves while ris still answers in Paris, over the stretched network."""
    for vm in scene.old_vc.vms.values():
        if vm.name.startswith("pacs"):
            machines.power_off(scene.world, scene.old_vc, vm)
    scene.world.advance(10)
    recover_pacs(scene)
    share_images(scene)
    assert scene.reason("pacs") == ""


SHARE = {
    "alias": "does not know the name",
    "spn": "belongs to CIFS-PARIS",
    "dns": "nothing answers at",
    "name": "does not resolve",
    "share": "no share IMAGES",
    "server": "no CIFS server in service",
    "mount": "leads nowhere",
    "dp": "read-only",
}


@pytest.mark.parametrize("spoil", SHARE)
def test_windows_application_needs_server_share_alias_and_spn(scene, spoil):
    scene.lose()
    recover_ris(scene)
    recover_pacs(scene)
    assert "cannot open" in scene.reason("pacs")
    share_images(scene)
    assert scene.reason("pacs") == ""
    volume = scene.volume("svm_dr:pacs_images_dr")
    if spoil == "alias":
        nas.set_aliases(scene.world, scene.svm, set())
    elif spoil == "spn":
        scene.world.estate.spns["cifs/nas-pacs"] = "CIFS-PARIS"
    elif spoil == "dns":
        scene.point("nas-pacs", "paris")
    elif spoil == "name":
        scene.world.estate.dns["dns-main"].zones["teleradio.example."].records.pop(("nas-pacs", "A"))
    elif spoil == "share":
        nas.delete_share(scene.world, scene.svm, "IMAGES")
    elif spoil == "server":
        nas.set_cifs_enabled(scene.world, scene.svm, enabled=False)
    elif spoil == "mount":
        scene.ok(scene.modify("pacs_images", junction=""))
    else:
        volume.type = "dp"
    assert SHARE[spoil] in scene.reason("pacs")


def test_degraded_service_answers_badly(scene):
    scene.world.faults.add("app-degraded:ris")
    state = apps.answers(scene.world, "ris", "paris")
    assert (state.ok, state.degraded) == (False, True)
    assert apps.answers(scene.world, "pacs", "paris").ok


# --- sites ---


def test_power_loss_stops_everything_and_return_starts_nothing(scene):
    scene.lose()
    assert all(vm.power == "poweredOff" for vm in scene.old_vc.vms.values())
    scene.world.faults.lift("site-down")
    scene.world.advance(600)
    assert scene.world.site("paris").alive
    assert all(vm.power == "poweredOff" for vm in scene.old_vc.vms.values())


def test_return_with_autostart_brings_old_vms_back_beside_the_new(scene):
    scene.lose()
    recover_ris(scene)
    assert scene.reason("ris") == ""
    scene.world.faults.add("site-returns-with-autostart:paris")
    scene.world.advance(200)
    assert all(vm.booted for vm in scene.old_vc.vms.values())
    assert scene.world.writes.live(scene.volume("svm_prod:ris_vm", "ontap-paris"))
    assert "address or MAC" in scene.reason("ris")


def test_running_tasks_fail_with_their_site(scene):
    vm = scene.vm("ris-db01", scene.old_vc)
    task = machines.power_off(scene.world, scene.old_vc, vm)
    scene.lose()
    assert task.state == "error"


@pytest.mark.parametrize(
    ("fault", "outside", "lyon", "rennes"),
    [
        ("site-partition:paris", False, False, False),
        ("site-partition:paris/lyon", True, False, True),
        ("site-partition", False, False, False),
        ("site-down:paris", False, False, False),
        ("site-down:rennes", True, True, False),
    ],
)
def test_who_reaches_paris(scene, fault, outside, lyon, rennes):
    world = scene.world
    world.faults.add(fault)
    seen = (world.answers_outside("paris"), world.linked("paris", "lyon"), world.linked("rennes", "paris"))
    assert seen == (outside, lyon, rennes)
    world.faults.lift(fault)
    assert world.answers_outside("paris")
    assert world.linked("lyon", "paris")


def test_partitioned_site_goes_on_writing(scene):
    scene.world.faults.add("site-partition:paris")
    assert scene.world.writes.live(scene.volume("svm_prod:ris_vm", "ontap-paris"))


# --- names ---


def test_secondaries_follow_and_can_be_held_back(scene):
    service = scene.world.estate.dns["dns-main"]
    secondary = service.secondaries[0]
    serial = service.zones["teleradio.example."].serial
    scene.world.faults.add(f"dns-stale-secondary:{secondary.partition(':')[0]}")
    scene.point("ris", "lyon")
    assert names.lookup(scene.world, "ris.teleradio.example") == ["127.99.2.101"]
    scene.world.advance(100)
    assert behind(service, secondary)
    assert names.zones_at(service, secondary)["teleradio.example."].serial == serial
    scene.world.faults.lift("dns-stale-secondary")
    scene.world.advance(60)
    assert not behind(service, secondary)
    assert names.zones_at(service, secondary)["teleradio.example."].records["ris", "A"][1] == ["127.99.2.101"]


@pytest.mark.parametrize(
    ("name", "kind", "values"),
    [
        ("RIS.teleradio.example.", "A", ["127.99.1.101"]),
        ("teleradio.example", "NS", ["ns1.teleradio.example.", "ns2.teleradio.example."]),
        ("nothing.teleradio.example", "A", []),
        ("elsewhere.example", "A", []),
    ],
)
def test_lookup(scene, name, kind, values):
    assert names.lookup(scene.world, name, kind) == values


# --- status ---


def test_status_is_the_same_until_something_changes(scene):
    def shown() -> dict:
        return status.status(scene.world, 99)["world"]

    first = shown()
    scene.world.advance(30)
    assert shown() == first
    scene.world.advance(3600)
    assert shown() == first, "scheduled transfers are no change"
    scene.ok(scene.modify("ris_vm", comment="x"))
    changed = shown()
    assert changed != first
    assert changed["clusters"]["ontap-lyon"]["volumes"]["svm_dr:ris_vm_dr"]["comment"] == "x"


def test_status_shows_who_changed_what(scene):
    scene.world.record("lyon", "ontap", "PATCH /api/x", "svm_dr:v")
    scene.world.connected("lyon")
    shown = status.status(scene.world, 99, live=True)
    assert set(shown) == {"world", "mutations", "connections", "live"}
    (mutation,) = shown["mutations"]
    assert mutation.pop("at").endswith("+00:00")
    assert mutation == {"site": "lyon", "facade": "ontap", "call": "PATCH /api/x", "target": "svm_dr:v"}
    assert shown["connections"] == {"lyon": 1, "paris": 0, "rennes": 0}
    assert shown["live"]["transfers"]["svm_dr:ris_vm_dr"] == "success"
