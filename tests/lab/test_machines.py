"""VMs: what a .vmx brings, power, questions, guests."""

from __future__ import annotations

import pytest
from estate import compute, machines

from drctl.lab import vmx


def fault(call, *arguments, **options) -> str:
    with pytest.raises(compute.VimFault) as raised:
        call(*arguments, **options)
    return raised.value.name


@pytest.fixture
def pacs(scene):
    """The standby with the datastore of pacs, production dead."""
    scene.lose()
    scene.promote("pacs_vm")
    scene.mount("ds_pacs", "/pacs_vm")
    return scene


@pytest.fixture
def ris(scene):
    """The standby with both datastores of ris, production dead."""
    scene.lose()
    for name, store in (("ris_vm", "ds_ris"), ("ris_db", "ds_ris_db")):
        scene.promote(name)
        scene.mount(store, f"/{name}")
    return scene


def test_registration_reads_the_vmx(pacs):
    task = pacs.works(pacs.register("pacs-db01", "ds_pacs"))
    vm, old = pacs.vm("pacs-db01"), pacs.vm("pacs-db01", pacs.old_vc)
    assert task.result == vm.moref
    assert (vm.uuid, vm.nics[0].mac) == (old.uuid, old.nics[0].mac)
    assert vm.instance_uuid != old.instance_uuid
    assert vm.disks == {2000: "[ds_pacs] pacs-db01/pacs-db01.vmdk"}
    assert (vm.power, vm.nics[0].network, vm.nics[0].backing) == ("poweredOff", None, "prod-210")


def test_foreign_distributed_switch_means_nothing(pacs):
    pacs.works(pacs.register("pacs-app01", "ds_pacs"))
    nic, old = pacs.vm("pacs-app01").nics[0], pacs.vm("pacs-app01", pacs.old_vc).nics[0]
    assert nic.network is None
    assert nic.backing == old.backing
    assert pacs.old_vc.networks[old.network].name == "prod-dvs-220"


def test_hosts_share_the_load(pacs):
    for name in ("pacs-db01", "pacs-dicom01"):
        pacs.works(pacs.register(name, "ds_pacs"))
    assert pacs.vm("pacs-db01").host != pacs.vm("pacs-dicom01").host


def register(scene, path, **options):
    given = {"name": None, "folder": "PACS", "pool": "dr", **options}
    return machines.register(scene.world, scene.vc, path, **given)


@pytest.mark.parametrize(
    ("path", "options", "expected"),
    [
        ("[ds_none] a/a.vmx", {}, "InvalidDatastorePath"),
        ("nonsense", {}, "InvalidDatastorePath"),
        ("[ds_pacs] new01/new01.vmx", {}, "NotFound"),
        ("[ds_pacs] pacs-db01/pacs-db01.vmx", {}, "AlreadyExists"),
        ("[ds_pacs] pacs-win01/pacs-win01.vmx", {"name": "pacs-db01"}, "DuplicateName"),
        ("[ds_pacs] pacs-win01/pacs-win01.vmx", {"host": "host-9"}, "InvalidArgument"),
    ],
)
def test_registration_fails(pacs, path, options, expected):
    pacs.works(pacs.register("pacs-db01", "ds_pacs"))
    pacs.faults_with(register(pacs, path, **options), expected)


def test_registration_without_drs_needs_a_host(pacs):
    pacs.vc.clusters["dr"] = False
    path = "[ds_pacs] pacs-db01/pacs-db01.vmx"
    pacs.faults_with(register(pacs, path), "InvalidArgument")
    pacs.works(register(pacs, path, host=pacs.hosts()[1].moref))
    assert pacs.vm("pacs-db01").host == pacs.hosts()[1].moref


def test_hosts_in_maintenance_take_no_vm(pacs):
    for host in pacs.hosts():
        host.maintenance = True
    pacs.faults_with(pacs.register("pacs-db01", "ds_pacs"), "InvalidArgument")


def test_register_duplicate_fault(pacs):
    pacs.world.faults.add("register-duplicate:pacs-db01:once")
    pacs.faults_with(pacs.register("pacs-db01", "ds_pacs"), "AlreadyExists")
    pacs.works(pacs.register("pacs-db01", "ds_pacs"))


def test_vm_created_after_the_last_transfer_is_not_there(scene):
    scene.volume("svm_prod:pacs_vm", "ontap-paris").files["new01/new01.vmx"] = 'displayName = "new01"\n'
    scene.promote("pacs_vm")
    scene.mount("ds_pacs", "/pacs_vm")
    scene.faults_with(scene.register("new01", "ds_pacs"), "NotFound")


