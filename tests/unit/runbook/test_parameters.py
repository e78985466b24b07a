from __future__ import annotations

import pytest

from drctl.core.problem import DrctlError
from drctl.runbook.model import Parameter
from drctl.runbook.parameters import resolve_parameters


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        ("string", "12", "12"),
        ("integer", "12", 12),
        ("number", "1.5", 1.5),
        ("boolean", "true", True),
        ("boolean", False, False),
        ("duration", "15m", 900.0),
        ("list", "a, b,,c", ["a", "b", "c"]),
        ("list", ["a"], ["a"]),
    ],
)
def test_texts_are_read_as_the_declared_type(kind, given, value):
    assert resolve_parameters({"p": Parameter(type=kind)}, {"p": given}) == {"p": value}


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("integer", "1.5"),
        ("integer", True),
        ("number", "many"),
        ("boolean", "no"),
        ("duration", "soon"),
        ("string", 5),
        ("list", 5),
    ],
)
def test_values_of_another_type_are_refused(kind, given):
    with pytest.raises(DrctlError, match="parameter p"):
        resolve_parameters({"p": Parameter(type=kind)}, {"p": given})


def test_unknown_and_missing_parameters_are_named_together():
    with pytest.raises(DrctlError) as caught:
        resolve_parameters({"ticket": Parameter(required=True, help="Of the incident.")}, {"tiket": "x"})
    assert [(p.summary, p.hint) for p in caught.value.problems] == [
        ("no parameter is called 'tiket'", "Did you mean 'ticket'?"),
        ("the parameter 'ticket' is required", "Give it with -p ticket=VALUE. Of the incident."),
    ]


def test_defaults_count_and_may_be_nothing():
    parameters = {"a": Parameter(default="x"), "b": Parameter()}
    assert resolve_parameters(parameters, {}) == {"a": "x", "b": None}


@pytest.mark.parametrize(
    "declared",
    [
        "{no-name: {}}",
        "{a: {type: integer, default: x}}",
        "{a: {required: true, default: x}}",
        "{a: {type: text}}",
        "{a: {type: duration, default: soon}}",
    ],
)
def test_wrong_declarations_are_refused_at_load(language, declared):
    rest = f"parameters: {declared}\nphases: [{{name: a, steps: []}}]"
    (problem,) = language.problems(lambda: language.runbook(rest))
    assert problem.where is not None
    assert problem.where.line == 8
