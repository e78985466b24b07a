"""A report of ten thousand steps: in under three seconds and three hundred megabytes, as the installed command."""

from __future__ import annotations

import sys

import pytest
from measured import measure
from report_journals import large

STEPS = 10_000
SECONDS = 3.0
MEBIBYTES = 300e6 / 2**20
TIMES = 4
"""A machine that does other things as well makes some attempts dearer; one cheap attempt is proof."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    story, place = large(STEPS), tmp_path_factory.mktemp("home")
    run = place / "runs" / story.run
    run.mkdir(parents=True)
    (run / "journal.jsonl").write_bytes(story.text)
    return place


@pytest.mark.parametrize("form", ["md", "html"])
def test_ten_thousand_steps_are_reported_soon_and_in_little_memory(home, form):
    """Processor time: what others do on the machine is not the report's; the least of the attempts counts."""
    out = home / f"report.{form}"
    command = [
        sys.executable,
        "-m",
        "drctl",
        "report",
        "last",
        "-f",
        form,
        "--home",
        str(home),
        "-o",
        str(out),
    ]
    attempts = (measure(command) for _ in range(TIMES))
    soon = next((taken for taken in attempts if taken.processor < SECONDS), None)
    assert soon is not None
    assert soon.memory < MEBIBYTES
    assert out.stat().st_size > STEPS * 200
