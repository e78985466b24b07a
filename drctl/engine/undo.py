"""From a run's journal to the steps that undo it, newest first.

Every change was announced with its inverse (``StepStarted.undo``) before it was made, so a journal that
ends anywhere holds all there is to undo. What may not have happened is undone too: each inverse reads
reality before it acts, and then finds nothing to do.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Final

from pydantic import JsonValue

from drctl.core import events as ev
from drctl.core.action import MARK, OUTPUT, Reversibility
from drctl.core.events import Recorded
from drctl.core.problem import Source
from drctl.core.run import Run, StepRun
from drctl.engine.step import Step, StepId, Use
from drctl.engine.template import Arguments

PREFIX: Final = "undo."
"""Before the id of the step that is undone."""

REDACTED: Final = "•••"
"""What a journal holds in the place of a secret: such an inverse cannot be used."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A change that stays, and why nothing undoes it; ``final`` when going back is not free."""

    step: StepId
    reason: str
    final: bool


@dataclass(frozen=True)
class Undoing:
    """What there is to undo: ``steps`` ready to be planned, newest first; ``kept`` is what stays."""

    steps: tuple[Step, ...]
    kept: tuple[Kept, ...]


@dataclass
class _Begun:
    """One step that was begun, with the inverse of each attempt (journal line, recipe), oldest first."""

    record: StepRun
    recipes: list[tuple[int, ev.RecipeData]] = field(default_factory=list)
    objects: set[str] = field(default_factory=set)

    @property
    def names(self) -> list[StepId]:
        """Return the ids of its undoing steps, in the order they run: newest attempt first."""
        first = f"{PREFIX}{self.record.id}"
        return [first if n == 1 else f"{first}.{n}" for n in range(1, len(self.recipes) + 1)]


def undo(records: Sequence[Recorded], journal: Path, sites: Mapping[str, str]) -> Undoing:
    """Return the inverse of everything a run began; ``sites`` maps endpoints to their sites.

    An inverse waits for those of all steps that waited for its step, and of later ones on the same
    objects; what was independent is undone side by side.
    """
    run = Run.of(records)
    begun = _begun(run, records)
    kept = tuple(one for one in map(_kept, begun.values()) if one is not None)
    gone = {one.step for one in kept}
    usable = {identity: one for identity, one in begun.items() if identity not in gone}
    before = _undone_before(run, usable)
    steps = [
        step
        for identity in reversed(usable)
        for step in _steps(
            run,
            usable[identity],
            frozenset(usable[other].names[-1] for other in before[identity]),
            journal,
            sites,
        )
    ]
    return Undoing(tuple(steps), kept)


def _begun(run: Run, records: Sequence[Recorded]) -> dict[StepId, _Begun]:
    """Collect what was begun, in the order of the first beginnings; equal inverses count once."""
    begun: dict[StepId, _Begun] = {}
    for record in records:
        event = record.event
        if not isinstance(event, ev.StepStarted) or event.change is None:
            continue
        one = begun.setdefault(event.step, _Begun(run.steps[event.step]))
        one.objects.update(event.objects)
        if event.undo is not None and all(event.undo != recipe for _, recipe in one.recipes):
            one.recipes.append((record.seq, event.undo))
    return begun


def _kept(one: _Begun) -> Kept | None:
    """Return why a step's change stays, None when it can be undone."""
    planned = one.record.planned
    cost = (planned.reversibility if planned else None) or Reversibility.IRREVERSIBLE.value
    if not one.recipes:
        name = planned.action if planned else one.record.id
        return Kept(one.record.id, f"{name} has no inverse ({cost})", cost != Reversibility.REVERSIBLE.value)
    if any(REDACTED in json.dumps(dict(r.arguments), ensure_ascii=False) for _, r in one.recipes):
        return Kept(one.record.id, "what stood there before holds a secret, which no journal keeps", True)
    return None


def _undone_before(run: Run, usable: Mapping[StepId, _Begun]) -> dict[StepId, set[StepId]]:
    """Return, for each step, those whose inverses go first: the nearest that waited for it, or came later."""
    waiting: dict[StepId, list[StepId]] = defaultdict(list)
    needs = {i: step.planned.needs if step.planned else () for i, step in run.steps.items()}
    for identity, needed in needs.items():
        for need in needed:
            waiting[need].append(identity)
    nearest: dict[StepId, set[StepId]] = {}
    for identity in reversed(list(TopologicalSorter(needs).static_order())):
        found: set[StepId] = set()
        for other in waiting[identity]:
            found |= {other} if other in usable else nearest[other]
        nearest[identity] = found
    before = {identity: set(nearest.get(identity, ())) for identity in usable}
    last: dict[str, StepId] = {}
    for identity, one in usable.items():
        for thing in one.objects:
            if thing in last:
                before[last[thing]].add(identity)
            last[thing] = identity
    return before


def _steps(
    run: Run, one: _Begun, before: frozenset[StepId], journal: Path, sites: Mapping[str, str]
) -> Iterator[Step]:
    """Yield the steps that undo one, a chain of its attempts."""
    planned = one.record.planned
    for name, (line, recipe) in zip(one.names, reversed(one.recipes), strict=True):
        yield Step(
            id=name,
            title=f"Undo {planned.title if planned else one.record.id}",
            phase=f"Undo {planned.phase if planned else 'the run'}",
            body=Use(
                recipe.uses,
                "action",
                recipe.endpoint,
                sites.get(recipe.endpoint or ""),
                Arguments(_filled(recipe.arguments, run, one.record)),
            ),
            where=Source(str(journal), line + 1, 1),
            needs=before,
            service=planned.service if planned else None,
            item=planned.item if planned else None,
            on_error="ask",
        )
        before = frozenset((name,))


def _filled(arguments: Mapping[str, JsonValue], run: Run, record: StepRun) -> dict[str, JsonValue]:
    """Return the arguments with the mark and the outputs of the step in the places held for them."""
    made_by = run.started.run if run.started else ""
    filled: dict[str, JsonValue] = {}
    for name, value in arguments.items():
        if value == MARK:
            filled[name] = f"drctl:{made_by}:{record.id}"
        elif isinstance(value, str) and value.startswith(OUTPUT):
            if (known := record.outputs.get(value.removeprefix(OUTPUT))) is not None:
                filled[name] = known
        else:
            filled[name] = value
    return filled
