"""Whole runs: what goes on side by side, what people say meanwhile, how a run pauses and what it exits with."""

from __future__ import annotations

import threading

import pytest
from small_run import Ref, When, gate, manual, see, taken, use
from things import failed

from drctl.core import events as ev
from drctl.core.action import Interrupted
from drctl.core.problem import DrctlError, ExitCode
from drctl.engine.chain import scan
from drctl.engine.execute import TICK, Stop
from drctl.engine.people import Answer

GO = ev.GateAnswered(step="go", answer="go", by="first")
NO = ev.GateAnswered(step="go", answer="no-go", by="second")
DONE = ev.ManualRecorded(step="call", result="done", by="first", evidence="CHG-7")
LOST = {"effect_unknown": True}


def retry(step):
    return ev.RetryRequested(step=step, by="somebody")


def skip(step):
    return ev.SkipRequested(step=step, by="somebody", reason="not tonight")


def drift(stage):
    stage.verdict = "done"


# Every way out


@pytest.mark.parametrize(
    ("prepare", "steps", "code", "last"),
    [
        (None, [use("a"), use("b", "a")], ExitCode.OK, "completed"),
        (None, [], ExitCode.OK, "completed"),
        (None, [use("a", wants="x"), use("b", "a")], ExitCode.FAILED, "failed"),
        (None, [see("a"), use("b", "a")], ExitCode.FAILED, "failed"),
        (None, [gate("go"), use("b", "go")], ExitCode.WAITING, "waiting"),
        (None, [manual("call")], ExitCode.WAITING, "waiting"),
        (None, [use("a", wants="x", on_error="ask"), use("b", "a")], ExitCode.WAITING, "failed"),
        (drift, [use("a")], ExitCode.DRIFTED, "drift"),
        (
            lambda stage: stage.world.script("apply", "a", failed(**LOST)),
            [use("a", again=False), use("b", "a")],
            ExitCode.INDETERMINATE,
            "indeterminate",
        ),
        (None, [use("a", wants="x", on_error="continue"), use("b")], ExitCode.EXCEPTIONS, "completed_with_exceptions"),
        (
            lambda stage: stage.world.script("apply", "a", failed(**LOST)),
            [use("a", again=False, on_error="continue"), use("b", "a")],
            ExitCode.EXCEPTIONS,
            "completed_with_exceptions",
        ),
        (lambda stage: stage.on("GateOpened", "go", skip("go")), [gate("go"), use("b")], ExitCode.EXCEPTIONS, "completed_with_exceptions"),
        (lambda stage: stage.on("GateOpened", "go", NO), [gate("go"), use("b", "go")], ExitCode.FAILED, "aborted"),
        (
            lambda stage: stage.on("StepStarted", "a", ev.AbortRequested(by="x", reason="r")),
            [use("a"), use("b", "a")],
            ExitCode.FAILED,
            "aborted",
        ),
        (
            lambda stage: stage.world.script("apply", "a", lambda _: stage.stop.request(ExitCode.INTERRUPTED)),
            [use("a"), use("b", "a")],
            ExitCode.INTERRUPTED,
            "interrupted",
        ),
        (
            lambda stage: stage.world.script("apply", "a", lambda _: stage.stop.request(ExitCode.TERMINATED)),
            [use("a"), use("b", "a")],
            ExitCode.TERMINATED,
            "terminated",
        ),
        (
            lambda stage: stage.world.script("apply", "a", lambda _: stage.stop.request(ExitCode.INTERRUPTED)),
            [use("a")],
            ExitCode.OK,
            "completed",
        ),
    ],
)  # fmt: skip
def test_each_way_out_has_its_exit_code(stage, prepare, steps, code, last):
    if prepare:
        stage.attended = prepare.__name__ == "<lambda>" and any(step.id == "go" for step in steps)
        prepare(stage)
    out = stage.run(*steps)
    end = out.events[-1]
    assert (out.code, getattr(end, "outcome", None) or end.why, end.exit) == (code, last, code)


def test_what_paused_a_run_is_named(stage):
    out = stage.run(use("a", wants="x"), use("b", wants="x"), gate("go"))
    assert set(out.events[-1].steps) == {"a", "b"}