def test_disk_on_a_second_datastore_is_an_absolute_path_until_resolved(ris):
    ris.works(ris.register("ris-db01", "ds_ris", "RIS"))
    vm = ris.vm("ris-db01")
    assert vm.disks[2001].startswith("/vmfs/volumes/")
    change = machines.VmChange(extra={"uuid.action": "keep"})
    ris.works(machines.reconfigure(ris.world, ris.vc, vm, change))
    ris.faults_with(machines.power_on(ris.world, ris.vc, vm), "FileNotFound")
    disks = {2001: "[ds_ris_db] ris-db01/ris-db01_1.vmdk"}
    ris.works(machines.reconfigure(ris.world, ris.vc, vm, machines.VmChange(disks=disks)))
    ris.works(machines.power_on(ris.world, ris.vc, vm))
    text = ris.volume("svm_dr:ris_vm_dr").files["ris-db01/ris-db01.vmx"]
    uuid = compute.datastore_uuid(ris.nfs(), "/ris_db")
    assert f"/vmfs/volumes/{uuid}/ris-db01/ris-db01_1.vmdk" in text


def test_missing_iso_does_not_stop_a_vm(scene):
    scene.lose()
    scene.promote("portal_vm")
    scene.mount("ds_portal", "/portal_vm")
    vm = scene.adopt("portal-report01", "ds_portal", "Portal", "dr-200")
    assert vm.cdrom.startswith("/vmfs/volumes/")
    scene.run(vm)


def test_read_only_datastore_does_not_power_on(scene):
    scene.ok(scene.modify("pacs_vm", junction="/pacs_vm", export_policy="esx"))
    scene.mount("ds_pacs", "/pacs_vm")
    scene.works(scene.register("pacs-db01", "ds_pacs"))
    vm = scene.vm("pacs-db01")
    failed = scene.faults_with(machines.power_on(scene.world, scene.vc, vm), "GenericVmConfigFault")
    assert "Read-only file system" in str(failed.detail["reason"])
    change = machines.VmChange(extra={"uuid.action": "keep"})
    scene.faults_with(machines.reconfigure(scene.world, scene.vc, vm, change), "CannotAccessFile")


def test_inaccessible_datastore_does_not_power_on(pacs):
    vm = pacs.adopt("pacs-db01", "ds_pacs", "PACS", "dr-210")
    pacs.world.faults.add("datastore-inaccessible:ds_pacs")
    pacs.faults_with(machines.power_on(pacs.world, pacs.vc, vm), "InaccessibleDatastore")
    assert machines.connection_state(pacs.world, pacs.vc, vm) == "inaccessible"


def test_moved_vm_asks_unless_told_to_keep(pacs):
    pacs.works(pacs.register("pacs-db01", "ds_pacs"))
    vm = pacs.vm("pacs-db01")
    task = machines.power_on(pacs.world, pacs.vc, vm)
    pacs.world.advance(30)
    assert (vm.question, task.state, vm.power) == ("msg.uuid.altered", "running", "poweredOff")
    assert fault(machines.answer, pacs.world, pacs.vc, vm, "button.nonsense") == "InvalidArgument"
    machines.answer(pacs.world, pacs.vc, vm, "button.uuid.movedTheVM")
    assert (vm.question, task.state, vm.power) == (None, "success", "poweredOn")
    assert fault(machines.answer, pacs.world, pacs.vc, vm, "0") == "InvalidArgument"


def test_copied_vm_gets_another_identity(pacs):
    pacs.works(pacs.register("pacs-db01", "ds_pacs"))
    vm = pacs.vm("pacs-db01")
    before = (vm.uuid, vm.nics[0].mac)
    machines.power_on(pacs.world, pacs.vc, vm)
    pacs.world.advance(10)
    machines.answer(pacs.world, pacs.vc, vm, "2")
    assert vm.uuid != before[0]
    assert vm.nics[0].mac != before[1]


def test_cancelled_question_fails_the_task(pacs):
    pacs.works(pacs.register("pacs-db01", "ds_pacs"))
    vm = pacs.vm("pacs-db01")
    task = machines.power_on(pacs.world, pacs.vc, vm)
    pacs.world.advance(10)
    machines.answer(pacs.world, pacs.vc, vm, "0")
    assert (task.state, vm.power) == ("error", "poweredOff")


