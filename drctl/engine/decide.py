"""What may start now: decided from the steps and the state of the run, looking only at what changed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Final, Literal, TypeAlias

from drctl.core import events as ev
from drctl.core.run import Run, State, StepRun
from drctl.engine.step import Step, StepId, Use

MOST: Final = 256
"""Steps at work at once, over all endpoints: each has a thread of its own."""

Needs: TypeAlias = frozenset[StepId]
Row: TypeAlias = tuple[str, str]
"""Steps that wait for the same room: (endpoint, lane), empty where there is none."""

ROOMLESS: Final[Row] = ("", "*")
"""Steps that need no room: people's, and those that will be skipped."""

Fate: TypeAlias = Literal["start", "ask", "skip", "full", "later", "gone"]


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
    """How much more may run at once: in all, per endpoint and per lane."""

    limits: Mapping[str, int]
    lanes: Mapping[str, Collection[str]]
    total: int = 0
    endpoints: Counter[str] = field(default_factory=Counter)
    joined: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def has(self, step: Step) -> bool:
        """Say whether one more step fits in."""
        endpoint = _endpoint(step)
        if self.total >= MOST or (endpoint and self.endpoints[endpoint] >= self.limits.get(endpoint, 8)):
            return False
        if step.lane is None:
            return True
        inside = self.joined[step.lane[0]].union(self.lanes.get(step.lane[0], ()))
        return _member(step) in inside or len(inside) < step.lane[1]

    def take(self, step: Step) -> None:
        """Count a step that runs."""
        self.total += 1
        endpoint = _endpoint(step)
        if endpoint:
            self.endpoints[endpoint] += 1
        if step.lane is not None:
            self.joined[step.lane[0]].add(_member(step))


class Agenda:
    """What is left to do of a run, kept up to date step by step.

    ``heed`` takes in the steps that changed; ``decide`` looks at those that became possible. Steps that
    wait for the same steps are counted together, and steps that wait for the same room stand in a row:
    10,000 steps cost ten times what 1,000 do.
    """

    def __init__(self, steps: Sequence[Step], run: Run, limits: Mapping[str, int]) -> None:
        self._steps = {step.id: step for step in steps}
        self._place = {step.id: place for place, step in enumerate(steps)}
        self._run = run
        self._limits = limits
        self._waiting_for: dict[Needs, list[StepId]] = defaultdict(list)
        self._needed_in: dict[StepId, list[Needs]] = defaultdict(list)
        self._chains: dict[str, list[StepId]] = defaultdict(list)
        for step in steps:
            self._waiting_for[step.needs].append(step.id)
            if step.chain is not None:
                self._chains[step.chain].append(step.id)
        for needs in self._waiting_for:
            for need in needs:
                self._needed_in[need].append(needs)
        self._open = {needs: len(needs) for needs in self._waiting_for}
        self._settled: set[StepId] = set()
        self._passed: set[StepId] = set()
        self._ended_of: Counter[str] = Counter()
        self._lanes: dict[str, set[str]] = defaultdict(set)
        self._rows: dict[Row, list[tuple[int, StepId]]] = defaultdict(list)
        self._queued: dict[StepId, Row] = {}
        self._asking: set[StepId] = set()
        self._stopping: set[StepId] = set()
        self.heed(self._steps)

    @property
    def waiting(self) -> list[Step]:
        """Return the steps that wait for a person, in the runbook's order."""
        return [self._steps[identity] for identity in sorted(self._asking, key=self._place.__getitem__)]

    @property
    def must_stop(self) -> bool:
        """Say whether a failure, a drift or a person forbids starting anything more."""
        return self._run.abort is not None or self._run.denied is not None or bool(self._stopping)

    def left(self) -> list[StepRun]:
        """Return the steps that keep the run from its end."""
        if len(self._settled) == len(self._steps):
            return []
        return [self._record(identity) for identity in self._steps if identity not in self._settled]

    def heed(self, changed: Iterable[StepId]) -> None:
        """Take in that these steps may stand elsewhere now; ids of no step here are passed over."""
        possible: list[StepId] = []
        for identity in changed:
            step = self._steps.get(identity)
            if step is None:
                continue
            record = self._record(identity)
            possible.append(identity)
            if record.settled != (identity in self._settled):
                possible += self._settle(step, 1 if record.settled else -1)
            _mark(self._asking, identity, record.state is State.WAITING)
            _mark(self._stopping, identity, _stops(step, record))
        for identity in possible:
            self._offer(self._steps[identity])

    def decide(self, running: Collection[StepId]) -> Decision:
        """Return everything that may begin now, in the runbook's order.

        A step may begin when all it needs, and all before that, is settled. After a tolerated failure, what belongs to the same
        chain or uses its outputs is skipped instead. A step is named once: whoever asks must act on it.
        """
        room = _Room(self._limits, self._lanes)
        for identity in running:
            if identity in self._steps:
                room.take(self._steps[identity])
        fates: dict[Fate, list[Step]] = defaultdict(list)
        heads = [(row[0], key) for key, row in self._rows.items() if row]
        heapify(heads)
        while heads:
            (_, identity), key = heappop(heads)
            step, row = self._steps[identity], self._rows[key]
            fate = self._fate(step, running, room) if self._queued.get(identity) == key else "gone"
            if fate == "full":
                if self._row(step) == key:
                    continue  # nor is there room for those behind it
                fate = "later"  # its chain was taken back to its beginning: it queues with the others
            fates[fate].append(step)
            heappop(row)
            if self._queued.get(identity) == key:
                del self._queued[identity]
            if row:
                heappush(heads, (row[0], key))
        for step in fates["later"]:
            self._offer(step)
        skipped = [_skipped(step, need) for step in fates["skip"] if (need := self._broken(step))]
        return Decision(tuple(fates["start"]), tuple(fates["ask"]), tuple(skipped))

    def _fate(self, step: Step, running: Collection[StepId], room: _Room) -> Fate:
        if not self._is_ready(step):
            return "gone"
        if step.id in running:
            return "later"
        if self._broken(step):
            return "skip"
        if not isinstance(step.body, Use):
            return "ask"
        if not room.has(step):
            return "full"
        room.take(step)
        return "start"

    def _record(self, identity: StepId) -> StepRun:
        return self._run.steps.get(identity) or StepRun(identity)

    def _is_ready(self, step: Step) -> bool:
        return self._open[step.needs] == 0 and self._record(step.id).state is State.PENDING

    def _offer(self, step: Step) -> None:
        """Put a step in its row, if it may begin and is not there yet; what it leaves behind is passed over."""
        if not self._is_ready(step):
            self._queued.pop(step.id, None)
        elif self._queued.get(step.id) != (row := self._row(step)):
            self._queued[step.id] = row
            heappush(self._rows[row], (self._place[step.id], step.id))

    def _row(self, step: Step) -> Row:
        """A chain that has begun keeps its place in its lane: it waits for its endpoint alone."""
        if not isinstance(step.body, Use) or self._broken(step):
            return ROOMLESS
        lane = step.lane
        begun = lane is not None and step.chain in self._lanes[lane[0]]
        return _endpoint(step), "" if lane is None or begun else lane[0]

    def _settle(self, step: Step, by: int) -> Iterator[StepId]:
        """Count a step as settled (1), or no longer so (-1); yield those that may begin now, or no longer."""
        _mark(self._settled, step.id, by > 0)
        if step.chain is not None:
            self._ended_of[step.chain] += by
            if step.lane is not None:
                begun = 0 < self._ended_of[step.chain] < len(self._chains[step.chain])
                _mark(self._lanes[step.lane[0]], step.chain, begun)
        yield from self._pass_on(step)

    def _pass_on(self, step: Step) -> Iterator[StepId]:
        """Let those behind a settled step begin, if all before it is settled, too.

        A step that is done again holds back what follows, through steps that have ended long ago.
        """
        affected = [step]
        while affected:
            one = affected.pop()
            passed = one.id in self._settled and self._open[one.needs] == 0
            if passed == (one.id in self._passed):
                continue
            _mark(self._passed, one.id, passed)
            for needs in self._needed_in[one.id]:
                before = self._open[needs]
                self._open[needs] += -1 if passed else 1
                if 0 in {before, self._open[needs]}:
                    yield from self._waiting_for[needs]
                    affected += [self._steps[waiting] for waiting in self._waiting_for[needs]]

    def _broken(self, step: Step) -> StepRun | None:
        """Return the step without which this one makes no sense."""
        fellows = self._chains[step.chain] if step.chain is not None else []
        used = step.body.references if isinstance(step.body, Use) else frozenset()
        for need in (*fellows, *used):
            if need in step.needs and self._record(need).stops_chain:
                return self._record(need)
        return None


