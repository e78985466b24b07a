"""Before volumes are rolled back in place: whose base that would take away, and what somebody agreed to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pydantic import JsonValue

from drctl.app.case import Case
from drctl.app.points import GIVEN_UP, Agreed, copies, points_of, vault_of, with_points, write_agreed
from drctl.core.deletions import Deletion, deletions
from drctl.core.problem import DrctlError, ExitCode, Problem
from drctl.engine.graph import build
from drctl.engine.plan import Plan


def planned_deletions(plan: Plan) -> tuple[Deletion, ...]:
    """Return what a plan deletes for ever, one entry for each volume that is rolled back."""
    return deletions(planned.event() for planned in plan.steps)


def agreed_to(case: Case, found: Sequence[Deletion]) -> Case:
    """Return the case whose steps may delete what was found, and nothing else; its run keeps the agreement."""
    agreed = {one.step: Agreed(back_to=one.back_to, deletes=tuple(one.names)) for one in found}
    words = write_agreed(agreed)
    expansion = with_points(
        case.expansion, case.inventory, {**words, GIVEN_UP: case.parameters.get(GIVEN_UP)}
    )
    parameters = {**case.parameters, **words}
    return replace(case, expansion=expansion, graph=build(expansion.steps), parameters=parameters)


def refuse_orphans(case: Case, plan: Plan) -> None:
    """Raise ``DrctlError`` (exit 3) when a vault would have no snapshot in common with a volume any more.

    It could then not be fed from the volume's side again without a full baseline. Not refused when
    somebody said that this may be.
    """
    if case.parameters.get(GIVEN_UP) is True:
        return
    seen = {checked.step.id: checked.values for checked in plan.checks}
    names = {one.path: one.name for one in copies(case.inventory, case.expansion.target)}
    problems = [
        problem
        for one in planned_deletions(plan)
        if one.snapshots
        for problem in _orphaned(one, names.get(one.volume, ""), seen)
    ]
    if problems:
        raise DrctlError(*problems, exit_code=ExitCode.BLOCKED)


def _orphaned(one: Deletion, volume: str, seen: Mapping[str, Mapping[str, JsonValue]]) -> Iterator[Problem]:
    if vault_of(volume) not in seen:
        return
    mine, theirs = _points(seen, points_of(volume)), _points(seen, vault_of(volume))
    if mine is None or theirs is None:
        yield Problem(
            code="vault-unknown",
            summary=f"whether the vault of {volume} keeps a snapshot in common with {one.volume} cannot be seen",
            detail="It may be one of those that would be deleted.",
            hint="Try again when the vault answers; or say that it may need a full baseline: --orphan-mirrors.",
            step=one.step,
        )
        return
    shared = mine & theirs
    if shared and {name for name, _ in shared} <= set(one.names):
        yield Problem(
            code="orphaned-mirror",
            summary=f"the vault of {volume} would have no snapshot in common with {one.volume} any more",
            detail=f"It would go: {', '.join(sorted(name for name, _ in shared))}.",
            hint="Serve from a clone (--recovery-point), or say that the vault may need a full baseline: "
            "--orphan-mirrors.",
            step=one.step,
        )


def _points(seen: Mapping[str, Mapping[str, JsonValue]], look: str) -> set[tuple[str, str]] | None:
    """Return what a look found, by name and time: the same snapshot has both on either side."""
    listed = seen.get(look, {}).get("points")
    if not isinstance(listed, list):
        return None
    return {(str(one["name"]), str(one["created"])) for one in listed if isinstance(one, dict)}
