from __future__ import annotations

import pytest

from drctl.core.problem import DrctlError
from drctl.runbook.load import load_answers, load_runbook, parse_answers, parse_runbook

STEP = "{id: %s, uses: check.tcp, with: {host: 192.0.2.1, port: 1}}"


def test_the_shipped_runbooks_load(root):
    runbook = load_runbook(root / "runbooks" / "pacs-site-loss.yaml")
    assert runbook.body.objectives.rto == 4 * 3600
    assert [step.id for step, _ in runbook.steps()][:4] == [
        "directory-alive",
        "go",
        "stop-source",
        "unshare-source",
    ]
    assert len(runbook.digest()) == 64


def test_the_shipped_answers_load(root):
    answers = load_answers(root / "runbooks" / "lab-answers.yaml").answers
    assert answers["go"].answer == "go"
    assert answers["vpn"].evidence == "LAB-0001"


def test_all_problems_are_reported_at_once_each_at_its_place(language):
    text = """\
drctl: 1
kind: runbook
name: x
ownr: me
objectives: {rto: 4 hours}
direction: {source: a}
phases:
  - name: One
    steps:
      - {id: a, uses: check.tcp, on_eror: stop}
      - {id: b, gate: {ask: 5, on_timeout: never}}
      - {id: c d, manual: {do: x}}
"""
    assert language.places(lambda: parse_runbook(text, "f")) == [
        (4, 1, "unknown-key"),
        (5, 19, "wrong-value"),
        (6, 1, "missing-key"),
        (10, 34, "unknown-key"),
        (11, 29, "wrong-type"),
        (11, 44, "wrong-value"),
        (12, 14, "wrong-value"),
    ]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (
            "drctl: 1\nkind: runbook\nname: x\ndirection: {source: a, target: b}\nphasis: []",
            "Did you mean 'phases'?",
        ),
        (
            (
                "drctl: 1\nkind: runbook\nname: x\ndirection: {source: a, target: b}\n"
                "phases: [{name: a, steps: [{id: a, uses: x, retry: {attempts: 2, evry: 1s}}]}]"
            ),
            "Did you mean 'every'?",
        ),
        (
            (
                "drctl: 1\nkind: runbook\nname: x\ndirection: {source: a, target: b}\n"
                "phases: [{name: a, steps: [{id: a, gate: {ask: x}, on_error: contine}]}]"
            ),
            "Did you mean 'continue'?",
        ),
    ],
)
def test_misspellings_are_answered(language, text, hint):
    assert hint in [problem.hint for problem in language.problems(lambda: parse_runbook(text, "f"))]


def test_a_number_where_a_text_is_due_asks_for_quotes(language):
    (problem,) = language.problems(lambda: language.steps("- {id: a, manual: {do: x, evidence: 1.10}}"))
    assert problem.hint == "Put it in quotes."
    assert language.pointed(problem).startswith("1.10")


@pytest.mark.parametrize(
    ("steps", "code", "pointed"),
    [
        ("- {id: a}", "step-body", "{id: a}"),
        ("- {id: a, gate: {ask: x}, manual: {do: x}}", "step-body", "{id: a, gate"),
        ("- {id: a, steps: []}", "chain", "[]"),
        ("- {id: a, gate: {ask: x}, on: edge}", "step", "on: edge"),
        ("- {id: a, gate: {ask: x}, with: {}}", "step", "with: {}"),
        ("- {id: a, gate: {ask: x}, until: {timeout: 1s}}", "step", "until:"),
        ("- {id: a, gate: {ask: x}, waves: 1}", "step", "waves:"),
        ("- {id: a, steps: [{id: b, gate: {ask: x}, needs: []}]}", "chain", "needs: []"),
        ("- {id: a, steps: [{id: b, steps: [{id: c, gate: {ask: x}}]}]}", "chain", "steps: [{id: c"),
        ("- {id: a, steps: [{id: b, gate: {ask: x}, for_each: all.vms}]}", "chain", "for_each"),
        ("- {id: a, steps: [{id: b, gate: {ask: x}}, {id: b, gate: {ask: x}}]}", "duplicate-id", "b, gate"),
        ("- {id: a, gate: {ask: x}}\n- {id: a, gate: {ask: x}}", "duplicate-id", "a, gate"),
        ("- {id: a, gate: {ask: x}, needs: [bb]}\n- {id: b, gate: {ask: x}}", "unknown-step", "bb]"),
        ("- {id: a, gate: {ask: x}, needs: [a]}", "cycle", "[a]"),
        ("- {id: a, gate: {ask: x}, for_each: '{{ all.vms }}'}", "expression", "'{{ all"),
        ("- {id: a, gate: {ask: x}, for_each: all.vms | | list}", "expression", "| list"),
        ("- {id: a, gate: {ask: x}, when: itm.name}", "expression", "itm.name"),
        ("- {id: a, gate: {ask: x}, when: item.name}", "expression", "item.name"),
        ("- {id: a, gate: {ask: x}, for_each: item.name}", "expression", "item.name"),
        ("- {id: a, gate: {ask: 'is {{ sorce }} up?'}}", "expression", "sorce }}"),
        ("- {id: a, gate: {ask: '{{ steps.b.outputs.c }}'}}", "expression", "steps.b"),
        ("- {id: a, for_each: steps.b.outputs.c, gate: {ask: x}}", "expression", "steps.b"),
        ("- {id: a, uses: x, with: {a: [b, {c: 'x {{ d e }}'}]}}", "expression", "e }}"),
        ("- {id: a, uses: check.tcp, until: {timeout: 1m, when: nope}}", "expression", "nope"),
    ],
)
def test_one_thing_wrong(language, steps, code, pointed):
    problems = language.problems(lambda: language.steps(steps))
    assert [problem.code for problem in problems] == [code]
    assert language.pointed(problems[0]).startswith(pointed)


