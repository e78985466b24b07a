"""What another terminal may say to a run, alive or stopped, and what it is told when that makes no sense."""

from __future__ import annotations

import fcntl
import os
from dataclasses import replace

import pytest
from things import failed

from drctl.core import events as ev
from drctl.core.problem import DrctlError, ExitCode
from drctl.engine.home import LOCK, STALE, claim
from drctl.engine.journal import Entry, Fenced, JournalFile
from drctl.engine.people import Answer

A = "a[pacs]"
GO = Answer("go", "crisis cell")


def refused(call, *arguments):
    with pytest.raises(DrctlError) as caught:
        call(*arguments)
    assert caught.value.exit_code == ExitCode.USAGE
    return caught.value.problems[0]


def say(site, *events, by="engine"):
    file = JournalFile(site.directory.journal, site.clock)
    file.commit([Entry(event, by) for event in events])
    file.close()


def test_an_answer_to_a_stopped_run(site):
    site.start()
    said = site.speaker().answer("go", GO)
    assert not said.alive
    assert site.run.steps["go"].decision == ev.GateAnswered(
        step="go", answer="go", by="bob@b.example", reason="crisis cell", via="answer"
    )
    assert "crisis cell" in site.directory.incident.read_text(), "the log is exact although no engine runs"
    assert site.resume() == ExitCode.OK


def test_an_answer_to_a_live_run(site):
    site.start()
    with claim(site.directory, site.clock):
        assert site.speaker().answer("go", GO).alive


@pytest.mark.parametrize(
    ("step", "answer", "words"),
    [
        ("go", Answer("done"), "go is answered with go or no-go, not done"),
        (A, GO, "is not waiting for an answer: it is succeeded"),
        ("b", GO, "is not waiting for an answer: it is pending"),
        ("nothing", GO, "no step is called 'nothing'"),
    ],
)
def test_answers_that_fit_nothing(site, step, answer, words):
    site.start()
    before = site.directory.journal.read_bytes()
    problem = refused(site.speaker().answer, step, answer)
    assert words in problem.summary
    assert "drctl status" in problem.hint
    assert site.directory.journal.read_bytes() == before


def test_a_step_that_was_meant_is_suggested(site):
    site.start()
    assert refused(site.speaker().answer, "a", GO).hint == f"Did you mean {A}?"


def test_the_second_answer_is_told_who_was_first(site):
    site.start()
    site.speaker().answer("go", GO)
    problem = refused(site.speaker().answer, "go", Answer("no-go"))
    assert "answered already by bob@b.example" in problem.summary
    assert site.run.denied is None


def test_an_answer_that_comes_while_another_is_given_is_told_so(site):
    """Both saw the question open; the journal decides who was first."""
    site.start()

    class Slow(JournalFile):
        """Somebody else answers between our look and our word."""

        done = False

        def commit(self, entries=()):
            if entries and not Slow.done:
                Slow.done = True
                say(site, ev.GateAnswered(step="go", answer="no-go", by="ann"))
            return super().commit(entries)

    site.other = replace(site.other, journal_file=Slow)
    problem = refused(site.speaker().answer, "go", GO)
    assert "answered already by ann" in problem.summary


def test_a_gate_that_has_decided_takes_no_answer(site):
    site.write("- {id: go, gate: {ask: Go on?, timeout: 30m, on_timeout: deny}}")
    site.interrupt_at("GateOpened")
    site.clock.advance(1801)
    problem = refused(site.speaker().answer, "go", GO)
    assert "its time is over" in problem.summary
    assert "drctl resume" in problem.hint
    assert site.resume() == ExitCode.FAILED
    assert site.run.finished.outcome == "aborted"


def test_notes_are_taken_even_after_the_end_and_end_nothing_again(site):
    site.answers = {"go": Answer("go")}
    site.start()
    end = site.run.finished
    site.speaker().note(ev.Note(text="The carrier called.", kind="communication", by="bob"))
    assert (site.run.finished, site.run.notes[-1][1].text) == (end, "The carrier called.")
    assert "The carrier called." in site.directory.incident.read_text()
    site.home.refuse_conflict(frozenset({"pacs"}), frozenset({"north", "south"}))


def test_a_run_that_has_ended_hears_nothing_else(site):
    site.start()
    site.speaker().abort("power is back")
    speaker = site.speaker()
    for call, arguments in [
        (speaker.answer, ("go", GO)),
        (speaker.abort, ("again",)),
        (speaker.skip, ("b", "why not")),
        (speaker.retry, (A, "")),
    ]:
        problem = refused(call, *arguments)
        assert "has ended: aborted" in problem.summary
        assert "drctl note" in problem.hint


# Abort


