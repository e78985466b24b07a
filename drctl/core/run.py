"""A run is a fold over its journal; nothing else remembers anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Self

from pydantic import JsonValue

from drctl.core import events as ev
from drctl.core.events import Recorded


class State(StrEnum):
    """Where a step stands. RUNNING without a live engine means: in doubt."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    INDETERMINATE = "indeterminate"
    SKIPPED = "skipped"
    NOT_EXERCISED = "not exercised"


GOOD = frozenset({State.SUCCEEDED, State.UNCHANGED})
ENDED = frozenset({*GOOD, State.SKIPPED, State.NOT_EXERCISED})


WORDS = (ev.GateAnswered, ev.ManualRecorded, ev.AbortRequested, ev.SkipRequested, ev.RetryRequested)
"""What people say to a run; after its end nobody listens any more."""


@dataclass
class StepRun:
    """What the journal says of one step."""

    id: str
    planned: ev.StepPlanned | None = None
    state: State = State.PENDING
    how: ev.How | None = None
    outputs: Mapping[str, JsonValue] = field(default_factory=dict)
    attempts: int = 0
    started: datetime | None = None
    """When it was first started, opened or looked at."""
    attempted: datetime | None = None
    """When its latest attempt was journaled: what it sent may have arrived a little later."""
    ended: datetime | None = None
    change: ev.ChangeData | None = None
    undo: ev.RecipeData | None = None
    objects: tuple[str, ...] = ()
    """What it was about to touch, as ``kind identity at site``."""
    handle: ev.StepHandle | None = None
    finding: ev.FindingData | None = None
    problem: ev.ProblemData | None = None
    tolerated: bool = False
    unreachable: bool = False
    skip: ev.StepSkipped | None = None
    not_exercised: str = ""
    """Why a drill left it out."""
    gate: ev.GateOpened | None = None
    manual: ev.ManualOpened | None = None
    decision: ev.GateAnswered | ev.ManualRecorded | None = None
    drift: ev.DriftFound | None = None
    progress: ev.StepProgress | None = None
    overrides: list[str] = field(default_factory=list)
    uncertain: bool = False
    """Started, or left indeterminate, without a journaled end: reality must be read first."""

    @property
    def settled(self) -> bool:
        """Say whether the steps after it may start."""
        return self.state in ENDED or (self.tolerated and self.state in {State.FAILED, State.INDETERMINATE})

    @property
    def may_be_retried(self) -> bool:
        """Say whether it has ended in a way that can be begun anew; a condition that did not hold cannot."""
        if self.skip is not None and self.state is State.SKIPPED:
            return self.skip.cause != "condition"
        return self.state in {State.FAILED, State.INDETERMINATE, *GOOD}

    @property
    def stops_chain(self) -> bool:
        """Say whether the rest of its item's chain and the users of its outputs are skipped."""
        unproven = self.tolerated and self.state in {State.FAILED, State.INDETERMINATE}
        return unproven or (self.skip is not None and self.skip.cause == "chain")


@dataclass
class Run:
    """The state of a run after some events; ``add`` folds one more in."""

    started: ev.RunStarted | None = None
    started_at: datetime | None = None
    steps: dict[str, StepRun] = field(default_factory=dict)
    approved: ev.PlanApproved | None = None
    clocks: dict[str, ev.ClockSet] = field(default_factory=dict)
    losses: tuple[ev.LossData, ...] = ()
    notes: list[tuple[datetime, ev.Note]] = field(default_factory=list)
    epoch: int = 0
    owner: ev.LockTaken | None = None
    abort: ev.AbortRequested | None = None
    denied: ev.GateAnswered | None = None
    paused: ev.RunPaused | None = None
    finished: ev.RunFinished | None = None
    plan_digest: str = ""
    last_at: datetime | None = None

    @classmethod
    def of(cls, records: Iterable[Recorded]) -> Self:
        """Fold a journal, or any prefix of one."""
        run = cls()
        for record in records:
            run.add(record)
        return run

    def add(self, record: Recorded) -> None:
        """Fold one record in."""
        self.last_at = record.at
        event = record.event
        if self.finished is not None and isinstance(event, WORDS):
            return
        if isinstance(event, ev.RunStarted):
            self.started, self.started_at, self.plan_digest = event, record.at, event.plan_digest
        elif hasattr(event, "step"):
            _fold_step(self, self._step(event.step), record)
        else:
            self._fold_run(event, record.at)

    def _step(self, identity: str) -> StepRun:
        return self.steps.setdefault(identity, StepRun(identity))

    def _fold_run(self, event: ev.EventData, at: datetime) -> None:
        match event:
            case ev.PlanApproved():
                self.approved = event
            case ev.ClockSet():
                self.clocks[event.clock] = event
            case ev.LossStated():
                self.losses = event.losses
            case ev.Note():
                self.notes.append((at, event))
            case ev.LockTaken():
                self.epoch, self.owner, self.paused = event.epoch, event, None
                self._doubt()
            case ev.RunResumed():
                self.paused = None
                self.plan_digest = event.plan_digest or self.plan_digest
                self._agree()
            case ev.RunPaused():
                self.paused = event
            case ev.AbortRequested():
                self.abort = event
            case ev.RunFinished():
                self.finished = event
            case _:
                pass

    def _agree(self) -> None:
        """Forget drifts: they were shown and agreed to before the run went on."""
        for step in self.steps.values():
            step.drift = None

    def _doubt(self) -> None:
        """A new engine begins: what ran under the one before is in doubt, what failed may be tried again."""
        for step in self.steps.values():
            if step.state is State.RUNNING or step.state is State.INDETERMINATE:
                step.uncertain = True
            if step.state in {State.RUNNING, State.FAILED, State.INDETERMINATE} and not step.settled:
                step.state = State.PENDING


