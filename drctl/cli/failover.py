"""``drctl failover``: take over on the standby site."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from drctl.app.answers import prepared_answers
from drctl.app.approval import Approval, load_plan, refuse_stale
from drctl.app.case import opened, prepare, refuse_blockers
from drctl.app.context import Context, system_context
from drctl.app.start import incident_of, start
from drctl.cli.options import (
    AnswersFile,
    Home,
    Inventory,
    Json,
    NoColor,
    Parameters,
    Plain,
    Reason,
    Runbook,
    Yes,
    has_terminal,
    parse_incident,
    require_reason,
)  # fmt: skip
from drctl.cli.plan import run_plan
from drctl.cli.planning import Asked, announce, load, show, view
from drctl.cli.running import Display, audience, conclude
from drctl.cli.verbs import exit_codes
from drctl.console.plan import PlanView
from drctl.core.problem import DrctlError, ExitCode, Problem

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)

EXAMPLES = """Examples:

\b
  drctl failover runbooks/pacs-site-loss.yaml -i inventories/lab.yaml --dry-run
  drctl failover runbooks/pacs-site-loss.yaml -i estate.yaml --declared-at 03:12
  drctl failover runbooks/pacs-site-loss.yaml -i estate.yaml --plan plan.json --yes --reason "INC-7"

"""

Instant = Annotated[
    str | None, typer.Option(metavar="TIME", help="03:12 today, or ISO 8601.", show_default=False)
]


@app.command(epilog=EXAMPLES + exit_codes(0, 1, 2, 3, 4, 5, 6, 7, 8, 130, 143))
def failover(
    runbook: Runbook,
    inventory: Inventory,
    parameter: Parameters = [],  # noqa: B006 - Typer copies it
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Plan only: the same as drctl plan.")] = False,
    plan: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="Execute this saved plan; refused when stale."),
    ] = None,
    yes: Yes = False,
    reason: Reason = "",
    answers: AnswersFile = None,
    impact_at: Instant = None,
    detected_at: Instant = None,
    declared_at: Instant = None,
    home: Home = None,
    json_: Json = False,
    plain: Plain = False,
    no_color: NoColor = False,
) -> None:
    """Take over on the standby site. The source is presumed dead; what may be lost is said before.

    Shows the plan, what cannot be undone and the data that would be lost, and asks for the target
    site's name before anything is touched.
    """
    asked = Asked(runbook, inventory, parameter, "failover")
    if dry_run:
        run_plan(asked, home, output=None, as_json=json_)
        return
    require_reason(yes=yes, reason=reason)
    context = system_context(home)
    instants = (impact_at, detected_at, declared_at)
    wish = Wish(
        asked, plan, None if yes else _confirm, answers, Display(json_, plain, not no_color, has_terminal())
    )
    take_over(context, wish, _approval(context, reason, instants))


def _approval(context: Context, reason: str, instants: Sequence[str | None]) -> Approval:
    impact, detected, declared = parse_incident(instants, context.clock.now())
    return Approval("yes", context.actor, reason, impact, detected, declared)


@dataclass(frozen=True)
class Wish:
    """What a start was asked for; ``confirm`` asks a person, None when ``--yes`` was given."""

    asked: Asked
    plan: Path | None
    confirm: Callable[[PlanView, Approval, str], Approval] | None
    answers: Path | None
    display: Display


def take_over(context: Context, wish: Wish, approval: Approval) -> None:
    """Plan, show, confirm, execute; raise ``DrctlError`` as the exit codes say, or exit with the run's."""
    as_json = wish.display.as_json
    case = load(context, wish.asked, quiet=as_json)
    prepared = prepared_answers(wish.answers, case.expansion)
    context.home.refuse_conflict(case.expansion.services, case.sites)
    announce(case)
    with opened(case, context) as binder:
        made = prepare(case, binder)
        shown = view(case, made, incident_of(approval, context.clock.now()))
        if not as_json:
            show(shown, as_json=False)
        refuse_blockers(made)
        if wish.plan is not None:
            refuse_stale(load_plan(wish.plan), made)
            approval = replace(approval, how="plan-file")
        if wish.confirm is not None:
            approval = wish.confirm(shown, approval, case.expansion.target)
        with audience(context, wish.display, prepared) as watching:
            ended = start(context, case, wish.asked.files, binder, made, approval, watching)
    conclude(ended, as_json=as_json)


def _confirm(shown: PlanView, approval: Approval, target: str) -> Approval:
    """Ask for the target site's name; raise ``DrctlError`` (exit 4) without a terminal, (2) on another word."""
    if not has_terminal():
        hint = "Run it on a terminal, or with --yes --reason '…'."
        problem = Problem(code="confirmation", summary="nobody confirmed the start", hint=hint)
        raise DrctlError(problem, exit_code=ExitCode.WAITING)
    typed = typer.prompt(f"Type {target} to fail over to {shown.target}", err=True)
    if typed.strip() != target:
        problem = Problem(code="confirmation", summary=f"{typed!r} is not {target}; nothing was touched")
        raise DrctlError(problem)
    return replace(approval, how="typed")
