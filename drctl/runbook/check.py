"""What a runbook must satisfy before any inventory is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Final

from pydantic import JsonValue

from drctl.core.problem import Problem
from drctl.document.place import Document, Keys
from drctl.document.shape import suggest
from drctl.runbook.expr import Expression, Language
from drctl.runbook.model import DrillBody, Phase, RunbookBody, StepBody
from drctl.runbook.needs import needed_blocks
from drctl.runbook.parameters import check_parameters
from drctl.runbook.text import parse_text, strings
from drctl.runbook.value import ExpressionError

BODIES: Final = ("uses", "gate", "manual", "steps")
_ONLY_WITH: Final = {
    "on": "uses",
    "with_": "uses",
    "until": "uses",
    "retry": "uses",
    "key": "for_each",
    "waves": "for_each",
    "max_parallel": "for_each",
}


def check_runbook(body: RunbookBody, document: Document) -> list[Problem]:
    """Return every problem of structure, names and expressions."""
    check = _Check(body, document)
    check.run()
    return check.problems


@dataclass
class _Check:
    body: RunbookBody
    document: Document
    language: Language = field(default_factory=Language)
    problems: list[Problem] = field(default_factory=list)
    seen: dict[str, Keys] = field(default_factory=dict)

    def run(self) -> None:
        direction = self.body.direction
        if direction.source == direction.target:
            self._add("direction", "source and target are the same site", ("direction", "target"))
        if not self.body.phases:
            self._add("phases", "a runbook has at least one phase", ("phases",))
        self.problems += check_parameters(self.body.parameters, self.document)
        for index, step in enumerate(self.body.prechecks):
            keys: Keys = ("prechecks", index)
            self._step(step, keys)
            self._precheck(step, keys)
        names: set[str] = set()
        for number, phase in enumerate(self.body.phases):
            if phase.name in names:
                self._add(
                    "duplicate-name", f"two phases are called {phase.name!r}", ("phases", number, "name")
                )
            names.add(phase.name)
            for index, step in enumerate(phase.steps):
                self._step(step, ("phases", number, "steps", index))
        self._needs()

    def _add(self, code: str, summary: str, keys: Keys, hint: str = "") -> None:
        self.problems.append(self.document.problem(code, summary, keys, hint))

    def _precheck(self, step: StepBody, keys: Keys) -> None:
        for name in ("gate", "manual", "steps", "needs", "waves", "drill", "retry"):
            if getattr(step, name) is not None:
                self.problems.append(
                    self.document.key_problem("precheck", f"a precheck has no {name!r}", (*keys, name))
                )

    def _step(self, step: StepBody, keys: Keys, *, chain: StepBody | None = None) -> None:
        if chain is None:
            self._unique(step, keys)
        self._one_body(step, keys)
        for name, owner in _ONLY_WITH.items():
            if getattr(step, name) is not None and getattr(step, owner) is None:
                shown = name.rstrip("_")
                summary = f"{shown!r} belongs to a step with {owner!r}"
                self.problems.append(self.document.key_problem("step", summary, (*keys, shown)))
        if isinstance(step.drill, DrillBody) and step.uses is None:
            summary = "only a step with 'uses' does something else in a drill"
            where = (*keys, "drill")
            self.problems.append(self.document.key_problem("step", summary, where, "Say drill: skip."))
        self._expressions(step, keys, chain)
        self._chain(step, keys, chain)

    def _unique(self, step: StepBody, keys: Keys) -> None:
        first = self.seen.setdefault(step.id, keys)
        if first != keys:
            hint = f"The other is at line {self.document.value((*first, 'id')).line}."
            self._add("duplicate-id", f"two steps are called {step.id!r}", (*keys, "id"), hint)

    def _one_body(self, step: StepBody, keys: Keys) -> None:
        bodies = [name for name in BODIES if getattr(step, name) is not None]
        if len(bodies) == 1:
            return
        said = "none" if not bodies else " and ".join(bodies)
        summary = f"step {step.id!r} needs exactly one of uses, gate, manual and steps; it has {said}"
        self._add("step-body", summary, keys)

    def _chain(self, step: StepBody, keys: Keys, chain: StepBody | None) -> None:
        if chain is not None:
            for name in ("for_each", "needs", "steps"):
                if getattr(step, name) is not None:
                    summary = f"a step inside another has no {name!r}: a chain runs in order"
                    self.problems.append(self.document.key_problem("chain", summary, (*keys, name)))
        if step.steps is None:
            return
        if not step.steps:
            self._add("chain", "'steps' is empty", (*keys, "steps"))
        ids: set[str] = set()
        for index, inner in enumerate(step.steps):
            here: Keys = (*keys, "steps", index)
            if inner.id in ids:
                self._add("duplicate-id", f"two steps of {step.id!r} are called {inner.id!r}", (*here, "id"))
            ids.add(inner.id)
            self._step(inner, here, chain=step)

    def _expressions(self, step: StepBody, keys: Keys, chain: StepBody | None) -> None:
        has_item = step.for_each is not None or (chain is not None and chain.for_each is not None)
        for place, text in bare_expressions(step):
            name = str(place[0])
            item = has_item and name != "for_each"
            if text.lstrip().startswith("{{"):
                self._add("expression", f"{name!r} takes the expression without {{{{ }}}}", (*keys, *place))
                continue
            try:
                self._names(
                    self.language.parse(text),
                    (*keys, *place),
                    text,
                    0,
                    item=item,
                    outputs=name in {"when", "until"},
                )
            except ExpressionError as error:
                self._expression_problem(error, (*keys, *place), text)
        for place, text in templates(step):
            self._template(text, (*keys, *place), item=has_item, outputs="with" in place[:2])

    def _template(self, text: str, keys: Keys, *, item: bool, outputs: bool) -> None:
        try:
            for hole in parse_text(text, self.language).holes:
                self._names(hole.expression, keys, text, hole.offset, item=item, outputs=outputs)
        except ExpressionError as error:
            self._expression_problem(error, keys, text)

    def _names(
        self, expression: Expression, keys: Keys, text: str, offset: int, *, item: bool, outputs: bool
    ) -> None:
        if "item" in expression.names and not item:
            raise ExpressionError(
                "'item' exists only in a step with for_each", max(text.find("item", offset), 0)
            )
        if "steps" in expression.names and not outputs:
            hint = "Outputs may be used in with, when and until."
            raise ExpressionError(
                "outputs of steps are not known here", max(text.find("steps", offset), 0), hint
            )

    def _expression_problem(self, error: ExpressionError, keys: Keys, text: str) -> None:
        where = self.document.within(keys, text, error.offset)
        self.problems.append(Problem(code="expression", summary=str(error), hint=error.hint, where=where))

    def _needs(self) -> None:
        phases = {step.id: number for number, phase in enumerate(self.body.phases) for step in phase.steps}
        for number, phase in enumerate(self.body.phases):
            for index, step in enumerate(phase.steps):
                for place, need in enumerate(step.needs or ()):
                    keys: Keys = ("phases", number, "steps", index, "needs", place)
                    self._need(need, phases, number, keys)
            self._cycle(phase, ("phases", number, "steps"))

    def _cycle(self, phase: Phase, keys: Keys) -> None:
        try:
            TopologicalSorter(needed_blocks({step.id: step.needs for step in phase.steps})).prepare()
        except CycleError as error:
            path: list[str] = list(reversed(error.args[1]))  # graphlib lists what is needed first
            index = next(index for index, step in enumerate(phase.steps) if step.id == path[0])
            summary = f"steps wait for each other in a circle: {' → '.join(path)}"
            self._add("cycle", summary, (*keys, index, "needs"), "An arrow reads: waits for.")

    def _need(self, need: str, phases: dict[str, int], number: int, keys: Keys) -> None:
        name = need.split("[", 1)[0].split(".", 1)[0]
        if name not in phases:
            self._add("unknown-step", f"no step is called {need!r}", keys, suggest(need, phases))
        elif phases[name] > number:
            self._add("needs-later", f"{need!r} is in a later phase", keys, "Phases run one after another.")


def bare_expressions(step: StepBody) -> Iterator[tuple[Keys, str]]:
    """Yield the fields that are expressions, with their place inside the step."""
    for name in ("for_each", "when"):
        text = getattr(step, name)
        if text is not None:
            yield (name,), text
    if isinstance(step.waves, str):
        yield ("waves",), step.waves
    for index, one in enumerate(step.waves if isinstance(step.waves, tuple) else ()):
        yield ("waves", index), one
    if step.until is not None and step.until.when is not None:
        yield ("until", "when"), step.until.when


def templates(step: StepBody) -> Iterator[tuple[Keys, str]]:
    """Yield the strings that may hold ``{{ }}``, with their place inside the step."""
    for name in ("title", "key", "uses", "on"):
        text = getattr(step, name)
        if text is not None:
            yield (name,), text
    if step.with_ is not None:
        yield from strings(_json(step.with_), ("with",))
    if isinstance(step.drill, DrillBody):
        yield from strings(step.drill.model_dump(by_alias=True, exclude_none=True), ("drill",))
    if step.gate is not None:
        yield ("gate", "ask"), step.gate.ask
    if step.manual is not None:
        yield ("manual", "do"), step.manual.do


def _json(value: dict[str, JsonValue] | str) -> JsonValue:
    return value
