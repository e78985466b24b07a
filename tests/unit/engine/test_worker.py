"""One step, whatever its target does: what is journaled, what is sent, and what is never sent twice."""

from __future__ import annotations

import threading

import pytest
from fake_clock import START
from small_run import Ref, When, planned, see, use
from things import failed, made

from drctl.core import events as ev
from drctl.core.action import Handle, Interrupted, ObjectRef
from drctl.core.run import StepRun
from drctl.engine.policy import DOUBT_TIMEOUT
from drctl.engine.step import Retry, Until

LOST = {"effect_unknown": True}
AWAY = {"unreachable": True}
BUSY = {"transient": True}
A = use("a")
ONCE = use("a", again=False)


def doubtful(**rest) -> StepRun:
    """A step the journal left without an end."""
    return StepRun("a", uncertain=True, started=START, attempts=1, **rest)


def job(world) -> None:
    """A job is at it, and stays."""
    world.running["a"] = "job-7"


def job_ends(world) -> None:
    """The job is done, and has done it."""
    world.running.clear()
    world.states["a"] = "on"


def job_dies(world) -> None:
    """The job is gone and has done nothing."""
    world.running.clear()


def start_job(world):
    """``apply`` that only starts a job."""
    job(world)
    raise failed("reply lost", **LOST)


def busy_but(effect):
    """``apply`` that has its effect and then complains of something transient."""

    def behave(world) -> None:
        effect(world)
        raise failed(**BUSY)

    return behave


# Nothing goes wrong


def test_nothing_to_do(bench):
    bench.world.states["a"] = "on"
    assert bench.work(A) == ["Finished"]
    assert (bench.end.how, bench.end.outputs) == ("unchanged", {"name": "a", "before": "on"})
    assert bench.world.calls == []


def test_intent_is_journaled_before_the_effect(bench):
    seen = []
    bench.log.heard.append(lambda event: seen.append((event.type, list(bench.world.calls))))
    assert bench.work(A) == ["Started", "Finished"]
    assert seen == [("StepStarted", []), ("StepFinished", ["a=on"])]
    start, end = bench.log
    assert (end.how, end.outputs["before"]) == ("applied", "on")
    assert start.change.fields[0].model_dump() == {"name": "state", "before": None, "after": "on"}
    assert (start.attempt, start.objects) == (1, ("thing a at north",))


def test_how_to_go_back_is_journaled_with_the_intent(bench):
    bench.world.states["a"] = "off"
    bench.work(A)
    undo = bench.log[0].undo
    assert (undo.uses, undo.arguments, undo.endpoint) == ("thing.set", {"thing": "a", "to": "off"}, "here")


def test_outputs_of_others_are_filled_in(bench):
    assert bench.work(use("b", thing=Ref("a")), a={"name": "given"}) == ["Started", "Finished"]
    assert bench.world.calls == ["given=on"]


def test_what_has_no_proof_but_the_reply(bench):
    assert bench.work(use("reload", uses="thing.run")) == ["Started", "Finished"]
    assert (bench.end.how, bench.world.calls) == ("applied", ["reload"])


def test_a_target_that_takes_its_time_is_read_until_it_is_done(bench):
    def slowly(world):
        world.ineffective.add("a")
        world.script("read", "a", None, None, made("a", "on"))

    bench.world.script("apply", "a", slowly)
    assert bench.work(A) == ["Started", "Finished"]
    assert (bench.end.how, len(bench.clock.sleeps)) == ("applied", 2)


# Conditions


@pytest.mark.parametrize(
    ("step", "outputs", "cause", "after"),
    [
        (use("b", when=When(Ref("a"), lambda name: name == "x")), {"a": {"name": "y"}}, "condition", ""),
        (use("b", when=When(Ref("a"), bool)), {}, "chain", "a"),
        (use("b", thing=Ref("a")), {}, "chain", "a"),
        (use("b", thing=Ref("a", "absent")), {"a": {"name": "y"}}, "chain", "a"),
    ],
)
def test_what_is_not_wanted_or_cannot_be_known_is_skipped(bench, step, outputs, cause, after):
    assert bench.work(step, **outputs) == ["Skipped"]
    assert (bench.end.cause, bench.end.after) == (cause, after)
    assert bench.world.reads == []


# Before the start


