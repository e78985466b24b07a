"""The loop: read the journal, decide, start what may start, until nothing more can go on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from drctl.core import events as ev
from drctl.core.action import Interrupted
from drctl.core.problem import DrctlError, ExitCode, Problem
from drctl.core.run import GOOD, State, StepRun
from drctl.engine import verdict as vd
from drctl.engine.control import Assignment, Surroundings
from drctl.engine.decide import Agenda, closing, exceptions
from drctl.engine.journal import Fenced
from drctl.engine.ledger import Ledger
from drctl.engine.people import People
from drctl.engine.policy import pass_over
from drctl.engine.step import Step, StepId, Use
from drctl.engine.worker import Worker

TICK = 0.2
"""Seconds between two looks at what other processes appended."""

LAST_WORDS = 3.0
"""Seconds that let-go steps get to journal their own end."""


@dataclass
class Stop:
    """What signals ask of a run: ``request`` once to stop starting, twice to let go. Thread-safe.

    ``patience`` is how long steps that were let go may take to journal their own end.
    """

    exit_code: ExitCode | None = None
    let_go: threading.Event = field(default_factory=threading.Event)
    patience: float = LAST_WORDS

    def request(self, exit_code: ExitCode) -> None:
        """First call: start nothing more. Second call: leave running steps as they are."""
        if self.exit_code is not None:
            self.let_go.set()
        self.exit_code = exit_code


class Engine:
    """Executes the steps of one run; everything it knows comes from the journal it writes."""

    def __init__(
        self,
        steps: Sequence[Step],
        ledger: Ledger,
        around: Surroundings,
        *,
        people: People,
        limits: Mapping[str, int],
        stop: Stop,
        foreseen: Mapping[StepId, Mapping[str, JsonValue]] | None = None,
    ) -> None:
        self._by_id = {step.id: step for step in steps}
        self._ledger = ledger
        self._run = ledger.run
        self._around = around
        self._people = people
        self._stop = stop
        self._foreseen = dict(foreseen or {})
        self._agenda = Agenda(steps, ledger.run, limits)
        self._heeded = len(ledger.records)
        self._ended: queue.SimpleQueue[tuple[StepId, BaseException | None]] = queue.SimpleQueue()
        self._workers: dict[StepId, threading.Thread] = {}

    def execute(self) -> ExitCode:
        """Run until the end, a pause or a takeover; return what the process should exit with.

        Raises:
            Fenced: another engine took the run over; nothing more was done after that.
        """
        try:
            return self._loop()
        except Fenced:
            self._stop.let_go.set()  # steps that wait for a job of their target leave it to the new owner
            raise

    def _loop(self) -> ExitCode:
        while True:
            self._catch_up()
            if self._stop.let_go.is_set():
                return self._abandon()
            if self._act_on_people() or self._begin():
                continue
            if not self._workers:
                code = self._conclude()
                if code is not None:
                    return code
            self._around.clock.sleep(TICK, self._ledger.wake)
            self._ledger.wake.clear()

    def _append(self, *events: ev.EventData) -> None:
        self._ledger.append(*events)
        self._heed()

    def _heed(self) -> None:
        """Tell the agenda what the newest records may have changed."""
        news = [record.event for record in self._ledger.records[self._heeded :]]
        self._heeded += len(news)
        if any(isinstance(event, ev.RetryRequested) for event in news):
            self._agenda.heed(self._by_id)  # it may bring back a whole chain
        else:
            self._agenda.heed({event.step for event in news if hasattr(event, "step")})

    def _catch_up(self) -> None:
        self._ledger.poll()
        while not self._ended.empty():
            identity, error = self._ended.get()
            self._workers.pop(identity).join()
            if isinstance(error, Fenced):
                raise error
            if error is not None:
                self._journal_defect(identity, error)
        self._ledger.fold()
        self._heed()

    # Starting

    def _begin(self) -> bool:
        if self._stop.exit_code is not None or self._agenda.must_stop:
            return False
        decision = self._agenda.decide(self._workers)
        events = [*decision.skip, *(event for step in decision.ask for event in self._ask(step))]
        if events:
            self._append(*events)
        for step in decision.start:
            self._start(step)
        return bool(decision)

    def _ask(self, step: Step) -> list[ev.EventData]:
        """Put a step to people, unless its condition says it is not wanted or a drill leaves it out."""
        try:
            passed = pass_over(step, self._outputs(step), self._unexercised())
        except DrctlError as error:
            problem, tolerated = vd.problem_data(error.problems[0]), step.on_error == "continue"
            return [ev.StepFailed(step=step.id, problem=problem, tolerated=tolerated)]
        return [passed] if passed else self._people.open(step, self._around.clock.now())

    def _start(self, step: Step) -> None:
        record = self._run.steps.get(step.id) or StepRun(step.id)
        assignment = Assignment(step, record, self._outputs(step), self._unexercised())
        thread = threading.Thread(target=self._work, args=(assignment,), name=step.id, daemon=True)
        self._workers[step.id] = thread
        thread.start()

    def _work(self, assignment: Assignment) -> None:
        error: BaseException | None = None
        try:
            Worker(self._around, assignment).work()
        except Interrupted as caught:
            error = None if self._stop.let_go.is_set() else caught
        except Exception as caught:  # noqa: BLE001 - the executor journals what nobody foresaw
            error = caught
        self._ended.put((assignment.step.id, error))
        self._ledger.wake.set()

    def _outputs(self, step: Step) -> dict[StepId, Mapping[str, JsonValue]]:
        """Return what a step may refer to: outputs of good steps, foreseen ones of those left out."""
        used = set(step.body.references) if isinstance(step.body, Use) else set()
        for condition in (step.when, step.until.when if step.until else None):
            used |= condition.references if condition is not None else set()
        outputs: dict[StepId, Mapping[str, JsonValue]] = {}
        for identity in used:
            record = self._run.steps.get(identity) or StepRun(identity)
            if record.state in GOOD:
                outputs[identity] = record.outputs
            elif record.state is State.NOT_EXERCISED or (record.skip and record.skip.cause == "person"):
                outputs[identity] = self._foreseen.get(identity, {})
        return outputs

    def _unexercised(self) -> frozenset[StepId]:
        return frozenset(i for i, record in self._run.steps.items() if record.state is State.NOT_EXERCISED)

    # People

    def _act_on_people(self) -> bool:
        now = self._around.clock.now()
        events = [
            event
            for step in self._agenda.waiting
            for event in self._people.conclude(step, self._run.steps[step.id], now)
        ]
        if events:
            self._append(*events)
        return bool(events)

    # Ending

    def _conclude(self) -> ExitCode | None:
        """Nothing runs and nothing can start: finish, pause, or None to wait for a person."""
        if self._run.abort is not None or self._run.denied is not None:
            return self._finish("aborted", ExitCode.FAILED)
        left = self._agenda.left()
        if not left:
            if exceptions(self._by_id, self._run):
                return self._finish("completed_with_exceptions", ExitCode.EXCEPTIONS)
            return self._finish("completed", ExitCode.OK)
        if self._stop.exit_code is not None:
            why = "terminated" if self._stop.exit_code is ExitCode.TERMINATED else "interrupted"
            return self._pause(ev.RunPaused(why=why, exit=self._stop.exit_code))
        return self._pause_for(left)

    def _pause_for(self, left: Sequence[StepRun]) -> ExitCode | None:
        drifted = [r.id for r in left if r.drift is not None and r.state is State.PENDING]
        unclear = [r.id for r in left if r.state is State.INDETERMINATE]
        failed = [r.id for r in left if r.state is State.FAILED]
        waiting = [r for r in left if r.state is State.WAITING]
        if drifted:
            return self._pause(ev.RunPaused(why="drift", steps=tuple(drifted), exit=ExitCode.DRIFTED))
        stops = self._agenda.must_stop
        if not stops and (self._people.attended or any(map(self._people.decides_itself, waiting))):
            return None
        if unclear:
            return self._pause(
                ev.RunPaused(why="indeterminate", steps=tuple(unclear), exit=ExitCode.INDETERMINATE)
            )
        if failed:
            code = ExitCode.FAILED if stops else ExitCode.WAITING
            return self._pause(ev.RunPaused(why="failed", steps=tuple(failed), exit=code))
        return self._pause(
            ev.RunPaused(why="waiting", steps=tuple(r.id for r in waiting), exit=ExitCode.WAITING)
        )

    def _pause(self, event: ev.RunPaused) -> ExitCode:
        self._append(event)
        return ExitCode(event.exit)

    def _finish(self, outcome: ev.Outcome, code: ExitCode) -> ExitCode:
        self._append(closing(list(self._by_id), self._run, outcome, code))
        return code

    def _abandon(self) -> ExitCode:
        """Second interrupt: let workers say their last word, then journal what is left as in doubt."""
        deadline = self._around.clock.monotonic() + self._stop.patience
        for thread in self._workers.values():
            thread.join(max(0.0, deadline - self._around.clock.monotonic()))
        self._ledger.journal.seal()
        self._append()  # what workers said before the seal
        problem = Problem(
            code="interrupted",
            summary="left as it was when the run was interrupted a second time",
            hint="drctl resume reads reality before it goes on.",
        )
        doubts = [
            ev.StepIndeterminate(step=identity, problem=vd.problem_data(problem))
            for identity in self._by_id
            if self._state(identity) is State.RUNNING
        ]
        code = self._stop.exit_code or ExitCode.INTERRUPTED
        why = "terminated" if code is ExitCode.TERMINATED else "interrupted"
        self._append(*doubts, ev.RunPaused(why=why, steps=tuple(d.step for d in doubts), exit=code))
        return code

    def _journal_defect(self, identity: StepId, error: BaseException) -> None:
        """Journal what nobody foresaw: failed where nothing can have changed, in doubt otherwise.

        Raises:
            DrctlError: the defect is that the journal cannot be written.
        """
        if isinstance(error, DrctlError):
            raise error
        problem = vd.problem_data(
            Problem(
                code="defect",
                summary=f"drctl itself failed: {type(error).__name__}: {error}",
                hint="This is a defect: report it with the journal. retry or skip --reason to go on.",
            )
        )
        self._ledger.fold()
        body, tolerated = self._by_id[identity].body, self._by_id[identity].on_error == "continue"
        acting = isinstance(body, Use) and body.kind == "action" and self._state(identity) is State.RUNNING
        if acting:
            self._append(ev.StepIndeterminate(step=identity, problem=problem, tolerated=tolerated))
        else:
            self._append(ev.StepFailed(step=identity, problem=problem, tolerated=tolerated))

    def _state(self, identity: StepId) -> State:
        return (self._run.steps.get(identity) or StepRun(identity)).state
