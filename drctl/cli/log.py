"""``drctl log``: a run's journal, as a timeline."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from drctl.app.context import system_context
from drctl.app.look import follow as follow_run
from drctl.app.look import look
from drctl.cli.options import Home, Json, RunReference
from drctl.cli.say import say
from drctl.cli.verbs import exit_codes
from drctl.cli.watching import until_interrupted
from drctl.console.plain import JsonView, LogView

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command(
    epilog="Examples: drctl log last; drctl log last --follow; drctl log 20260131 --json | jq .type\n\n"
    + exit_codes(
        2,
        _0="printed",
        _1="the journal was altered after it was written: the line is named",
        _130="Ctrl-C left --follow",
    )
)
def log(
    run: RunReference = "last",
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on until the run has ended; Ctrl-C leaves.")
    ] = False,
    home: Home = None,
    json_: Json = False,
) -> None:
    """Print what happened in a run, a line per event that matters, in UTC; --json prints every event.

    --follow goes on while a run is paused: another process may resume it.
    """
    context = system_context(home)
    seen = look(context, run)
    view = JsonView(typer.echo) if json_ else LogView(say)
    if not follow:
        view.hear(seen.scan.records)
        return
    for records in until_interrupted(partial(follow_run, context, seen.directory)):
        view.hear(records)
