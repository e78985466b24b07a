"""``drctl validate``: are the files right, as far as can be said without contacting anything?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from drctl.app.validation import Figures, Verdict, Wanted
from drctl.app.validation import validate as check
from drctl.cli.main import problem_document
from drctl.cli.options import Inventory, Json, Parameters, parse_parameters
from drctl.cli.say import columns, say
from drctl.cli.verbs import exit_codes
from drctl.core.excerpt import render_problem
from drctl.core.problem import ExitCode
from drctl.core.provider import Registry

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)

EXAMPLES = """Examples:

\b
  drctl validate runbooks/pacs-site-loss.yaml -i inventories/lab.yaml
  drctl validate site-loss.yaml -i estate.yaml --assume-down rennes
  drctl validate site-loss.yaml -i estate.yaml --answers answers.yaml

"""


@app.command(
    epilog=EXAMPLES
    + exit_codes(
        _0="all files are right; warnings may remain", _2="bad usage, or a file is wrong: where and why"
    )
)
def validate(
    runbooks: Annotated[
        list[Path], typer.Argument(metavar="RUNBOOK", help="The runbooks.", show_default=False)
    ],
    inventory: Inventory,
    assume_down: Annotated[
        str | None,
        typer.Option("--assume-down", metavar="SITE", help="Take this site for lost; default the source."),
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option("--answers", metavar="FILE", help="Check these answers, too.", show_default=False),
    ] = None,
    parameter: Parameters = [],  # noqa: B006 - Typer copies it
    json_: Json = False,
) -> None:
    """Check runbooks and inventory: language, references, order, lost-site rule, practice.

    Static: nothing is contacted, no secret is read. Every problem is shown at once, with its place.
    """
    wanted = Wanted(tuple(runbooks), inventory, assume_down, answers, parse_parameters(parameter))
    verdicts = check(Registry(), wanted)
    for verdict in verdicts:
        if json_:
            typer.echo(json.dumps(document(verdict), ensure_ascii=False))
            continue
        for line in report(verdict):
            say(line)
    if any(verdict.errors for verdict in verdicts):
        raise typer.Exit(ExitCode.USAGE)


def report(verdict: Verdict) -> Iterator[str]:
    """Yield each problem, then one line on the whole file."""
    for problem in verdict.problems:
        yield render_problem(problem, columns())
    warnings = len(verdict.problems) - len(verdict.errors)
    said = _count(warnings, "warning")
    if verdict.errors:
        yield f"{verdict.file}: {_count(len(verdict.errors), 'error')}, {said}"
    elif verdict.figures is not None:
        yield f"{verdict.file}: ok, {said}; {summarise(verdict.figures)}"


def summarise(figures: Figures) -> str:
    """Return one line on a runbook that is right."""
    sizes = ", ".join((
        _count(figures.phases, "phase"),
        _count(figures.steps, "step"),
        _count(figures.prechecks, "precheck"),
        _count(figures.endpoints, "endpoint"),
    ))  # fmt: skip
    return f"{sizes}; must be up: {', '.join(figures.must_be_up) or 'no site'}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def document(verdict: Verdict) -> dict[str, object]:
    """Return a verdict as ``--json`` prints it."""
    figures = verdict.figures
    return {
        "file": str(verdict.file),
        "ok": not verdict.errors,
        "problems": [problem_document(problem) for problem in verdict.problems],
        "phases": figures.phases if figures else None,
        "steps": figures.steps if figures else None,
        "prechecks": figures.prechecks if figures else None,
        "endpoints": figures.endpoints if figures else None,
        "must_be_up": list(figures.must_be_up) if figures else None,
    }
