"""The smallest estate on which every verb has work for every façade, and somebody who works on it."""

from __future__ import annotations

import io
import os
import sys
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from crash_estate import normal, shown, uncounted
from installed import Ran

from drctl.cli.main import run as run_drctl
from drctl.core.clock import SystemClock
from drctl.core.run import Run
from drctl.engine.home import Home

ROOT = Path(__file__).parent.parent.parent
ROUND = ROOT / "tests" / "faults" / "round.yaml"
ANSWERS = ROOT / "tests" / "crash" / "answers.yaml"
GO: Final = ("--yes", "--reason", "tests")
WITH_ANSWERS: Final = (*GO, "--answers", str(ANSWERS))

COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "failover": ("failover", str(ROUND), *WITH_ANSWERS),
    "drill": ("drill", str(ROUND), *WITH_ANSWERS),
    "cleanup": ("cleanup", "last", *GO),
    "switchover": ("switchover", str(ROUND), *WITH_ANSWERS),
    "reprotect": ("reprotect", "last", "--acknowledge-loss", *GO),
    "failback": ("failback", str(ROUND), *WITH_ANSWERS),
    "rollback": ("rollback", "last", *GO),
}
"""What is typed to begin each verb."""


def small_inventory() -> dict[str, Any]:
    """The shipped estate with one machine, one datastore and one share; the dead are given up soon."""
    estate: dict[str, Any] = yaml.safe_load((ROOT / "inventories" / "lab.yaml").read_text())
    services = estate["services"]
    pacs, portal = services["pacs"], services["portal"]
    estate["services"] = {
        "directory": services["directory"],
        "pacs": {
            "title": pacs["title"],
            "objectives": pacs["objectives"],
            "volumes": [volume for volume in pacs["volumes"] if "shares" in volume],
        },
        "portal": {
            **portal,
            "depends_on": ["directory"],
            "vms": [vm for vm in portal["vms"] if vm["name"] == "portal-web01"],
        },
    }
    estate["lab"]["windows"] = []
    for endpoint in estate["endpoints"].values():
        endpoint["timeout" if endpoint["type"] == "dns" else "connect_timeout"] = "1s"
        if endpoint["type"] == "ssh":
            endpoint["file_timeout"] = "1s"
    return estate


@dataclass
class Site:
    """A lab and the home of one story's runs; drctl runs in this process, as its command line would."""

    lab: Any
    folder: Path
    stories: int = 0

    def fresh(self) -> None:
        """Begin another story: the estate as it was, and no run yet."""
        self.lab.reset()
        self.stories += 1

    @property
    def home(self) -> Path:
        """Where this story's runs are."""
        return self.folder / str(self.stories)

    def drctl(self, *words: str) -> Ran:
        """Run a command without a terminal."""
        given = {**self.lab.secrets, "DRCTL_INVENTORY": str(self.lab.inventory), "DRCTL_HOME": str(self.home)}
        out, err = io.StringIO(), io.StringIO()
        before, arguments = dict(os.environ), sys.argv
        os.environ.update(given)
        sys.argv = ["drctl", *words]
        try:
            with redirect_stdout(out), redirect_stderr(err):
                status = run_drctl()
        finally:
            sys.argv = arguments
            os.environ.clear()
            os.environ.update(before)
        return Ran(" ".join(["drctl", *words]), status, out.getvalue(), err.getvalue())

    def runs(self) -> list[Run]:
        """Return every run of this story, oldest first."""
        found = [directory.fold() for directory in Home(self.home, SystemClock()).all()]
        return sorted(found, key=lambda run: run.started_at or run.last_at)

    def world(self) -> Any:
        """The estate at rest, without what differs from run to run."""
        assert self.lab.wait("settled", 60)
        return uncounted(shown(self.lab))

    def effects(self, since: int = 0) -> Counter[str]:
        """Every changing call since so many of them, told apart by what it did to what."""
        calls = self.lab.status()["mutations"][since:]
        told = (f"{call['call']} {normal(call['target'])}" for call in calls)
        return Counter(effect for effect in told if not effect.endswith(".DRAFT"))

    def calls(self) -> int:
        """How many changing calls there were."""
        return len(self.lab.status()["mutations"])
