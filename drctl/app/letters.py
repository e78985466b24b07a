"""Looks a run up and tells it: the facts, the forecast, and where a team keeps its own templates."""

from __future__ import annotations

import json
from pathlib import Path

from drctl.app.context import Context
from drctl.app.history import past_of
from drctl.app.look import look
from drctl.console.figures import next_commands
from drctl.core.problem import DrctlError, Problem
from drctl.engine.home import RunDirectory
from drctl.report.forecast import foresee
from drctl.report.letter import Letters
from drctl.report.situation import Facts, Moment, situation
from drctl.report.speech import Language

FOLDER = "messages"


def facts_of(context: Context, reference: str) -> tuple[RunDirectory, Facts]:
    """Return the facts of a run as it stands now; raise ``DrctlError`` when there is nothing to tell."""
    seen = look(context, reference)
    board, now = seen.board, context.clock.now()
    run = board.run
    if run.started is None:
        raise DrctlError(
            Problem(code="no-beginning", summary=f"run {seen.directory.id} has no beginning yet")
        )
    forecast = None if run.finished is not None else foresee(run, past_of(context, run.started), now)
    commands = tuple(next_commands(board, seen.life))
    moment = Moment(now, seen.life.alive, seen.scan.head.digest, forecast, commands)
    return seen.directory, situation(seen.scan.records, moment)


def letters(directory: RunDirectory, language: Language, templates: Path | None) -> Letters:
    """Return the templates: those given, else those beside the runbook, before those that come with drctl.

    Raises:
        DrctlError: ``templates`` is no directory.
    """
    if templates is not None:
        if not templates.is_dir():
            hint = "It holds en/ and fr/, with one AUDIENCE.txt per text."
            summary = f"--templates {templates}: no such directory"
            raise DrctlError(Problem(code="templates", summary=summary, hint=hint))
        return Letters(language, (templates,))
    beside = _beside_runbook(directory)
    return Letters(language, (beside,) if beside is not None and beside.is_dir() else ())


def _beside_runbook(directory: RunDirectory) -> Path | None:
    try:
        return directory.read_origins()[0].parent / FOLDER
    except (OSError, json.JSONDecodeError, KeyError):  # a journal copied alone has no origin
        return None
