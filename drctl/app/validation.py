"""Checks files as far as they can be checked without contacting anything, and says every problem at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from pydantic import JsonValue

from drctl.core.problem import DrctlError, Problem
from drctl.core.provider import Registry
from drctl.document.shape import suggest
from drctl.engine.expand import expand
from drctl.engine.graph import build
from drctl.engine.lint import check_answers, lint
from drctl.engine.step import Expansion, Mode, Step, Use
from drctl.inventory.load import Inventory, load_inventory
from drctl.runbook.load import Answers, Runbook, load_answers, load_runbook

L = TypeVar("L")

MODES: Final[tuple[Mode, ...]] = ("failover",)
"""The modes a run can have today; each is expanded and checked."""

STAND_INS: Final[Mapping[str, JsonValue]] = {
    "string": "parameter",
    "integer": 1,
    "number": 1,
    "boolean": True,
    "duration": "1m",
    "list": [],
}
"""What a required parameter is taken for while nobody has given it."""


@dataclass(frozen=True)
class Wanted:
    """What to check: runbooks against one inventory, ``answers`` against the runbooks."""

    runbooks: Sequence[Path]
    inventory: Path
    assume_down: str | None = None
    answers: Path | None = None
    parameters: Mapping[str, JsonValue] | None = None


@dataclass(frozen=True)
class Figures:
    """How large a runbook is once multiplied out; ``must_be_up`` are the sites it cannot do without."""

    phases: int
    steps: int
    prechecks: int
    endpoints: int
    must_be_up: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """What was found in one file; ``figures`` is None where it could not be expanded, or is no runbook."""

    file: Path
    problems: tuple[Problem, ...]
    figures: Figures | None = None

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Return what makes it wrong; warnings do not."""
        return tuple(problem for problem in self.problems if problem.severity == "error")


def validate(registry: Registry, wanted: Wanted) -> list[Verdict]:
    """Check every file; never raises for what is wrong in one."""
    verdicts: list[Verdict] = []
    inventory = _try(partial(load_inventory, wanted.inventory, registry), wanted.inventory, verdicts)
    if inventory is not None and wanted.assume_down not in {None, *inventory.sites}:
        verdicts.append(Verdict(wanted.inventory, (_no_site(str(wanted.assume_down), inventory),)))
        inventory = None
    answers = None
    if wanted.answers is not None:
        answers = _try(partial(load_answers, wanted.answers), wanted.answers, verdicts)
    for path in wanted.runbooks:
        runbook = _try(partial(load_runbook, path), path, verdicts)
        if runbook is not None and inventory is not None:
            verdicts.append(_check(registry, runbook, inventory, answers, wanted, path))
    return verdicts


def _try(load: Callable[[], L], path: Path, verdicts: list[Verdict]) -> L | None:
    try:
        return load()
    except DrctlError as error:
        verdicts.append(Verdict(path, tuple(error.problems)))
        return None


def _check(
    registry: Registry,
    runbook: Runbook,
    inventory: Inventory,
    answers: Answers | None,
    wanted: Wanted,
    path: Path,
) -> Verdict:
    problems: list[Problem] = []
    figures = None
    given, stood_in = _parameters(runbook, wanted.parameters or {})
    for mode in MODES:
        try:
            expansion = expand(runbook, inventory, mode, given, registry, run_id="validate")
            build(expansion.steps)
        except DrctlError as error:
            problems += error.problems
            problems += _explain_stand_ins(stood_in)
            continue
        problems += lint(runbook, inventory, expansion, wanted.assume_down)
        problems += check_answers(answers, expansion) if answers is not None else []
        figures = measure(runbook, expansion)
    return Verdict(path, tuple(dict.fromkeys(problems)), figures)


def _parameters(runbook: Runbook, given: Mapping[str, JsonValue]) -> tuple[dict[str, JsonValue], list[str]]:
    """Return the parameters to expand with, and which of them nobody gave."""
    missing = [
        name
        for name, parameter in runbook.body.parameters.items()
        if parameter.required and name not in given
    ]
    stand_ins = {name: STAND_INS[runbook.body.parameters[name].type] for name in missing}
    return {**stand_ins, **given}, missing


def _explain_stand_ins(names: Sequence[str]) -> Iterator[Problem]:
    if names:
        yield Problem(
            code="parameter",
            summary=f"nobody gave {', '.join(names)}: checked with a stand-in, which may be what is wrong here",
            hint=f"Give it with -p {names[0]}=VALUE.",
            severity="warning",
        )


def measure(runbook: Runbook, expansion: Expansion) -> Figures:
    """Count what a run would do, and with which sites."""
    used = {
        step.body.endpoint
        for step in (*expansion.steps, *expansion.prechecks)
        if isinstance(step.body, Use) and step.body.endpoint
    }
    return Figures(
        phases=len(runbook.body.phases),
        steps=len(expansion.steps),
        prechecks=len(expansion.prechecks),
        endpoints=len(used),
        must_be_up=tuple(sorted({site for step in expansion.steps for site in _needed(step)})),
    )


def _needed(step: Step) -> frozenset[str]:
    return frozenset() if step.on_error == "continue" else step.reaches


def _no_site(name: str, inventory: Inventory) -> Problem:
    hint = suggest(name, inventory.sites)
    return Problem(code="unknown-site", summary=f"--assume-down: no site is called {name!r}", hint=hint)
