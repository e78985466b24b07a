"""One step, from its first read to its journaled end. Runs in a thread of its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from pydantic import JsonValue

from drctl.core import events as ev
from drctl.core.action import Change, Handle, Interrupted, Missing
from drctl.core.operation import Look, Operation, Seen, Unexercised
from drctl.core.problem import DrctlError, Problem, ProviderError
from drctl.engine import verdict as vd
from drctl.engine.control import Assignment, StepControl, Surroundings
from drctl.engine.policy import DOUBT_TIMEOUT, ON_ITS_WAY, Limits, intervals, pass_over, without
from drctl.engine.step import Unresolved, Use

SKEW = timedelta(minutes=5)
"""How much earlier than our start a target's job may seem to have begun: clocks differ."""


class Worker:
    """Does one assignment and journals how it ended; raises ``Interrupted`` when told to let go.

    Tries are counted from this assignment on; the journal numbers attempts through all of them.
    """

    def __init__(self, around: Surroundings, assignment: Assignment) -> None:
        self._around = around
        self._step = assignment.step
        self._record = assignment.record
        self._outputs = assignment.outputs
        self._unexercised = assignment.unexercised
        self._limits = Limits.of(assignment.step)
        self._attempt = assignment.record.attempts
        self._tries = 0
        self._begun: datetime | None = None
        self._tolerated = assignment.step.on_error == "continue"

    def work(self) -> None:
        """Do the step."""
        try:
            operation = self._bind()
            if operation is None:
                return
            if operation.kind == "probe":
                self._observe(operation)
            else:
                self._act(operation)
        except DrctlError as error:
            problem = error.problems[0]
            if self._begun is None:
                self._fail(problem)
            else:
                self._doubt(problem.summary, problem)

    def _bind(self) -> Operation | None:
        body = self._step.body
        assert isinstance(body, Use)  # noqa: S101 - people's steps never reach a worker
        passed = pass_over(self._step, self._outputs, self._unexercised)
        if passed is None:
            try:
                return body.bound(self._around.binder, self._outputs)
            except Unresolved as error:
                passed = without(self._step, error, self._unexercised)
            except Unexercised as error:
                passed = ev.StepNotExercised(step=self._step.id, reason=error.reason)
        self._append(passed)
        return None

    # Probes

    def _observe(self, operation: Operation) -> None:
        until = self._step.until
        deadline = self._around.clock.monotonic() + (until.timeout if until else 0.0)
        shown: ev.FindingData | None = None
        while True:
            seen = operation.look() if until else self._look_patiently(operation)
            finding = _finding(seen)
            values = seen.values if isinstance(seen, Look) else {}
            if finding != shown:
                self._append(ev.Observed(step=self._step.id, finding=finding, values=values))
                shown = finding
            content = finding.level != "blocker" and self._condition_holds(values)
            if content or self._around.clock.monotonic() >= deadline:
                self._conclude(seen, finding, content=content)
                return
            self._pause(until.every if until else 0.0)

    def _condition_holds(self, values: Mapping[str, JsonValue]) -> bool:
        until = self._step.until
        if until is None or until.when is None:
            return True
        try:
            return until.when.holds({**self._outputs, self._step.id: values})
        except Unresolved:  # the probe has not seen yet what the condition asks about
            return False

    def _conclude(self, seen: Seen, finding: ev.FindingData, *, content: bool) -> None:
        if content and isinstance(seen, Look):
            self._finish("observed", seen, finding.summary)
            return
        problem = Problem(
            code="not-observed", summary=finding.summary, detail="; ".join(finding.details), hint=finding.hint
        )
        error = seen.problem if isinstance(seen, ProviderError) else problem
        self._fail(error, unreachable=isinstance(seen, ProviderError) and seen.unreachable)

    # Actions

    def _act(self, operation: Operation) -> None:
        if self._record.uncertain and self._record.started is not None:
            self._settle_doubt(operation, self._record.started - SKEW)
            return
        seen = self._look_patiently(operation)
        if isinstance(seen, Look) and seen.change is None:
            self._finish("unchanged", seen)
        elif not isinstance(seen, Look):
            self._refuse(seen)
        elif not self._drifted(operation, seen):
            self._apply(operation, seen)

    def _look_patiently(self, operation: Operation) -> Seen:
        """Look, again after a while where the provider calls its error transient."""
        for attempt in range(1, self._limits.retry.attempts + 1):
            seen = operation.look()
            transient = isinstance(seen, ProviderError) and seen.transient and not seen.unreachable
            if not transient or attempt == self._limits.retry.attempts:
                return seen
            assert isinstance(seen, ProviderError)  # noqa: S101 - narrows what `transient` says
            self._announce_retry(seen.problem, attempt)
        raise AssertionError("unreachable: the loop returns")

    def _drifted(self, operation: Operation, seen: Look) -> bool:
        planned = self._record.planned
        if planned is None or planned.verdict not in {"will", "done"}:
            return False
        if self._around.touched.holds_any(operation.touches()):
            return False
        change = vd.change_data(seen.change)
        if vd.same_change(planned.change, change):
            return False
        self._append(
            ev.DriftFound(step=self._step.id, planned=vd.describe(planned.change), seen=vd.describe(change))
        )
        return True

    def _apply(self, operation: Operation, seen: Look) -> None:
        again: Look | None = seen
        while again is not None and (change := again.change) is not None:
            self._begin(operation, again, change)
            deadline = self._around.clock.monotonic() + self._limits.timeout
            try:
                operation.apply(change, StepControl(self._around, self._step, deadline))
            except ProviderError as error:
                again = self._recover(operation, error)
                continue
            if change.opaque:
                self._finish("applied", again)
            else:
                self._confirm(operation, deadline)
            return

    def _begin(self, operation: Operation, seen: Look, change: Change) -> None:
        if self._around.let_go.is_set():
            raise Interrupted
        touches = operation.touches()
        self._attempt += 1
        self._tries += 1
        self._append(
            ev.StepStarted(
                step=self._step.id,
                attempt=self._attempt,
                change=vd.change_data(change),
                undo=vd.recipe_data(seen.undo, operation.endpoint),
                objects=tuple(sorted(f"{o} at {o.site}" if o.site else str(o) for o in touches)),
            )
        )
        self._begun = self._begun or self._around.clock.now()
        self._around.touched.add(touches)

    def _confirm(self, operation: Operation, deadline: float) -> None:
        """Read until the diff is empty or the deadline passes."""
        for pause in intervals():
            seen = operation.look()
            if isinstance(seen, Look) and seen.change is None:
                self._finish("applied", seen)
                return
            if self._around.clock.monotonic() >= deadline:
                self._give_up(operation, seen)
                return
            self._pause(pause)

    def _give_up(self, operation: Operation, seen: Seen) -> None:
        """The deadline has passed: failed where reality can be read and nothing is under way."""
        running = self._running(operation, self._since())
        if isinstance(seen, ProviderError):
            self._doubt(f"the deadline passed and {operation.endpoint} cannot be read: {seen}")
        elif running is not None:
            self._doubt(_at_it(running, operation))
        else:
            left = vd.describe(vd.change_data(seen.change)) if isinstance(seen, Look) else str(seen)
            problem = Problem(
                code="timeout",
                summary=f"not as wished after {self._limits.timeout:.0f} s; still to do: {left}",
                hint=f"Look at {operation.endpoint}, then retry this step or raise its timeout.",
            )
            self._fail(problem, timed_out=True)

    def _since(self) -> datetime:
        """Return from when on a job of the target may be this step's own."""
        return (self._begun or self._around.clock.now()) - SKEW

    def _recover(self, operation: Operation, error: ProviderError) -> Look | None:
        """After a failed ``apply``: the look to try again from, or None when the step has ended."""
        if error.effect_unknown or error.unreachable:  # a target that goes away may have done part of it
            return self._recover_unknown(operation, error)
        if error.transient and self._tries < self._limits.retry.attempts:
            self._announce_retry(error.problem, self._tries)
            seen = operation.look()
            if isinstance(seen, Look) and seen.change is not None:
                return seen
            if isinstance(seen, Look):
                self._finish("applied", seen)
                return None
        self._fail(error.problem)
        return None

    def _recover_unknown(self, operation: Operation, error: ProviderError) -> Look | None:
        seen, running = self._read_reality(operation, self._since())
        again = operation.convergent and self._tries < self._limits.retry.attempts
        if again and _left_to_do(seen, running):
            self._announce_retry(error.problem, self._tries)
            seen, running = self._read_reality(operation, self._since())  # it may have arrived meanwhile
            if left := _left_to_do(seen, running):
                return left
        if isinstance(seen, Look) and seen.change is None:
            self._finish("adopted", seen, "the reply was lost; reading shows the change was made")
        elif running is not None or isinstance(seen, ProviderError):
            self._doubt(error.problem.summary, error.problem)
        elif isinstance(seen, Missing):
            self._fail(error.problem)
        elif not operation.convergent:
            self._doubt(error.problem.summary, error.problem)
        else:
            self._fail(error.problem)
        return None

    def _settle_doubt(self, operation: Operation, since: datetime) -> None:
        """A step the journal left without an end: reality decides."""
        seen, running = self._read_reality(operation, since)
        if _left_to_do(seen, running) and (rest := self._on_its_way()) > 0:
            self._pause(rest)
            seen, running = self._read_reality(operation, since)
        if isinstance(seen, Look) and seen.change is None:
            self._finish("adopted", seen, "found as wished after an interruption")
        elif isinstance(seen, ProviderError):
            self._doubt(f"it was interrupted and its target cannot be read: {seen}")
        elif running is not None:
            self._doubt(_at_it(running, operation))
        elif isinstance(seen, Missing):
            self._refuse(seen)
        elif operation.convergent:
            self._apply(operation, seen)
        else:
            self._doubt("it may have run before the interruption and must not be repeated blindly")

    def _on_its_way(self) -> float:
        """Return the seconds in which what the engine before had sent may still arrive."""
        if self._record.attempted is None:
            return 0.0
        return ON_ITS_WAY - (self._around.clock.now() - self._record.attempted).total_seconds()

    def _read_reality(
        self, operation: Operation, since: datetime
    ) -> tuple[Seen, Handle | ProviderError | None]:
        """Wait for what is still running there, then look, for a bounded time.

        Jobs are asked for before the state is read: one that ends in between has left its effect in it.
        """
        clock = self._around.clock
        deadline = clock.monotonic() + self._limits.timeout
        unread = clock.monotonic() + min(DOUBT_TIMEOUT, self._limits.timeout)
        followed = ""
        for pause in intervals():
            running = self._running(operation, since)
            seen = operation.look()
            if isinstance(seen, Look) and seen.change is None:
                return seen, None
            if running is None and not isinstance(seen, ProviderError):
                return seen, None
            if isinstance(running, Handle) and (following := self._following(running)) != followed:
                followed = following
                self._append(ev.StepProgress(step=self._step.id, message=following))
            if clock.monotonic() >= (deadline if isinstance(running, Handle) else unread):
                return seen, running
            self._pause(pause)
        raise AssertionError("unreachable: intervals never end")

    @staticmethod
    def _following(running: Handle) -> str:
        """Say what is waited for, and what the target says of it: a machine may be asking a question."""
        said = f"{running.summary}; " if running.summary else ""
        return f"{said}following {running.kind} {running.id}"

    def _running(self, operation: Operation, since: datetime) -> Handle | ProviderError | None:
        try:
            return operation.find_running(since)
        except ProviderError as error:
            return error

    # Ends

    def _finish(self, how: ev.How, seen: Look, summary: str = "") -> None:
        self._append(
            ev.StepFinished(step=self._step.id, how=how, summary=summary, outputs=dict(seen.outputs))
        )

    def _refuse(self, seen: Missing | ProviderError) -> None:
        if isinstance(seen, ProviderError):
            self._fail(seen.problem, unreachable=seen.unreachable)
        else:
            hint = "A step that makes it must run before this one."
            self._fail(Problem(code="missing", summary=str(seen), hint=hint))

    def _fail(self, problem: Problem, *, unreachable: bool = False, timed_out: bool = False) -> None:
        self._append(
            ev.StepFailed(
                step=self._step.id,
                problem=vd.problem_data(problem),
                tolerated=self._tolerated,
                unreachable=unreachable,
                timed_out=timed_out,
            )
        )

    def _doubt(self, why: str, problem: Problem | None = None) -> None:
        given = problem or Problem(
            code="indeterminate",
            summary=f"neither done nor failed for sure: {why}",
            hint="Look at the target, then drctl resume (reads again), retry or skip --reason.",
        )
        self._append(
            ev.StepIndeterminate(
                step=self._step.id, problem=vd.problem_data(given), tolerated=self._tolerated
            )
        )

    def _announce_retry(self, problem: Problem, attempt: int) -> None:
        delay = self._limits.delay(attempt)
        self._append(
            ev.StepRetried(step=self._step.id, attempt=attempt, problem=vd.problem_data(problem), delay=delay)
        )
        self._pause(delay)

    def _pause(self, seconds: float) -> None:
        if self._around.clock.sleep(seconds, self._around.let_go):
            raise Interrupted

    def _append(self, event: ev.EventData) -> None:
        self._around.log.append(event)


def _finding(seen: Seen) -> ev.FindingData:
    if isinstance(seen, Look) and seen.finding is not None:
        return vd.finding_data(seen.finding)
    if isinstance(seen, ProviderError):
        details = tuple(filter(None, (seen.problem.detail,)))
        return ev.FindingData(
            level="blocker", summary=seen.problem.summary, details=details, hint=seen.problem.hint
        )
    return ev.FindingData(level="blocker", summary=str(seen))


def _left_to_do(seen: Seen, running: Handle | ProviderError | None) -> Look | None:
    """Return the look when it shows a change still to make and nothing at work on it."""
    return seen if isinstance(seen, Look) and seen.change is not None and running is None else None


def _at_it(running: Handle | ProviderError, operation: Operation) -> str:
    if isinstance(running, Handle):
        return f"{running.kind} {running.id} is still running on {operation.endpoint}"
    return f"{operation.endpoint} does not say whether a job is still running: {running}"
