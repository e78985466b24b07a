"""What ``cleanup`` and ``rollback`` have in common: the steps come from another run's journal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from drctl.app.aftermath import Aftermath, Undoer, aftermath
from drctl.app.context import system_context
from drctl.cli.options import has_terminal, require_reason
from drctl.cli.running import Display
from drctl.cli.say import say
from drctl.cli.starting import Wish, approval_of, confirming, launch, planned


@dataclass(frozen=True)
class Undone:
    """What was typed."""

    run: str
    dry_run: bool
    yes: bool
    reason: str
    home: Path | None
    display: Display


def undo_run(asked: Undone, mode: Undoer, question: str) -> None:
    """Build the undoing run, show what stays, plan it, and unless it is a dry run execute it."""
    require_reason(yes=asked.yes and not asked.dry_run, reason=asked.reason)
    context = system_context(asked.home)
    found = aftermath(context, asked.run, mode)
    _say_kept(found)
    if asked.dry_run:
        with planned(context, found.case, as_json=asked.display.as_json):
            return
    confirm = None if asked.yes else confirming(question)
    launch(context, found.case, found.files, Wish(confirm, asked.display), approval_of(context, asked.reason))


def display_of(json_: bool, plain: bool, no_color: bool) -> Display:
    """Return how the run is shown."""
    return Display(json_, plain, not no_color, has_terminal())


def _say_kept(found: Aftermath) -> None:
    for one in found.kept:
        say(f"stays as it is: {one.step}: {one.reason}", err=True)
