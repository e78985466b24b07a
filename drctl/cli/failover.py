"""``drctl failover``: take over on the standby site."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from drctl.app.context import system_context
from drctl.cli.in_place import DeleteNewer, OrphanMirrors, RestoreInPlace
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
  drctl failover site-loss.yaml -i estate.yaml --dry-run
  drctl failover site-loss.yaml -i estate.yaml --declared-at 03:12
  drctl failover site-loss.yaml -i estate.yaml --plan plan.json
  drctl failover site-loss.yaml -i estate.yaml --yes --reason INC-7
  drctl failover site-loss.yaml -i estate.yaml --recovery-point pacs=02:00
  drctl failover site-loss.yaml -i estate.yaml --restore-in-place pacs=02:00

"""

Instant = Annotated[
    str | None, typer.Option(metavar="TIME", help="03:12 today, or ISO 8601.", show_default=False)
]


@app.command(epilog=EXAMPLES + exit_codes(0, 1, 2, 3, 4, 5, 6, 7, 8, 130, 143))
def failover(
    runbook: Runbook,
    inventory: Inventory,
    parameter: Parameters = [],  # noqa: B006 - Typer copies it
    recovery_point: RecoveryPoints = [],  # noqa: B006 - Typer copies it
    restore_in_place: RestoreInPlace = [],  # noqa: B006 - Typer copies it
    delete_newer: DeleteNewer = False,
    orphan_mirrors: OrphanMirrors = False,
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
    site's name before anything is touched. An older --recovery-point is served from a clone, beside
    which everything newer stays; --restore-in-place deletes what is newer, after it was named and agreed to.
    """
    points = (recovery_point, restore_in_place)
    asked = Asked(runbook, inventory, parameter, "failover", *points, orphans=orphan_mirrors)
    if dry_run:
        run_plan(asked, home, output=None, as_json=json_)
        return
    require_reason(yes=yes, reason=reason)
    context = system_context(home)
    display = Display(json_, plain, not no_color, has_terminal())
    confirm = None if yes else confirming("Type {target} to fail over to {title}")
    case = load(context, asked, quiet=json_)
    wish = Wish(confirm, display, plan, answers, delete_newer=delete_newer)
    approval = approval_of(context, reason, (impact_at, detected_at, declared_at))
    launch(context, case, asked.files, wish, approval)
