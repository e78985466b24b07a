from __future__ import annotations

import pytest

from drctl.core.problem import Source
from drctl.engine.graph import build
from drctl.engine.step import Gate, Step

G = "gate: {ask: x}"


def needs(language, steps: str, mode: str = "failover") -> dict[str, set[str]]:
    return language.needs(language.expand(language.steps(steps), mode))


def test_a_step_waits_for_the_one_above(language):
    assert needs(language, f"- {{id: a, {G}}}\n- {{id: b, {G}}}\n- {{id: c, {G}}}") == {
        "a": set(),
        "b": {"a"},
        "c": {"b"},
    }


def test_needs_replace_the_one_above(language):
    steps = f"- {{id: a, {G}}}\n- {{id: b, {G}, needs: []}}\n- {{id: c, {G}, needs: [a]}}\n- {{id: d, {G}}}"
    assert needs(language, steps) == {"a": set(), "b": set(), "c": {"a"}, "d": {"c"}}


def test_needs_may_name_what_stands_below(language):
    assert needs(language, f"- {{id: a, {G}, needs: [b]}}\n- {{id: b, {G}, needs: []}}") == {
        "a": {"b"},
        "b": set(),
    }


def test_phases_run_one_after_another(language):
    rest = f"""\
    phases:
      - name: One
        steps: [{{id: a, {G}}}, {{id: b, {G}, needs: []}}, {{id: c, {G}, needs: [a]}}]
      - name: Empty
        steps: [{{id: no, {G}, modes: [drill]}}]
      - name: Two
        steps: [{{id: d, {G}}}, {{id: e, {G}, needs: []}}, {{id: f, {G}, needs: [a]}}]
      - name: Three
        steps: [{{id: g, {G}}}]
    """
    assert language.needs(language.expand(language.runbook(rest))) == {
        "a": set(),
        "b": set(),
        "c": {"a"},
        "d": {"b", "c"},
        "e": {"b", "c"},
        "f": {"a", "b", "c"},
        "g": {"d", "e", "f"},
    }


def test_items_run_side_by_side_and_whoever_follows_waits_for_all(language):
    steps = f"- {{id: a, {G}}}\n- {{id: v, for_each: all.volumes, {G}}}\n- {{id: z, {G}}}"
    assert needs(language, steps) == {"a": set(), "v[one]": {"a"}, "v[two]": {"a"}, "z": {"v[one]", "v[two]"}}


CHAIN = f"- {{id: a, {G}}}\n- {{id: v, for_each: all.volumes, steps: [{{id: x, {G}}}, {{id: y, {G}}}]}}\n"


def test_inside_an_item_steps_are_a_chain(language):
    assert needs(language, CHAIN + f"- {{id: z, {G}}}") == {
        "a": set(),
        "v[one].x": {"a"},
        "v[one].y": {"v[one].x"},
        "v[two].x": {"a"},
        "v[two].y": {"v[two].x"},
        "z": {"v[one].y", "v[two].y"},
    }


@pytest.mark.parametrize(
    ("need", "waits"),
    [
        ("v", {"v[one].y", "v[two].y"}),
        ("'v[one]'", {"v[one].y"}),
        ("'v[one].x'", {"v[one].x"}),
        ("v.x", {"v[one].x", "v[two].x"}),
    ],
)
def test_needs_may_name_an_item_or_a_link(language, need, waits):
    assert needs(language, CHAIN + f"- {{id: z, {G}, needs: [{need}]}}")["z"] == waits


def test_what_only_a_part_waits_for_still_ends_the_phase(language):
    rest = f"""\
    phases:
      - name: One
        steps:
          - {{id: v, for_each: all.volumes, {G}}}
          - {{id: z, {G}, needs: ['v[one]']}}
      - name: Two
        steps: [{{id: last, {G}}}]
    """
    assert language.needs(language.expand(language.runbook(rest)))["last"] == {"v[one]", "v[two]", "z"}


def test_waves_follow_each_other_lowest_first(language):
    steps = f"- {{id: vm, for_each: all.vms | reverse, waves: '[item.service.order, item.priority]', {G}}}\n- {{id: z, {G}}}"
    expansion = language.expand(language.steps(steps))
    assert [step.id for step in expansion.steps] == ["vm[db]", "vm[batch]", "vm[web]", "z"]
    assert language.needs(expansion) == {
        "vm[db]": set(),
        "vm[batch]": {"vm[db]"},
        "vm[web]": {"vm[db]"},
        "z": {"vm[batch]", "vm[web]"},
    }


def test_what_is_left_out_passes_the_waiting_on(language):
    steps = f"""\
    - {{id: a, {G}}}
    - {{id: gone, {G}, modes: [drill]}}
    - {{id: none, for_each: "[]", {G}}}
    - {{id: v, for_each: all.volumes, when: item.name == 'one', steps: [{{id: x, {G}}}, {{id: y, {G}, when: false}}, {{id: w, {G}}}]}}
    - {{id: b, {G}, needs: [gone]}}
    - {{id: c, {G}, needs: ['v[two]']}}
    - {{id: d, {G}, needs: [v.y, b]}}
    """
    assert needs(language, steps) == {
        "a": set(),
        "v[one].x": {"a"},
        "v[one].w": {"v[one].x"},
        "b": {"a"},
        "c": {"a"},
        "d": {"a", "b"},
    }


def test_an_empty_wave_is_no_gap(language):
    steps = f"- {{id: a, {G}}}\n- {{id: vm, for_each: all.vms, waves: item.priority, when: item.priority == 2, {G}}}"
    assert needs(language, steps) == {"a": set(), "vm[web]": {"a"}, "vm[batch]": {"a"}}


def step(name: str, *needed: str) -> Step:
    return Step(name, name, "p", Gate("x"), Source("f", 1, 1), frozenset(needed))


def test_the_graph_answers(language):
    graph = build([step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c"), step("e")])
    assert graph.ancestors("d") == {"a", "b", "c"}
    assert graph.descendants("a") == {"b", "c", "d"}
    assert graph.comes_after("d", "a")
    assert not graph.comes_after("e", "a")
    assert graph.ready([]) == ["a", "e"]
    assert graph.ready({"a", "e"}) == ["b", "c"]
    assert graph.ready(["a", "b", "e"]) == ["c"]
    assert graph.order.index("a") < graph.order.index("b") < graph.order.index("d")


def test_a_cycle_of_outputs_is_shown_as_the_path_of_ids(language):
    steps = """\
    - {id: first, uses: ssh.put, on: edge, with: {path: /a, content: "{{ steps.second.outputs.sha256 }}"}}
    - {id: second, uses: ssh.put, on: edge, with: {path: /b, content: x}}
    """
    expansion = language.expand(language.steps(steps))
    (problem,) = language.problems(lambda: build(expansion.steps))
    assert problem.code == "cycle"
    assert problem.summary.rsplit(": ", 1)[1] in {"first → second → first", "second → first → second"}
    assert problem.where is not None


def test_a_graph_of_unknown_needs_is_refused(language):
    (problem,) = language.problems(lambda: build([step("a", "b")]))
    assert problem.summary == "no step is called 'b'"
