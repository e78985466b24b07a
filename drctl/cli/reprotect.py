"""``drctl reprotect``: replicate the other way round after a move."""

from __future__ import annotations

from typing import Annotated

import typer

from drctl.app.context import system_context
from drctl.cli.options import Home, Json, NoColor, Plain, Reason, RunName, Yes, require_reason
from drctl.cli.returning import Turned, say_relations, turn_round
from drctl.cli.running import conclude
from drctl.cli.say import say
from drctl.cli.undoing import display_of
from drctl.cli.verbs import exit_codes
from drctl.core.problem import ExitCode

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)

EXAMPLES = """Examples:

\b
  drctl reprotect last --dry-run
  drctl reprotect 20260131 --yes --reason "Paris is back"
  drctl reprotect last --acknowledge-loss --yes --reason "INC-7: resent"

"""


@app.command(epilog=EXAMPLES + exit_codes(0, 1, 2, 3, 4, 5, 6, 7, 8, 130, 143))
def reprotect(
    run: RunName,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Plan only; touch nothing.")] = False,
    acknowledge_loss: Annotated[
        bool,
        typer.Option("--acknowledge-loss", help="Overwrite writes that are nowhere else; journaled."),
    ] = False,
    full_baseline: Annotated[
        bool,
        typer.Option(
            "--full-baseline", help="Without a common snapshot put the old volume aside and copy everything."
        ),
    ] = False,
    yes: Yes = False,
    reason: Reason = "",
    home: Home = None,
    json_: Json = False,
    plain: Plain = False,
    no_color: NoColor = False,
) -> None:
    """Replicate from where the data counts now to the side that was left, for every mirror RUN broke.

    The returning side is cleared first: machines off and unregistered, datastores unmounted, junctions
    removed, a snapshot taken. Run it again when more of that side has come back: what is done stays.
    """
    require_reason(yes=yes and not dry_run, reason=reason)
    context = system_context(home)
    display = display_of(json_, plain, no_color)
    asked = Turned(run, yes, reason, display, acknowledge_loss, full_baseline, dry_run)
    ended = turn_round(context, asked)
    if ended is None:
        return
    if not json_:
        say_relations(ended)
        if ended.exit_code == ExitCode.EXCEPTIONS:
            say("Mend what is not proven, then once more: drctl reprotect " + run, err=True)
    conclude(ended, as_json=json_)
