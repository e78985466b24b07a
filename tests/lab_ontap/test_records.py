"""Nested and dotted JSON, durations, and the fields a record shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drctl.lab.ontap.records import as_bool, format_duration, nest, parse_duration, put, value, values
from drctl.lab.ontap.schema import Schema, parse_names, without_links

NAMES = st.sampled_from(["a", "b", "c", "d"])
TREES = st.recursive(
    st.integers() | st.booleans() | st.text(max_size=3),
    lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(NAMES, TREES, max_size=3))
def test_a_dotted_body_means_the_same_as_a_nested_one(tree):
    dotted = {}

    def flatten(prefix, node):
        for name, inner in node.items():
            if isinstance(inner, dict):
                flatten(f"{prefix}{name}.", inner)
            else:
                dotted[prefix + name] = inner

    flatten("", tree)
    assert nest(dotted) == tree
    assert nest(tree) == tree


def test_dotted_and_nested_keys_of_one_object_merge():
    body = {"nas.path": "/x", "nas": {"export_policy": {"name": "esx"}}, "aggregates": [{"a.b": 1}]}
    assert nest(body) == {
        "nas": {"path": "/x", "export_policy": {"name": "esx"}},
        "aggregates": [{"a": {"b": 1}}],
    }


@given(st.integers(0, 10**7))
def test_durations_come_back_as_they_went(seconds):
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "PT0S"), (30942, "PT8H35M42S"), (172803, "P2DT3S"), (86400, "P1D"), (60, "PT1M")],
)
def test_durations_are_written_as_the_documentation_writes_them(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize("text", ["", "P", "PT", "8h", "T1H"])
def test_what_is_no_duration(text):
    assert parse_duration(text) is None


def test_values_reach_through_lists():
    record = {"records": [{"a": {"b": 1}}, {"a": {"b": 2}}, {}]}
    assert list(values(record, "records.a.b")) == [1, 2]
    assert value(record, "records.x") is None
    put(record, "new.name", "x")
    assert record["new"] == {"name": "x"}


@pytest.mark.parametrize(
    ("given", "meant"), [(True, True), ("True", True), ("false", False), ("yes", None), (1, None)]
)
def test_booleans_come_as_strings_too(given, meant):
    assert as_bool(given) is meant


def test_names_of_a_notation():
    assert parse_names("uuid nas(path export_policy(id name)) x") == {
        "uuid",
        "nas.path",
        "nas.export_policy.id",
        "nas.export_policy.name",
        "x",
    }


SCHEMA = Schema(
    "uuid name nas(path export_policy(name id)) aggregates(name uuid) is_root",
    expensive=("nas.path", "is_root"),
)
RECORD = {
    "uuid": "u",
    "name": "n",
    "is_root": False,
    "nas": {"path": "/x", "export_policy": {"name": "p", "id": 3}},
    "aggregates": [{"name": "a1", "uuid": "x"}, {"name": "a2", "uuid": "y"}],
    "_links": {"self": {"href": "/api/x"}},
}


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ((), {"uuid": "u", "name": "n"}),
        (("nas.path",), {"uuid": "u", "nas": {"path": "/x"}}),
        (
            ("nas.path", "nas.export_policy.name"),
            {"uuid": "u", "nas": {"path": "/x", "export_policy": {"name": "p"}}},
        ),
        (("aggregates.name",), {"uuid": "u", "aggregates": [{"name": "a1"}, {"name": "a2"}]}),
        (("aggregates.name", "aggregates.uuid"), {"uuid": "u", "aggregates": RECORD["aggregates"]}),
        (
            ("*",),
            {
                "uuid": "u",
                "name": "n",
                "nas": {"export_policy": {"name": "p", "id": 3}},
                "aggregates": RECORD["aggregates"],
            },
        ),
        (("**",), {k: v for k, v in RECORD.items() if k != "_links"}),
    ],
)
def test_fields_choose_what_is_shown(fields, shown):
    assert without_links(SCHEMA.project(RECORD, fields)) == shown


def test_star_and_an_expensive_field_show_both():
    assert SCHEMA.project(RECORD, ("*", "nas.path"))["nas"] == RECORD["nas"]


def test_links_vanish_at_every_depth():
    record = {"a": {"_links": {}, "b": [{"_links": {}, "c": 1}]}, "_links": {}, "empty": {}}
    assert without_links(record) == {"a": {"b": [{"c": 1}]}, "empty": {}}
