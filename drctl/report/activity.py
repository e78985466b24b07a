"""When what went on: spans of work, checks, waits on people and standstill; and where the time went."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from drctl.core import events as ev
from drctl.core.events import Recorded
from drctl.report.facts import Part, PartName
from drctl.report.timeline import Timeline

Activity: TypeAlias = Literal["work", "check", "person", "stopped"]

PRIORITY: tuple[Activity, ...] = ("work", "check", "person", "stopped")
"""What an instant counts as when several things go on: the first of these."""

PARTS: dict[Activity, PartName] = {
    "work": "execution", "check": "validation", "person": "people", "stopped": "stopped",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Span:
    """Something that went on; ``step`` is empty for a standstill of the whole run."""

    start: datetime
    end: datetime
    kind: Activity
    step: str = ""


class _Watch:
    """Opens and closes spans while it hears a journal."""

    def __init__(self, timeline: Timeline) -> None:
        self._kinds = {step.id: step.planned.kind for step in timeline.steps if step.planned}
        self._open: dict[str, tuple[datetime, Activity]] = {}
        self._spans: list[Span] = []
        self._stopped: datetime | None = None
        self._last: datetime | None = None

    def hear(self, record: Recorded) -> None:
        event, at = record.event, record.at
        match event:
            case ev.StepStarted() | ev.Observed() | ev.StepRetried():
                self._begin(event.step, at, "check" if self._kinds.get(event.step) == "probe" else "work")
            case ev.GateOpened() | ev.ManualOpened():
                self._begin(event.step, at, "person")
            case ev.StepFailed() | ev.StepIndeterminate() if event.step not in self._open:
                self._begin(event.step, at, "work")  # refused before it began: an instant, but one to be seen
                self._finish(event.step, at)
            case (
                ev.StepFinished() | ev.StepFailed() | ev.StepIndeterminate() | ev.StepSkipped()
                | ev.GateAnswered() | ev.ManualRecorded() | ev.SkipRequested()
            ):  # fmt: skip
                self._finish(event.step, at)
            case ev.RunPaused():
                self._drop(at)
                self._stopped = at
            case ev.LockTaken() if event.epoch > 1:
                self._restart(at)
            case ev.RunFinished():
                self._stand_still(at)
                self._close(at)
            case _:
                pass
        if not isinstance(event, ev.Note):
            self._last = at

    def spans(self) -> list[Span]:
        """Return what was heard, in order; what is open ends with the journal."""
        if self._last is not None:
            self._close(self._last)
        return sorted(self._spans, key=lambda span: (span.start, span.end))

    def _begin(self, step: str, at: datetime, kind: Activity) -> None:
        if step in self._kinds:
            self._open.setdefault(step, (at, kind))

    def _finish(self, step: str, at: datetime) -> None:
        if step in self._open:
            start, kind = self._open.pop(step)
            self._spans.append(Span(start, max(start, at), kind, step))

    def _drop(self, at: datetime) -> None:
        """An engine ended: what it did ended with it, what people were asked stays asked."""
        for step in [step for step, (_, kind) in self._open.items() if kind != "person"]:
            self._finish(step, at)

    def _restart(self, at: datetime) -> None:
        if self._stopped is None and self._last is not None:
            self._drop(self._last)
            self._stopped = self._last
        self._stand_still(at)

    def _stand_still(self, at: datetime) -> None:
        if self._stopped is not None:
            self._spans.append(Span(self._stopped, at, "stopped"))
            self._stopped = None

    def _close(self, at: datetime) -> None:
        for step in list(self._open):
            self._finish(step, at)


def watch(timeline: Timeline) -> list[Span]:
    """Return the spans of a run's steps, prechecks left out, and of its standstills."""
    heard = _Watch(timeline)
    for record in timeline.records:
        heard.hear(record)
    return heard.spans()


def segments(spans: Sequence[Span]) -> list[tuple[datetime, datetime, Activity | None]]:
    """Cut time where something begins or ends: disjoint, in order; None where nothing went on."""
    edges: list[tuple[datetime, int, Activity]] = []
    for span in spans:
        edges += [(span.start, 1, span.kind), (span.end, -1, span.kind)]
    edges.sort(key=lambda edge: edge[0])
    return list(_sweep(edges))


def _sweep(
    edges: Iterable[tuple[datetime, int, Activity]],
) -> Iterator[tuple[datetime, datetime, Activity | None]]:
    going = dict.fromkeys(PRIORITY, 0)
    since: datetime | None = None
    for at, step, kind in edges:
        if since is not None and at > since:
            yield since, at, next((name for name in PRIORITY if going[name]), None)
        going[kind] += step
        since = at


@dataclass(frozen=True, slots=True)
class Ledger:
    """Attributes every instant of a run to one part; overlaps count once, by ``PRIORITY``."""

    segments: Sequence[tuple[datetime, datetime, Activity | None]]
    detection: datetime | None
    first_action: datetime | None

    def split(self, start: datetime, end: datetime) -> tuple[Part, ...]:
        """Return the parts of ``start`` to ``end``; they add up to it.

        Before the first action time is *detection* until the detection that was stated, and then
        *decision*. After it, time in which nothing is journaled to go on counts as execution: drctl
        was between two steps.
        """
        end = max(start, end)
        acting = min(max(self.first_action or end, start), end)
        found = min(max(self.detection or start, start), acting)
        sums: dict[PartName, float] = {
            "detection": (found - start).total_seconds(),
            "decision": (acting - found).total_seconds(),
            "execution": 0.0, "people": 0.0, "validation": 0.0, "stopped": 0.0,
        }  # fmt: skip
        for begin, until, kind in self.segments:
            inside = (min(until, end) - max(begin, acting)).total_seconds()
            if inside > 0:
                sums[PARTS[kind or "work"]] += inside
        whole = (end - start).total_seconds()
        sums["execution"] += whole - sum(sums.values())
        return tuple(Part(name, max(0.0, seconds)) for name, seconds in sums.items())
