"""The events of a journal: what happened, once, in order; all that people see is folded from them.

Old journals stay readable for ever: fields are only added, and only with defaults. ``Line`` is the
envelope of one journal line; its ``data`` is the event without its ``type``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field, JsonValue

from drctl.core.event_data import ChangeData as ChangeData
from drctl.core.event_data import Data as Data
from drctl.core.event_data import FieldData as FieldData
from drctl.core.event_data import FileData as FileData
from drctl.core.event_data import FindingData as FindingData
from drctl.core.event_data import LossData as LossData
from drctl.core.event_data import ObjectivesData as ObjectivesData
from drctl.core.event_data import ProblemData as ProblemData
from drctl.core.event_data import RecipeData as RecipeData
from drctl.core.event_data import Reconciled as Reconciled
from drctl.core.event_data import ServiceData as ServiceData
from drctl.core.event_data import SiteData as SiteData

VERSION = 1

StepKind: TypeAlias = Literal["action", "probe", "gate", "manual"]
How: TypeAlias = Literal["applied", "adopted", "unchanged", "observed", "answered"]
Outcome: TypeAlias = Literal["completed", "completed_with_exceptions", "aborted"]


class EventData(Data):
    """Base of the events; ``type`` is the class name."""

    type: ClassVar[str]


class RunStarted(EventData):
    """The first line: what is run, where, by whom, with what."""

    type: ClassVar[str] = "RunStarted"
    run: str
    mode: str
    runbook: FileData
    inventory: FileData
    source: SiteData
    target: SiteData
    objectives: ObjectivesData = ObjectivesData()
    services: tuple[ServiceData, ...] = ()
    parameters: Mapping[str, JsonValue] = Field(default_factory=dict)
    contacts: Mapping[str, str] = Field(default_factory=dict)
    plan_digest: str
    tool: str
    host: str
    user: str
    parent: str | None = None
    clock_offset: float | None = None


class PlanApproved(EventData):
    """Somebody accepted the plan: ``how`` typed the site's name, passed --yes, or a saved plan."""

    type: ClassVar[str] = "PlanApproved"
    plan_digest: str
    by: str
    how: Literal["typed", "yes", "plan-file"]
    reason: str = ""


class StepPlanned(EventData):
    """One step of the approved plan; ``digest`` is the SHA-256 of what the runbook says of it."""

    type: ClassVar[str] = "StepPlanned"
    step: str
    title: str
    phase: str
    kind: StepKind
    service: str | None = None
    item: str | None = None
    action: str | None = None
    endpoint: str | None = None
    site: str | None = None
    needs: tuple[str, ...] = ()
    reversibility: str | None = None
    verdict: str
    summary: str = ""
    change: ChangeData | None = None
    on_error: str = "stop"
    confirms: str | None = None
    precheck: bool = False
    digest: str = ""
    instead_of: str | None = None
    undoable: bool = False


class ClockSet(EventData):
    """A time people state: of the impact, its detection, the declaration, the return to normal."""

    type: ClassVar[str] = "ClockSet"
    clock: Literal["impact", "detection", "declaration", "back-to-normal"]
    instant: datetime
    source: Literal["given", "asked", "assumed"] = "given"


class LossStated(EventData):
    """What will be lost, per volume, said before the point of no return."""

    type: ClassVar[str] = "LossStated"
    losses: tuple[LossData, ...]


class StepStarted(EventData):
    """Intent: on disk before the first mutating call."""

    type: ClassVar[str] = "StepStarted"
    step: str
    attempt: int = 1
    change: ChangeData | None = None
    undo: RecipeData | None = None
    objects: tuple[str, ...] = ()


class StepHandle(EventData):
    """The target's own id of a long job."""

    type: ClassVar[str] = "StepHandle"
    step: str
    kind: str
    id: str
    summary: str = ""


class StepProgress(EventData):
    """How far a step is; ``override`` marks a documented override about to be used."""

    type: ClassVar[str] = "StepProgress"
    step: str
    message: str
    fraction: float | None = None
    override: bool = False


class StepRetried(EventData):
    """A transient failure; the step will be tried again after ``delay`` seconds."""

    type: ClassVar[str] = "StepRetried"
    step: str
    attempt: int
    problem: ProblemData
    delay: float


class Observed(EventData):
    """A probe looked; only the first look and changes of its finding are journaled."""

    type: ClassVar[str] = "Observed"
    step: str
    finding: FindingData
    values: Mapping[str, JsonValue] = Field(default_factory=dict)


class StepFinished(EventData):
    """A step reached its wished state; ``how`` says whether drctl brought it about."""

    type: ClassVar[str] = "StepFinished"
    step: str
    how: How
    summary: str = ""
    outputs: Mapping[str, JsonValue] = Field(default_factory=dict)


class StepFailed(EventData):
    """A step failed; ``tolerated`` when the runbook goes on without it (shown as unproven)."""

    type: ClassVar[str] = "StepFailed"
    step: str
    problem: ProblemData
    tolerated: bool = False
    unreachable: bool = False
    timed_out: bool = False


class StepIndeterminate(EventData):
    """A step that can be neither confirmed nor denied; only a re-read or a person resolves it."""

    type: ClassVar[str] = "StepIndeterminate"
    step: str
    problem: ProblemData
    tolerated: bool = False


