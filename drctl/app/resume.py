"""Going on with a run: own it, read reality, show the table, ask where it must be asked, execute."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue, TypeAdapter

from drctl.app.aftermath import rebuild
from drctl.app.case import Case, Files, Given, opened, parse_case, prepare, refuse_blockers
from drctl.app.context import Context
from drctl.app.reprotect import rebuild_reprotect
from drctl.app.session import Audience, Session, execute, open_session, watched
from drctl.app.start import Ended
from drctl.core import events as ev
from drctl.core.operation import Binder
from drctl.core.problem import DrctlError, ExitCode, Problem
from drctl.core.run import GOOD
from drctl.engine.home import RunDirectory, claim, taken_by
from drctl.engine.plan import Plan, Planner
from drctl.engine.reconcile import Reality, reconcile
from drctl.engine.step import Mode, StepId

_MODE: TypeAdapter[Mode] = TypeAdapter(Mode)

REBUILT: Final[Mapping[str, Callable[[Context, RunDirectory, str], Case]]] = {
    "cleanup": lambda context, parent, run_id: rebuild(context, parent, "cleanup", run_id).case,
    "rollback": lambda context, parent, run_id: rebuild(context, parent, "rollback", run_id).case,
    "reprotect": rebuild_reprotect,
}
"""How the steps of runs come back that are built from another run's journal."""


@dataclass(frozen=True)
class Edits:
    """What became of the files since the run began; ``diff`` is empty when nothing did."""

    diff: str
    texts: tuple[str, str]


@dataclass(frozen=True)
class Resumption:
    """A run about to go on. ``consent`` lists what a person must agree to first."""

    session: Session
    case: Case
    binder: Binder
    reality: Reality
    edits: Edits
    drifts: Mapping[StepId, str]
    replanned: Plan | None

    @property
    def consent(self) -> tuple[str, ...]:
        """Return what going on would mean beyond what was approved; empty when nothing."""
        asked = [
            f"{step} is finished but reality differs: it will be applied again"
            for step in self.reality.undone
        ]
        if self.edits.diff:
            asked.append("runbook or inventory were edited since the run began")
        asked += [f"{step} is no longer what the plan saw: {seen}" for step, seen in self.drifts.items()]
        return tuple(asked)


@contextmanager
def resuming(context: Context, reference: str, *, accept_changes: bool) -> Iterator[Resumption]:
    """Own a stopped run and read reality.

    Raises:
        DrctlError: there is no such run, it has ended (2), another engine is alive (5), or its files
            were edited and that was not accepted (6).
    """
    directory = context.home.find(reference)
    run = directory.fold()
    started = run.started
    _refuse_ended(directory, run.finished)
    edits = _copies(directory) if started and started.parent else compare_files(directory)
    if edits.diff and not accept_changes:
        raise _edited(directory, edits)
    if started is None:
        raise DrctlError(
            Problem(code="unknown-run", summary=f"the journal of {directory.id} has no beginning")
        )
    case = _case(context, directory, started, edits)
    with (
        claim(directory, context.clock),
        open_session(context, directory, case) as session,
        opened(case, context) as binder,
    ):
        ledger = session.ledger
        drifts = {i: step.drift.seen for i, step in ledger.run.steps.items() if step.drift is not None}
        ledger.append(taken_by(ledger.run, context.user, context.host), actor=context.actor)
        ledger.journal.take(ledger.run.epoch)
        reality = reconcile(case.expansion.steps, ledger.run, binder)
        plan = prepare(case, binder, _known(session)) if drifts or edits.diff else None
        yield Resumption(session, case, binder, reality, edits, drifts, plan)


def _case(context: Context, directory: RunDirectory, started: ev.RunStarted, edits: Edits) -> Case:
    """Expand the runbook again, or build the same steps from the journal they came from."""
    if started.parent is not None and started.mode in REBUILT:
        parent = context.home.find(started.parent)
        return REBUILT[started.mode](context, parent, directory.id)
    files = Files(*directory.read_origins())
    given = Given(_MODE.validate_python(started.mode), started.parameters, directory.id)
    return parse_case(context.registry, edits.texts, files, given)


