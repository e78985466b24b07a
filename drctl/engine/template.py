"""Values that wait for the outputs of other steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from pydantic import JsonValue

from drctl.core.problem import DrctlError, Problem, Source
from drctl.engine.step import Condition, Outputs, StepId, Unresolved
from drctl.runbook.expr import Expression, Scope
from drctl.runbook.text import Text
from drctl.runbook.value import ExpressionError, Record, plain


@dataclass(frozen=True)
class Link:
    """A resolved reference: the name an expression uses, the step it means, the output it asks for."""

    name: str
    step: StepId
    output: str


@dataclass(frozen=True)
class Pending:
    """A string or expression that needs outputs; everything else it needs is in ``scope``."""

    body: Text | Expression
    scope: Scope = field(repr=False, compare=False)
    links: tuple[Link, ...]
    where: Source

    @property
    def references(self) -> frozenset[StepId]:
        """The steps whose outputs it uses."""
        return frozenset(link.step for link in self.links)

    def fill(self, outputs: Outputs) -> JsonValue:
        """Return the value; raise ``Unresolved`` or ``DrctlError``."""
        absent = frozenset(link.step for link in self.links if link.output not in outputs.get(link.step, {}))
        if absent:
            raise Unresolved(absent)
        steps = Record(
            "steps",
            {
                link.name: Record(
                    link.step, {"outputs": Record(f"outputs of {link.step}", outputs[link.step])}
                )
                for link in self.links
            },
        )
        scope = {**self.scope, "steps": steps}
        try:
            return self.body.fill(scope) if isinstance(self.body, Text) else plain(self.body.evaluate(scope))
        except ExpressionError as error:
            raise DrctlError(
                Problem(code="expression", summary=str(error), hint=error.hint, where=self.where)
            ) from error

    def holds(self, outputs: Outputs) -> bool:
        """Return the value as a decision."""
        return bool(self.fill(outputs))


Tree: TypeAlias = "JsonValue | Pending | Mapping[str, Tree] | list[Tree]"


@dataclass(frozen=True)
class Arguments:
    """A step's ``with:`` as a tree whose leaves may wait; implements ``Template``."""

    tree: Mapping[str, Tree] = field(default_factory=dict)

    @property
    def references(self) -> frozenset[StepId]:
        """The steps whose outputs it uses."""
        return frozenset(step for leaf in pending_leaves(self.tree) for step in leaf.references)

    def resolve(self, outputs: Outputs) -> dict[str, JsonValue]:
        """Fill the outputs in; raise ``Unresolved`` naming every step that is missing, or ``DrctlError``."""
        absent: set[StepId] = set()
        for leaf in pending_leaves(self.tree):
            absent |= {link.step for link in leaf.links if link.output not in outputs.get(link.step, {})}
        if absent:
            raise Unresolved(frozenset(absent))
        return {name: _resolve(value, outputs) for name, value in self.tree.items()}


@dataclass(frozen=True)
class AllOf:
    """Conditions that must all hold; implements ``Condition``."""

    conditions: tuple[Condition, ...]

    @property
    def references(self) -> frozenset[StepId]:
        """The steps whose outputs they use."""
        return frozenset(step for one in self.conditions for step in one.references)

    def holds(self, outputs: Outputs) -> bool:
        """Decide; a condition that does not hold spares those after it."""
        return all(one.holds(outputs) for one in self.conditions)


def pending_leaves(tree: Tree) -> list[Pending]:
    """Return the leaves that wait."""
    if isinstance(tree, Pending):
        return [tree]
    if isinstance(tree, Mapping):
        return [leaf for one in tree.values() for leaf in pending_leaves(one)]
    if isinstance(tree, list):
        return [leaf for one in tree for leaf in pending_leaves(one)]
    return []


def _resolve(tree: Tree, outputs: Outputs) -> JsonValue:
    if isinstance(tree, Pending):
        return tree.fill(outputs)
    if isinstance(tree, Mapping):
        return {key: _resolve(one, outputs) for key, one in tree.items()}
    if isinstance(tree, list):
        return [_resolve(one, outputs) for one in tree]
    return tree
