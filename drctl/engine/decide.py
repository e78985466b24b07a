"""What may start now: a pure decision from the steps and the state of the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from drctl.core import events as ev
from drctl.core.run import GOOD, Run, State, StepRun
from drctl.engine.step import Step, StepId, Use


@dataclass(frozen=True, slots=True)
class Decision:
    """Steps to give to workers, steps to put to people, steps that will never run."""

    start: tuple[Step, ...] = ()
    ask: tuple[Step, ...] = ()
    skip: tuple[ev.StepSkipped, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.start or self.ask or self.skip)


@dataclass
class _Room:
    """How much more may run at once, per endpoint and per lane."""

    limits: Mapping[str, int]
    endpoints: Counter[str] = field(default_factory=Counter)
    lanes: dict[str, set[str]] = field(default_factory=dict)

    def take(self, step: Step) -> bool:
        """Reserve room for a step; False when there is none."""
        endpoint = step.body.endpoint if isinstance(step.body, Use) else None
        if endpoint and self.endpoints[endpoint] >= self.limits.get(endpoint, 8):
            return False
        if step.lane is not None:
            members = self.lanes.setdefault(step.lane[0], set())
            if _member(step) not in members and len(members) >= step.lane[1]:
                return False
        self.occupy(step, endpoint)
        return True

    def occupy(self, step: Step, endpoint: str | None) -> None:
        """Count a step that runs."""
        if endpoint:
            self.endpoints[endpoint] += 1
        if step.lane is not None:
            self.lanes.setdefault(step.lane[0], set()).add(_member(step))


def decide(
    steps: Sequence[Step], run: Run, running: Collection[StepId], limits: Mapping[str, int]
) -> Decision:
    """Return everything that may begin now, in the runbook's order.

    A step may begin when all it needs is settled and its worker has gone, so that what it touched is
    known. After a tolerated failure, what belongs to the same
    chain or uses its outputs is skipped instead.
    """
    room = _room(steps, run, running, limits)
    start: list[Step] = []
    ask: list[Step] = []
    skip: list[ev.StepSkipped] = []
    chains = {step.id: step.chain for step in steps}
    for step in steps:
        if _state(run, step.id) is not State.PENDING or step.id in running:
            continue
        needs = [run.steps.get(need) or StepRun(need) for need in step.needs]
        if not all(need.settled and need.id not in running for need in needs):
            continue
        broken = _broken(step, needs, chains)
        if broken is not None:
            skip.append(_skipped(step, broken))
        elif not isinstance(step.body, Use):
            ask.append(step)
        elif room.take(step):
            start.append(step)
    return Decision(tuple(start), tuple(ask), tuple(skip))


def exceptions(steps: Iterable[Step], run: Run) -> tuple[StepId, ...]:
    """Return the steps that did not reach their wished state in a run that went to its end."""
    return tuple(
        step.id for step in steps if (record := run.steps.get(step.id)) is not None and _is_exception(record)
    )


def unsettled(steps: Iterable[Step], run: Run) -> list[StepRun]:
    """Return the steps that keep the run from its end."""
    records = [run.steps.get(step.id) or StepRun(step.id) for step in steps]
    return [record for record in records if not record.settled]


def must_stop(steps: Iterable[Step], run: Run) -> bool:
    """Say whether a failure, a drift or a person forbids starting anything more."""
    if run.abort is not None or run.denied is not None:
        return True
    asks = {step.id for step in steps if step.on_error == "ask"}
    return any(
        (record.drift is not None and record.state is State.PENDING)
        or (
            record.state in {State.FAILED, State.INDETERMINATE}
            and not record.settled
            and identity not in asks
        )
        for identity, record in run.steps.items()
    )


def _is_exception(record: StepRun) -> bool:
    if record.skip is not None:
        return record.skip.cause != "condition" and record.state is State.SKIPPED
    return record.state not in GOOD and record.state is not State.NOT_EXERCISED


def _broken(step: Step, needs: Sequence[StepRun], chains: Mapping[StepId, str | None]) -> StepRun | None:
    references = step.body.references if isinstance(step.body, Use) else frozenset()
    for need in needs:
        same_chain = step.chain is not None and chains.get(need.id) == step.chain
        if need.stops_chain and (same_chain or need.id in references):
            return need
    return None


def _skipped(step: Step, broken: StepRun) -> ev.StepSkipped:
    return ev.StepSkipped(step=step.id, reason=f"{broken.id} {broken.state.value}", cause="chain")


def _room(steps: Sequence[Step], run: Run, running: Collection[StepId], limits: Mapping[str, int]) -> _Room:
    room = _Room(limits)
    for step in steps:
        if step.id in running and isinstance(step.body, Use):
            room.occupy(step, step.body.endpoint)
    begun = _begun_chains(steps, run)
    for step in steps:
        if step.lane is not None and step.chain in begun:
            room.lanes.setdefault(step.lane[0], set()).add(_member(step))
    return room


def _begun_chains(steps: Sequence[Step], run: Run) -> set[str]:
    """Return the chains that have started and not ended: they keep their place in their lane."""
    states: dict[str, set[bool]] = {}
    for step in steps:
        if step.chain is not None:
            record = run.steps.get(step.id) or StepRun(step.id)
            states.setdefault(step.chain, set()).add(record.settled)
    return {chain for chain, settled in states.items() if settled == {True, False}}


def _member(step: Step) -> str:
    return step.chain or step.id


def _state(run: Run, identity: StepId) -> State:
    record = run.steps.get(identity)
    return State.PENDING if record is None else record.state
