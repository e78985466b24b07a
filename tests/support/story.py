"""Runs told event by event: real journals of a home, at instants a test chooses, without an estate."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from drctl.core import events as ev
from drctl.core.events import Recorded
from drctl.core.problem import ExitCode
from drctl.engine.chain import scan
from drctl.engine.home import Home, RunDirectory
from drctl.engine.journal import Entry, JournalFile

START = datetime(2026, 1, 31, 3, 12, tzinfo=UTC)

STEPS: tuple[dict[str, Any], ...] = (
    {"step": "go", "kind": "gate", "phase": "Decide", "verdict": "asks"},
    {"step": "break[pacs]", "kind": "action", "phase": "Storage", "needs": ("go",), "digest": "b1"},
    {"step": "break[ris]", "kind": "action", "phase": "Storage", "needs": ("go",), "digest": "b1"},
    {
        "step": "boot",
        "kind": "action",
        "phase": "VMs",
        "needs": ("break[pacs]", "break[ris]"),
        "digest": "v1",
    },
    {
        "step": "viewer",
        "kind": "probe",
        "phase": "Checks",
        "needs": ("boot",),
        "verdict": "observes",
        "service": "pacs",
    },
)
"""A decision, two mirrors side by side, a machine, a check that ends the service's outage."""


class Hands:
    """A clock that stands where it is put."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def sleep(self, seconds: float, wake: threading.Event | None = None) -> bool:
        self.at += timedelta(seconds=seconds)
        return wake is not None and wake.is_set()


class Story:
    """One run; every event moves the clock on by ``after`` seconds first."""

    def __init__(
        self,
        home: Path,
        run: str,
        start: datetime = START,
        *,
        mode: str = "failover",
        inventory: str = "estate",
        steps: tuple[dict[str, Any], ...] = STEPS,
        digests: Mapping[str, str] | None = None,
        rto: float | None = 14400,
    ) -> None:
        self.clock = Hands(start)
        self.directory: RunDirectory = Home(home, self.clock).create(run)
        self.run, self.mode = run, mode
        self._file = JournalFile(self.directory.journal, self.clock)
        self._begin(inventory, rto)
        for step in steps:
            given = {"title": step["step"], "verdict": "will", **step}
            given["digest"] = (digests or {}).get(step["step"], step.get("digest", ""))
            self.tell(ev.StepPlanned(**given))

    def _begin(self, inventory: str, rto: float | None) -> None:
        runbook, estate = "name: pacs-site-loss\n", f"name: {inventory}\n"
        self.directory.runbook.write_text(runbook)
        self.directory.inventory.write_text(estate)
        objectives = ev.ObjectivesData(rto=rto, rpo=7200)
        self.tell(
            ev.RunStarted(
                run=self.run,
                mode=self.mode,
                runbook=ev.FileData(
                    name="pacs-site-loss", title="Loss of Paris", digest=_sha(runbook), owner="on-call"
                ),
                inventory=ev.FileData(name=inventory, digest=_sha(estate)),
                source=ev.SiteData(name="paris", title="Paris", timezone="Europe/Paris"),
                target=ev.SiteData(name="lyon", title="Lyon", timezone="Europe/Paris"),
                objectives=objectives,
                services=(
                    ev.ServiceData(
                        name="pacs", title="PACS", tier=1, objectives=objectives, checks=("viewer",)
                    ),
                ),
                contacts={"commander": "Duty manager"},
                plan_digest="5" * 64,
                tool="0",
                host="bastion",
                user="operator",
            ),
            ev.LockTaken(epoch=1, owner="operator", host="bastion", pid=7),
            ev.PlanApproved(plan_digest="5" * 64, by="operator@bastion", how="typed"),
            ev.ClockSet(clock="impact", instant=self.clock.at - timedelta(minutes=20)),
            ev.ClockSet(clock="declaration", instant=self.clock.at),
        )

    def tell(self, *events: ev.EventData, after: float = 0.0, by: str = "engine") -> Story:
        self.clock.at += timedelta(seconds=after)
        self._file.commit([Entry(event, by) for event in events])
        return self

    def open(self, step: str = "go", role: str = "commander") -> Story:
        return self.tell(ev.GateOpened(step=step, ask="Paris is lost. Go?", role=role))

    def answer(self, step: str = "go", *, after: float = 60, answer: Any = "go") -> Story:
        said = ev.GateAnswered(step=step, answer=answer, by="duty@bastion", reason="carrier confirms")
        self.tell(said, after=after, by="duty@bastion")
        return self.tell(ev.StepFinished(step=step, how="answered", summary=answer))

    def start(self, step: str, *, after: float = 0) -> Story:
        change = ev.ChangeData(summary=f"{step} changes")
        return self.tell(ev.StepStarted(step=step, change=change), after=after)

    def finish(self, step: str, *, after: float = 0, how: Any = "applied") -> Story:
        return self.tell(ev.StepFinished(step=step, how=how), after=after)

    def do(self, step: str, seconds: float, how: Any = "applied") -> Story:
        return self.start(step).finish(step, after=seconds, how=how)

    def fail(self, step: str, *, after: float = 0, tolerated: bool = False) -> Story:
        problem = ev.ProblemData(code="refused", summary="the array refuses", hint="drctl retry")
        return self.tell(ev.StepFailed(step=step, problem=problem, tolerated=tolerated), after=after)

    def note(self, text: str, kind: Any = "note", **fields: Any) -> Story:
        return self.tell(ev.Note(text=text, kind=kind, by="operator@bastion", **fields), by="operator")

    def end(self, outcome: Any = "completed", code: ExitCode = ExitCode.OK) -> Story:
        return self.tell(ev.RunFinished(outcome=outcome, exit=code))

    def whole(self, pace: float = 1.0, *, wait: float = 60) -> Story:
        """Tell a run that ends well: the mirrors take 100 and 40 s, the boot 200 s, the check 10 s."""
        self.open().answer(after=wait)
        self.start("break[pacs]").start("break[ris]").finish("break[ris]", after=40 * pace)
        self.finish("break[pacs]", after=60 * pace)
        self.do("boot", 200 * pace)
        self.tell(ev.Observed(step="viewer", finding=ev.FindingData(level="ok", summary="it answers")))
        self.finish("viewer", after=10 * pace, how="observed")
        return self.end()

    @property
    def records(self) -> tuple[Recorded, ...]:
        return scan(self.directory.journal).records


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
