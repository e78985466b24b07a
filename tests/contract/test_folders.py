"""Folders that a drill made: taken away once they are empty, and never before."""

from __future__ import annotations

import pytest
from contract import Example

from drctl.core.action import Missing
from drctl.core.probe import Level
from drctl.core.provider import Access
from drctl.lab.vsphere.tree import folder_ref

LYON, PARIS = "vc-lyon", "vc-paris"


class Stand:
    """A vCenter with folders of its own, beside those of the lab."""

    def __init__(self, bench):
        self.bench = bench(Example("vsphere.folder.remove", LYON, {"folder": "none"}))
        self.world = self.bench.world

    def folders(self, endpoint=LYON):
        return self.world.estate.vcenters[endpoint].folders

    def add(self, *paths):
        with self.world.lock:
            self.folders().update(paths)

    def remove(self, path, endpoint=LYON, **more):
        action = self.bench.build("vsphere.folder.remove", {"folder": path, **more})
        with self.bench.connect(Access.WRITE, endpoint) as client:
            change = action.diff(action.read(client))
            if change is not None:
                action.apply(client, change, self.bench.control())
            return change

    def look(self, **more):
        arguments = {"suffix": "-drill", "folder": "A/B", **more}
        probe = self.bench.registry.find("vsphere.bubble.empty").model_validate(arguments)
        with self.bench.connect(Access.READ, LYON) as client:
            seen = probe.observe(client)
            return seen.values["folders"], probe.judge(seen)


@pytest.fixture
def stand(bench):
    return Stand(bench)


def test_an_empty_folder_goes_and_the_one_above_stays(stand):
    stand.add("A", "A/B")
    assert stand.remove("A/B") is not None
    assert "A" in stand.folders()
    assert "A/B" not in stand.folders()
    assert stand.remove("A/B") is None


@pytest.mark.parametrize("inside", ["vm", "folder"])
def test_what_holds_something_is_left_alone(stand, inside):
    stand.add("A")
    if inside == "folder":
        stand.add("A/B")
        held = "folder A/B"
    else:
        with stand.world.lock:
            vm = next(iter(stand.world.estate.vcenters[PARIS].vms.values()))
            vm.folder = "A"
            stand.world.estate.vcenters[PARIS].folders.add("A")
        held = f"vm {vm.name}"
    with pytest.raises(Missing) as missing:
        stand.remove("A", PARIS if inside == "vm" else LYON)
    assert str(missing.value.object) == held
    assert "it is left alone" in str(missing.value)
    assert stand.bench.mutations() == []


def test_another_folder_of_the_same_path_is_left_alone(stand):
    stand.add("A")
    assert stand.remove("A", moref="group-v1") is None
    assert stand.remove("A", moref=folder_ref("A").id) is not None


def test_the_proof_asks_for_folders_that_the_drill_made_alone(stand):
    stand.add("A", "A/B")
    found, finding = stand.look()
    assert [one["name"] for one in found] == ["A", "A/B"]
    assert finding.level is Level.OK
    _, finding = stand.look(folders=["A/B"])
    assert finding.level is Level.BLOCKER
    assert finding.summary == "of a drill 1 folder is left"
    assert stand.remove("A/B") is not None
    assert stand.look(folders=["A/B"])[1].level is Level.OK
