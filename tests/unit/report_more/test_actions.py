"""Actions stay open until a note closes them."""

from __future__ import annotations

from datetime import date

from story import Story

from drctl.report.actions import action_document, action_line, actions_of, open_actions


def test_an_action_is_named_after_its_line_and_closed_by_that_name(tmp_path):
    story = Story(tmp_path, "a").note("not one", "lesson")
    story.note("lower the TTL", "action", owner="network", due=date(2026, 3, 1))
    story.note("label the racks", "action")
    first, second = actions_of("a", story.records)
    lines = story.directory.journal.read_text().splitlines()
    assert "lower the TTL" in lines[first.line - 1]
    assert (first.owner, first.due) == ("network", date(2026, 3, 1))
    later = Story(tmp_path, "b").note("done", closes=first.id)
    found = open_actions([("a", story.records), ("b", later.records)])
    assert [action.id for action in found] == [second.id]


def test_a_closing_note_is_no_action(tmp_path):
    story = Story(tmp_path, "a").note("done", "action", closes="z/3")
    assert actions_of("a", story.records) == ()


def test_a_closing_note_with_an_owner_takes_the_others_place(tmp_path):
    """That is how an action gets the owner that report --check misses."""
    story = Story(tmp_path, "a").note("label the racks", "action")
    (bare,) = actions_of("a", story.records)
    story.note("label the racks", "action", owner="facilities", due=date(2026, 3, 1), closes=bare.id)
    assert [action.owner for action in open_actions([("a", story.records)])] == ["facilities"]


def test_due_dates_pass(tmp_path):
    action = actions_of("a", Story(tmp_path, "a").note("x", "action", due=date(2026, 3, 1)).records)[0]
    assert not action.overdue(date(2026, 3, 1))
    assert action.overdue(date(2026, 3, 2))
    assert action_line(action, date(2026, 3, 2)).endswith("x (nobody named, due 2026-03-01, OVERDUE)")
    assert action_document(action, date(2026, 3, 1)) == {
        "id": action.id, "run": "a", "text": "x", "by": "operator@bastion", "owner": None,
        "due": "2026-03-01", "overdue": False,
    }  # fmt: skip


def test_no_journal_no_action():
    assert open_actions([]) == ()
