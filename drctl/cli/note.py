"""``drctl note``: a human fact."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, get_args

import typer

from drctl.app.context import system_context
from drctl.app.history import find_action, last_action
from drctl.app.requests import Speaker
from drctl.cli.options import Home, RunName, parse_instant
from drctl.cli.verbs import exit_codes
from drctl.core import events as ev
from drctl.core.problem import DrctlError, Problem

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)

Kind = Literal[
    "note", "decision", "finding", "impact", "communication", "cause", "lesson", "action",
    "detection", "declaration", "back-to-normal",
]  # fmt: skip


@app.command(
    epilog="Examples:\n\n\b\n"
    "  drctl note last 'The tunnels moved' --kind communication --at 03:40\n"
    "  drctl note last 'Lower the TTL' --kind action --owner net --due 2026-12-01\n"
    "  drctl note last 'TTL is 60 s now' --closes 20260131-031200-failover-1f0c/412\n\n"
    + exit_codes(2, _0="noted")
)
def note(
    run: RunName,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What happened.")],
    kind: Annotated[
        Kind,
        typer.Option("--kind", metavar="KIND", help=f"What sort of fact it is: {', '.join(get_args(Kind))}."),
    ] = "note",
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="When it happened; default now.")
    ] = None,
    owner: Annotated[
        str, typer.Option("--owner", help="Who does it; for kind action.", show_default=False)
    ] = "",
    due: Annotated[
        str | None,
        typer.Option(
            "--due", metavar="DATE", help="By when, e.g. 2026-12-01; for kind action.", show_default=False
        ),
    ] = None,
    closes: Annotated[
        str,
        typer.Option(
            "--closes", metavar="RUN/LINE", help="The action that this note ends.", show_default=False
        ),
    ] = "",
    home: Home = None,
) -> None:
    """Write a human fact into a run's journal; reports show it in its place.

    An action stays open, and the next precheck and reports of the same runbook list it, until a note
    with --closes RUN/LINE ends it. An action with --closes and an owner or a date takes the other's place.
    Notes may be written long after the end of a run.
    """
    if kind != "action" and (owner or due):
        raise DrctlError(Problem(code="action", summary="--owner and --due belong to --kind action"))
    context = system_context(home)
    instant = parse_instant(at, "--at", context.clock.now())
    ended = find_action(context, closes, run) if closes else ""
    said = Speaker(context, run).note(
        ev.Note(
            text=text, kind=kind, by=context.actor, instant=instant, owner=owner, due=_date(due), closes=ended
        )
    )
    named = (
        f" as action {last_action(said.directory)}"
        if kind == "action" and (owner or due or not ended)
        else ""
    )
    closed = f"; action {ended} is closed" if ended else ""
    typer.echo(f"Noted in {said.directory.id}{named}{closed}.")


def _date(text: str | None) -> date | None:
    """Return a day; raise ``DrctlError`` for what is none."""
    try:
        return date.fromisoformat(text) if text is not None else None
    except ValueError as error:
        hint = "Write it as 2026-12-01."
        raise DrctlError(Problem(code="date", summary=f"--due {text}: not a date", hint=hint)) from error
