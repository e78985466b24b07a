"""A plan: every step read and compared before anything is touched, with a digest.

Only READ clients are used here. What cannot be known yet is ``Unknown``, never guessed.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from drctl.core import events as ev
from drctl.core.action import Missing, ObjectRef
from drctl.core.operation import Binder, Look, Operation, Seen, Unexercised
from drctl.core.problem import DrctlError, Problem, ProviderError
from drctl.engine import verdict as vd
from drctl.engine.graph import Graph
from drctl.engine.step import Gate, Manual, Step, StepId, Unresolved, Use
from drctl.engine.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Planned:
    """A step and the plan's word on it; ``operation`` is None for gates, manual and unbound steps."""

    step: Step
    verdict: Verdict
    operation: Operation | None = None
    undo: ev.RecipeData | None = None

    def event(self, *, precheck: bool = False) -> ev.StepPlanned:
        """Return the step as the journal keeps it."""
        body, operation = self.step.body, self.operation
        change = self.verdict.change if isinstance(self.verdict, vd.Will) else None
        reversibility = operation.reversibility if operation else None
        uses = body if isinstance(body, Use) else None
        replaced = uses is not None and operation is not None and operation.uses != uses.uses
        return ev.StepPlanned(
            step=self.step.id,
            title=self.step.title,
            phase=self.step.phase,
            kind=body.kind if isinstance(body, Use) else "gate" if isinstance(body, Gate) else "manual",
            service=self.step.service,
            item=self.step.item,
            action=operation.uses if operation else uses.uses if uses else None,
            endpoint=operation.endpoint if operation else uses.endpoint if uses else None,
            site=operation.site if operation else uses.site if uses else None,
            needs=tuple(sorted(self.step.needs)),
            reversibility=reversibility.value if reversibility else None,
            verdict=self.verdict.word,
            summary=self.verdict.summary,
            change=vd.change_data(change),
            on_error=self.step.on_error,
            confirms=body.confirms if isinstance(body, Manual) else None,
            precheck=precheck,
            digest=self.step.definition,
            undoable=self.undo is not None,
            instead_of=uses.uses if uses and replaced else None,
        )


@dataclass(frozen=True, slots=True)
class Checked:
    """A precheck and what it found; ``problem`` where it could not look."""

    step: Step
    finding: ev.FindingData
    values: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a plan was made from."""

    mode: str
    runbook_digest: str
    inventory_digest: str
    parameters: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Plan:
    """The resolved list of diffs. ``digest`` covers the inputs and every step's verdict."""

    inputs: Inputs
    steps: tuple[Planned, ...]
    checks: tuple[Checked, ...] = ()

    @property
    def digest(self) -> str:
        """Return the SHA-256 by which the plan is approved; live figures such as lag are left out."""
        return digest_plan(self.inputs, [planned.event() for planned in self.steps])

    def losses(self) -> tuple[ev.LossData, ...]:
        """Return what the plan gives up, per volume."""
        return tuple(
            vd.loss_data(planned.verdict.change.loss, planned.step.service, planned.step.id)
            for planned in self.steps
            if isinstance(planned.verdict, vd.Will) and planned.verdict.change.loss is not None
        )

    def blockers(self) -> tuple[Problem, ...]:
        """Return what keeps the run from starting: blocked steps and blocking findings."""
        steps = (
            planned.verdict.problem.at_step(planned.step.id)
            for planned in self.steps
            if isinstance(planned.verdict, vd.Blocked)
        )
        checks = (
            Problem(code="precheck", summary=c.finding.summary, detail="; ".join(c.finding.details),
                    hint=c.finding.hint, step=c.step.id)
            for c in self.checks
            if c.finding.level == "blocker"
        )  # fmt: skip
        return (*steps, *checks)


