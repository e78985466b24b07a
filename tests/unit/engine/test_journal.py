"""The journal's file: durable, in order, shared by threads and processes, and silent about secrets."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import quote

import pytest
from fake_clock import FakeClock

from drctl.core import events as ev
from drctl.core.action import Interrupted
from drctl.core.problem import DrctlError, ExitCode
from drctl.engine.chain import scan
from drctl.engine.journal import Entry, Fenced, Journal, JournalFile
from drctl.engine.ledger import Ledger
from drctl.inventory.redactor import Redactor


class CountingFile(JournalFile):
    """Counts how often it reached the disk."""

    writes = 0
    gate: threading.Event | None = None

    def _persist(self, content):
        if self.gate is not None:
            self.gate.wait(10)
        self.writes += 1
        super()._persist(content)


class FullDisk(JournalFile):
    """A disk that has room for some bytes and no more."""

    room = 10_000

    def _persist(self, content):
        if len(content) > self.room:
            os.write(self._fd, content[: self.room])
            raise OSError(28, "No space left on device")
        super()._persist(content)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "journal.jsonl"


def note(text: str) -> ev.Note:
    return ev.Note(text=text)


def taken(epoch: int) -> ev.LockTaken:
    return ev.LockTaken(epoch=epoch, owner="somebody", host="elsewhere", pid=1)


def texts(path: Path) -> list[str]:
    return [record.event.text for record in scan(path).records if isinstance(record.event, ev.Note)]


def write(path: Path, *events: ev.EventData) -> None:
    """Append as another process would: through a file of its own."""
    file = JournalFile(path, FakeClock())
    file.commit([Entry(event, "other") for event in events])
    file.close()


def test_appended_is_on_disk_when_append_returns(path):
    with Journal(JournalFile(path, FakeClock())) as journal:
        journal.append(note("one"), note("two"), actor="somebody")
        assert texts(path) == ["one", "two"]
        assert journal.head == scan(path).head
    assert [record.actor for record in scan(path).records] == ["somebody", "somebody"]


def test_the_file_is_private(path):
    JournalFile(path, FakeClock()).close()
    assert path.stat().st_mode & 0o077 == 0


def test_threads_share_a_write(path):
    """32 threads: each thread's order is kept, all is durable, and most events share a write."""
    file = CountingFile(path, FakeClock())
    file.gate = threading.Event()
    heard: list[int] = []

    def append(number: int) -> None:
        for turn in range(10):
            journal.append(note(f"{number}/{turn}"))

    with Journal(file) as journal:
        journal.subscribe(lambda records: heard.extend(record.seq for record in records))
        threads = [threading.Thread(target=append, args=(number,)) for number in range(32)]
        for thread in threads:
            thread.start()
        file.gate.set()
        for thread in threads:
            thread.join()
    written = texts(path)
    assert len(written) == 320
    for number in range(32):
        assert [t for t in written if t.startswith(f"{number}/")] == [
            f"{number}/{turn}" for turn in range(10)
        ]
    assert heard == list(range(320))
    assert file.writes < 320


