"""``drctl sign``: somebody vouches for where a journal ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from drctl.app.context import system_context
from drctl.app.seal import NAMESPACE
from drctl.app.seal import sign as seal
from drctl.cli.options import Home, Json, RunReference
from drctl.cli.verbs import exit_codes

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command(
    epilog="Examples: drctl sign last; drctl sign 20260131 --key ~/.ssh/id_ed25519.pub (with an agent)\n\n"
    + exit_codes(
        2,
        _0="signed",
        _1="the journal was altered, or ssh-keygen refuses: what it said",
    )
)
def sign(
    run: RunReference = "last",
    key: Annotated[
        Path | None,
        typer.Option(
            "--key",
            metavar="FILE",
            help="An SSH key; the public one when the private is in an agent. Default ~/.ssh/id_ed25519.",
            show_default=False,
        ),
    ] = None,
    home: Home = None,
    json_: Json = False,
) -> None:
    """Sign where a run's journal ends: writes head.txt and head.txt.sig beside it.

    Copy both off this host: they show later that no line is missing or changed. Events written after
    it, such as notes, are not covered; sign again.
    """
    path = (key or Path("~/.ssh/id_ed25519")).expanduser()
    sealed = seal(system_context(home), run, path)
    statement = sealed.statement
    if json_:
        typer.echo(
            json.dumps(
                {
                    "run": statement.run,
                    "lines": statement.lines,
                    "head": statement.head,
                    "plan": statement.plan,
                    "namespace": NAMESPACE,
                    "text": str(sealed.text),
                    "signature": str(sealed.signature),
                },
                ensure_ascii=False,
            )
        )
        return
    typer.echo(f"Run {statement.run}: signed its {statement.lines} lines, head {statement.head}")
    typer.echo(f"  {sealed.text}")
    typer.echo(f"  {sealed.signature}")
    typer.echo("Copy both elsewhere; check: drctl verify RUN --allowed-signers FILE --signed head.txt")
