"""The vsphere provider in a whole failover against the lab: the right order, wrong orders, many at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from contract import Example
from vcenter import Patient

from drctl.core.action import Missing
from drctl.core.probe import Level, Probe
from drctl.core.problem import ProviderError
from drctl.core.provider import Access
from drctl.lab import compute

STORES = {
    "ds_ris": ("ris_vm", "198.51.100.20"),
    "ds_ris_db": ("ris_db", "198.51.100.20"),
    "ds_pacs": ("pacs_vm", "198.51.100.20"),
    "ds_portal": ("portal_vm", "198.51.100.20"),
}
HOSTS = ["198.51.100.31", "198.51.100.32"]
ANY = Example("vsphere.vm.power_off", "vc-lyon", {"vm": "none"})


def promote(stand, volume, *, broken=True):
    svm = {"svm": "svm_dr", "volume": f"{volume}_dr"}
    if broken:
        stand.run(stand.build("ontap.snapmirror.break", {"destination": f"svm_dr:{volume}_dr"}), "ontap-lyon")
    stand.run(stand.build("ontap.volume.mount", {**svm, "junction": f"/{volume}"}), "ontap-lyon")
    stand.run(stand.build("ontap.volume.export", {**svm, "policy": "esx", "clients": HOSTS}), "ontap-lyon")


def mounting(stand, store):
    volume, server = STORES[store]
    return stand.build(
        "vsphere.datastore.mount_nfs",
        {"datastore": store, "nfs_server": server, "path": f"/{volume}", "cluster": "dr"},
    )


def mount(stand, *stores, broken=True):
    for store in stores:
        promote(stand, STORES[store][0], broken=broken)
        stand.run(mounting(stand, store), "vc-lyon")


def recovered(stand):
    """Every VM of the inventory with the fields its steps need, as a runbook has them."""
    for name, service in stand.inventory["services"].items():
        for vm in service.get("vms", ()):
            yield name, vm


def steps(stand, vm):
    here = vm["at"]["lyon"]
    registration = {
        "vm": vm["name"],
        "datastore": vm["datastore"],
        "vmx": vm["vmx"],
        "folder": here["folder"],
        "pool": here["pool"],
        "also_on": vm.get("also_on", []),
    }
    return [
        stand.build("vsphere.vm.register", registration),
        stand.build("vsphere.vm.connect_networks", {"vm": vm["name"], "networks": here["networks"]}),
        stand.build("vsphere.vm.power_on", {"vm": vm["name"], "wait_for": "tools"}),
    ]


def carry_out(action, client, control=None):
    control = control or Patient(limit=60)
    change = action.diff(action.read(client))
    if change is not None:
        action.apply(client, change, control)
        assert action.diff(action.read(client)) is None
    return control


def look(stand, uses, arguments):
    found = stand.registry.find(uses)
    assert issubclass(found, Probe)
    probe = found.model_validate(arguments)
    with stand.connect(Access.READ, "vc-lyon") as client:
        return probe.judge(probe.observe(client))


def lyon(stand):
    return stand.world.estate.vcenters["vc-lyon"]


def find_vm(stand, name):
    return next(vm for vm in lyon(stand).vms.values() if vm.name == name)


def test_twelve_vms_come_up_at_once_and_a_second_run_changes_nothing(bench):
    stand = bench(ANY)
    mount(stand, *STORES)
    vms = [vm for _, vm in recovered(stand)]
    with stand.connect(Access.WRITE, "vc-lyon") as client:

        def recover(vm):
            return [carry_out(action, client) for action in steps(stand, vm)]

        with ThreadPoolExecutor(16) as pool:
            told = list(pool.map(recover, vms))
        assert all(control.handles for controls in told for control in controls[:1])
        with stand.world.lock:
            assert {vm.name for vm in lyon(stand).vms.values() if vm.booted} == {vm["name"] for vm in vms}
            nics = {
                (vm.name, lyon(stand).networks[nic.network].name)
                for vm in lyon(stand).vms.values()
                for nic in vm.nics
            }
        assert nics == {
            (vm["name"], network) for vm in vms for network in vm["at"]["lyon"]["networks"].values()
        }
        before = stand.mutations()
        for vm in vms:
            assert [action.diff(action.read(client)) for action in steps(stand, vm)] == [None] * 3
        assert stand.mutations() == before
    with stand.world.lock:
        paris = stand.world.estate.vcenters["vc-paris"]
        macs = {vm.name: [nic.mac for nic in vm.nics] for vm in paris.vms.values()}
        assert {vm.name: [nic.mac for nic in vm.nics] for vm in lyon(stand).vms.values()} == macs


def test_disks_of_the_other_site_are_found_on_both_datastores(bench):
    stand = bench(ANY)
    mount(stand, "ds_ris", "ds_ris_db")
    vm = next(vm for _, vm in recovered(stand) if vm["name"] == "ris-db01")
    with stand.connect(Access.WRITE, "vc-lyon") as client:
        carry_out(steps(stand, vm)[0], client)
    with stand.world.lock:
        paths = sorted(find_vm(stand, "ris-db01").disks.values())
    assert {path.partition("]")[0] for path in paths} == {"[ds_ris", "[ds_ris_db"}


def test_a_disk_that_is_nowhere_refuses_the_step_until_its_datastore_is_there(bench):
    stand = bench(ANY)
    mount(stand, "ds_ris")
    vm = next(vm for _, vm in recovered(stand) if vm["name"] == "ris-db01")
    action = steps(stand, vm)[0]
    with stand.connect(Access.WRITE, "vc-lyon") as client:
        with pytest.raises(ProviderError) as caught:
            action.apply(client, action.diff(action.read(client)), Patient())
        assert caught.value.problem.code == "unresolved-disk"
        assert "ris-db01" in caught.value.problem.summary
        assert "is not on ds_ris, ds_ris_db" in caught.value.problem.summary
        mount(stand, "ds_ris_db")
        carry_out(action, client)


def test_register_before_mount_misses_the_datastore(bench):
    stand = bench(ANY)
    vm = next(vm for _, vm in recovered(stand) if vm["name"] == "pacs-db01")
    with stand.connect(Access.READ, "vc-lyon") as client:
        for action, missing in zip(
            steps(stand, vm), ["datastore ds_pacs", "vm pacs-db01", "vm pacs-db01"], strict=True
        ):
            with pytest.raises(Missing) as caught:
                action.diff(action.read(client))
            assert str(caught.value.object) == missing


def test_power_on_before_break_fails_on_the_read_only_volume(bench):
    stand = bench(ANY)
    mount(stand, "ds_pacs", broken=False)
    vm = next(vm for _, vm in recovered(stand) if vm["name"] == "pacs-db01")
    with stand.connect(Access.WRITE, "vc-lyon") as client:
        register, _, power = steps(stand, vm)
        try:
            carry_out(register, client)
            carry_out(power, client)
        except ProviderError as error:
            said = f"{error.problem.summary} {error.problem.detail} {error.problem.hint}"
            assert "ead-only" in said
        else:
            pytest.fail("a VM started on a read-only volume")


def test_mount_before_export_says_which_host_and_why(bench):
    stand = bench(ANY)
    action = mounting(stand, "ds_pacs")
    with stand.connect(Access.WRITE, "vc-lyon") as client, pytest.raises(ProviderError) as caught:
        action.apply(client, action.diff(action.read(client)), Patient())
    problem = caught.value.problem
    assert f"{action.export} on esx" in problem.summary
    assert "export" in problem.hint


def test_a_host_that_is_away_is_reported_and_left_out(bench):
    stand = bench(ANY)
    with stand.world.lock:
        away = min(lyon(stand).hosts.values(), key=lambda host: host.name)
        away.connected = False
    mount(stand, "ds_pacs")
    action = mounting(stand, "ds_pacs")
    with stand.connect(Access.READ, "vc-lyon") as client:
        assert action.outputs(action.read(client)) == {
            "datastore": "ds_pacs",
            "unmounted_hosts": [away.name],
        }
    finding = look(stand, "vsphere.hosts.connected", {"cluster": "dr"})
    assert finding.level is Level.WARNING
    assert any(away.name in detail for detail in finding.details)


def test_hosts_that_may_mount_no_more_are_found_before_the_day_and_named_on_it(bench):
    stand = bench(ANY)
    mount(stand, "ds_ris")
    question = {"cluster": "dr", "datastores": ["ds_ris", "ds_pacs", "ds_portal"]}
    assert look(stand, "vsphere.hosts.nfs_room", question).level is Level.OK
    with stand.world.lock:
        full = min(lyon(stand).hosts.values(), key=lambda host: host.name)
        full.nfs_volumes = 2
    finding = look(stand, "vsphere.hosts.nfs_room", question)
    assert (finding.level, finding.impossible) == (Level.BLOCKER, True)
    assert finding.details == (
        f"{full.name}: 1 NFS datastores mounted, ds_pacs, ds_portal to come, NFS.MaxVolumes is 2",
    )
    mount(stand, "ds_pacs")
    with pytest.raises(ProviderError) as caught:
        mount(stand, "ds_portal")
    assert f"on {full.name}" in caught.value.problem.summary
    assert "maximum number of NFS datastores, 2" in caught.value.problem.summary
    assert "NFS.MaxVolumes" in caught.value.problem.hint


def test_nfs_41_mounts_do_not_count_and_hosts_that_are_away_are_not_asked(bench):
    stand = bench(ANY)
    mount(stand, "ds_ris")
    question = {"cluster": "dr", "datastores": ["ds_pacs"]}
    with stand.world.lock:
        away, here = sorted(lyon(stand).hosts.values(), key=lambda host: host.name)
        away.connected, away.nfs_volumes, here.nfs_volumes = False, 0, 1
    assert look(stand, "vsphere.hosts.nfs_room", question).level is Level.BLOCKER
    with stand.world.lock:
        next(iter(lyon(stand).datastores.values())).version = "NFS41"
    assert look(stand, "vsphere.hosts.nfs_room", question).level is Level.OK


def test_another_export_under_the_name_is_not_taken_for_ours(bench):
    stand = bench(ANY)
    mount(stand, "ds_pacs")
    promote(stand, "portal_vm")
    clash = mounting(stand, "ds_portal").model_copy(update={"datastore": "ds_pacs"})
    with stand.connect(Access.READ, "vc-lyon") as client, pytest.raises(ProviderError) as caught:
        clash.diff(clash.read(client))
    assert caught.value.problem.code == "name-taken"
    assert "/pacs_vm" in caught.value.problem.summary


def test_a_datastore_under_another_name_is_ours_by_its_export(bench):
    stand = bench(ANY)
    mount(stand, "ds_pacs")
    with stand.world.lock:
        store = next(iter(lyon(stand).datastores.values()))
        store.name = "ds_pacs (1)"
    action = mounting(stand, "ds_pacs")
    with stand.connect(Access.WRITE, "vc-lyon") as client:
        control = carry_out(action, client)
    assert control.overrides == [f"rename datastore ds_pacs (1) to ds_pacs: it is {action.export}"]


def test_further_hosts_mount_an_export_as_the_first_one_spells_it(bench):
    """ESXi makes a datastore's identity of server and path to the letter: one slash more is another one."""
    stand = bench(ANY)
    promote(stand, "pacs_vm")
    action = mounting(stand, "ds_pacs")
    with stand.world.lock:
        center = lyon(stand)
        first = next(iter(center.hosts.values()))
        compute.mount_nfs(stand.world, center, first, "ds_pacs", action.nfs_server, f"{action.path}/")
    with stand.connect(Access.WRITE, "vc-lyon") as client:
        carry_out(action, client)
        assert action.diff(action.read(client)) is None
    with stand.world.lock:
        [store] = lyon(stand).datastores.values()
        assert [store.moref in host.mounts for host in lyon(stand).hosts.values()] == [True, True]


