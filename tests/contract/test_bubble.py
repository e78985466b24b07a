"""A drill's compute against the lab: each action's own substitute, the way in, and nothing left behind."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from contract import Example
from vcenter import Patient

from drctl.core.action import MARK, OUTPUT, Missing, NotExercised, Recipe
from drctl.core.bubble import Bubble
from drctl.core.probe import Finding, Level
from drctl.core.problem import ProviderError
from drctl.core.provider import Access
from drctl.lab import vmx
from drctl.lab.compute import datastore_uuid

LYON = "vc-lyon"
WAY_IN = "edge-bubble-lyon"
HOSTS = ["198.51.100.31", "198.51.100.32"]
ANY = Example("vsphere.vm.power_off", LYON, {"vm": "none"})
EMPTY = {"suffix": "-drill", "folder": "DRILL", "junction_prefix": "/drill_"}


def bubble_of(stand) -> Bubble:
    told = stand.inventory["bubble"]["lyon"]
    return Bubble(site="lyon", run_id="contract", **told)


def store(stand, name, volume, **mount):
    """The clone that a drill makes of a mirror, exported, mounted and a datastore."""
    clone = f"{volume}_dr_drill"
    svm = {"svm": "svm_dr"}
    made = {**svm, "parent": f"{volume}_dr", "clone": clone, "policy": clone}
    stand.run(stand.build("ontap.volume.clone", made), "ontap-lyon")
    exported = {**svm, "volume": clone, "policy": clone, "clients": HOSTS}
    stand.run(
        stand.build("ontap.volume.mount", {**svm, "volume": clone, "junction": f"/drill_{volume}"}),
        "ontap-lyon",
    )
    stand.run(stand.build("ontap.volume.export", exported), "ontap-lyon")
    real = {"datastore": name, "nfs_server": "198.51.100.20", "path": f"/{volume}", "cluster": "dr"}
    return drilled(stand, "vsphere.datastore.mount_nfs", {**real, **mount})


def substitute(stand, uses, arguments):
    found = stand.build(uses, arguments).in_drill(bubble_of(stand))
    assert isinstance(found, Recipe)
    return stand.undo(found)


def drilled(stand, uses, arguments, control=None):
    """Run an action's substitute to its end; return how to undo it, as the engine fills it in."""
    action = substitute(stand, uses, arguments)
    control = control or stand.control()
    with stand.connect(Access.WRITE, LYON) as client:
        before = action.read(client)
        change = action.diff(before)
        assert change is not None
        recipe = action.undo(before, change)
        action.apply(client, change, control)
        assert stand.left_to_do(action, client) is None
        outputs = action.outputs(action.read(client))
    if recipe is None:
        return None
    known = {name: control.mark if value == MARK else value for name, value in recipe.arguments.items()}
    known = {
        name: outputs[value.removeprefix(OUTPUT)] if str(value).startswith(OUTPUT) else value
        for name, value in known.items()
    }
    return Recipe(recipe.uses, known)


def compute(stand, vm):
    """Everything a runbook does to one VM, in a drill; return the undo recipes, newest first."""
    here = vm["at"]["lyon"]
    registration = {key: vm[key] for key in ("datastore", "vmx", "also_on") if key in vm}
    place = {"folder": here["folder"], "pool": here["pool"]}
    steps = [
        ("vsphere.vm.register", {"vm": vm["name"], **registration, **place}),
        ("vsphere.vm.connect_networks", {"vm": vm["name"], "networks": here["networks"]}),
        ("vsphere.vm.power_on", {"vm": vm["name"], "wait_for": "tools"}),
    ]
    control = Patient()
    undone = [drilled(stand, uses, arguments, control) for uses, arguments in steps]
    return [recipe for recipe in reversed(undone) if recipe is not None]


def inventoried(stand, service):
    return {vm["name"]: vm for vm in stand.inventory["services"][service]["vms"]}


def undo(stand, recipes):
    for recipe in recipes:
        stand.run(stand.undo(recipe), LYON)


def ask(stand, uses, arguments, endpoint=LYON) -> Finding:
    probe = stand.registry.find(uses).model_validate(arguments)
    with stand.connect(Access.READ, endpoint) as client:
        return probe.judge(probe.observe(client))