@pytest.mark.parametrize(
    ("reads", "expected", "waits"),
    [
        ([failed(**BUSY), None], ["Retried", "Started", "Finished"], [2.0]),
        ([failed(**BUSY)] * 3 + [None], ["Retried"] * 3 + ["Started", "Finished"], [2.0, 4.0, 8.0]),
        ([failed(**BUSY)] * 4, ["Retried"] * 3 + ["Failed"], [2.0, 4.0, 8.0]),
        ([failed()], ["Failed"], []),
        ([failed(**AWAY)], ["Failed"], []),
        ([failed(**AWAY, **BUSY)], ["Failed"], []),
    ],
)
def test_what_cannot_be_read_is_not_begun(bench, reads, expected, waits):
    bench.world.script("read", "a", *reads)
    assert bench.work(A) == expected
    assert bench.clock.sleeps[: len(waits)] == waits
    assert [event.delay for event in bench.log if isinstance(event, ev.StepRetried)] == waits
    if expected[-1] == "Failed":
        assert bench.world.calls == []
        assert bench.end.unreachable is reads[0].unreachable


def test_what_is_missing_at_run_time_is_said(bench):
    assert bench.work(use("b", wants="a")) == ["Failed"]
    assert (bench.end.problem.code, bench.end.problem.summary) == ("missing", "thing a does not exist")


@pytest.mark.parametrize(("on_error", "tolerated"), [("stop", False), ("ask", False), ("continue", True)])
def test_tolerance_is_the_runbooks(bench, on_error, tolerated):
    bench.world.script("read", "a", failed())
    bench.work(use("a", on_error=on_error))
    assert bench.end.tolerated is tolerated


def test_arguments_that_do_not_fit_are_a_failure_not_a_defect(bench):
    assert bench.work(use("b", thing=Ref("a")), a={"name": 7}) == ["Failed"]
    assert bench.end.problem.code == "bad-argument"


@pytest.mark.parametrize("step", [use("a", on="locked"), see("a", on="locked")])
def test_a_secret_that_is_not_there_is_a_failure_not_a_defect(bench, step):
    assert bench.work(step)[-1] == "Failed"
    assert bench.end.problem.code == "secret"
    assert "not set" in bench.end.problem.summary


# Drift

SET_ON = ev.ChangeData(summary="set a to on", fields=(ev.FieldData(name="state", before="off", after="on"),))


@pytest.mark.parametrize(
    ("verdict", "change", "state", "expected"),
    [
        ("will", SET_ON, "off", ["Started", "Finished"]),
        ("will", SET_ON, "odd", ["DriftFound"]),
        ("will", SET_ON, None, ["DriftFound"]),
        ("will", SET_ON, "on", ["Finished"]),
        ("will", SET_ON.model_copy(update={"summary": "other words"}), "off", ["Started", "Finished"]),
        ("done", None, "off", ["DriftFound"]),
        ("done", None, "on", ["Finished"]),
        ("unknown", None, "odd", ["Started", "Finished"]),
        ("unreadable", None, "odd", ["Started", "Finished"]),
    ],
)
def test_the_world_is_held_to_the_plan(bench, verdict, change, state, expected):
    if state:
        bench.world.states["a"] = state
    assert bench.work(A, StepRun("a", planned=planned("a", verdict, change))) == expected
    if expected == ["DriftFound"]:
        assert bench.world.calls == []
        assert bench.end.seen == f"set a to on (state: {state or 'absent'} → on)"


@pytest.mark.parametrize(
    ("touched", "expected"),
    [
        (ObjectRef("thing", "a", "north"), ["Started", "Finished"]),
        (ObjectRef("thing", "a", "south"), ["DriftFound"]),
        (ObjectRef("thing", "b", "north"), ["DriftFound"]),
    ],
)
def test_objects_this_run_touched_are_not(bench, touched, expected):
    bench.touched.add([touched])
    assert bench.work(A, StepRun("a", planned=planned("a", "will", SET_ON))) == expected


def test_a_step_beside_it_that_shares_an_object_makes_no_drift(bench):
    """It counts from the other's start: its end may come later than our look."""
    other = use("b", shares="a")

    def in_between(world):
        assert bench.work(A, StepRun("a", planned=planned("a", "will", SET_ON)))[-2:] == [
            "Started",
            "Finished",
        ]

    bench.world.script("apply", "b", in_between)
    bench.work(other)


# While it is applied


@pytest.mark.parametrize(
    ("applies", "expected", "calls"),
    [
        ([failed()], ["Started", "Failed"], 1),
        ([failed(**BUSY), None], ["Started", "Retried", "Started", "Finished"], 2),
        ([failed(**BUSY)] * 9, ["Started", "Retried"] * 3 + ["Started", "Failed"], 4),
        ([busy_but(made("a", "on"))], ["Started", "Retried", "Finished"], 1),
    ],
)
def test_errors_that_changed_nothing(bench, applies, expected, calls):
    bench.world.script("apply", "a", *applies)
    assert bench.work(A) == expected
    assert len(bench.world.calls) == calls


