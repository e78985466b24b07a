"""``drctl drill``: rehearse a failover in the bubble, on copies."""

from __future__ import annotations

from typing import Annotated

import typer

from drctl.app.context import system_context
from drctl.app.leftovers import refuse_leftovers
from drctl.cli.in_place import NotInDrills
from drctl.cli.options import (
    AnswersFile,
    Home,
    Inventory,
    Json,
    NoColor,
    Parameters,
    Plain,
    Reason,
    RecoveryPoints,
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
  drctl drill site-loss.yaml -i estate.yaml --dry-run
  drctl drill site-loss.yaml -i estate.yaml --yes --reason "exercise 2026-1"
  drctl cleanup last

"""


@app.command(epilog=EXAMPLES + exit_codes(0, 1, 2, 3, 4, 5, 6, 7, 8, 130, 143))
def drill(
    runbook: Runbook,
    inventory: Inventory,
    parameter: Parameters = [],  # noqa: B006 - Typer copies it
    recovery_point: RecoveryPoints = [],  # noqa: B006 - Typer copies it
    restore_in_place: NotInDrills = [],  # noqa: B006 - Typer copies it
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Plan only: the same as drctl plan --mode drill.")
    ] = False,
    yes: Yes = False,
    reason: Reason = "",
    answers: AnswersFile = None,
    home: Home = None,
    json_: Json = False,
    plain: Plain = False,
    no_color: NoColor = False,
) -> None:
    """Run the failover's own steps in an isolated bubble, on copies; production is left alone.

    Shows what each step does instead, and which are not exercised and why. A plan that would touch
    anything outside the bubble is refused. Every drill ends with drctl cleanup.
    """
    asked = Asked(runbook, inventory, parameter, "drill", recovery_point, restore_in_place)
    if dry_run:
        run_plan(asked, home, output=None, as_json=json_)
        return
    require_reason(yes=yes, reason=reason)
    context = system_context(home)
    case = load(context, asked, quiet=json_)
    refuse_leftovers(context, case)
    confirm = None if yes else confirming("Type {target} to drill in the bubble of {title}")
    wish = Wish(confirm, Display(json_, plain, not no_color, has_terminal()), answers=answers)
    launch(context, case, asked.files, wish, approval_of(context, reason))