class StepSkipped(EventData):
    """A step that will not run in this run, and why; never a success.

    ``after`` is the step without which a ``chain`` cannot go on: retrying that one brings this one back.
    """

    type: ClassVar[str] = "StepSkipped"
    step: str
    reason: str
    cause: Literal["condition", "person", "chain"]
    by: str = ""
    after: str = ""


class StepNotExercised(EventData):
    """A step a drill does not exercise."""

    type: ClassVar[str] = "StepNotExercised"
    step: str
    reason: str


class GateOpened(EventData):
    """A person must decide; ``deadline`` runs while no process does."""

    type: ClassVar[str] = "GateOpened"
    step: str
    ask: str
    role: str = ""
    deadline: datetime | None = None
    on_timeout: Literal["ask", "deny", "continue"] = "ask"


class GateAnswered(EventData):
    """The decision; the first valid answer wins."""

    type: ClassVar[str] = "GateAnswered"
    step: str
    answer: Literal["go", "no-go"]
    by: str
    reason: str = ""
    via: Literal["terminal", "answer", "file", "timeout"] = "answer"


class ManualOpened(EventData):
    """A person must do something outside drctl."""

    type: ClassVar[str] = "ManualOpened"
    step: str
    do: str
    role: str = ""
    evidence: str = ""
    confirms: str | None = None


class ManualRecorded(EventData):
    """What the person did; manual work can fail."""

    type: ClassVar[str] = "ManualRecorded"
    step: str
    result: Literal["done", "failed"]
    by: str
    evidence: str = ""
    reason: str = ""
    via: Literal["terminal", "answer", "file"] = "answer"


class DriftFound(EventData):
    """The world is not what the approved plan saw."""

    type: ClassVar[str] = "DriftFound"
    step: str
    planned: str
    seen: str


class Note(EventData):
    """A human fact; ``instant`` when it happened, if not when it was written.

    ``owner`` and ``due`` belong to kind ``action``; ``closes`` is RUN/LINE of an action that is done with.
    """

    type: ClassVar[str] = "Note"
    text: str
    kind: Literal[
        "note", "decision", "finding", "impact", "communication", "cause", "lesson", "action",
        "detection", "declaration", "back-to-normal",
    ] = "note"  # fmt: skip
    by: str = ""
    instant: datetime | None = None
    owner: str = ""
    due: date | None = None
    closes: str = ""


class AbortRequested(EventData):
    """Stop for good: nothing new starts, running steps reach their end."""

    type: ClassVar[str] = "AbortRequested"
    by: str
    reason: str


class SkipRequested(EventData):
    """Go on without a failed, indeterminate or waiting step."""

    type: ClassVar[str] = "SkipRequested"
    step: str
    by: str
    reason: str


class RetryRequested(EventData):
    """Try a failed or indeterminate step again."""

    type: ClassVar[str] = "RetryRequested"
    step: str
    by: str
    reason: str = ""


class RunPaused(EventData):
    """The engine stopped before the end; resumable."""

    type: ClassVar[str] = "RunPaused"
    why: Literal["failed", "waiting", "drift", "indeterminate", "interrupted", "terminated"]
    steps: tuple[str, ...] = ()
    summary: str = ""
    exit: int


class RunResumed(EventData):
    """The engine goes on, after reading reality again; the digests are those of files edited meanwhile."""

    type: ClassVar[str] = "RunResumed"
    by: str
    reason: str = ""
    table: tuple[Reconciled, ...] = ()
    accepted_changes: str = ""
    runbook_digest: str = ""
    inventory_digest: str = ""
    torn_tail: bool = False
    plan_digest: str = ""


class LockTaken(EventData):
    """This engine owns the run; an engine that reads a newer epoch stops at once."""

    type: ClassVar[str] = "LockTaken"
    epoch: int
    owner: str
    host: str
    pid: int
    took_over_from: str = ""


class RunFinished(EventData):
    """The last word; ``counts`` of steps by state."""

    type: ClassVar[str] = "RunFinished"
    outcome: Outcome
    exit: int
    counts: Mapping[str, int] = Field(default_factory=dict)
    unproven: tuple[str, ...] = ()


Event: TypeAlias = (
    RunStarted | PlanApproved | StepPlanned | ClockSet | LossStated | StepStarted | StepHandle
    | StepProgress | StepRetried | Observed | StepFinished | StepFailed | StepIndeterminate
    | StepSkipped | StepNotExercised | GateOpened | GateAnswered | ManualOpened | ManualRecorded
    | DriftFound | Note | AbortRequested | SkipRequested | RetryRequested | RunPaused | RunResumed
    | LockTaken | RunFinished
)  # fmt: skip

EVENTS: Mapping[str, type[EventData]] = {event.type: event for event in EventData.__subclasses__()}


class Line(Data):
    """One journal line. ``prev`` is the SHA-256 of the previous line's bytes without its newline."""

    seq: Annotated[int, Field(ge=0)]
    at: datetime
    actor: str
    type: str
    v: int = VERSION
    data: Mapping[str, JsonValue]
    prev: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with its place in the journal."""

    seq: int
    at: datetime
    actor: str
    event: EventData


def read_event(line: Line) -> EventData | None:
    """Return the typed event of a line; None for a type that a newer drctl introduced."""
    model = EVENTS.get(line.type)
    return None if model is None else model.model_validate(line.data)
