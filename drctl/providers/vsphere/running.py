"""Tasks of an earlier attempt that are still under way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from drctl.core.action import Handle
from drctl.providers.vsphere import entries, reads
from drctl.providers.vsphere.client import Row, Vsphere

PATHS = ("info.descriptionId", "info.entity", "info.name", "info.queueTime", "info.state")

SLACK = timedelta(seconds=5)
"""What measuring the difference of two clocks over a slow line may be off."""


def find(
    client: Vsphere, since: datetime, methods: Sequence[str], *, vm: str, folders: bool = False
) -> Handle | None:
    """Return a queued or running task of one of the methods, on a VM, begun after ``since``.

    ``folders`` accepts tasks on any folder too: a registration runs on the folder and does not say
    which VM it brings, so one of a neighbour is waited for as well, which costs only time.
    """
    row = entries.vms_named(client, [vm], ["name", "runtime.question"])(vm)
    begun = since + timedelta(seconds=client.skew()) - SLACK
    for task in _recent(client):
        target = task.values.get("info.entity")
        kind, key = type(target).__name__.rpartition(".")[2], reads.identity(target)
        ours = (row is not None and key == row.id) or (folders and kind == "Folder")
        if (
            ours
            and _method(task) in {_plain(one) for one in methods}
            and task.values["info.queueTime"] >= begun
        ):
            return Handle("task", task.id, _asking(row, vm) or f"{_method(task)} {vm}")
    return None


def _asking(row: Row | None, vm: str) -> str:
    """Return the question that holds a task up: whoever follows it can only wait for the answer."""
    question = row.values.get("runtime.question") if row is not None else None
    return f"{vm} asks: {' '.join(str(question.text).split())}" if question is not None else ""


def _recent(client: Vsphere) -> list[Row]:
    """Return the tasks that are queued or running."""
    found = client.read("recent tasks", lambda wire: wire.content.taskManager)
    managers = client.rows_of("TaskManager", [reads.identity(found)], ["recentTask"])
    keys = [reads.identity(task) for row in managers for task in row.values.get("recentTask") or ()]
    tasks = client.rows_of("Task", keys, PATHS)
    return [task for task in tasks if task.values.get("info.state") in ("queued", "running")]


def _method(task: Row) -> str:
    """Return a task's method as its description says (``Folder.registerVm``) or as its name says."""
    name = task.values.get("info.name")
    said = task.text("info.descriptionId").rpartition(".")[2] or getattr(name, "__name__", str(name or ""))
    return _plain(said.rpartition(".")[2])


def _plain(method: str) -> str:
    return method.removesuffix("_Task").lower()
