"""Drills and their cleanup, failovers and their rollback, and which run gives way to which."""

from __future__ import annotations

from pathlib import Path

import pytest
from circle import Circle

from drctl.app.leftovers import leftover_drills, leftover_problems
from drctl.core.problem import DrctlError, ExitCode
from drctl.core.run import State
from drctl.engine.chain import scan
from drctl.engine.home import claim

BEFORE = {"db-old": "on", "web-old": "on"}


@pytest.fixture
def circle(tmp_path: Path) -> Circle:
    return Circle(tmp_path)


def states(circle: Circle, ended: object) -> dict[str, State]:
    return {i: s.state for i, s in circle.fold(ended).steps.items()}  # type: ignore[arg-type]  # an Ended


def test_a_drill_works_on_its_own_and_says_what_it_left_out(circle: Circle) -> None:
    ended = circle.run("drill")
    assert ended.exit_code is ExitCode.OK
    made = {"db-drill": "on", "db-2-drill": "on", "web-2-drill": "on", "last-drill": "on"}
    assert circle.bay.machines == BEFORE | made
    run = circle.fold(ended)
    left_out = {i: s.not_exercised for i, s in run.steps.items() if s.state is State.NOT_EXERCISED}
    assert set(left_out) == {"fence[db]", "fence[web]", "record"}
    assert left_out["record"] == "there is only one of it"
    assert run.finished is not None
    assert run.finished.counts["not exercised"] == 3


def test_a_cleanup_takes_away_what_the_drill_made_newest_first(circle: Circle) -> None:
    drill = circle.run("drill")
    ended = circle.undo("cleanup", drill.directory.id)
    assert ended.exit_code is ExitCode.OK
    assert circle.bay.machines == BEFORE
    undone = circle.bay.calls[-4:]
    assert (undone[0], undone[-1]) == ("last-drill=gone", "db-drill=gone")
    assert circle.fold(ended).started.parent == drill.directory.id  # type: ignore[union-attr]  # it ran


def test_a_second_cleanup_finds_nothing_to_do(circle: Circle) -> None:
    drill = circle.run("drill").directory.id
    circle.undo("cleanup", drill)
    calls = list(circle.bay.calls)
    ended = circle.undo("cleanup", drill)
    assert ended.exit_code is ExitCode.OK
    assert set(states(circle, ended).values()) == {State.UNCHANGED}
    assert circle.bay.calls == calls


def test_a_half_made_drill_is_ended_and_cleaned_up(circle: Circle) -> None:
    drill = circle.run("drill", answer=None)
    assert drill.exit_code is ExitCode.WAITING
    assert circle.undo("cleanup", "last").exit_code is ExitCode.OK
    assert circle.bay.machines == BEFORE
    finished = circle.fold(drill).finished
    assert finished is not None
    assert finished.outcome == "aborted"
    assert "paused" not in drill.directory.incident.read_text().split("\n## ")[0]


def test_a_cleanup_that_stopped_is_resumed_from_the_drills_journal(circle: Circle) -> None:
    drill = circle.run("drill").directory.id
    circle.bay.machines["last-drill"] = "stuck"
    found = circle.aftermath("cleanup", drill)
    circle.bay.refuses.add("last-drill")
    stopped = circle.start(found.case, found.files)
    assert stopped.exit_code is ExitCode.WAITING
    assert "db-drill" in circle.bay.machines
    circle.bay.refuses.clear()
    (circle.folder / "i.yaml").write_text("edited meanwhile, and wrong")
    ended = circle.resume(stopped.directory.id)
    assert ended.exit_code is ExitCode.OK
    assert circle.bay.machines == BEFORE


def test_drills_left_behind_are_named_until_they_are_cleaned_up(circle: Circle) -> None:
    assert leftover_drills(circle.context) == ()
    drill = circle.run("drill").directory.id
    (problem,) = leftover_problems(circle.context)
    assert problem.hint == f"drctl cleanup {drill}"
    with pytest.raises(DrctlError) as caught:
        circle.run("drill")
    assert caught.value.exit_code is ExitCode.BLOCKED
    circle.undo("cleanup", drill)
    assert leftover_drills(circle.context) == ()
    assert circle.run("drill").exit_code is ExitCode.OK


