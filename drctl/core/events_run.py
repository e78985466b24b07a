"""What a run tells of itself: its start, its plan, its clocks, its pauses, its end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Literal, TypeAlias

from pydantic import Field, JsonValue

from drctl.core.event_data import (
    EventData,
    FileData,
    LossData,
    ObjectivesData,
    Person,
    PlanDigest,
    Reconciled,
    ServiceData,
    SiteData,
    Why,
)

Outcome: TypeAlias = Literal["completed", "completed_with_exceptions", "aborted"]


class RunStarted(EventData):
    """The first line: what is run, where, by whom, with what."""

    type: ClassVar[str] = "RunStarted"
    run: str = Field(description="Id of the run; its directory's name.")
    mode: str = Field(description="What kind of run, e.g. failover, drill or rollback.")
    runbook: FileData = Field(description="The runbook it follows.")
    inventory: FileData = Field(description="The inventory it acts on.")
    source: SiteData = Field(description="The site that is left.")
    target: SiteData = Field(description="The site that takes over.")
    objectives: ObjectivesData = Field(ObjectivesData(), description="The runbook's objectives.")
    services: tuple[ServiceData, ...] = Field((), description="The services it recovers.")
    parameters: Mapping[str, JsonValue] = Field(
        default_factory=dict, description="What was given with `-p`, defaults included."
    )
    contacts: Mapping[str, str] = Field(
        default_factory=dict, description="Who answers for each role, by role."
    )
    plan_digest: PlanDigest
    tool: str = Field(description="The drctl version that started it.")
    host: str = Field(description="The machine it was started on.")
    user: str = Field(description="The account that started it.")
    parent: str | None = Field(None, description="The run it came from: of a cleanup, rollback or reprotect.")
    clock_offset: float | None = Field(
        None,
        description="This machine's clock minus that of the systems the prechecks asked (median), in seconds;"
        " absent where none told its time.",
    )


class PlanApproved(EventData):
    """Somebody accepted the plan: ``how`` typed the site's name, passed --yes, or a saved plan."""

    type: ClassVar[str] = "PlanApproved"
    plan_digest: PlanDigest
    by: Person
    how: Literal["typed", "yes", "plan-file"] = Field(description="The way it was accepted.")
    reason: Why = ""


class ClockSet(EventData):
    """A time people state: of the impact, its detection, the declaration, the return to normal."""

    type: ClassVar[str] = "ClockSet"
    clock: Literal["impact", "detection", "declaration", "back-to-normal"] = Field(
        description="Which moment."
    )
    instant: datetime = Field(description="When it was.")
    source: Literal["given", "asked", "assumed"] = Field(
        "given", description="Whether somebody gave it, was asked for it, or drctl assumed it."
    )


class LossStated(EventData):
    """What will be lost, per volume, said before the point of no return."""

    type: ClassVar[str] = "LossStated"
    losses: tuple[LossData, ...] = Field(description="One row per volume.")


class RunPaused(EventData):
    """The engine stopped before the end; resumable."""

    type: ClassVar[str] = "RunPaused"
    why: Literal["failed", "waiting", "drift", "indeterminate", "interrupted", "terminated"] = Field(
        description="What made it stop."
    )
    steps: tuple[str, ...] = Field((), description="Ids of the steps it stopped at.")
    summary: str = Field("", description="One line for people.")
    exit: int = Field(description="Exit code of the engine.")


class RunResumed(EventData):
    """The engine goes on, after reading reality again; the digests are those of files edited meanwhile."""

    type: ClassVar[str] = "RunResumed"
    by: Person
    reason: Why = ""
    table: tuple[Reconciled, ...] = Field(
        (), description="What the new look found, where it differs from the journal."
    )
    accepted_changes: str = Field("", description="What was edited meanwhile, as a diff.")
    runbook_digest: str = Field(
        "", description="SHA-256 of the runbook from here on; empty where neither file was edited."
    )
    inventory_digest: str = Field(
        "", description="SHA-256 of the inventory from here on; empty where neither file was edited."
    )
    torn_tail: bool = Field(default=False, description="The last line was half written and has been dropped.")
    plan_digest: str = Field(
        "", description="Digest of the plan made anew; empty where the approved one holds."
    )


class LockTaken(EventData):
    """This engine owns the run; an engine that reads a newer epoch stops at once."""

    type: ClassVar[str] = "LockTaken"
    epoch: int = Field(description="Counts the owners of the run from 1.")
    owner: str = Field(description="The account the engine runs under.")
    host: str = Field(description="The machine it runs on.")
    pid: int = Field(description="Its process there.")
    took_over_from: str = Field("", description="The owner before, where it had not let go.")


class RunFinished(EventData):
    """The last word; ``counts`` of steps by state."""

    type: ClassVar[str] = "RunFinished"
    outcome: Outcome = Field(description="How it ended.")
    exit: int = Field(description="Exit code of the engine.")
    counts: Mapping[str, int] = Field(default_factory=dict, description="Number of steps in each state.")
    unproven: tuple[str, ...] = Field((), description="Ids of the steps that nobody can vouch for.")
