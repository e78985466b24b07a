"""``drctl answer``: answer a gate or manual step."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from drctl.app.context import system_context
from drctl.app.requests import Speaker
from drctl.cli.completion import complete_question
from drctl.cli.options import Home, RunName
from drctl.cli.verbs import exit_codes
from drctl.engine.people import Answer

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command(
    epilog="Examples: drctl answer last go go --reason 'crisis cell, 03:20'; "
    "drctl answer last vpn done --evidence CHG-1204\n\n" + exit_codes(2, _0="answered")
)
def answer(
    run: RunName,
    step: Annotated[
        str,
        typer.Argument(
            metavar="STEP",
            help="The gate or manual step.",
            show_default=False,
            autocompletion=complete_question,
        ),
    ],
    said: Annotated[
        Literal["go", "no-go", "done", "failed"],
        typer.Argument(metavar="ANSWER", help="go or no-go for a gate, done or failed for a manual step."),
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why; journaled.", show_default=False)] = "",
    evidence: Annotated[str, typer.Option("--evidence", help="What proves it.", show_default=False)] = "",
    home: Home = None,
) -> None:
    """Answer what a run waits for, from any terminal; the first valid answer wins."""
    result = Speaker(system_context(home), run).answer(step, Answer(said, reason, evidence))
    typer.echo(f"Answered {step}: {said}.")
    if not result.alive:
        typer.echo(f"No engine is running; go on with: drctl resume {result.directory.id}")
