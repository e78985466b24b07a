"""What a plan says of each step before anything is touched, and what its digest covers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from fake_clock import START
from small_run import Ref, When, gate, manual, see, use
from things import failed

from drctl.app.approval import load_plan, refuse_stale, save_plan
from drctl.app.case import refuse_blockers
from drctl.core import events as ev
from drctl.core.action import DataLoss
from drctl.core.problem import DrctlError, ExitCode
from drctl.core.provider import Access
from drctl.engine.graph import build
from drctl.engine.plan import Inputs, Plan, Planner, check

INPUTS = Inputs("failover", "r" * 64, "i" * 64, {"ticket": "INC-7"})
AWAY = {"unreachable": True}


@pytest.fixture
def plan(bench):
    def plan(*steps, known=None, inputs=INPUTS) -> Plan:
        return Plan(inputs, Planner(bench.binder, build(steps), steps, known or {}).plan())

    return plan


def words(plan: Plan) -> dict[str, str]:
    return {planned.step.id: planned.verdict.word for planned in plan.steps}


CONDITIONAL = {"when": When(Ref("a", "before"), bool)}
"""Decided by an output that nobody can foresee."""


@pytest.mark.parametrize(
    ("states", "steps", "expected"),
    [
        ({"a": "on"}, [use("a")], {"a": "done"}),
        ({"a": "off"}, [use("a")], {"a": "will"}),
        ({}, [see("a"), gate("go"), manual("call")], {"a": "observes", "go": "asks", "call": "asks"}),
        # what is missing: made by a step before, by one that runs too late, by nobody
        ({}, [use("a"), use("b", "a", wants="a")], {"a": "will", "b": "unknown"}),
        ({}, [use("a"), use("b", "a", wants="a"), use("c", "b", wants="b")], {"a": "will", "b": "unknown", "c": "unknown"}),
        ({}, [use("a", wants="b"), use("b", "a")], {"a": "blocked", "b": "will"}),
        ({}, [use("a"), use("b", wants="a")], {"a": "will", "b": "blocked"}),
        ({}, [use("b", wants="nowhere")], {"b": "blocked"}),
        ({}, [use("b", wants="nowhere", on_error="continue")], {"b": "unreadable"}),
        ({}, [use("a", on="there"), use("b", "a", wants="a")], {"a": "will", "b": "blocked"}),
        # outputs of others: foreseen, or not yet known
        ({}, [use("a"), use("b", thing=Ref("a"))], {"a": "will", "b": "will"}),
        ({}, [use("a"), use("b", thing=Ref("a", "before"))], {"a": "will", "b": "unknown"}),
        # what an unknown step will make is unknown too
        ({}, [use("a"), use("b", thing=Ref("a", "before")), use("c", "b", wants="x")], {"a": "will", "b": "unknown", "c": "unknown"}),
        ({}, [use("a"), use("b", thing=Ref("a", "before")), use("c", "a", wants="x")], {"a": "will", "b": "unknown", "c": "blocked"}),
        ({}, [use("a"), use("b", thing=Ref("a", "before"), on="there"), use("c", "b", wants="x")], {"a": "will", "b": "unknown", "c": "blocked"}),
        # conditions
        ({}, [use("a"), use("b", "a", wants="nowhere", **CONDITIONAL)], {"a": "will", "b": "unknown"}),
        ({}, [use("a"), use("b", "a", when=When(Ref("a"), lambda n: n == "a"))], {"a": "will", "b": "will"}),
        ({}, [use("a"), use("b", "a", wants="nowhere", when=When(Ref("a"), lambda n: n == "z"))], {"a": "will", "b": "unknown"}),
    ],
)  # fmt: skip
def test_verdicts(bench, plan, states, steps, expected):
    bench.world.states |= states
    assert words(plan(*steps)) == expected


@pytest.mark.parametrize(
    ("on_error", "word"), [("stop", "blocked"), ("ask", "blocked"), ("continue", "unreadable")]
)
@pytest.mark.parametrize("flags", [{}, AWAY])
def test_what_cannot_be_read(bench, plan, on_error, word, flags):
    bench.world.script("read", "a", failed("no answer", **flags))
    made = plan(use("a", on_error=on_error))
    assert words(made) == {"a": word}
    assert "no answer" in made.steps[0].verdict.summary


def test_a_secret_that_is_missing_at_the_lost_site_is_tolerated_like_the_loss(plan):
    assert words(plan(use("a", on="locked", on_error="continue"), use("b"))) == {
        "a": "unreadable",
        "b": "will",
    }
    assert plan(use("a", on="locked")).blockers()[0].code == "secret"


def test_the_wrong_order_is_said_with_the_step_that_comes_too_late(plan):
    made = plan(use("b", wants="a"), use("a", "b"))
    (problem,) = made.blockers()
    assert (problem.code, problem.step) == ("wrong-order", "b")
    assert problem.summary == "thing a does not exist; a brings it about, but does not run before this step"
    assert "Move a before this step" in problem.hint


def test_what_nobody_makes_is_said(plan):
    (problem,) = plan(use("b", wants="nowhere")).blockers()
    assert (problem.code, problem.detail) == ("missing", "No step of this runbook brings it about.")


def test_bad_arguments_block(plan):
    (problem,) = plan(use("b", thing=7)).blockers()
    assert problem.code == "bad-argument"


def test_a_plan_reads_and_never_writes(bench, plan):
    plan(use("a"), use("b", "a", wants="a"), see("c"))
    provider = bench.registry.provider("thing")
    assert {access for _, access in provider.opened} == {Access.READ}
    assert bench.world.calls == []


def test_what_has_ended_is_not_read_again(bench, plan):
    made = plan(use("a"), use("b", thing=Ref("a", "before")), known={"a": {"name": "a", "before": "x"}})
    assert words(made) == {"a": "done", "b": "will"}
    assert bench.world.reads == ["x"]


def test_outputs_are_foreseen_without_contacting_anything(bench):
    steps = [use("a"), use("b", thing=Ref("a")), use("c", thing=Ref("b", "before"))]
    foreseen = Planner(bench.binder, build(steps), steps, {}).foresee()
    assert foreseen == {"a": {"name": "a"}, "b": {"name": "a"}}
    assert bench.world.reads == []


def test_losses_are_stated_per_volume(bench, plan):
    bench.world.loss["a"] = DataLoss("vol", "hourly", START - timedelta(minutes=20), 1.5)
    (loss,) = plan(use("a", service="pacs"), use("b")).losses()
    assert (loss.volume, loss.snapshot, loss.service, loss.step) == ("vol", "hourly", "pacs", "a")


def test_a_wide_plan_looks_for_makers_once(bench, plan):
    """Each missing object is looked up, not searched for in every step."""
    asked = []

    class Counting(type(bench.binder.bind("thing.set", "here", {"thing": "a", "to": "on"}))):
        def touches(self):
            asked.append(self)
            return super().touches()

    class Binder:
        def bind(self, uses, endpoint, arguments, *, as_is=False):
            plain = bench.binder.bind(uses, endpoint, arguments)
            return Counting(**{name: getattr(plain, name) for name in plain.__dataclass_fields__})

        def look_many(self, operations):
            return bench.binder.look_many(operations)

    makers = [use(f"m{n}") for n in range(100)]
    users = [use(f"u{n}", f"m{n}", wants=f"m{n}") for n in range(100)]
    steps = [*makers, *users]
    Planner(Binder(), build(steps), steps, {}).plan()
    assert len(asked) == 200


# The digest


def test_the_digest_is_the_same_for_the_same_plan(plan):
    assert plan(use("a"), use("b", "a")).digest == plan(use("a"), use("b", "a")).digest


def test_figures_that_move_by_themselves_are_no_difference(bench, plan):
    bench.world.loss["a"] = DataLoss("vol", "hourly", START)
    before = plan(use("a"))
    bench.world.loss["a"] = DataLoss("vol", "hourly", START + timedelta(minutes=1), 3.0)
    assert plan(use("a")).digest == before.digest


@pytest.mark.parametrize(
    ("steps", "states", "inputs", "difference"),
    [
        ([use("a"), use("b", "a")], {"a": "on"}, INPUTS, "a: planned will (set a to on), now done (already as wished)"),
        ([use("a"), use("b", "a")], {"a": "odd"}, INPUTS, "a: planned set a to on (state: absent → on), now set a to on (state: odd → on)"),
        ([use("a")], {}, INPUTS, "b: is no longer part of the plan"),
        ([use("a"), use("b", "a"), use("c")], {}, INPUTS, "c: is new since the plan was approved"),
        ([use("a"), use("b")], {}, INPUTS, "b: planned after a, now after nothing"),
        ([use("a", on="there"), use("b", "a")], {}, INPUTS, "a: planned will"),
        ([use("a"), use("b", "a")], {}, replace(INPUTS, mode="switchover"), "the mode is not the one that was approved"),
        ([use("a"), use("b", "a")], {}, replace(INPUTS, runbook_digest="x"), "the runbook is not the one that was approved"),
        ([use("a"), use("b", "a")], {}, replace(INPUTS, inventory_digest="x"), "the inventory is not the one that was approved"),
        ([use("a"), use("b", "a")], {}, replace(INPUTS, parameters={"ticket": "INC-8"}), "the parameter ticket is not the one that was approved"),
        ([use("a"), use("b", "a")], {}, replace(INPUTS, parameters={}), "the parameter ticket is not the one that was approved"),
    ],
)  # fmt: skip
def test_a_saved_plan_is_refused_when_anything_moved_and_each_difference_is_named(
    bench, plan, tmp_path, steps, states, inputs, difference
):
    path = tmp_path / "plan.json"
    save_plan(plan(use("a"), use("b", "a")), path, START, "somebody")
    bench.world.states |= states
    with pytest.raises(DrctlError) as caught:
        refuse_stale(load_plan(path), plan(*steps, inputs=inputs))
    assert caught.value.exit_code == ExitCode.DRIFTED
    assert any(difference in str(problem) for problem in caught.value.problems), caught.value


def test_every_difference_is_named_at_once(bench, plan, tmp_path):
    path = tmp_path / "plan.json"
    save_plan(plan(use("a"), use("b"), use("c")), path, START, "somebody")
    bench.world.states |= {"a": "on", "b": "odd"}
    with pytest.raises(DrctlError) as caught:
        refuse_stale(load_plan(path), plan(use("a"), use("b")))
    assert [problem.step for problem in caught.value.problems] == ["a", "b", "c"]


def test_a_saved_plan_that_still_holds_is_accepted(bench, plan, tmp_path):
    path = tmp_path / "plan.json"
    bench.world.loss["a"] = DataLoss("vol", "hourly", START)
    save_plan(plan(use("a")), path, START, "somebody")
    bench.world.loss["a"] = DataLoss("vol", "hourly", START + timedelta(minutes=5))
    refuse_stale(load_plan(path), plan(use("a")))


def test_a_digest_that_fits_nothing_is_refused_even_without_a_difference(plan, tmp_path):
    path = tmp_path / "plan.json"
    saved = save_plan(plan(use("a")), path, START, "somebody")
    with pytest.raises(DrctlError, match="the plan file is not the one that was approved"):
        refuse_stale(saved.model_copy(update={"digest": "0" * 64}), plan(use("a")))


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff", b'{"drctl": 2}'])
def test_what_is_no_plan_is_said(tmp_path, content):
    path = tmp_path / "plan.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DrctlError) as caught:
        load_plan(path)
    assert caught.value.problems[0].code == "plan-file"


# Prechecks


@pytest.mark.parametrize(
    ("state", "mode", "on_error", "level"),
    [
        ("on", "failover", "stop", "ok"),
        ("off", "failover", "stop", "warning"),
        ("off", "switchover", "stop", "blocker"),
        ("off", "switchover", "continue", "warning"),
        (None, "failover", "stop", "blocker"),
        (None, "failover", "continue", "warning"),
    ],
)
def test_in_a_failover_only_the_impossible_blocks(bench, state, mode, on_error, level):
    if state:
        bench.world.states["p"] = state
    (checked,) = check(bench.binder, [see("p", on_error=on_error)], mode)
    assert checked.finding.level == level


@pytest.mark.parametrize(("mode", "level"), [("failover", "warning"), ("switchover", "blocker")])
def test_a_precheck_that_cannot_look_says_so(bench, mode, level):
    bench.world.script("read", "p", failed("no route", **AWAY))
    (checked,) = check(bench.binder, [see("p")], mode)
    assert (checked.finding.level, checked.finding.summary) == (level, "no route")


def test_what_blocks_is_a_problem_with_its_step(bench, plan):
    checks = check(bench.binder, [see("p")], "switchover")
    made = replace(plan(use("a", wants="x")), checks=checks)
    assert [(problem.code, problem.step) for problem in made.blockers()] == [
        ("missing", "a"),
        ("precheck", "p"),
    ]


def test_what_many_steps_suffer_from_is_said_once(bench, plan):
    made = plan(*[use(name, on="locked") for name in "abcdef"], use("x", wants="y"))
    with pytest.raises(DrctlError) as caught:
        refuse_blockers(made)
    secret, missing = caught.value.problems
    assert caught.value.exit_code == ExitCode.BLOCKED
    assert (secret.step, secret.detail) == ("a", "The same at b, c, d and 2 more.")
    assert missing.step == "x"


def test_planned_steps_carry_what_reports_need(plan):
    made = plan(
        use("a", service="pacs", item="one", on_error="continue"), manual("call", "a", confirms="pacs")
    )
    a, call = [planned.event() for planned in made.steps]
    assert (a.kind, a.action, a.endpoint, a.site, a.service, a.item) == (
        "action", "thing.set", "here", "north", "pacs", "one",
    )  # fmt: skip
    assert (a.reversibility, a.verdict, a.on_error) == ("reversible", "will", "continue")
    assert a.change == ev.ChangeData(
        summary="set a to on", fields=(ev.FieldData(name="state", before=None, after="on"),)
    )
    assert (call.kind, call.needs, call.confirms) == ("manual", ("a",), "pacs")
