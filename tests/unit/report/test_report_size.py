"""A report of ten thousand steps, as the installed command makes it: whole, and in three hundred megabytes.

How long it takes is measured by ``tests/bench/reports.py``.
"""

from __future__ import annotations

import sys

import pytest
from measured import measure
from report_journals import large

STEPS = 10_000
MEBIBYTES = 300e6 / 2**20


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    story, place = large(STEPS), tmp_path_factory.mktemp("home")
    run = place / "runs" / story.run
    run.mkdir(parents=True)
    (run / "journal.jsonl").write_bytes(story.text)
    return place


@pytest.mark.parametrize("form", ["md", "html", "json"])
def test_ten_thousand_steps_are_reported_in_little_memory(home, form):
    out = home / f"report.{form}"
    words = ["report", "last", "-f", form, "--home", home, "-o", out]
    taken = measure([sys.executable, "-m", "drctl", *map(str, words)])
    assert taken.memory < MEBIBYTES
    assert out.stat().st_size > STEPS * 200
