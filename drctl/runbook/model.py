"""What a runbook file and an answers file may say."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, WithJsonSchema

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
    str,
    BeforeValidator(_expression),
    Field(min_length=1),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string", "minLength": 1}, {"type": "boolean"}, {"type": "number"}],
            "format": "expression",
        },
        mode="validation",
    ),
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
    clock_starts: Literal["impact", "detection", "declaration"] = Field(
        "declaration",
        description="From when the RTO counts: the impact, its detection, or the declaration of the disaster.",
    )


class Direction(Strict):
    """Which site is left, which takes over."""

    source: Name = Field(description="The site that is left; a key of the inventory's `sites`.")
    target: Name = Field(description="The site that takes over; a key of the inventory's `sites`.")


class Parameter(Strict):
    """A value the person starting the run gives with ``-p``; never a secret."""

    type: Literal["string", "integer", "number", "boolean", "duration", "list"] = Field(
        "string", description="What `-p KEY=VALUE` is read as; a list is written `a,b,c`."
    )
    required: bool = Field(
        default=False, description="Refuse to start without a value; a required parameter has no default."
    )
    default: JsonValue = Field(
        None, description="The value when none is given; without one it is nothing (`null`)."
    )
    help: str = Field("", description="Shown when the value is missing.")


class GateBody(Strict):
    """A go/no-go decision."""

    ask: Text = Field(
        description="The question, e.g. `{{ source.title }} is lost. Fail over to {{ target.title }}?`"
    )
    role: Name | None = Field(None, description="Who decides; a key of the inventory's contacts.")
    timeout: Duration | None = Field(
        None,
        description="How long it stays open before `on_timeout` applies; its clock also runs while no process "
        "does. Default: no limit.",
    )
    on_timeout: Literal["ask", "deny", "continue"] = Field(
        "ask",
        description="When the time is over: ask keeps it open and shows it overdue; deny and continue decide "
        "by themselves, and a run without a terminal waits for that instead of exiting with 4.",
    )


class ManualBody(Strict):
    """Work a person does and confirms."""

    do: Text = Field(description="What to do, in words for the person who does it.")
    role: Name | None = Field(None, description="Who does it; a key of the inventory's contacts.")
    evidence: str | None = Field(
        None, description="What to write down when it is done, e.g. a ticket number."
    )
    confirms: Name | None = Field(None, description="The service whose return this proves.")


class RetryRule(Strict):
    """For errors that the provider calls transient."""

    attempts: Annotated[int, Field(ge=1, le=100)] = Field(
        description="How often to try in all, the first time included."
    )
    every: Duration = Field(5.0, description="Pause before the second try.")
    backoff: Annotated[float, Field(ge=1, le=10)] = Field(
        2.0, description="What each further pause is multiplied by; 1 keeps them equal."
    )


class UntilRule(Strict):
    """Repeat a probe until it is content."""

    timeout: Duration = Field(description="How long to go on looking; then the step has failed.")
    every: Duration = Field(5.0, description="Pause between two looks.")
    when: Expression | None = Field(
        None, description="What must hold besides, e.g. `steps.lag.outputs.lag_seconds < 60`."
    )


class DrillBody(Strict):
    """What a drill does instead."""

    uses: Text = Field(description="The action or probe that a drill runs in place of the step's own.")
    on: str | None = Field(
        None, description="The endpoint it runs on; default the step's, when both are of one provider."
    )
    with_: dict[str, JsonValue] | str | None = Field(
        None, alias="with", description="Its arguments; nothing is taken over from the step's `with`."
    )


class StepBody(Strict):
    """One step: exactly one of ``uses``, ``gate``, ``manual`` and ``steps``."""

    id: StepName = Field(description="Stable across edits; ties the journal to the runbook.")
    title: str | None = Field(
        None, description="What people see in plan, progress and report; default its id."
    )
    for_each: Expression | None = Field(None, description="Expression: one copy of the step per item.")
    key: str | None = Field(None, description="The item's key in step ids; default its name.")
    waves: Expression | tuple[Expression, ...] | None = Field(
        None, description="Expression: items with the lowest value start first."
    )
    max_parallel: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="How many items of `for_each` may run at once; default as many as their endpoints take.",
    )
    modes: tuple[StepMode, ...] | None = Field(
        None, description="The modes the step belongs to; a failback counts as switchover. Default all."
    )
    when: Expression | None = Field(None, description="Expression: false leaves the step out.")
    needs: tuple[str, ...] | None = Field(
        None, description="Ids to wait for instead of the step above; `[]` waits for none."
    )
    uses: Text | None = Field(None, description="Name of an action or probe, e.g. `ontap.snapmirror.break`.")
    on: str | None = Field(
        None, description="Name of the endpoint it runs on; a key of the inventory's `endpoints`."
    )
    with_: dict[str, JsonValue] | str | None = Field(
        None,
        alias="with",
        description="Arguments of the action or probe (`drctl explain NAME`); one expression may give them "
        "all.",
    )
    gate: GateBody | None = Field(None, description="A person decides whether the run goes on.")
    manual: ManualBody | None = Field(
        None, description="A person does something outside drctl and confirms it."
    )
    steps: tuple[StepBody, ...] | None = Field(
        None, description="A chain, in order; per item with `for_each`."
    )
    on_error: Literal["stop", "continue", "ask"] | None = Field(
        None,
        description="stop starts nothing more; continue goes on without it; ask leaves it to a person. "
        "Default: as the step around it, else stop.",
    )
    retry: RetryRule | None = Field(
        None,
        description="How often to try again after a transient error; default 4 attempts, 2 s apart, twice as "
        "long each time.",
    )
    timeout: Duration | None = Field(
        None, description="How long the whole step may take; default 15 minutes."
    )
    until: UntilRule | None = Field(
        None, description="Repeat the probe until it is content; default one look."
    )
    drill: DrillBody | Literal["skip"] | None = Field(
        None,
        description="What a drill does instead, or skip; default what the action itself does in a drill.",
    )


class Phase(Strict):
    """Phases run one after another."""

    name: Text = Field(description="Heading in plan, progress and report; no two phases have the same.")
    steps: tuple[StepBody, ...] = Field(
        description="What is done, each after the one above it unless it says `needs`."
    )


class RunbookBody(Strict):
    """A runbook file."""

    drctl: Literal[1] = Field(description="Version of the language.")
    kind: Literal["runbook"] = Field(description="Makes this file a runbook.")
    name: Name = Field(description="Identifies the runbook in journals and reports, e.g. `site-loss`.")
    title: str = Field("", description="Heading of plans and reports; default the name.")
    owner: str = Field("", description="Who keeps the runbook true, e.g. a team; shown in reports.")
    objectives: Objectives = Field(
        Objectives(), description="What the recovery must keep to; a service's own go first."
    )
    direction: Direction = Field(
        description="Which site is left and which takes over; going back swaps them."
    )
    parameters: dict[str, Parameter] = Field(
        default={}, description="Values that a start gives with `-p`, by name."
    )
    prechecks: tuple[StepBody, ...] = Field(
        (),
        description="Probes that run before anything else and only look; a blocker keeps the run from "
        "starting.",
    )
    phases: tuple[Phase, ...] = Field(
        json_schema_extra={"minItems": 1}, description="The stages of the run, in order; at least one."
    )


class AnswerBody(Strict):
    """One answer given before the run."""

    answer: Literal["go", "no-go", "done", "failed"] = Field(
        description="go or no-go for a gate, done or failed for manual work."
    )
    reason: str = Field("", description="Why; kept in the journal and shown in the report.")
    evidence: str = Field("", description="What proves manual work, e.g. a ticket number.")
    by: str = Field("", description="Who decided, when it is not the person who starts the run.")


class AnswersBody(Strict):
    """An answers file: gate and manual steps answered beforehand, by step id."""

    drctl: Literal[1] = Field(description="Version of the language.")
    kind: Literal["answers"] = Field(description="Makes this file one of answers.")
    answers: dict[str, AnswerBody] = Field(description="The answer of each step, by step id, e.g. `go`.")