def test_each_attempt_is_numbered_and_tries_count_from_the_assignment(bench):
    """Who asks for a retry gets all its tries again, and the journal goes on counting."""
    bench.world.script("apply", "a", failed(**BUSY), None)
    assert bench.work(A, StepRun("a", attempts=7)) == ["Started", "Retried", "Started", "Finished"]
    assert [event.attempt for event in bench.log if isinstance(event, ev.StepStarted)] == [8, 9]


def test_the_runbooks_own_retry(bench):
    bench.world.script("apply", "a", *[failed(**BUSY)] * 9)
    bench.work(use("a", retry=Retry(3, 10.0, 3.0)))
    assert [event.delay for event in bench.log if isinstance(event, ev.StepRetried)] == [10.0, 30.0]
    assert bench.clock.sleeps == [10.0, 30.0]


@pytest.mark.parametrize("error", [LOST, AWAY], ids=["reply lost", "target gone"])
@pytest.mark.parametrize(
    ("step", "after", "expected", "how", "calls"),
    [
        (A, [made("a", "on")], ["Started", "Finished"], "adopted", 1),
        (A, [], ["Started", "Retried", "Started", "Finished"], "applied", 2),
        (A, [None, made("a", "on")], ["Started", "Retried", "Finished"], "adopted", 1),
        (ONCE, [made("a", "on")], ["Started", "Finished"], "adopted", 1),
        (ONCE, [], ["Started", "Indeterminate"], None, 1),
        (A, [failed(**AWAY)] * 99, ["Started", "Indeterminate"], None, 1),
        (A, [failed(**AWAY), made("a", "on")], ["Started", "Finished"], "adopted", 1),
    ],
)
def test_when_the_effect_is_unknown_reality_is_read(bench, error, step, after, expected, how, calls):
    def lose(world):
        world.script("read", "a", *after)
        raise failed("gone", **error)

    bench.world.script("apply", "a", lose)
    assert bench.work(step) == expected
    assert getattr(bench.end, "how", None) == how
    assert len(bench.world.calls) == calls


def test_reading_after_a_lost_reply_is_bounded(bench):
    def lose(world):
        world.script("read", "a", *[failed(**AWAY)] * 999)
        raise failed("gone", **LOST)

    bench.world.script("apply", "a", lose)
    bench.work(A)
    assert DOUBT_TIMEOUT <= sum(bench.clock.sleeps) < DOUBT_TIMEOUT + 5


def test_an_effect_that_never_shows_is_a_failure_once_reality_is_readable(bench):
    bench.world.script("apply", "a", *[failed("gone", **LOST)] * 9)
    assert bench.work(A) == ["Started", "Retried"] * 3 + ["Started", "Failed"]


def test_a_lost_command_that_cannot_be_read_back_is_never_repeated(bench):
    bench.world.script("apply", "reload", failed("gone", **LOST))
    assert bench.work(use("reload", uses="thing.run")) == ["Started", "Indeterminate"]
    assert bench.world.calls == ["reload"]


@pytest.mark.parametrize(
    ("then", "expected", "calls"),
    [
        ([job_ends], ["Started", "Progress", "Finished"], 1),
        ([None, None, job_ends], ["Started", "Progress", "Finished"], 1),
        ([None, job_dies], ["Started", "Progress", "Retried", "Started", "Finished"], 2),
        ([None] * 999, ["Started", "Progress", "Indeterminate"], 1),
    ],
)
def test_a_job_that_is_at_it_is_followed_never_started_twice(bench, then, expected, calls):
    def begin(world):
        world.script("read", "a", None, *then)
        start_job(world)

    bench.world.script("apply", "a", begin)
    assert bench.work(A) == expected
    assert len(bench.world.calls) == calls


def test_a_job_begun_long_ago_is_still_found(bench):
    """The reply may be lost a quarter of an hour after the job began."""

    def begin(world):
        bench.clock.advance(899)
        world.script("read", "a", None, job_ends)
        start_job(world)

    bench.world.script("apply", "a", begin)
    assert bench.work(A) == ["Started", "Progress", "Finished"]
    assert bench.world.asked_since
    assert max(bench.world.asked_since) < START