def test_stopping_lets_running_steps_end_and_starts_nothing(stage):
    together = threading.Barrier(2)
    failure = threading.Event()
    stage.watch.append(lambda event: event.type == "StepFailed" and failure.set())

    def fail(_):
        together.wait(10)
        raise failed()

    def wait(_):
        together.wait(10)
        failure.wait(10)

    stage.world.script("apply", "a", fail)
    stage.world.script("apply", "b", wait)
    out = stage.run(use("a"), use("b"), use("c", "b"))
    assert out.states() == {"a": "failed", "b": "succeeded", "c": "pending"}


def test_the_last_word_counts_steps_and_names_the_unproven(stage):
    stage.world.states["same"] = "on"
    out = stage.run(
        use("a", wants="x", on_error="continue", chain="k"), use("b", "a", chain="k"), use("c"), use("same")
    )
    end = out.events[-1]
    assert end.counts == {"failed": 1, "skipped": 1, "succeeded": 1, "unchanged": 1}
    assert end.unproven == ("a", "b")


# Side by side


def test_steps_side_by_side_run_at_the_same_time_up_to_the_endpoints_limit(stage):
    together = threading.Barrier(3)
    for name in "abc":
        stage.world.script("apply", name, lambda _: together.wait(10) and None)
    out = stage.run(*[use(name) for name in "abcdefgh"])
    assert out.code == ExitCode.OK
    assert stage.world.most_at_once == 3


def test_one_at_a_time_where_the_endpoint_bears_no_more(stage):
    assert stage.run(*[use(name, on="there") for name in "abcd"]).code == ExitCode.OK
    assert stage.world.most_at_once == 1


def test_intent_is_on_disk_before_each_effect(stage):
    def look(name):
        def check(_):
            events = [record.event for record in scan(stage.path).records]
            assert any(event.type == "StepStarted" and event.step == name for event in events)

        return check

    for name in "abcdef":
        stage.world.script("apply", name, look(name))
    assert stage.run(*[use(name) for name in "abcdef"]).code == ExitCode.OK


def test_hundreds_of_steps(stage):
    steps = [use(f"s{n}", *([f"s{n - 10}"] if n >= 10 else [])) for n in range(300)]
    stage.limits = {"here": 10}
    out = stage.run(*steps)
    assert (out.code, out.events[-1].counts) == (ExitCode.OK, {"succeeded": 300})
    assert len(stage.world.calls) == 300


# Letting go


def test_the_second_interrupt_leaves_running_steps_in_doubt(stage):
    def apply(_):
        def wait(control):
            stage.stop.request(ExitCode.INTERRUPTED)
            stage.stop.request(ExitCode.INTERRUPTED)
            control.sleep(10)

        return wait

    stage.world.script("apply", "a", apply)
    out = stage.run(use("a"), use("b", "a"))
    assert out.code == ExitCode.INTERRUPTED
    doubt, pause = out.events[-2:]
    assert (doubt.type, doubt.step, pause.why, pause.steps) == (
        "StepIndeterminate",
        "a",
        "interrupted",
        ("a",),
    )
    assert out.run.steps["a"].uncertain


def test_what_was_let_go_can_do_no_more_when_it_returns(stage):
    """A call of the provider that hangs for longer than the process is willing to wait."""
    returns = threading.Event()
    ended = threading.Event()

    def hang(_):
        stage.stop.request(ExitCode.INTERRUPTED)
        stage.stop.request(ExitCode.INTERRUPTED)
        returns.wait(10)

    def hang_in_look(_):
        returns.wait(10)
        ended.set()

    stage.world.script("apply", "a", hang)
    stage.world.script("read", "b", hang_in_look)
    out = stage.run(use("a"), use("b"))
    before = stage.path.read_bytes()
    assert [event.step for event in out.of("StepIndeterminate")] == ["a"]
    returns.set()
    assert ended.wait(10)
    for thread in threading.enumerate():
        if thread.name in {"a", "b"}:
            thread.join(10)
    assert stage.path.read_bytes() == before
    assert "b=on" not in stage.world.calls


def test_both_interrupts_can_be_resumed(stage):
    stage.world.script("apply", "a", lambda _: stage.stop.request(ExitCode.INTERRUPTED))
    steps = [use("a"), use("b", "a")]
    assert stage.run(*steps).code == ExitCode.INTERRUPTED
    stage.stop = Stop()
    assert stage.run(*steps).code == ExitCode.OK
    assert stage.world.calls == ["a=on", "b=on"]


