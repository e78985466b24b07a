"""What a drill makes of a failover's steps, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from drctl.core.action import ObjectRef
from drctl.core.bubble import Bubble
from drctl.core.operation import Unexercised
from drctl.core.problem import DrctlError
from drctl.engine import verdict as vd
from drctl.engine.drill import DrillBinder, bubble_of

Make = Callable[..., Any]

BUBBLE = Bubble("south", {"prod-1": "island-1"}, "DRILL", "-drill", "/drill_", via="gate")


def test_names_of_the_bubble_are_given_once() -> None:
    for name in (BUBBLE.vm, BUBBLE.datastore, BUBBLE.volume, BUBBLE.policy, BUBBLE.share, BUBBLE.network):
        once = name("prod-1")
        assert once != "prod-1"
        assert name(once) == once
    assert BUBBLE.volume("pacs") == "pacs_drill"
    assert BUBBLE.junction("/a/b") == "/drill_a_b" == BUBBLE.junction("/drill_a_b")


def test_a_network_nobody_mapped_is_a_problem_not_a_guess() -> None:
    with pytest.raises(DrctlError, match="no network for 'prod-2'"):
        BUBBLE.network("prod-2")


@pytest.mark.parametrize(
    ("kind", "identity", "site", "endpoint", "inside"),
    [
        ("vm", "web-drill", "south", None, True),
        ("vm", "web", "south", None, False),
        ("vm", "web-drill", "north", None, False),
        ("nic-network", "web-drill", "south", None, True),
        ("guest-ip", "web-drill", "south", None, True),
        ("datastore", "ds-drill", "south", None, True),
        ("volume", "svm:v_drill", "south", None, True),
        ("volume", "svm_drill:v", "south", None, False),
        ("mirror", "svm:v_drill", "south", None, False),
        ("junction", "svm:/drill_v", "south", None, True),
        ("junction", "svm:/v", "south", None, False),
        ("export", "svm:v_drill", "south", None, True),
        ("alias", "svm:NAS_drill", "south", None, False),
        ("record", "www-drill.example A", "south", None, False),
        ("svm", "svm_drill", "south", None, False),
        ("file", "/etc/x", "south", "gate", True),
        ("file", "/etc/x", "south", "edge", False),
        ("command", "reload", "south", "gate", True),
    ],
)
def test_what_is_inside(kind: str, identity: str, site: str, endpoint: str | None, *, inside: bool) -> None:
    assert BUBBLE.contains(ObjectRef(kind, identity, site), endpoint) is inside


def test_a_bubble_without_a_suffix_of_letters_holds_nothing() -> None:
    nameless = Bubble("south", "island", "DRILL", "_", "/drill_")
    assert not nameless.contains(ObjectRef("vm", "web_", "south"))


def test_a_step_is_done_to_the_bubbles_own(drills: Make) -> None:
    plan = drills(web="on").plan("- {id: a, uses: bay.make, on: near, with: {vm: web}}")
    assert isinstance(plan["a"].verdict, vd.Will)
    assert plan["a"].verdict.summary == "web-drill on"
    assert plan["a"].event().instead_of is None


def test_a_plan_names_the_action_that_stands_in(drills: Make) -> None:
    event = drills().plan("- {id: a, uses: bay.swapped, on: near, with: {vm: web}}")["a"].event()
    assert (event.action, event.instead_of) == ("bay.make", "bay.swapped")


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ("uses: bay.careless, on: near, with: {vm: web}", "touches vm web at south"),
        ("uses: bay.careless, on: near, with: {vm: old-drill}", "touches vm old-drill"),
        ("uses: bay.make, on: near, with: {vm: web, folder: PROD}", "uses the folder PROD"),
        ("uses: bay.make, on: near, with: {vm: web, networks: {NIC 1: prod}}", "uses the network prod"),
        ("uses: bay.make, on: near, with: {vm: w}, drill: {uses: bay.make, with: {vm: web}}", "touches vm web"),
        ("uses: bay.make, on: near, with: {vm: w}, drill: {uses: bay.shapeless, with: {vm: w}}", "does not say"),
        ("uses: bay.make, on: near, with: {vm: w}, drill: {uses: bay.make, on: far, with: {vm: w-drill}}", "at north"),
        ("uses: bay.look, on: near, drill: {uses: bay.look, on: far}", "asks far at north"),
    ],
)  # fmt: skip
def test_a_plan_that_leaves_the_bubble_is_blocked(drills: Make, step: str, why: str) -> None:
    planned = drills(web="on").plan(f"- {{id: a, {step}}}")["a"]
    assert isinstance(planned.verdict, vd.Blocked)
    assert planned.verdict.problem.code == "outside-bubble"
    assert why in planned.verdict.problem.summary


def test_the_guard_stands_where_a_step_is_bound_not_only_in_the_plan(drills: Make) -> None:
    with pytest.raises(DrctlError, match="would leave the bubble"):
        drills().binder.bind("bay.careless", "near", {"vm": "web"})
    with pytest.raises(DrctlError, match="would leave the bubble"):
        drills().binder.bind("bay.final", "near", {"vm": "web"}, as_is=True)


def test_what_is_about_the_other_site_is_left_out(drills: Make) -> None:
    one = drills(web="on")
    with pytest.raises(Unexercised, match="it is about north"):
        one.binder.bind("bay.make", "far", {"vm": "web", "to": "off"})
    with pytest.raises(Unexercised, match="it is about north"):
        one.binder.bind("bay.look", "far", {"vm": "web"})


def test_a_step_on_the_way_in_is_done_as_written_and_guarded_all_the_same(drills: Make) -> None:
    one = drills(web="on")
    inside = DrillBinder(one.outside, Bubble("south", "island", "DRILL", "-drill", "/drill_", via="near"))
    assert inside.bind("bay.final", "near", {"vm": "toy-drill"}).uses == "bay.final"
    with pytest.raises(DrctlError, match="would leave the bubble"):
        inside.bind("bay.final", "near", {"vm": "web"})


def test_what_a_drill_leaves_out_still_foresees_its_outputs(drills: Make) -> None:
    plan = drills().plan("""
        - {id: a, uses: bay.final, on: near, with: {vm: web}}
        - {id: b, uses: bay.make, on: near, with: {vm: "{{ steps.a.outputs.vm }}"}}
        - {id: c, uses: bay.make, on: near, with: {vm: "{{ steps.a.outputs.serial }}"}}
    """)
    assert plan["a"].verdict == vd.NotExercised("there is only one of it")
    assert plan["b"].verdict.summary == "web-drill on"
    assert isinstance(plan["c"].verdict, vd.NotExercised)
    assert "needs the outputs of a" in plan["c"].verdict.summary


def test_the_runbook_has_its_own_word_for_drills(drills: Make) -> None:
    text = """
        - {id: a, uses: bay.final, on: near, with: {vm: web}, drill: {uses: bay.make, with: {vm: toy-drill}}}
        - {id: b, uses: bay.make, on: near, with: {vm: web}, drill: skip}
        - {id: g, gate: {ask: Go?}, drill: skip}
        - {id: m, manual: {do: Call them.}}
        - {id: f, uses: bay.make, on: near, with: {vm: web}, modes: [failover]}
    """
    plan = drills().plan(text)
    assert plan["a"].verdict.summary == "toy-drill on"
    assert plan["b"].verdict == plan["g"].verdict == vd.NotExercised("the runbook leaves it out of drills")
    assert plan["m"].verdict.summary.startswith("Drill, do not carry it out")
    assert "f" not in plan
    real = drills().plan(text, mode="failover")
    assert [real[step].verdict.summary for step in ("a", "b", "m")] == ["web on", "web on", "Call them."]


def test_mistakes_in_the_word_for_drills_are_placed(drills: Make) -> None:
    with pytest.raises(DrctlError) as caught:
        drills().expand("- {id: a, uses: bay.make, on: near, with: {vm: w}, drill: {uses: bay.mak}}")
    (problem,) = caught.value.problems
    assert problem.where is not None
    assert problem.where.text[problem.where.column - 1 :].startswith("bay.mak}")
    with pytest.raises(DrctlError, match="only a step with 'uses'"):
        drills().expand("- {id: a, gate: {ask: Go?}, drill: {uses: bay.make}}")


def test_a_site_without_a_bubble_has_no_drills(drills: Make) -> None:
    with pytest.raises(DrctlError, match="no bubble at north"):
        bubble_of(drills().inventory, "north", "R1")


@pytest.mark.parametrize(
    ("url", "inside"),
    [("https://198.51.100.9:8443/health", True), ("https://app.example/health", False), (None, False)],
)
def test_a_check_without_endpoint_asks_inside_or_not_at_all(
    drills: Make, url: str | None, *, inside: bool
) -> None:
    one = drills()
    arguments = {"url": url} if url else {}
    if inside:
        assert one.binder.bind("bay.look", None, arguments, as_is=True).uses == "bay.look"
    else:
        with pytest.raises(DrctlError, match="would leave the bubble"):
            one.binder.bind("bay.look", None, arguments, as_is=True)