def test_who_cannot_say_whether_a_job_runs_gets_no_second_one(bench):
    def begin(world):
        world.script("running", "a", *[failed("no answer")] * 999)
        raise failed("gone", **LOST)

    bench.world.script("apply", "a", begin)
    assert bench.work(A) == ["Started", "Indeterminate"]
    assert len(bench.world.calls) == 1
    assert sum(bench.clock.sleeps) < DOUBT_TIMEOUT + 5


# The deadline


@pytest.mark.parametrize(
    ("then", "running", "expected", "words"),
    [
        ([None] * 999, None, "StepFailed", "not as wished after 30 s; still to do: set a to on"),
        ([failed(**AWAY)] * 999, None, "StepIndeterminate", "cannot be read"),
        ([None] * 999, job, "StepIndeterminate", "job job-7 is still running"),
        (
            [None] * 999,
            failed("no answer"),
            "StepIndeterminate",
            "does not say whether a job is still running",
        ),
    ],
)
def test_what_a_deadline_means(bench, then, running, expected, words):
    def apply(world):
        world.script("read", "a", *then)
        if callable(running):
            running(world)
        elif running:
            world.script("running", "a", *[running] * 9)
        world.ineffective.add("a")

    bench.world.script("apply", "a", apply)
    bench.work(use("a", timeout=30.0))
    assert bench.end.type == expected
    assert words in bench.end.problem.summary
    if expected == "StepFailed":
        assert bench.end.timed_out


def test_what_went_missing_under_it_is_a_failure_at_the_deadline(bench):
    bench.world.states["base"] = "on"

    def apply(world):
        del world.states["base"]
        world.ineffective.add("a")

    bench.world.script("apply", "a", apply)
    bench.work(use("a", wants="base", timeout=5.0))
    assert (bench.end.type, bench.end.timed_out) == ("StepFailed", True)


def test_the_action_knows_how_much_time_it_has(bench):
    def apply(_):
        def ask(control):
            assert control.remaining() == 30.0
            control.sleep(12.0)
            assert control.remaining() == 18.0
            control.sleep(40.0)
            assert control.remaining() == 0.0
            assert control.mark == "drctl:R1:a"

        return ask

    bench.world.script("apply", "a", apply)
    assert bench.work(use("a", timeout=30.0)) == ["Started", "Finished"]


def test_handles_progress_and_overrides_are_journaled(bench):
    def apply(_):
        def tell(control):
            control.handle(Handle("job", "job-9", "copying"))
            control.progress("half", 0.5)
            control.override("force", "peer unreachable")

        return tell

    bench.world.script("apply", "a", apply)
    assert bench.work(A) == ["Started", "Handle", "Progress", "Progress", "Finished"]
    assert bench.log[1].id == "job-9"
    assert [(event.message, event.override) for event in bench.log[2:4]] == [
        ("half", False),
        ("force: peer unreachable", True),
    ]


# After an interruption


@pytest.mark.parametrize(
    ("step", "setup", "expected", "how", "calls"),
    [
        (A, [made("a", "on")], ["Finished"], "adopted", 0),
        (A, [], ["Started", "Finished"], "applied", 1),
        (ONCE, [], ["Indeterminate"], None, 0),
        (ONCE, [made("a", "on")], ["Finished"], "adopted", 0),
        (A, [failed(**AWAY)] * 999, ["Indeterminate"], None, 0),
        (A, [failed(**AWAY), None], ["Started", "Finished"], "applied", 1),
        (A, [job, job_ends], ["Progress", "Finished"], "adopted", 0),
        (A, [job, None, job_dies], ["Progress", "Started", "Finished"], "applied", 1),
        (ONCE, [job, None, job_dies], ["Progress", "Indeterminate"], None, 0),
        (A, [job] + [None] * 999, ["Progress", "Indeterminate"], None, 0),
        (use("reload", uses="thing.run"), [], ["Indeterminate"], None, 0),
        (use("a", wants="gone"), [], ["Failed"], None, 0),
    ],
)
def test_a_step_left_without_an_end(bench, step, setup, expected, how, calls):
    bench.world.script("read", "a", *setup)
    if setup and setup[0] is job:
        job(bench.world)
    assert bench.work(step, doubtful()) == expected
    assert getattr(bench.end, "how", None) == how
    assert len(bench.world.calls) == calls