def test_a_takeover_ends_the_engine_at_once(stage):
    stage.on("StepFinished", "a", taken(9))
    out = stage.run(use("a"), use("b", "a"), use("c", "b"))
    assert out.code is None
    assert isinstance(out.events[-1], ev.LockTaken) or out.events[-2].type == "LockTaken"
    assert "c=on" not in stage.world.calls
    assert stage.stop.let_go.is_set()


def test_a_takeover_is_noticed_by_an_engine_that_only_waits(stage):
    stage.attended = True
    stage.on("GateOpened", "go", taken(9), GO)
    out = stage.run(gate("go"), use("b", "go"))
    assert (out.code, stage.world.calls) == (None, [])


# People


@pytest.mark.parametrize(("words", "by"), [([GO], "first"), ([GO, NO], "first")])
def test_a_run_with_somebody_there_waits_for_the_answer(stage, words, by):
    stage.attended = True
    stage.on("GateOpened", "go", *words)
    stage.on("ManualOpened", "call", DONE)
    out = stage.run(gate("go"), manual("call", "go"), use("a", "call"))
    assert out.code == ExitCode.OK
    assert out.run.steps["go"].decision.by == by
    assert out.run.steps["call"].outputs == {"evidence": "CHG-7"}
    assert [e.summary for e in out.of("StepFinished")][:2] == ["go by first", "done by first: CHG-7"]


def test_an_answer_between_the_question_and_the_next_look_counts(stage):
    """Nobody is at the terminal, and the answer is quicker than the decision to exit."""
    stage.on("GateOpened", "go", GO)
    assert stage.run(gate("go"), use("a", "go")).code == ExitCode.OK


def test_an_answer_to_a_stopped_run_is_there_when_it_goes_on(stage):
    steps = [gate("go"), use("a", "go")]
    assert stage.run(*steps).code == ExitCode.WAITING
    stage.say(GO, NO)
    out = stage.run(*steps)
    assert (out.code, len(out.of("GateOpened"))) == (ExitCode.OK, 1)


def test_everything_else_goes_on_while_people_are_asked(stage):
    out = stage.run(gate("go"), use("a", "go"), use("x"), use("y", "x"))
    assert out.states() == {"go": "waiting", "a": "pending", "x": "succeeded", "y": "succeeded"}


def test_answers_given_beforehand_are_journaled_as_such(stage):
    stage.answers = {"go": Answer("go", "rehearsed"), "call": Answer("done", evidence="LAB-1")}
    out = stage.run(gate("go"), manual("call", "go"))
    assert out.code == ExitCode.OK
    assert [event.via for event in out.of("GateAnswered", "ManualRecorded")] == ["file", "file"]


def test_answers_given_to_resume_answer_what_stands_open(stage):
    steps = [gate("go"), use("a", "go")]
    assert stage.run(*steps).code == ExitCode.WAITING
    stage.answers = {"go": Answer("go")}
    out = stage.run(*steps)
    assert (out.code, len(out.of("GateOpened")), out.of("GateAnswered")[0].via) == (ExitCode.OK, 1, "file")


@pytest.mark.parametrize(
    ("on_error", "code", "b"),
    [("stop", ExitCode.FAILED, "pending"), ("continue", ExitCode.EXCEPTIONS, "succeeded"), ("ask", ExitCode.WAITING, "pending")],
)  # fmt: skip
def test_manual_work_can_fail(stage, on_error, code, b):
    stage.answers = {"call": Answer("failed", "nobody answers")}
    out = stage.run(manual("call", on_error=on_error), use("b", "call"))
    assert (out.code, out.states()["b"]) == (code, b)
    assert out.of("StepFailed")[0].problem.summary == "failed by somebody: nobody answers"


def test_manual_work_that_failed_is_asked_again_on_resume(stage):
    steps = [manual("call"), use("b", "call")]
    stage.answers = {"call": Answer("failed")}
    assert stage.run(*steps).code == ExitCode.FAILED
    stage.answers = {}
    assert stage.run(*steps).code == ExitCode.WAITING
    stage.say(DONE)
    assert stage.run(*steps).code == ExitCode.OK


