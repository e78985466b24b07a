"""What can go wrong between drctl and a vCenter, in the lab: questions, stale entries, lost sessions, time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from contract import Example
from vcenter import Patient

from drctl.core.problem import ProviderError
from drctl.core.provider import Access
from drctl.lab import machines

OFF = Example("vsphere.vm.power_off", "vc-paris", {"vm": "portal-report01"})
ON = Example("vsphere.vm.power_on", "vc-paris", {"vm": "portal-report01"}, after=(OFF,))
DOWN = Example("vsphere.vm.shutdown", "vc-paris", {"vm": "ris-app01"})
NICS = Example(
    "vsphere.vm.connect_networks",
    "vc-paris",
    {"vm": "pacs-db01", "networks": {"Network adapter 1": "prod-200"}},
)
ADDRESS = Example(
    "vsphere.vm.set_ip",
    "vc-paris",
    {
        "vm": "portal-web01",
        "adapter": "Network adapter 1",
        "ip": "198.51.100.131",
        "prefix": 26,
        "username": "svc-drctl",
        "password": {"env": "LAB_GUEST"},
    },
)


def paris(stand):
    return stand.world.estate.vcenters["vc-paris"]


def find_vm(stand, name):
    return next(vm for vm in paris(stand).vms.values() if vm.name == name)


def pending(stand, client):
    action = stand.action
    change = action.diff(action.read(client))
    assert change is not None
    return action, change


def refused(stand, control=None):
    with stand.connect(Access.WRITE) as client:
        action, change = pending(stand, client)
        with pytest.raises(ProviderError) as caught:
            action.apply(client, change, control or Patient())
    return caught.value


def test_a_question_is_shown_with_its_choices_and_answered_by_nobody(bench):
    stand = bench(ON)
    stand.world.faults.add("vm-question:portal-report01")
    control = Patient()
    error = refused(stand, control)
    assert error.problem.code == "vm-question"
    assert any("the VM asks" in said for said in control.said), "said at once: the step may wait long"
    assert error.effect_unknown
    assert "Choices:" in error.problem.detail
    with stand.world.lock:
        vm = find_vm(stand, "portal-report01")
        assert vm.question is not None
    with stand.connect(Access.WRITE) as client:
        running = stand.action.find_running(client, datetime.now(UTC) - timedelta(hours=1))
        assert running is not None
        assert running.kind == "task"
        assert running.summary.startswith("portal-report01 asks: "), "who follows it sees what holds it up"
        machines.answer(stand.world, paris(stand), vm, "button.yes")
        assert stand.left_to_do(stand.action, client) is None
        assert stand.action.find_running(client, datetime.now(UTC) - timedelta(hours=1)) is None


def test_a_guest_that_hangs_while_booting_is_named(bench):
    stand = bench(ON)
    stand.world.faults.add("vm-stuck-booting:portal-report01")
    error = refused(stand, Patient(limit=4))
    assert error.problem.code == "no-tools"
    assert "portal-report01 is on" in error.problem.summary


def test_a_guest_that_does_not_go_down_fails_or_is_cut_off(bench):
    stand = bench(DOWN)
    with stand.world.lock:
        find_vm(stand, "ris-app01").booted = False  # its tools no longer run
    assert refused(stand).problem.code == "vsphere-tools-unavailable"
    firm = stand.action.model_copy(update={"then": "power_off"})
    with stand.connect(Access.WRITE) as client:
        control = Patient()
        firm.apply(client, firm.diff(firm.read(client)), control)
        assert firm.diff(firm.read(client)) is None
    assert control.overrides[0].startswith("power off ris-app01: ")


def test_a_session_that_ended_before_the_change_is_renewed(bench):
    stand = bench(NICS)
    with stand.connect(Access.WRITE) as client:
        action, change = pending(stand, client)
        stand.world.faults.add("session-expired:vc-paris")
        action.apply(client, change, Patient())
        assert action.diff(action.read(client)) is None


def test_a_session_that_ends_while_tasks_are_awaited_loses_none(bench):
    stand = bench(ON)
    stand.world.faults.add("task-queued:vc-paris")
    with stand.connect(Access.WRITE) as client:
        action, change = pending(stand, client)
        control = Patient(limit=60)
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(action.apply, client, change, control)
            assert stand.world.wait(lambda: bool(control.handles), 20)
            stand.world.faults.add("session-expired:vc-paris")
            stand.world.advance(150)
            done.result(timeout=60)
        assert action.diff(action.read(client)) is None


def test_a_connection_that_dies_while_tasks_are_awaited_loses_none(bench):
    stand = bench(ON)
    stand.world.faults.add("task-queued:vc-paris")
    with stand.connect(Access.WRITE) as client:
        action, change = pending(stand, client)
        control = Patient(limit=60)
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(action.apply, client, change, control)
            assert stand.world.wait(lambda: bool(control.handles), 20)
            stand.world.faults.add("http-500:vc-paris")
            stand.world.advance(150)
            stand.world.faults.lift("http-500:vc-paris")
            done.result(timeout=60)
        assert stand.left_to_do(action, client) is None


def test_a_task_that_outlives_the_step_is_unknown_and_found_again(bench):
    stand = bench(ON)
    stand.world.faults.add("task-queued:vc-paris")
    since = datetime.now(UTC)
    control = Patient(limit=0.8)
    error = refused(stand, control)
    assert (error.problem.code, error.effect_unknown) == ("task-unfinished", True)
    with stand.connect(Access.READ) as client:
        found = stand.action.find_running(client, since)
        assert found is not None
        assert found.id == control.handles[0].id
        assert stand.action.find_running(client, datetime.now(UTC) + timedelta(hours=1)) is None


def test_a_change_made_meanwhile_by_somebody_else_is_not_overwritten(bench):
    stand = bench(NICS)
    before = []
    with stand.connect(Access.WRITE) as client, stand.connect(Access.WRITE) as other:
        action, change = pending(stand, client)
        second = action.model_copy(update={"networks": {"Network adapter 1": "prod-dmz"}})
        with ThreadPoolExecutor(2) as pool:
            start = threading.Barrier(2)

            def race(one, by):
                start.wait(10)
                try:
                    one.apply(by, change, Patient())
                except ProviderError as error:
                    before.append(error)

            list(pool.map(race, [action, second], [client, other]))
    assert all(error.problem.code == "vsphere-concurrent-access" and error.transient for error in before)


def test_a_wrong_guest_password_is_found_before_anything_runs(bench):
    stand = bench(ADDRESS)
    mutations = stand.mutations()
    wrong = {**ADDRESS.arguments, "password": {"env": "LAB_VC_PARIS"}}
    action = stand.build(ADDRESS.uses, wrong)
    with stand.connect(Access.WRITE) as client:
        change = action.diff(action.read(client))
        assert change is not None
        with pytest.raises(ProviderError) as caught:
            action.apply(client, change, Patient())
    assert caught.value.problem.code == "vsphere-invalid-guest-login"
    assert stand.mutations() == mutations
    assert stand.lab.secrets["LAB_VC_PARIS"] not in repr((caught.value.problem, change, action))


def test_a_stale_entry_makes_room_and_the_journal_hears_of_it(bench):
    register = Example(
        "vsphere.vm.register",
        "vc-paris",
        {
            "vm": "portal-report01",
            "datastore": "ds_portal",
            "vmx": "portal-report01/portal-report01.vmx",
            "folder": "Portal",
            "pool": "prod",
        },
        after=(OFF,),
    )
    stand = bench(register)
    with stand.world.lock:
        vm = find_vm(stand, "portal-report01")
        vm.vmx, vm.datastore, old = "[ds_old] moved/portal-report01.vmx", "datastore-0", vm.moref
    with stand.connect(Access.WRITE) as client:
        action, change = pending(stand, client)
        assert f"in place of the inaccessible entry {old}" in change.summary
        control = Patient()
        action.apply(client, change, control)
        assert action.diff(action.read(client)) is None
    assert len(control.overrides) == 1
    assert control.overrides[0].startswith(f"unregister {old}")


def test_a_dead_site_costs_sixteen_steps_one_timeout(bench):
    stand = bench(OFF)
    stand.lab.fault("site-down:paris")
    action = stand.action
    with stand.connect(Access.READ, connect_timeout=1) as client:
        start = threading.Barrier(16)

        def read(_):
            start.wait(10)
            with pytest.raises(ProviderError) as caught:
                action.read(client)
            return caught.value

        began = time.monotonic()
        with ThreadPoolExecutor(16) as pool:
            errors = list(pool.map(read, range(16)))
        assert time.monotonic() - began < 4
    assert all(error.unreachable and not error.effect_unknown for error in errors)


def test_a_site_that_dies_under_a_change_leaves_it_unknown(bench):
    stand = bench(OFF)
    with stand.connect(Access.WRITE, connect_timeout=1, call_timeout=1) as client:
        action, change = pending(stand, client)
        stand.world.faults.add("reply-lost:vc-paris")
        with pytest.raises(ProviderError) as caught:
            action.apply(client, change, Patient())
    assert caught.value.effect_unknown or caught.value.unreachable
