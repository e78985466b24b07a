"""Two machines with one MAC address: refused on one network, left alone on two."""

from __future__ import annotations

import pytest
from contract import Example

from drctl.core.problem import ProviderError
from drctl.core.provider import Access
from drctl.lab.power import halt

OFF = Example("vsphere.vm.power_off", "vc-paris", {"vm": "pacs-db01"})
ON = Example("vsphere.vm.power_on", "vc-paris", {"vm": "pacs-db01", "wait_for": "none"}, after=(OFF,))


@pytest.fixture
def stand(bench):
    return bench(ON)


def give_its_mac_to(stand, name):
    """Let another machine have the MAC address of pacs-db01; return that machine."""
    with stand.world.lock:
        vms = {vm.name: vm for vm in stand.world.estate.vcenters["vc-paris"].vms.values()}
        vms[name].nics[0].mac = vms["pacs-db01"].nics[0].mac
        vms[name].change_version += 1
    return vms[name]


def test_a_running_machine_with_its_mac_on_its_network_keeps_it_from_starting(stand):
    twin = give_its_mac_to(stand, "pacs-dicom01")
    before = stand.mutations()
    with stand.connect(Access.WRITE) as client, pytest.raises(ProviderError) as refused:
        stand.action.diff(stand.action.read(client))
    problem = refused.value.problem
    assert problem.code == "mac-in-use"
    for named in ("pacs-db01", "pacs-dicom01", "prod-210"):
        assert named in problem.summary
    assert twin.nics[0].mac in problem.detail
    assert "vsphere.vm.shutdown" in problem.hint
    assert stand.mutations() == before


def test_one_that_appears_after_the_first_look_is_seen_before_it_starts(stand):
    with stand.connect(Access.WRITE) as client:
        change = stand.action.diff(stand.action.read(client))
        assert change is not None
        give_its_mac_to(stand, "pacs-dicom01")
        with pytest.raises(ProviderError) as refused:
            stand.action.apply(client, change, stand.control())
        assert refused.value.problem.code == "mac-in-use"
        with stand.world.lock:
            center = stand.world.estate.vcenters["vc-paris"]
            twin = next(vm for vm in center.vms.values() if vm.name == "pacs-dicom01")
            twin.nics[0].connected = False  # its guest let go: the version stays
        stand.action.apply(client, change, stand.control())
        assert stand.left_to_do(stand.action, client) is None


def test_a_distributed_portgroup_is_named(bench):
    stand = bench(Example("vsphere.vm.power_on", "vc-paris", {"vm": "pacs-app01"}))
    with stand.world.lock:
        center = stand.world.estate.vcenters["vc-paris"]
        vms = {vm.name: vm for vm in center.vms.values()}
        ours, other = vms["pacs-app01"], vms["pacs-db01"]
        halt(ours)
        other.nics[0].mac, other.nics[0].network = ours.nics[0].mac, ours.nics[0].network
    with stand.connect(Access.READ) as client, pytest.raises(ProviderError, match="prod-dvs-220"):
        stand.action.diff(stand.action.read(client))


@pytest.mark.parametrize("other", ["off", "elsewhere"])
def test_one_that_is_off_or_on_another_network_is_no_twin(stand, other):
    twin = give_its_mac_to(stand, "pacs-dicom01" if other == "off" else "pacs-app01")
    if other == "off":
        with stand.world.lock:
            halt(twin)
    with stand.connect(Access.READ) as client:
        assert stand.action.diff(stand.action.read(client)) is not None


def test_many_cost_what_two_cost(stand):
    with stand.world.lock:
        center = stand.world.estate.vcenters["vc-paris"]
        names = [vm.name for vm in center.vms.values() if not vm.template]
        for vm in center.vms.values():
            halt(vm)
        center.vms[min(center.vms)].power = "poweredOn"  # somebody to meet
    many = [stand.build("vsphere.vm.power_on", {"vm": name}) for name in names]
    costs = []
    for actions in (many[-2:], many):
        sent: list[bytes] = []
        with stand.connect(Access.READ) as client:
            stub = client.read("session", lambda wire: wire.content.rootFolder._stub)
            stub.requestModifierList.append(lambda request, sent=sent: sent.append(request) or request)
            seen = type(actions[0]).read_many(actions, client)
            costs.append(len(sent))
        assert not any(isinstance(one, ProviderError) for one in seen)
    assert costs[0] == costs[1] > 0
