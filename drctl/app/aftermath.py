"""Runs that undo another: ``cleanup`` of a drill, ``rollback`` of a failover, built from its journal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from drctl.app.case import Case, Files, case_of_steps
from drctl.app.context import Context
from drctl.core import events as ev
from drctl.core.action import Reversibility
from drctl.core.bubble import Bubble
from drctl.core.events import Recorded
from drctl.core.problem import DrctlError, ExitCode, Problem
from drctl.core.provider import Registry
from drctl.core.run import Run, StepRun
from drctl.engine.chain import scan
from drctl.engine.drill import bubble_of
from drctl.engine.folders import made_folders, removals
from drctl.engine.home import RunDirectory
from drctl.engine.inside import already_there, looks_into, touched_by_kind
from drctl.engine.step import Expansion, Step
from drctl.engine.undo import Kept, undo

Undoer: TypeAlias = Literal["cleanup", "rollback"]

PROOF: Final = "Proof"
"""The phase in which a cleanup shows that nothing is left."""


@dataclass(frozen=True)
class Aftermath:
    """A run about to undo ``parent``; ``kept`` is what it cannot undo."""

    case: Case
    files: Files
    parent: RunDirectory
    kept: tuple[Kept, ...]


def aftermath(context: Context, reference: str, mode: Undoer) -> Aftermath:
    """Build the run that undoes another.

    Raises:
        DrctlError: there is no such run, this is not what is done to it (2), or there is no way back (3).
    """
    parent = _last_drill(context) if (mode, reference) == ("cleanup", "last") else None
    parent = parent or context.home.find(reference)
    return rebuild(context, parent, mode, context.home.name(mode))


def _last_drill(context: Context) -> RunDirectory | None:
    """Return the last drill: what ``last`` means to whoever cleans up, after a failover or a cleanup too."""
    runs = reversed(context.home.all())
    started = ((directory, directory.fold().started) for directory in runs)
    return next((directory for directory, run in started if run and run.mode == "drill"), None)


def rebuild(context: Context, parent: RunDirectory, mode: Undoer, run_id: str) -> Aftermath:
    """Build the same steps from the same journal; ``run_id`` is the run's own."""
    records = scan(parent.journal).records
    run = Run.of(records)
    if run.started is None:
        raise DrctlError(Problem(code="unknown-run", summary=f"the journal of {parent.id} has no beginning"))
    _refuse_other(run, run.started, mode)
    files = Files(*parent.read_origins())
    texts = (parent.runbook.read_text(), parent.inventory.read_text())
    frame = case_of_steps(context.registry, texts, files)
    inventory = frame.inventory
    undoing = undo(records, parent.journal, {n: e.site for n, (_, e) in inventory.endpoints.items()})
    undoing = replace(undoing, kept=tuple(_priced(context.registry, run, one) for one in undoing.kept))
    if mode == "rollback":
        _refuse_final(run.started, undoing.kept)
    proofs: tuple[Step, ...] = ()
    ends = frozenset(step.id for step in undoing.steps)
    if mode == "cleanup":
        bubble = bubble_of(inventory, run.started.target.name, run.started.run)
        kinds = {name: kind for name, (kind, _) in inventory.endpoints.items()}
        made = made_folders(run, records, bubble.folder)
        emptied = tuple(removals(context.registry, kinds, made, bubble.site, ends))
        undoing = replace(undoing, steps=(*undoing.steps, *emptied))
        ends |= {step.id for step in emptied}
        proofs = tuple(_proofs(context.registry, run, records, bubble, kinds))
    expansion = Expansion(
        mode=mode,
        source=run.started.source.name,
        target=run.started.target.name,
        steps=(*undoing.steps, *(replace(step, needs=ends) for step in proofs)),
        prechecks=tuple(_before(step) for step in proofs),
        services=frozenset(service.name for service in run.started.services),
    )
    case = frame.case(expansion, run.started.parameters, run_id, parent.id)
    kept = undoing.kept if mode == "rollback" else tuple(_uncovered(run, undoing.kept, undoing.steps))
    return Aftermath(case, files, parent, kept)