def _copies(directory: RunDirectory) -> Edits:
    """Return a run's own copies as they are: what it does follows from a journal, not from the files."""
    return Edits("", (directory.runbook.read_text(), directory.inventory.read_text()))


def go_on(resumption: Resumption, by: str, reason: str, audience: Audience) -> Ended:
    """Journal what was read and agreed, then execute; raise ``DrctlError`` (exit 3) on a new blocker."""
    session, case = resumption.session, resumption.case
    if resumption.replanned is not None:
        refuse_blockers(resumption.replanned)
    if resumption.edits.diff:
        session.directory.runbook.write_text(resumption.edits.texts[0])
        session.directory.inventory.write_text(resumption.edits.texts[1])
    events = [_resumed(resumption, by, reason), *_replanned_events(resumption)]
    events += [
        ev.RetryRequested(step=step, by=by, reason=reason or "reality differs")
        for step in resumption.reality.undone
    ]
    foreseen = Planner(resumption.binder, case.graph, case.expansion.steps, _known(session)).foresee()
    with watched(session, audience):
        session.ledger.append(*events, actor=by)
        code = execute(session, case, resumption.binder, audience, resumption.reality.touched, foreseen)
    return Ended(session.directory, code)


def decline(resumption: Resumption, by: str) -> None:
    """Leave the run as it was found."""
    event = ev.RunPaused(why="interrupted", summary=f"{by} declined to go on", exit=ExitCode.INTERRUPTED)
    resumption.session.ledger.append(event, actor=by)


def compare_files(directory: RunDirectory) -> Edits:
    """Compare a run's copies with the files they came from; files that are gone count as unchanged."""
    texts: list[str] = []
    diffs: list[str] = []
    for copy, origin in zip((directory.runbook, directory.inventory), directory.read_origins(), strict=True):
        before = copy.read_text()
        try:
            now = origin.read_text()
        except OSError:
            now = before
        texts.append(now)
        lines = difflib.unified_diff(
            before.splitlines(), now.splitlines(), f"run {directory.id}", str(origin), lineterm="", n=1
        )
        diffs += lines
    return Edits("\n".join(diffs), (texts[0], texts[1]))


def _known(session: Session) -> Mapping[StepId, Mapping[str, JsonValue]]:
    return {i: step.outputs for i, step in session.ledger.run.steps.items() if step.state in GOOD}


def _resumed(resumption: Resumption, by: str, reason: str) -> ev.RunResumed:
    plan, edits = resumption.replanned, resumption.edits
    digests = [hashlib.sha256(text.encode()).hexdigest() if edits.diff else "" for text in edits.texts]
    return ev.RunResumed(
        by=by,
        reason=reason,
        table=resumption.reality.table,
        accepted_changes=edits.diff,
        runbook_digest=digests[0],
        inventory_digest=digests[1],
        plan_digest=plan.digest if plan is not None else "",
    )


def _replanned_events(resumption: Resumption) -> list[ev.EventData]:
    if resumption.replanned is None:
        return []
    steps = resumption.session.ledger.run.steps
    return [
        planned.event()
        for planned in resumption.replanned.steps
        if planned.step.id not in steps or steps[planned.step.id].state not in GOOD
    ]


def _refuse_ended(directory: RunDirectory, finished: ev.RunFinished | None) -> None:
    if finished is not None:
        problem = Problem(
            code="run-ended",
            summary=f"run {directory.id} has ended: {finished.outcome}",
            hint=f"Start a new one; {directory.incident} tells what this one did.",
        )
        raise DrctlError(problem)


def _edited(directory: RunDirectory, edits: Edits) -> DrctlError:
    problem = Problem(
        code="files-changed",
        summary="runbook or inventory were edited since this run began",
        detail=edits.diff,
        hint=f"drctl resume {directory.id} --accept-changes --reason '…' goes on with the edited files.",
    )
    return DrctlError(problem, exit_code=ExitCode.DRIFTED)
