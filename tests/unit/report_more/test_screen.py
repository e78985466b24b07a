"""The forecast on the live screen and in the plan's summary."""

from __future__ import annotations

from datetime import timedelta

import pytest
from story import START, Story

from drctl.console.board import Board, Life
from drctl.console.frame import Scene, Size, frame
from drctl.console.plan import PlanView, action_lines, summary_lines
from drctl.core.run import Run
from drctl.report.actions import actions_of
from drctl.report.forecast import foresee, learn

LATER = START + timedelta(days=30)


@pytest.fixture
def past(tmp_path):
    return learn([Story(tmp_path, "past").whole().records])


def screen(story, past):
    board = Board()
    board.hear(story.records)
    rows = frame(board, Scene(story.clock.at, Life(alive=True), past=past), Size())
    return [row.text for row in rows]


def test_the_screen_has_a_forecast_row_that_fits(tmp_path, past):
    story = Story(tmp_path, "now", LATER).open().answer()
    rows = screen(story, past)
    found = next(row for row in rows if row.startswith("Forecast"))
    assert "ends about 04:18 (P90 04:18) CET; RTO 08:12, margin" in found
    assert all(len(row) <= 80 for row in rows)
    assert len(rows) == 24


def test_no_past_no_row_and_no_history_says_so(tmp_path):
    story = Story(tmp_path, "now", LATER)
    assert not any(row.startswith("Forecast") for row in screen(story, None))
    assert any("no past run" in row for row in screen(story, learn([])))


def test_an_ended_run_has_no_forecast(tmp_path, past):
    assert not any(row.startswith("Forecast") for row in screen(Story(tmp_path, "now").whole(), past))


def test_a_plan_says_how_long_it_takes_and_what_is_still_to_be_done(tmp_path, past):
    story = Story(tmp_path, "now", LATER)
    run = Run.of(story.records)
    steps = tuple(step.planned for step in run.steps.values())
    open_ones = actions_of("a", Story(tmp_path, "a").note("train two more", "action", owner="it").records)
    view = PlanView(
        "failover", "Paris", "Lyon", steps, (), (), "d" * 64,
        foresee(run, past, LATER), open_ones, LATER.date(),
    )  # fmt: skip
    text = "\n".join(summary_lines(view))
    assert "expected duration 5 min 10 s (P50), 5 min 10 s (P90), from 1 past run\n" in text
    assert "tightest RTO 4 h 00 min, margin 3 h 54 min (PACS), counted from the start" in text
    assert "people not counted: 1 question ahead, 1 min 00 s in the past" in text
    assert "train two more (it, no date)" in "\n".join(action_lines(view))
