"""Replication the other way round: the steps follow from a run's journal and its copy of the inventory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from drctl.app.case import Case, Files, Frame, case_of_steps, opened
from drctl.app.context import Context
from drctl.app.points import BREAK, CLONE
from drctl.app.returning import RETURN_MODES, Way, steps_of
from drctl.core import events as ev
from drctl.core.deletions import ROLLS_BACK
from drctl.core.operation import Look
from drctl.core.problem import DrctlError, ExitCode, Problem, ProviderError
from drctl.core.run import GOOD, Run
from drctl.engine.home import RunDirectory
from drctl.engine.plan import Plan
from drctl.engine.step import Expansion
from drctl.inventory.load import Inventory

ACKNOWLEDGED = "acknowledge_loss"
"""The parameter that says that what only the overwritten side holds may go."""

FOUND = "found"
"""The parameter that keeps what both sides said when the run was planned."""


@dataclass(frozen=True)
class Return:
    """A run about to protect what ``parent`` moved."""

    case: Case
    files: Files
    parent: RunDirectory
    ways: tuple[Way, ...]


def reprotect(context: Context, reference: str, *, acknowledge: bool, full_baseline: bool) -> Return:
    """Build the run that replicates the other way; both sides are read, nothing is changed.

    Raises:
        DrctlError: there is no such run, it moved nothing, or it has not ended (2).
    """
    parent = context.home.find(reference)
    if reference == "last":
        parent = _last_move(context) or parent
    given: dict[str, JsonValue] = {ACKNOWLEDGED: acknowledge, "full_baseline": full_baseline}
    return _build(context, parent, context.home.name("reprotect"), given)


def rebuild_reprotect(context: Context, parent: RunDirectory, run_id: str) -> Case:
    """Build the same steps again, from what the run's own journal says was found."""
    started = context.home.find(run_id).fold().started
    return _build(context, parent, run_id, dict(started.parameters) if started else {}).case


def _last_move(context: Context) -> RunDirectory | None:
    """Return the last run that moved anything: what ``last`` means here, after a reprotect too."""
    runs = ((directory, directory.fold().started) for directory in reversed(context.home.all()))
    return next((directory for directory, run in runs if run and run.mode in RETURN_MODES), None)


def _build(context: Context, parent: RunDirectory, run_id: str, given: Mapping[str, JsonValue]) -> Return:
    run = parent.fold()
    started = _moved(run, parent)
    files = Files(*parent.read_origins())
    frame = case_of_steps(context.registry, (parent.runbook.read_text(), parent.inventory.read_text()), files)
    found = given.get(FOUND)
    _refuse_clones(run)
    ways = tuple(_ways(frame.inventory, run, started))
    if not ways:
        summary = f"{started.run} broke no mirror of its inventory: there is nothing to turn round"
        raise DrctlError(Problem(code="nothing-moved", summary=summary))
    if not isinstance(found, dict):
        found = _look(context, frame, ways, started, run_id)
    ways = tuple(way.with_found(found.get(way.name)) for way in ways)
    parameters = {**given, FOUND: found}
    expansion = Expansion(
        mode="reprotect",
        source=started.target.name,
        target=started.source.name,
        steps=tuple(
            steps_of(
                frame.inventory,
                ways,
                started.run,
                acknowledge=given.get(ACKNOWLEDGED) is True,
                full_baseline=given.get("full_baseline") is True,
            )
        ),
        services=frozenset(way.service for way in ways),
    )
    return Return(frame.case(expansion, parameters, run_id, parent.id), files, parent, ways)


def _moved(run: Run, parent: RunDirectory) -> ev.RunStarted:
    started = run.started
    if started is None or started.mode not in RETURN_MODES:
        what = started.mode if started else "run without a beginning"
        summary = f"{parent.id} is a {what}: it moved nothing"
        hint = "Name the failover, switchover or failback after which replication is to be turned round."
        raise DrctlError(Problem(code="not-a-move", summary=summary, hint=hint))
    if run.finished is None:
        summary = f"{parent.id} has not ended: what it is to move is not settled"
        hint = f"drctl resume {parent.id}, or drctl abort {parent.id}, first."
        raise DrctlError(Problem(code="unfinished", summary=summary, hint=hint))
    return started


