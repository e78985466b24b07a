"""``drctl explain``: what an action or probe does, before it is put into a runbook."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Iterator, Mapping
from typing import Annotated

import typer

from drctl.app.catalog import Entry, as_document, describe, names
from drctl.app.fields import FieldRow
from drctl.cli.completion import complete_action
from drctl.cli.options import Json
from drctl.cli.verbs import exit_codes
from drctl.core.provider import Registry

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)

WIDTH = 78


@app.command(
    epilog="Examples: drctl explain; drctl explain ontap.snapmirror.break\n\n"
    + exit_codes(_0="explained", _2="nothing is called that")
)
def explain(
    action: Annotated[
        str,
        typer.Argument(
            metavar="ACTION",
            help="An action or probe; none lists them all.",
            autocompletion=complete_action,
        ),
    ] = "",
    json_: Json = False,
) -> None:
    """Say what actions and probes read, change, undo and output; without a name, list them all."""
    registry = Registry()
    if not action:
        listed = names(registry)
        for line in [json.dumps(listed, ensure_ascii=False)] if json_ else list_lines(listed):
            typer.echo(line)
        return
    entry = describe(registry, action)
    for line in [json.dumps(as_document(entry), ensure_ascii=False)] if json_ else entry_lines(entry):
        typer.echo(line)


def list_lines(listed: Mapping[str, str]) -> Iterator[str]:
    """Yield one line per action and probe, cut to the terminal's width where there is a terminal."""
    longest = max(map(len, listed), default=0)
    width = shutil.get_terminal_size((1000, 24)).columns
    for name, summary in listed.items():
        line = f"{name:<{longest}}  {summary}".replace("``", "")
        yield line if len(line) <= width else line[: width - 1] + "…"


def entry_lines(entry: Entry) -> Iterator[str]:
    """Yield an entry as text."""
    yield f"{entry.name} ({entry.kind})"
    yield from _wrapped(entry.summary, "  ")
    for paragraph in filter(None, entry.details.split("\n\n")):
        yield ""
        yield from _wrapped(paragraph, "  ")
    yield ""
    yield "Inputs (with:)" if entry.fields else "No inputs."
    for row in entry.fields:
        yield from _field_lines(row)
    yield ""
    for label, text in facts(entry):
        yield from _wrapped(f"{label}: {text}", "", "  ")
    if entry.example:
        yield ""
        yield "Example"
        yield from textwrap.indent(f"- {textwrap.indent(entry.example, '  ').lstrip()}", "  ").splitlines()


def facts(entry: Entry) -> Iterator[tuple[str, str]]:
    """Yield what is to know besides the inputs, as label and text."""
    if entry.kind == "probe":
        yield "Looks", entry.reads
        yield "Judges", entry.done
    else:
        yield "Reads", entry.reads
        yield "Compares", entry.done
        yield "Changes", entry.changes
        yield "Touches", "; ".join(entry.touches)
        yield "Reversibility", entry.reversibility
        yield "Undo", entry.undo or "none is derived"
        yield "May be repeated after a crash", entry.repeat
        if entry.resumes:
            yield "Finds work under way", entry.resumes
    yield "Outputs", ", ".join(entry.outputs) or "none"
    yield "Endpoint", "named by on:" if entry.endpoint else "none: asked from where drctl runs"


def _field_lines(row: FieldRow) -> Iterator[str]:
    what = row.type + (", required" if row.required else f", default {row.default}" if row.default else "")
    yield from _wrapped(f"{row.name}: {what}{'. ' + row.help if row.help else ''}", "  ", "      ")


def _wrapped(text: str, indent: str, rest: str | None = None) -> list[str]:
    """Fill text; list items and code keep their lines apart from the paragraph's flow."""
    plain = " ".join(text.replace("``", "").split())
    return textwrap.wrap(
        plain,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent if rest is None else rest,
        break_on_hyphens=False,
    )
