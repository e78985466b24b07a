"""A case: one runbook on one inventory in one mode, loaded and multiplied out; nothing is contacted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import JsonValue

from drctl.app.context import Context
from drctl.app.points import OWN, with_points
from drctl.core.binding import ProviderBinder
from drctl.core.clients import Clients
from drctl.core.operation import Binder
from drctl.core.problem import DrctlError, ExitCode, Problem
from drctl.core.provider import Registry
from drctl.engine.drill import DrillBinder, bubble_of, production_of
from drctl.engine.expand import expand
from drctl.engine.graph import Graph, build
from drctl.engine.inside import look_before
from drctl.engine.lint import lint
from drctl.engine.plan import Inputs, Plan, Planner, check
from drctl.engine.step import Expansion, Mode, StepId
from drctl.inventory.load import Inventory, load_inventory, parse_inventory
from drctl.inventory.secrets import SecretStore
from drctl.runbook.load import Runbook, load_runbook, parse_runbook


@dataclass(frozen=True)
class Files:
    """Where a case is read from."""

    runbook: Path
    inventory: Path


@dataclass(frozen=True)
class Given:
    """What a case is expanded with: the mode, ``-p`` parameters, and the run's id."""

    mode: Mode
    parameters: Mapping[str, JsonValue]
    run_id: str


@dataclass(frozen=True)
class Case:
    """Everything static about a run, right in itself."""

    runbook: Runbook
    inventory: Inventory
    expansion: Expansion
    graph: Graph
    parameters: Mapping[str, JsonValue]
    secrets: SecretStore
    run_id: str
    warnings: tuple[Problem, ...]
    parent: str | None = None
    """The run that this one undoes or continues."""

    @property
    def mode(self) -> Mode:
        """Return the mode it was expanded for."""
        return self.expansion.mode

    @property
    def sites(self) -> frozenset[str]:
        """Return the pair of sites it works between."""
        return frozenset({self.expansion.source, self.expansion.target})

    @property
    def limits(self) -> dict[str, int]:
        """Return how many steps may use each endpoint at once."""
        return {name: endpoint.limit for name, (_, endpoint) in self.inventory.endpoints.items()}

    @property
    def inputs(self) -> Inputs:
        """Return what a plan of this case is made from."""
        return Inputs(self.mode, self.runbook.digest(), self.inventory.digest(), self.parameters)


def load_case(context: Context, files: Files, mode: Mode, parameters: Mapping[str, JsonValue]) -> Case:
    """Load, expand and lint for a new run; raise ``DrctlError`` (exit 2) with every problem of both files."""
    secrets = SecretStore(files.inventory.absolute().parent)
    problems: list[Problem] = []
    runbook = inventory = None
    try:
        inventory = load_inventory(files.inventory, context.registry, secrets.resolve)
    except DrctlError as error:
        problems += error.problems
    try:
        runbook = load_runbook(files.runbook)
    except DrctlError as error:
        problems += error.problems
    if runbook is None or inventory is None:
        raise DrctlError(*problems)
    given = Given(mode, parameters, context.home.name(mode))
    return _case(context.registry, runbook, inventory, secrets, given)


def parse_case(registry: Registry, texts: tuple[str, str], files: Files, given: Given) -> Case:
    """Load from a run's own copies (runbook, inventory); relative paths start where ``files`` were."""
    secrets = SecretStore(files.inventory.absolute().parent)
    inventory = parse_inventory(
        texts[1], str(files.inventory), files.inventory.parent, registry, secrets.resolve
    )
    return _case(registry, parse_runbook(texts[0], str(files.runbook)), inventory, secrets, given)