def _refuse_clones(run: Run) -> None:
    """Raise ``DrctlError`` when volumes are served from clones: whose data is to count is not drctl's to say."""
    problems = [
        Problem(
            code="served-from-clone",
            summary=f"{step.outputs.get('svm')}:{step.outputs.get('volume')} is a clone of {step.outputs.get('snapshot')}",
            detail="Its mirror was not broken, and newer data stands beside it.",
            hint="Split the clone and mirror it under its own name, or restore its volume; both by hand.",
            step=step.id,
        )
        for step in run.steps.values()
        if step.planned is not None and step.planned.action == CLONE and step.state in GOOD
    ]
    if problems:
        raise DrctlError(*problems, exit_code=ExitCode.BLOCKED)


def _ways(inventory: Inventory, run: Run, started: ev.RunStarted) -> Iterator[Way]:
    """Yield a way for every volume whose mirror the run broke, or found broken."""
    broken = {
        f"{step.outputs.get('svm')}:{step.outputs.get('volume')}"
        for step in run.steps.values()
        if step.planned is not None and step.planned.action in {BREAK, ROLLS_BACK} and step.state in GOOD
    }
    here, there = started.target.name, started.source.name
    for name, service in inventory.services.items():
        for volume in service.volumes:
            if here in volume.at and there in volume.at:
                way = Way(name, volume, here, there)
                if way.authoritative in broken:
                    yield way


def _look(
    context: Context, frame: Frame, ways: tuple[Way, ...], started: ev.RunStarted, run_id: str
) -> dict[str, JsonValue]:
    """Read the settings of the former direction and the snapshots the authoritative side holds.

    The other side may be back in pieces; where the data counts, what cannot be read cannot be set again.
    """
    expansion = Expansion("reprotect", started.target.name, started.source.name, ())
    found: dict[str, JsonValue] = {}
    unread: dict[str, ProviderError] = {}
    with opened(frame.case(expansion, {}, run_id, started.run), context) as binder:
        asked = [
            (way, uses, endpoint, arguments) for way in ways for uses, endpoint, arguments in way.questions
        ]
        looks = binder.look_many([binder.bind(uses, endpoint, given) for _, uses, endpoint, given in asked])
        for (way, uses, endpoint, _), seen in zip(asked, looks, strict=True):
            if isinstance(seen, Look):
                kept = found.setdefault(way.name, {})
                if isinstance(kept, dict):
                    kept |= {k: v for k, v in way.keep(uses, seen.values).items() if k not in kept}
            elif isinstance(seen, ProviderError) and endpoint == way.volume.at[way.here].endpoint:
                unread[endpoint] = seen
    if unread:
        raise DrctlError(*map(_unread, unread.values()), exit_code=ExitCode.BLOCKED)
    return found


def _unread(error: ProviderError) -> Problem:
    why = error.problem
    return Problem(
        code="settings-unread",
        summary=f"how replication was set, and from which snapshots it can go on, is not known: {why.summary}",
        detail="Policy, schedule and throttle are set again as they were; guessed, they would be lost.",
        hint=f"{why.hint} Then once more: nothing was changed.".strip(),
        endpoint=why.endpoint,
    )


def refuse_unacknowledged(plan: Plan, case: Case) -> None:
    """Raise ``DrctlError`` (exit 3) when the plan gives up writes that nobody acknowledged."""
    if case.parameters.get(ACKNOWLEDGED) is True:
        return
    problems = [
        Problem(
            code="unreplicated-writes",
            summary=f"{loss.volume} holds writes since {loss.snapshot} that are nowhere else: they would be overwritten",
            detail="A snapshot is taken before, on that volume alone; the services go on without these writes.",
            hint="Save what matters there, then: drctl reprotect RUN --acknowledge-loss --reason '…'.",
            step=loss.step,
        )
        for loss in plan.losses()
    ]
    if problems:
        raise DrctlError(*problems, exit_code=ExitCode.BLOCKED)