def check(stand, service, name) -> Finding:
    """A service's own check as a drill asks it."""
    told = next(one for one in stand.inventory["services"][service]["checks"] if one["name"] == name)
    probe = stand.registry.find(told["uses"]).model_validate(told["with"])
    recipe = probe.in_drill(bubble_of(stand))
    assert isinstance(recipe, Recipe)
    assert recipe.endpoint == WAY_IN
    return ask(stand, recipe.uses, recipe.arguments, WAY_IN)


def vms(stand, endpoint=LYON):
    with stand.world.lock:
        return {vm.name: vm for vm in stand.world.estate.vcenters[endpoint].vms.values()}


@pytest.fixture
def stand(bench):
    return bench(ANY)


@pytest.fixture
def ris(stand):
    """The RIS in the bubble; yields the stand and how to undo it, newest first."""
    stores = [store(stand, "ds_ris", "ris_vm"), store(stand, "ds_ris_db", "ris_db")]
    done = [recipe for vm in inventoried(stand, "ris").values() for recipe in compute(stand, vm)]
    return stand, [*done, *stores]


def test_a_drill_of_a_service_and_back(ris):
    stand, recipes = ris
    production = {name: (vm.power, vm.moref) for name, vm in vms(stand, "vc-paris").items()}
    copies = vms(stand)
    assert set(copies) == {f"{name}-drill" for name in inventoried(stand, "ris")}
    for vm in copies.values():
        paths = (vm.vmx, *vm.disks.values())
        assert all(path.partition("]")[0].endswith("-drill") for path in paths)
        assert vm.folder == "DRILL"
    assert check(stand, "ris", "api").level is Level.OK
    left = ask(stand, "vsphere.bubble.empty", EMPTY)
    assert left.level is Level.BLOCKER
    assert len(left.details) == 5
    undo(stand, recipes)
    assert ask(stand, "vsphere.bubble.empty", EMPTY).level is Level.OK
    assert vms(stand) == {}
    assert {name: (vm.power, vm.moref) for name, vm in vms(stand, "vc-paris").items()} == production
    assert not any("Destroy" in call for _, call, _ in stand.mutations())


def test_undoing_twice_and_late_finds_nothing(ris):
    stand, recipes = ris
    undo(stand, recipes)
    before = stand.mutations()
    stand.world.advance(3 * 86400)
    undo(stand, recipes)
    assert stand.mutations() == before


def test_checks_inside_fail_while_copies_are_down(stand):
    finding = check(stand, "ris", "api")
    assert finding.level is Level.BLOCKER
    assert "the way in cannot connect" in finding.summary
    assert check(stand, "directory", "ldap").level is Level.OK


def test_a_service_that_works_badly_is_seen_from_inside(ris):
    stand, _ = ris
    stand.world.faults.add("app-degraded:ris")
    assert "status 503" in check(stand, "ris", "api").summary


def test_nothing_inside_is_reached_from_outside(ris):
    stand, _ = ris
    with stand.world.lock:
        addresses = [vm.guest_ip for vm in stand.world.estate.vcenters[LYON].vms.values()]
    for address in addresses:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, 10443), 5)


def test_the_way_in_leads_nowhere_but_inside(stand):
    """Production works, and the way in does not reach it; another host forwards nothing at all."""
    with stand.world.lock:
        address, port, _ = stand.world.estate.applications["ris"].addresses["paris"][0]
    asked = {"host": "ris.teleradio.example", "port": port, "address": address}
    assert ask(stand, "ssh.tcp", asked, WAY_IN).level is Level.BLOCKER
    with pytest.raises(ProviderError) as refused:
        ask(stand, "ssh.tcp", asked, "edge-lyon")
    assert refused.value.problem.code == "ssh-no-forwarding"


def test_the_name_is_verified_through_the_way_in(ris):
    stand, _ = ris
    told = stand.inventory["services"]["ris"]["checks"][0]["with"]
    inside = bubble_of(stand).address("ris.teleradio.example")
    other = told["url"].replace("ris.teleradio.example", "other.example")
    finding = ask(stand, "ssh.http", {"url": other, "address": inside, "ca_file": told["ca_file"]}, WAY_IN)
    assert "certificate is not valid" in finding.summary


def test_without_a_way_in_a_check_is_not_exercised(stand):
    told = stand.inventory["services"]["ris"]["checks"][0]
    probe = stand.registry.find(told["uses"]).model_validate(told["with"])
    bubble = bubble_of(stand)
    for lacking in ({"via": None}, {"addresses": {}}):
        found = probe.in_drill(Bubble(**{**vars(bubble), **lacking}))
        assert isinstance(found, NotExercised)
        assert "answered by production" in found.reason