@pytest.mark.parametrize(
    ("age", "reads", "expected", "waited"),
    [
        (0.2, [None, made("a", "on")], ["Finished"], [0.8]),
        (0.2, [], ["Started", "Finished"], [0.8]),
        (0.2, [made("a", "on")], ["Finished"], []),
        (5.0, [], ["Started", "Finished"], []),
    ],
)
def test_what_a_dead_engine_had_just_sent_may_still_arrive(bench, age, reads, expected, waited):
    bench.world.script("read", "a", *reads)
    bench.clock.advance(age)
    assert bench.work(A, doubtful(attempted=START)) == expected
    assert bench.clock.sleeps == pytest.approx(waited)


def test_the_plan_does_not_hold_what_an_interruption_left_half_done(bench):
    bench.world.states["a"] = "half"
    record = doubtful(planned=planned("a", "will", SET_ON))
    assert bench.work(A, record) == ["Started", "Finished"]
    assert bench.log[0].attempt == 2


# Probes


def test_a_probe_that_is_content(bench):
    bench.world.states["p"] = "on"
    assert bench.work(see("p")) == ["Observed", "Finished"]
    assert (bench.end.how, bench.end.outputs) == ("observed", {"state": "on"})


def test_a_probe_that_is_not(bench):
    assert bench.work(see("p")) == ["Observed", "Failed"]
    assert (bench.end.problem.code, bench.end.problem.summary) == ("not-observed", "p is None")


def test_a_probe_looks_again_until_it_is_content_and_says_only_what_is_new(bench):
    bench.world.script("read", "p", None, None, made("p", "off"), None, made("p", "on"))
    assert bench.work(see("p", until=Until(60.0, 5.0))) == ["Observed", "Observed", "Observed", "Finished"]
    assert bench.clock.sleeps == [5.0] * 4


def test_a_probe_gives_up_at_its_deadline(bench):
    assert bench.work(see("p", until=Until(20.0, 5.0))) == ["Observed", "Failed"]
    assert sum(bench.clock.sleeps) == 20.0


@pytest.mark.parametrize(
    ("output", "value", "expected"),
    [("state", "on", "StepFinished"), ("state", "later", "StepFailed"), ("absent", "on", "StepFailed")],
)
def test_a_probe_waits_for_its_own_condition(bench, output, value, expected):
    bench.world.states["p"] = "on"
    until = Until(10.0, 5.0, When(Ref("p", output), lambda seen: seen == value))
    bench.work(see("p", until=until))
    assert bench.end.type == expected


@pytest.mark.parametrize(
    ("reads", "expected"),
    [
        ([failed(**BUSY), made("p", "on")], ["Retried", "Observed", "Finished"]),
        ([failed(**BUSY)] * 9, ["Retried", "Retried", "Retried", "Observed", "Failed"]),
        ([failed(**AWAY)], ["Observed", "Failed"]),
    ],
)
def test_a_probe_tries_again_what_is_transient(bench, reads, expected):
    bench.world.script("read", "p", *reads)
    assert bench.work(see("p")) == expected
    if expected[-1] == "Failed":
        assert bench.end.unreachable is reads[0].unreachable


# Letting go


def test_nothing_begins_once_the_run_was_let_go(bench):
    """The look took long; the second Ctrl-C came meanwhile."""
    bench.world.script("read", "a", lambda _: bench.let_go.set())
    with pytest.raises(Interrupted):
        bench.work(A)
    assert (list(bench.log), bench.world.calls) == ([], [])


@pytest.mark.parametrize("call", ["sleep", "progress"])
def test_an_action_is_let_go_where_it_waits_or_speaks(bench, call):
    def apply(_):
        def wait(control):
            bench.let_go.set()
            control.sleep(1.0) if call == "sleep" else control.progress("on")

        return wait

    bench.world.script("apply", "a", apply)
    with pytest.raises(Interrupted):
        bench.work(A)
    assert [event.type for event in bench.log] == ["StepStarted"]


def test_waiting_for_a_retry_is_let_go(bench):
    bench.world.script("read", "a", busy_but(lambda _: bench.let_go.set()))
    with pytest.raises(Interrupted):
        bench.work(A)


# What nobody foresaw


@pytest.mark.parametrize(("verb", "types"), [("read", []), ("apply", ["StepStarted"])])
def test_defects_are_the_executors_to_journal(bench, verb, types):
    bench.world.script(verb, "a", ZeroDivisionError("oops"))
    with pytest.raises(ZeroDivisionError):
        bench.work(A)
    assert [event.type for event in bench.log] == types


def test_touching_is_safe_from_many_threads(bench):
    threads = [
        threading.Thread(target=bench.touched.add, args=([ObjectRef("thing", str(n))],)) for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(bench.touched.holds_any(frozenset({ObjectRef("thing", str(n))})) for n in range(20))
