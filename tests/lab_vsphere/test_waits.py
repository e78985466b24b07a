"""Filters and what their clients are told: versions, partial updates, lost answers, cancellation."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from pyVim.task import WaitForTask, WaitForTasks
from pyVmomi import vim, vmodl
from vcenter_client import PC, Client, named, view_spec

from drctl.lab.world import World

AT_ONCE = PC.WaitOptions(maxWaitSeconds=0)
SOON = PC.WaitOptions(maxWaitSeconds=20)


def watch(content: Any, wanted: dict[Any, list[str] | None], *, partial: bool = True) -> Any:
    """Watch all objects of some types through a collector of its own."""
    collector = content.propertyCollector.CreatePropertyCollector()
    view = content.viewManager.CreateContainerView(content.rootFolder, list(wanted), True)
    collector.CreateFilter(view_spec(view, wanted), partial)
    return collector


def told(updates: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """Return (kind, moref, changes) of each object in an update."""
    return [
        (each.kind, each.obj._moId, {c.name: c.val for c in each.changeSet})
        for part in updates.filterSet
        for each in part.objectSet
    ]


def test_the_first_answer_tells_everything_and_the_next_only_changes(paris: Client, content: Any):
    collector = watch(content, {vim.VirtualMachine: ["name", "runtime.powerState"]})
    first = collector.WaitForUpdatesEx("", SOON)
    assert {kind for kind, _, _ in told(first)} == {"enter"}
    assert len(told(first)) == 12
    assert collector.WaitForUpdatesEx(first.version, AT_ONCE) is None
    vm = named(content, vim.VirtualMachine, "ris-db01")
    vm.PowerOff()
    second = collector.WaitForUpdatesEx(first.version, SOON)
    assert told(second) == [("modify", vm._moId, {"runtime.powerState": "poweredOff"})]


def test_objects_enter_and_leave_a_view(paris: Client, world: World, content: Any):
    collector = watch(content, {vim.VirtualMachine: ["name"]})
    version = collector.WaitForUpdatesEx("", SOON).version
    with world.lock:
        gone = paris.vcenter.vms.pop(paris.vm("ris-db01").moref)
        world.touch()
    updates = collector.WaitForUpdatesEx(version, SOON)
    assert told(updates) == [("leave", gone.moref, {})]
    with world.lock:
        paris.vcenter.vms[gone.moref] = gone
        world.touch()
    assert told(collector.WaitForUpdatesEx(updates.version, SOON)) == [
        ("enter", gone.moref, {"name": "ris-db01"})
    ]


def test_partial_updates_name_the_field_and_full_ones_the_property(paris: Client, world: World, content: Any):
    fine = watch(content, {vim.VirtualMachine: ["runtime"]}, partial=True)
    coarse = watch(content, {vim.VirtualMachine: ["runtime"]}, partial=False)
    versions = [each.WaitForUpdatesEx("", SOON).version for each in (fine, coarse)]
    with world.lock:
        paris.vm("ris-db01").question = "msg.uuid.altered"
        world.touch()
    ((_, _, change),) = told(fine.WaitForUpdatesEx(versions[0], SOON))
    ((_, _, whole),) = told(coarse.WaitForUpdatesEx(versions[1], SOON))
    assert list(change) == ["runtime.question"]
    assert list(whole) == ["runtime"]
    assert whole["runtime"].question.id == change["runtime.question"].id
    with world.lock:
        paris.vm("ris-db01").question = None
        world.touch()
    ((_, _, unset),) = told(fine.WaitForUpdatesEx("2", SOON))
    assert unset == {"runtime.question": None}


def test_an_answer_that_was_lost_is_told_again(content: Any):
    collector = watch(content, {vim.VirtualMachine: ["runtime.powerState"]})
    first = collector.WaitForUpdatesEx("", SOON)
    named(content, vim.VirtualMachine, "ris-db01").PowerOff()
    lost = collector.WaitForUpdatesEx(first.version, SOON)
    assert told(collector.WaitForUpdatesEx(first.version, SOON)) == told(lost)
    with pytest.raises(vmodl.query.InvalidCollectorVersion):
        collector.WaitForUpdatesEx("77", AT_ONCE)
    assert len(told(collector.WaitForUpdatesEx("", AT_ONCE))) == 12


def test_long_answers_come_in_parts(content: Any):
    collector = watch(content, {vim.VirtualMachine: ["name"]})
    few = PC.WaitOptions(maxWaitSeconds=5, maxObjectUpdates=5)
    names: list[str] = []
    version, truncated = "", True
    while truncated:
        updates = collector.WaitForUpdatesEx(version, few)
        version, truncated = updates.version, updates.truncated
        names += [moref for _, moref, _ in told(updates)]
    assert len(names) == len(set(names)) == 12


def test_a_destroyed_filter_or_collector_tells_no_more(content: Any):
    collector = content.propertyCollector.CreatePropertyCollector()
    view = content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], True)
    made = collector.CreateFilter(view_spec(view, {vim.VirtualMachine: ["name"]}), True)
    assert list(collector.filter) == [made]
    made.Destroy()
    assert collector.WaitForUpdatesEx("", AT_ONCE) is None
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        made.Destroy()
    collector.Destroy()
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        collector.WaitForUpdatesEx("", AT_ONCE)


def test_a_wait_can_be_cancelled_from_another_connection(paris: Client, content: Any):
    collector = watch(content, {vim.VirtualMachine: ["name"]})
    version = collector.WaitForUpdatesEx("", SOON).version
    found: list[Exception] = []

    def wait() -> None:
        try:
            collector.WaitForUpdatesEx(version, PC.WaitOptions(maxWaitSeconds=60))
        except vmodl.MethodFault as fault:
            found.append(fault)

    thread = threading.Thread(target=wait)
    thread.start()
    while thread.is_alive():  # the wait may not have begun when the first cancellation comes
        collector.CancelWaitForUpdates()
        thread.join(0.1)
    assert isinstance(found[0], vmodl.fault.RequestCanceled)


def test_a_list_view_watches_exactly_what_it_is_given(paris: Client, content: Any):
    one = named(content, vim.VirtualMachine, "ris-db01")
    other = named(content, vim.VirtualMachine, "ris-app01")
    view = content.viewManager.CreateListView([one])
    collector = content.propertyCollector.CreatePropertyCollector()
    collector.CreateFilter(view_spec(view, {vim.VirtualMachine: ["name"]}), True)
    first = collector.WaitForUpdatesEx("", SOON)
    assert [moref for _, moref, _ in told(first)] == [one._moId]
    view.ModifyListView([other], [one])
    assert {(kind, moref) for kind, moref, _ in told(collector.WaitForUpdatesEx(first.version, SOON))} == {
        ("leave", one._moId),
        ("enter", other._moId),
    }


# --- tasks ----------------------------------------------------------------------------------------


def test_a_task_runs_before_it_succeeds(paris: Client, world: World, content: Any):
    vm = named(content, vim.VirtualMachine, "ris-db01")
    task = vm.PowerOff()
    assert task.info.state in {"running", "success"}
    assert (task.info.entity, task.info.entityName, task.info.name.info.name) == (vm, "ris-db01", "PowerOff")
    WaitForTask(task)
    assert task.info.completeTime >= task.info.startTime
    assert task.info.error is None
    assert content.taskManager.recentTask == [task]


def test_a_failed_task_carries_its_fault(content: Any):
    vm = named(content, vim.VirtualMachine, "ris-db01")
    task = vm.ReconfigVM_Task(vim.vm.ConfigSpec(changeVersion="0", annotation="late"))
    with pytest.raises(vim.fault.ConcurrentAccess):
        WaitForTask(task)
    assert task.info.state == "error"
    assert isinstance(task.info.error, vim.fault.ConcurrentAccess)


def test_queued_tasks_wait_until_the_queue_moves(paris: Client, world: World, content: Any):
    world.faults.add("task-queued:vc-paris:once")
    task = named(content, vim.VirtualMachine, "ris-db01").PowerOff()
    assert task.info.state == "queued"
    assert task.info.startTime is None
    assert paris.vm("ris-db01").power == "poweredOn"
    world.advance(130)
    WaitForTask(task)
    assert paris.vm("ris-db01").power == "poweredOff"


def test_many_tasks_are_waited_for_at_once(paris: Client, content: Any):
    vms = content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], True).view
    WaitForTasks([vm.PowerOff() for vm in vms])
    assert {vm.power for vm in paris.vcenter.vms.values()} == {"poweredOff"}


def test_a_collector_of_tasks_finds_what_ran_on_an_object(content: Any):
    one = named(content, vim.VirtualMachine, "ris-db01")
    other = named(content, vim.VirtualMachine, "ris-app01")
    tasks = [one.PowerOff(), other.PowerOff()]
    WaitForTasks(tasks)
    by_entity = vim.TaskFilterSpec.ByEntity(entity=one, recursion="self")
    history = content.taskManager.CreateCollectorForTasks(
        vim.TaskFilterSpec(entity=by_entity, state=["success"])
    )
    assert [each.task for each in history.ReadNextTasks(10)] == [tasks[0]]
    assert list(history.ReadNextTasks(10)) == []
    assert [each.task for each in history.latestPage] == [tasks[0]]
    history.RewindCollector()
    history.SetCollectorPageSize(1)
    assert [each.task for each in history.ReadNextTasks(1)] == [tasks[0]]
    with pytest.raises(vmodl.fault.InvalidArgument):
        history.ReadNextTasks(0)
    history.DestroyCollector()
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        history.ReadNextTasks(1)
    events = content.eventManager.QueryEvents(vim.event.EventFilterSpec())
    assert [each.info.task for each in events] == tasks
    assert content.eventManager.latestEvent.info.task == tasks[1]
    starts = vim.event.EventFilterSpec(eventTypeId=["VmStartingEvent"])
    assert list(content.eventManager.QueryEvents(starts)) == []


@pytest.mark.parametrize(("which", "early", "late"), [("startedTime", 1, 0), ("completedTime", 1, 0)])
def test_tasks_are_found_by_time(world: World, content: Any, which: str, early: int, late: int):
    WaitForTask(named(content, vim.VirtualMachine, "ris-db01").PowerOff())
    now = world.now()

    def count(**bounds: Any) -> int:
        time = vim.TaskFilterSpec.ByTime(timeType=which, **bounds)
        return len(content.taskManager.CreateCollectorForTasks(vim.TaskFilterSpec(time=time)).latestPage)

    assert count(beginTime=now - timedelta(hours=1)) == early
    assert count(beginTime=now + timedelta(hours=1)) == late
    assert count(endTime=now - timedelta(hours=1)) == late
    assert count(endTime=now + timedelta(hours=1)) == early
