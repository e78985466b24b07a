"""``drctl precheck``: would a failover find what it needs?"""

from __future__ import annotations

from typing import Annotated

import typer

from drctl.app.case import opened, refuse_blockers
from drctl.app.case import precheck as look
from drctl.app.context import system_context
from drctl.cli.options import Home, Inventory, Json, Parameters, Runbook
from drctl.cli.planning import Asked, Mode, announce, load, show, view
from drctl.cli.verbs import exit_codes

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command(
    epilog="Example: drctl precheck runbooks/pacs-site-loss.yaml -i inventories/lab.yaml\n\n"
    + exit_codes(2, 3, _0="no blocker; there may be warnings")
)
def precheck(
    runbook: Runbook,
    inventory: Inventory,
    parameter: Parameters = [],  # noqa: B006 - Typer copies it
    mode: Annotated[Mode, typer.Option("--mode", help="The mode whose rules apply.")] = "failover",
    every: Annotated[
        bool, typer.Option("-v", "--verbose", help="Show the findings that are ok, too.")
    ] = False,
    home: Home = None,
    json_: Json = False,
) -> None:
    """Look, read-only, and print ok, warning or blocker per finding."""
    context = system_context(home)
    case = load(context, Asked(runbook, inventory, parameter, mode), quiet=json_)
    announce(case)
    with opened(case, context) as binder:
        found = look(case, binder)
    show(view(context, case, found, context.clock.now()), as_json=json_, every=every)
    refuse_blockers(found)