def test_a_stopped_run_is_aborted_here_and_now_in_one_batch(site):
    site.start()
    writes = []

    class Counting(JournalFile):
        def _persist(self, content):
            writes.append(content)
            super()._persist(content)

    site.other = replace(site.other, journal_file=Counting)
    said = site.speaker().abort("power is back")
    assert not said.alive
    asked, ended = site.events[-2:]
    assert (asked.by, asked.reason) == ("bob@b.example", "power is back")
    assert (ended.outcome, ended.exit, ended.counts) == (
        "aborted",
        1,
        {"succeeded": 1, "waiting": 1, "pending": 1},
    )
    assert len(writes) == 1
    site.home.refuse_conflict(frozenset({"pacs"}), frozenset({"north", "south"}))
    assert "power is back" in site.directory.incident.read_text()


def test_a_live_run_is_asked_to_end(site):
    site.start()
    with claim(site.directory, site.clock):
        assert site.speaker().abort("power is back").alive
    assert site.run.finished is None
    assert site.events[-1].type == "AbortRequested"
    assert site.resume() == ExitCode.FAILED
    assert site.run.finished.outcome == "aborted"
    assert site.world.calls == ["a=on"]


def test_aborting_what_died_at_work_leaves_the_doubt_in_the_record(site):
    site.start()
    say(site, ev.StepStarted(step="b", change=ev.ChangeData(summary="s")))
    site.speaker().abort("power is back")
    assert site.run.steps["b"].state == "indeterminate"
    assert site.run.finished.counts["indeterminate"] == 1
    assert site.run.finished.unproven == ("b",)


def test_aborting_what_only_sleeps_keeps_it_from_waking(site):
    """It holds its lock and gives no sign of life: the abort takes the run over before it ends it."""
    site.start()
    engine = JournalFile(site.directory.journal, site.clock)
    engine.commit()
    engine.epoch = site.run.epoch
    asleep = site.clock.now().timestamp() - STALE
    with (site.directory.path / LOCK).open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.utime(lock.fileno(), (asleep, asleep))
        assert not site.speaker().abort("power is back").alive
    with pytest.raises(Fenced):
        engine.commit([Entry(ev.Note(text="awake"), "engine")])
    engine.close()
    assert [event.type for event in site.events[-3:]] == ["LockTaken", "AbortRequested", "RunFinished"]


@pytest.mark.parametrize("reason", ["", "  "])
@pytest.mark.parametrize("verb", ["abort", "skip"])
def test_a_reason_is_not_blank(site, verb, reason):
    site.start()
    speaker = site.speaker()
    problem = refused(speaker.abort, reason) if verb == "abort" else refused(speaker.skip, "b", reason)
    assert problem.code == "reason"


# Skip and retry


def failing(site):
    site.world.script("apply", "a", failed())
    assert site.start() == ExitCode.FAILED


def test_a_failed_step_is_skipped_and_the_run_goes_on(site):
    failing(site)
    site.speaker().skip(A, "not tonight")
    site.answers = {"go": Answer("go")}
    assert site.resume() == ExitCode.EXCEPTIONS
    assert site.run.steps[A].skip.by == "bob@b.example"
    assert site.run.finished.unproven == (A,)


def test_a_failed_step_is_tried_again(site):
    failing(site)
    site.speaker().retry(A, "mended")
    site.answers = {"go": Answer("go")}
    assert site.resume() == ExitCode.OK


def test_what_was_skipped_by_mistake_can_be_taken_back(site):
    failing(site)
    site.speaker().skip(A, "oops")
    site.speaker().retry(A, "not that one")
    site.answers = {"go": Answer("go")}
    assert site.resume() == ExitCode.OK


def test_a_step_that_died_at_work_can_be_skipped(site):
    """Nobody is at it any more: it need not be read, or done, first."""
    site.start()
    say(site, ev.StepStarted(step="b", change=ev.ChangeData(summary="s")))
    site.speaker().skip("b", "not tonight")
    assert [event.type for event in site.events[-2:]] == ["StepIndeterminate", "SkipRequested"]
    site.answers = {"go": Answer("go")}
    assert site.resume() == ExitCode.EXCEPTIONS
    assert site.world.calls == ["a=on"]


def test_a_step_at_work_cannot_be_skipped(site):
    site.start()
    say(site, ev.StepStarted(step="b", change=ev.ChangeData(summary="s")))
    with claim(site.directory, site.clock):
        problem = refused(site.speaker().skip, "b", "not tonight")
    assert "cannot be skipped: it is running" in problem.summary


@pytest.mark.parametrize(
    ("verb", "step", "words"),
    [
        ("skip", A, "cannot be skipped: it is succeeded"),
        ("retry", "b", "cannot be retried: it is pending"),
        ("retry", "go", "cannot be retried: it is waiting"),
    ],
)
def test_requests_that_fit_nothing(site, verb, step, words):
    site.start()
    problem = refused(getattr(site.speaker(), verb), step, "because")
    assert words in problem.summary
    assert f"drctl status {site.directory.id}" in problem.hint


def test_a_torn_line_is_dropped_and_said_by_whoever_writes_next(site):
    site.start()
    with site.directory.journal.open("ab") as file:
        file.write(b'{"seq":')
    site.speaker().note(ev.Note(text="hello"))
    dropped, note = [note.text for _, note in site.run.notes]
    assert "not written to its end" in dropped
    assert note == "hello"
