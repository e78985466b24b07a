"""``drctl runs``: all runs, newest first."""

from __future__ import annotations

import json

import typer
from pydantic import JsonValue

from drctl.app.context import Context, system_context
from drctl.app.leftovers import leftover_drills
from drctl.app.look import Sight, look_at_all
from drctl.cli.options import Home, Json
from drctl.cli.say import say
from drctl.cli.verbs import exit_codes
from drctl.console.figures import elapsed, state_text
from drctl.core.duration import format_duration
from drctl.core.problem import Problem
from drctl.engine.home import RunDirectory

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command(epilog="Example: drctl runs\n\n" + exit_codes(2, _0="listed"))
def runs(home: Home = None, json_: Json = False) -> None:
    """List the runs, newest first: state, mode, runbook, when it began, how long it took, whose it is."""
    context = system_context(home)
    empty = True
    left = {run.started.run for run in leftover_drills(context) if run.started is not None}
    for directory, seen in look_at_all(context):
        empty = False
        document = _document(context, directory, seen) | {"uncleaned": directory.id in left}
        if json_:
            typer.echo(json.dumps(document, ensure_ascii=False))
        else:
            say(f"{document['run']}  {document['state']}")
            if document["began"]:
                say("    {mode} of {runbook}, {when}, by {owner}".format(**document))
            if document["uncleaned"]:
                say(f"    left in the bubble, not cleaned up: drctl cleanup {directory.id}")
    if empty and not json_:
        say(f"No runs in {context.home.path}.")


def _document(context: Context, directory: RunDirectory, seen: Sight | Problem) -> dict[str, JsonValue]:
    """Return a run as ``--json`` prints it."""
    document: dict[str, JsonValue] = dict.fromkeys(
        ("run", "state", "mode", "runbook", "began", "seconds", "when", "owner", "alive")
    )
    document["run"] = directory.id
    if isinstance(seen, Problem):
        return document | {"state": f"journal broken: {seen.summary}"}
    board = seen.board
    run = board.run
    if run.started is None or run.started_at is None:
        return document | {"state": "no beginning yet"}
    took = elapsed(board, context.clock.now())
    going = "took" if run.finished is not None else "for"
    owner = f"{run.owner.owner} on {run.owner.host}" if run.owner else run.started.user
    return document | {
        "state": state_text(board, seen.life),
        "mode": run.started.mode,
        "runbook": run.started.runbook.name,
        "began": run.started_at.isoformat(timespec="milliseconds"),
        "seconds": took,
        "when": f"began {run.started_at:%Y-%m-%d %H:%M} UTC, {going} {format_duration(took)}",
        "owner": owner,
        "alive": seen.life.alive,
    }