def interrupted_at(stage, step, *steps):
    """Run until a step asks, and stop there as Ctrl-C does."""
    stage.watch.append(
        lambda event: getattr(event, "step", "") == step and stage.stop.request(ExitCode.INTERRUPTED)
    )
    assert stage.run(*steps).code == ExitCode.INTERRUPTED
    stage.watch.clear()
    stage.stop = Stop(patience=0.05)


@pytest.mark.parametrize(
    ("on_timeout", "passed", "code", "via"),
    [
        ("ask", 120, ExitCode.WAITING, None),
        ("deny", 120, ExitCode.FAILED, "timeout"),
        ("continue", 120, ExitCode.OK, "timeout"),
    ],
)
def test_a_gates_clock_runs_while_no_process_does(stage, on_timeout, passed, code, via):
    steps = [gate("go", timeout=60.0, on_timeout=on_timeout), use("a", "go")]
    interrupted_at(stage, "go", *steps)
    stage.clock.advance(passed)
    out = stage.run(*steps)
    assert out.code == code
    assert stage.clock.sleeps.count(TICK) <= 2
    assert [event.via for event in out.of("GateAnswered")] == ([via] if via else [])


@pytest.mark.parametrize(("on_timeout", "code"), [("deny", ExitCode.FAILED), ("continue", ExitCode.OK)])
def test_a_gate_that_decides_by_itself_needs_nobody(stage, on_timeout, code):
    """A scheduler's run waits for it, and exits 4 only when a person is needed."""
    out = stage.run(gate("go", timeout=30.0, on_timeout=on_timeout), use("a", "go"))
    assert (out.code, out.of("GateAnswered")[0].by) == (code, "nobody")
    assert stage.clock.sleeps.count(TICK) == pytest.approx(30 / TICK, abs=2)
    assert not out.of("RunPaused")


def test_a_run_waits_for_its_gates_clock_before_it_says_that_it_needs_a_person(stage):
    out = stage.run(gate("go", timeout=10.0, on_timeout="continue"), use("a", "go"), manual("call"))
    assert (out.code, out.states()["a"]) == (ExitCode.WAITING, "succeeded")


def test_a_failure_is_said_at_once_even_while_a_gate_decides_by_itself(stage):
    stage.world.script("apply", "x", failed())
    out = stage.run(gate("go", timeout=3600.0, on_timeout="continue"), use("x"))
    assert out.code == ExitCode.FAILED
    assert stage.clock.sleeps.count(TICK) <= 3


def test_an_answer_after_the_gate_has_decided_is_too_late(stage):
    steps = [gate("go", timeout=3600.0, on_timeout="deny"), use("a", "go")]
    interrupted_at(stage, "go", *steps)
    stage.clock.advance(3601)
    stage.say(GO)
    stage.answers = {"go": Answer("go")}
    out = stage.run(*steps)
    assert (out.code, out.run.finished.outcome, stage.world.calls) == (ExitCode.FAILED, "aborted", [])


def test_a_gates_time_passes_while_somebody_is_there(stage):
    stage.attended = True
    out = stage.run(gate("go", timeout=30.0, on_timeout="continue"), use("a", "go"))
    assert out.code == ExitCode.OK
    assert out.of("GateAnswered")[0].by == "nobody"


def test_waiting_costs_one_look_per_tick(stage):
    """An engine that waits for people must not keep a processor busy."""
    stage.attended = True
    stage.run(gate("go", timeout=60.0, on_timeout="continue"))
    waited = stage.clock.sleeps.count(TICK)
    assert waited == pytest.approx(60 / TICK, abs=2)
    assert stage.looks <= waited + 10


@pytest.mark.parametrize(
    ("test", "expected"),
    [(lambda name: name == "a", "waiting"), (lambda name: name != "a", "skipped")],
)
@pytest.mark.parametrize("ask", [gate, manual])
def test_people_are_asked_only_where_the_condition_holds(stage, ask, test, expected):
    out = stage.run(use("a"), ask("go", "a", when=When(Ref("a"), test)))
    assert out.states()["go"] == expected
    assert out.code == (ExitCode.WAITING if expected == "waiting" else ExitCode.OK)


def test_people_are_not_asked_about_what_will_never_be_known(stage):
    steps = [use("a", wants="x", on_error="continue"), gate("go", "a", when=When(Ref("a"), bool))]
    out = stage.run(*steps)
    assert (out.code, out.states()["go"]) == (ExitCode.EXCEPTIONS, "skipped")
    assert out.of("StepSkipped")[0].after == "a"


