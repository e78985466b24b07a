"""Going on: reality before memory, nothing without consent, nothing twice."""

from __future__ import annotations

import subprocess
import sys

import pytest
from things import failed

from drctl.app.resume import resuming
from drctl.core import events as ev
from drctl.core.problem import DrctlError, ExitCode
from drctl.engine.home import claim
from drctl.engine.journal import Entry, JournalFile
from drctl.engine.people import Answer

TWO = """
- {id: a, for_each: all.services, uses: thing.set, on: here, with: {thing: a, to: on}}
- {id: b, uses: thing.set, on: here, with: {thing: b, to: on, again: %s}}
"""
LOST = {"effect_unknown": True}
AWAY = {"unreachable": True}
A = "a[pacs]"


def table(resumption):
    return {row.step: (row.journal, row.reality, row.will) for row in resumption.reality.table}


def look(site):
    """The table, without going on."""
    with resuming(site.context, "last", accept_changes=False) as resumption:
        return table(resumption)


def interrupt(site):
    """Cut the journal back to before the last pause, as a kill would have left it."""
    content = site.directory.journal.read_bytes().splitlines(keepends=True)
    kept = [line for line in content if b'"RunPaused"' not in line and b'"StepIndeterminate"' not in line]
    assert kept == content[: len(kept)], "only the end is cut"
    site.directory.journal.write_bytes(b"".join(kept))


@pytest.mark.parametrize(
    ("again", "then", "reality", "will", "code"),
    [
        ("true", {"b": "on"}, "as wished", "adopt", ExitCode.OK),
        ("true", {}, "set b to on (state: absent → on)", "apply", ExitCode.OK),
        ("false", {}, "set b to on (state: absent → on)", "ask: it must not be repeated blindly", ExitCode.INDETERMINATE),
        ("false", {"b": "on"}, "as wished", "adopt", ExitCode.OK),
    ],
)  # fmt: skip
@pytest.mark.parametrize("killed", [True, False], ids=["killed", "indeterminate"])
def test_what_reality_decides(site, again, then, reality, will, code, killed):
    site.write(TWO % again)
    site.world.script("apply", "b", failed("gone", **LOST))
    site.world.script("read", "b", None, None, *[failed(**AWAY)] * 99)
    assert site.start() == ExitCode.INDETERMINATE
    site.world.forget()
    site.clock.advance(60)
    if killed:
        interrupt(site)
    site.world.states |= then
    said = "started, no end journaled" if killed else "indeterminate"
    calls = len(site.world.calls)
    assert look(site) == {"b": (said, reality, will)}
    assert site.resume() == code
    assert len(site.world.calls) - calls == (will == "apply")
    if then:
        assert site.run.steps["b"].how == "adopted"


def test_what_is_still_running_is_followed(site):
    site.write(TWO % "true")
    site.world.script("apply", "b", failed("gone", **LOST))
    site.world.script("read", "b", None, None, *[failed(**AWAY)] * 99)
    site.start()
    site.world.forget()
    site.clock.advance(60)
    site.world.running["b"] = "job-7"
    assert look(site)["b"][1:] == ("job job-7 is running", "follow it, start no second one")

    def ends(world):
        world.running.clear()
        world.states["b"] = "on"

    site.world.script("read", "b", None, None, ends)
    assert site.resume() == ExitCode.OK
    assert site.world.calls.count("b=on") == 1


def test_what_cannot_be_read_stays_in_doubt(site):
    site.write(TWO % "true")
    site.world.script("apply", "b", failed("gone", **LOST))
    site.world.script("read", "b", None, None, *[failed("no route", **AWAY)] * 999)
    site.start()
    site.clock.advance(60)
    assert look(site)["b"][1:] == (
        "cannot be read: no route",
        "read again; indeterminate while it cannot be read",
    )
    assert site.resume() == ExitCode.INDETERMINATE


def test_what_is_finished_and_holds_needs_no_row(site):
    site.start()
    assert look(site) == {}
    site.answers = {"go": Answer("go")}
    assert site.resume() == ExitCode.OK
    assert site.world.calls == ["a=on", "b=on"]


def test_what_is_finished_and_no_longer_holds_is_done_again_only_with_consent(site):
    site.start()
    site.world.states["a"] = "off"
    site.answers = {"go": Answer("go")}
    with resuming(site.context, "last", accept_changes=False) as resumption:
        assert table(resumption) == {
            A: ("finished (applied)", "set a to on (state: off → on)", "apply again, once confirmed")
        }
        assert resumption.consent == (f"{A} is finished but reality differs: it will be applied again",)
    assert site.resume() == ExitCode.OK
    assert site.world.calls == ["a=on", "a=on", "b=on"]
    assert site.of("RunResumed")[0].table[0].step == A


