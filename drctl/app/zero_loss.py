"""A planned move loses nothing: proven by a last transfer before each break, or not begun at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from drctl.app.case import Case
from drctl.core.deletions import ROLLS_BACK
from drctl.core.problem import DrctlError, ExitCode, Problem
from drctl.engine.graph import Graph
from drctl.engine.step import Step, StepId, Use
from drctl.engine.template import Arguments

PLANNED: Final = frozenset({"switchover", "failback"})
"""Modes that move while both sides are alive."""

BREAK: Final = "ontap.snapmirror.break"
TRANSFER: Final = "ontap.snapmirror.update"


def refuse_unsealed(case: Case) -> None:
    """Raise ``DrctlError`` (exit 3) when a planned move would break a mirror without a proven last transfer.

    Proven is a transfer to the same destination that this break waits for, and that must be newer than
    when the source was seen unwritable (``newer_than``).
    """
    if case.mode not in PLANNED:
        return
    steps = {step.id: step for step in case.expansion.steps}
    problems = [_problem(step) for step in steps.values() if not _is_sealed(step, steps, case.graph)]
    if problems:
        raise DrctlError(*problems, exit_code=ExitCode.BLOCKED)


def sealed(case: Case) -> frozenset[StepId]:
    """Return the breaks that a planned move proves to lose nothing."""
    if case.mode not in PLANNED:
        return frozenset()
    steps = {step.id: step for step in case.expansion.steps}
    return frozenset(
        step.id for step in steps.values() if _uses(step, BREAK) and _is_sealed(step, steps, case.graph)
    )


def _is_sealed(step: Step, steps: dict[StepId, Step], graph: Graph) -> bool:
    if _uses(step, ROLLS_BACK):
        return False  # it gives up what came after its snapshot, whatever was transferred last
    if not _uses(step, BREAK):
        return True
    destination = _argument(step, "destination")
    return any(
        _argument(steps[before], "destination") == destination for before in _proofs(step, steps, graph)
    )


def _proofs(step: Step, steps: dict[StepId, Step], graph: Graph) -> Iterator[StepId]:
    for before in graph.ancestors(step.id):
        found = steps.get(before)
        if found and _uses(found, TRANSFER) and _argument(found, "newer_than") and found.on_error == "stop":
            yield before


def _uses(step: Step, name: str) -> bool:
    return isinstance(step.body, Use) and step.body.uses == name


def _argument(step: Step, name: str) -> object:
    body = step.body
    return (
        body.arguments.tree.get(name)
        if isinstance(body, Use) and isinstance(body.arguments, Arguments)
        else None
    )


def _problem(step: Step) -> Problem:
    return Problem(
        code="unsealed",
        summary=f"{step.id} would break a mirror without a last transfer proven to be newer than the last write",
        detail="A planned move loses nothing: that is verified, not assumed.",
        hint=f"Put {TRANSFER} with newer_than before it (modes: [switchover]), and let nothing tolerate its failure.",
        step=step.id,
        where=step.where,
    )
