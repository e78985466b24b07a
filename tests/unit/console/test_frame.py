"""One screen of a run: what it shows, and that it always fits."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journals import PLAN, RUN, Story, apply, ask, begin, complete, fence, go, planned, problem

from drctl.console.board import Board, Life
from drctl.console.frame import Scene, Size, frame
from drctl.core import events as ev

KEYS = ("Ctrl-C: stop", "Elsewhere: drctl status")


def screen(story: Story, *, later: float = 0.0, size: Size | None = None, **scene: object) -> list[str]:
    board = Board()
    board.hear(story.records)
    given_scene = Scene(
        story.now + timedelta(seconds=later),
        life=scene.pop("life", Life(alive=True)),  # type: ignore[arg-type]
        keys=KEYS,
        **scene,  # type: ignore[arg-type]
    )
    return [row.text for row in frame(board, given_scene, size or Size())]


def find(rows: list[str], *words: str) -> str:
    """The one row that holds all the words."""
    found = [row for row in rows if all(word in row for word in words)]
    assert len(found) == 1, (words, rows)
    return found[0]


def test_the_head_says_mode_sites_run_clock_and_loss() -> None:
    rows = screen(begin(), later=60)
    assert rows[0].startswith("FAILOVER  The north → The south")
    assert rows[0].endswith("03:31:00 CET"), "the time at the target"
    assert find(rows, RUN, "running, 1 min 00 s")
    assert rows[2].startswith("RTO       3 min 00 s since declaration; 7 min 00 s left for The archive")
    assert rows[3] == "Lost      up to 35 min of data once mirrors are broken (south:db)"


def test_an_exceeded_objective_is_said_in_words() -> None:
    assert "EXCEEDED by 53 min 00 s for The archive" in find(screen(begin(), later=3660), "RTO  ")


def test_services_that_answer_stop_the_clock() -> None:
    rows = screen(complete(go(begin())), later=9999)
    assert find(rows, "RTO  ", "5 min 31 s from declaration until every service answered")
    assert find(rows, "Lost  ", "up to 35 min of data (south:db)")


def test_phases_count_what_is_done_and_what_is_not() -> None:
    rows = screen(fence(go(begin())).say(ev.StepStarted(step="break")))
    assert find(rows, "Decide", "[################]   1/1 done")
    assert find(rows, "Fence", "[................]   0/2 done, 2 unproven")
    assert find(rows, "Move", "0/3 done, 1 running")
    assert not [row for row in rows if "Prechecks" in row], "prechecks are no phase"


def test_running_steps_show_their_seconds_and_last_progress() -> None:
    story = fence(go(begin())).say(ev.StepStarted(step="break"))
    story.say(ev.StepProgress(step="break", message="aborting the\x1b[2J transfer\n", fraction=0.4), after=2)
    assert find(screen(story, later=10), "12 s  break", "40% aborting the [2J transfer")


def test_a_step_that_is_tried_again_says_why() -> None:
    story = fence(go(begin()))
    busy = problem("the array is busy", "busy")
    story.say(ev.StepRetried(step="break", attempt=1, problem=busy, delay=2))
    assert find(screen(story), "break", "again: the array is busy")
    assert find(screen(story), "Move", "1 retrying")


def test_steps_whose_turn_it_is_are_being_read() -> None:
    assert find(screen(fence(go(begin()))), "reading  break")


def test_a_question_shows_how_long_it_waits_and_that_it_is_overdue() -> None:
    story = ask(begin())
    assert find(screen(story, later=600), "People", "go (incident-commander), asked 10 min 00 s ago, 20 min")
    assert find(screen(story, later=2400), "OVERDUE by 10 min 00 s")
    assert find(screen(story), "The north is lost. Go?", "   ")
    assert find(screen(story), f"Next  drctl answer {RUN} go …  # go or no-go")
    assert not [row for row in screen(story, asks=True) if "drctl answer" in row], "asked here already"


def test_problems_stay_in_sight_and_alike_ones_share_a_row() -> None:
    story = fence(go(begin())).say(ev.StepFailed(step="break", problem=problem("no licence", "refused")))
    story.say(ev.DriftFound(step="mount", planned="nowhere → /db", seen="/other → /db"))
    rows = screen(story)
    assert find(rows, "failed: break: no licence")
    assert find(rows, "drifted: mount: planned nowhere → /db; seen /other → /db")
    assert find(rows, "unproven: stop (2 steps): vc-north")
    assert rows.index(find(rows, "failed: break")) < rows.index(find(rows, "unproven: stop"))
    assert find(rows, f"drctl retry {RUN} break")


def test_a_stopped_run_says_so_and_how_to_go_on() -> None:
    story = go(begin()).say(ev.RunPaused(why="interrupted", exit=130))
    assert find(screen(story, life=Life(alive=False)), RUN, "paused (interrupted)")
    assert find(screen(story, life=Life(alive=False)), f"drctl resume {RUN}")
    assert find(screen(go(begin()), life=Life(alive=False)), "its engine is gone")


def test_what_was_pressed_is_shown_above_the_keys() -> None:
    rows = screen(begin(), notice="STOPPING")
    assert rows[-3:] == ["STOPPING", *KEYS]


def test_many_phases_share_a_row_once_they_have_ended() -> None:
    plan = [planned(f"s{n}", f"Phase {n}") for n in range(10)]
    story = begin(plan)
    for n in range(8):
        apply(story, f"s{n}")
    rows = screen(story)
    assert find(rows, "ended: Phase 0, Phase 1, Phase 2, Phase 3, Phase 4")
    assert find(rows, "Phase 9", "0/1 done")


def crowded(steps: int) -> Story:
    """Every section full: many running, failed, waiting and skipped steps with long names and texts."""
    names = [f"{'step-with-a-long-name' * 3}[{n}]" for n in range(steps)]
    gates = [f"gate{n}" for n in range(steps // 4)]
    plan = [planned(name, f"Phase {n % 9}") for n, name in enumerate(names)]
    story = begin([*PLAN, *plan, *(planned(gate, "Decide", "gate") for gate in gates)])
    for n, name in enumerate(names):
        story.say(ev.StepStarted(step=name, change=ev.ChangeData(summary="change " * 30)))
        if n % 3 == 0:
            story.say(ev.StepFailed(step=name, problem=problem(f"broken {n} " * 20, f"code-{n}")))
        elif n % 3 == 1:
            story.say(ev.StepSkipped(step=name, reason="because " * 20, cause="chain"))
    return story.say(*(ev.GateOpened(step=gate, ask="Go? " * 60) for gate in gates))


@settings(max_examples=40, deadline=None)
@given(steps=st.integers(0, 60), width=st.integers(40, 200), height=st.integers(12, 60))
def test_every_screen_fits_its_terminal(steps: int, width: int, height: int) -> None:
    rows = screen(crowded(steps), size=Size(width, height), notice="STOPPING")
    assert len(rows) <= height
    assert max(len(row) for row in rows) <= width
    assert rows[-2:] == [key[:width] for key in KEYS]


def test_a_crowded_80_by_24_still_shows_every_section() -> None:
    rows = screen(crowded(40))
    assert len(rows) == 24
    for section in ("Phases", "Problems", "People", "Next", "Running", "Latest"):
        assert find(rows, f"{section} ")
    assert [row for row in rows if "more: drctl status" in row]


@pytest.mark.parametrize("cut", range(0, 40, 3))
def test_any_beginning_of_a_run_can_be_shown(cut: int) -> None:
    story = complete(go(begin()))
    board = Board()
    board.hear(story.records[:cut])
    rows = frame(board, Scene(story.now, Life(alive=True)), Size())
    assert rows


def test_folding_piece_by_piece_shows_what_folding_at_once_shows() -> None:
    story = complete(go(begin()))
    whole, pieces = Board(), Board()
    whole.hear(story.records)
    for record in story.records:
        pieces.hear([record])
    scene = Scene(story.now, Life(alive=False))
    assert frame(whole, scene, Size()) == frame(pieces, scene, Size())


def test_thousands_of_steps_are_counted_as_they_end() -> None:
    plan = [planned(f"s[{n}]", f"Phase {n % 5}") for n in range(5000)]
    story = begin(plan)
    for step in plan:
        story.say(ev.StepStarted(step=step.step), ev.StepFinished(step=step.step, how="applied"))
    board = Board()
    board.hear(story.records)
    assert board.active == []
    assert {sum(counts.values()) for counts in board.phases.values()} == {1000}
