from __future__ import annotations

import pytest

from drctl.runbook.expr import Language
from drctl.runbook.text import parse_text
from drctl.runbook.value import ExpressionError, Record, plain

ITEM = Record(
    "volume 'one'",
    {"name": "one", "values": "mine", "size": 3, "tags": ["a", "b"], "map": {"x": 1}},
    {"target": Record("volume 'one' at south", {"endpoint": "e-south"})},
    {"source": "volume 'one' says nothing under at: for north, the source"},
)
SCOPE = {
    "item": ITEM,
    "all": Record("all", {"volumes": [ITEM, ITEM]}),
    "params": Record("params", {"text": "1_0", "flag": True, "evil": "{{ item.name }}"}),
    "objectives": Record("objectives", {"rpo": 7200.0}),
    "mode": "failover",
}


def value(text: str) -> object:
    return plain(Language().parse(text).evaluate(SCOPE))


def fill(text: str) -> object:
    return parse_text(text, Language()).fill(SCOPE)


def fault(text: str, of=value) -> tuple[str, int, str]:
    with pytest.raises(ExpressionError) as caught:
        of(text)
    return str(caught.value), caught.value.offset, caught.value.hint


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("item.name", "one"),
        ("item['name']", "one"),
        ("item.values", "mine"),
        ("item.map.values() | list", [1]),
        ("item.target.endpoint", "e-south"),
        ("all.volumes | map(attribute='target.endpoint') | unique", ["e-south"]),
        ("all.volumes | selectattr('tags') | map(attribute='name') | list", ["one", "one"]),
        (
            "all.volumes | unique(attribute='name') | first",
            {"name": "one", "values": "mine", "size": 3, "tags": ["a", "b"], "map": {"x": 1}},
        ),
        ("item.tags + ['c']", ["a", "b", "c"]),
        ("mode == 'failover' and item.size > 2", True),
        ("item.other is defined", False),
        ("item.other | default('none')", "none"),
        ("2 * 3", 6),
        ("item.target", {"endpoint": "e-south"}),
    ],
)
def test_values(text, result):
    assert value(text) == result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("{{ item.size }}", 3),
        ("{{ params.text }}", "1_0"),
        ("{{ params.flag }}", True),
        ("{{ item.tags }}", ["a", "b"]),
        ("{{ objectives.rpo }}", 7200.0),
        ("at {{ item.name }}:{{ item.size }}!", "at one:3!"),
        ("{{ objectives.rpo }} s", "7200 s"),
        ("{{ params.flag }}\n", "true\n"),
        ("{{ params.evil }}", "{{ item.name }}"),
        ("{{ {'a': {'b': 1}} }}", {"a": {"b": 1}}),
        ("{{ '}}' }}", "}}"),
        ("{{ '{{' }} stays", "{{ stays"),
        ("${#array} {% raw %} {# no comment #}", "${#array} {% raw %} {# no comment #}"),
        ("", ""),
    ],
)
def test_strings(text, result):
    found = fill(text)
    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(
    ("text", "says", "offset", "hint"),
    [
        ("itm.name", "'itm' is not defined", 0, "Did you mean 'item'?"),
        ("item.nme", "volume 'one' has no 'nme'", 5, "Did you mean 'name'?"),
        ("item.name ~ item.target.name", "volume 'one' at south has no 'name'", 24, "Known: endpoint."),
        ("item.source.endpoint", "volume 'one' says nothing under at: for north, the source", 5, ""),
        (
            "all.volumes | map(attribute='target.endpont') | list",
            "volume 'one' at south has no 'endpont'",
            36,
            "Did you mean 'endpoint'?",
        ),
        ("item.map.y", "'dict object' has no attribute 'y'", 9, "Known: x."),
        ("item.name | frist", "no filter is called 'frist'", 12, "Did you mean 'first'?"),
        ("item.name is definde", "no test is called 'definde'", 13, "Did you mean 'defined'?"),
        ("item.name item", "not an expression: unexpected 'item'", 10, ""),
        ("item.name + )", "not an expression: unexpected ')'", 12, ""),
        ("item.name ~ ?", "not an expression: unexpected char '?' at 12", 12, ""),
        ("range(3)", "'range' is not defined", 0, ""),
    ],
)
def test_what_is_not_defined_is_named_with_its_place(text, says, offset, hint):
    message, at, help_ = fault(text)
    assert (message, at) == (says, offset)
    if hint:
        assert help_ == hint


@pytest.mark.parametrize(
    "text",
    [
        "item.name.__class__",
        "''.__class__.__mro__",
        "item.tags.append('c')",
        "item.map.update({'a': 1})",
        "'a' * 1000000000",
        "[1] * 1000000000",
        "9 ** 999999",
        "item._fields",
        "item.get",
        "item.tags.append",
        "'%1000000000d' | format(1)",
        "item.size / 0",
        "item.tags[9]",
        "(item.name ~ 'x')[item.nope]",
        "item ~ 'x'",
        "item.tags[item]",
        "item[item]",
        "item.size + 'x'",
        "('x' | int).real.bit_length",
        "(" * 3000,
        "(" * 300 + "1" + ")" * 300,
        "'" + "x" * 5000 + "'",
        "{% if 1 %}",
        "",
        "'unclosed",
        "item.",
        "{{ item }}",
        "lambda: 1",
        "item.name | attr('__class__')",
        "[].__init__.__globals__",
    ],
)
def test_what_must_not_work_is_an_error_and_nothing_else(text):
    fault(text)


@pytest.mark.parametrize(
    ("text", "says", "offset"),
    [
        ("ab {{ item.nme }}", "volume 'one' has no 'nme'", 11),
        ("ab {{ item.tags }}", "a list cannot be put into a text", 6),
        ("ab {{ item", "the {{ here is never closed by }}", 3),
        ("ab {{ }}", "there is no expression between {{ and }}", 3),
        ("ab {{- item }}", "{{- and {{+ are not part of the language", 3),
        ("ab {{ 'x }}", "the {{ here is never closed by }}", 3),
    ],
)
def test_faults_in_strings_have_their_place(text, says, offset):
    message, at, _ = fault(text, fill)
    assert (message, at) == (says, offset)


@pytest.mark.parametrize(
    "text",
    [
        "steps",
        "steps.a",
        "steps.a.outputs",
        "steps.a.output.x",
        "steps[steps.b.outputs.x].outputs.y",
        "steps.a-b.outputs.x",
    ],
)
def test_of_steps_only_outputs_can_be_used(text):
    with pytest.raises(ExpressionError):
        Language().parse(text)


def test_references_are_found():
    parsed = Language().parse("steps.a.outputs.x ~ steps['b[' ~ item.name ~ '].c'].outputs['y']")
    found = {(reference.step.evaluate(SCOPE), reference.output) for reference in parsed.references}
    assert found == {("a", "x"), ("b[one].c", "y")}


def test_the_same_error_is_given_each_time():
    language = Language()
    for _ in range(2):
        with pytest.raises(ExpressionError, match="'itm' is not defined"):
            language.parse("itm")
