"""``drctl abort``: end a run for good."""

from __future__ import annotations

import typer

from drctl.app.context import system_context
from drctl.app.requests import Speaker
from drctl.cli.options import Home, Reason, RunName
from drctl.cli.verbs import exit_codes

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command(
    epilog="Example: drctl abort last --reason 'power is back, staying in Paris'\n\n"
    + exit_codes(2, _0="it ends, or has ended")
)
def abort(run: RunName, reason: Reason, home: Home = None) -> None:
    """End a run for good: nothing new starts, running steps reach their end, nothing is undone."""
    said = Speaker(system_context(home), run).abort(reason)
    ends = "ends once its running steps have" if said.alive else "has ended"
    typer.echo(f"Run {said.directory.id} {ends}; what it did stays as it is. Log: {said.directory.incident}")
