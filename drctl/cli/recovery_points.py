"""``drctl recovery-points``: what the standby's volumes can go back to."""

from __future__ import annotations

import json

import typer

from drctl.app.case import Case, opened
from drctl.app.context import system_context
from drctl.app.points import copies
from drctl.cli.options import Home, Inventory, Json, Parameters, Runbook
from drctl.cli.planning import Asked, load
from drctl.cli.say import say
from drctl.cli.verbs import exit_codes
from drctl.core.operation import Look, Seen
from drctl.core.problem import ProviderError

HOW = """
Take one of a service or volume (NAME) for a failover or drill:
  --recovery-point NAME=POINT     a clone of it serves; nothing is deleted
  --restore-in-place NAME=POINT   the volume itself goes back (failover only); what is listed above it is deleted"""

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command(
    epilog="Example: drctl recovery-points runbooks/pacs-site-loss.yaml -i inventories/lab.yaml\n\n"
    + exit_codes(0, 2, _8="an array could not be asked")
)
def recovery_points(
    runbook: Runbook,
    inventory: Inventory,
    parameter: Parameters = [],  # noqa: B006 - Typer copies it
    home: Home = None,
    json_: Json = False,
) -> None:
    """List the snapshots a failover or drill can be served from, per service and volume, newest first.

    Take one with --recovery-point NAME=SNAPSHOT or NAME=TIME: after an attack the newest copy is the
    wrong one. It is served from a clone, and nothing is deleted. With failover --restore-in-place
    the volume itself goes back, and every snapshot listed above the chosen one is deleted for ever.
    """
    context = system_context(home)
    case = load(context, Asked(runbook, inventory, parameter, "failover"), quiet=json_)
    found = list(copies(case.inventory, case.expansion.target))
    with opened(case, context) as binder:
        asked = [
            binder.bind("ontap.recovery_points", one.place.endpoint, {"destination": one.path})
            for one in found
        ]
        seen = binder.look_many(asked)
    for one, look in zip(found, seen, strict=True):
        if json_:
            values = dict(look.values) if isinstance(look, Look) else {"problem": _trouble(look)}
            typer.echo(json.dumps({"service": one.service, "volume": one.name, "path": one.path, **values}))
        else:
            _show(case, f"{one.service}, {one.name}", look)
    if not json_:
        typer.echo(HOW)
    if not all(isinstance(look, Look) for look in seen):
        raise typer.Exit(8)


def _show(case: Case, name: str, look: Seen) -> None:
    finding = look.finding if isinstance(look, Look) else None
    title = case.inventory.sites[case.expansion.target].title or case.expansion.target
    say(f"{name}: {finding.summary if finding else _trouble(look)} ({title})")
    for line in finding.details if finding else ():
        say(f"  {line}")


def _trouble(look: Seen) -> str:
    return look.problem.summary if isinstance(look, ProviderError) else str(look)
