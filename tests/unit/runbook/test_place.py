from __future__ import annotations

import pytest

from drctl.core.excerpt import render_problem
from drctl.core.problem import Problem, Source
from drctl.document.read import read_text


def test_keys_and_values_have_their_places():
    document = read_text("a:\n  - {b: x, 'c': [1, 22]}\n", "f")
    assert str(document.value(("a", 0, "b"))) == "f:2:9"
    assert str(document.key(("a", 0, "b"))) == "f:2:6"
    assert str(document.key(("a", 0, "c"))) == "f:2:12"
    assert str(document.value(("a", 0, "c", 1))) == "f:2:21"


def test_what_is_not_there_is_placed_at_what_holds_it():
    document = read_text("a:\n  b: {c: 1}\n", "f")
    assert str(document.key(("a", "b", "missing"))) == "f:2:3"
    assert str(document.value(("other",))) == "f:1:1"


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("k: one {{ here }}", 1, 11),
        ("k: 'one {{ here }}'", 1, 12),
        ('k: "one {{ here }}"', 1, 12),
        ("k: 'it''s here {{ here }}'", 1, 11),
        ("k: 'where {{ here }}'", 1, 6),
        ('k: "\\there {{ x }}"', 1, 7),
        ('k: "\\x41 {{ here }}"', 1, 13),
        ("k: one\n   two {{ here }}", 2, 11),
        ('k: "one\n\n   two \\\n   {{ here }}"', 4, 7),
        ("k: |\n  one\n\n  two {{ here }}\n", 4, 10),
        ("k: >-\n  one\n  two\n    three {{ here }}\n", 4, 14),
        ("k: é{{ here }}", 1, 8),
        ("- 1\n- k: x\u2028   {{ here }}", 3, 7),
    ],
)
def test_a_word_inside_a_string_has_its_place(text, line, column):
    document = read_text(text, "f")
    keys = ("k",) if isinstance(document.data, dict) else (1, "k")
    value = document.data["k"] if isinstance(document.data, dict) else document.data[1]["k"]
    found = document.within(keys, value, value.index("here"))
    assert (found.line, found.column) == (line, column)
    assert found.text[found.column - 1 :].startswith("here")


def test_the_second_of_two_equal_words_is_found():
    document = read_text("k: item + item", "f")
    assert document.within(("k",), "item + item", 7).column == 11


def test_a_problem_is_rendered_with_its_line_and_a_caret():
    problem = Problem(
        "x", "unknown key 'on_eror'", "Why.", "Did you mean 'on_error'?", Source("f", 12, 5, "    on_eror: x")
    )
    assert render_problem(problem).splitlines() == [
        "f:12:5: error: unknown key 'on_eror'",
        "  12 |     on_eror: x",
        "     |     ^",
        "  Why.",
        "  → Did you mean 'on_error'?",
    ]


def test_a_long_line_is_cut_around_the_caret():
    text = "x" * 300 + "HERE" + "y" * 300
    line, caret = render_problem(Problem("x", "s", where=Source("f", 1, 301, text))).splitlines()[1:3]
    assert line[caret.index("^") :].startswith("HERE")
    assert len(line) < 120
