"""Finds the step that ``steps.<id>.outputs.<name>`` means, seen from where it is written."""

from __future__ import annotations

from collections.abc import Callable, Collection

from drctl.document.shape import suggest
from drctl.engine.draft import Draft, Drafts
from drctl.engine.step import StepId
from drctl.engine.template import Link
from drctl.runbook.expr import Expression, Reference
from drctl.runbook.value import ExpressionError


class References:
    """Resolves names: first the step's own chain, then the whole runbook.

    ``outputs_of`` gives the names of a step's outputs; None when its action is not known.
    """

    def __init__(self, drafts: Drafts, outputs_of: Callable[[Draft], Collection[str] | None]) -> None:
        self._drafts = drafts
        self._by_id = {draft.id: draft for draft in drafts.drafts}
        self._outputs_of = outputs_of

    def link(self, expression: Expression, draft: Draft) -> tuple[Link, ...]:
        """Return what the expression refers to; raise ``ExpressionError`` at the reference that is wrong."""
        links = []
        for reference in expression.references:
            name = str(reference.step.evaluate(draft.scope))
            step = self._find(name, reference, draft)
            known = self._outputs_of(self._by_id[step])
            if known is not None and reference.output not in known:
                message = f"{step} has no output {reference.output!r}"
                hint = suggest(reference.output, known) or "It has none at all."
                raise ExpressionError(message, reference.offset, hint)
            links.append(Link(name, step, reference.output))
        return tuple(links)

    def _find(self, name: str, reference: Reference, draft: Draft) -> StepId:
        sibling = f"{draft.chain}.{name}" if draft.chain else name
        for step in (sibling, name):
            if step in self._by_id:
                return step
            why = self._left_out(step)
            if why:
                message = f"{step} has no outputs: it is left out ({why})"
                raise ExpressionError(message, reference.offset)
        group = self._drafts.groups.get(name)
        if group:
            hint = f"Name one of them, e.g. steps['{group[0]}']."
            raise ExpressionError(f"{name!r} stands for several steps", reference.offset, hint)
        own = [
            step.rsplit(".", 1)[1]
            for step in self._by_id
            if draft.chain and step.startswith(f"{draft.chain}.")
        ]
        raise ExpressionError(
            f"no step is called {name!r}", reference.offset, suggest(name, [*own, *self._by_id])
        )

    def _left_out(self, step: StepId) -> str:
        skipped = self._drafts.skipped
        return (
            skipped.get(step) or skipped.get(step.rsplit(".", 1)[0]) or skipped.get(step.split("[", 1)[0], "")
        )
