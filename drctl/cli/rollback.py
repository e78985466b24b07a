"""``drctl rollback``: go back to where a failed or aborted failover began."""

from __future__ import annotations

from typing import Annotated

import typer

from drctl.cli.options import Home, Json, NoColor, Plain, Reason, RunName, Yes
from drctl.cli.undoing import Undone, display_of, undo_run
from drctl.cli.verbs import exit_codes

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command(
    epilog='Examples: drctl rollback last --dry-run; drctl rollback 20260131 --yes --reason "production is back"\n\n'
    + exit_codes(0, 1, 2, 3, 4, 5, 6, 7, 8, 130, 143)
)
def rollback(
    run: RunName,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be undone; touch nothing.")
    ] = False,
    yes: Yes = False,
    reason: Reason = "",
    home: Home = None,
    json_: Json = False,
    plain: Plain = False,
    no_color: NoColor = False,
) -> None:
    """Undo a failed or aborted failover, newest first, while that is possible.

    Refused once a step has run that nothing undoes (the point of no return in the plan); what stays as
    it is is named before anything is touched. The run that is undone ends for good.
    """
    asked = Undone(run, dry_run, yes, reason, home, display_of(json_, plain, no_color))
    undo_run(asked, "rollback", "Type {target} to undo what was done at {title}")