def test_a_circle_is_shown_as_the_path_of_ids(language):
    steps = "- {id: a, gate: {ask: x}, needs: [c]}\n- {id: b, gate: {ask: x}}\n- {id: c, gate: {ask: x}}"
    (problem,) = language.problems(lambda: language.steps(steps))
    path = problem.summary.rsplit(": ", 1)[1].split(" → ")
    assert path[0] == path[-1]
    assert " → ".join(path[:-1] * 2).count("a → c → b") >= 1


def test_a_need_of_a_later_phase_is_refused(language):
    rest = """\
    phases:
      - {name: One, steps: [{id: a, gate: {ask: x}, needs: [b]}]}
      - {name: Two, steps: [{id: b, gate: {ask: x}}]}
    """
    assert language.places(lambda: language.runbook(rest)) == [(9, 57, "needs-later")]


def test_phases_have_names_of_their_own(language):
    rest = "phases:\n- {name: One, steps: []}\n- {name: One, steps: []}\n"
    assert language.places(lambda: language.runbook(rest)) == [(10, 10, "duplicate-name")]


def test_source_and_target_differ(language):
    head = language.head.replace("target: south", "target: north")
    assert [
        p.code for p in language.problems(lambda: language.runbook("phases: [{name: a, steps: []}]", head))
    ] == ["direction"]


@pytest.mark.parametrize("key", ["needs: []", "gate: {ask: x}", "drill: skip", "retry: {attempts: 2}"])
def test_a_precheck_is_a_probe_and_nothing_else(language, key):
    rest = f"prechecks:\n- {{id: a, uses: check.tcp, {key}}}\nphases: [{{name: a, steps: []}}]"
    assert "precheck" in [problem.code for problem in language.problems(lambda: language.runbook(rest))]


def test_prechecks_and_steps_share_their_ids(language):
    rest = f"prechecks: [{STEP % 'a'}]\nphases: [{{name: a, steps: [{STEP % 'a'}]}}]"
    assert [problem.code for problem in language.problems(lambda: language.runbook(rest))] == ["duplicate-id"]


@pytest.mark.parametrize(
    "text", ["", "a", "[]", "drctl: 2\nkind: runbook", "drctl: 1\nkind: inventory", "drctl: '1'"]
)
def test_what_is_no_runbook_is_refused(text):
    with pytest.raises(DrctlError):
        parse_runbook(text, "f")


def test_answers_have_four_words(language):
    text = "drctl: 1\nkind: answers\nanswers: {go: {answer: yes}}\n"
    assert language.places(lambda: parse_answers(text, "f")) == [(3, 24, "wrong-value")]


def test_when_and_waves_take_plain_values(language):
    language.steps("- {id: a, for_each: all.vms, waves: 1, when: true, gate: {ask: x}}")
    language.steps("- {id: a, for_each: all.vms, waves: [item.service.order, item.priority], gate: {ask: x}}")