def test_an_export_mounted_with_another_version_of_nfs_is_not_mounted_beside_it(bench):
    stand = bench(ANY)
    promote(stand, "pacs_vm")
    action = mounting(stand, "ds_pacs")
    with stand.world.lock:
        center = lyon(stand)
        first = next(iter(center.hosts.values()))
        store = compute.mount_nfs(stand.world, center, first, "ds_pacs", action.nfs_server, action.path)
        store.version = "NFS41"
    with stand.connect(Access.READ, "vc-lyon") as client, pytest.raises(ProviderError, match="version 3"):
        action.diff(action.read(client))


def test_probes_see_what_the_precheck_asks_for(bench):
    stand = bench(ANY)
    mount(stand, "ds_pacs")
    where = {"datastore": "ds_pacs", "cluster": "dr"}
    assert look(stand, "vsphere.datastore.accessible", where).level is Level.OK
    stand.world.faults.add("datastore-inaccessible:ds_pacs")
    finding = look(stand, "vsphere.datastore.accessible", where)
    assert (finding.level, finding.impossible) == (Level.BLOCKER, True)
    stand.world.faults.lift("datastore-inaccessible:ds_pacs")
    unregistered = look(stand, "vsphere.inventory.complete", {"datastore": "ds_pacs", "vms": []})
    assert unregistered.level is Level.WARNING
    assert "pacs-db01/pacs-db01.vmx is registered nowhere in this vCenter" in unregistered.details
