"""Tasks, their collectors, and the events that tell of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from drctl.lab import compute
from drctl.lab.model import Task
from drctl.lab.vsphere import tree
from drctl.lab.vsphere.properties import Table, gone
from drctl.lab.vsphere.refusals import build
from drctl.lab.vsphere.schema import task_method
from drctl.lab.vsphere.scope import Center, Kind, Methods, Scope
from drctl.lab.vsphere.soap import Call
from drctl.lab.vsphere.values import Fault, Obj, Ref, Value, obj

_RECENT: Final = 200
"""How many tasks ``recentTask`` keeps after their end."""


def task_ref(task: Task) -> Ref:
    """Return a task's reference."""
    return Ref("Task", task.moref)


def start_reading(scope: Scope, name: str, entity: str, work: Callable[[], Value]) -> Ref:
    """Start a task that only reads; it leaves no trace in the estate."""
    center = scope.center

    def end() -> None:
        center.results[task.moref] = work()

    with center.world.lock:
        task = compute.start_task(center.world, center.reading, name, entity, end)
        return task_ref(task)


def _find(scope: Scope, moref: str) -> Task | None:
    return scope.center.vcenter.tasks.get(moref) or scope.center.reading.tasks.get(moref)


def task_info(scope: Scope, task: Task) -> Obj:
    """Return what vCenter tells of a task."""
    vcenter = scope.center.vcenter
    entity = tree.entity_ref(vcenter, task.entity)
    running = task.state == "running"
    return obj(
        "TaskInfo",
        key=task.moref,
        task=task_ref(task),
        name=task_method(task.name),
        descriptionId=task.name,
        entity=entity,
        entityName=tree.name_of(vcenter, entity) if entity else None,
        state=task.state,
        cancelled=False,
        cancelable=False,
        error=_error(scope.center, task),
        result=_result(scope.center, task),
        progress=task.progress if running else None,
        reason=obj("TaskReasonUser", userName=vcenter.username),
        queueTime=task.started,
        startTime=None if task.state == "queued" else task.started,
        completeTime=task.ended,
        eventChainId=0,
    )


def _error(center: Center, task: Task) -> Value:
    if task.state != "error":
        return None
    name, _, message = (task.fault or "SystemError").partition(": ")
    return build(center.vcenter, name, message, task.detail).detail


def _result(center: Center, task: Task) -> Value:
    if task.state != "success":
        return None
    if task.moref in center.results:
        return center.results[task.moref]
    return tree.entity_ref(center.vcenter, task.result) if task.result else None


def _recent(scope: Scope, _center: Center) -> Value:
    return tuple(task_ref(task) for task in list(scope.center.vcenter.tasks.values())[-_RECENT:])


# --- history --------------------------------------------------------------------------------------


@dataclass
class History:
    """A TaskHistoryCollector: a filter and how far its client has read."""

    ref: Ref
    spec: Obj
    page: int = 10
    read: int = 0


def _matches(task: Task, spec: Obj) -> bool:
    by_entity, by_time = spec.obj("entity"), spec.obj("time")
    if by_entity is not None:
        wanted = by_entity.ref("entity")
        if by_entity.text("recursion") == "self" and (wanted is None or wanted.id != task.entity):
            return False
    states = set(spec.texts("state"))
    if states and task.state not in states:
        return False
    return by_time is None or _in_time(task, by_time)


def _in_time(task: Task, spec: Obj) -> bool:
    moment = task.ended if spec.text("timeType") == "completedTime" else task.started
    begin, end = spec.get("beginTime"), spec.get("endTime")
    if moment is None:
        return False
    after = not isinstance(begin, datetime) or moment >= begin
    return after and (not isinstance(end, datetime) or moment <= end)


def _found(scope: Scope, history: History) -> list[Obj]:
    tasks = scope.center.vcenter.tasks.values()
    return [task_info(scope, task) for task in tasks if _matches(task, history.spec)]


def _create_history(scope: Scope, call: Call) -> Value:
    ref = Ref("TaskHistoryCollector", scope.session.name("tasks"))
    scope.session.made[ref.id] = History(ref, call.args.obj("filter") or obj("TaskFilterSpec"))
    return ref


