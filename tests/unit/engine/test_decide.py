"""What may start now: order, chains, lanes, limits, failures; and what deciding costs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_run import (
    Ref,
    failed,
    finished,
    gate,
    manual,
    planned,
    recorded,
    see,
    started,
    taken,
    unclear,
    use,
)

from drctl.core import events as ev
from drctl.core.run import GOOD, Run, State, StepRun
from drctl.engine.decide import MOST, Agenda, Decision, decide, exceptions
from drctl.engine.step import Use

LIMITS = {"here": 3, "there": 1}
PERSON = ev.SkipRequested(step="a", by="somebody", reason="r")
CONDITION = ev.StepSkipped(step="a", reason="r", cause="condition")
NO = ev.GateAnswered(step="go", answer="no-go", by="somebody")


def said(decision: Decision) -> tuple[str, str, str]:
    """The ids to start, to ask and to skip, each as one word list."""
    start = " ".join(step.id for step in decision.start)
    ask = " ".join(step.id for step in decision.ask)
    return start, ask, " ".join(skip.step for skip in decision.skip)


def run_of(*events: ev.EventData) -> Run:
    return Run.of(recorded(started(), taken(), *events))


def chain(name: str, *steps: str, lane: tuple[str, int] | None = None, **rest):
    """Steps one after another, of one item."""
    ids = [f"{name}.{step}" for step in steps]
    needs = [(), *[(one,) for one in ids]]
    return [use(one, *before, chain=name, lane=lane, **rest) for one, before in zip(ids, needs, strict=False)]


THREE = [use("a"), use("b", "a"), use("c", "b"), use("d", "c")]
DONE_TWICE = [finished("a"), finished("b"), ev.RetryRequested(step="a", by="somebody")]
A_THEN_B = [use("a"), use("b", "a")]
CHAINS = [*chain("x", "1", "2", "3"), *chain("y", "1", "2"), use("after", "x.3", "y.2")]
USER = [use("a"), use("b", "a", thing=Ref("a")), use("c", "a")]
ITEMS = [use(f"i{n}", lane=("i", 2), on=None) for n in range(4)]
LANED = [step for n in range(3) for step in chain(f"k{n}", "1", "2", lane=("k", 2))]


@pytest.mark.parametrize(
    ("steps", "events", "running", "expected"),
    [
        (A_THEN_B, [], [], ("a", "", "")),
        (A_THEN_B, [], ["a"], ("", "", "")),
        (A_THEN_B, [finished("a")], [], ("b", "", "")),
        (A_THEN_B, [finished("a", "unchanged")], [], ("b", "", "")),
        (A_THEN_B, [failed("a")], [], ("", "", "")),
        (A_THEN_B, [failed("a", tolerated=True)], [], ("b", "", "")),
        (A_THEN_B, [unclear("a")], [], ("", "", "")),
        (A_THEN_B, [unclear("a", tolerated=True)], [], ("b", "", "")),
        (A_THEN_B, [PERSON], [], ("b", "", "")),
        (A_THEN_B, [CONDITION], [], ("b", "", "")),
        (A_THEN_B, [ev.StepNotExercised(step="a", reason="r")], [], ("b", "", "")),
        # while a step is done again, what follows waits, be the steps between done or passed over
        (THREE, DONE_TWICE, [], ("a", "", "")),
        (THREE, DONE_TWICE, ["a"], ("", "", "")),
        (THREE, [*DONE_TWICE, finished("a")], [], ("c", "", "")),
        (THREE, [PERSON.model_copy(update={"step": "c"})], [], ("a", "", "")),
        # a tolerated failure ends its chain and the users of its outputs, nothing else
        (CHAINS, [], [], ("x.1 y.1", "", "")),
        (CHAINS, [failed("x.1", tolerated=True)], [], ("y.1", "", "x.2")),
        (
            CHAINS,
            [failed("x.1", tolerated=True), ev.StepSkipped(step="x.2", reason="r", cause="chain", after="x.1")],
            [],
            ("y.1", "", "x.3"),
        ),
        (
            CHAINS,
            [
                failed("x.1", tolerated=True),
                ev.StepSkipped(step="x.2", reason="r", cause="chain", after="x.1"),
                ev.StepSkipped(step="x.3", reason="r", cause="chain", after="x.2"),
                finished("y.1"),
                finished("y.2"),
            ],
            [],
            ("after", "", ""),
        ),
        (CHAINS, [PERSON.model_copy(update={"step": "x.1"})], [], ("x.2 y.1", "", "")),
        (USER, [failed("a", tolerated=True)], [], ("c", "", "b")),
        (USER, [unclear("a", tolerated=True)], [], ("c", "", "b")),
        (USER, [PERSON], [], ("b c", "", "")),
        # lanes: at most so many items of a group at once, and a chain that began keeps its place
        (ITEMS, [], [], ("i0 i1", "", "")),
        (ITEMS, [], ["i0"], ("i1", "", "")),
        (ITEMS, [finished("i0")], ["i1"], ("i2", "", "")),
        (LANED, [], [], ("k0.1 k1.1", "", "")),
        (LANED, [finished("k0.1")], ["k1.1"], ("k0.2", "", "")),
        (LANED, [finished("k0.1"), finished("k1.1")], ["k1.2"], ("k0.2", "", "")),
        (LANED, [finished("k0.1"), finished("k0.2")], ["k1.1"], ("k2.1", "", "")),
        # endpoints
        ([use(f"e{n}") for n in range(5)], [], [], ("e0 e1 e2", "", "")),
        ([use(f"e{n}") for n in range(5)], [finished("e1")], ["e0", "e2"], ("e3", "", "")),
        ([use("t1", on="there"), use("t2", on="there"), use("h1")], [], [], ("t1 h1", "", "")),
        ([use("t1", on="there"), use("t2", on="there")], [], ["t1"], ("", "", "")),
        ([use(f"u{n}", on="unknown") for n in range(9)], [], [], (" ".join(f"u{n}" for n in range(8)), "", "")),
        ([see(f"p{n}", on=None) for n in range(20)], [], [], (" ".join(f"p{n}" for n in range(20)), "", "")),
        # people
        ([gate("go"), use("a", "go"), manual("call")], [], [], ("", "go call", "")),
        ([gate("go"), use("a", "go")], [ev.GateOpened(step="go", ask="?")], [], ("", "", "")),
        ([gate("go"), use("a", "go")], [finished("go", "answered")], [], ("a", "", "")),
        # waves: those of the second wait for all of the first
        ([use("w1"), use("w2"), use("v", "w1", "w2")], [finished("w1")], ["w2"], ("", "", "")),
        ([use("w1"), use("w2"), use("v", "w1", "w2")], [finished("w1"), failed("w2", tolerated=True)], [], ("v", "", "")),
        # again
        (A_THEN_B, [finished("a"), finished("b"), ev.RetryRequested(step="a", by="x")], [], ("a", "", "")),
        (A_THEN_B, [failed("a"), taken(2)], [], ("a", "", "")),
        (A_THEN_B, [failed("a"), taken(2)], ["a"], ("", "", "")),
    ],
)  # fmt: skip
def test_what_may_begin(steps, events, running, expected):
    assert said(decide(steps, run_of(*events), running, LIMITS)) == expected


@pytest.mark.parametrize(
    ("on_error", "events", "stops"),
    [
        ("stop", [failed("a")], True),
        ("stop", [unclear("a")], True),
        ("stop", [failed("a", tolerated=True)], False),
        ("ask", [failed("a")], False),
        ("ask", [unclear("a")], False),
        ("stop", [failed("a"), PERSON], False),
        ("stop", [failed("a"), ev.RetryRequested(step="a", by="x")], False),
        ("ask", [ev.DriftFound(step="a", planned="p", seen="s")], True),
        ("stop", [ev.DriftFound(step="a", planned="p", seen="s"), PERSON], False),
        ("stop", [ev.AbortRequested(by="x", reason="r")], True),
        ("stop", [ev.GateOpened(step="go", ask="?"), NO], True),
        ("stop", [planned("old", precheck=True), failed("old")], False),
    ],
)
def test_what_forbids_starting_anything_more(on_error, events, stops):
    steps = [use("a", on_error=on_error), use("b"), gate("go")]
    assert Agenda(steps, run_of(planned("a"), *events), LIMITS).must_stop is stops


def test_a_skip_says_after_what():
    (skip,) = decide(CHAINS, run_of(failed("x.1", tolerated=True)), [], LIMITS).skip
    assert (skip.step, skip.after, skip.cause, skip.reason) == ("x.2", "x.1", "chain", "x.1 failed")


def test_not_more_threads_than_a_machine_can_bear():
    steps = [see(f"p{n}", on=None) for n in range(MOST + 10)]
    assert len(decide(steps, run_of(), [], {}).start) == MOST
    assert len(decide(steps, run_of(), [f"p{n}" for n in range(5)], {}).start) == MOST - 5


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([finished("a"), finished("b", "unchanged")], ()),
        ([failed("a", tolerated=True), finished("b")], ("a",)),
        ([unclear("a", tolerated=True), finished("b")], ("a",)),
        ([PERSON, finished("b")], ("a",)),
        ([CONDITION, finished("b")], ()),
        ([finished("a"), ev.StepSkipped(step="b", reason="r", cause="chain")], ("b",)),
        ([finished("a"), ev.StepNotExercised(step="b", reason="r")], ()),
        ([PERSON, ev.RetryRequested(step="a", by="x"), finished("a"), finished("b")], ()),
    ],
)
def test_what_a_run_did_not_reach(events, expected):
    assert exceptions(["a", "b"], run_of(*events)) == expected


# Against the rules, spelled out without any bookkeeping


def oracle(steps, run, running, limits):
    """The same decision by looking at everything."""
    states = {step.id: run.steps.get(step.id) or StepRun(step.id) for step in steps}
    room = Counter(step.body.endpoint for step in steps if step.id in running)
    lanes = {step.chain or step.id for step in steps if step.lane and step.id in running}
    lanes |= {step.chain for step in steps if step.lane and step.chain and begun(step.chain, steps, states)}
    start, ask, skip = [], [], []
    for step in steps:
        if step.id in running or not ready(step, steps, states):
            continue
        member = step.chain or step.id
        if is_broken(step, steps, states):
            skip.append(step.id)
        elif not isinstance(step.body, Use):
            ask.append(step.id)
        elif room[step.body.endpoint] < limits[step.body.endpoint] and (
            not step.lane or member in lanes or len(lanes) < step.lane[1]
        ):
            room[step.body.endpoint] += 1
            lanes |= {member} if step.lane else set()
            start.append(step.id)
    return start, ask, skip


def ready(step, steps, states):
    by_id = {one.id: one for one in steps}

    def passed(need):
        return states[need].settled and all(map(passed, by_id[need].needs))

    return states[step.id].state is State.PENDING and all(map(passed, step.needs))


def begun(chain, steps, states):
    return {states[step.id].settled for step in steps if step.chain == chain} == {True, False}


def is_broken(step, steps, states):
    refs = step.body.references if isinstance(step.body, Use) else ()
    fellows = {fellow.id for fellow in steps if step.chain and fellow.chain == step.chain}
    return any(states[need].stops_chain for need in step.needs if need in refs or need in fellows)


@st.composite
def runbooks(draw):
    """Some steps on two endpoints, each needing some before it; chains in and out of a lane."""
    steps = []
    for n in range(draw(st.integers(1, 10))):
        before = [step.id for step in steps]
        needs = draw(st.sets(st.sampled_from(before), max_size=3)) if before else set()
        name, lane = draw(
            st.sampled_from([(None, False), (None, True), ("c1", True), ("c2", True), ("c3", False)])
        )
        fields = {"chain": name, "on_error": draw(st.sampled_from(["stop", "continue", "ask"]))}
        needs |= {fellow.id for fellow in steps if name and fellow.chain == name}
        if lane:
            fields["lane"] = ("lane", 1)
        if needs and draw(st.booleans()):
            fields["thing"] = Ref(min(needs))
        if draw(st.integers(0, 5)) == 0:
            steps.append(gate(f"s{n}", *needs))
        else:
            steps.append(use(f"s{n}", *needs, on=draw(st.sampled_from(["here", "there"])), **fields))
    return steps


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_bookkeeping_changes_no_decision(data):
    """A whole run, any step ending in any way at any time: looking only at what changed finds the same."""
    steps = data.draw(runbooks())
    run = run_of()
    agenda = Agenda(steps, run, LIMITS)
    running: set[str] = set()
    for _ in range(40):
        expected = oracle(steps, run, running, LIMITS)
        decision = agenda.decide(running)
        got = said(decision)
        assert [set(words.split()) for words in got] == [set(words) for words in expected]
        events = list(decision.skip)
        events += [ev.GateOpened(step=step.id, ask="?") for step in decision.ask]
        for step in decision.start:
            running.add(step.id)
        possible = sorted(running | {s for s, r in run.steps.items() if r.state is not State.PENDING})
        if not events and not possible:
            break
        if possible:
            step = data.draw(st.sampled_from(possible))
            tolerated = data.draw(st.booleans())
            ends = [finished(step), failed(step, tolerated=tolerated), unclear(step, tolerated=tolerated)]
            words = [
                ev.SkipRequested(step=step, by="x", reason="r"),
                ev.GateAnswered(step=step, answer="go", by="x"),
            ]
            if not any(step in user.needs for user in steps if user.id in running):
                words.append(ev.RetryRequested(step=step, by="x"))
            event = data.draw(st.sampled_from(ends if step in running else words))
            running.discard(step)
            events.append(event)
        for record in recorded(*events):
            run.add(record)
        agenda.heed({event.step for event in events} | set(run.steps))
        assert agenda.must_stop == Agenda(steps, run, LIMITS).must_stop
        assert {record.id for record in agenda.left()} == {
            step.id for step in steps if not (run.steps.get(step.id) or StepRun(step.id)).settled
        }


# What it costs


class CountedSteps(dict):
    """Counts how often the run is asked for a step."""

    asked = 0

    def get(self, key, default=None):
        self.asked += 1
        return super().get(key, default)


def wide(count: int) -> list:
    """A tenth as many chains of nine steps in two groups, the second group waiting for the whole first."""
    first = [s for n in range(count // 20) for s in chain(f"f{n}", *"123456789", lane=("f", 16))]
    ends = frozenset(step.id for step in first if step.id.endswith(".9"))
    second = [s for n in range(count // 20) for s in chain(f"s{n}", *"123456789", lane=("s", 16))]
    return [*first, *[replace(s, needs=ends) if not s.needs else s for s in second]]


def execute(steps) -> int:
    """Run all steps to their end, eight at a time; return how often the state of a step was asked for."""
    run = run_of()
    run.steps = CountedSteps()
    agenda = Agenda(steps, run, {"here": 8})
    running: list[str] = []
    left = len(steps)
    while left:
        running += [step.id for step in agenda.decide(running).start]
        step = running.pop(0)
        run.add(recorded(finished(step))[0])
        agenda.heed([step])
        left -= 1
    assert not agenda.decide(running)
    assert all(record.state in GOOD for record in run.steps.values())
    return run.steps.asked


@pytest.mark.parametrize(
    "shape",
    [
        wide,
        lambda count: [use(f"s{n}") for n in range(count)],
        lambda count: [use(f"s{n}", *([f"s{n - 1}"] if n else [])) for n in range(count)],
    ],
    ids=["groups", "side by side", "one chain"],
)
def test_ten_times_the_steps_cost_ten_times_the_work(shape):
    assert execute(shape(10_000)) < 13 * execute(shape(1_000))
