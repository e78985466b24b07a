"""What the verbs that start a run have in common: plan, show, refuse, confirm, execute."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import typer

from drctl.app.answers import prepared_answers
from drctl.app.approval import Approval, load_plan, refuse_stale
from drctl.app.case import Case, Files, opened, prepare, refuse_blockers
from drctl.app.context import Context
from drctl.app.in_place import refuse_orphans
from drctl.app.precedence import refuse_conflict
from drctl.app.start import Ended, incident_of, start
from drctl.cli.in_place import agree
from drctl.cli.options import INCIDENT, has_terminal, parse_incident
from drctl.cli.planning import announce, show, view
from drctl.cli.running import Display, audience, conclude
from drctl.cli.say import say
from drctl.console.ask import forget_typed
from drctl.console.plan import PlanView
from drctl.core.operation import Binder
from drctl.core.problem import DrctlError, ExitCode, Problem
from drctl.engine.plan import Plan

NOT_STATED: Final = (None,) * len(INCIDENT)

TRIES = 3
"""How often the target's name may be mistyped: reading everything anew takes time at a bad moment."""


@dataclass(frozen=True)
class Wish:
    """What a start was asked for; ``confirm`` asks a person, None when ``--yes`` was given."""

    confirm: Callable[[PlanView, Approval, str], Approval] | None
    display: Display
    plan: Path | None = None
    answers: Path | None = None
    check: Callable[[Plan], None] | None = None
    """Refuses a plan for reasons of its own, after it was shown."""
    delete_newer: bool = False
    """Whether ``--yes`` agrees to the snapshots that the plan deletes as well."""


def approval_of(context: Context, reason: str, instants: Sequence[str | None] = NOT_STATED) -> Approval:
    """Return the approval that ``--yes`` stands for; ``instants`` are the texts given for ``INCIDENT``."""
    impact, detected, declared = parse_incident(instants, context.clock.now())
    return Approval("yes", context.actor, reason, impact, detected, declared)


@contextmanager
def planned(context: Context, case: Case, *, as_json: bool) -> Iterator[tuple[Binder, Plan]]:
    """Read everything, show it; raise ``DrctlError`` (exit 3) on a blocker after showing it all."""
    announce(case)
    with opened(case, context) as binder:
        made = prepare(case, binder)
        show(view(context, case, made, context.clock.now()), as_json=as_json)
        refuse_blockers(made)
        yield binder, made


def launch(context: Context, case: Case, files: Files, wish: Wish, approval: Approval) -> None:
    """Plan, show, confirm, execute; raise ``DrctlError`` as the exit codes say, or exit with the run's."""
    conclude(carry_out(context, case, files, wish, approval), as_json=wish.display.as_json)


def carry_out(context: Context, case: Case, files: Files, wish: Wish, approval: Approval) -> Ended:
    """Plan, show, confirm, execute, and leave the last word to the caller."""
    as_json = wish.display.as_json
    prepared = prepared_answers(wish.answers, case.expansion)
    saved = load_plan(wish.plan) if wish.plan is not None else None
    context.home.refuse_unusable()
    refuse_conflict(context, case)
    announce(case)
    with opened(case, context) as binder:
        made = prepare(case, binder)
        shown = view(context, case, made, incident_of(approval, context.clock.now()))
        if not as_json:
            show(shown, as_json=False)
        refuse_blockers(made)
        refuse_orphans(case, made)
        if wish.check is not None:
            wish.check(made)
        if saved is not None:
            refuse_stale(saved, made)
            approval = replace(approval, how="plan-file")
        if wish.confirm is not None:
            approval = wish.confirm(shown, approval, case.expansion.target)
        asks = wish.confirm is not None
        case = agree(case, made, context.clock.now(), asks=asks, delete_newer=wish.delete_newer)
        with audience(context, wish.display, prepared) as watching:
            return start(context, case, files, binder, made, approval, watching)


def confirming(question: str) -> Callable[[PlanView, Approval, str], Approval]:
    """Return what asks for the target site's name; ``question`` may hold ``{target}`` and ``{title}``."""

    def confirm(shown: PlanView, approval: Approval, target: str) -> Approval:
        if not has_terminal():
            hint = "Run it on a terminal, or with --yes --reason '…'."
            problem = Problem(code="confirmation", summary="nobody confirmed the start", hint=hint)
            raise DrctlError(problem, exit_code=ExitCode.WAITING)
        forget_typed(sys.stdin)
        for left in reversed(range(TRIES)):
            typed = typer.prompt(question.format(target=target, title=shown.target), err=True)
            if typed.strip() == target:
                break
            if not left:
                problem = Problem(
                    code="confirmation", summary=f"{typed!r} is not {target}; nothing was touched"
                )
                raise DrctlError(problem)
            say(f"{typed!r} is not {target}; Ctrl-C leaves, and nothing is touched.", err=True)
        return replace(approval, how="typed")

    return confirm
