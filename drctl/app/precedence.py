"""Which run gives way to which: a real failover goes before drills, an undoing run ends the one it undoes."""

from __future__ import annotations

from typing import Final

from drctl.app.case import Case
from drctl.app.context import Context
from drctl.app.ending import last_words
from drctl.app.incident import write_incident
from drctl.core import events as ev
from drctl.core.run import Run
from drctl.engine.chain import scan
from drctl.engine.home import RunDirectory, is_alive, taken_by
from drctl.engine.journal import Entry, JournalFile

YIELDING: Final = frozenset({"drill", "cleanup"})
"""Modes of runs that a failover pushes aside."""


def refuse_conflict(context: Context, case: Case) -> None:
    """Raise ``DrctlError`` (exit 5) when a run that does not give way holds one of the case's services."""
    context.home.refuse_conflict(
        case.expansion.services, case.sites, lambda directory, run: _yields(case, directory, run)
    )


def make_way(context: Context, case: Case) -> tuple[str, ...]:
    """End the runs that give way, and say in their journals why; return their ids.

    Their engines, if any is alive, stop at their next write. What they were doing stays in doubt in
    their journals, which is what ``cleanup`` reads.
    """
    ended: list[str] = []
    for directory, run in context.home.conflicts(case.expansion.services, case.sites):
        if _yields(case, directory, run):
            end(context, directory, f"{case.mode} {case.run_id} goes before it")
            ended.append(directory.id)
    return tuple(ended)


def _yields(case: Case, directory: RunDirectory, run: Run) -> bool:
    if directory.id == case.parent:
        return not is_alive(directory)
    return case.mode == "failover" and run.started is not None and run.started.mode in YIELDING


def end(context: Context, directory: RunDirectory, reason: str) -> None:
    """End an unfinished run for good, whoever drives it."""
    file = JournalFile(directory.journal, context.clock)
    try:
        run = Run.of(file.commit())
        if run.finished is not None:
            return
        taken = taken_by(run, context.user, context.host)
        words = last_words(context, run, taken, ev.AbortRequested(by=context.actor, reason=reason))
        file.commit([Entry(word, context.actor) for word in words])
    finally:
        file.close()
    found = scan(directory.journal)
    write_incident(directory.incident, found.records, found.head.digest)
