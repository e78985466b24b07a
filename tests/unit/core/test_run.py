"""A run is a fold over its journal: any prefix of one folds, and people's words count where they are due."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fake_clock import START
from hypothesis import given
from hypothesis import strategies as st
from small_run import failed, finished, planned, recorded, started, taken, unclear

from drctl.core import events as ev
from drctl.core.events import Recorded
from drctl.core.run import Run, State

GO = ev.GateAnswered(step="go", answer="go", by="first")
NO = ev.GateAnswered(step="go", answer="no-go", by="second")
OPEN = ev.GateOpened(step="go", ask="Go?")
WORK = ev.ManualOpened(step="call", do="Call the carrier.")
DONE = ev.ManualRecorded(step="call", result="done", by="first")
NOT_DONE = ev.ManualRecorded(step="call", result="failed", by="second")


def retry(step: str) -> ev.RetryRequested:
    return ev.RetryRequested(step=step, by="somebody")


def skip(step: str) -> ev.SkipRequested:
    return ev.SkipRequested(step=step, by="somebody", reason="not tonight")


def begun(step: str, attempt: int = 1) -> ev.StepStarted:
    return ev.StepStarted(step=step, attempt=attempt, change=ev.ChangeData(summary="s"))


def chained(step: str, after: str) -> ev.StepSkipped:
    return ev.StepSkipped(step=step, reason=f"{after} failed", cause="chain", after=after)


def fold(*events: ev.EventData) -> Run:
    return Run.of(recorded(started(), taken(), *events))


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([planned("a")], State.PENDING),
        ([begun("a")], State.RUNNING),
        ([begun("a"), finished("a")], State.SUCCEEDED),
        ([finished("a", "adopted")], State.SUCCEEDED),
        ([finished("a", "unchanged")], State.UNCHANGED),
        ([finished("a", "observed")], State.SUCCEEDED),
        ([begun("a"), failed("a")], State.FAILED),
        ([begun("a"), unclear("a")], State.INDETERMINATE),
        ([ev.StepSkipped(step="a", reason="r", cause="condition")], State.SKIPPED),
        ([ev.StepNotExercised(step="a", reason="r")], State.NOT_EXERCISED),
        ([failed("a"), retry("a")], State.PENDING),
        ([failed("a", tolerated=True), retry("a")], State.PENDING),
        ([unclear("a"), retry("a")], State.PENDING),
        ([finished("a"), retry("a")], State.PENDING),
        ([begun("a"), retry("a")], State.RUNNING),
        ([planned("a"), retry("a")], State.PENDING),
        ([failed("a"), skip("a")], State.SKIPPED),
        ([unclear("a"), skip("a")], State.SKIPPED),
        ([planned("a"), skip("a")], State.SKIPPED),
        ([begun("a"), skip("a")], State.RUNNING),
        ([finished("a"), skip("a")], State.SUCCEEDED),
        ([planned("a"), skip("a"), retry("a")], State.PENDING),
        ([ev.StepSkipped(step="a", reason="r", cause="condition"), retry("a")], State.SKIPPED),
        ([begun("a"), taken(2)], State.PENDING),
        ([failed("a"), taken(2)], State.PENDING),
        ([failed("a", tolerated=True), taken(2)], State.FAILED),
        ([unclear("a"), taken(2)], State.PENDING),
        ([finished("a"), taken(2)], State.SUCCEEDED),
    ],
)
def test_where_a_step_stands(events, state):
    assert fold(*events).steps["a"].state is state


@pytest.mark.parametrize(
    ("events", "uncertain"),
    [
        ([begun("a")], False),
        ([begun("a"), taken(2)], True),
        ([begun("a"), unclear("a")], True),
        ([unclear("a"), retry("a")], True),
        ([failed("a"), taken(2)], False),
        ([begun("a"), taken(2), finished("a", "adopted")], False),
        ([begun("a"), taken(2), taken(3)], True),
        ([begun("a"), taken(2), skip("a"), retry("a")], True),
        ([finished("a"), retry("a")], False),
    ],
)
def test_what_a_new_engine_must_read_first(events, uncertain):
    assert fold(*events).steps["a"].uncertain is uncertain


@pytest.mark.parametrize(
    ("events", "step", "by"),
    [
        ([OPEN, GO], "go", "first"),
        ([OPEN, GO, NO], "go", "first"),
        ([OPEN, NO, GO], "go", "second"),
        ([GO, OPEN], "go", None),
        ([OPEN, skip("go"), NO], "go", None),
        ([WORK, DONE, NOT_DONE], "call", "first"),
        ([WORK, GO.model_copy(update={"step": "call"}), NOT_DONE], "call", "second"),
        ([OPEN, ev.ManualRecorded(step="go", result="done", by="first"), NO], "go", "second"),
        ([OPEN, GO, finished("go", "answered"), retry("go"), OPEN, NO], "go", "second"),
        ([WORK, NOT_DONE, failed("call"), taken(2), WORK, DONE], "call", "first"),
    ],
)
def test_the_first_valid_answer_wins(events, step, by):
    decision = fold(*events).steps[step].decision
    assert (decision.by if decision else None) == by


@pytest.mark.parametrize(
    ("events", "denied"),
    [
        ([OPEN, NO], True),
        ([OPEN, GO, NO], False),
        ([NO], False),
        ([OPEN, skip("go"), NO], False),
        ([OPEN, GO, finished("go", "answered"), NO], False),
    ],
)
def test_only_a_decision_denies_the_run(events, denied):
    assert (fold(*events).denied is not None) is denied


@pytest.mark.parametrize(
    ("on_timeout", "second", "counts"),
    [("ask", 90, True), ("deny", 59, True), ("deny", 60, False), ("continue", 90, False)],
)
def test_a_gate_that_decides_by_itself_hears_nobody_after_its_deadline(on_timeout, second, counts):
    """Its clock runs while no process does: what is said too late is not turned into a decision."""
    deadline = START + timedelta(seconds=60)
    opened = ev.GateOpened(step="go", ask="Go?", deadline=deadline, on_timeout=on_timeout)
    late = Recorded(9, START + timedelta(seconds=second), "somebody", GO)
    run = Run.of([*recorded(started(), opened), late])
    assert (run.steps["go"].decision is not None) is counts
    run.add(Recorded(10, late.at, "engine", NO.model_copy(update={"via": "timeout"})))
    assert run.steps["go"].decision.by == ("first" if counts else "second")


def test_answers_while_the_question_is_being_asked_count():
    """Somebody may answer between the question and the engine's next look."""
    run = fold(planned("go", kind="gate"), OPEN, GO)
    assert (run.steps["go"].state, run.steps["go"].decision) == (State.WAITING, GO)


