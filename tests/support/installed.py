"""The installed ``drctl`` as a user runs it, against a lab in this process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent
DRCTL = str(Path(sys.executable).parent / "drctl")
SHIPPED = ROOT / "runbooks" / "pacs-site-loss.yaml"
ANSWERS = ROOT / "runbooks" / "lab-answers.yaml"


class _Loader(yaml.SafeLoader):
    """YAML whose ``on`` is a key, as in runbooks, and not a boolean."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def shipped() -> dict[str, Any]:
    """Return the shipped runbook, to be changed by a test."""
    loaded: dict[str, Any] = yaml.load(SHIPPED.read_text(), Loader=_Loader)
    return loaded


def write_runbook(runbook: dict[str, Any], folder: Path) -> Path:
    """Write a changed runbook; booleans became texts when it was read, and expressions take both."""
    path = folder / "changed.yaml"
    path.write_text(re.sub(r"'(true|false)'", r"\1", yaml.safe_dump(runbook, sort_keys=False)))
    return path


@dataclass(frozen=True)
class Ran:
    """What a command did, as its user sees it."""

    command: str
    status: int
    out: str
    err: str

    def __repr__(self) -> str:
        return f"$ {self.command}\n[{self.status}]\n{self.out[-8000:]}\n--- stderr\n{self.err[-8000:]}"

    @property
    def documents(self) -> list[dict[str, Any]]:
        """Return the JSON documents of ``--json``, one per line."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass
class User:
    """Somebody at a shell whose drctl works on this lab."""

    lab: Any
    home: Path
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            **self.lab.secrets,
            "DRCTL_INVENTORY": str(self.lab.inventory),
            "DRCTL_HOME": str(self.home),
            **self.extra,
        }

    def drctl(self, *arguments: str | Path, timeout: float = 180) -> Ran:
        """Run drctl to its end, without a terminal."""
        command = [DRCTL, *map(str, arguments)]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=timeout, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return Ran(" ".join(command), done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start drctl and let it run."""
        return subprocess.Popen(
            [DRCTL, *map(str, arguments)], env=self.environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def fail_over(self, *arguments: str | Path, runbook: Path = SHIPPED, answers: Path = ANSWERS) -> Ran:
        """Run a failover unattended."""
        return self.drctl("failover", runbook, "--yes", "--reason", "e2e", "--answers", answers, *arguments)

    def events(self) -> list[dict[str, Any]]:
        """Return the lines of the last run's journal."""
        return [json.loads(line) for line in (self.last / "journal.jsonl").read_text().splitlines()]

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the last event of a type per step, of the last run."""
        return {e["data"]["step"]: e["data"] for e in self.events() if e["type"] == kind}

    @property
    def last(self) -> Path:
        """Return the directory of the last run."""
        return max((self.home / "runs").iterdir())

    @property
    def incident(self) -> str:
        """Return the incident log of the last run."""
        return (self.last / "incident.md").read_text()