# Requests to a live run


def test_a_tolerated_failure_can_be_tried_again_while_the_run_goes_on(stage):
    stage.world.script("read", "a", failed())
    steps = [use("a", on_error="continue", chain="k"), use("b", "a", chain="k"), gate("go")]
    stage.attended = True
    stage.on("StepSkipped", "b", retry("a"))
    stage.on("StepFinished", "b", GO)
    out = stage.run(*steps)
    assert (out.code, out.run.finished.unproven) == (ExitCode.OK, ())
    assert stage.world.calls == ["a=on", "b=on"]


@pytest.mark.parametrize(
    ("words", "code", "calls"),
    [([retry("a")], ExitCode.OK, ["a=on", "b=on"]), ([skip("a")], ExitCode.EXCEPTIONS, ["b=on"])],
)
def test_a_failure_that_asks_waits_for_retry_or_skip(stage, words, code, calls):
    stage.world.script("read", "a", failed())
    stage.attended = True
    stage.on("StepFailed", "a", *words)
    out = stage.run(use("a", on_error="ask"), use("b", "a"))
    assert (out.code, stage.world.calls) == (code, calls)


def test_who_uses_the_outputs_of_a_step_that_a_person_skipped_gets_the_foreseen_ones(stage):
    stage.foreseen = {"a": {"name": "foreseen"}}
    stage.world.script("read", "a", failed())
    stage.attended = True
    stage.on("StepFailed", "a", skip("a"))
    out = stage.run(use("a", on_error="ask"), use("b", thing=Ref("a")), use("c", thing=Ref("a", "before")))
    assert stage.world.calls == ["foreseen=on"]
    assert (out.code, out.states()["c"], out.of("StepSkipped")[0].after) == (
        ExitCode.EXCEPTIONS,
        "skipped",
        "a",
    )


def test_notes_and_doubtful_words_change_nothing(stage):
    stage.on("StepStarted", "a", ev.Note(text="hello"), GO, retry("a"), skip("a"), retry("nobody"))
    assert stage.run(use("a"), use("b", "a")).code == ExitCode.OK


# What nobody foresaw


@pytest.mark.parametrize(
    ("verb", "step", "state", "code"),
    [
        ("read", use("a"), "failed", ExitCode.FAILED),
        ("apply", use("a"), "indeterminate", ExitCode.INDETERMINATE),
        ("read", see("a"), "failed", ExitCode.FAILED),
        ("apply", use("a", on_error="continue"), "indeterminate", ExitCode.EXCEPTIONS),
    ],
)
def test_a_defect_is_journaled_and_the_run_can_go_on(stage, verb, step, state, code):
    stage.world.script(verb, "a", ZeroDivisionError("oops"))
    out = stage.run(step)
    assert (out.states()["a"], out.code) == (state, code)
    assert "ZeroDivisionError: oops" in out.run.steps["a"].problem.summary
    if code is not ExitCode.EXCEPTIONS:
        stage.world.states["a"] = "on"
        again = stage.run(step)
        assert (again.code, again.states()["a"]) != (None, state)


def test_a_provider_that_lets_go_by_itself_is_a_defect(stage):
    stage.world.script("apply", "a", Interrupted())
    assert stage.run(use("a")).code == ExitCode.INDETERMINATE


def test_a_journal_that_cannot_be_written_ends_the_run_with_a_problem(stage):
    full = threading.Event()
    usual = stage.file

    class Filling(usual):
        def _persist(self, content):
            if full.is_set():
                raise OSError(28, "No space left on device")
            super()._persist(content)

    stage.file = Filling
    stage.world.script("apply", "a", lambda _: full.set())
    with pytest.raises(DrctlError) as caught:
        stage.run(use("a"), use("b", "a"))
    assert caught.value.exit_code == ExitCode.FAILED
    assert "No space left" in str(caught.value)
    stage.file = usual
    assert stage.run(use("a"), use("b", "a")).code == ExitCode.OK
    assert stage.world.calls == ["a=on", "b=on"], "found as wished, not done again"


def test_steps_that_left_the_runbook_hold_nothing_up(stage):
    """A corrected runbook may be without the step that failed."""
    assert stage.run(use("a", wants="x"), use("b")).code == ExitCode.FAILED
    assert stage.run(use("b")).code == ExitCode.OK
