"""The first half of expansion: which steps there are, item by item, and what was left out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from drctl.core.problem import Problem
from drctl.document.place import Document, Keys
from drctl.engine.order import Block, Strand
from drctl.engine.scope import service_of
from drctl.engine.step import StepId
from drctl.runbook.expr import Expression, Language, Scope
from drctl.runbook.model import DrillBody, StepBody
from drctl.runbook.text import parse_text
from drctl.runbook.value import ExpressionError

Deferred: TypeAlias = tuple[Expression, Keys]
"""A ``when`` that needs outputs, and where it stands."""


@dataclass(frozen=True)
class Draft:
    """A step that is certain to exist; its body is not built yet."""

    id: StepId
    body: StepBody
    keys: Keys
    phase: str
    scope: Scope
    outer: StepBody | None = None
    item: str | None = None
    service: str | None = None
    chain: str | None = None
    lane: tuple[str, int] | None = None
    when: tuple[Deferred, ...] = ()
    drilled: bool = False
    """The body is what the runbook says under ``drill:``."""

    @property
    def written(self) -> Keys:
        """Return where its ``uses``, ``on`` and ``with`` stand."""
        return (*self.keys, "drill") if self.drilled else self.keys

    @property
    def definition(self) -> str:
        """Return the SHA-256 of what the file says of the step and of the block around it."""
        outer = self.outer.model_dump(mode="json", exclude={"steps"}) if self.outer else None
        said = [self.phase, self.body.model_dump(mode="json", exclude={"steps"}), outer]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class _Item:
    """One turn of a ``for_each``; key None for a step without one."""

    key: str | None
    scope: Scope
    value: object = None
    wave: object = None


@dataclass
class Drafts:
    """Collects drafts step by step; everything is kept by id, in the order of the file."""

    document: Document
    scope: Scope
    mode: str
    language: Language = field(default_factory=Language)
    drafts: list[Draft] = field(default_factory=list)
    skipped: dict[StepId, str] = field(default_factory=dict)
    groups: dict[str, list[StepId]] = field(default_factory=dict)
    services: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def add(self, body: StepBody, keys: Keys, phase: str) -> Block:
        """Multiply one step of the file out."""
        block = Block(body.id, keys, body.needs)
        before = set(self.skipped)
        if body.modes is not None and self.mode not in body.modes:
            self.skipped[body.id] = f"belongs to {', '.join(body.modes)}"
        else:
            for wave in self._waves(self._items(body, keys), body, keys):
                strands = [self._strand(body, keys, phase, item) for item in wave]
                block.waves.append([strand for strand in strands if strand])
        block.gone = frozenset(set(self.skipped) - before)
        self.groups[body.id] = [step for wave in block.waves for strand in wave for step in strand]
        return block

    def evaluate(self, expression: Expression, scope: Scope, keys: Keys, text: str, step: str) -> object:
        """Evaluate; on failure note the problem and return None."""
        try:
            return expression.evaluate(scope)
        except ExpressionError as error:
            self.note(error, keys, text, step)
            return None

    def note(self, error: ExpressionError, keys: Keys, text: str, step: str) -> None:
        """Keep an expression's error as a problem, placed at the word that is wrong."""
        where = self.document.within(keys, text, error.offset)
        detail = f"{step} shows it." if "[" in step else ""
        self.problems.append(
            Problem(
                code="expression", summary=str(error), hint=error.hint, where=where, step=step, detail=detail
            )
        )

    def _items(self, body: StepBody, keys: Keys) -> list[_Item]:
        if body.for_each is None:
            return [_Item(None, self.scope)]
        place = (*keys, "for_each")
        found = len(self.problems)
        values = self.evaluate(self.language.parse(body.for_each), self.scope, place, body.for_each, body.id)
        if not isinstance(values, list):
            if len(self.problems) == found:
                summary = "for_each needs a list"
                hint = "A mapping gives one with .values() or .keys()."
                self.problems.append(self.document.problem("for-each", summary, place, hint))
            return []
        items: dict[str, _Item] = {}
        for value in values:
            scope = {**self.scope, "item": value}
            key = self._key(body, keys, scope, value)
            if key in items:
                hint = 'Give the step a key, e.g. key: "{{ item.service.name }}.{{ item.name }}".'
                summary = f"two items have the key {key!r}"
                self.problems.append(self.document.problem("item-key", summary, place, hint))
            elif key is not None:
                items[key] = _Item(key, scope, value)
        return list(items.values())

    def _key(self, body: StepBody, keys: Keys, scope: Scope, value: object) -> str | None:
        key: object = None
        if body.key is not None:
            try:
                key = parse_text(body.key, self.language).fill(scope)
            except ExpressionError as error:
                self.note(error, (*keys, "key"), body.key, body.id)
                return None
        elif isinstance(value, Mapping):
            key = value.get("name")
        elif isinstance(value, (str, int)):
            key = value
        place = (*keys, "for_each" if body.key is None else "key")
        if not isinstance(key, (str, int)) or isinstance(key, bool) or key == "":
            summary = "an item has no name to tell it by"
            hint = 'Give the step a key, e.g. key: "{{ item.id }}".'
        elif any(char in "[]" or ord(char) < ord(" ") for char in str(key)):
            summary, hint = f"the key {key!r} holds a bracket or control character", "Give the step a key."
        else:
            return str(key)
        self.problems.append(self.document.problem("item-key", summary, place, hint))
        return None

    def _waves(self, items: list[_Item], body: StepBody, keys: Keys) -> Iterator[list[_Item]]:
        if body.waves is None:
            yield items
            return
        values = [(self._wave(body, keys, item), item) for item in items]
        try:
            ranks = sorted(values, key=lambda pair: pair[0])
        except TypeError:
            summary = "these values cannot be put in order: all must be numbers, or all texts"
            self.problems.append(self.document.problem("waves", summary, (*keys, "waves")))
            yield items
            return
        wave: list[_Item] = []
        for index, (value, item) in enumerate(ranks):
            if index and value != ranks[index - 1][0]:
                yield wave
                wave = []
            wave.append(item)
        yield wave

    def _wave(self, body: StepBody, keys: Keys, item: _Item) -> list[object]:
        texts = (body.waves,) if isinstance(body.waves, str) else body.waves or ()
        found: list[object] = []
        for index, text in enumerate(texts):
            place: Keys = (*keys, "waves") if isinstance(body.waves, str) else (*keys, "waves", index)
            value = self.evaluate(
                self.language.parse(text), item.scope, place, text, f"{body.id}[{item.key}]"
            )
            found.append(value)
        return found

    def _strand(self, body: StepBody, keys: Keys, phase: str, item: _Item) -> Strand:
        """Add the steps of one item, or the single step; return their ids in order."""
        name = body.id if item.key is None else f"{body.id}[{item.key}]"
        service = service_of(item.value)
        when = self._when(body, keys, item.scope, name)
        if when is None:
            return ()
        if service is not None:
            self.services.add(service)
        lane = None if body.max_parallel is None else (body.id, body.max_parallel)
        common = Draft(name, body, keys, phase, item.scope, None, item.key, service, None, lane, when)
        if body.steps is None:
            self.drafts.append(self._rehearsed(common))
            return (name,)
        return tuple(self._links(body, body.steps, common))

    def _links(self, outer: StepBody, steps: Sequence[StepBody], common: Draft) -> Iterator[StepId]:
        """Add the steps of one chain."""
        for index, body in enumerate(steps):
            name = f"{common.id}.{body.id}"
            keys: Keys = (*common.keys, "steps", index)
            if body.modes is not None and self.mode not in body.modes:
                self.skipped[name] = f"belongs to {', '.join(body.modes)}"
                continue
            when = self._when(body, keys, common.scope, name)
            if when is None:
                continue
            draft = Draft(
                name,
                body,
                keys,
                common.phase,
                common.scope,
                outer,
                common.item,
                common.service,
                common.id,
                common.lane,
                common.when + when,
            )
            self.drafts.append(self._rehearsed(draft))
            yield name

    def _rehearsed(self, draft: Draft) -> Draft:
        """In a drill, put what the step says under ``drill:`` in the place of its ``uses``, ``on`` and ``with``.

        ``on`` stays where the step's is when the override says none and is the same provider's.
        """
        body, own = draft.body, draft.body.drill
        if self.mode != "drill" or not isinstance(own, DrillBody):
            return draft
        same = own.uses.split(".", 1)[0] == (body.uses or "").split(".", 1)[0]
        on = own.on or (body.on if same else None)
        written = body.model_copy(update={"uses": own.uses, "on": on, "with_": own.with_})
        return replace(draft, body=written, drilled=True)

    def _when(self, body: StepBody, keys: Keys, scope: Scope, name: StepId) -> tuple[Deferred, ...] | None:
        """Decide ``when``; None leaves the step out, a deferred condition is kept."""
        if body.when is None:
            return ()
        expression = self.language.parse(body.when)
        place: Keys = (*keys, "when")
        if expression.references:
            return ((expression, place),)
        value = self.evaluate(expression, scope, place, body.when, name)
        if value:
            return ()
        self.skipped[name] = f"not needed here: {body.when} does not hold"
        return None
