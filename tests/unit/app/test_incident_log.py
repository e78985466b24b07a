"""The incident log follows the journal and never stands in its way."""

from __future__ import annotations

import pytest
from fake_clock import FakeClock
from small_run import started

from drctl.app.incident import IncidentLog
from drctl.core import events as ev
from drctl.engine.journal import Entry, Fenced, Journal, JournalFile


@pytest.fixture
def journal(tmp_path):
    with Journal(JournalFile(tmp_path / "journal.jsonl", FakeClock())) as opened:
        yield opened


def follow(journal, path):
    log = IncidentLog(path, journal, [], FakeClock())
    journal.subscribe(log.hear)
    return log


def test_it_is_exact_where_somebody_will_read(journal, tmp_path):
    path = tmp_path / "incident.md"
    with follow(journal, path):
        journal.append(started(), ev.GateOpened(step="go", ask="Go now?"))
        assert "Go now?" in path.read_text()
        assert journal.head.digest in path.read_text()


def test_a_log_that_cannot_be_written_holds_nothing_up(journal, tmp_path):
    path = tmp_path / "absent" / "incident.md"
    with follow(journal, path):
        journal.append(started(), ev.GateOpened(step="go", ask="Go now?"))
        path.parent.mkdir()
        journal.append(ev.GateOpened(step="later", ask="And now?"))
        assert "Go now?" in path.read_text()
        assert "And now?" in path.read_text()


def test_after_a_takeover_the_file_is_the_new_owners(journal, tmp_path):
    path = tmp_path / "incident.md"
    with IncidentLog(path, journal, [], FakeClock()):
        journal.append(ev.LockTaken(epoch=1, owner="first", host="here", pid=1))
        journal.take(1)
        other = JournalFile(tmp_path / "journal.jsonl", FakeClock())
        other.commit([Entry(ev.LockTaken(epoch=2, owner="second", host="there", pid=2), "second")])
        other.close()
        with pytest.raises(Fenced):
            journal.poll()
        path.write_text("written by the new owner")
    assert path.read_text() == "written by the new owner"
