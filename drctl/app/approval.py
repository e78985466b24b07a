"""A saved plan, and whether the plan of now is still the one that was approved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, JsonValue, ValidationError

from drctl.core import events as ev
from drctl.core.problem import DrctlError, ExitCode, Problem
from drctl.engine.plan import Plan
from drctl.engine.verdict import describe, same_change


@dataclass(frozen=True, slots=True)
class Approval:
    """Who let the run start and how; the instants people state, None where nobody did."""

    how: Literal["typed", "yes", "plan-file"]
    by: str
    reason: str = ""
    impact_at: datetime | None = None
    detected_at: datetime | None = None
    declared_at: datetime | None = None


class SavedPlan(ev.Data):
    """A plan on disk: reviewed now, executed later, refused once the world or the files moved."""

    drctl: Literal[1] = 1
    kind: Literal["plan"] = "plan"
    digest: str
    mode: str
    runbook_digest: str
    inventory_digest: str
    parameters: Mapping[str, JsonValue] = Field(default_factory=dict)
    made_at: datetime
    made_by: str
    steps: tuple[ev.StepPlanned, ...]


def save_plan(plan: Plan, path: Path, now: datetime, by: str) -> SavedPlan:
    """Write a plan for review; return what was written."""
    saved = SavedPlan(
        digest=plan.digest,
        mode=plan.inputs.mode,
        runbook_digest=plan.inputs.runbook_digest,
        inventory_digest=plan.inputs.inventory_digest,
        parameters=plan.inputs.parameters,
        made_at=now,
        made_by=by,
        steps=tuple(planned.event() for planned in plan.steps),
    )
    path.write_text(json.dumps(saved.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n")
    return saved


def load_plan(path: Path) -> SavedPlan:
    """Read a saved plan; raise ``DrctlError`` when it is none."""
    try:
        return SavedPlan.model_validate_json(path.read_text())
    except (OSError, ValidationError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a plan drctl saved"
        problem = Problem(
            code="plan-file", summary=f"{path}: {reason}", hint="drctl plan RUNBOOK -i INVENTORY -o plan.json"
        )
        raise DrctlError(problem) from error


def refuse_stale(saved: SavedPlan, plan: Plan) -> None:
    """Raise ``DrctlError`` (exit 6), naming each difference, unless the plan is the approved one."""
    if saved.digest == plan.digest:
        return
    problems = [_moved(what) for what in _moved_inputs(saved, plan)]
    problems += [
        _moved(f"parameter {name}")
        for name in sorted(saved.parameters.keys() | plan.inputs.parameters.keys())
        if saved.parameters.get(name) != plan.inputs.parameters.get(name)
    ]
    now = {planned.step.id: planned.event() for planned in plan.steps}
    before = {step.step: step for step in saved.steps}
    for identity in sorted(before.keys() | now.keys()):
        difference = _difference(before.get(identity), now.get(identity))
        if difference:
            problems.append(Problem(code="stale-plan", summary=difference, step=identity))
    raise DrctlError(*(problems or [_moved("plan file")]), exit_code=ExitCode.DRIFTED)


def _moved_inputs(saved: SavedPlan, plan: Plan) -> list[str]:
    inputs = plan.inputs
    pairs = {
        "mode": (saved.mode, inputs.mode),
        "runbook": (saved.runbook_digest, inputs.runbook_digest),
        "inventory": (saved.inventory_digest, inputs.inventory_digest),
    }
    return [name for name, (before, now) in pairs.items() if before != now]


def _moved(what: str) -> Problem:
    return Problem(
        code="stale-plan",
        summary=f"the {what} is not the one that was approved",
        hint="Make and approve a new plan: drctl plan … -o plan.json",
    )


def _difference(before: ev.StepPlanned | None, now: ev.StepPlanned | None) -> str:
    if before is None or now is None:
        return "is new since the plan was approved" if before is None else "is no longer part of the plan"
    if (before.verdict, before.action, before.endpoint) != (now.verdict, now.action, now.endpoint):
        return f"planned {before.verdict} ({before.summary}), now {now.verdict} ({now.summary})"
    if not same_change(before.change, now.change):
        return f"planned {describe(before.change)}, now {describe(now.change)}"
    if before.needs != now.needs:
        return f"planned after {', '.join(before.needs) or 'nothing'}, now after {', '.join(now.needs) or 'nothing'}"
    return ""
