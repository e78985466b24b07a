"""``drctl note``: a human fact."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from drctl.app.context import system_context
from drctl.app.requests import Speaker
from drctl.cli.options import Home, parse_instant
from drctl.cli.verbs import exit_codes
from drctl.core import events as ev

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)

Kind = Literal[
    "note", "decision", "finding", "impact", "communication", "cause", "lesson", "action",
    "detection", "declaration", "back-to-normal",
]  # fmt: skip


@app.command(
    epilog="Example: drctl note last 'Carrier confirms the tunnels moved' --kind communication --at 03:40\n\n"
    + exit_codes(0, 2)
)
def note(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, a prefix of one, or last.")],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What happened.")],
    kind: Annotated[Kind, typer.Option("--kind", help="What sort of fact it is.")] = "note",
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="When it happened; default now.")
    ] = None,
    home: Home = None,
) -> None:
    """Write a human fact into a run's journal; reports show it in its place."""
    context = system_context(home)
    instant = parse_instant(at, "--at", context.clock.now())
    said = Speaker(context, run).note(ev.Note(text=text, kind=kind, by=context.actor, instant=instant))
    typer.echo(f"Noted in {said.directory.id}.")
