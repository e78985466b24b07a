"""``drctl cleanup``: take away what a drill made."""

from __future__ import annotations

from typing import Annotated

import typer

from drctl.cli.options import Home, Json, NoColor, Plain, Reason, RunName, Yes
from drctl.cli.undoing import Undone, display_of, undo_run
from drctl.cli.verbs import exit_codes

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command(
    epilog='Examples: drctl cleanup last; drctl cleanup 20260131 --yes --reason "exercise 2026-1 is over"\n\n'
    + exit_codes(0, 1, 2, 3, 4, 5, 6, 7, 8, 130, 143)
)
def cleanup(
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
    """Undo a drill, newest first, from its journal; prove that nothing is left.

    Works after a crash, on a half-made drill, or days later: reality is read before each step, and
    nothing is deleted that the drill did not make. Machines are unregistered, never destroyed.
    """
    asked = Undone(run, dry_run, yes, reason, home, display_of(json_, plain, no_color))
    undo_run(asked, "cleanup", "Type {target} to clean up in the bubble of {title}")