@contextmanager
def registered(stand) -> Iterator[Recipe]:
    store(stand, "ds_pacs", "pacs_vm")
    vm = inventoried(stand, "pacs")["pacs-db01"]
    place = {"datastore": "ds_pacs", "vmx": vm["vmx"], "folder": "PACS", "pool": "dr"}
    undone = drilled(stand, "vsphere.vm.register", {"vm": "pacs-db01", **place})
    assert undone is not None
    yield undone


def test_another_vm_under_the_same_name_is_left_alone(stand):
    """Somebody unregistered ours and registered it again: the name fits, the id does not."""
    with registered(stand) as recipe:
        place = {
            "datastore": "ds_pacs-drill",
            "vmx": "pacs-db01/pacs-db01.vmx",
            "folder": "DRILL",
            "pool": "dr",
        }
        stand.run(stand.build("vsphere.vm.unregister", {"vm": "pacs-db01-drill"}), LYON)
        stand.run(stand.build("vsphere.vm.register", {"vm": "pacs-db01-drill", **place}), LYON)
        before = stand.mutations()
        undo(stand, [recipe])
        assert stand.mutations() == before
        assert "pacs-db01-drill" in vms(stand)
        nobody_knows = {name: value for name, value in recipe.arguments.items() if name != "moref"}
        undo(stand, [Recipe(recipe.uses, {**nobody_knows, "mark": "drctl:other:step"})])
        assert stand.mutations() == before


def test_a_registration_whose_end_is_not_journaled_is_undone_by_its_mark(stand):
    with registered(stand) as recipe:
        known = {name: value for name, value in recipe.arguments.items() if name != "moref"}
        undo(stand, [Recipe(recipe.uses, known)])
        assert "pacs-db01-drill" not in vms(stand)


def test_the_mark_of_an_earlier_run_in_the_replicated_notes_gives_way_to_ours(stand):
    store(stand, "ds_pacs", "pacs_vm")
    with stand.world.lock:
        volumes = stand.world.estate.clusters["ontap-lyon"].volumes.values()
        files = next(v for v in volumes if v.name == "pacs_vm_dr_drill").files
        files["pacs-db01/pacs-db01.vmx"] = vmx.edit(
            files["pacs-db01/pacs-db01.vmx"],
            {"annotation": "kept|0Adrctl:earlier:step", "uuid.action": "keep"},
        )
    place = {"datastore": "ds_pacs", "vmx": "pacs-db01/pacs-db01.vmx", "folder": "PACS", "pool": "dr"}
    recipe = drilled(stand, "vsphere.vm.register", {"vm": "pacs-db01", **place})
    assert recipe is not None
    assert vms(stand)["pacs-db01-drill"].annotation == "kept\ndrctl:contract:step"
    undo(stand, [Recipe(recipe.uses, {n: v for n, v in recipe.arguments.items() if n != "moref"})])
    assert vms(stand) == {}


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"datastore": "ds_other-drill"}, "vm-not-ours"),
        ({"export": "198.51.100.20:/pacs_vm"}, "vm-not-ours"),
        ({"vcenter": "another"}, "vcenter-replaced"),
    ],
)
def test_an_id_that_means_another_vm_by_now_is_refused(stand, wrong, code):
    with registered(stand) as recipe:
        with pytest.raises(ProviderError) as refused:
            undo(stand, [Recipe(recipe.uses, {**recipe.arguments, **wrong})])
        assert refused.value.problem.code == code
        assert "pacs-db01-drill" in vms(stand)


def test_a_copy_is_not_started_on_a_network_of_production(stand):
    with registered(stand):
        outside = {"vm": "pacs-db01-drill", "networks": {"Network adapter 1": "dr-210"}}
        stand.run(stand.build("vsphere.vm.connect_networks", outside), LYON)
        start = substitute(stand, "vsphere.vm.power_on", {"vm": "pacs-db01", "wait_for": "none"})
        with stand.connect(Access.READ, LYON) as client, pytest.raises(ProviderError) as refused:
            start.diff(start.read(client))
        assert refused.value.problem.code == "network-outside"