def _case(
    registry: Registry, runbook: Runbook, inventory: Inventory, secrets: SecretStore, given: Given
) -> Case:
    parameters = {name: value for name, value in given.parameters.items() if name not in OWN}
    expansion = expand(runbook, inventory, given.mode, parameters, registry, run_id=given.run_id)
    expansion = with_points(expansion, inventory, given.parameters)
    if given.mode == "drill":
        looks = look_before(registry, inventory, expansion, given.run_id)
        expansion = replace(expansion, prechecks=(*expansion.prechecks, *looks))
    found = lint(runbook, inventory, expansion)
    errors = [problem for problem in found if problem.severity == "error"]
    if errors:
        raise DrctlError(*errors)
    warnings = tuple(problem for problem in found if problem.severity == "warning")
    graph = build(expansion.steps)
    return Case(runbook, inventory, expansion, graph, given.parameters, secrets, given.run_id, warnings)


@dataclass(frozen=True)
class Frame:
    """A run's own copies of its files, for runs whose steps come from a journal instead of a runbook."""

    runbook: Runbook
    inventory: Inventory
    secrets: SecretStore

    def case(
        self, expansion: Expansion, parameters: Mapping[str, JsonValue], run_id: str, parent: str
    ) -> Case:
        """Return a case of these steps; ``parent`` is the run they come from."""
        graph = build(expansion.steps)
        return Case(
            self.runbook, self.inventory, expansion, graph, parameters, self.secrets, run_id, (), parent
        )


def case_of_steps(registry: Registry, texts: tuple[str, str], files: Files) -> Frame:
    """Load a run's copies (runbook, inventory); relative paths start where ``files`` were."""
    secrets = SecretStore(files.inventory.absolute().parent)
    inventory = parse_inventory(
        texts[1], str(files.inventory), files.inventory.parent, registry, secrets.resolve
    )
    return Frame(parse_runbook(texts[0], str(files.runbook)), inventory, secrets)


@contextmanager
def opened(case: Case, context: Context) -> Iterator[Binder]:
    """Lend a binder over the case's endpoints; connections open when a step first needs them.

    That of a drill puts every step in its place in the bubble.
    """
    endpoints = {name: endpoint for name, (_, endpoint) in case.inventory.endpoints.items()}
    with Clients(context.registry, endpoints, context.clock) as clients:
        outside = ProviderBinder(context.registry, clients, case.secrets.resolve)
        if case.mode != "drill":
            yield outside
            return
        bubble = bubble_of(case.inventory, case.expansion.target, case.run_id)
        yield DrillBinder(outside, bubble, production_of(case.inventory))


def prepare(
    case: Case, binder: Binder, known: Mapping[StepId, Mapping[str, JsonValue]] | None = None
) -> Plan:
    """Run the prechecks and read every step's diff; nothing is changed."""
    checks = check(_as_written(binder), case.expansion.prechecks, case.mode)
    planner = Planner(binder, case.graph, case.expansion.steps, known or {})
    return Plan(case.inputs, planner.plan(), checks)


def precheck(case: Case, binder: Binder) -> Plan:
    """Run the prechecks alone, as a plan without steps."""
    return Plan(case.inputs, (), check(_as_written(binder), case.expansion.prechecks, case.mode))


def _as_written(binder: Binder) -> Binder:
    """Return what binds prechecks: they look at the estate, in a drill as on any day."""
    return binder.outside if isinstance(binder, DrillBinder) else binder


def refuse_blockers(plan: Plan) -> None:
    """Raise ``DrctlError`` (exit 3) when the plan found something that keeps the run from starting."""
    blockers = plan.blockers()
    if blockers:
        raise DrctlError(*_said_once(blockers), exit_code=ExitCode.BLOCKED)


def _said_once(problems: Sequence[Problem]) -> list[Problem]:
    """Say once what several steps suffer from (an endpoint that does not answer), and where else."""
    groups: dict[Problem, list[str]] = {}
    for problem in problems:
        groups.setdefault(replace(problem, step=None), []).append(problem.step or "")
    return [
        replace(problem, step=first, detail=_also(problem.detail, others))
        for problem, (first, *others) in groups.items()
    ]


def _also(detail: str, others: Sequence[str]) -> str:
    if not others:
        return detail
    named, more = ", ".join(others[:3]), f" and {len(others) - 3} more" if len(others) > 3 else ""
    return f"{detail} The same at {named}{more}.".strip()
