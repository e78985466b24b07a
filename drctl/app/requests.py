"""What another terminal may say to a run: answers, notes, and requests to abort, skip or retry."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from drctl.app.context import Context
from drctl.app.incident import write_incident
from drctl.core import events as ev
from drctl.core.problem import DrctlError, Problem
from drctl.core.run import GOOD, Run, State, StepRun
from drctl.engine.chain import scan
from drctl.engine.home import RunDirectory, is_alive
from drctl.engine.journal import Entry, JournalFile
from drctl.engine.people import Answer, answer_event

LET_GO = "It ends by itself; to stop waiting for it, press Ctrl-C twice where the run goes on, then skip it"
"""What a person can do about a step that runs."""


@dataclass(frozen=True, slots=True)
class Said:
    """What was journaled; ``alive`` says whether an engine is there to act on it."""

    directory: RunDirectory
    alive: bool


class Speaker:
    """Says things to one run; every method raises ``DrctlError`` when they make no sense there."""

    def __init__(self, context: Context, reference: str) -> None:
        self._context = context
        self._directory = context.home.find(reference)

    def answer(self, step: str, answer: Answer) -> Said:
        """Answer an open gate or manual step; the first valid answer wins."""
        with self._saying() as (file, run):
            self._refuse_ended(run)
            record = self._step(run, step)
            question = record.gate or record.manual
            if record.state is not State.WAITING or question is None or record.decision is not None:
                why = f"is not waiting for an answer: it is {_standing(record)}"
                raise self._refused(step, why, _waiting(run))
            try:
                event = answer_event(step, question, answer, self._context.actor, "answer")
            except ValueError as error:
                raise DrctlError(Problem(code="refused", summary=str(error))) from error
            return self._say(file, event)

    def note(self, note: ev.Note) -> Said:
        """Write a human fact; also after the end of a run."""
        with self._saying() as (file, _):
            return self._say(file, note)

    def abort(self, reason: str) -> Said:
        """Ask for the end; a run whose engine is gone ends here and now."""
        with self._saying() as (file, run):
            self._refuse_ended(run)
            said = self._say(file, ev.AbortRequested(by=self._context.actor, reason=reason))
            if not said.alive:
                counts: dict[str, int] = {}
                for record in run.steps.values():
                    counts[record.state.value] = counts.get(record.state.value, 0) + 1
                self._say(file, ev.RunFinished(outcome="aborted", exit=1, counts=counts))
            return said

    def skip(self, step: str, reason: str) -> Said:
        """Ask to go on without a step that failed, is in doubt, waits or has not begun."""
        return self._steer(step, "skip", reason)

    def retry(self, step: str, reason: str) -> Said:
        """Ask to try a failed, doubtful or finished step again."""
        return self._steer(step, "retry", reason)

    def _steer(self, step: str, what: Literal["skip", "retry"], reason: str) -> Said:
        with self._saying() as (file, run):
            self._refuse_ended(run)
            record = self._step(run, step)
            by = self._context.actor
            if what == "skip":
                if record.state in {*GOOD, State.RUNNING, State.SKIPPED}:
                    way = LET_GO if record.state is State.RUNNING else ""
                    raise self._refused(step, f"cannot be skipped: it is {_standing(record)}", way)
                return self._say(file, ev.SkipRequested(step=step, by=by, reason=reason))
            if record.state not in {*GOOD, State.FAILED, State.INDETERMINATE}:
                raise self._refused(step, f"cannot be retried: it is {_standing(record)}")
            return self._say(file, ev.RetryRequested(step=step, by=by, reason=reason))

    @contextmanager
    def _saying(self) -> Iterator[tuple[JournalFile, Run]]:
        file = JournalFile(self._directory.journal, self._context.clock)
        try:
            yield file, Run.of(file.commit())
        finally:
            file.close()

    def _say(self, file: JournalFile, event: ev.EventData) -> Said:
        file.commit([Entry(event, self._context.actor)])
        alive = is_alive(self._directory)
        if not alive:
            found = scan(self._directory.journal)
            write_incident(self._directory.incident, found.records, found.head.digest)
        return Said(self._directory, alive)

    def _step(self, run: Run, step: str) -> StepRun:
        if step not in run.steps:
            near = [known for known in run.steps if step in known][:5]
            near = near or difflib.get_close_matches(step, run.steps, n=5)
            hint = f"Did you mean {', '.join(near)}?" if near else f"drctl status {self._directory.id}"
            raise DrctlError(Problem(code="unknown-step", summary=f"no step is called {step!r}", hint=hint))
        return run.steps[step]

    def _refuse_ended(self, run: Run) -> None:
        if run.finished is not None:
            summary = f"run {self._directory.id} has ended: {run.finished.outcome}"
            raise DrctlError(
                Problem(code="run-ended", summary=summary, hint=f"drctl note {self._directory.id} TEXT")
            )

    def _refused(self, step: str, why: str, way: str = "") -> DrctlError:
        hint = "; ".join(filter(None, (way, f"drctl status {self._directory.id}")))
        return DrctlError(Problem(code="refused", summary=f"{step} {why}", hint=hint))


def _waiting(run: Run) -> str:
    """Say which questions are open: the one that was meant is among them."""
    names = [s.id for s in run.steps.values() if s.state is State.WAITING and s.decision is None]
    return f"Waiting for an answer now: {', '.join(names) or 'nothing'}"


def _standing(record: StepRun) -> str:
    if record.decision is not None and record.state is State.WAITING:
        return f"answered already by {record.decision.by}"
    return record.state.value
