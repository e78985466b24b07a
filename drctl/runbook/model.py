"""What a runbook file and an answers file may say."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue

from drctl.core.duration import Duration


def _expression(value: Any) -> Any:
    """Take ``when: true`` and ``waves: 1`` for the expressions they are."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float)) else value


Name: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=80)]
StepName: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]*$", max_length=80)]
Text: TypeAlias = Annotated[str, Field(min_length=1)]
Expression: TypeAlias = Annotated[
    str, BeforeValidator(_expression, json_schema_input_type=str | bool | int), Field(min_length=1)
]
StepMode: TypeAlias = Literal["failover", "switchover", "drill"]


class Strict(BaseModel):
    """Base of everything in a file: unknown keys are refused, nothing is converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Objectives(Strict):
    """Seconds; ``clock_starts`` says from when RTO is counted."""

    mtpd: Duration | None = Field(None, description="Maximum tolerable period of disruption.")
    rto: Duration | None = Field(None, description="Recovery time objective.")
    rpo: Duration | None = Field(None, description="Recovery point objective: the data that may be lost.")
    clock_starts: Literal["impact", "detection", "declaration"] = "declaration"


class Direction(Strict):
    """Which site is left, which takes over."""

    source: Name
    target: Name


class Parameter(Strict):
    """A value the person starting the run gives with ``-p``; never a secret."""

    type: Literal["string", "integer", "number", "boolean", "duration", "list"] = "string"
    required: bool = False
    default: JsonValue = None
    help: str = ""


class GateBody(Strict):
    """A go/no-go decision."""

    ask: Text
    role: Name | None = Field(None, description="Who decides; a key of the inventory's contacts.")
    timeout: Duration | None = None
    on_timeout: Literal["ask", "deny", "continue"] = "ask"


class ManualBody(Strict):
    """Work a person does and confirms."""

    do: Text
    role: Name | None = None
    evidence: str | None = Field(
        None, description="What to write down when it is done, e.g. a ticket number."
    )
    confirms: Name | None = Field(None, description="The service whose return this proves.")


class RetryRule(Strict):
    """For errors that the provider calls transient."""

    attempts: Annotated[int, Field(ge=1, le=100)]
    every: Duration = 5.0
    backoff: Annotated[float, Field(ge=1, le=10)] = 2.0


class UntilRule(Strict):
    """Repeat a probe until it is content."""

    timeout: Duration
    every: Duration = 5.0
    when: Expression | None = None


class DrillBody(Strict):
    """What a drill does instead."""

    uses: Text
    on: str | None = None
    with_: dict[str, JsonValue] | str | None = Field(None, alias="with")


class StepBody(Strict):
    """One step: exactly one of ``uses``, ``gate``, ``manual`` and ``steps``."""

    id: StepName = Field(description="Stable across edits; ties the journal to the runbook.")
    title: str | None = None
    for_each: Expression | None = Field(None, description="Expression: one copy of the step per item.")
    key: str | None = Field(None, description="The item's key in step ids; default its name.")
    waves: Expression | tuple[Expression, ...] | None = Field(
        None, description="Expression: items with the lowest value start first."
    )
    max_parallel: Annotated[int, Field(ge=1)] | None = None
    modes: tuple[StepMode, ...] | None = Field(
        None, description="The modes the step belongs to; default all."
    )
    when: Expression | None = Field(None, description="Expression: false leaves the step out.")
    needs: tuple[str, ...] | None = Field(None, description="Wait for these instead of the step above.")
    uses: Text | None = Field(None, description="Name of an action or probe.")
    on: str | None = Field(None, description="Name of the endpoint.")
    with_: dict[str, JsonValue] | str | None = Field(None, alias="with")
    gate: GateBody | None = None
    manual: ManualBody | None = None
    steps: tuple[StepBody, ...] | None = Field(None, description="A chain, in order; per item with for_each.")
    on_error: Literal["stop", "continue", "ask"] | None = None
    retry: RetryRule | None = None
    timeout: Duration | None = None
    until: UntilRule | None = None
    drill: DrillBody | Literal["skip"] | None = None


class Phase(Strict):
    """Phases run one after another."""

    name: Text
    steps: tuple[StepBody, ...]


class RunbookBody(Strict):
    """A runbook file."""

    drctl: Literal[1] = Field(description="Version of the language.")
    kind: Literal["runbook"]
    name: Name
    title: str = ""
    owner: str = ""
    objectives: Objectives = Objectives()
    direction: Direction
    parameters: dict[str, Parameter] = {}
    prechecks: tuple[StepBody, ...] = ()
    phases: tuple[Phase, ...] = Field(json_schema_extra={"minItems": 1})


class AnswerBody(Strict):
    """One answer given before the run."""

    answer: Literal["go", "no-go", "done", "failed"]
    reason: str = ""
    evidence: str = ""
    by: str = Field("", description="Who decided, when it is not the person who starts the run.")


class AnswersBody(Strict):
    """An answers file: gate and manual steps answered beforehand, by step id."""

    drctl: Literal[1]
    kind: Literal["answers"]
    answers: dict[str, AnswerBody]
