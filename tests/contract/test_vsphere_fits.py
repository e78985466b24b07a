"""What would keep a machine from running: seen before the day at its home, refused on the day elsewhere."""

from __future__ import annotations

import pytest
from contract import Example

from drctl.core.probe import Level
from drctl.core.problem import ProviderError
from drctl.core.provider import Access
from drctl.lab import fitting, vmx
from drctl.lab.compute import backing_volume, find_datastore, split_path
from drctl.providers.vsphere.fits import Fits

OFF = Example("vsphere.vm.power_off", "vc-paris", {"vm": "pacs-db01"})
ON = Example("vsphere.vm.power_on", "vc-paris", {"vm": "pacs-db01", "wait_for": "none"}, after=(OFF,))
THERE = {"hardware": 19, "datastores": ("ds_pacs", "ds_ris", "ds_ris_db", "ds_portal")}


@pytest.fixture
def stand(bench):
    return bench(ON)


def paris(stand):
    return stand.world.estate.vcenters["vc-paris"]


def machine(stand, name="pacs-db01"):
    return next(vm for vm in paris(stand).vms.values() if vm.name == name)


def look(stand, vm="pacs-db01", **told):
    with stand.connect(Access.READ) as client:
        probe = Fits.model_validate({"vm": vm, **THERE, **told})
        return probe.judge(probe.observe(client))


def newer(stand):
    machine(stand).hardware = 21


def with_tpm(stand):
    machine(stand).vtpm = True


def on_a_lun(stand):
    path = machine(stand).disks[vmx.FIRST_DISK]
    datastore = find_datastore(paris(stand), split_path(path)[0])
    assert datastore is not None
    volume = backing_volume(stand.world, datastore)
    assert volume is not None
    volume.files[split_path(path)[1]] = fitting.mapping("naa.600a0980")


TROUBLES = pytest.mark.parametrize(
    ("made", "impossible", "said", "code"),
    [
        (newer, True, "version 21", "vsphere-virtual-hardware-version-not-supported"),
        (with_tpm, True, "virtual TPM", "vsphere-encryption-key-required"),
        (on_a_lun, False, "Hard disk 1 maps a LUN", "vsphere-device-backing-not-supported"),
    ],
)


@TROUBLES
def test_what_the_probe_blocks_is_what_a_host_refuses(stand, made, impossible, said, code):
    with stand.world.lock:
        made(stand)
    finding = look(stand)
    assert (finding.level, finding.impossible) == (Level.BLOCKER, impossible)
    assert said in finding.summary
    with stand.connect(Access.WRITE) as client:
        change = stand.action.diff(stand.action.read(client))
        assert change is not None
        with pytest.raises(ProviderError) as refused:
            stand.action.apply(client, change, stand.control())
    assert refused.value.problem.code == code
    assert refused.value.problem.hint


@pytest.mark.parametrize("made", [newer, with_tpm, on_a_lun])
def test_where_the_other_side_has_what_it_needs_it_starts(stand, made):
    with stand.world.lock:
        made(stand)
        paris(stand).key_provider = True
        for host in paris(stand).hosts.values():
            host.hardware, host.luns = 21, {"naa.600a0980"}
    stand.run(stand.action)
    assert machine(stand).power == "poweredOn"


@pytest.mark.parametrize("drive", ["cdrom", "floppy"])
def test_an_image_on_a_datastore_that_is_not_there_is_a_warning(stand, drive):
    with stand.world.lock:
        setattr(machine(stand), drive, "[ds_iso] tools.img")
    finding = look(stand)
    assert finding.level is Level.WARNING
    assert "[ds_iso] tools.img" in finding.summary
    assert look(stand, datastores=("ds_iso", "ds_pacs")).level is Level.OK


@pytest.mark.parametrize("drive", ["cdrom", "floppy"])
def test_an_image_that_comes_with_every_host_is_none(stand, drive):
    with stand.world.lock:
        setattr(machine(stand), drive, "[] /usr/lib/vmware/isoimages/linux.iso")
    assert look(stand).level is Level.OK


def test_all_machines_are_asked_about_at_once(stand):
    names = sorted(vm.name for vm in paris(stand).vms.values())
    sent: list[bytes] = []
    with stand.connect(Access.READ) as client:
        stub = client.read("session", lambda wire: wire.content.rootFolder._stub)
        stub.requestModifierList.append(lambda request: sent.append(request) or request)
        probes = [Fits.model_validate({"vm": name, **THERE}) for name in [*names, "nobody"]]
        seen = Fits.observe_many(probes, client)
        assert len(sent) <= 3
    assert [one.values["registered"] for one in seen] == [True] * len(names) + [False]
    assert {one.values.get("hardware") for one in seen[:-1]} == {19}


def test_the_vmx_carries_it_to_the_other_side():
    told = vmx.VmxText("db", "", "debian12-64", floppy="boot.flp", hardware=21, vtpm=True)
    again = vmx.read(vmx.write(told))
    assert (again.floppy, again.hardware, again.vtpm) == ("boot.flp", 21, True)
