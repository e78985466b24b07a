"""The Tab key: ids of runs and steps, questions, and nothing at all where something is wrong."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from installed import DRCTL
from journals import RUN, ask, begin, fence

TYPED = {
    "drctl status ": ["last", RUN],
    "drctl retry last b": ["break"],
    "drctl answer last ": ["go", "call"],
    "drctl retry no-such-run ": [],
    "drctl failov": ["failover"],
}
"""What was typed when Tab was pressed, and what is offered."""


@pytest.mark.parametrize("typed", TYPED)
def test_tab_offers(typed: str, tmp_path: Path) -> None:
    directory = tmp_path / "runs" / RUN
    directory.mkdir(parents=True)
    fence(ask(begin())).write(directory / "journal.jsonl")
    shell = {"_DRCTL_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    environment = {**os.environ, "DRCTL_HOME": str(tmp_path), **shell}
    done = subprocess.run([DRCTL], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == TYPED[typed]
    assert done.stderr == ""
