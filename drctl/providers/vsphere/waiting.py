"""What the watcher is asked for: the end of a task, a state of a VM, the answer to no question.

Importing this module imports pyVmomi.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drctl.core.action import Control
from drctl.core.problem import Problem, ProviderError
from drctl.providers.vsphere.client import Vsphere
from drctl.providers.vsphere.faults import explain
from drctl.providers.vsphere.watcher import Patience, Target, Watch, unfinished

TASK_PATHS = ("info.error", "info.progress", "info.result", "info.state")


@dataclass
class Following:
    """A task to wait for; ``vm`` is the id of the VM whose question would hold it up."""

    what: str
    task: str
    vm: str | None
    control: Control | None
    shown: int = 0

    def targets(self) -> Mapping[Target, tuple[str, ...]]:
        """Return the objects and properties to watch."""
        targets: dict[Target, tuple[str, ...]] = {("Task", self.task): TASK_PATHS}
        if self.vm is not None:
            targets["VirtualMachine", self.vm] = ("runtime.question",)
        return targets

    def show(self, percent: int | None) -> None:
        """Report progress in steps of ten percent."""
        if self.control is not None and percent is not None and percent >= self.shown + 10:
            self.shown = percent
            self.control.progress(self.what, percent / 100)


def task_result(client: Vsphere, one: Following, patience: Patience) -> Any:
    """Wait for a task and return its result; raise ``ProviderError``."""
    name = client.endpoint.name

    def judge(watch: Watch) -> tuple[str, Any, Any] | None:
        state = watch.value(one.task, "info.state")
        if state in ("success", "error"):
            return state, watch.value(one.task, "info.result"), watch.value(one.task, "info.error")
        if one.task in watch.gone:
            raise _forgotten(one.what, name)
        question = watch.value(one.vm, "runtime.question") if one.vm else None
        if question is not None:
            raise asked(one.what, question, name, one.control)
        one.show(watch.value(one.task, "info.progress"))
        return None

    state, result, error = client.wait(one.targets(), judge, patience, lambda: unfinished(one.what, name))
    if (state == "success" and result is None) or (state == "error" and error is None):
        for row in client.rows_of("Task", [one.task], TASK_PATHS):
            result, error = row.values.get("info.result"), row.values.get("info.error")
    if state == "error":
        raise explain(one.what, error, name)
    return result


def asked(what: str, question: Any, endpoint: str, control: Control | None) -> ProviderError:
    """Return the error for a VM that waits for an answer; drctl gives none by itself.

    It is said at once as well: the task waits as long as the question does, and so may the step.
    """
    choices = ", ".join(f"{one.key} = {one.label}" for one in question.choice.choiceInfo or ())
    ids = {message.id for message in question.message or ()}
    moved = "msg.uuid.altered" in ids
    problem = Problem(
        code="vm-question",
        summary=f"{what}: the VM asks: {question.text.strip()}",
        detail=f"Choices: {choices}. drctl answers no question by itself; the task waits for the answer.",
        hint="Answer in the vSphere Client (VM > Actions > Guest OS > Answer Question)"
        + (", 'I moved it' after a failover, " if moved else " ")
        + "then resume.",
        endpoint=endpoint,
    )
    if control is not None:
        control.progress(f"{problem.summary} {problem.detail}")
    return ProviderError(problem, effect_unknown=True)


def _forgotten(what: str, endpoint: str) -> ProviderError:
    return ProviderError(
        Problem(
            code="task-forgotten",
            summary=f"{what}: vCenter no longer knows the task",
            detail="vCenter keeps finished tasks for some minutes only.",
            hint="Read the present state: drctl verify.",
            endpoint=endpoint,
        ),
        effect_unknown=True,
    )
