"""What a journal gives back: every inverse once, in an order that reality can follow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from drctl.core import events as ev
from drctl.core.action import MARK
from drctl.core.events import Recorded
from drctl.engine.graph import build
from drctl.engine.undo import Undoing, undo

BEGAN = datetime(2026, 1, 31, 3, 0, tzinfo=UTC)
CHANGE = ev.ChangeData(summary="changes")


def planned(step: str, *needs: str, cost: str = "reversible") -> ev.StepPlanned:
    return ev.StepPlanned(
        step=step, title=step, phase="Move", kind="action", needs=needs, reversibility=cost, verdict="will",
        action="bay.make", endpoint="near",
    )  # fmt: skip


def began(step: str, *objects: str, attempt: int = 1, **arguments: str) -> ev.StepStarted:
    recipe = ev.RecipeData(uses="bay.make", arguments=arguments or {"vm": step}, endpoint="near")
    return ev.StepStarted(step=step, attempt=attempt, change=CHANGE, undo=recipe, objects=objects)


def begin() -> ev.RunStarted:
    empty = ev.FileData(name="f", digest="0")
    site = ev.SiteData(name="south", title="South")
    return ev.RunStarted(
        run="R1", mode="drill", runbook=empty, inventory=empty, source=site, target=site, plan_digest="0",
        tool="0", host="h", user="u",
    )  # fmt: skip


def undone(*events: ev.EventData) -> Undoing:
    records = [
        Recorded(seq, BEGAN + timedelta(seconds=seq), "engine", event)
        for seq, event in enumerate((begin(), *events))
    ]
    return undo(records, Path("journal.jsonl"), {"near": "south"})


def needs(found: Undoing) -> dict[str, set[str]]:
    return {step.id: set(step.needs) for step in found.steps}


def test_the_other_way_round_and_side_by_side_where_it_was() -> None:
    found = undone(
        planned("clone"), planned("a", "clone"), planned("b", "clone"), planned("check", "a", "b"),
        planned("last", "check"), began("clone"), began("a"), began("b"), began("last"),
    )  # fmt: skip
    assert needs(found) == {
        "undo.last": set(),
        "undo.b": {"undo.last"},
        "undo.a": {"undo.last"},
        "undo.clone": {"undo.a", "undo.b"},
    }
    assert found.steps[0].id == "undo.last"
    assert found.steps[0].body.site == "south"


def test_later_steps_on_the_same_object_go_first() -> None:
    found = undone(planned("a"), planned("b"), began("a", "vm x at south"), began("b", "vm x at south"))
    assert needs(found) == {"undo.b": set(), "undo.a": {"undo.b"}}


def test_only_what_was_begun_is_undone_and_what_cannot_be_is_named() -> None:
    nothing = ev.StepStarted(step="probe")
    final = ev.StepStarted(step="final", change=CHANGE)
    found = undone(
        planned("a"), planned("never"), planned("probe"), planned("final", cost="irreversible"),
        planned("free"), began("a"), nothing, final, ev.StepStarted(step="free", change=CHANGE),
    )  # fmt: skip
    assert [step.id for step in found.steps] == ["undo.a"]
    assert {(kept.step, kept.final) for kept in found.kept} == {("final", True), ("free", False)}


def test_each_attempts_inverse_is_kept_and_equal_ones_count_once() -> None:
    found = undone(
        planned("a"), planned("b", "a"),
        began("a", vm="a", to="gone"), began("a", attempt=2, vm="a", to="half"), began("a", attempt=3, vm="a", to="gone"),
        began("b"),
    )  # fmt: skip
    assert needs(found) == {
        "undo.b": set(),
        "undo.a": {"undo.b"},
        "undo.a.2": {"undo.a"},
    }
    first, second = (step.body.arguments.resolve({}) for step in found.steps[1:])
    assert (first["to"], second["to"]) == ("half", "gone")


def test_marks_and_late_outputs_are_filled_in_and_left_out_where_nobody_knows() -> None:
    recipe = {"vm": "a", "mark": MARK, "serial": "$outputs.serial"}
    ended = ev.StepFinished(step="a", how="applied", outputs={"serial": 7})
    found = undone(planned("a"), planned("b"), began("a", **recipe), ended, began("b", **recipe))
    later, first = (step.body.arguments.resolve({}) for step in found.steps)
    assert first == {"vm": "a", "mark": "drctl:R1:a", "serial": 7}
    assert later == {"vm": "a", "mark": "drctl:R1:b"}


def test_an_inverse_that_holds_a_secret_is_not_used() -> None:
    found = undone(planned("a"), began("a", content="password •••"))
    assert found.steps == ()
    assert found.kept[0].final


@given(st.data())
def test_any_order_gives_a_graph_in_which_everything_waits_for_its_users(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 8))
    edges = {
        n: data.draw(st.sets(st.integers(0, n - 1)), label=f"needs of {n}") if n else set()
        for n in range(count)
    }
    begun = [n for n in range(count) if data.draw(st.booleans())]
    plans = [planned(str(n), *map(str, sorted(edges[n]))) for n in range(count)]
    found = undone(*plans, *(began(str(n), f"thing {n % 3}") for n in begun))
    graph = build(found.steps)
    above: dict[int, set[int]] = {}
    for n in range(count):
        above[n] = {m for need in edges[n] for m in {need, *above[need]}}
    for n in begun:
        for m in set(begun) & above[n]:
            assert f"undo.{n}" in graph.ancestors(f"undo.{m}")
