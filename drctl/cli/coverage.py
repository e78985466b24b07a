"""``drctl coverage``: what of a runbook was ever exercised, and when."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from pydantic_core import PydanticCustomError

from drctl.app.context import Context, system_context
from drctl.app.history import History, history_of, name_of
from drctl.cli.options import Home, Json, Parameters, parse_parameters
from drctl.cli.verbs import exit_codes
from drctl.console.coverage import coverage_document, coverage_lines
from drctl.core import events as ev
from drctl.core.duration import parse_duration
from drctl.core.problem import DrctlError, Problem
from drctl.engine.expand import expand
from drctl.engine.plan import Planned
from drctl.engine.verdict import Observes
from drctl.inventory.load import load_inventory
from drctl.report.coverage import cover
from drctl.runbook.load import load_runbook

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command(
    epilog="Examples:\n\n\b\n"
    "  drctl coverage pacs-site-loss\n"
    "  drctl coverage site-loss.yaml -i estate.yaml --older-than 180d\n\n"
    + exit_codes(2, _0="shown; --json lists what is stale")
)
def coverage(
    runbook: Annotated[
        str,
        typer.Argument(metavar="RUNBOOK", help="The runbook, a YAML file or its name.", show_default=False),
    ],
    inventory: Annotated[
        Path | None,
        typer.Option(
            "-i",
            "--inventory",
            envvar="DRCTL_INVENTORY",
            help="Count only runs on this inventory; with a runbook file, compare with the steps of now.",
            show_default=False,
        ),
    ] = None,
    parameter: Parameters = [],  # noqa: B006 - Typer copies it
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="Age from which an exercise is stale.")
    ] = "90d",
    home: Home = None,
    json_: Json = False,
) -> None:
    """Show per step when it last ran for real, when in a drill's bubble, how long, and what is stale.

    A step found already as wished, skipped, failed or not reached was not exercised. Stale is what was
    exercised too long ago, changed in the runbook since, or failed since.
    """
    context = system_context(home)
    age = _age(older_than)
    name = name_of(runbook)
    estate, present = _present(context, Path(runbook), inventory, parameter)
    history = history_of(context, name, estate)
    _say_left_out(history, estate)
    found = cover(history.journals, context.clock.now(), age, present)
    if json_:
        document = coverage_document(found, name)
        document |= {"unread": [p.summary for p in history.unread], "elsewhere": [*history.elsewhere]}
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    for line in coverage_lines(found, name):
        typer.echo(line)


def _age(text: str) -> float:
    try:
        return parse_duration(text)
    except PydanticCustomError as error:
        problem = Problem(code="duration", summary=f"--older-than {text}: {error.message()}")
        raise DrctlError(problem) from error


def _present(
    context: Context, runbook: Path, inventory: Path | None, parameters: list[str]
) -> tuple[str | None, Sequence[ev.StepPlanned] | None]:
    """Return the inventory's name, and the steps as the runbook has them now where both files are given."""
    if inventory is None:
        return None, None
    estate = load_inventory(inventory, context.registry)
    if not runbook.is_file():
        return estate.name, None
    given = parse_parameters(parameters)
    expansion = expand(load_runbook(runbook), estate, "failover", given, context.registry, run_id="-")
    return estate.name, [Planned(step, Observes()).event() for step in expansion.steps]


def _say_left_out(history: History, estate: str | None) -> None:
    for problem in history.unread:
        typer.echo(f"not counted: {problem.summary} ({problem.where})", err=True)
    if history.elsewhere:
        typer.echo(f"not counted: {len(history.elsewhere)} runs on another inventory than {estate}", err=True)
    names = {run.started.inventory.name for run in history.runs}
    if len(names) > 1:
        typer.echo(f"counted together: runs on {', '.join(sorted(names))}; choose one with -i", err=True)