def test_retrying_a_tolerated_failure_brings_back_what_was_skipped_after_it():
    run = fold(
        failed("a", tolerated=True),
        failed("x", tolerated=True),
        chained("b", "a"),
        chained("c", "b"),
        chained("y", "x"),
        ev.StepSkipped(step="z", reason="r", cause="condition"),
        retry("a"),
    )
    assert {step: record.state for step, record in run.steps.items()} == {
        "a": State.PENDING,
        "b": State.PENDING,
        "c": State.PENDING,
        "x": State.FAILED,
        "y": State.SKIPPED,
        "z": State.SKIPPED,
    }
    assert not run.steps["b"].stops_chain
    assert not run.steps["a"].tolerated


def test_outputs_and_attempts_are_the_last_ones():
    run = fold(begun("a"), begun("a", 2), finished("a", name="n", size=3))
    assert (run.steps["a"].attempts, run.steps["a"].outputs) == (2, {"name": "n", "size": 3})
    assert run.steps["a"].started == START + timedelta(seconds=2)


def test_drift_stays_until_somebody_agreed():
    drift = ev.DriftFound(step="a", planned="p", seen="s")
    assert fold(planned("a"), drift, taken(2)).steps["a"].drift == drift
    assert fold(planned("a"), drift, taken(2), ev.RunResumed(by="somebody")).steps["a"].drift is None


def test_overrides_and_handles_are_kept():
    run = fold(
        begun("a"),
        ev.StepHandle(step="a", kind="job", id="7"),
        ev.StepProgress(step="a", message="forced", override=True),
        ev.StepProgress(step="a", message="half", fraction=0.5),
    )
    record = run.steps["a"]
    assert (record.handle.id, record.overrides, record.progress.fraction) == ("7", ["forced"], 0.5)


def test_nothing_said_after_the_end_opens_a_run_again():
    end = ev.RunFinished(outcome="aborted", exit=1)
    words = [NO, retry("a"), skip("b"), ev.AbortRequested(by="x", reason="r"), ev.Note(text="later")]
    run = fold(planned("a"), failed("a"), planned("b"), OPEN, end, *words)
    assert run.finished == end
    assert (run.steps["a"].state, run.steps["b"].state) == (State.FAILED, State.PENDING)
    assert (run.denied, run.abort) == (None, None)
    assert [note.text for _, note in run.notes] == ["later"]


def test_who_owns_the_run():
    run = fold(ev.RunPaused(why="failed", exit=1), taken(2))
    assert (run.epoch, run.owner.epoch, run.paused) == (2, 2, None)


# Any prefix

IDS = st.sampled_from(["a", "b", "c"])
WORDS = st.one_of(
    st.builds(begun, IDS, st.integers(1, 5)),
    st.builds(finished, IDS, st.sampled_from(["applied", "adopted", "unchanged", "observed", "answered"])),
    st.builds(failed, IDS, tolerated=st.booleans()),
    st.builds(unclear, IDS, tolerated=st.booleans()),
    st.builds(chained, IDS, IDS),
    st.builds(retry, IDS),
    st.builds(skip, IDS),
    st.builds(planned, IDS),
    st.builds(ev.GateOpened, step=IDS, ask=st.just("?")),
    st.builds(ev.GateAnswered, step=IDS, answer=st.sampled_from(["go", "no-go"]), by=st.just("x")),
    st.builds(ev.ManualOpened, step=IDS, do=st.just("!")),
    st.builds(ev.ManualRecorded, step=IDS, result=st.sampled_from(["done", "failed"]), by=st.just("x")),
    st.builds(ev.DriftFound, step=IDS, planned=st.just("p"), seen=st.just("s")),
    st.builds(taken, st.integers(2, 9)),
    st.builds(ev.RunPaused, why=st.just("failed"), exit=st.just(1)),
    st.builds(ev.RunResumed, by=st.just("x")),
    st.builds(ev.AbortRequested, by=st.just("x"), reason=st.just("r")),
)


@given(st.lists(WORDS, max_size=30))
def test_any_prefix_of_a_journal_folds_to_something_a_new_engine_can_take_over(events):
    records = recorded(started(), taken(), *events)
    run = Run()
    for number, record in enumerate(records):
        run.add(record)
        assert run.steps == Run.of(records[: number + 1]).steps, "a fold has no memory but its state"
        for step in run.steps.values():
            assert not (step.settled and step.state in {State.PENDING, State.RUNNING, State.WAITING})
            assert step.decision is None or step.gate or step.manual
            assert step.ended is None or step.started is not None
    run.add(Recorded(len(records), START, "engine", taken(99)))
    unsettled = {step.state for step in run.steps.values() if not step.settled}
    assert unsettled <= {State.PENDING, State.WAITING}, "nothing is left that only the dead engine knew"
