"""A run kept ready to be shown: folded record by record, so that a redraw costs no more than its rows."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from drctl.core import events as ev
from drctl.core.events import Recorded
from drctl.core.run import GOOD, Run, State, StepRun
from drctl.report.entries import TimelineEntry, timeline_entries

Standing: TypeAlias = Literal[
    "done", "running", "retrying", "waiting", "failed", "indeterminate", "unproven", "drifted", "skipped",
    "not needed", "not exercised", "pending",
]  # fmt: skip
"""Where a step stands, in the word people read."""

ACTIVE: frozenset[Standing] = frozenset({"running", "retrying"})
TROUBLED: frozenset[Standing] = frozenset({"failed", "indeterminate", "unproven", "drifted"})

_OVER: frozenset[Standing] = frozenset({"done", "unproven", "skipped", "not needed", "not exercised"})

REMEMBERED = 50
"""Timeline entries kept for display."""


@dataclass(frozen=True, slots=True)
class Life:
    """Whether an engine is at a run; ``beat`` is how many seconds ago it last gave a sign of life."""

    alive: bool
    beat: float | None = None


@dataclass
class Board:
    """The fold of a run with what a display counts and lists; one thread at a time."""

    run: Run = field(default_factory=Run)
    phases: dict[str, Counter[Standing]] = field(default_factory=dict)
    latest: deque[TimelineEntry] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    ended: datetime | None = None
    _active: dict[str, StepRun] = field(default_factory=dict)
    _waiting: dict[str, StepRun] = field(default_factory=dict)
    _troubled: dict[str, StepRun] = field(default_factory=dict)
    _skipped: dict[str, StepRun] = field(default_factory=dict)
    _retrying: set[str] = field(default_factory=set)
    _standings: dict[str, Standing] = field(default_factory=dict)

    def hear(self, records: Sequence[Recorded]) -> None:
        """Fold new records in."""
        for record in records:
            self._add(record)
        self.latest.extend(entry for entry in timeline_entries(records) if not self._is_precheck(entry.step))

    @property
    def active(self) -> list[StepRun]:
        """Return the steps that run now, longest first."""
        return list(self._active.values())

    @property
    def waiting(self) -> list[StepRun]:
        """Return the open questions to people, oldest first."""
        return list(self._waiting.values())

    @property
    def troubled(self) -> list[StepRun]:
        """Return what failed, is in doubt, unproven or drifted, oldest first."""
        return list(self._troubled.values())

    @property
    def skipped(self) -> list[StepRun]:
        """Return what was skipped by a person or behind an unproven step."""
        return list(self._skipped.values())

    def standing(self, step: StepRun) -> Standing:
        """Return where a step stands."""
        return self._standings.get(step.id, "pending")

    def planned(self) -> Iterator[StepRun]:
        """Yield the planned steps in the runbook's order, prechecks left out."""
        return (s for s in self.run.steps.values() if s.planned is not None and not s.planned.precheck)

    def reading(self) -> list[StepRun]:
        """Return the steps whose turn it is but of which nothing is journaled yet: their state is being read."""
        return [step for step in self.planned() if self._may_start(step)]

    def _is_precheck(self, identity: str) -> bool:
        step = self.run.steps.get(identity)
        return step is not None and step.planned is not None and step.planned.precheck

    def _may_start(self, step: StepRun) -> bool:
        if step.state is not State.PENDING or step.planned is None or step.drift is not None:
            return False
        needs = (self.run.steps.get(need) for need in step.planned.needs)
        return all(need is not None and need.settled for need in needs)

    def _add(self, record: Recorded) -> None:
        event = record.event
        self.run.add(record)
        if isinstance(event, ev.RunFinished):
            self.ended = record.at
        elif isinstance(event, ev.LockTaken):
            self._retrying.clear()
            for identity in self.run.steps:
                self._place(identity)
        elif hasattr(event, "step"):
            if isinstance(event, ev.StepRetried):
                self._retrying.add(event.step)
            else:
                self._retrying.discard(event.step)
            self._place(event.step)

    def _place(self, identity: str) -> None:
        """Put a step where it now belongs."""
        step = self.run.steps[identity]
        before, now = self._standings.get(identity), self._stand(step)
        if before == now:
            return
        self._standings[identity] = now
        for members, standings in (
            (self._active, ACTIVE),
            (self._waiting, {"waiting"}),
            (self._troubled, TROUBLED),
            (self._skipped, {"skipped"}),
        ):
            if now in standings:
                members[identity] = step
            else:
                members.pop(identity, None)
        if step.planned is not None and not step.planned.precheck:
            counts = self.phases.setdefault(step.planned.phase, Counter())
            if before is not None:
                counts[before] -= 1
            counts[now] += 1

    def _stand(self, step: StepRun) -> Standing:
        if step.state in GOOD:
            return "done"
        if step.id in self._retrying:
            return "retrying"
        match step.state:
            case State.FAILED:
                return "unproven" if step.tolerated else "failed"
            case State.INDETERMINATE:
                return "unproven" if step.tolerated else "indeterminate"
            case State.RUNNING:
                return "running"
            case State.WAITING:
                return "waiting"
            case State.NOT_EXERCISED:
                return "not exercised"
            case State.SKIPPED:
                return "not needed" if step.skip and step.skip.cause == "condition" else "skipped"
            case _:
                return "drifted" if step.drift is not None else "pending"


def total(counts: Counter[Standing]) -> int:
    """Return how many steps of a phase were to be done in this run."""
    return counts.total() - counts["not needed"]


def settled(counts: Counter[Standing]) -> bool:
    """Say whether a phase has nothing left to do."""
    return all(word in _OVER for word, count in counts.items() if count)
