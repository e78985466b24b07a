"""The incident log of small runs, word by word and fact by fact."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from journals import BEGAN, Story, apply, ask, begin, complete, fence, go, problem

from drctl.core import events as ev
from drctl.report.incident import render_incident

HERE = Path(__file__).parent
BY = "kim@jump.example"


def taken_up(story: Story) -> Story:
    """Another engine takes the run an hour later."""
    lock = ev.LockTaken(
        epoch=2, owner="sam", host="desk.example", pid=12, took_over_from="kim on jump.example"
    )
    story.say(lock, after=3600, by="sam@desk.example")
    return story.say(ev.RunResumed(by="sam@desk.example", reason="the jump host is back"))


def full() -> Story:
    """A run with exceptions, as most are."""
    return complete(go(begin()))


def interrupted() -> Story:
    """Killed while a volume was broken off, adopted by the next engine; an override was needed."""
    story = fence(go(begin()))
    change = ev.ChangeData(summary="break south:db: snapmirrored → broken_off")
    story.say(ev.StepStarted(step="break", change=change), after=1)
    story.say(ev.StepProgress(step="break", message="force=true: the peer cannot be reached.", override=True))
    taken_up(story).say(ev.StepFinished(step="break", how="adopted"), after=2)
    apply(story, "mount")
    return story.say(ev.RunPaused(why="interrupted", exit=130), after=1)


def refused() -> Story:
    """Somebody said no-go: nothing was touched."""
    no = ev.GateAnswered(step="go", answer="no-go", by=BY, reason="power is back", via="terminal")
    story = ask(begin()).say(no, after=30, by=BY)
    story.say(ev.StepFailed(step="go", problem=problem("no-go by kim: power is back", "denied")))
    return story.say(ev.RunFinished(outcome="aborted", exit=1))


def in_doubt() -> Story:
    """A lost reply, a drift and a step that a person left out; midnight passes."""
    story = fence(go(begin()))
    story.say(ev.StepStarted(step="break", change=ev.ChangeData(summary="break south:db")), after=1)
    lost = problem("the array's answer was lost", "lost", hint="drctl retry reads the array again.")
    story.say(ev.StepIndeterminate(step="break", problem=lost), after=10)
    story.say(ev.DriftFound(step="mount", planned="nowhere → /db", seen="/other → /db"), after=5)
    story.say(ev.SkipRequested(step="call", by=BY, reason="carrier | unreachable"), after=86400, by=BY)
    return story.say(ev.RunPaused(why="indeterminate", steps=("break",), exit=7))


@pytest.mark.parametrize("tell", [full, interrupted, refused, in_doubt])
def test_the_log_is_the_golden_one(tell: Callable[[], Story]) -> None:
    """``golden/NAME.md`` is what people read; after a wanted change, write what this shows there."""
    golden = HERE / "golden" / f"{tell.__name__}.md"
    assert render_incident(tell().records, "d" * 64) == golden.read_text()


def test_a_run_as_wished_has_no_open_questions() -> None:
    story = begin()
    log = render_incident(story.records, "d" * 64)
    assert "None so far; 8 steps still to end." in log
    assert "**running**" in log


def test_services_are_only_met_when_their_checks_passed() -> None:
    log = render_incident(full().records, "d" * 64)
    assert "| The portal |" in log
    assert "2 of 2 services answer at The south, all inside their objectives." in log
    late = complete(go(begin()))
    moved = [
        ev.Recorded(r.seq, r.at + timedelta(hours=1) if r.seq > 20 else r.at, r.actor, r.event)
        for r in late.records
    ]
    log = render_incident(moved, "d" * 64)
    assert "objectives missed: The portal, The archive" in log
    assert "| **RTO missed** |" in log


def test_an_empty_journal_is_said_to_be_empty() -> None:
    assert "no beginning" in render_incident([], "d" * 64)


def test_a_note_stands_where_it_happened_and_who_said_it() -> None:
    story = full()
    instant = BEGAN + timedelta(minutes=1)
    story.say(ev.Note(text="The carrier | confirms", kind="communication", by=BY, instant=instant), by=BY)
    log = render_incident(story.records, "d" * 64)
    assert f"| 02:31:00 | 03:31:00 |  | Communication ({BY}): The carrier \\| confirms |" in log
