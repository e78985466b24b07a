from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drctl.inventory.redactor import MASK, Redactor

VALUE = 'p&ss "w/ö\\rd<'


@pytest.fixture
def redactor() -> Redactor:
    made = Redactor()
    made.add(VALUE)
    return made


@pytest.mark.parametrize(
    "written",
    [
        VALUE,
        quote(VALUE),
        quote(VALUE, safe=""),
        quote_plus(VALUE),
        json.dumps(VALUE),
        json.dumps(VALUE, ensure_ascii=False),
        repr(VALUE),
        html.escape(VALUE),
        base64.b64encode(VALUE.encode()).decode(),
        base64.urlsafe_b64encode(VALUE.encode()).decode(),
    ],
)
def test_every_way_of_writing_it_is_masked(redactor, written):
    masked = redactor.text(f"before {written} after")
    assert MASK in masked
    assert written not in masked
    assert masked.startswith("before ")
    assert masked.endswith(" after")


@pytest.mark.parametrize("user", ["a", "ab", "abc", "drctl"])
def test_most_of_it_is_masked_in_basic_authentication(redactor, user):
    header = base64.b64encode(f"{user}:{VALUE}".encode()).decode()
    masked = redactor.text(header)
    assert MASK in masked
    assert len(masked.replace(MASK, "")) <= len(base64.b64encode(f"{user}:".encode())) + 8


def test_trees_are_masked_in_keys_and_values(redactor):
    tree = {"a": [f"x {VALUE}", 1, None, True], VALUE: {"b": VALUE}}
    assert redactor.tree(tree) == {"a": [f"x {MASK}", 1, None, True], MASK: {"b": MASK}}


def test_short_values_are_left_alone():
    redactor = Redactor()
    redactor.add("admin")
    assert redactor.text("the admin user") == "the admin user"


def test_the_lines_of_a_key_are_masked_one_by_one():
    redactor = Redactor()
    redactor.add("-----BEGIN KEY-----\nMIIabcdef\n-----END KEY-----\n")
    assert redactor.text("x MIIabcdef y") == f"x {MASK} y"


def test_a_longer_value_wins_over_one_inside_it():
    redactor = Redactor()
    redactor.add("secret")
    redactor.add("secret-and-more")
    assert redactor.text("secret-and-more secret") == f"{MASK} {MASK}"


def test_nothing_known_changes_nothing():
    assert Redactor().tree({"a": ["b"]}) == {"a": ["b"]}


@given(st.text(min_size=6), st.text(), st.text())
def test_no_value_survives_in_any_text(value, before, after):
    redactor = Redactor()
    redactor.add(value)
    assert value not in redactor.text(before + value + after).replace(MASK, "\0")
