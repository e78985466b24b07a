"""The loop: read the journal, decide, start what may start, until nothing more can go on."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from drctl.core import events as ev
from drctl.core.action import Interrupted, ObjectRef
from drctl.core.operation import Operation
from drctl.core.problem import ExitCode, Problem
from drctl.core.run import GOOD, State, StepRun
from drctl.engine import verdict as vd
from drctl.engine.control import Assignment, Surroundings
from drctl.engine.decide import decide, exceptions, must_stop, unsettled
from drctl.engine.journal import Fenced
from drctl.engine.ledger import Ledger
from drctl.engine.people import People
from drctl.engine.step import Step, StepId
from drctl.engine.worker import Worker

TICK = 0.2
"""Seconds between two looks at what other processes appended."""

LAST_WORDS = 3.0
"""Seconds that let-go steps get to journal their own end."""


@dataclass
class Stop:
    """What signals ask of a run: ``request`` once to stop starting, twice to let go. Thread-safe."""

    exit_code: ExitCode | None = None
    let_go: threading.Event = field(default_factory=threading.Event)

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
        touched: frozenset[ObjectRef] = frozenset(),
        foreseen: Mapping[StepId, Mapping[str, JsonValue]] | None = None,
    ) -> None:
        self._steps = steps
        self._by_id = {step.id: step for step in steps}
        self._ledger = ledger
        self._run = ledger.run
        self._around = around
        self._people = people
        self._limits = limits
        self._stop = stop
        self._touched = set(touched)
        self._foreseen = dict(foreseen or {})
        self._ended: queue.SimpleQueue[tuple[StepId, Operation | None, BaseException | None]] = (
            queue.SimpleQueue()
        )
        self._workers: dict[StepId, threading.Thread] = {}

    def execute(self) -> ExitCode:
        """Run until the end, a pause or a takeover; return what the process should exit with.

        Raises:
            Fenced: another engine took the run over; nothing more was done after that.
        """
        while True:
            self._catch_up()
            if self._stop.let_go.is_set():
                return self._abandon()
            progressed = self._act_on_people() or self._begin()
            if progressed:
                continue
            if not self._workers:
                code = self._conclude()
                if code is not None:
                    return code
            self._around.clock.sleep(TICK, self._ledger.wake)
            self._ledger.wake.clear()

    def _catch_up(self) -> None:
        self._ledger.poll()
        while not self._ended.empty():
            identity, operation, error = self._ended.get()
            self._workers.pop(identity).join()
            if operation is not None:
                self._touched |= operation.touches()
            if isinstance(error, Fenced):
                raise error
            if error is not None:
                self._journal_defect(identity, error)
        self._ledger.fold()

    # Starting

    def _begin(self) -> bool:
        if self._stop.exit_code is not None or must_stop(self._steps, self._run):
            return False
        decision = decide(self._steps, self._run, self._workers, self._limits)
        if decision.skip:
            self._ledger.append(*decision.skip)
        for step in decision.ask:
            if step.not_exercised:
                self._ledger.append(ev.StepNotExercised(step=step.id, reason=step.not_exercised))
            else:
                self._ledger.append(*self._people.open(step, self._around.clock.now()))
        for step in decision.start:
            self._start(step)
        return bool(decision)

    def _start(self, step: Step) -> None:
        record = self._run.steps.get(step.id) or StepRun(step.id)
        left_out = frozenset(i for i, r in self._run.steps.items() if r.state is State.NOT_EXERCISED)
        assignment = Assignment(step, record, self._outputs(), frozenset(self._touched), left_out)
        thread = threading.Thread(target=self._work, args=(assignment,), name=step.id, daemon=True)
        self._workers[step.id] = thread
        thread.start()

    def _work(self, assignment: Assignment) -> None:
        operation, error = None, None
        try:
            operation = Worker(self._around, assignment).work()
        except Interrupted:
            pass
        except (Exception, Fenced) as caught:  # noqa: BLE001 - the executor journals what nobody foresaw
            error = caught
        self._ended.put((assignment.step.id, operation, error))
        self._ledger.wake.set()

    def _outputs(self) -> dict[StepId, Mapping[str, JsonValue]]:
        """Return what steps may refer to: outputs of good steps, foreseen ones of those that are left out."""
        outputs: dict[StepId, Mapping[str, JsonValue]] = {}
        for identity, record in self._run.steps.items():
            if record.state in GOOD:
                outputs[identity] = record.outputs
            elif record.state is State.NOT_EXERCISED or (record.skip and record.skip.cause == "person"):
                outputs[identity] = self._foreseen.get(identity, {})
        return outputs

    # People

    def _act_on_people(self) -> bool:
        events = [
            event
            for step in self._steps
            if (record := self._run.steps.get(step.id)) is not None and record.state is State.WAITING
            for event in self._people.conclude(step, record, self._around.clock.now())
        ]
        if events:
            self._ledger.append(*events)
        return bool(events)

    # Ending

    def _conclude(self) -> ExitCode | None:
        """Nothing runs and nothing can start: finish, pause, or None to wait for a person."""
        if self._run.abort is not None or self._run.denied is not None:
            return self._finish("aborted", ExitCode.FAILED)
        left = unsettled(self._steps, self._run)
        if not left:
            failed = exceptions(self._steps, self._run)
            if failed:
                return self._finish("completed_with_exceptions", ExitCode.EXCEPTIONS)
            return self._finish("completed", ExitCode.OK)
        if self._stop.exit_code is not None:
            why = "terminated" if self._stop.exit_code is ExitCode.TERMINATED else "interrupted"
            return self._pause(ev.RunPaused(why=why, exit=self._stop.exit_code))
        return self._pause_for(left)

    def _pause_for(self, left: Sequence[StepRun]) -> ExitCode | None:
        drifted = [r.id for r in left if r.drift is not None]
        unclear = [r.id for r in left if r.state is State.INDETERMINATE]
        failed = [r.id for r in left if r.state is State.FAILED]
        waiting = [r.id for r in left if r.state is State.WAITING]
        if drifted:
            return self._pause(ev.RunPaused(why="drift", steps=tuple(drifted), exit=ExitCode.DRIFTED))
        stops = must_stop(self._steps, self._run)
        if self._people.attended and not stops:
            return None
        if unclear:
            return self._pause(
                ev.RunPaused(why="indeterminate", steps=tuple(unclear), exit=ExitCode.INDETERMINATE)
            )
        if failed:
            code = ExitCode.FAILED if stops else ExitCode.WAITING
            return self._pause(ev.RunPaused(why="failed", steps=tuple(failed), exit=code))
        return self._pause(ev.RunPaused(why="waiting", steps=tuple(waiting), exit=ExitCode.WAITING))

    def _pause(self, event: ev.RunPaused) -> ExitCode:
        self._ledger.append(event)
        return ExitCode(event.exit)

    def _finish(self, outcome: ev.Outcome, code: ExitCode) -> ExitCode:
        records = [self._run.steps.get(step.id) or StepRun(step.id) for step in self._steps]
        counts = Counter(record.state.value for record in records)
        unproven = exceptions(self._steps, self._run)
        self._ledger.append(
            ev.RunFinished(outcome=outcome, exit=code, counts=dict(counts), unproven=unproven)
        )
        return code

    def _abandon(self) -> ExitCode:
        """Second interrupt: let workers say their last word, then journal what is left as in doubt."""
        deadline = self._around.clock.monotonic() + LAST_WORDS
        for thread in self._workers.values():
            thread.join(max(0.0, deadline - self._around.clock.monotonic()))
        self._ledger.fold()
        problem = Problem(
            code="interrupted",
            summary="left as it was when the run was interrupted a second time",
            hint="drctl resume reads reality before it goes on.",
        )
        doubts = [
            ev.StepIndeterminate(step=identity, problem=vd.problem_data(problem))
            for identity in self._workers
            if self._run.steps.get(identity, StepRun(identity)).state is State.RUNNING
        ]
        code = self._stop.exit_code or ExitCode.INTERRUPTED
        why = "terminated" if code is ExitCode.TERMINATED else "interrupted"
        self._ledger.append(*doubts, ev.RunPaused(why=why, steps=tuple(d.step for d in doubts), exit=code))
        return code

    def _journal_defect(self, identity: StepId, error: BaseException) -> None:
        """A defect of drctl or of a provider: failed before the step was started, in doubt after."""
        self._ledger.fold()
        problem = vd.problem_data(
            Problem(
                code="defect",
                summary=f"drctl itself failed: {type(error).__name__}: {error}",
                hint="This is a defect: report it with the journal. retry or skip --reason to go on.",
            )
        )
        tolerated = self._by_id[identity].on_error == "continue"
        record = self._run.steps.get(identity) or StepRun(identity)
        if record.state is State.RUNNING:
            self._ledger.append(ev.StepIndeterminate(step=identity, problem=problem, tolerated=tolerated))
        else:
            self._ledger.append(ev.StepFailed(step=identity, problem=problem, tolerated=tolerated))
