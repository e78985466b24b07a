"""The runs of a runbook, read from the home: what coverage, forecasts and open actions are folded from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import ValidationError

from drctl.app.case import Case
from drctl.app.context import Context
from drctl.app.services import services_of
from drctl.core import events as ev
from drctl.core.events import Line, Recorded
from drctl.core.problem import DrctlError, Problem
from drctl.core.run import Run
from drctl.engine.chain import scan
from drctl.engine.home import Home, RunDirectory
from drctl.engine.plan import Plan
from drctl.report.actions import Action, actions_of, open_actions
from drctl.report.forecast import Forecast, Past, foresee, learn
from drctl.runbook.load import load_runbook

RECENT = 20
"""Runs a forecast learns from at most: older ones tell of another estate."""


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run with its records."""

    directory: RunDirectory
    started: ev.RunStarted
    records: tuple[Recorded, ...]


@dataclass
class History:
    """The runs of one runbook, oldest first; ``unread`` are those whose journal is broken."""

    runs: list[PastRun] = field(default_factory=list)
    unread: list[Problem] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    """Runs of the same runbook on another inventory: a lab proves nothing of an estate."""

    @property
    def journals(self) -> list[Sequence[Recorded]]:
        """Return the records alone."""
        return [run.records for run in self.runs]


def history_of(context: Context, runbook: str, inventory: str | None = None) -> History:
    """Read every run of a runbook, on one inventory where it is named."""
    history = History()
    for directory, started in _begun(context.home):
        if started.runbook.name != runbook:
            continue
        if inventory is not None and started.inventory.name != inventory:
            history.elsewhere.append(directory.id)
            continue
        try:
            history.runs.append(PastRun(directory, started, scan(directory.journal).records))
        except DrctlError as error:
            history.unread += error.problems
    return history


def learn_from(context: Context, runbook: str, inventory: str, mode: str, *, but: str = "") -> Past:
    """Return how long steps took in the last runs of a runbook on an inventory, ``but`` one run.

    Runs of the same mode first; what they never did, runs of other modes tell: a drill is a hint where no
    failover was, also where the only failover was aborted at its gate.
    """
    same: list[RunDirectory] = []
    other: list[RunDirectory] = []
    for directory, started in _begun(context.home):
        if (started.runbook.name, started.inventory.name) == (runbook, inventory) and directory.id != but:
            (same if started.mode == mode else other).append(directory)
    return replace(learn(_readable(same[-RECENT:])), hint=learn(_readable(other[-RECENT:])))


def forecast_plan(context: Context, case: Case, plan: Plan) -> Forecast:
    """Return how long a plan should take, from the past runs of its runbook on its inventory."""
    now = context.clock.now()
    past = learn_from(context, case.runbook.body.name, case.inventory.name, case.mode)
    planned = (Recorded(0, now, "", step.event()) for step in plan.steps)
    return foresee(Run.of(planned), past, now, services_of(case))


def past_of(context: Context, started: ev.RunStarted | None) -> Past:
    """Return what a run under way can be compared with."""
    if started is None:
        return learn(())
    return learn_from(context, started.runbook.name, started.inventory.name, started.mode, but=started.run)


def carried_over(context: Context, runbook: str, *, but: str = "") -> tuple[Action, ...]:
    """Return the open actions of earlier runs of a runbook; any run's note may have closed one."""
    journals = []
    wanted = set()
    for directory, started in _begun(context.home):
        if b'"Note"' in directory.journal.read_bytes():  # most journals need not be taken apart
            journals.append((directory.id, next(iter(_readable([directory])), ())))
        if started.runbook.name == runbook and directory.id != but:
            wanted.add(directory.id)
    return tuple(action for action in open_actions(journals) if action.run in wanted)


def find_action(context: Context, reference: str, run: str) -> str:
    """Return the id of the open action meant by ``RUN/LINE``, or by ``LINE`` of ``run``.

    Raises:
        DrctlError: no such run, no action at that line, or one that is closed already.
    """
    name, _, line = reference.rpartition("/")
    directory = context.home.find(name or run)
    wanted = f"{directory.id}/{line}"
    known = {action.id for action in actions_of(directory.id, scan(directory.journal).records)}
    if wanted not in known:
        hint = f"Actions of that run: {', '.join(sorted(known)) or 'none'}."
        raise DrctlError(Problem(code="no-action", summary=f"{wanted} is no action", hint=hint))
    started = directory.fold().started
    if started is not None and wanted not in {a.id for a in carried_over(context, started.runbook.name)}:
        raise DrctlError(Problem(code="closed", summary=f"action {wanted} is closed already"))
    return wanted


def last_action(directory: RunDirectory) -> str:
    """Return the id of the newest action of a run."""
    return actions_of(directory.id, scan(directory.journal).records)[-1].id


def _readable(directories: Sequence[RunDirectory]) -> Iterator[Sequence[Recorded]]:
    for directory in directories:
        try:
            yield scan(directory.journal).records
        except DrctlError:  # said by runs and verify; a forecast goes by the others
            continue


def _begun(home: Home) -> Iterator[tuple[RunDirectory, ev.RunStarted]]:
    """Yield every run with its first event, oldest first; only that line is read."""
    for directory in home.all():
        started = _first_event(directory.journal)
        if started is not None:
            yield directory, started


def _first_event(journal: Path) -> ev.RunStarted | None:
    try:
        with journal.open("rb") as file:
            line = Line.model_validate_json(file.readline())
        return ev.RunStarted.model_validate(line.data) if line.type == ev.RunStarted.type else None
    except (OSError, ValidationError):
        return None


def name_of(runbook: str) -> str:
    """Return the name of a runbook given as a file or as a name; raise ``DrctlError`` for a broken file."""
    path = Path(runbook)
    if not path.is_file():
        return runbook
    return load_runbook(path).body.name
