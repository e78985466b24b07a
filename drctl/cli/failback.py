"""``drctl failback``: move back on purpose, and protect the original direction again."""

from __future__ import annotations

from typing import Annotated

import typer

from drctl.app.context import system_context
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
    require_reason,
)  # fmt: skip
from drctl.cli.plan import run_plan
from drctl.cli.planning import Asked, load
from drctl.cli.returning import Turned, turn_home
from drctl.cli.running import Display
from drctl.cli.starting import Wish, approval_of, carry_out, confirming
from drctl.cli.verbs import exit_codes

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)

EXAMPLES = """Examples:

\b
  drctl failback site-loss.yaml -i estate.yaml --dry-run
  drctl failback site-loss.yaml -i estate.yaml --yes --reason "CHG-13"

"""


@app.command(epilog=EXAMPLES + exit_codes(0, 1, 2, 3, 4, 5, 6, 7, 8, 130, 143))
def failback(
    runbook: Runbook,
    inventory: Inventory,
    parameter: Parameters = [],  # noqa: B006 - Typer copies it
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Plan only: the same as drctl plan --mode failback.")
    ] = False,
    yes: Yes = False,
    reason: Reason = "",
    answers: AnswersFile = None,
    home: Home = None,
    json_: Json = False,
    plain: Plain = False,
    no_color: NoColor = False,
) -> None:
    """Move back: a switchover with the roles swapped, after drctl reprotect; no write is lost.

    Ends with a reprotect of its own, a run by itself, so that the original direction stands again.
    When the move stops, drctl resume goes on with it, and then into its reprotect.
    """
    asked = Asked(runbook, inventory, parameter, "failback")
    if dry_run:
        run_plan(asked, home, output=None, as_json=json_)
        return
    require_reason(yes=yes, reason=reason)
    context = system_context(home)
    case = load(context, asked, quiet=json_)
    display = Display(json_, plain, not no_color, has_terminal())
    confirm = None if yes else confirming("Type {target} to move everything back to {title}")
    wish = Wish(confirm, display, answers=answers)
    moved = carry_out(context, case, asked.files, wish, approval_of(context, reason))
    turn_home(context, moved, Turned(moved.directory.id, yes, reason, display))