def digest_plan(inputs: Inputs, steps: Sequence[ev.StepPlanned]) -> str:
    """Return the SHA-256 of a plan, also of one read from a file."""
    document = {
        "mode": inputs.mode,
        "runbook": inputs.runbook_digest,
        "inventory": inputs.inventory_digest,
        "parameters": dict(inputs.parameters),
        "steps": [_digested(step) for step in steps],
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _digested(event: ev.StepPlanned) -> JsonValue:
    change = event.change
    fields: list[JsonValue] = [[f.name, f.before, f.after] for f in change.fields] if change else []
    return [event.step, event.action, event.endpoint, event.verdict, list(event.needs), fields]


class Planner:
    """Builds a plan; ``known`` are the outputs of steps that have ended (on resume): they are not read."""

    def __init__(
        self,
        binder: Binder,
        graph: Graph,
        steps: Sequence[Step],
        known: Mapping[StepId, Mapping[str, JsonValue]],
    ) -> None:
        self._binder = binder
        self._graph = graph
        self._steps = {step.id: step for step in steps}
        self._known = known
        self._foreseen: dict[StepId, Mapping[str, JsonValue]] = dict(known)
        self._operations: dict[StepId, Operation] = {}
        self._verdicts: dict[StepId, Verdict] = {}
        self._undo: dict[StepId, ev.RecipeData | None] = {}
        self._makers: dict[ObjectRef, list[StepId]] = defaultdict(list)

    def foresee(self) -> Mapping[StepId, Mapping[str, JsonValue]]:
        """Return the outputs that are certain before anything runs; contacts nothing."""
        for identity in self._graph.order:
            self._bind(self._steps[identity])
        return self._foreseen

    def plan(self) -> tuple[Planned, ...]:
        """Read everything that can be read, in bulk, and give each step its verdict."""
        for identity in self._graph.order:
            self._bind(self._steps[identity])
        actions = {i: op for i, op in self._operations.items() if op.kind == "action"}
        for identity, operation in actions.items():
            for touched in operation.touches():
                self._makers[touched].append(identity)
        seen = dict(zip(actions, self._binder.look_many(list(actions.values())), strict=True))
        for identity in self._graph.order:
            if identity not in self._verdicts:
                self._verdicts[identity] = self._judge(self._steps[identity], seen.get(identity))
        return tuple(
            Planned(step, self._verdicts[step.id], self._operations.get(step.id), self._undo.get(step.id))
            for step in self._steps.values()
        )

    def _bind(self, step: Step) -> None:
        body = step.body
        if step.id in self._known:
            self._verdicts[step.id] = vd.Done()
        elif step.not_exercised and not isinstance(body, Use):
            self._verdicts[step.id] = vd.NotExercised(step.not_exercised)
        elif isinstance(body, Gate):
            self._verdicts[step.id] = vd.Asks(body.ask)
        elif isinstance(body, Manual):
            self._verdicts[step.id] = vd.Asks(body.do)
        else:
            self._bind_use(step, body)

    def _bind_use(self, step: Step, body: Use) -> None:
        try:
            if step.when is not None and not step.when.holds(self._foreseen):
                why = "its condition does not hold for what is foreseen"
                self._verdicts[step.id] = vd.Unknown(step.when.references, why)
                return
            operation = body.bound(self._binder, self._foreseen)
        except Unresolved as error:
            self._verdicts[step.id] = self._unresolved(error)
        except Unexercised as error:
            self._verdicts[step.id] = vd.NotExercised(step.not_exercised or error.reason)
            self._foreseen[step.id] = error.outputs
        except DrctlError as error:
            self._verdicts[step.id] = vd.Blocked(error.problems[0])
        else:
            self._foreseen[step.id] = operation.foresee()
            if step.not_exercised:
                self._verdicts[step.id] = vd.NotExercised(step.not_exercised)
            else:
                self._operations[step.id] = operation

    def _unresolved(self, error: Unresolved) -> Verdict:
        left_out = [i for i in error.steps if isinstance(self._verdicts.get(i), vd.NotExercised)]
        if left_out:
            return vd.NotExercised(f"{error}, which the drill does not exercise")
        return vd.Unknown(error.steps)

    def _judge(self, step: Step, seen: Seen | None) -> Verdict:
        if seen is None:
            return vd.Observes()
        if isinstance(seen, Look):
            self._undo[step.id] = vd.recipe_data(seen.undo, self._operations[step.id].endpoint)
            return vd.Done() if seen.change is None else vd.Will(seen.change)
        if isinstance(seen, ProviderError):
            return self._judge_error(step, seen)
        return self._judge_missing(step, seen)

    def _judge_error(self, step: Step, error: ProviderError) -> Verdict:
        if step.on_error == "continue":
            return vd.Unreadable(error.problem)
        return vd.Blocked(error.problem)

    def _judge_missing(self, step: Step, missing: Missing) -> Verdict:
        wanted = ObjectRef(missing.object.kind, missing.object.identity, self._site(step))
        makers = [i for i in self._makers[wanted] if i != step.id]
        before = [i for i in makers if self._graph.comes_after(step.id, i)]
        bringing = frozenset(i for i in before if isinstance(self._verdicts.get(i), vd.Will | vd.Unknown))
        bringing = bringing or self._unread_before(step)
        if bringing:
            return vd.Unknown(bringing, str(missing))
        if step.on_error == "continue":
            return vd.Unreadable(Problem(code="missing", summary=str(missing)))
        return vd.Blocked(_missing_problem(missing, [i for i in makers if i not in before]))

    def _unread_before(self, step: Step) -> frozenset[StepId]:
        """Return the actions before this one, on its site, of which nobody knows yet what they will make."""
        return frozenset(
            identity
            for identity, verdict in self._verdicts.items()
            if isinstance(verdict, vd.Unknown)
            and identity not in self._operations
            and self._site(self._steps[identity]) == self._site(step)
            and self._graph.comes_after(step.id, identity)
        )

    def _site(self, step: Step) -> str:
        return (step.body.site if isinstance(step.body, Use) else None) or ""


def _missing_problem(missing: Missing, later: Sequence[StepId]) -> Problem:
    if later:
        return Problem(
            code="wrong-order",
            summary=f"{missing}; {later[0]} brings it about, but does not run before this step",
            detail="A step may rely only on steps it waits for.",
            hint=f"Move {later[0]} before this step, or add it to its needs.",
        )
    return Problem(
        code="missing",
        summary=str(missing),
        detail="No step of this runbook brings it about.",
        hint="Correct the inventory, or add the step that makes it.",
    )


def check(binder: Binder, steps: Sequence[Step], mode: str) -> tuple[Checked, ...]:
    """Run the prechecks, read-only and in parallel.

    In ``failover`` only the physically impossible blocks: freshness, health and reachability become
    warnings (facts of the field: the source is presumed dead, and the loss is stated).
    """
    operations, failed = _bind_checks(binder, steps)
    looks = dict(zip(operations, binder.look_many(list(operations.values())), strict=True))
    return tuple(_checked(step, failed.get(step.id) or looks[step.id], mode) for step in steps)


def _bind_checks(
    binder: Binder, steps: Sequence[Step]
) -> tuple[dict[StepId, Operation], dict[StepId, ProviderError]]:
    operations: dict[StepId, Operation] = {}
    failed: dict[StepId, ProviderError] = {}
    for step in steps:
        if not isinstance(step.body, Use):
            continue
        try:
            operations[step.id] = step.body.bound(binder, {})
        except DrctlError as error:
            failed[step.id] = ProviderError(error.problems[0])
    return operations, failed


def _checked(step: Step, seen: Seen, mode: str) -> Checked:
    if isinstance(seen, Look) and seen.finding is not None:
        finding, values = vd.finding_data(seen.finding), seen.values
    elif isinstance(seen, ProviderError):
        finding, values = _unseen(seen.problem), {}
    else:
        finding, values = ev.FindingData(level="blocker", summary=str(seen)), {}
    tolerated = step.on_error == "continue" or (mode == "failover" and not finding.impossible)
    if finding.level == "blocker" and tolerated:
        finding = finding.model_copy(update={"level": "warning"})
    return Checked(step, finding, values)


def _unseen(problem: Problem) -> ev.FindingData:
    details = tuple(filter(None, (problem.detail,)))
    return ev.FindingData(level="blocker", summary=problem.summary, details=details, hint=problem.hint)