def test_question_fault(pacs):
    vm = pacs.adopt("pacs-db01", "ds_pacs", "PACS", "dr-210")
    pacs.world.faults.add("vm-question:pacs-db01:once")
    machines.power_on(pacs.world, pacs.vc, vm)
    pacs.world.advance(10)
    assert vm.question == "msg.cdromdisconnect.locked"
    machines.answer(pacs.world, pacs.vc, vm, "button.yes")
    assert vm.power == "poweredOn"


def test_boot_takes_time_and_the_address_comes_from_the_disk(pacs):
    vm = pacs.adopt("pacs-db01", "ds_pacs", "PACS", "dr-210")
    pacs.works(machines.power_on(pacs.world, pacs.vc, vm))
    assert not vm.booted
    assert fault(machines.check_login, pacs.world, vm, "a", "b") == "GuestOperationsUnavailable"
    pacs.world.advance(machines.BOOT_TIME)
    assert (vm.booted, vm.guest_ip) == (True, "127.99.3.81")
    assert machines.trouble(pacs.world, pacs.vc, vm) == ""


def test_windows_boots_slowly(pacs):
    vm = pacs.adopt("pacs-win01", "ds_pacs", "PACS", "dr-210")
    pacs.works(machines.power_on(pacs.world, pacs.vc, vm))
    pacs.world.advance(machines.BOOT_TIME + 1)
    assert not vm.booted
    pacs.world.advance(machines.WINDOWS_BOOT_TIME - machines.BOOT_TIME)
    assert vm.booted


def test_stuck_boot_goes_on_once_lifted(pacs):
    vm = pacs.adopt("pacs-db01", "ds_pacs", "PACS", "dr-210")
    pacs.world.faults.add("vm-stuck-booting:pacs-db01")
    pacs.works(machines.power_on(pacs.world, pacs.vc, vm))
    pacs.world.advance(500)
    assert not vm.booted
    pacs.world.faults.lift("vm-stuck-booting")
    pacs.world.advance(machines.BOOT_TIME)
    assert vm.booted


def test_power_states(pacs):
    vm = pacs.adopt("pacs-db01", "ds_pacs", "PACS", "dr-210")
    assert fault(machines.power_off, pacs.world, pacs.vc, vm) == "InvalidPowerState"
    assert fault(machines.shutdown_guest, pacs.world, pacs.vc, vm) == "InvalidPowerState"
    pacs.works(machines.power_on(pacs.world, pacs.vc, vm))
    assert fault(machines.power_on, pacs.world, pacs.vc, vm) == "InvalidPowerState"
    assert fault(machines.unregister, pacs.world, pacs.vc, vm) == "InvalidPowerState"
    assert fault(machines.shutdown_guest, pacs.world, pacs.vc, vm) == "ToolsUnavailable"
    pacs.world.advance(machines.BOOT_TIME)
    machines.shutdown_guest(pacs.world, pacs.vc, vm)
    assert vm.power == "poweredOn"
    pacs.world.advance(31)
    assert vm.power == "poweredOff"
    machines.unregister(pacs.world, pacs.vc, vm)
    assert vm.moref not in pacs.vc.vms
    assert fault(machines.shutdown_guest, pacs.world, pacs.vc, vm) == "ManagedObjectNotFound"


def test_templates_do_not_power_on(pacs):
    path = "[ds_pacs] pacs-db01/pacs-db01.vmx"
    pacs.works(register(pacs, path, template=True))
    vm = pacs.vm("pacs-db01")
    assert fault(machines.power_on, pacs.world, pacs.vc, vm) == "NotSupported"


def test_reconfiguration_is_guarded_by_the_change_version(pacs):
    pacs.works(pacs.register("pacs-db01", "ds_pacs"))
    vm = pacs.vm("pacs-db01")
    seen = str(vm.change_version)
    change = machines.VmChange(annotation="drctl:run:step")
    pacs.works(machines.reconfigure(pacs.world, pacs.vc, vm, change, change_version=seen))
    again = machines.reconfigure(pacs.world, pacs.vc, vm, change, change_version=seen)
    pacs.faults_with(again, "ConcurrentAccess")
    assert vm.annotation == "drctl:run:step"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (machines.VmChange(nics=(machines.NicChange(4000, "network-none"),)), "InvalidArgument"),
        (machines.VmChange(nics=(machines.NicChange(4099),)), "InvalidArgument"),
        (machines.VmChange(disks={2000: "[ds_pacs] nowhere.vmdk"}), "FileNotFound"),
    ],
)
def test_reconfiguration_fails(pacs, change, expected):
    pacs.works(pacs.register("pacs-db01", "ds_pacs"))
    pacs.faults_with(machines.reconfigure(pacs.world, pacs.vc, pacs.vm("pacs-db01"), change), expected)


