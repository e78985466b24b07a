"""What ``plan``, ``precheck`` and the starting verbs have in common: load, look, show."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import typer
from pydantic import JsonValue

from drctl.app.case import Case, Files, load_case
from drctl.app.context import Context
from drctl.app.history import carried_over, forecast_plan
from drctl.app.leftovers import leftover_problems
from drctl.app.start import stated_losses
from drctl.app.zero_loss import refuse_unsealed
from drctl.cli.in_place import chosen, deletions_document
from drctl.cli.options import parse_parameters
from drctl.cli.say import say, say_problem
from drctl.console.forecast import forecast_document
from drctl.console.plan import (
    PlanView,
    action_lines,
    check_lines,
    point_of_no_return,
    step_lines,
    summary_lines,
)
from drctl.engine.plan import Plan
from drctl.report.actions import action_document

Mode = Literal["failover", "switchover", "drill", "failback"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a planning verb was asked for."""

    runbook: Path
    inventory: Path
    parameters: Sequence[str]
    mode: Mode
    points: Sequence[str] = ()
    restores: Sequence[str] = ()
    orphans: bool = False

    @property
    def files(self) -> Files:
        """Return the two files."""
        return Files(self.runbook, self.inventory)


def load(context: Context, asked: Asked, *, quiet: bool) -> Case:
    """Load the case; its warnings go to stderr."""
    points = chosen(asked.points, asked.restores, context.clock.now(), orphans=asked.orphans)
    given: dict[str, JsonValue] = {**parse_parameters(list(asked.parameters)), **points}
    case = load_case(context, asked.files, asked.mode, given)
    refuse_unsealed(case)
    for warning in () if quiet else (*case.warnings, *leftover_problems(context)):
        say_problem(warning)
    return case


def announce(case: Case) -> None:
    """Say on stderr what is about to be read: a dead site makes it take a few seconds."""
    endpoints = len(case.inventory.endpoints)
    steps = len(case.expansion.steps) + len(case.expansion.prechecks)
    say(f"Reading {steps} steps and checks on {endpoints} endpoints…", err=True)


def view(context: Context, case: Case, plan: Plan, incident: datetime) -> PlanView:
    """Return what there is to show of a plan: also how long it should take, and what is still to be done."""
    sites = case.inventory.sites
    source, target = case.expansion.source, case.expansion.target
    return PlanView(
        mode=case.mode,
        source=sites[source].title or source,
        target=sites[target].title or target,
        steps=tuple(planned.event() for planned in plan.steps),
        checks=tuple((checked.step.id, checked.finding) for checked in plan.checks),
        losses=stated_losses(case, plan, incident),
        digest=plan.digest,
        forecast=forecast_plan(context, case, plan) if plan.steps else None,
        actions=carried_over(context, case.runbook.body.name),
        today=context.clock.now().date(),
        now=context.clock.now(),
    )


def show(shown: PlanView, *, as_json: bool, steps: bool = True, every: bool = False) -> None:
    """Print a plan: one JSON document, or prechecks, steps and summary as text."""
    if as_json:
        typer.echo(json.dumps(document(shown), ensure_ascii=False))
        return
    if shown.checks:
        say("Prechecks")
        for line in check_lines(shown.checks, every=every):
            say(line)
    if steps:
        for line in step_lines(shown.steps, point_of_no_return(shown)):
            say(line)
    if shown.steps:
        say("")
        for line in summary_lines(shown):
            say(line)
    for line in action_lines(shown):
        say(line)


def document(shown: PlanView) -> dict[str, object]:
    """Return a plan as ``--json`` prints it."""
    return {
        "kind": "plan" if shown.steps else "precheck",
        "mode": shown.mode,
        "source": shown.source,
        "target": shown.target,
        "digest": shown.digest,
        "checks": [{"check": name, **finding.model_dump(mode="json")} for name, finding in shown.checks],
        "losses": [loss.model_dump(mode="json") for loss in shown.losses],
        "deletions": deletions_document(shown.steps),
        "steps": [step.model_dump(mode="json") for step in shown.steps],
        "forecast": forecast_document(shown.forecast) if shown.forecast else None,
        "open_actions": [
            action_document(action, shown.today) for action in shown.actions if shown.today is not None
        ],
    }
