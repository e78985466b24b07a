"""``drctl report``: what managers and auditors read."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from drctl.app.context import system_context
from drctl.app.report import report as gather
from drctl.cli.options import Home, RunReference
from drctl.cli.verbs import exit_codes
from drctl.core.problem import DrctlError, ExitCode, Problem
from drctl.report.facts import Report

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command(
    epilog="Examples: drctl report last; drctl report last -f html --lang fr -o report.html; "
    "drctl report 20260131 -f pdf -o report.pdf; drctl report last -f json | jq .services\n\n"
    + exit_codes(
        _0="written",
        _1="the journal was altered after it was written: the line is named",
        _8="--check: something is still to be completed",
        _2="no such run, nothing to report yet, or no PDF can be drawn here",
    )
)
def report(
    run: RunReference = "last",
    form: Annotated[
        Literal["md", "html", "pdf", "json"],
        typer.Option("-f", "--format", help="Markdown, HTML, PDF or JSON."),
    ] = "md",
    lang: Annotated[Literal["en", "fr"], typer.Option("--lang", help="English or French.")] = "en",
    kind: Annotated[
        Literal["incident", "drill"] | None,
        typer.Option("--kind", help="Which report; default by the run's mode.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Where to write; default stdout.", show_default=False
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write no report: list what is still to be completed, and how.")
    ] = False,
    home: Home = None,
) -> None:
    """Write the post-incident report or the drill report of a run, from its journal alone.

    What nobody has said yet stands as "to be completed"; drctl note fills it in. Run it again whenever
    you like: a report is a reading, nothing is stored.
    """
    gc.disable()  # tens of thousands of records are made, and none of them is garbage before the end
    reported = gather(system_context(home), run, kind)
    if check:
        raise typer.Exit(int(_list_gaps(reported.facts)))
    written = reported.render(form, lang)
    if output is None:
        _refuse_terminal(form)
        sys.stdout.buffer.write(written)
        return
    try:
        output.write_bytes(written)
    except OSError as error:
        problem = Problem(code="output", summary=f"cannot write {output}: {error.strerror}")
        raise DrctlError(problem) from error
    typer.echo(f"Wrote {output} ({len(written) / 1024:.0f} KiB).")


def _list_gaps(facts: Report) -> ExitCode:
    """Print each open field with the command that fills it in; the code says whether there is any."""
    for gap in facts.gaps:
        typer.echo(f"{gap.field:<16} {gap.command}")
    if not facts.gaps:
        typer.echo("Nothing is left to be completed.")
    return ExitCode.EXCEPTIONS if facts.gaps else ExitCode.OK


def _refuse_terminal(form: str) -> None:
    if form == "pdf" and sys.stdout.isatty():
        problem = Problem(code="binary", summary="a PDF is not for a terminal", hint="Add -o report.pdf")
        raise DrctlError(problem)
