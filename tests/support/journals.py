"""Runs told event by event at fixed times, as records or as a journal file; no engine is needed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from drctl.core import events as ev
from drctl.core.events import Recorded
from drctl.engine.journal import Entry, JournalFile

BEGAN = datetime(2026, 1, 31, 2, 30, tzinfo=UTC)
RUN = "20260131-023000-failover-0a1b"


@dataclass
class FrozenClock:
    """A clock that moves when it is told to."""

    at: datetime = BEGAN

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def sleep(self, seconds: float, wake: threading.Event | None = None) -> bool:
        return wake is not None and wake.is_set()


def started() -> ev.RunStarted:
    """The first line of a run of two services between two sites."""
    return ev.RunStarted(
        run=RUN,
        mode="failover",
        runbook=ev.FileData(name="small", title="Loss of the north", digest="a" * 64, owner="on-call"),
        inventory=ev.FileData(name="estate", digest="b" * 64),
        source=ev.SiteData(name="north", title="The north", timezone="Europe/Paris"),
        target=ev.SiteData(name="south", title="The south", timezone="Europe/Paris"),
        objectives=ev.ObjectivesData(rto=3600, rpo=7200),
        services=(
            ev.ServiceData(name="web", title="The portal", checks=("check[web]",)),
            ev.ServiceData(
                name="db", title="The archive", checks=("check[db]",), objectives=ev.ObjectivesData(rto=600)
            ),
        ),
        parameters={"ticket": "INC-7"},
        plan_digest="c" * 64,
        tool="0.1.0",
        host="jump.example",
        user="kim",
    )


def planned(step: str, phase: str, kind: ev.StepKind = "action", **more: object) -> ev.StepPlanned:
    """A planned step."""
    verdict = {"action": "will", "probe": "observes"}.get(kind, "asks")
    return ev.StepPlanned.model_validate(
        {"step": step, "title": step, "phase": phase, "kind": kind, "verdict": verdict, **more}
    )


PLAN = (
    planned("lag", "Prechecks", "probe", precheck=True),
    planned("go", "Decide", "gate", summary="The north is lost. Go?"),
    planned("stop[a]", "Fence", needs=("go",), on_error="continue"),
    planned("stop[b]", "Fence", needs=("go",), on_error="continue"),
    planned("break", "Move", needs=("stop[a]", "stop[b]"), reversibility="compensable"),
    planned("mount", "Move", needs=("break",)),
    planned("call", "Move", "manual", needs=("break",), summary="Call the carrier."),
    planned("check[web]", "Validate", "probe", needs=("mount", "call")),
    planned("check[db]", "Validate", "probe", needs=("mount", "call")),
)

LOSS = ev.LossData(
    volume="south:db",
    snapshot="snapmirror.1_2",
    recovery_point=BEGAN - timedelta(minutes=40),
    incident=BEGAN - timedelta(minutes=5),
    seconds=2100,
    clock_skew=1.5,
    service="db",
    step="break",
)


def problem(summary: str, code: str = "unreachable", hint: str = "") -> ev.ProblemData:
    return ev.ProblemData(code=code, summary=summary, hint=hint)


@dataclass
class Story:
    """What happened in a run; ``say`` appends an event some seconds after the one before."""

    records: list[Recorded] = field(default_factory=list)
    now: datetime = BEGAN

    def say(self, *events: ev.EventData, after: float = 0.0, by: str = "engine") -> Story:
        self.now += timedelta(seconds=after)
        for event in events:
            self.records.append(Recorded(len(self.records), self.now, by, event))
        return self

    def write(self, path: Path) -> Path:
        """Write the story as a journal file, chained and all."""
        clock = FrozenClock()
        file = JournalFile(path, clock)
        for record in self.records:
            clock.at = record.at
            file.commit([Entry(record.event, record.actor)])
        file.close()
        return path


def begin(plan: Sequence[ev.StepPlanned] = PLAN) -> Story:
    """A run up to its first step."""
    lock = ev.LockTaken(epoch=1, owner="kim", host="jump.example", pid=4711)
    impact = ev.ClockSet(clock="impact", instant=BEGAN - timedelta(minutes=5))
    declared = ev.ClockSet(clock="declaration", instant=BEGAN - timedelta(minutes=2), source="asked")
    approved = ev.PlanApproved(plan_digest="c" * 64, by="kim@jump.example", how="typed")
    fresh = ev.FindingData(level="warning", summary="south:db lags 40 min 00 s")
    story = Story().say(started(), lock, approved, impact, declared, by="kim@jump.example")
    story.say(ev.LossStated(losses=(LOSS,)), *plan)
    return story.say(
        ev.Observed(step="lag", finding=fresh), ev.StepFinished(step="lag", how="observed", summary="late")
    )


def ask(story: Story) -> Story:
    """The gate opens, with half an hour to answer."""
    deadline = story.now + timedelta(minutes=30, seconds=1)
    opened = ev.GateOpened(
        step="go", ask="The north is lost. Go?", role="incident-commander", deadline=deadline
    )
    return story.say(opened, after=1)


def go(story: Story) -> Story:
    """The gate is asked and answered from another terminal."""
    by = "sam@desk.example"
    ask(story).say(
        ev.GateAnswered(step="go", answer="go", by=by, reason="power is gone", via="answer"), after=90, by=by
    )
    return story.say(ev.StepFinished(step="go", how="answered", summary=f"go by {by}: power is gone"))


def fence(story: Story) -> Story:
    """The source cannot be reached, which the runbook tolerates."""
    for step in ("stop[a]", "stop[b]"):
        lost = problem(f"vc-north: no answer within 10 s ({step})", hint="Look at the north's network.")
        story.say(ev.StepFailed(step=step, problem=lost, tolerated=True, unreachable=True), after=5)
    return story


def apply(story: Story, step: str, took: float = 20.0, how: ev.How = "applied") -> Story:
    """A step is started and finished."""
    change = ev.ChangeData(summary=f"{step} the volume", fields=(ev.FieldData(name="state", after="rw"),))
    story.say(ev.StepStarted(step=step, change=change), after=1)
    return story.say(ev.StepFinished(step=step, how=how), after=took)


def observe(story: Story, step: str, took: float = 3.0) -> Story:
    """A probe looks and is content."""
    finding = ev.FindingData(level="ok", summary=f"{step} answers")
    story.say(ev.Observed(step=step, finding=finding), after=1)
    return story.say(ev.StepFinished(step=step, how="observed", summary=finding.summary), after=took)


def complete(story: Story) -> Story:
    """Everything from the fence to the end, with the manual step done."""
    apply(apply(fence(story), "break"), "mount")
    story.say(ev.ManualOpened(step="call", do="Call the carrier.", role="network", evidence="Ticket"))
    by = "kim@jump.example"
    done = ev.ManualRecorded(step="call", result="done", by=by, evidence="T-1", via="terminal")
    story.say(done, after=60, by=by)
    story.say(ev.StepFinished(step="call", how="answered", summary=f"done by {by}: T-1"))
    observe(observe(story, "check[web]"), "check[db]")
    counts = {"succeeded": 6, "failed": 2}
    finished = ev.RunFinished(
        outcome="completed_with_exceptions", exit=8, counts=counts, unproven=("stop[a]", "stop[b]")
    )
    return story.say(finished)