@pytest.mark.parametrize("network", ["dr-210", "dr-dvs-220"])
def test_new_backing_is_kept_in_the_vmx(pacs, network):
    vm = pacs.adopt("pacs-db01", "ds_pacs", "PACS", network)
    machines.unregister(pacs.world, pacs.vc, vm)
    pacs.works(pacs.register("pacs-db01", "ds_pacs"))
    again = pacs.vm("pacs-db01")
    assert pacs.vc.networks[again.nics[0].network].name == network
    assert again.extra["uuid.action"] == "keep"


def test_wrong_portgroup_is_silence(pacs):
    vm = pacs.adopt("pacs-db01", "ds_pacs", "PACS", "dr-200")
    pacs.run(vm)
    assert "not of its network dr-200" in machines.trouble(pacs.world, pacs.vc, vm)


def test_disconnected_nic_is_silence(pacs):
    vm = pacs.adopt("pacs-db01", "ds_pacs", "PACS", "dr-210")
    pacs.run(vm)
    change = machines.VmChange(nics=(machines.NicChange(vm.nics[0].key, connected=False),))
    pacs.works(machines.reconfigure(pacs.world, pacs.vc, vm, change))
    assert "no network" in machines.trouble(pacs.world, pacs.vc, vm)


def test_guest_address_set_once_survives_a_restart(scene):
    scene.lose()
    scene.promote("portal_vm")
    scene.mount("ds_portal", "/portal_vm")
    vm = scene.adopt("portal-web01", "ds_portal", "Portal", "dr-dmz")
    scene.run(vm)
    assert "not of its network" in machines.trouble(scene.world, scene.vc, vm)
    account = scene.world.estate.guest_login
    assert fault(machines.check_login, scene.world, vm, "who", "what") == "InvalidGuestLogin"
    machines.check_login(scene.world, vm, *account)
    machines.set_guest_ip(scene.world, vm, "127.99.2.131")
    assert machines.trouble(scene.world, scene.vc, vm) == ""
    scene.works(machines.power_off(scene.world, scene.vc, vm))
    assert vm.guest_ip is None
    scene.run(vm)
    assert vm.guest_ip == "127.99.2.131"
    assert fault(machines.set_guest_ip, scene.world, vm, "nonsense") == "InvalidArgument"


def test_twins_on_one_network_are_seen(scene):
    """Production still runs: the same guest started at the standby has the same address and MAC."""
    scene.promote("pacs_vm")
    scene.mount("ds_pacs", "/pacs_vm")
    vm = scene.adopt("pacs-db01", "ds_pacs", "PACS", "dr-210")
    scene.run(vm)
    assert machines.duplicates(scene.world, scene.vc, vm) == [scene.vm("pacs-db01", scene.old_vc)]
    assert "has the address or MAC of pacs-db01 at vc-paris" in machines.trouble(scene.world, scene.vc, vm)
    scene.world.faults.add("site-partition:paris")
    assert machines.trouble(scene.world, scene.vc, vm) == ""


def test_vmx_texts_survive_reading_and_writing():
    text = vmx.VmxText(
        "a01",
        "f2217eec-4cca-56ad-9f57-a7e099943b2d",
        "windows2019srv-64",
        (vmx.NicText(0, "00:50:56:01:02:03", "net"), vmx.NicText(1, "00:50:56:01:02:04", switch="50 2a", portgroup="dvportgroup-1")),
        {2000: "a01.vmdk", 2001: "/vmfs/volumes/x-y/a01/a01_1.vmdk"},
        "f2217eec-4cca-56ad-9f57-a7e099943b2d",
        "/vmfs/volumes/iso/tools.iso",
        {"uuid.action": "keep"},
    )  # fmt: skip
    assert vmx.read(vmx.write(text)) == text
    assert vmx.read("") == vmx.VmxText("", "", "other")
    assert vmx.disk_key(vmx.disk_device(2017)) == 2017
    with pytest.raises(ValueError, match="slot"):
        vmx.disk_key("floppy0")


def test_hundreds_of_vms_are_judged_in_one_view(scene):
    """One question about an estate looks at each VM once, not at each pair."""
    old = scene.old_vc
    view = machines.View(scene.world)
    assert [view.trouble(old, vm) for vm in old.vms.values()] == [""] * 12
    assert view.named("pacs-db01") == [(old, scene.vm("pacs-db01", old))]
    assert view.named("nobody") == []
