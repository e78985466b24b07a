"""Where runs live, who finds them, and who may run what when."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest
from fake_clock import FakeClock
from small_run import recorded, started, taken

from drctl.core import events as ev
from drctl.core.clock import SystemClock
from drctl.core.problem import DrctlError, ExitCode
from drctl.core.run import Run
from drctl.engine.home import STALE, Home, RunDirectory, claim, is_alive, taken_by
from drctl.engine.journal import Entry, JournalFile

NORTH_SOUTH = frozenset({"north", "south"})


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def home(tmp_path, clock):
    return Home(tmp_path / "home", clock)


def make(home: Home, identity: str, *events: ev.EventData, clock: FakeClock | None = None) -> RunDirectory:
    """A run as a journal and nothing else."""
    directory = home.create(identity)
    file = JournalFile(directory.journal, clock or FakeClock())
    file.commit([Entry(event, "engine") for event in events])
    file.close()
    return directory


def refused(home: Home, *services: str, sites: frozenset[str] = NORTH_SOUTH) -> DrctlError:
    with pytest.raises(DrctlError) as caught:
        home.refuse_conflict(frozenset(services), sites)
    assert caught.value.exit_code == ExitCode.LOCKED
    return caught.value


# Finding runs


@pytest.mark.parametrize(
    ("reference", "found"),
    [("last", "20260131-0402-failover-aa"), ("20260131-0300-failover-bb", "20260131-0300-failover-bb"),
     ("20260131-03", "20260131-0300-failover-bb"), ("20260131-0300", "20260131-0300-failover-bb")],
)  # fmt: skip
def test_a_run_is_found_by_id_unique_prefix_or_last(home, reference, found):
    for name in ("20260131-0402-failover-aa", "20260131-0300-failover-bb"):
        make(home, name, started())
    (home.path / "runs" / "20260201-without-a-journal").mkdir()
    assert home.find(reference).id == found


@pytest.mark.parametrize(
    ("reference", "words", "hint"),
    [
        ("20260131", "2 runs begin with", "The newest: 20260131-b, 20260131-a"),
        ("x", "there is no run 'x'", "drctl runs lists them all"),
    ],
)
def test_what_names_no_run_is_said(home, reference, words, hint):
    make(home, "20260131-a", started())
    make(home, "20260131-b", started())
    with pytest.raises(DrctlError, match=words) as caught:
        home.find(reference)
    assert hint in caught.value.problems[0].hint


def test_runs_of_the_same_second_come_in_the_order_of_their_beginnings(home, clock):
    for name in (
        "20260131-030000-switchover-ffff",
        "20260131-030000-reprotect-8888",
        "20260131-030000-drill-0000",
    ):
        make(home, name, started(), clock=clock)
        clock.advance(0.001)
    assert [run.id.split("-")[2] for run in home.all()] == ["switchover", "reprotect", "drill"]
    assert home.find("last").id.endswith("-drill-0000")


def test_last_without_any_run_is_said(home):
    with pytest.raises(DrctlError, match="no run was made in"):
        home.find("last")


def test_an_id_is_the_whole_id_even_where_it_begins_another(home):
    make(home, "r1", started())
    make(home, "r10", started())
    assert home.find("r1").id == "r1"


def test_names_sort_by_time(home, clock):
    first = home.name("failover")
    clock.advance(1)
    assert first < home.name("failover")
    assert first.startswith("20260131-030000-failover-")


# Conflicts

PAUSED = ev.RunPaused(why="failed", exit=1)


@pytest.mark.parametrize(
    ("events", "services", "sites", "words"),
    [
        ([started("pacs", "ris")], ["ris"], NORTH_SOUTH, "holds ris: interrupted"),
        ([started("pacs", "ris"), taken(), PAUSED], ["ris", "pacs"], NORTH_SOUTH, "holds pacs, ris: stopped (failed), owner somebody on here"),
        ([started("pacs", source="south", target="north")], ["pacs"], NORTH_SOUTH, "holds pacs"),
        ([started("pacs")], ["portal"], NORTH_SOUTH, None),
        ([started("pacs")], ["pacs"], frozenset({"north", "vault"}), None),
        ([started("pacs"), ev.RunFinished(outcome="completed", exit=0)], ["pacs"], NORTH_SOUTH, None),
        ([started("pacs"), ev.RunFinished(outcome="aborted", exit=1)], ["pacs"], NORTH_SOUTH, None),
        ([started("pacs"), ev.RunFinished(outcome="aborted", exit=1), ev.Note(text="later")], ["pacs"], NORTH_SOUTH, None),
        ([], ["pacs"], NORTH_SOUTH, None),
    ],
)  # fmt: skip
def test_one_run_at_a_time_per_service_and_pair_of_sites(home, events, services, sites, words):
    make(home, "r1", *events)
    if words is None:
        home.refuse_conflict(frozenset(services), sites)
        return
    problem = refused(home, *services, sites=sites).problems[0]
    assert words in problem.summary
    assert "drctl resume r1" in problem.hint
    assert "drctl abort r1" in problem.hint


def test_the_owner_of_a_live_run_is_named(home, clock):
    directory = make(home, "r1", started("pacs"), taken())
    with claim(directory, clock):
        problem = refused(home, "pacs").problems[0]
    assert "running, owner somebody on here" in problem.summary
    assert "wait" in problem.hint


def damage(directory: RunDirectory) -> None:
    content = directory.journal.read_bytes().split(b"\n")
    content[1:1] = [b"garbage"]
    directory.journal.write_bytes(b"\n".join(content))


def test_a_damaged_journal_holds_only_its_own_services(home):
    """An old file nobody looks at must not keep a failover from starting."""
    damage(make(home, "r1", started("pacs"), taken()))
    home.refuse_conflict(frozenset({"portal"}), NORTH_SOUTH)
    problem = refused(home, "pacs").problems[0]
    assert "r1 may hold pacs: its journal is damaged" in problem.summary
    assert "line 2" in problem.detail
    assert str(home.path / "runs" / "r1") in problem.hint


# Owning a run


@pytest.fixture
def run(home):
    return make(home, "r1", started("pacs"), taken())


def test_a_run_has_one_engine(run, clock):
    assert not is_alive(run)
    with claim(run, clock) as silent:
        assert not silent
        assert is_alive(run)
        with pytest.raises(DrctlError) as caught, claim(run, clock):
            pass
        assert caught.value.exit_code == ExitCode.LOCKED
    assert not is_alive(run)
    with claim(run, clock):
        assert is_alive(run)


OWNER = """
import sys
from pathlib import Path
from drctl.core.clock import SystemClock
from drctl.engine.home import RunDirectory, claim
with claim(RunDirectory(Path(sys.argv[1])), SystemClock()):
    print("mine", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def owner(run):
    """Another process that owns the run."""
    command = [sys.executable, "-c", OWNER, str(run.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "mine\n"
        yield process
        process.kill()


def test_a_dead_owner_holds_nothing(run, owner):
    assert is_alive(run)
    owner.kill()
    owner.wait(10)
    assert not is_alive(run)
    with claim(run, SystemClock()) as silent:
        assert not silent


def test_a_silent_owner_is_taken_over_and_the_new_one_holds_the_run(run, owner):
    """It may only be asleep: what it holds stays its own, and the new owner is seen as alive."""
    owner.send_signal(19)  # SIGSTOP
    later = FakeClock(SystemClock().now())
    with pytest.raises(DrctlError), claim(run, later):
        pass
    later.advance(STALE + 1)
    with claim(run, later) as silent:
        assert silent
        owner.send_signal(18)  # SIGCONT: it wakes, ends, and gives its old lock back
        owner.communicate("\n", timeout=10)
        assert is_alive(run)
        with pytest.raises(DrctlError), claim(run, later):
            pass
    assert not is_alive(run)


def test_a_living_owner_gives_signs_of_life(run):
    """The heartbeat alone moves this clock: ten times as far as silence may last."""
    clock = FakeClock(still=())
    with claim(run, clock):
        wait_for(lambda: clock.monotonic() > 10 * STALE)
        with pytest.raises(DrctlError), claim(run, clock):
            pass


def wait_for(condition) -> None:
    """Bounded wait for another thread."""
    done = threading.Event()
    for _ in range(5000):
        if condition():
            return
        done.wait(0.001)
    raise AssertionError("never happened")


def test_looking_at_a_run_keeps_nobody_from_owning_it(run, clock):
    """Other terminals look whether an engine is alive while one is about to begin."""
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            is_alive(run)

    lookers = [threading.Thread(target=look) for _ in range(4)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(100):
            with claim(run, clock):
                pass
    finally:
        stop.set()
        for looker in lookers:
            looker.join()


def test_one_process_at_a_time_looks_for_conflicts_and_creates(home):
    order = []

    def begin(name: str) -> None:
        with home.starting():
            order.append(name)
            order.append(name)

    threads = [threading.Thread(target=begin, args=(str(n),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert order[::2] == order[1::2]


def test_taking_a_run_says_from_whom():
    first = taken_by(Run(), "ann", "a.example")
    assert (first.epoch, first.took_over_from, first.pid) == (1, "", os.getpid())
    second = taken_by(Run.of(recorded(started(), first)), "bob", "b.example")
    assert (second.epoch, second.took_over_from) == (2, f"ann on a.example, pid {os.getpid()}")


def test_where_the_copies_came_from(run, tmp_path):
    run.write_origins(tmp_path / "r.yaml", tmp_path / "x" / ".." / "i.yaml")
    assert run.read_origins() == (tmp_path / "r.yaml", tmp_path / "i.yaml")
