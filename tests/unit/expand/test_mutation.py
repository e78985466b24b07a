"""Whatever is done to a good file, drctl answers with problems, never with a traceback."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drctl.core.excerpt import render_problem
from drctl.core.problem import DrctlError
from drctl.core.provider import Registry
from drctl.engine.expand import expand
from drctl.engine.graph import build
from drctl.engine.lint import lint
from drctl.inventory.load import parse_inventory
from drctl.runbook.load import parse_answers, parse_runbook

ROOT = Path(__file__).resolve().parents[3]
REGISTRY = Registry()
RUNBOOK = (ROOT / "runbooks" / "pacs-site-loss.yaml").read_text()
INVENTORY = (ROOT / "inventories" / "lab.yaml").read_text()
ANSWERS = (ROOT / "runbooks" / "lab-answers.yaml").read_text()

SYNTAX = (
    "{",
    "}",
    "[",
    "]",
    ": ",
    "- ",
    "\n",
    "\n  ",
    "{{ ",
    " }}",
    "'",
    '"',
    "&a ",
    "*a",
    "!!x ",
    "? ",
    "| ",
    "\t",
    "#",
    "%",
)
WORDS = (
    "~",
    "null",
    "true",
    "0",
    "-1",
    "1.5",
    "no",
    "[]",
    "{}",
    "{env: X}",
    "item",
    "item.target",
    "all.vms",
    "steps.go.outputs.x",
    "paris",
)
PIECES = st.one_of(st.text(max_size=8), st.sampled_from(SYNTAX), st.sampled_from(WORDS))


@st.composite
def mutated(draw: st.DrawFn, text: str) -> str:
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 30)))
        text = text[:start] + draw(PIECES) + text[end:]
    return text


def load(runbook: str, inventory: str) -> None:
    """Go as far as the files allow; every problem must render and know its place or its step."""
    try:
        estate = parse_inventory(inventory, "i.yaml", Path("/estate"), REGISTRY)
        book = parse_runbook(runbook, "r.yaml")
        expansion = expand(book, estate, "failover", {}, REGISTRY, run_id="R")
        build(expansion.steps)
        problems = lint(book, estate, expansion)
    except DrctlError as error:
        problems = list(error.problems)
        assert problems
    for problem in problems:
        assert render_problem(problem)
        assert problem.summary


LIMITS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@LIMITS
@given(mutated(RUNBOOK))
def test_any_runbook(text):
    load(text, INVENTORY)


@LIMITS
@given(mutated(INVENTORY))
def test_any_inventory(text):
    load(RUNBOOK, text)


@LIMITS
@given(mutated(ANSWERS))
def test_any_answers(text):
    problems = ()
    try:
        parse_answers(text, "a.yaml")
    except DrctlError as error:
        problems = error.problems
    assert all(map(render_problem, problems))


EXPRESSIONS = st.recursive(
    st.sampled_from(["item", "all.vms", "source", "params.ticket", "'x'", "1", "[]", "{}", "true", "none", "steps.go.outputs.x", "objectives.rpo"]),
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/", "//", "%", "**", "~", "==", "<", "and", "or", "in", "is"]), inner),
        st.builds("{}.{}".format, inner, st.sampled_from(["name", "target", "values", "items", "__class__", "keys()", "nope"])),
        st.builds("{}[{}]".format, inner, inner),
        st.builds("{} | {}".format, inner, st.sampled_from(["list", "first", "length", "unique", "map(attribute='target.endpoint')", "selectattr('shares')", "sort", "tojson", "join", "int", "batch(0)", "sum", "groupby('name')", "dictsort", "slice(0)", "round", "min", "nope"])),
        st.builds("{}({})".format, inner, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("not {}".format, inner),
    ),
    max_leaves=6,
)  # fmt: skip


@LIMITS
@given(EXPRESSIONS, st.sampled_from(["for_each", "when", "waves", "with", "key", "ask", "on"]))
def test_any_expression_anywhere(expression, place):
    texts = {
        "for_each": "all.vms",
        "when": "true",
        "waves": "1",
        "with": "x",
        "key": "{{ item.name }}",
        "ask": "x",
        "on": "edge-lyon",
    }
    texts[place] = (
        expression
        if place in {"for_each", "when", "waves"}
        else f"a {{{{ {expression} }}}}"
        if place == "ask"
        else f"{{{{ {expression} }}}}"
    )
    quoted = {name: "'" + text.replace("'", "''") + "'" for name, text in texts.items()}
    book = f"""\
drctl: 1
kind: runbook
name: x
direction: {{source: paris, target: lyon}}
parameters: {{ticket: {{}}}}
phases:
  - name: A
    steps:
      - {{id: go, gate: {{ask: x}}}}
      - {{id: a, for_each: {quoted["for_each"]}, key: {quoted["key"]}, when: {quoted["when"]}, waves: {quoted["waves"]}, gate: {{ask: {quoted["ask"]}}}}}
      - {{id: b, uses: ssh.put, on: {quoted["on"]}, with: {{path: /p, content: {quoted["with"]}}}}}
"""
    load(book, INVENTORY)
