"""Multiplies a runbook out: runbook, inventory and mode in, steps out, with everything known filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from pydantic import JsonValue

from drctl.core.problem import DrctlError, Problem
from drctl.core.provider import Registry
from drctl.document.shape import suggest
from drctl.engine.bind import Bodies
from drctl.engine.draft import Drafts
from drctl.engine.order import Block, Needs, Ordering
from drctl.engine.scope import build_scope
from drctl.engine.step import Expansion, Mode, Step, StepId, Use
from drctl.inventory.load import Inventory
from drctl.runbook.load import Runbook
from drctl.runbook.parameters import resolve_parameters

PRECHECKS: Final = "Prechecks"
"""The phase that prechecks say they belong to."""


def expand(
    runbook: Runbook,
    inventory: Inventory,
    mode: Mode,
    params: Mapping[str, JsonValue],
    registry: Registry,
    *,
    run_id: str,
) -> Expansion:
    """Return the steps of a run.

    ``failback`` swaps the roles and counts as ``switchover`` in ``modes``.

    Raises:
        DrctlError: Every problem of roles, parameters, expressions, arguments, names and order.
    """
    roles = _roles(runbook, inventory, mode)
    values = resolve_parameters(runbook.body.parameters, params)
    scope = build_scope(runbook.body, inventory, roles, mode=mode, params=values, run_id=run_id)
    drafts = Drafts(runbook.document, scope, "switchover" if mode == "failback" else mode)
    prechecks = [
        drafts.add(body, ("prechecks", i), PRECHECKS) for i, body in enumerate(runbook.body.prechecks)
    ]
    phases = [
        [
            drafts.add(body, ("phases", number, "steps", index), phase.name)
            for index, body in enumerate(phase.steps)
        ]
        for number, phase in enumerate(runbook.body.phases)
    ]
    bodies = Bodies(runbook.document, inventory, registry, drafts)
    built = {draft.id: bodies.build(draft) for draft in drafts.drafts}
    ordering = Ordering(runbook.document)
    for phase in phases:
        ordering.add_phase(phase)
    problems = [*drafts.problems, *bodies.problems, *ordering.problems]
    if problems:
        raise DrctlError(*_without_repetition(problems))
    early = {step for block in prechecks for wave in block.waves for strand in wave for step in strand}
    return Expansion(
        mode=mode,
        source=roles["source"],
        target=roles["target"],
        steps=_ordered(phases, built, ordering.needs),
        prechecks=tuple(step for step in built.values() if step is not None and step.id in early),
        skipped=tuple(drafts.skipped.items()),
        services=frozenset(drafts.services),
    )


def _roles(runbook: Runbook, inventory: Inventory, mode: Mode) -> dict[str, str]:
    direction = runbook.body.direction
    found = {"source": direction.source, "target": direction.target}
    problems = [
        runbook.document.problem(
            "unknown-site", f"no site is called {site!r}", ("direction", role), suggest(site, inventory.sites)
        )
        for role, site in found.items()
        if site not in inventory.sites
    ]
    if problems:
        raise DrctlError(*problems)
    if mode == "failback":
        return {"source": found["target"], "target": found["source"]}
    return found


def _ordered(
    phases: list[list[Block]], built: Mapping[StepId, Step | None], needs: Mapping[StepId, Needs]
) -> tuple[Step, ...]:
    """Return the steps in the file's order, waves in theirs, with what each waits for."""
    steps = []
    for block in (block for phase in phases for block in phase):
        for name in (step for wave in block.waves for strand in wave for step in strand):
            step = built[name]
            if step is not None:
                steps.append(_with_needs(step, needs[name]))
    return tuple(steps)


def _with_needs(step: Step, order: Needs) -> Step:
    extra = step.body.references if isinstance(step.body, Use) else frozenset()
    if step.when is not None:
        extra |= step.when.references
    if step.until is not None and step.until.when is not None:
        extra |= step.until.when.references - {step.id}
    return replace(step, needs=order | extra if extra - order else order)


def _without_repetition(problems: list[Problem]) -> list[Problem]:
    """Say once what differs by item alone (same place, same remedy), and how often; in the order of the file."""
    groups: dict[tuple[object, ...], list[Problem]] = {}
    for problem in problems:
        same = problem.hint or problem.summary
        groups.setdefault((problem.where, problem.code, same), []).append(problem)
    kept = []
    for first, *others in groups.values():
        steps = {other.step for other in others} - {first.step, None}
        more = f" So do {len(steps)} more." if steps else ""
        kept.append(replace(first, detail=f"{first.detail}{more}".strip()))
    return sorted(kept, key=lambda one: (one.where.line, one.where.column) if one.where else (0, 0))
