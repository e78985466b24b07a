"""The query syntax, record by record."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drctl.lab.ontap.errors import RestError
from drctl.lab.ontap.query import matches, parse
from drctl.lab.ontap.schema import Schema

SCHEMA = Schema(
    "uuid name size state lag_time nas(path export_policy(name)) aggregates(name) enabled", brief=("uuid",)
)

RECORD = {
    "uuid": "u1",
    "name": "ris_vm_dr",
    "size": 1024,
    "enabled": True,
    "lag_time": "PT8H35M42S",
    "create_time": "2025-03-04T10:00:00+00:00",
    "nas": {"export_policy": {"name": "esx"}},
    "aggregates": [{"name": "aggr1"}, {"name": "aggr2"}],
}


@pytest.mark.parametrize(
    ("name", "condition", "hit"),
    [
        ("name", "ris_vm_dr", True),
        ("name", "RIS_VM_DR", False),
        ("name", "ris*", True),
        ("name", "*vm*", True),
        ("name", "vm*", False),
        ("name", "pacs*|ris*", True),
        ("name", "a,ris_vm_dr", True),
        ("name", "!ris*", False),
        ("name", "!pacs*", True),
        ("name", '"ris*"', False),
        ("name", '"ris_vm_dr"', True),
        ("size", ">1000", True),
        ("size", ">=1024", True),
        ("size", "<1024", False),
        ("size", "1..1024", True),
        ("size", "1025..2000", False),
        ("size", "1024.0", True),
        ("enabled", "true", True),
        ("enabled", "True", True),
        ("enabled", "false", False),
        ("lag_time", ">PT8H", True),
        ("lag_time", ">P2DT", False),
        ("lag_time", "<PT10H", True),
        ("lag_time", "PT1H..P1D", True),
        ("create_time", ">2025-01-01T00:00:00Z", True),
        ("create_time", "<2025-03-04T11:00:00+01:00", False),
        ("nas.export_policy.name", "esx", True),
        ("nas.path", "null", True),
        ("nas.path", "!null", False),
        ("nas.path", "/x", False),
        ("nas.path", "!/x", True),
        ("aggregates.name", "aggr2", True),
        ("aggregates.name", "aggr3", False),
    ],
)
def test_condition(name, condition, hit):
    assert matches(RECORD, name, condition) is hit


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9))
def test_order_of_numbers(value, bound):
    record = {"size": value}
    assert matches(record, "size", f">{bound}") is (value > bound)
    assert matches(record, "size", f"<={bound}") is (value <= bound)


@given(st.text(min_size=1).filter(lambda t: '"' not in t))
def test_a_quoted_literal_meets_itself_alone(text):
    assert matches({"name": text}, "name", f'"{text}"')
    assert not matches({"name": text + "x"}, "name", f'"{text}"')


@pytest.mark.parametrize(
    "query", ["colour=red", "fields=uuid,colour", "order_by=colour", "nas.colour=x", "uuidx=1"]
)
def test_unknown_names_are_unexpected_arguments(query):
    with pytest.raises(RestError) as refused:
        parse(query, SCHEMA, ())
    assert (refused.value.status, refused.value.code) == (400, "262179")
    assert refused.value.target in {"colour", "nas.colour", "uuidx"}


@pytest.mark.parametrize(
    "query", ["max_records=0", "return_timeout=121", "return_timeout=x", "return_records=maybe"]
)
def test_values_out_of_range_are_refused(query):
    with pytest.raises(RestError) as refused:
        parse(query, SCHEMA, ())
    assert refused.value.status == 400


def test_everything_at_once():
    query = parse(
        "fields=nas,size&name=r*&order_by=size desc,name&max_records=2&return_timeout=15&force=true&start.uuid=u9",
        SCHEMA,
        {"force"},
    )
    assert query.fields == ("nas", "size")
    assert query.conditions == (("name", "r*"),)
    assert query.order_by == (("size", True), ("name", False))
    assert (query.max_records, query.return_timeout, query.start) == (2, 15, ("u9",))
    assert query.flag("force")
    assert not query.flag("validate_only")


def test_a_flag_wants_a_boolean():
    with pytest.raises(RestError):
        parse("force=perhaps", SCHEMA, {"force"}).flag("force")


def test_sorting_puts_numbers_in_numeric_order():
    records = [{"uuid": u, "size": s} for u, s in (("a", 9), ("b", 1000), ("c", 10))]
    assert [r["uuid"] for r in parse("order_by=size", SCHEMA, ()).sort(records, ("uuid",))] == ["a", "c", "b"]
    assert [r["uuid"] for r in parse("order_by=size desc", SCHEMA, ()).sort(records, ("uuid",))] == [
        "b",
        "c",
        "a",
    ]