def decide(
    steps: Sequence[Step], run: Run, running: Collection[StepId], limits: Mapping[str, int]
) -> Decision:
    """Return what may begin now, from nothing but the steps and the run."""
    return Agenda(steps, run, limits).decide(running)


def exceptions(identities: Iterable[StepId], run: Run) -> tuple[StepId, ...]:
    """Return the steps that did not reach their wished state, of those a run came to."""
    return tuple(i for i in identities if (record := run.steps.get(i)) is not None and _is_exception(record))


def closing(identities: Sequence[StepId], run: Run, outcome: ev.Outcome, code: int) -> ev.RunFinished:
    """Return a run's last word."""
    counts = Counter((run.steps.get(identity) or StepRun(identity)).state.value for identity in identities)
    return ev.RunFinished(
        outcome=outcome, exit=code, counts=dict(counts), unproven=exceptions(identities, run)
    )


def _is_exception(record: StepRun) -> bool:
    if record.skip is not None:
        return record.skip.cause != "condition" and record.state is State.SKIPPED
    return record.state in {State.FAILED, State.INDETERMINATE, State.RUNNING}


def _stops(step: Step, record: StepRun) -> bool:
    if record.drift is not None and record.state is State.PENDING:
        return True
    ended_badly = record.state in {State.FAILED, State.INDETERMINATE} and not record.settled
    return ended_badly and step.on_error != "ask"


def _skipped(step: Step, broken: StepRun) -> ev.StepSkipped:
    reason = f"{broken.id} {broken.state.value}"
    return ev.StepSkipped(step=step.id, reason=reason, cause="chain", after=broken.id)


def _endpoint(step: Step) -> str:
    return (step.body.endpoint or "") if isinstance(step.body, Use) else ""


def _member(step: Step) -> str:
    return step.chain or step.id


def _mark(members: set[str], name: str, inside: bool) -> None:  # noqa: FBT001 - the third word of "mark X as"
    if inside:
        members.add(name)
    else:
        members.discard(name)
