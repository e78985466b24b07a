"""What the plan says of each step, and whether the step may still be held to it when it starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from drctl.core import events as ev
from drctl.core.action import Change, DataLoss, Recipe
from drctl.core.probe import Finding
from drctl.core.problem import Problem


@dataclass(frozen=True, slots=True)
class Done:
    """The world already is as wished."""

    word = "done"

    @property
    def summary(self) -> str:
        """Return what to print beside the step."""
        return "already as wished"


@dataclass(frozen=True, slots=True)
class Will:
    """The step will change this."""

    change: Change
    word = "will"

    @property
    def summary(self) -> str:
        """Return what to print beside the step."""
        return self.change.summary


@dataclass(frozen=True, slots=True)
class Observes:
    """A probe: it will look, and change nothing."""

    word = "observes"
    summary = "looks, changes nothing"


@dataclass(frozen=True, slots=True)
class Asks:
    """A gate or manual step: a person decides or works."""

    summary: str
    word = "asks"


@dataclass(frozen=True, slots=True)
class Unknown:
    """What it will change depends on steps before it."""

    after: frozenset[str]
    why: str = ""
    word = "unknown"

    @property
    def summary(self) -> str:
        """Return what to print beside the step."""
        after = f"known after {', '.join(sorted(self.after))}"
        return f"{after}: {self.why}" if self.why else after


@dataclass(frozen=True, slots=True)
class Blocked:
    """It cannot succeed as things stand."""

    problem: Problem
    word = "blocked"

    @property
    def summary(self) -> str:
        """Return what to print beside the step."""
        return self.problem.summary


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Its target cannot be read, and the runbook tolerates that: it will be shown as unproven."""

    problem: Problem
    word = "unreadable"

    @property
    def summary(self) -> str:
        """Return what to print beside the step."""
        return f"unproven: {self.problem.summary}"


@dataclass(frozen=True, slots=True)
class NotExercised:
    """A drill leaves it out."""

    reason: str
    word = "not exercised"

    @property
    def summary(self) -> str:
        """Return what to print beside the step."""
        return self.reason


Verdict: TypeAlias = Done | Will | Observes | Asks | Unknown | Blocked | Unreadable | NotExercised


def same_change(planned: ev.ChangeData | None, seen: ev.ChangeData | None) -> bool:
    """Say whether two changes have the same start and end, for the fields they touch.

    A loss that grew by a minute is no drift: only fields count.
    """
    if planned is None or seen is None:
        return planned is seen
    return {f.name: (f.before, f.after) for f in planned.fields} == {
        f.name: (f.before, f.after) for f in seen.fields
    }


def describe(change: ev.ChangeData | None) -> str:
    """Return one line for people: the summary and each field's start and end."""
    if change is None:
        return "nothing to do"
    fields = ", ".join(f"{f.name}: {_show(f.before)} → {_show(f.after)}" for f in change.fields)
    return f"{change.summary} ({fields})" if fields else change.summary


def _show(value: object) -> str:
    return "absent" if value is None else str(value)


def problem_data(problem: Problem) -> ev.ProblemData:
    """Return a problem as the journal keeps it."""
    return ev.ProblemData(
        code=problem.code,
        summary=problem.summary,
        detail=problem.detail,
        hint=problem.hint,
        endpoint=problem.endpoint,
    )


def loss_data(loss: DataLoss, service: str | None = None, step: str | None = None) -> ev.LossData:
    """Return a loss as the journal keeps it; the incident is added where the clocks are known."""
    return ev.LossData(
        volume=loss.volume,
        snapshot=loss.snapshot,
        recovery_point=loss.recovery_point,
        clock_skew=loss.clock_skew,
        service=service,
        step=step,
    )


def change_data(change: Change | None) -> ev.ChangeData | None:
    """Return a change as the journal keeps it."""
    if change is None:
        return None
    return ev.ChangeData(
        summary=change.summary,
        fields=tuple(ev.FieldData(name=f.name, before=f.before, after=f.after) for f in change.fields),
        loss=None if change.loss is None else loss_data(change.loss),
    )


def finding_data(finding: Finding) -> ev.FindingData:
    """Return a finding as the journal keeps it."""
    return ev.FindingData(
        level=finding.level.value,
        summary=finding.summary,
        details=finding.details,
        hint=finding.hint,
        impossible=finding.impossible,
    )


def recipe_data(recipe: Recipe | None, endpoint: str | None) -> ev.RecipeData | None:
    """Return an undo recipe as the journal keeps it."""
    if recipe is None:
        return None
    return ev.RecipeData(uses=recipe.uses, arguments=recipe.arguments, endpoint=recipe.endpoint or endpoint)
