"""``drctl plan``: what would change, step by step."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from drctl.app.approval import save_plan
from drctl.app.case import opened, prepare, refuse_blockers
from drctl.app.context import Context, system_context
from drctl.app.in_place import refuse_orphans
from drctl.cli.in_place import OrphanMirrors, RestoreInPlace
from drctl.cli.options import Home, Inventory, Json, Parameters, RecoveryPoints, Runbook
from drctl.cli.planning import Asked, Mode, announce, load, show, view
from drctl.cli.say import say
from drctl.cli.verbs import exit_codes
from drctl.core.problem import DrctlError, Problem
from drctl.engine.plan import Plan

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command(
    epilog="Example: drctl plan runbooks/pacs-site-loss.yaml -i inventories/lab.yaml -o plan.json\n\n"
    + exit_codes(2, 3, _0="nothing stands in the way")
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
        _save(context, made, output)
        say(f"Saved to {output}{_execution(asked, output)}", err=True)
    refuse_blockers(made)
    refuse_orphans(case, made)


def _save(context: Context, made: Plan, output: Path) -> None:
    try:
        save_plan(made, output, context.clock.now(), context.actor)
    except OSError as error:
        summary = f"cannot write {output}: {error.strerror or error}"
        raise DrctlError(Problem(code="output", summary=summary)) from error


def _execution(asked: Asked, output: Path) -> str:
    """Say what a saved plan is for: only a failover executes one."""
    if asked.mode != "failover":
        return ""
    words = ["drctl", "failover", str(asked.runbook)]
    if str(asked.inventory) != os.environ.get("DRCTL_INVENTORY"):
        words += ["-i", str(asked.inventory)]
    given = {"-p": asked.parameters, "--recovery-point": asked.points, "--restore-in-place": asked.restores}
    words += [word for option, texts in given.items() for text in texts for word in (option, text)]
    words += ["--orphan-mirrors"] if asked.orphans else []
    return f"; execute it with: {shlex.join([*words, '--plan', str(output)])}"