def test_what_was_unchanged_and_no_longer_holds_is_no_drift_once_agreed(site):
    """The person has seen the table: asking a second time, as drift, would only cost minutes."""
    site.world.states["a"] = "on"
    site.start()
    assert site.run.steps[A].how == "unchanged"
    site.world.states["a"] = "off"
    site.answers = {"go": Answer("go")}
    assert site.resume() == ExitCode.OK
    assert site.of("DriftFound") == []


def test_what_failed_half_way_is_no_drift_on_resume(site):
    """This run itself changed it, in vain."""
    site.write(TWO % "true")
    site.world.states["b"] = "off"

    def half(world):
        world.states["b"] = "half"
        raise failed()

    site.world.script("apply", "b", half)
    assert site.start() == ExitCode.FAILED
    assert site.resume() == ExitCode.OK
    assert site.of("DriftFound") == []


def drift(site):
    """A run that stopped because the world is not what the plan saw."""
    site.write(TWO % "true")
    site.world.script("apply", "a", lambda world: world.states.update(b="odd"))
    assert site.start() == ExitCode.DRIFTED


def test_drift_goes_on_with_a_new_plan_once_agreed(site):
    drift(site)
    with resuming(site.context, "last", accept_changes=False) as resumption:
        assert resumption.consent == ("b is no longer what the plan saw: set b to on (state: odd → on)",)
    assert site.resume() == ExitCode.OK
    planned = [event for event in site.of("StepPlanned") if event.step == "b"]
    assert [event.change.fields[0].before for event in planned] == [None, "odd"]
    assert len([event for event in site.of("StepPlanned") if event.step == A]) == 1


def test_who_does_not_agree_leaves_the_run_as_it_was(site):
    drift(site)
    before = site.directory.journal.read_bytes()
    for _ in range(2):
        with resuming(site.context, "last", accept_changes=False) as resumption:
            assert len(resumption.consent) == 1, "and is asked again the next time"
    assert site.directory.journal.read_bytes() == before
    assert site.run.paused.why == "drift"
    assert site.resume() == ExitCode.OK


def test_a_new_blocker_leaves_the_run_as_it_was(site):
    drift(site)
    before = site.directory.journal.read_bytes()
    site.world.script("read", "b", *[failed("no answer")] * 9)
    with pytest.raises(DrctlError, match="no answer") as caught:
        site.resume()
    assert caught.value.exit_code == ExitCode.BLOCKED
    assert site.directory.journal.read_bytes() == before


def test_what_a_person_skipped_blocks_no_new_plan(site):
    site.write("""
    - {id: a, uses: thing.set, on: here, with: {thing: a, to: on}, on_error: ask}
    - {id: b, uses: thing.set, on: here, with: {thing: b, to: on}}
    """)
    site.world.script("apply", "a", failed())
    assert site.start() == ExitCode.WAITING
    site.speaker().skip("a", "not tonight")
    site.world.states["b"] = "odd"
    assert site.resume() == ExitCode.DRIFTED
    site.world.script("read", "a", *[failed("no answer")] * 9)
    assert site.resume() == ExitCode.EXCEPTIONS


# Edited files


def test_edited_files_are_refused_then_accepted_and_the_difference_is_journaled(site):
    site.start()
    site.write("""
    - {id: a, for_each: all.services, uses: thing.set, on: here, with: {thing: a, to: on}}
    - {id: b, uses: thing.set, on: here, with: {thing: b, to: up}}
    """)
    with pytest.raises(DrctlError) as caught:
        site.resume()
    assert caught.value.exit_code == ExitCode.DRIFTED
    assert "-      - {id: go, gate: {ask: Go on?}}" in caught.value.problems[0].detail
    assert "--accept-changes --reason" in caught.value.problems[0].hint
    assert site.resume(accept_changes=True) == ExitCode.OK
    assert site.world.calls == ["a=on", "b=up"]
    (resumed,) = site.of("RunResumed")
    assert "+      - {id: b, uses: thing.set, on: here, with: {thing: b, to: up}}" in resumed.accepted_changes
    assert resumed.runbook_digest
    assert site.directory.runbook.read_text() == site.files.runbook.read_text()
    assert site.states() == {A: "succeeded", "go": "skipped", "b": "succeeded"}


def test_ids_tie_the_journal_to_an_edited_runbook(site):
    """What has ended keeps its end, wherever it stands now."""
    site.start()
    site.write("""
    - {id: first, uses: thing.set, on: here, with: {thing: first, to: on}}
    - {id: a, for_each: all.services, uses: thing.set, on: here, with: {thing: a, to: on}}
    """)
    assert site.resume(accept_changes=True) == ExitCode.OK
    assert site.world.calls == ["a=on", "first=on"]