def test_events_of_one_append_stay_together(path):
    with Journal(JournalFile(path, FakeClock())) as journal:
        threads = [
            threading.Thread(target=journal.append, args=(note(f"{n}a"), note(f"{n}b"))) for n in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    written = texts(path)
    assert [one[-1] for one in written] == ["a", "b"] * 20
    assert all(first[:-1] == second[:-1] for first, second in zip(written[::2], written[1::2], strict=True))


def test_a_torn_tail_is_dropped_before_the_next_line(path):
    write(path, note("whole"))
    with path.open("ab") as raw:
        raw.write(b'{"seq":1,"at":"2026')
    file = JournalFile(path, FakeClock())
    assert [record.event.text for record in file.commit()] == ["whole"]
    assert file.torn
    file.commit([Entry(note("next"), "engine")])
    file.close()
    assert texts(path) == ["whole", "next"]


def test_lines_that_vanish_under_an_open_journal_are_noticed(path):
    file = JournalFile(path, FakeClock())
    file.commit([Entry(note("one"), "engine"), Entry(note("two"), "engine")])
    os.truncate(path, 50)
    with pytest.raises(DrctlError) as caught:
        file.commit([Entry(note("three"), "engine")])
    assert caught.value.problems[0].code == "journal-broken"
    file.close()


def test_lines_of_other_processes_come_first_and_are_chained(path):
    file = JournalFile(path, FakeClock())
    file.commit([Entry(note("mine"), "engine")])
    write(path, note("theirs"))
    assert file.behind()
    news = file.commit([Entry(note("mine again"), "engine")])
    file.close()
    assert [record.event.text for record in news] == ["theirs", "mine again"]
    assert texts(path) == ["mine", "theirs", "mine again"]


APPENDER = """
import sys
from pathlib import Path
from drctl.core import events as ev
from drctl.core.clock import SystemClock
from drctl.engine.journal import Entry, JournalFile
file = JournalFile(Path(sys.argv[1]), SystemClock())
sys.stdin.readline()
for turn in range(50):
    file.commit([Entry(ev.Note(text=f"{sys.argv[2]}/{turn}"), sys.argv[2])])
"""


def test_processes_append_at_once(path):
    command = [sys.executable, "-c", APPENDER, str(path)]
    others = [
        subprocess.Popen([*command, name], stdin=subprocess.PIPE, text=True) for name in ("a", "b", "c")
    ]
    for other in others:
        other.stdin.write("go\n")
        other.stdin.flush()
    for other in others:
        other.communicate(timeout=30)
        assert other.returncode == 0
    written = texts(path)
    assert len(written) == 150
    for name in ("a", "b", "c"):
        assert [t for t in written if t.startswith(name)] == [f"{name}/{turn}" for turn in range(50)]


# Fencing


def test_an_engine_stops_at_the_first_write_after_a_takeover(path):
    with Journal(JournalFile(path, FakeClock())) as journal:
        journal.append(taken(1))
        journal.take(1)
        write(path, taken(2))
        with pytest.raises(Fenced, match=r"epoch 2"):
            journal.append(note("too late"))
        with pytest.raises(Fenced):
            journal.append(note("still too late"))
    assert texts(path) == []


def test_an_engine_that_only_looks_is_fenced_too(path):
    """The engine looks far more often than it writes: what it read there must not be forgotten."""
    with Journal(JournalFile(path, FakeClock())) as journal:
        journal.append(taken(1))
        journal.take(1)
        write(path, taken(2), note("theirs"))
        with pytest.raises(Fenced):
            journal.poll()
        with pytest.raises(Fenced):
            journal.append(note("too late"))
    assert texts(path) == ["theirs"]


def test_other_peoples_words_do_not_fence(path):
    with Journal(JournalFile(path, FakeClock())) as journal:
        journal.append(taken(1))
        journal.take(1)
        write(path, note("theirs"), taken(1))
        journal.append(note("mine"))
    assert texts(path) == ["theirs", "mine"]


def test_a_fence_read_on_opening_does_not_fence_the_one_who_takes_over(path):
    write(path, taken(7))
    file = JournalFile(path, FakeClock())
    file.commit()
    with Journal(file) as journal:
        journal.append(taken(8))
        journal.take(8)
        journal.append(note("mine"))
    assert texts(path) == ["mine"]


ENGINE = """
import sys, time
from pathlib import Path
from drctl.core import events as ev
from drctl.core.clock import SystemClock
from drctl.engine.journal import Fenced, Journal, JournalFile
with Journal(JournalFile(Path(sys.argv[1]), SystemClock())) as journal:
    journal.append(ev.LockTaken(epoch=1, owner="first", host="here", pid=1))
    journal.take(1)
    try:
        while True:
            journal.append(ev.Note(text="alive"), actor="first")
            print("wrote", flush=True)
    except Fenced:
        print("fenced", flush=True)
"""


def test_a_sleeper_that_wakes_after_a_takeover_writes_nothing_more(path):
    engine = subprocess.Popen([sys.executable, "-c", ENGINE, str(path)], stdout=subprocess.PIPE, text=True)
    assert engine.stdout.readline() == "wrote\n"
    engine.send_signal(19)  # SIGSTOP
    os.waitid(os.P_PID, engine.pid, os.WSTOPPED | os.WNOWAIT)
    # stopped in the middle of a batch it holds the file's lock: the batch ends first, as it would in life
    engine_holds = subprocess.run(["flock", "-n", str(path), "true"], check=False).returncode
    if engine_holds:
        engine.send_signal(18)
        engine.stdout.readline()
    write(path, taken(2))
    before = len(texts(path))
    engine.send_signal(18)  # SIGCONT
    output, _ = engine.communicate(timeout=30)
    assert output.splitlines()[-1] == "fenced"
    assert engine.returncode == 0
    events = [record.event for record in scan(path).records]
    assert isinstance(events[-1], ev.LockTaken)
    assert len(texts(path)) == before


# What goes wrong


def test_a_full_disk_is_said_and_nothing_half_written_stays(path):
    file = FullDisk(path, FakeClock())
    file.commit([Entry(note("before"), "engine")])
    file.room = 30
    with pytest.raises(DrctlError) as caught:
        file.commit([Entry(note("lost"), "engine")])
    problem = caught.value.problems[0]
    assert (problem.code, caught.value.exit_code) == ("journal-unwritable", ExitCode.FAILED)
    assert "No space left on device" in problem.summary
    assert "resume" in problem.hint
    file.room = 10_000
    file.commit([Entry(note("after"), "engine")])
    file.close()
    assert texts(path) == ["before", "after"]


def test_a_journal_that_cannot_be_opened_is_a_problem(tmp_path):
    with pytest.raises(DrctlError) as caught:
        JournalFile(tmp_path / "absent" / "journal.jsonl", FakeClock())
    assert caught.value.problems[0].code == "journal-unwritable"


def test_an_observer_that_fails_is_not_the_runs_end(path):
    heard: list[str] = []

    def fail(_):
        raise RuntimeError("cannot draw")

    with Journal(JournalFile(path, FakeClock())) as journal:
        journal.subscribe(fail)
        journal.subscribe(lambda records: heard.extend(record.event.text for record in records))
        journal.append(note("one"))
        journal.append(note("two"))
    assert heard == ["one", "two"]
    assert texts(path) == ["one", "two"]


def test_after_the_seal_only_the_owner_writes(path):
    """A step that was let go and returns late must not be able to begin anything."""
    caught: list[BaseException] = []

    def late() -> None:
        try:
            journal.append(note("late"))
        except Interrupted as error:
            caught.append(error)

    with Journal(JournalFile(path, FakeClock())) as journal:
        journal.seal()
        thread = threading.Thread(target=late)
        thread.start()
        thread.join()
        journal.append(note("last word"))
    assert len(caught) == 1
    assert texts(path) == ["last word"]


def test_a_closed_journal_refuses_instead_of_hanging(path):
    with Journal(JournalFile(path, FakeClock())) as journal:
        journal.append(note("one"))
    with pytest.raises(Interrupted):
        journal.append(note("two"))


# Secrets

SECRET = 's3cr3t "påss" & more'
WAYS = [
    SECRET,
    quote(SECRET),
    SECRET.replace("&", "&amp;"),
    SECRET.replace('"', '\\"'),
    base64.b64encode(SECRET.encode()).decode(),
    "Basic " + base64.b64encode(f"admin:{SECRET}".encode()).decode(),
]


@pytest.mark.parametrize("written", WAYS)
def test_no_form_of_a_secret_reaches_the_disk(path, written):
    redactor = Redactor()
    redactor.add(SECRET)
    nested = {"list": [{"deep": [f"x {written} y"]}], written: "as a key"}
    problem = ev.ProblemData(code="c", summary=f"refused {written}", detail=written)
    file = JournalFile(path, FakeClock(), redactor.tree)
    records = file.commit(
        [
            Entry(ev.StepFinished(step="a", how="applied", outputs=nested), "engine"),
            Entry(ev.StepFailed(step="b", problem=problem), "engine"),
        ]
    )
    file.close()
    content = path.read_text()
    assert SECRET not in content
    assert written not in content
    assert written not in str(records), "what observers see is what is on disk"
    assert records == list(scan(path).records)


@pytest.mark.parametrize(
    "secret", ["failed", "applied", "promote", "answered", "change", "manual", "failover"]
)
def test_a_secret_that_is_an_ordinary_word_does_not_break_the_journal(path, secret):
    """Steps keep their names and states: masking those would run a step again and again."""
    redactor = Redactor()
    redactor.add(secret)
    events = [
        ev.StepPlanned(step="promote[a].break", title="t", phase="p", kind="manual", verdict="will"),
        ev.StepStarted(step="promote[a].break", change=ev.ChangeData(summary=f"change {secret}")),
        ev.StepFinished(step="promote[a].break", how="applied", summary=f"with {secret}"),
        ev.RunPaused(why="failed", steps=("promote[a].break",), exit=1),
    ]
    file = JournalFile(path, FakeClock(), redactor.tree)
    file.commit([Entry(event, "engine") for event in events])
    file.close()
    planned, started, finished, paused = [record.event for record in scan(path).records]
    assert planned.step == started.step == finished.step == paused.steps[0] == "promote[a].break"
    assert (planned.kind, finished.how, paused.why) == ("manual", "applied", "failed")
    assert finished.summary == "with •••"
    assert started.change.summary.endswith(" •••")


def test_bytes_that_are_no_text_are_journaled_as_well_as_can_be(path):
    """Typed on a terminal of another encoding, or printed by a command."""
    file = JournalFile(path, FakeClock())
    odd = ev.StepFinished(step="a", how="applied", outputs={"out": ["caf\udce9"], "k\udce9y": 1})
    records = file.commit([Entry(note("caf\udce9"), "engine"), Entry(odd, "engine")])
    file.close()
    assert records == list(scan(path).records)
    assert (records[0].event.text, records[1].event.outputs["out"]) == ("caf?", ["caf?"])
    assert len(records[1].event.outputs) == 2


# The ledger


def test_a_ledger_folds_what_others_wrote_in_the_order_of_the_file(path):
    file = JournalFile(path, FakeClock())
    with Journal(file) as journal:
        ledger = Ledger(journal, file.commit())
        ledger.append(ev.GateOpened(step="go", ask="Go?"))
        write(path, ev.GateAnswered(step="go", answer="go", by="first"))
        write(path, ev.GateAnswered(step="go", answer="no-go", by="second"))
        ledger.append(note("mine"))
        assert ledger.wake.is_set()
        assert ledger.run.steps["go"].decision.by == "first"
        assert [record.seq for record in ledger.records] == [0, 1, 2, 3]
