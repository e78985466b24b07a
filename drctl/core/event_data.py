"""The plain data that events carry: problems, changes, findings, losses, objectives, sites."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue

StepRef: TypeAlias = Annotated[str, Field(description="Id of the step, e.g. `promote[pacs_vm].break`.")]
Person: TypeAlias = Annotated[str, Field(description="Who it was: an account, or a name that was given.")]
Why: TypeAlias = Annotated[str, Field(description="Why, in words.")]
Role: TypeAlias = Annotated[str, Field(description="Who is asked; a key of the inventory's contacts.")]
PlanDigest: TypeAlias = Annotated[str, Field(description="SHA-256 of the approved plan.")]


class Data(BaseModel):
    """Base of everything inside an event: frozen plain data; unknown fields of a newer drctl are kept out."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class EventData(Data):
    """Base of the events; ``type`` is the class name."""

    type: ClassVar[str]


class ProblemData(Data):
    """A ``Problem`` as a journal keeps it."""

    code: str = Field(description="Stable word for what is wrong, e.g. `unreachable`.")
    summary: str = Field(description="One line for people.")
    detail: str = Field("", description="What is known besides, e.g. what the target answered.")
    hint: str = Field("", description="What to do next.")
    endpoint: str | None = Field(None, description="The endpoint that it came from.")


class FieldData(Data):
    """One changed field."""

    name: str = Field(description="What changes, e.g. `mirror.state`.")
    before: JsonValue = Field(None, description="What was there; nothing where it was absent or unknown.")
    after: JsonValue = Field(None, description="What is wished; nothing where it goes away.")


class LossData(Data):
    """One volume's loss: ``seconds`` from the recovery point to the incident."""

    volume: str = Field(description="The volume, svm:volume.")
    snapshot: str = Field("", description="The snapshot it would be served from.")
    recovery_point: datetime = Field(description="When that snapshot was made: what came later is lost.")
    incident: datetime | None = Field(
        None, description="The time up to which data was written; absent where nobody said."
    )
    seconds: float | None = Field(None, description="From the recovery point to the incident.")
    clock_skew: float | None = Field(
        None, description="The array's clock minus ours in seconds; absent where it was not measured."
    )
    service: str | None = Field(None, description="The service it belongs to.")
    step: str | None = Field(None, description="The step that gives the data up.")


class ChangeData(Data):
    """A ``Change``: what a step was about to do."""

    summary: str = Field(description="One line for people.")
    fields: tuple[FieldData, ...] = Field((), description="What differs, one by one.")
    loss: LossData | None = Field(None, description="What data it gives up.")


class RecipeData(Data):
    """How to undo a step: an action, its ``with:`` and the endpoint it ran on."""

    uses: str = Field(description="The action that undoes it.")
    arguments: Mapping[str, JsonValue] = Field(
        default_factory=dict, description="That action's `with:`; outputs of the step are filled in then."
    )
    endpoint: str | None = Field(None, description="Where it runs.")


class FindingData(Data):
    """A probe's verdict."""

    level: Literal["ok", "warning", "blocker"] = Field(
        description="How bad it is; a blocker keeps a run from starting."
    )
    summary: str = Field(description="One line for people.")
    details: tuple[str, ...] = Field((), description="What was looked at, a line each.")
    hint: str = Field("", description="What to do next.")
    impossible: bool = Field(
        default=False, description="No decision can override the blocker, e.g. the volume does not exist."
    )


class SiteData(Data):
    """A site as reports name it."""

    name: str = Field(description="Its key in the inventory.")
    title: str = Field(description="What people call it.")
    timezone: str = Field("UTC", description="IANA name: reports show its local time.")


class ObjectivesData(Data):
    """Seconds; None where the runbook states no objective."""

    rto: float | None = Field(None, description="Recovery time objective.")
    rpo: float | None = Field(None, description="Recovery point objective: the data that may be lost.")
    mtpd: float | None = Field(None, description="Maximum tolerable period of disruption.")
    clock_starts: Literal["impact", "detection", "declaration"] = Field(
        "declaration", description="From when the RTO counts."
    )


class ServiceData(Data):
    """A service touched by a run, and the steps whose success ends its RTO clock."""

    name: str = Field(description="Its key in the inventory.")
    title: str = Field(description="What its users call it.")
    tier: int | None = Field(None, description="How much depends on it, 1 most.")
    objectives: ObjectivesData = Field(
        ObjectivesData(), description="Its own; the run's hold for what is absent."
    )
    checks: tuple[str, ...] = Field((), description="Ids of the steps whose success says that it answers.")
    volumes: tuple[str, ...] = Field((), description="Its volumes, by their names in the inventory.")


class FileData(Data):
    """A versioned input file: its name, title and SHA-256."""

    name: str = Field(description="What the file calls itself.")
    title: str = Field("", description="Its heading for people.")
    digest: str = Field(description="SHA-256 of its content.")
    owner: str = Field("", description="Who keeps it true.")


class Reconciled(Data):
    """One row of the resume table."""

    step: StepRef
    journal: str = Field(description="How the step stands in the journal.")
    reality: str = Field(description="What a new look found.")
    will: str = Field(description="What the engine does about it.")