def _fold_step(run: Run, step: StepRun, record: Recorded) -> None:
    """Fold what the engine did with a step."""
    event, at = record.event, record.at
    match event:
        case ev.StepPlanned():
            step.planned = event
        case ev.StepStarted():
            step.state, step.change, step.undo = State.RUNNING, event.change, event.undo
            step.attempts, step.handle, step.ended = event.attempt, None, None
            step.attempted, step.objects = at, event.objects
            step.started = step.started or at
        case ev.StepHandle():
            step.handle = event
        case ev.StepProgress():
            step.progress = event
            if event.override:
                step.overrides.append(event.message)
        case ev.StepRetried():
            step.problem = event.problem
            step.started = step.started or at
        case ev.Observed():
            step.finding, step.state = event.finding, State.RUNNING
            step.started = step.started or at
        case ev.DriftFound():
            step.drift = event
        case _:
            _fold_end(run, step, event, at)


def _fold_end(run: Run, step: StepRun, event: ev.EventData, at: datetime) -> None:
    """Fold how a step ended."""
    match event:
        case ev.StepFinished():
            _end(step, State.UNCHANGED if event.how == "unchanged" else State.SUCCEEDED, at)
            step.how, step.outputs, step.problem = event.how, event.outputs, None
        case ev.StepFailed():
            _end(step, State.FAILED, at)
            step.problem, step.tolerated, step.unreachable = event.problem, event.tolerated, event.unreachable
        case ev.StepIndeterminate():
            _end(step, State.INDETERMINATE, at)
            step.problem, step.tolerated, step.uncertain = event.problem, event.tolerated, True
        case ev.StepSkipped():
            _end(step, State.SKIPPED, at)
            step.skip = event
        case ev.StepNotExercised():
            _end(step, State.NOT_EXERCISED, at)
            step.not_exercised = event.reason
        case _:
            _fold_person(run, step, event, at)


def _fold_person(run: Run, step: StepRun, event: ev.EventData, at: datetime) -> None:
    """Fold what people were asked and said; an answer to nothing open, or a second one, is no answer."""
    match event:
        case ev.GateOpened() | ev.ManualOpened() if step.state is State.PENDING:
            step.state, step.started, step.decision = State.WAITING, at, None
            if isinstance(event, ev.GateOpened):
                step.gate = event
            else:
                step.manual = event
        case ev.GateAnswered() if step.gate is not None and _listens(step) and in_time(step.gate, event, at):
            step.decision = event
            if event.answer == "no-go":
                run.denied = event
        case ev.ManualRecorded() if step.manual is not None and _listens(step):
            step.decision = event
        case ev.RetryRequested() if step.may_be_retried:
            _reopen(run, step)
        case ev.SkipRequested() if step.state not in {State.RUNNING, *ENDED}:
            doubtful = step.uncertain
            _end(step, State.SKIPPED, at)
            step.uncertain = doubtful
            step.skip = ev.StepSkipped(step=step.id, reason=event.reason, cause="person", by=event.by)
        case _:
            pass


def in_time(gate: ev.GateOpened, answer: ev.GateAnswered, at: datetime) -> bool:
    """Say whether an answer still counts: a gate that decides by itself has decided at its deadline."""
    decided = gate.deadline is not None and gate.on_timeout != "ask" and at >= gate.deadline
    return answer.via == "timeout" or not decided


def _listens(step: StepRun) -> bool:
    return step.state is State.WAITING and step.decision is None


def _reopen(run: Run, step: StepRun) -> None:
    """Let a step begin anew, and with it what was skipped because of it."""
    step.uncertain = step.uncertain or step.state is State.INDETERMINATE
    step.state, step.tolerated, step.decision, step.drift = State.PENDING, False, None, None
    step.gate = step.manual = step.skip = None
    for other in run.steps.values():
        if other.skip is not None and other.skip.cause == "chain" and other.skip.after == step.id:
            _reopen(run, other)


def _end(step: StepRun, state: State, at: datetime) -> None:
    step.state, step.ended, step.uncertain = state, at, False
    step.started = step.started or at
