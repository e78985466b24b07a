from __future__ import annotations

from pathlib import Path

import pytest

from drctl.core.problem import DrctlError
from drctl.document.read import read_file, read_text


def problems(text: str) -> list[tuple[int, int, str]]:
    with pytest.raises(DrctlError) as caught:
        read_text(text, "f.yaml")
    return [(p.where.line, p.where.column, p.code) for p in caught.value.problems if p.where]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("True", "True"),
        ("0123", "0123"),
        ("0o17", "0o17"),
        ("0x1F", "0x1F"),
        ("22:30", "22:30"),
        ("2026-01-31", "2026-01-31"),
        ("1_000", "1_000"),
        (".5", ".5"),
        ("1e3", "1e3"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("+1", "+1"),
        ("9" * 400, "9" * 400),
        ("<<", "<<"),
        ("'true'", "true"),
        ('"1"', "1"),
        ("true", True),
        ("false", False),
        ("0", 0),
        ("-12", -12),
        ("1.10", 1.1),
        ("null", None),
        ("~", None),
        ("", None),
    ],
)
def test_only_plain_numbers_true_false_and_null_are_not_text(text, value):
    assert read_text(f"key: {text}\n", "f.yaml").data == {"key": value}


def test_keys_stay_text():
    assert read_text("no: 1\n1: 2\ntrue: 3\nnull: 4\n", "f").data == {"no": 1, "1": 2, "true": 3, "null": 4}


def test_every_problem_of_a_file_is_reported_at_its_place():
    text = "a: &x 1\nb: *x\nc: !!python/object/apply:os.system [ls]\na: 2\nd: {e: 1, e: 2}\n? [1]\n: 3\n"
    assert problems(text) == [
        (1, 4, "yaml-alias"),
        (2, 4, "yaml-alias"),
        (3, 4, "yaml-tag"),
        (4, 1, "duplicate-key"),
        (5, 11, "duplicate-key"),
        (6, 3, "yaml-key"),
    ]


def test_keys_of_different_mappings_may_be_the_same():
    assert read_text("[{a: 1}, {a: 2}]", "f").data == [{"a": 1}, {"a": 2}]


def test_a_quoted_text_with_the_non_specific_tag_is_refused():
    assert problems("a: ! 'x'\n") == [(1, 4, "yaml-tag")]


def test_an_alias_bomb_is_refused_before_it_grows():
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    assert {code for _, _, code in problems("\n".join(lines))} == {"yaml-alias"}


def test_deep_nesting_is_refused():
    assert problems("[" * 5000 + "]" * 5000) == [(1, 42, "yaml-limit")]


def test_a_second_document_is_refused():
    assert problems("a: 1\n---\nb: 2\n") == [(2, 1, "yaml-documents")]


def test_a_syntax_error_keeps_what_was_found_before_it():
    assert problems("a: 1\na: 2\nb: [1\n") == [(2, 1, "duplicate-key"), (4, 1, "yaml")]


def test_tabs_are_named():
    with pytest.raises(DrctlError) as caught:
        read_text("a:\n\tb: 1\n", "f.yaml")
    assert caught.value.problems[0].hint == "Indent with spaces, not tabs."


@pytest.mark.parametrize("text", ["a: \x07", "a: \ufffe", "\ud800", "%", "{", "- [", "a: '", "\x00"])
def test_what_is_no_yaml_is_a_problem(text):
    with pytest.raises(DrctlError):
        read_text(text, "f.yaml")


def test_nul_is_refused():
    assert problems('a: "x\\0y"\n') == [(1, 4, "yaml-text")]


def test_an_empty_file_holds_nothing():
    assert read_text("# nothing\n", "f").data is None


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path):
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"a: 1\nb: caf\xe9\n")
    with pytest.raises(DrctlError, match=r"line 2 is not UTF-8"):
        read_file(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(DrctlError, match=r"gone\.yaml: No such file"):
        read_file(tmp_path / "gone.yaml")


def test_a_byte_order_mark_is_ignored(tmp_path: Path):
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_file(path).data == {"a": 1}
