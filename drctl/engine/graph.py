"""The order of steps: what waits for what, and what may start."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from drctl.core.problem import DrctlError, Problem
from drctl.engine.step import Step, StepId


class Graph:
    """Steps and what they wait for; built by ``build``, never changed.

    Ancestors are kept as one whole number per step, a bit per step: 2,000 steps that wait for 500
    others each need a few milliseconds and no sets.
    """

    def __init__(self, steps: Sequence[Step], order: Sequence[StepId]) -> None:
        self.steps: Mapping[StepId, Step] = {step.id: step for step in steps}
        self.order: tuple[StepId, ...] = tuple(order)
        self._bit = {step.id: 1 << index for index, step in enumerate(steps)}
        self._above: dict[StepId, int] = {}
        merged: dict[frozenset[StepId], int] = {}  # steps of a group share their needs
        for step in self.order:
            needs = self.steps[step].needs
            if needs not in merged:
                mask = 0
                for need in needs:
                    mask |= self._bit[need] | self._above[need]
                merged[needs] = mask
            self._above[step] = merged[needs]

    def ancestors(self, step: StepId) -> frozenset[StepId]:
        """Return every step that ends before this one starts."""
        mask = self._above[step]
        return frozenset(name for name, bit in self._bit.items() if mask & bit)

    def comes_after(self, step: StepId, earlier: StepId) -> bool:
        """Say whether ``step`` waits for ``earlier``, directly or not."""
        return bool(self._above[step] & self._bit[earlier])

    def descendants(self, step: StepId) -> frozenset[StepId]:
        """Return every step that waits for this one, directly or not."""
        bit = self._bit[step]
        return frozenset(name for name, mask in self._above.items() if mask & bit)

    def ready(self, done: Collection[StepId]) -> list[StepId]:
        """Return the steps not in ``done`` whose needs all are, in the runbook's order."""
        over = done if isinstance(done, (set, frozenset)) else frozenset(done)
        met: dict[frozenset[StepId], bool] = {}
        found = []
        for step in self.steps.values():
            if step.id in over:
                continue
            if step.needs not in met:
                met[step.needs] = step.needs <= over
            if met[step.needs]:
                found.append(step.id)
        return found


def build(steps: Iterable[Step]) -> Graph:
    """Return the graph; raise ``DrctlError`` showing a cycle as the path of its ids."""
    listed = tuple(steps)
    try:
        order = list(TopologicalSorter({step.id: step.needs for step in listed}).static_order())
    except CycleError as error:
        raise DrctlError(_cycle(listed, error)) from error
    known = {step.id for step in listed}
    unknown = [name for name in order if name not in known]
    if unknown:
        raise DrctlError(
            *(Problem(code="unknown-step", summary=f"no step is called {name!r}") for name in unknown)
        )
    return Graph(listed, order)


def _cycle(steps: Sequence[Step], error: CycleError) -> Problem:
    path = list(reversed(error.args[1]))
    where = next((step.where for step in steps if step.id == path[0]), None)
    return Problem(
        code="cycle",
        summary=f"steps wait for each other in a circle: {' → '.join(path)}",
        detail="An arrow reads: waits for.",
        hint="Change the order, the needs, or whose outputs are used.",
        where=where,
        step=path[0],
    )
