"""Whole reports, compared with what was read and found right: ``python tests/unit/report/regenerate.py``."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from report_journals import STORIES

from drctl.report.facts import Report
from drctl.report.machine import report_schema

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def regenerate():
    spec = importlib.util.spec_from_file_location("regenerate", HERE / "regenerate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("story", sorted(STORIES))
def test_reports_are_the_golden_ones(story, regenerate):
    for name, content in regenerate.reports(story):
        assert content.decode() == (HERE / "golden" / name).read_text(encoding="utf-8"), name


def test_every_golden_report_belongs_to_a_story(regenerate):
    names = {name for story in STORIES for name, _ in regenerate.reports(story)}
    assert {path.name for path in (HERE / "golden").iterdir()} == names


@pytest.mark.parametrize("story", sorted(STORIES))
def test_json_keeps_to_the_published_schema(story):
    schema = report_schema()
    report = json.loads((HERE / "golden" / f"{story}.json").read_text(encoding="utf-8"))
    assert list(check(report, schema, schema)) == []


def check(value, schema, root, place="$"):
    """As much of JSON Schema as the report's uses; yields what does not fit."""
    if "$ref" in schema:
        yield from check(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root, place)
    elif "anyOf" in schema:
        if all(list(check(value, option, root, place)) for option in schema["anyOf"]):
            yield f"{place}: {value!r} fits none"
    elif "const" in schema and value != schema["const"]:
        yield f"{place}: {value!r}"
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{place}: {value!r} is not in {schema['enum']}"
    else:
        yield from check_type(value, schema, root, place)


TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def check_type(value, schema, root, place):
    kind = schema.get("type")
    if kind is not None and not isinstance(value, TYPES[kind]):
        yield f"{place}: {value!r} is no {kind}"
    elif kind == "object":
        yield from (f"{place}.{name} is missing" for name in schema.get("required", ()) if name not in value)
        known = schema.get("properties", {})
        for name, inner in value.items():
            shape = known.get(name, schema.get("additionalProperties"))
            if shape is None:
                yield f"{place}.{name} is unknown"
            else:
                yield from check(inner, shape, root, f"{place}.{name}")
    elif kind == "array":
        shapes = schema.get("prefixItems") or [schema["items"]] * len(value)
        for number, (inner, shape) in enumerate(zip(value, shapes, strict=True)):
            yield from check(inner, shape, root, f"{place}[{number}]")


def test_schema_checker_sees_what_is_wrong():
    schema = report_schema()
    report = json.loads((HERE / "golden" / "aborted.json").read_text(encoding="utf-8"))
    del report["origin"]["run"]
    report["state"] = "wonderful"
    report["steps"][0]["lines"] = ["one", 2]
    found = " ".join(check(report, schema, schema))
    assert "origin.run is missing" in found
    assert "wonderful" in found
    assert "steps[0].lines[0]" in found


def test_schema_names_every_field_of_a_report():
    assert set(report_schema()["properties"]) == set(Report.__dataclass_fields__)