def test_a_copy_starts_beside_the_running_machine_whose_mac_it_has(stand):
    """On purpose the same MAC address in the same vCenter, but a network of its own."""
    with registered(stand):
        networks = {"Network adapter 1": "dr-210"}
        drilled(stand, "vsphere.vm.connect_networks", {"vm": "pacs-db01", "networks": networks})
        with stand.world.lock:
            center = stand.world.estate.vcenters[LYON]
            copied = next(iter(center.vms.values()))
            real = next(n for n in center.networks.values() if n.name == "dr-210")
            nics = [replace(nic, network=real.moref) for nic in copied.nics]
            center.vms["vm-77"] = replace(
                copied, moref="vm-77", name="pacs-db01", power="poweredOn", nics=nics
            )
        drilled(stand, "vsphere.vm.power_on", {"vm": "pacs-db01", "wait_for": "none"})
        assert vms(stand)["pacs-db01-drill"].power == "poweredOn"


def test_a_copy_gets_no_disk_of_production(stand):
    """The real datastore is there under the very path that the .vmx names: the copy's disk is its clone's."""
    for volume in ("ris_vm", "ris_db"):
        svm = {"svm": "svm_dr", "volume": f"{volume}_dr"}
        stand.run(stand.build("ontap.volume.mount", {**svm, "junction": f"/{volume}"}), "ontap-lyon")
        stand.run(
            stand.build("ontap.volume.export", {**svm, "policy": "esx", "clients": HOSTS}), "ontap-lyon"
        )
    real = {"datastore": "ds_ris_db", "nfs_server": "198.51.100.20", "path": "/ris_db", "cluster": "dr"}
    stand.run(stand.build("vsphere.datastore.mount_nfs", {**real, "read_only": True}), LYON)
    store(stand, "ds_ris", "ris_vm")
    store(stand, "ds_ris_db", "ris_db")
    clone = next(
        v for v in stand.world.estate.clusters["ontap-lyon"].volumes.values() if v.name == "ris_vm_dr_drill"
    )
    with stand.world.lock:
        center = stand.world.estate.vcenters[LYON]
        known = next(d for d in center.datastores.values() if d.name == "ds_ris_db")
        text = clone.files["ris-db01/ris-db01.vmx"]
        old = text.partition("/vmfs/volumes/")[2].partition("/")[0]
        clone.files["ris-db01/ris-db01.vmx"] = text.replace(old, datastore_uuid(known.server, known.path))
    vm = inventoried(stand, "ris")["ris-db01"]
    place = {"datastore": "ds_ris", "vmx": vm["vmx"], "also_on": vm["also_on"], "folder": "RIS", "pool": "dr"}
    drilled(stand, "vsphere.vm.register", {"vm": "ris-db01", **place})
    disks = vms(stand)["ris-db01-drill"].disks.values()
    assert {path.partition("]")[0][1:] for path in disks} == {"ds_ris-drill", "ds_ris_db-drill"}


def test_a_datastore_is_unmounted_by_its_export_whatever_its_name(stand):
    recipe = store(stand, "ds_pacs", "pacs_vm")
    assert recipe is not None
    with stand.world.lock:
        center = stand.world.estate.vcenters[LYON]
        next(d for d in center.datastores.values()).name = "renamed"
    undo(stand, [recipe])
    assert not center.datastores


def test_a_datastore_with_a_copy_on_it_is_not_unmounted(stand):
    recipe = store(stand, "ds_pacs", "pacs_vm")
    assert recipe is not None
    place = {"datastore": "ds_pacs", "vmx": "pacs-db01/pacs-db01.vmx", "folder": "PACS", "pool": "dr"}
    drilled(stand, "vsphere.vm.register", {"vm": "pacs-db01", **place})
    with pytest.raises(Missing, match="pacs-db01-drill"):
        undo(stand, [recipe])


def test_what_serves_production_is_left_alone(stand):
    bubble = bubble_of(stand)
    for uses, arguments in (
        ("vsphere.vm.power_off", {"vm": "pacs-db01"}),
        ("vsphere.vm.shutdown", {"vm": "pacs-db01"}),
        ("vsphere.vm.unregister", {"vm": "pacs-db01"}),
        ("ssh.put", {"path": "/etc/edge/active-site", "content": "lyon\n"}),
        ("ssh.run", {"command": ["true"], "convergent": False}),
        (
            "dns.record.set",
            {
                "zone": "teleradio.example.",
                "name": "ris",
                "type": "A",
                "ttl": 60,
                "values": ["198.51.100.101"],
            },
        ),
    ):
        found = stand.build(uses, arguments).in_drill(bubble)
        assert isinstance(found, NotExercised), uses
        assert found.reason
