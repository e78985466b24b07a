"""Runs that die where a test wants, and the world they leave behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nursery import Child, Nursery

from drctl.core.run import Run
from drctl.engine.chain import scan

ROOT = Path(__file__).parent.parent.parent
HERE = ROOT / "tests" / "crash"
CHILD = HERE / "child.py"
SMALL = HERE / "small.yaml"
ANSWERS = HERE / "answers.yaml"


@dataclass(frozen=True)
class Kept:
    """An estate and the home of its runs, as they were at one moment."""

    estate: Any
    home: Path


@dataclass
class Estate:
    """A lab, reset before each run, and the runs made on it."""

    lab: Any
    home: Path
    nursery: Nursery
    count: int = 0
    environment: dict[str, str] = field(default_factory=dict)

    def fresh(self) -> None:
        """Begin with an estate on which nothing was run."""
        self._begin(None)

    def keep(self) -> Kept:
        """Keep the estate at rest, and the runs made on it, to go ``back`` to."""
        assert self.lab.wait("settled", 60)
        home, copy = self.home / str(self.count), Path(tempfile.mkdtemp(dir=self.home))
        if home.exists():
            shutil.copytree(home, copy, dirs_exist_ok=True)
        return Kept(self.lab.keep(), copy)

    def back(self, kept: Kept) -> None:
        """Begin where the estate was kept."""
        self._begin(kept.estate)
        shutil.copytree(kept.home, self.environment["DRCTL_HOME"])

    def _begin(self, estate: Any) -> None:
        self.lab.reset(estate)
        self.count += 1
        self.environment = {
            **os.environ,
            **self.lab.secrets,
            "DRCTL_INVENTORY": str(self.lab.inventory),
            "DRCTL_HOME": str(self.home / str(self.count)),
        }

    def fail_over(
        self, runbook: Path, answers: Path, when: str = "never", at: int | str = 0, *rolled_back: str
    ) -> Child:
        """Start a failover in a child that dies at its ``at``-th write to the journal."""
        return self._start([when, str(at), "failover", str(runbook), str(answers), *rolled_back])

    def drill(self, runbook: Path, answers: Path, when: str = "never", at: int = 0) -> Child:
        """Start a drill in a child that dies at its ``at``-th write to the journal."""
        return self._start([when, str(at), "drill", str(runbook), str(answers)])

    def clean_up(self, when: str = "never", at: int = 0) -> Child:
        """Clean up after the last drill in a child that dies at its ``at``-th write to the journals."""
        return self._start([when, str(at), "cleanup"])

    def roll_back(self, when: str = "never", at: int = 0) -> Child:
        """Roll the last run back in a child that dies at its ``at``-th write to the journals."""
        return self._start([when, str(at), "rollback"])

    def move(self, verb: str, runbook: Path, answers: Path, when: str = "never", at: int | str = 0) -> Child:
        """Start a switchover or failback in a child that dies at its ``at``-th write to the journal."""
        return self._start([when, str(at), verb, str(runbook), str(answers)])

    def protect(self, when: str = "never", at: int = 0) -> Child:
        """Turn replication round after the last move in a child that dies at its ``at``-th write."""
        return self._start([when, str(at), "reprotect"])

    def resume(self, answers: Path | None, when: str = "never", at: int = 0) -> Child:
        """Go on with the last run in a child that dies at its ``at``-th write to the journal."""
        given = [] if answers is None else [str(answers)]
        return self._start([when, str(at), "resume", *given])

    def _start(self, arguments: list[str]) -> Child:
        return self.nursery.start(CHILD, arguments, self.environment)

    @property
    def last_run(self) -> str:
        """The id of the last run that has a journal."""
        journals = (self.home / str(self.count) / "runs").glob("*/journal.jsonl")
        return max(journal.parent.name for journal in journals)

    def resumed(self, answers: Path | None) -> tuple[int, str]:
        """Go on with the last run to its end; one that died right after its last word needs nothing."""
        journal = self.home / str(self.count) / "runs" / self.last_run / "journal.jsonl"
        finished = Run.of(scan(journal).records).finished
        return finish(self.resume(answers)) if finished is None else (finished.exit, "")

    def world(self) -> Any:
        """The estate once it has come to rest."""
        assert self.lab.wait("settled", 60)
        return shown(self.lab)

    def effects(self) -> Counter[tuple[str, str, str]]:
        """Every changing call, told apart by what it did to what."""
        calls = self.lab.status()["mutations"]
        told = ((c["facade"], c["call"], normal(c["target"])) for c in calls)
        return Counter(effect for effect in told if not effect[2].endswith(".DRAFT"))


def shown(lab: Any) -> Any:
    """Return the world that a lab shows, without what differs from run to run."""
    return json.loads(normal(json.dumps(lab.status()["world"])))


def uncounted(world: Any) -> Any:
    """Return a world without how many snapshots of a kind its transfers left."""
    for cluster in world["clusters"].values():
        for volume in cluster["volumes"].values():
            volume["snapshots"] = sorted(name.split(".")[0] for name in set(volume["snapshots"]))
    return world


def normal(text: str) -> str:
    """Return a text without what differs from run to run: run ids and names of drafts."""
    text = re.sub(r"\d{8}-\d{6}-[a-z]+-[0-9a-f]{4}", "RUN", text)
    return re.sub(r"(/\.[\w-]+)\.[0-9a-f]{12}", r"\1.DRAFT", text)


def finish(child: Child) -> tuple[int, str]:
    """Wait for a child; return its exit status and what it printed."""
    return child.finish()