def test_dropping_the_step_that_failed_is_an_exception_of_the_one_who_did_it(site):
    site.write(TWO % "true")
    site.world.script("apply", "b", failed())
    assert site.start() == ExitCode.FAILED
    site.write((TWO % "true").strip().splitlines()[0])
    assert site.resume(accept_changes=True) == ExitCode.OK
    (dropped,) = site.of("StepSkipped")
    assert (dropped.step, dropped.cause, dropped.by) == ("b", "person", "ann@a.example")


def test_files_are_replaced_only_after_the_words_that_allow_it(site):
    """Killed in between, the next resume finds the difference again instead of going on with it."""
    site.start()
    site.write(TWO % "true")
    before = site.directory.runbook.read_text()
    site.hooks.append(
        lambda event: event.type == "RunResumed" and seen.append(site.directory.runbook.read_text())
    )
    seen = []
    site.resume(accept_changes=True)
    assert seen == [before]
    assert site.directory.runbook.read_text() != before


def test_files_that_are_gone_count_as_unchanged(site):
    site.start()
    site.files.runbook.unlink()
    site.files.inventory.unlink()
    site.answers = {"go": Answer("go")}
    assert site.resume() == ExitCode.OK


# Who may


def test_a_finished_run_is_refused(site):
    site.answers = {"go": Answer("go")}
    site.start()
    with pytest.raises(DrctlError, match="has ended: completed"):
        site.resume()


def test_a_live_run_is_refused(site):
    site.start()
    with claim(site.directory, site.clock), pytest.raises(DrctlError) as caught:
        site.resume()
    assert caught.value.exit_code == ExitCode.LOCKED


def test_a_run_killed_before_its_first_step_goes_on(site):
    site.start()
    lines = site.directory.journal.read_bytes().splitlines(keepends=True)
    first = [line for line in lines if any(word in line for word in WORDS)]
    assert first == lines[: len(first)]
    site.directory.journal.write_bytes(b"".join(first))
    site.world.states.clear()
    site.world.calls.clear()
    site.answers = {"go": Answer("go")}
    assert site.resume() == ExitCode.OK
    assert site.world.calls == ["a=on", "b=on"]


WORDS = (b'"RunStarted"', b'"LockTaken"', b'"PlanApproved"', b'"ClockSet"', b'"LossStated"', b'"StepPlanned"')


def test_a_torn_line_is_dropped_and_said(site):
    site.start()
    with site.directory.journal.open("ab") as file:
        file.write(b'{"seq":')
    site.answers = {"go": Answer("go")}
    assert site.resume(look=lambda resumption: check(resumption.session.torn)) == ExitCode.OK
    assert site.of("RunResumed")[0].torn_tail


def check(flag):
    assert flag


def test_who_took_over_from_whom_is_journaled_with_the_reason(site):
    site.start()
    site.answers = {"go": Answer("go")}
    site.resume()
    types = [event.type for event in site.events]
    place = types.index("RunResumed")
    taken, resumed = site.events[place - 1 : place + 1]
    assert (taken.type, taken.epoch) == ("LockTaken", 2)
    assert taken.took_over_from.startswith("ann on a.example")
    assert (resumed.by, resumed.reason) == ("ann@a.example", "a test")


SLEEPER = """
import sys
from pathlib import Path
from drctl.core import events as ev
from drctl.core.clock import SystemClock
from drctl.engine.home import RunDirectory, claim
from drctl.engine.journal import Fenced, Journal, JournalFile
directory, clock = RunDirectory(Path(sys.argv[1])), SystemClock()
file = JournalFile(directory.journal, clock)
file.commit()
with claim(directory, clock), Journal(file) as journal:
    journal.take(1)
    print("mine", flush=True)
    sys.stdin.readline()
    try:
        journal.append(ev.StepStarted(step="b"))
        print("wrote", flush=True)
    except Fenced:
        print("fenced", flush=True)
"""


def test_a_sleeping_engine_is_taken_over_and_does_nothing_when_it_wakes(site):
    site.start()
    command = [sys.executable, "-c", SLEEPER, str(site.directory.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sleeper:
        assert sleeper.stdout.readline() == "mine\n"
        sleeper.send_signal(19)  # SIGSTOP
        site.clock.advance(10**9)  # far beyond what the system's clock may say
        with resuming(site.context, "last", accept_changes=False):
            assert site.run.epoch == 2, "before reality is read: it may wake at any moment"
            sleeper.send_signal(18)  # SIGCONT
            output, _ = sleeper.communicate("\n", timeout=20)
            assert output == "fenced\n"
    assert site.of("StepStarted")[-1].step == A


def test_words_of_others_during_the_reading_are_not_lost(site):
    site.start()

    def answer(resumption):
        file = JournalFile(site.directory.journal, site.clock)
        file.commit([Entry(ev.GateAnswered(step="go", answer="go", by="bob"), "bob")])
        file.close()

    assert site.resume(look=answer) == ExitCode.OK
    assert site.run.steps["go"].decision.by == "bob"
