"""``drctl schema``: JSON Schemas for editors."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer

from drctl.cli.verbs import exit_codes
from drctl.core.provider import Registry
from drctl.inventory.schema import inventory_schema
from drctl.report.machine import report_schema
from drctl.runbook.schema import answers_schema, runbook_schema

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command(
    epilog="Example: drctl schema runbook > runbook.schema.json\n\n"
    + exit_codes(_0="printed", _2="bad usage")
)
def schema(
    kind: Annotated[
        Literal["runbook", "inventory", "answers", "report"],
        typer.Argument(metavar="runbook|inventory|answers|report", help="Which file.", show_default=False),
    ],
) -> None:
    """Print the JSON Schema of a file, for editors that complete and check while you type."""
    match kind:
        case "runbook":
            printed = runbook_schema()
        case "answers":
            printed = answers_schema()
        case "report":
            printed = report_schema()
        case "inventory":
            printed = inventory_schema(Registry())
    typer.echo(json.dumps(printed, indent=2, ensure_ascii=False))
