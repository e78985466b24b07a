"""Every case under ``tests/cases/<provider>/*.yaml``: what is there, what is wished for, what follows.

A case is pure: no lab, no network. ``action`` cases give ``now``, the state as its fields; ``probe`` cases
give ``seen``, the observed values. ``expect`` is exactly one of:

- ``change``: ``summary`` (regular expression), ``fields`` (all of them, in order), ``loss``, ``undo``
- ``done``: a sentence saying why nothing is left to do
- ``missing``: ``kind identity`` of the object that has to exist first
- ``problem``: the code of the problem the comparison raises
- ``refused``: a regular expression for what is wrong with ``with``
- ``finding``: ``level``, ``impossible`` (false unless said), ``summary`` (regular expression)
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from drctl.core.action import Action, Change, Missing
from drctl.core.probe import Finding, Observation, Probe
from drctl.core.problem import ProviderError
from drctl.core.provider import Registry

FOLDER = Path(__file__).parent
FILES = sorted(FOLDER.glob("*/*.yaml"))

Pattern = Annotated[str, Field(min_length=1)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ExpectedField(Strict):
    name: str
    before: Any
    after: Any


class ExpectedUndo(Strict):
    uses: str
    arguments: Annotated[dict[str, Any], Field(alias="with")]


class ExpectedLoss(Strict):
    volume: str
    snapshot: str
    recovery_point: str
    clock_skew: float | None = None


class ExpectedChange(Strict):
    summary: Pattern | None = None
    fields: Annotated[list[ExpectedField], Field(min_length=1)]
    loss: ExpectedLoss | None = None
    undo: ExpectedUndo | None = None


class ExpectedFinding(Strict):
    level: str
    impossible: bool = False
    summary: Pattern | None = None


class Expectation(Strict):
    change: ExpectedChange | None = None
    done: Pattern | None = None
    missing: Pattern | None = None
    problem: Pattern | None = None
    refused: Pattern | None = None
    finding: ExpectedFinding | None = None

    @model_validator(mode="after")
    def _one(self) -> Expectation:
        if len(self.model_fields_set) != 1:
            raise ValueError("exactly one thing is expected")
        return self


class Case(Strict):
    action: str = ""
    probe: str = ""
    arguments: Annotated[dict[str, Any], Field(alias="with")]
    now: dict[str, Any] = {}
    seen: dict[str, Any] = {}
    expect: Expectation

    @model_validator(mode="after")
    def _either(self) -> Case:
        if bool(self.action) == bool(self.probe):
            raise ValueError("a case is about one action or one probe")
        return self


def build(case: Case) -> Action | Probe:
    name = case.action or case.probe
    found = Registry().find(name)
    assert found is not None, f"nothing is called {name}"
    assert issubclass(found, Action if case.action else Probe)
    return found.model_validate(case.arguments, context={"resolve": lambda kind, place: place})


def compare(action: Action, now: dict[str, Any]) -> Change | Missing | ProviderError | None:
    state = TypeAdapter(action.state).validate_python(now)
    try:
        return action.diff(state)
    except (Missing, ProviderError) as verdict:
        return verdict


def check_change(action: Action, case: Case, change: object, expected: ExpectedChange) -> None:
    assert isinstance(change, Change), change
    assert [vars(field) for field in expected.fields] == [
        {"name": field.name, "before": field.before, "after": field.after} for field in change.fields
    ]
    if expected.summary:
        assert re.search(expected.summary, change.summary), change.summary
    if "loss" in expected.model_fields_set or change.loss is not None:
        check_loss(change, expected.loss)
    if "undo" in expected.model_fields_set:
        recipe = action.undo(TypeAdapter(action.state).validate_python(case.now), change)
        assert (recipe and {"uses": recipe.uses, "arguments": dict(recipe.arguments)}) == (
            expected.undo and vars(expected.undo)
        )


def check_loss(change: Change, expected: ExpectedLoss | None) -> None:
    assert (change.loss is None) == (expected is None), change.loss
    if change.loss is not None and expected is not None:
        found = change.loss
        assert (found.volume, found.snapshot, found.recovery_point.isoformat(), found.clock_skew) == (
            expected.volume,
            expected.snapshot,
            expected.recovery_point,
            expected.clock_skew,
        )


def check_finding(finding: Finding, expected: ExpectedFinding) -> None:
    assert (finding.level, finding.impossible) == (expected.level, expected.impossible), finding.summary
    assert finding.summary
    if expected.summary:
        assert re.search(expected.summary, finding.summary), finding.summary


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(FOLDER).with_suffix("").as_posix())
def test_case(path):
    case = Case.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    expect = case.expect
    if expect.refused is not None:
        with pytest.raises(ValidationError, match=expect.refused):
            build(case)
        return
    subject = build(case)
    if isinstance(subject, Probe):
        assert expect.finding is not None, "a probe's case expects a finding"
        check_finding(subject.judge(Observation(case.seen)), expect.finding)
        return
    verdict = compare(subject, case.now)
    if expect.change is not None:
        check_change(subject, case, verdict, expect.change)
    elif expect.done is not None:
        assert verdict is None
    elif expect.missing is not None:
        assert isinstance(verdict, Missing), verdict
        assert str(verdict.object) == expect.missing
    else:
        assert isinstance(verdict, ProviderError), verdict
        assert verdict.problem.code == expect.problem


def test_every_action_and_probe_has_cases():
    registry = Registry()
    told = {
        name
        for path in FILES
        for key in ("action", "probe")
        if (name := yaml.safe_load(path.read_text()).get(key))
    }
    for provider in {path.parent.name for path in FILES}:
        loaded = registry.provider(provider)
        assert {*loaded.actions, *loaded.probes} <= told
