"""What becomes of a step, from the plan to its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, TypeAlias

from pydantic import Field, JsonValue

from drctl.core.event_data import (
    ChangeData,
    EventData,
    FindingData,
    Person,
    ProblemData,
    RecipeData,
    StepRef,
    Why,
)

StepKind: TypeAlias = Literal["action", "probe", "gate", "manual"]
How: TypeAlias = Literal["applied", "adopted", "unchanged", "observed", "answered"]


class StepPlanned(EventData):
    """One step of the approved plan; ``digest`` is the SHA-256 of what the runbook says of it."""

    type: ClassVar[str] = "StepPlanned"
    step: StepRef
    title: str = Field(description="What people see.")
    phase: str = Field(description="Heading it stands under.")
    kind: StepKind = Field(description="What the step is.")
    service: str | None = Field(None, description="The service it is for.")
    item: str | None = Field(None, description="Key of the `for_each` item.")
    action: str | None = Field(None, description="Name of the action or probe.")
    endpoint: str | None = Field(None, description="The endpoint it runs on.")
    site: str | None = Field(None, description="The site of that endpoint.")
    needs: tuple[str, ...] = Field((), description="Ids of the steps it waits for.")
    reversibility: str | None = Field(None, description="Whether the action can be taken back.")
    verdict: str = Field(description="What the plan says of it in a word, e.g. will, done or blocked.")
    summary: str = Field("", description="That verdict in a line.")
    change: ChangeData | None = Field(None, description="What it is going to do, as the plan saw it.")
    on_error: str = Field("stop", description="stop, continue or ask.")
    confirms: str | None = Field(None, description="The service whose return it proves.")
    precheck: bool = Field(default=False, description="It ran before the first step and only looked.")
    digest: str = Field("", description="SHA-256 of what the runbook says of it.")
    instead_of: str | None = Field(
        None, description="What the runbook names, where a drill runs something else."
    )
    undoable: bool = Field(default=False, description="A recipe to undo it is known.")


class StepStarted(EventData):
    """Intent: on disk before the first mutating call."""

    type: ClassVar[str] = "StepStarted"
    step: StepRef
    attempt: int = Field(1, description="Counts from 1.")
    change: ChangeData | None = Field(None, description="What is about to be done.")
    undo: RecipeData | None = Field(None, description="How to take it back.")
    objects: tuple[str, ...] = Field((), description="What it touches, e.g. `volume svm_dr:pacs_vm_dr`.")


class StepHandle(EventData):
    """The target's own id of a long job, or of what a step made on its way (a folder)."""

    type: ClassVar[str] = "StepHandle"
    step: StepRef
    kind: str = Field(description="What kind of job, e.g. job, task or transfer.")
    id: str = Field(description="What the target calls it.")
    summary: str = Field("", description="One line for people.")


class StepProgress(EventData):
    """How far a step is; ``override`` marks a documented override about to be used."""

    type: ClassVar[str] = "StepProgress"
    step: StepRef
    message: str = Field(description="One line for people.")
    fraction: float | None = Field(None, description="0 to 1; absent where it is not known.")
    override: bool = Field(default=False, description="A documented override is about to be used.")


class StepRetried(EventData):
    """A transient failure; the step will be tried again after ``delay`` seconds."""

    type: ClassVar[str] = "StepRetried"
    step: StepRef
    attempt: int = Field(description="The one that failed, counted from 1.")
    problem: ProblemData = Field(description="Why it failed.")
    delay: float = Field(description="Seconds until the next.")


class Observed(EventData):
    """A probe looked; only the first look and changes of its finding are journaled."""

    type: ClassVar[str] = "Observed"
    step: StepRef
    finding: FindingData = Field(description="What it makes of what it saw.")
    values: Mapping[str, JsonValue] = Field(
        default_factory=dict, description="What it saw: the probe's outputs."
    )


class StepFinished(EventData):
    """A step reached its wished state; ``how`` says whether drctl brought it about."""

    type: ClassVar[str] = "StepFinished"
    step: StepRef
    how: How = Field(description="Whether drctl brought it about, found it, or was told.")
    summary: str = Field("", description="One line for people.")
    outputs: Mapping[str, JsonValue] = Field(default_factory=dict, description="What later steps may use.")


class StepFailed(EventData):
    """A step failed; ``tolerated`` when the runbook goes on without it (shown as unproven)."""

    type: ClassVar[str] = "StepFailed"
    step: StepRef
    problem: ProblemData = Field(description="What went wrong.")
    tolerated: bool = Field(default=False, description="The run goes on without it.")
    unreachable: bool = Field(default=False, description="There was no connection; nothing was sent.")
    timed_out: bool = Field(
        default=False, description="Its time was over, and reality says that it is not done."
    )


class StepIndeterminate(EventData):
    """A step that can be neither confirmed nor denied; only a re-read or a person resolves it."""

    type: ClassVar[str] = "StepIndeterminate"
    step: StepRef
    problem: ProblemData = Field(description="Why nobody can tell.")
    tolerated: bool = Field(default=False, description="The run goes on without it.")


class StepSkipped(EventData):
    """A step that will not run in this run, and why; never a success.

    ``after`` is the step without which a ``chain`` cannot go on: retrying that one brings this one back.
    """

    type: ClassVar[str] = "StepSkipped"
    step: StepRef
    reason: Why
    cause: Literal["condition", "person", "chain"] = Field(
        description="A condition that does not hold, a person, or a step before it."
    )
    by: Person = ""
    after: str = Field("", description="Id of the step without which it cannot go on.")


class StepNotExercised(EventData):
    """A step a drill does not exercise."""

    type: ClassVar[str] = "StepNotExercised"
    step: StepRef
    reason: Why


class DriftFound(EventData):
    """The world is not what the approved plan saw."""

    type: ClassVar[str] = "DriftFound"
    step: StepRef
    planned: str = Field(description="What the approved plan was going to do.")
    seen: str = Field(description="What would be done now.")
