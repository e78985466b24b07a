"""Rolling back in place on the command line: the options, and the question that names what would go."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, TypeAlias

import typer
from pydantic import JsonValue

from drctl.app.case import Case
from drctl.app.in_place import agreed_to, planned_deletions
from drctl.app.points import CHOSEN, GIVEN_UP, ROLLED_BACK, write_choices
from drctl.cli.options import has_terminal, parse_points
from drctl.console.ask import forget_typed
from drctl.console.deletions import deletion_lines
from drctl.core import events as ev
from drctl.core.deletions import Deletion, deletions
from drctl.core.problem import DrctlError, ExitCode, Problem
from drctl.engine.plan import Plan

RestoreInPlace: TypeAlias = Annotated[
    list[str],
    typer.Option(
        "--restore-in-place",
        metavar="NAME=POINT",
        help="Roll a service or volume back to this snapshot itself, instead of cloning it: "
        "every newer snapshot of it is deleted for ever.",
        show_default=False,
    ),
]
NotInDrills: TypeAlias = Annotated[
    list[str],
    typer.Option(
        "--restore-in-place",
        metavar="NAME=POINT",
        help="Refused: a drill works on copies and deletes nothing.",
        hidden=True,
        show_default=False,
    ),
]
"""The same where it is known only to be refused with a clear word: a drill deletes nothing."""
DeleteNewer: TypeAlias = Annotated[
    bool,
    typer.Option("--delete-newer", help="With --yes: delete the snapshots that --restore-in-place lists."),
]
OrphanMirrors: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--orphan-mirrors",
        help="With --restore-in-place: go on although a mirror (the vault's) loses its base.",
    ),
]


def chosen(
    points: Sequence[str], restores: Sequence[str], now: datetime, *, orphans: bool
) -> dict[str, JsonValue]:
    """Return the choices as a run keeps them; raise ``DrctlError`` for one that cannot be read."""
    found = write_choices(parse_points(points, now), CHOSEN)
    found |= write_choices(parse_points(restores, now, "--restore-in-place"), ROLLED_BACK)
    if orphans and not restores:
        summary = "--orphan-mirrors belongs to --restore-in-place, which was not given"
        raise DrctlError(Problem(code="recovery-point", summary=summary))
    return {**found, GIVEN_UP: True} if orphans else found


def agree(case: Case, plan: Plan, now: datetime, *, asks: bool, delete_newer: bool) -> Case:
    """Ask a person to agree to what the plan deletes; return the case that may delete exactly that.

    ``--yes`` alone agrees to nothing here: ``--delete-newer`` does, to what the plan lists.

    Raises:
        DrctlError: nobody agreed; nothing was touched.
    """
    found = planned_deletions(plan)
    count = sum(len(one.snapshots) for one in found)
    if count == 0:
        if delete_newer:
            summary = "--delete-newer: this plan rolls nothing back, it deletes no snapshot"
            raise DrctlError(Problem(code="consent", summary=summary))
    elif asks:
        _ask(found, count, now)
    elif not delete_newer:
        raise DrctlError(_not_agreed(found, count), exit_code=ExitCode.BLOCKED)
    return agreed_to(case, found) if found else case


def _ask(found: Sequence[Deletion], count: int, now: datetime) -> None:
    """Name every snapshot once more, right above the question."""
    if not has_terminal():
        raise DrctlError(_not_agreed(found, count), exit_code=ExitCode.WAITING)
    for line in deletion_lines(found, now):
        typer.echo(line, err=True)
    forget_typed(sys.stdin)
    wanted = f"delete {count}"
    typed = typer.prompt(f"Nothing brings these back. Type '{wanted}' to delete them", err=True)
    if " ".join(typed.split()) != wanted:
        raise DrctlError(Problem(code="consent", summary=f"{typed!r} is not {wanted!r}; nothing was touched"))


def _not_agreed(found: Sequence[Deletion], count: int) -> Problem:
    named = "; ".join(f"{one.volume}: {', '.join(one.names)}" for one in found if one.snapshots)
    return Problem(
        code="consent",
        summary=f"{count} snapshots would be deleted for ever, and nobody agreed to that: --yes does not",
        detail=named,
        hint="Add --delete-newer once what they hold is not needed as evidence; "
        "or --recovery-point, which serves from a clone and deletes nothing.",
    )


def deletions_document(steps: Iterable[ev.StepPlanned]) -> list[dict[str, object]]:
    """Return what a plan deletes as ``--json`` prints it."""
    return [
        {
            **{name: value for name, value in asdict(one).items() if name not in {"made", "snapshots"}},
            "snapshots": [{"name": name, "created": made.isoformat()} for name, made in one.snapshots],
        }
        for one in deletions(steps)
    ]
