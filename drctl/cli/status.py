"""``drctl status``: where a run stands."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import typer

from drctl.app.context import Context, system_context
from drctl.app.history import past_of
from drctl.app.leftovers import leftover_drills, leftover_problems
from drctl.app.look import Pulse, Sight, follow, look
from drctl.cli.options import Home, Json, NoColor, Plain, RunReference, has_terminal
from drctl.cli.running import Display, live_view
from drctl.cli.say import say
from drctl.cli.verbs import exit_codes
from drctl.cli.watching import until_interrupted
from drctl.console.plain import PlainView
from drctl.console.standing import Standing, standing_document, standing_lines

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)

KEYS = ("Ctrl-C: leave this view; the run goes on without it",)


@app.command(
    epilog="Examples: drctl status; drctl status 20260131 --watch; drctl status last --json\n\n"
    "The exit code is 0 whatever the run's state; --json has the state, and the run's own exit code.\n\n"
    + exit_codes(
        2,
        _0="shown",
        _1="the journal was altered after it was written: the line is named",
        _130="Ctrl-C left --watch",
    )
)
def status(
    run: RunReference = "last",
    watch: bool = typer.Option(
        False, "--watch", help="Go on showing it until the run has ended or Ctrl-C; drives nothing."
    ),
    home: Home = None,
    json_: Json = False,
    plain: Plain = False,
    no_color: NoColor = False,
) -> None:
    """Show where a run stands, what runs, what waits for whom, what went wrong, and what to type next."""
    context = system_context(home)
    seen = look(context, run)
    if watch and not json_:
        _watch(context, seen, Display(False, plain, not no_color, has_terminal()))
    elif watch:
        for _ in until_interrupted(partial(follow, context, seen.directory)):
            _show(context, look(context, seen.directory.id), as_json=True)
        return
    _show(context, look(context, seen.directory.id), as_json=json_)


def _watch(context: Context, seen: Sight, display: Display) -> None:
    """Follow a run that another process drives, or that nobody does."""
    batches = until_interrupted(partial(follow, context, seen.directory))
    if not display.moving:
        view = PlainView(say)
        for records in batches:
            view.hear(records)
        return
    pulse = Pulse(context, seen.directory)
    with live_view(context, display, life=pulse.feel, keys=KEYS) as live:
        for records in batches:
            live.hear(records)


def _show(context: Context, seen: Sight, *, as_json: bool) -> None:
    at = _standing(context, seen, seen.directory.incident)
    if as_json:
        drills = [run.started.run for run in leftover_drills(context) if run.started is not None]
        document = {**standing_document(at), "uncleaned_drills": drills}
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    for line in standing_lines(at):
        say(line)
    for problem in leftover_problems(context):
        say(f"Left over {problem.summary}: {problem.hint}")


def _standing(context: Context, seen: Sight, incident: Path) -> Standing:
    head = seen.scan.head
    board = seen.board
    past = past_of(context, board.run.started) if board.run.finished is None else None
    now = context.clock.now()
    return Standing(seen.directory.id, board, seen.life, now, head.digest, head.seq, incident, past)
