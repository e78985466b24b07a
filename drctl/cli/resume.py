"""``drctl resume``: go on with a stopped run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from drctl.app.answers import prepared_answers
from drctl.app.context import system_context
from drctl.app.homecoming import is_failback, left_unprotected
from drctl.app.resume import Resumption, go_on, resuming
from drctl.cli.options import (
    AnswersFile,
    Home,
    Json,
    NoColor,
    Plain,
    Reason,
    RunReference,
    Yes,
    has_terminal,
    require_reason,
)  # fmt: skip
from drctl.cli.returning import Turned, turn_interrupted
from drctl.cli.running import Display, audience, conclude
from drctl.cli.verbs import exit_codes
from drctl.console.ask import forget_typed
from drctl.console.table import reconciled_lines
from drctl.core.problem import DrctlError, ExitCode, Problem

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command(
    epilog="Examples: drctl resume last; drctl resume 20260131 --yes --reason 'reality checked by hand'\n\n"
    + exit_codes(0, 1, 2, 3, 4, 5, 6, 7, 8, 130, 143)
)
def resume(
    run: RunReference = "last",
    yes: Yes = False,
    reason: Reason = "",
    answers: AnswersFile = None,
    accept_changes: Annotated[
        bool,
        typer.Option("--accept-changes", help="Go on with the edited runbook or inventory; needs --reason."),
    ] = False,
    home: Home = None,
    json_: Json = False,
    plain: Plain = False,
    no_color: NoColor = False,
) -> None:
    """Go on with a stopped run: reality is read again before the journal is believed.

    A failback goes on into the reprotect that it ends with.
    """
    require_reason(yes=yes or accept_changes, reason=reason)
    display = Display(json_, plain, not no_color, has_terminal())
    continue_run(run, home, display, yes=yes, reason=reason, answers=answers, accept_changes=accept_changes)


def continue_run(
    run: str,
    home: Path | None,
    display: Display,
    *,
    yes: bool,
    reason: str,
    answers: Path | None = None,
    accept_changes: bool = False,
) -> None:
    """Own the run, show what is found, ask where it must be asked, and execute."""
    context = system_context(home)
    moved = left_unprotected(context, run)
    if moved is not None:
        turn_interrupted(context, moved, Turned(moved.directory.id, yes, reason, display))
        return
    typer.echo(f"Reading reality before going on with {run}…", err=True)
    with resuming(context, run, accept_changes=accept_changes) as resumption:
        if resumption.session.torn:
            typer.echo("  The journal's last line was not written to its end; it was dropped.", err=True)
        for line in reconciled_lines(resumption.reality.table):
            typer.echo(line, err=True)
        prepared = prepared_answers(answers, resumption.case.expansion)
        _agree(resumption, yes=yes)
        with audience(context, display, prepared) as watching:
            ended = go_on(resumption, context.actor, reason, watching)
    if is_failback(ended.directory):
        turn_interrupted(context, ended, Turned(ended.directory.id, yes, reason, display))
    conclude(ended, as_json=display.as_json)


def _agree(resumption: Resumption, *, yes: bool) -> None:
    """Ask a person about what was not approved; raise ``DrctlError`` (exit 6) when nobody agrees."""
    asked = resumption.consent
    if not asked or yes:
        return
    for line in asked:
        typer.echo(f"  {line}", err=True)
    forget_typed(sys.stdin)
    if has_terminal() and typer.confirm("Go on?", err=True):
        return
    hint = f"drctl resume {resumption.session.directory.id} --yes --reason '…'"
    problem = Problem(
        code="consent", summary="going on needs a person's consent", detail="; ".join(asked), hint=hint
    )
    raise DrctlError(problem, exit_code=ExitCode.DRIFTED)
