"""What people are asked, decide, do and write down."""

from __future__ import annotations

from datetime import date, datetime
from typing import ClassVar, Literal

from pydantic import Field

from drctl.core.event_data import (
    EventData,
    Person,
    Role,
    StepRef,
    Why,
)


class GateOpened(EventData):
    """A person must decide; ``deadline`` runs while no process does."""

    type: ClassVar[str] = "GateOpened"
    step: StepRef
    ask: str = Field(description="The question.")
    role: Role = ""
    deadline: datetime | None = Field(
        None, description="When `on_timeout` applies; absent where it waits for ever."
    )
    on_timeout: Literal["ask", "deny", "continue"] = Field(
        "ask", description="What the deadline does: ask only shows it overdue."
    )


class GateAnswered(EventData):
    """The decision; the first valid answer wins."""

    type: ClassVar[str] = "GateAnswered"
    step: StepRef
    answer: Literal["go", "no-go"] = Field(description="Whether the run goes on.")
    by: Person
    reason: Why = ""
    via: Literal["terminal", "answer", "file", "timeout"] = Field("answer", description="The way it came.")


class ManualOpened(EventData):
    """A person must do something outside drctl."""

    type: ClassVar[str] = "ManualOpened"
    step: StepRef
    do: str = Field(description="What there is to do.")
    role: Role = ""
    evidence: str = Field("", description="What to write down when it is done.")
    confirms: str | None = Field(None, description="The service whose return it proves.")


class ManualRecorded(EventData):
    """What the person did; manual work can fail."""

    type: ClassVar[str] = "ManualRecorded"
    step: StepRef
    result: Literal["done", "failed"] = Field(description="How it ended.")
    by: Person
    evidence: str = Field("", description="What proves it, e.g. a ticket number.")
    reason: Why = ""
    via: Literal["terminal", "answer", "file"] = Field("answer", description="The way it came.")


class Note(EventData):
    """A human fact; ``instant`` when it happened, if not when it was written.

    ``owner`` and ``due`` belong to kind ``action``; ``closes`` is RUN/LINE of an action that is done with.
    """

    type: ClassVar[str] = "Note"
    text: str = Field(description="What somebody wrote.")
    kind: Literal[
        "note",
        "decision",
        "finding",
        "impact",
        "communication",
        "cause",
        "lesson",
        "action",
        "detection",
        "declaration",
        "back-to-normal",
    ] = Field("note", description="What it tells reports, e.g. decision or cause.")
    by: Person = ""
    instant: datetime | None = Field(
        None, description="When it happened, where that is not when it was written."
    )
    owner: str = Field("", description="Who does it.")
    due: date | None = Field(None, description="By when.")
    closes: str = Field("", description="RUN/LINE of the action that this ends.")


class AbortRequested(EventData):
    """Stop for good: nothing new starts, running steps reach their end."""

    type: ClassVar[str] = "AbortRequested"
    by: Person
    reason: Why


class SkipRequested(EventData):
    """Go on without a failed, indeterminate or waiting step."""

    type: ClassVar[str] = "SkipRequested"
    step: StepRef
    by: Person
    reason: Why


class RetryRequested(EventData):
    """Try a failed or indeterminate step again."""

    type: ClassVar[str] = "RetryRequested"
    step: StepRef
    by: Person
    reason: Why = ""
