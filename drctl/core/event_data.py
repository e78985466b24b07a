"""The plain data that events carry: problems, changes, findings, losses, objectives, sites."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class Data(BaseModel):
    """Base of everything inside an event: frozen plain data; unknown fields of a newer drctl are kept out."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ProblemData(Data):
    """A ``Problem`` as a journal keeps it."""

    code: str
    summary: str
    detail: str = ""
    hint: str = ""
    endpoint: str | None = None


class FieldData(Data):
    """One changed field."""

    name: str
    before: JsonValue = None
    after: JsonValue = None


class LossData(Data):
    """One volume's loss: ``seconds`` from the recovery point to the incident."""

    volume: str
    snapshot: str = ""
    recovery_point: datetime
    incident: datetime | None = None
    seconds: float | None = None
    clock_skew: float | None = None
    service: str | None = None
    step: str | None = None


class ChangeData(Data):
    """A ``Change``: what a step was about to do."""

    summary: str
    fields: tuple[FieldData, ...] = ()
    loss: LossData | None = None


class RecipeData(Data):
    """How to undo a step: an action, its ``with:`` and the endpoint it ran on."""

    uses: str
    arguments: Mapping[str, JsonValue] = Field(default_factory=dict)
    endpoint: str | None = None


class FindingData(Data):
    """A probe's verdict."""

    level: Literal["ok", "warning", "blocker"]
    summary: str
    details: tuple[str, ...] = ()
    hint: str = ""
    impossible: bool = False


class SiteData(Data):
    """A site as reports name it."""

    name: str
    title: str
    timezone: str = "UTC"


class ObjectivesData(Data):
    """Seconds; None where the runbook states no objective."""

    rto: float | None = None
    rpo: float | None = None
    mtpd: float | None = None
    clock_starts: Literal["impact", "detection", "declaration"] = "declaration"


class ServiceData(Data):
    """A service touched by a run, and the steps whose success ends its RTO clock."""

    name: str
    title: str
    tier: int | None = None
    objectives: ObjectivesData = ObjectivesData()
    checks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()


class FileData(Data):
    """A versioned input file: its name, title and SHA-256."""

    name: str
    title: str = ""
    digest: str
    owner: str = ""


class Reconciled(Data):
    """One row of the resume table."""

    step: str
    journal: str
    reality: str
    will: str
