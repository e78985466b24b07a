"""Going on with a run: own it, read reality, show the table, ask where it must be asked, execute."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import JsonValue, TypeAdapter

from drctl.app.aftermath import rebuild
from drctl.app.case import Case, Files, Given, opened, parse_case, refuse_blockers
from drctl.app.context import Context
from drctl.app.reprotect import rebuild_reprotect
from drctl.app.session import Audience, Session, execute, open_session, watched
from drctl.app.start import Ended
from drctl.core import events as ev
from drctl.core.events import Recorded
from drctl.core.operation import Binder
from drctl.core.problem import DrctlError, ExitCode, Problem
from drctl.core.run import ENDED, GOOD, Run
from drctl.engine.home import RunDirectory, claim, taken_by
from drctl.engine.ledger import Ledger
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
    """A run about to go on. ``consent`` lists what a person must agree to first.

    Until ``go_on`` nothing is journaled: who does not agree leaves the run as it was found.
    """

    session: Session
    taken: ev.LockTaken
    run: Run
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
        claim(directory, context.clock) as silent,
        open_session(context, directory, case) as session,
        opened(case, context) as binder,
    ):
        ledger = session.ledger
        taken = taken_by(ledger.run, context.user, context.host)
        if silent:  # the engine before may wake while reality is read
            ledger.append(taken, actor=context.actor)
            ledger.journal.take(taken.epoch)
        run = _as_taken(context, ledger, taken)
        drifts = {i: step.drift.seen for i, step in run.steps.items() if step.drift is not None}
        reality = reconcile(case.expansion.steps, run, binder)
        plan = _replan(case, run, binder) if drifts or edits.diff else None
        yield Resumption(session, taken, run, case, binder, reality, edits, drifts, plan)


def _as_taken(context: Context, ledger: Ledger, taken: ev.LockTaken) -> Run:
    """Return the run as the new engine will see it."""
    record = Recorded(ledger.journal.head.seq, context.clock.now(), context.actor, taken)
    return Run.of([*ledger.records, record])


def _replan(case: Case, run: Run, binder: Binder) -> Plan:
    """Plan what is left; what has ended, well or not, is no longer held to anything."""
    planned = Planner(binder, case.graph, case.expansion.steps, _known(run)).plan()
    left = tuple(one for one in planned if one.step.id not in run.steps or not run.steps[one.step.id].settled)
    return Plan(case.inputs, left)


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
    ledger = session.ledger
    events: list[ev.EventData] = [] if ledger.run.epoch == resumption.taken.epoch else [resumption.taken]
    events += [_resumed(resumption, by, reason), *_replanned_events(resumption, by)]
    events += [
        ev.RetryRequested(step=step, by=by, reason=reason or "reality differs")
        for step in resumption.reality.undone
    ]
    foreseen = Planner(resumption.binder, case.graph, case.expansion.steps, _known(resumption.run)).foresee()
    with watched(session, audience):
        ledger.append(*events, actor=by)
        ledger.journal.take(resumption.taken.epoch)
        if resumption.edits.diff:  # agreed to and journaled: now the copies may follow
            _replace(session.directory.runbook, resumption.edits.texts[0])
            _replace(session.directory.inventory, resumption.edits.texts[1])
        code = execute(session, case, resumption.binder, audience, resumption.reality.touched, foreseen)
    return Ended(session.directory, code)


def _replace(path: Path, text: str) -> None:
    draft = path.with_suffix(".new")
    draft.write_text(text)
    draft.replace(path)


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


def _known(run: Run) -> Mapping[StepId, Mapping[str, JsonValue]]:
    return {i: step.outputs for i, step in run.steps.items() if step.state in GOOD}


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
        torn_tail=resumption.session.torn,
        plan_digest=plan.digest if plan is not None else "",
    )


def _replanned_events(resumption: Resumption, by: str) -> list[ev.EventData]:
    """Return the new plan of what is left, and what an edited runbook has no more use for."""
    if resumption.replanned is None:
        return []
    expansion, steps = resumption.case.expansion, resumption.run.steps
    events: list[ev.EventData] = [planned.event() for planned in resumption.replanned.steps]
    events += [
        ev.StepSkipped(step=identity, reason=reason, cause="condition")
        for identity, reason in expansion.skipped
        if identity not in steps or steps[identity].state not in ENDED
    ]
    kept = {step.id for step in expansion.steps} | {identity for identity, _ in expansion.skipped}
    for identity, record in steps.items():
        check = record.planned is None or record.planned.precheck
        if identity not in kept and not check and record.state not in ENDED:
            tried = record.attempts > 0 or record.problem is not None
            cause: Literal["person", "condition"] = "person" if tried else "condition"
            reason = "no longer in the runbook"
            events.append(ev.StepSkipped(step=identity, reason=reason, cause=cause, by=by))
    return events


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
