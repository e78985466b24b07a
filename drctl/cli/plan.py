"""``drctl plan``: what would change, step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from drctl.app.approval import save_plan
from drctl.app.case import opened, prepare, refuse_blockers
from drctl.app.context import system_context
from drctl.app.in_place import refuse_orphans
from drctl.cli.in_place import OrphanMirrors, RestoreInPlace
from drctl.cli.options import Home, Inventory, Json, Parameters, RecoveryPoints, Runbook
from drctl.cli.planning import Asked, Mode, announce, load, show, view
from drctl.cli.verbs import exit_codes

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command(
    epilog="Example: drctl plan runbooks/pacs-site-loss.yaml -i inventories/lab.yaml -o plan.json\n\n"
    + exit_codes(0, 2, 3)
)
def plan(
    runbook: Runbook,
    inventory: Inventory,
    parameter: Parameters = [],  # noqa: B006 - Typer copies it
    recovery_point: RecoveryPoints = [],  # noqa: B006 - Typer copies it
    restore_in_place: RestoreInPlace = [],  # noqa: B006 - Typer copies it
    orphan_mirrors: OrphanMirrors = False,
    mode: Annotated[Mode, typer.Option("--mode", help="The mode to plan.")] = "failover",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Save the plan, for failover --plan.")
    ] = None,
    home: Home = None,
    json_: Json = False,
) -> None:
    """Read everything and show step by step what would change; nothing is touched."""
    points = (recovery_point, restore_in_place)
    asked = Asked(runbook, inventory, parameter, mode, *points, orphans=orphan_mirrors)
    run_plan(asked, home, output=output, as_json=json_)


def run_plan(asked: Asked, home: Path | None, *, output: Path | None, as_json: bool) -> None:
    """Plan, show, save; raise ``DrctlError`` (exit 3) on a blocker after showing everything."""
    context = system_context(home)
    case = load(context, asked, quiet=as_json)
    announce(case)
    with opened(case, context) as binder:
        made = prepare(case, binder)
    show(view(context, case, made, context.clock.now()), as_json=as_json)
    if output is not None:
        save_plan(made, output, context.clock.now(), context.actor)
        typer.echo(
            f"Saved to {output}; execute it with: drctl failover {asked.runbook} --plan {output}", err=True
        )
    refuse_blockers(made)
    refuse_orphans(case, made)
