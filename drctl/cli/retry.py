"""``drctl retry``: try a step again."""

from __future__ import annotations

import typer

from drctl.app.context import system_context
from drctl.app.requests import Speaker
from drctl.cli.options import (
    AnswersFile,
    Home,
    Json,
    NoColor,
    Plain,
    Reason,
    RunName,
    StepName,
    Yes,
    has_terminal,
    require_reason,
)
from drctl.cli.resume import continue_run
from drctl.cli.running import Display
from drctl.cli.verbs import exit_codes

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command(
    epilog="Example: drctl retry last 'promote[pacs_vm].break' --reason 'array is back'\n\n"
    + exit_codes(0, 1, 2, 3, 4, 5, 6, 7, 8, 130, 143)
)
def retry(
    run: RunName,
    step: StepName,
    reason: Reason = "",
    yes: Yes = False,
    answers: AnswersFile = None,
    home: Home = None,
    json_: Json = False,
    plain: Plain = False,
    no_color: NoColor = False,
) -> None:
    """Try a failed or indeterminate step again, then go on; a live run is asked to, a stopped one resumed."""
    require_reason(yes=yes, reason=reason)
    said = Speaker(system_context(home), run).retry(step, reason)
    if said.alive:
        typer.echo(f"Asked the engine of {said.directory.id} to retry {step}.")
        return
    display = Display(json_, plain, not no_color, has_terminal())
    continue_run(said.directory.id, home, display, yes=yes, reason=reason, answers=answers)