def _refuse_other(run: Run, started: ev.RunStarted, mode: Undoer) -> None:
    """Raise ``DrctlError`` when this is not what one does to a run of that mode and state."""
    problem = None
    if mode == "cleanup" and started.mode != "drill":
        hint = f"drctl rollback {started.run}" if started.mode == "failover" else ""
        problem = Problem(
            code="not-a-drill", summary=f"{started.run} is a {started.mode}, not a drill", hint=hint
        )
    elif mode == "rollback" and started.mode == "drill":
        problem = Problem(
            code="not-a-failover",
            summary=f"{started.run} is a drill: it is cleaned up, not rolled back",
            hint=f"drctl cleanup {started.run}",
        )
    elif mode == "rollback" and started.mode not in {"failover", "switchover", "failback"}:
        problem = Problem(
            code="not-a-failover", summary=f"{started.run} is a {started.mode}: it is not rolled back"
        )
    elif mode == "rollback" and run.finished is not None and run.finished.outcome != "aborted":
        problem = Problem(
            code="run-ended",
            summary=f"{started.run} has {run.finished.outcome.replace('_', ' ')}: it is not rolled back",
            hint=f"The way home: drctl reprotect {started.run}, then drctl failback.",
        )
    if problem is not None:
        raise DrctlError(problem)


def _priced(registry: Registry, run: Run, one: Kept) -> Kept:
    """Price a change by its action where the plan could not: a last transfer waits for outputs, and costs nothing."""
    planned = run.steps[one.step].planned
    if planned is None or planned.reversibility is not None or planned.action is None:
        return one
    cost = getattr(registry.find(planned.action), "reversibility", Reversibility.IRREVERSIBLE)
    return Kept(one.step, f"{planned.action} has no inverse ({cost})", cost is not Reversibility.REVERSIBLE)


def _refuse_final(started: ev.RunStarted, kept: Sequence[Kept]) -> None:
    """Raise ``DrctlError`` (exit 3) naming every step past which there is no way back."""
    final = [one for one in kept if one.final]
    if final:
        raise DrctlError(
            *(
                Problem(
                    code="no-return",
                    summary=f"past the point of no return: {one.reason}",
                    hint=f"drctl resume {started.run} goes on; once it has completed, drctl reprotect "
                    f"{started.run} and drctl failback lead home.",
                    step=one.step,
                )
                for one in final
            ),
            exit_code=ExitCode.BLOCKED,
        )


def _proofs(
    registry: Registry, run: Run, records: Sequence[Recorded], bubble: Bubble, kinds: Mapping[str, str]
) -> Iterator[Step]:
    """Yield one look for each array and vCenter of the bubble that the drill had anything to do with."""
    endpoints = {
        step.planned.endpoint
        for step in run.steps.values()
        if step.planned is not None and step.change is not None and step.planned.endpoint is not None
    }
    used = {name: kind for name, kind in kinds.items() if name in endpoints}
    made = made_folders(run, records, bubble.folder).values()
    named = {**touched_by_kind(run), "folders": sorted({path for parts in made for path in parts})}
    for step in looks_into(registry, bubble, used, named, already_there(records)):
        yield replace(step, id=f"empty[{step.item}]", phase=PROOF, on_error="stop")


def _before(step: Step) -> Step:
    """Return the same look as a precheck: what is there before anything is undone."""
    return replace(step, id=f"before[{step.item}]", on_error="continue")


def _uncovered(run: Run, kept: Sequence[Kept], steps: Sequence[Step]) -> Iterator[Kept]:
    """Yield what no undone step takes away with it: a clone's policy, a machine's cards and addresses."""
    undone = {step.id.removeprefix("undo.") for step in steps}
    gone = {name for step in undone if step in run.steps for name in _identities(run.steps[step])}
    for one in kept:
        if not gone & _identities(run.steps[one.step]):
            yield one


def _identities(step: StepRun) -> set[str]:
    """Return what a step touched by name and site, whatever part of it that was."""
    return {thing.partition(" ")[2] for thing in step.objects}
