"""The events of a journal: what happened, once, in order; all that people see is folded from them.

Old journals stay readable for ever: fields are only added, and only with defaults. ``Line`` is the
envelope of one journal line; its ``data`` is the event without its ``type``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, TypeAlias, get_args

from pydantic import Field, JsonValue

from drctl.core.event_data import ChangeData as ChangeData
from drctl.core.event_data import Data as Data
from drctl.core.event_data import EventData as EventData
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
from drctl.core.events_people import AbortRequested as AbortRequested
from drctl.core.events_people import GateAnswered as GateAnswered
from drctl.core.events_people import GateOpened as GateOpened
from drctl.core.events_people import ManualOpened as ManualOpened
from drctl.core.events_people import ManualRecorded as ManualRecorded
from drctl.core.events_people import Note as Note
from drctl.core.events_people import RetryRequested as RetryRequested
from drctl.core.events_people import SkipRequested as SkipRequested
from drctl.core.events_run import ClockSet as ClockSet
from drctl.core.events_run import LockTaken as LockTaken
from drctl.core.events_run import LossStated as LossStated
from drctl.core.events_run import Outcome as Outcome
from drctl.core.events_run import PlanApproved as PlanApproved
from drctl.core.events_run import RunFinished as RunFinished
from drctl.core.events_run import RunPaused as RunPaused
from drctl.core.events_run import RunResumed as RunResumed
from drctl.core.events_run import RunStarted as RunStarted
from drctl.core.events_step import DriftFound as DriftFound
from drctl.core.events_step import How as How
from drctl.core.events_step import Observed as Observed
from drctl.core.events_step import StepFailed as StepFailed
from drctl.core.events_step import StepFinished as StepFinished
from drctl.core.events_step import StepHandle as StepHandle
from drctl.core.events_step import StepIndeterminate as StepIndeterminate
from drctl.core.events_step import StepKind as StepKind
from drctl.core.events_step import StepNotExercised as StepNotExercised
from drctl.core.events_step import StepPlanned as StepPlanned
from drctl.core.events_step import StepProgress as StepProgress
from drctl.core.events_step import StepRetried as StepRetried
from drctl.core.events_step import StepSkipped as StepSkipped
from drctl.core.events_step import StepStarted as StepStarted

VERSION = 1

Event: TypeAlias = (
    RunStarted | PlanApproved | StepPlanned | ClockSet | LossStated | StepStarted | StepHandle
    | StepProgress | StepRetried | Observed | StepFinished | StepFailed | StepIndeterminate
    | StepSkipped | StepNotExercised | GateOpened | GateAnswered | ManualOpened | ManualRecorded
    | DriftFound | Note | AbortRequested | SkipRequested | RetryRequested | RunPaused | RunResumed
    | LockTaken | RunFinished
)  # fmt: skip

EVENTS: Mapping[str, type[EventData]] = {event.type: event for event in get_args(Event)}


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
