"""What another terminal may say to a run: answers, notes, and requests to abort, skip or retry."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from drctl.app.context import Context
from drctl.app.ending import last_words, left_running
from drctl.app.incident import write_incident
from drctl.core import events as ev
from drctl.core.problem import DrctlError, Problem
from drctl.core.run import ENDED, Run, State, StepRun
from drctl.engine.chain import scan
from drctl.engine.home import RunDirectory, claim, is_alive, taken_by
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
                hint = f"drctl status {self._directory.id}"
                raise DrctlError(Problem(code="refused", summary=str(error), hint=hint, step=step)) from error
            said = self._say(file, run, event)
            heard = run.steps[step]
            if heard.decision is None:
                raise self._refused(step, "hears no more answers: its time is over, and it decides by itself")
            if heard.decision != event:
                raise self._refused(step, f"was {_standing(heard)}")
            return said

    def note(self, note: ev.Note) -> Said:
        """Write a human fact; also after the end of a run."""
        with self._saying() as (file, run):
            return self._say(file, run, note)

    def abort(self, reason: str) -> Said:
        """Ask for the end; a run whose engine is gone ends here and now."""
        self._refuse_blank(reason)
        with self._saying() as (file, run):
            self._refuse_ended(run)
            asked = ev.AbortRequested(by=self._context.actor, reason=reason)
            with self._owning(file, run) as (alive, first):
                if alive:
                    return self._say(file, run, asked)
                self._refuse_ended(run)
                words = last_words(self._context, run, *first, asked)
                return self._say(file, run, *words, alive=False)

    def skip(self, step: str, reason: str) -> Said:
        """Ask to go on without a step that failed, is in doubt, waits or has not begun."""
        self._refuse_blank(reason)
        with self._saying() as (file, run):
            self._refuse_ended(run)
            record = self._step(run, step)
            asked = ev.SkipRequested(step=step, by=self._context.actor, reason=reason)
            if record.state is State.RUNNING:
                with self._owning(file, run) as (alive, first):
                    if not alive and record.state is State.RUNNING:
                        return self._say(file, run, *first, left_running(record), asked, alive=False)
            if record.state in {*ENDED, State.RUNNING}:
                way = LET_GO if record.state is State.RUNNING else ""
                raise self._refused(step, f"cannot be skipped: it is {_standing(record)}", way)
            return self._say(file, run, asked)

    def retry(self, step: str, reason: str) -> Said:
        """Ask to try a failed, doubtful, skipped or finished step again."""
        with self._saying() as (file, run):
            self._refuse_ended(run)
            record = self._step(run, step)
            if not record.may_be_retried:
                raise self._refused(step, f"cannot be retried: it is {_standing(record)}")
            return self._say(file, run, ev.RetryRequested(step=step, by=self._context.actor, reason=reason))

    @contextmanager
    def _saying(self) -> Iterator[tuple[JournalFile, Run]]:
        file = self._context.journal_file(self._directory.journal, self._context.clock)
        try:
            run = Run.of(file.commit())
            if file.torn:
                text = "The journal's last line was not written to its end; it was dropped."
                self._say(file, run, ev.Note(text=text, by="drctl"))
            yield file, run
        finally:
            file.close()

    @contextmanager
    def _owning(self, file: JournalFile, run: Run) -> Iterator[tuple[bool, list[ev.EventData]]]:
        """Own the run if no engine does; yield whether one is alive, and what must be said first.

        The run is brought up to date: the engine may have ended in between.
        """
        with ExitStack() as stack:
            try:
                silent = stack.enter_context(claim(self._directory, self._context.clock))
            except DrctlError:
                yield True, []
                return
            for record in file.commit():
                run.add(record)
            yield False, [taken_by(run, self._context.user, self._context.host)] if silent else []

    def _say(self, file: JournalFile, run: Run, *events: ev.EventData, alive: bool | None = None) -> Said:
        """Journal in one batch, and fold it with what others said meanwhile."""
        for record in file.commit([Entry(event, self._context.actor) for event in events]):
            run.add(record)
        if alive is None:
            alive = is_alive(self._directory)
        if not alive:
            found = scan(self._directory.journal)
            with suppress(OSError):
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

    def _refuse_blank(self, reason: str) -> None:
        if not reason.strip():
            raise DrctlError(Problem(code="reason", summary="a reason is needed", hint="--reason '…'"))

    def _refused(self, step: str, why: str, way: str = "") -> DrctlError:
        resume = "" if is_alive(self._directory) else f"drctl resume {self._directory.id}"
        hint = "; ".join(filter(None, (way, f"drctl status {self._directory.id}", resume)))
        return DrctlError(Problem(code="refused", summary=f"{step} {why}", hint=hint, step=step))


def _waiting(run: Run) -> str:
    """Say which questions are open: the one that was meant is among them."""
    names = [s.id for s in run.steps.values() if s.state is State.WAITING and s.decision is None]
    return f"Waiting for an answer now: {', '.join(names) or 'nothing'}"


def _standing(record: StepRun) -> str:
    if record.decision is not None and record.state is State.WAITING:
        return f"answered already by {record.decision.by}"
    return record.state.value