def test_a_failover_goes_before_a_drill_which_stays_to_be_cleaned_up(circle: Circle) -> None:
    drill = circle.run("drill", answer=None)
    failover = circle.run("failover")
    assert failover.exit_code is ExitCode.OK
    run = circle.fold(drill)
    assert run.abort is not None
    assert failover.directory.id in run.abort.reason
    assert [one.started.run for one in leftover_drills(circle.context) if one.started] == [drill.directory.id]
    assert circle.undo("cleanup", "last").exit_code is ExitCode.OK
    assert not [name for name in circle.bay.machines if name.endswith("-drill")]
    assert circle.bay.machines["last"] == "on"


def test_an_engine_that_is_pushed_aside_may_write_no_more(circle: Circle) -> None:
    drill = circle.run("drill", answer=None)
    context = circle.context
    with claim(drill.directory, context.clock):
        assert circle.run("failover").exit_code is ExitCode.OK
    run = circle.fold(drill)
    assert (run.epoch, run.finished is not None) == (2, True)


def test_a_drill_waits_for_a_failover_and_a_cleanup_for_its_living_drill(circle: Circle) -> None:
    drill = circle.run("drill", answer=None)
    with claim(drill.directory, circle.context.clock), pytest.raises(DrctlError) as caught:
        circle.undo("cleanup", drill.directory.id)
    assert caught.value.exit_code is ExitCode.LOCKED
    circle.run("failover", answer=None)
    with pytest.raises(DrctlError, match="holds app"):
        circle.start(circle.case("drill"), circle.files)


def test_a_failover_before_its_point_of_no_return_is_rolled_back(circle: Circle) -> None:
    failover = circle.run("failover", answer="no-go")
    assert failover.exit_code is ExitCode.FAILED
    assert circle.bay.machines["db-old"] == "off"
    ended = circle.undo("rollback", failover.directory.id)
    assert ended.exit_code is ExitCode.OK
    assert circle.bay.machines == BEFORE


def test_a_failover_that_waits_is_ended_by_its_rollback(circle: Circle) -> None:
    failover = circle.run("failover", answer=None)
    assert circle.undo("rollback", "last").exit_code is ExitCode.OK
    assert circle.bay.machines == BEFORE
    assert circle.fold(failover).finished is not None


def test_past_the_point_of_no_return_there_is_no_rollback(circle: Circle) -> None:
    circle.bay.refuses.add("last")
    failover = circle.run("failover")
    assert failover.exit_code is ExitCode.FAILED
    calls = list(circle.bay.calls)
    with pytest.raises(DrctlError) as caught:
        circle.undo("rollback", failover.directory.id)
    assert caught.value.exit_code is ExitCode.BLOCKED
    assert [problem.step for problem in caught.value.problems] == ["record"]
    assert circle.bay.calls == calls
    assert circle.fold(failover).finished is None, "a refused rollback ends nothing"


@pytest.mark.parametrize(
    ("mode", "undoer", "hint"),
    [("drill", "rollback", "drctl cleanup"), ("failover", "cleanup", "drctl rollback")],
)
def test_each_is_undone_by_its_own_verb(circle: Circle, mode: str, undoer: str, hint: str) -> None:
    ended = circle.run(mode)  # type: ignore[arg-type]  # parametrised words
    with pytest.raises(DrctlError) as caught:
        circle.undo(undoer, ended.directory.id)  # type: ignore[arg-type]  # parametrised words
    assert caught.value.problems[0].hint.startswith(hint)


def test_a_completed_failover_is_not_rolled_back_but_brought_home(circle: Circle) -> None:
    ended = circle.run("failover")
    with pytest.raises(DrctlError) as caught:
        circle.undo("rollback", ended.directory.id)
    assert "drctl reprotect" in caught.value.problems[0].hint


def test_an_interrupted_drill_goes_on_in_the_bubble(circle: Circle) -> None:
    drill = circle.run("drill", answer=None)
    ended = circle.resume(drill.directory.id, answer="go")
    assert ended.exit_code is ExitCode.OK
    assert "last-drill" in circle.bay.machines
    assert "last" not in circle.bay.machines
    assert scan(ended.directory.journal).torn == 0
