"""``drctl switchover``: move to the standby on purpose, without loss."""

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
from drctl.cli.running import Display
from drctl.cli.starting import Wish, approval_of, confirming, launch
from drctl.cli.verbs import exit_codes

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)

EXAMPLES = """Examples:

\b
  drctl switchover site-loss.yaml -i estate.yaml --dry-run
  drctl switchover site-loss.yaml -i estate.yaml --yes --reason "CHG-12"
  drctl reprotect last

"""


@app.command(epilog=EXAMPLES + exit_codes(0, 1, 2, 3, 4, 5, 6, 7, 8, 130, 143))
def switchover(
    runbook: Runbook,
    inventory: Inventory,
    parameter: Parameters = [],  # noqa: B006 - Typer copies it
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Plan only: the same as drctl plan --mode switchover.")
    ] = False,
    yes: Yes = False,
    reason: Reason = "",
    answers: AnswersFile = None,
    home: Home = None,
    json_: Json = False,
    plain: Plain = False,
    no_color: NoColor = False,
) -> None:
    """Move to the standby site while both sides are alive; no write is lost.

    Every precheck that fails blocks. The source is shut down and made unwritable, and the run stops
    before the point of no return unless each last transfer is proven to be newer than that.
    """
    asked = Asked(runbook, inventory, parameter, "switchover")
    if dry_run:
        run_plan(asked, home, output=None, as_json=json_)
        return
    require_reason(yes=yes, reason=reason)
    context = system_context(home)
    case = load(context, asked, quiet=json_)
    confirm = None if yes else confirming("Type {target} to move everything to {title}")
    wish = Wish(confirm, Display(json_, plain, not no_color, has_terminal()), answers=answers)
    launch(context, case, asked.files, wish, approval_of(context, reason))