def _history(scope: Scope, ref: Ref) -> History:
    found = _find_history(scope, ref.id)
    if found is None:
        raise gone(ref)
    return found


def _find_history(scope: Scope, moref: str) -> History | None:
    found = scope.session.made.get(moref)
    return found if isinstance(found, History) else None


def _read_next(scope: Scope, call: Call) -> Value:
    with scope.center.world.lock:
        history = _history(scope, call.this)
        count = call.args.number("maxCount")
        if count < 1:
            raise Fault("InvalidArgument", "maxCount must be positive", invalidProperty="maxCount")
        page = _found(scope, history)[history.read : history.read + count]
        history.read += len(page)
        return tuple(page)


def _rewind(scope: Scope, call: Call) -> Value:
    _history(scope, call.this).read = 0
    return None


def _set_page(scope: Scope, call: Call) -> Value:
    _history(scope, call.this).page = call.args.number("maxCount", 10)
    return None


def _destroy_history(scope: Scope, call: Call) -> Value:
    _history(scope, call.this)
    del scope.session.made[call.this.id]
    return None


# --- events ---------------------------------------------------------------------------------------


def _event(scope: Scope, number: int, task: Task) -> Obj:
    info = task_info(scope, task)
    return obj(
        "TaskEvent",
        key=number,
        chainId=number,
        createdTime=task.started,
        userName=scope.center.vcenter.username,
        fullFormattedMessage=f"Task: {task.name} ({task.state})",
        info=info,
    )


def _query_events(scope: Scope, call: Call) -> Value:
    spec = call.args.obj("filter") or obj("EventFilterSpec")
    types = set(spec.texts("eventTypeId"))
    with scope.center.world.lock:
        tasks = scope.center.vcenter.tasks.values()
        wanted = [(n, task) for n, task in enumerate(tasks, 1) if _matches(task, _without_state(spec))]
        if types and not any("TaskEvent" in each for each in types):
            return ()
        return tuple(_event(scope, number, task) for number, task in wanted)


def _without_state(spec: Obj) -> Obj:
    return Obj(spec.kind, tuple((name, value) for name, value in spec.fields if name in {"entity", "time"}))


def _latest_event(scope: Scope, _center: Center) -> Value:
    tasks = list(scope.center.vcenter.tasks.values())
    return _event(scope, len(tasks), tasks[-1]) if tasks else None


def _find_manager(field: str) -> Callable[[Scope, str], Center | None]:
    moref = tree.SINGLETONS[field].id
    return lambda scope, asked: scope.center if asked == moref else None


KINDS: Final[Mapping[str, Kind]] = {
    "Task": Table[Task](
        _find,
        {
            "info": task_info,
            "info.key": lambda _scope, task: task.moref,
            "info.state": lambda _scope, task: task.state,
            "info.progress": lambda _scope, task: task.progress if task.state == "running" else None,
            "info.result": lambda scope, task: _result(scope.center, task),
            "info.error": lambda scope, task: _error(scope.center, task),
        },
    ),
    "TaskManager": Table[Center](
        _find_manager("taskManager"), {"recentTask": _recent, "maxCollector": lambda _scope, _center: 32}
    ),
    "TaskHistoryCollector": Table[History](
        _find_history,
        {
            "filter": lambda _scope, history: history.spec,
            "latestPage": lambda scope, history: tuple(reversed(_found(scope, history)[-history.page :])),
        },
    ),
    "EventManager": Table[Center](
        _find_manager("eventManager"),
        {"latestEvent": _latest_event, "maxCollector": lambda _scope, _center: 32},
    ),
}
"""Tasks, their manager and collectors, and the event manager."""

METHODS: Final[Methods] = {
    ("TaskManager", "CreateCollectorForTasks"): _create_history,
    ("TaskHistoryCollector", "ReadNextTasks"): _read_next,
    ("HistoryCollector", "RewindCollector"): _rewind,
    ("HistoryCollector", "SetCollectorPageSize"): _set_page,
    ("HistoryCollector", "DestroyCollector"): _destroy_history,
    ("EventManager", "QueryEvents"): _query_events,
}
"""What can be asked of tasks and events."""
