"""The schemas are judged by a small validator of our own: what editors need, on good and bad files."""

from __future__ import annotations

import re

import pytest

from drctl.document.read import read_file
from drctl.inventory.schema import inventory_schema
from drctl.runbook.schema import answers_schema, runbook_schema

TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}
KNOWN = {
    "$schema", "$defs", "$ref", "type", "properties", "required", "additionalProperties", "patternProperties",
    "propertyNames", "items", "anyOf", "oneOf", "const", "enum", "pattern", "minLength", "maxLength", "minimum",
    "maximum", "minItems", "minProperties", "maxProperties", "title", "description", "default", "format", "ge",
    "prefixItems", "maxItems", "uniqueItems", "exclusiveMinimum", "exclusiveMaximum",
}  # fmt: skip


def fits(value, schema, root) -> bool:
    if schema is True or schema == {}:
        return True
    if "$ref" in schema:
        return fits(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root)
    if not (fits_type(value, schema) and fits_choice(value, schema, root)):
        return False
    if isinstance(value, str):
        return re.search(schema.get("pattern", ""), value) is not None
    if isinstance(value, list):
        return all(fits(one, schema.get("items", True), root) for one in value)
    return not isinstance(value, dict) or fits_object(value, schema, root)


def fits_type(value, schema) -> bool:
    kind = schema.get("type")
    if isinstance(value, bool) and kind in {"integer", "number"}:
        return False
    return kind is None or isinstance(value, TYPES[kind])


def fits_choice(value, schema, root) -> bool:
    some = schema.get("anyOf")
    one = schema.get("oneOf")
    return (
        ("const" not in schema or value == schema["const"])
        and ("enum" not in schema or value in schema["enum"])
        and (some is None or any(fits(value, inner, root) for inner in some))
        and (one is None or sum(fits(value, inner, root) for inner in one) == 1)
    )


def fits_object(value, schema, root) -> bool:
    if any(name not in value for name in schema.get("required", ())):
        return False
    for name, one in value.items():
        patterns = [
            inner
            for pattern, inner in schema.get("patternProperties", {}).items()
            if re.search(pattern, name)
        ]
        rules = [schema["properties"][name]] if name in schema.get("properties", {}) else patterns
        rules = rules or [schema.get("additionalProperties", True)]
        if any(rule is False or not fits(one, rule, root) for rule in rules):
            return False
    return True


def keywords(schema) -> set[str]:
    """Every keyword used, names of properties and definitions apart."""
    found: set[str] = set()
    for key, value in schema.items():
        found.add(key)
        if key in {"properties", "$defs", "patternProperties"}:
            inner = list(value.values())
        elif key in {"anyOf", "oneOf", "prefixItems"}:
            inner = value
        elif key in {"items", "additionalProperties", "propertyNames"} and isinstance(value, dict):
            inner = [value]
        else:
            continue
        for one in inner:
            found |= keywords(one)
    return found


@pytest.fixture
def schemas(language):
    return {
        "runbook": runbook_schema(),
        "inventory": inventory_schema(language.registry),
        "answers": answers_schema(),
    }


FILES = {
    "runbook": "runbooks/pacs-site-loss.yaml",
    "inventory": "inventories/lab.yaml",
    "answers": "runbooks/lab-answers.yaml",
}


@pytest.mark.parametrize("kind", FILES)
def test_the_shipped_files_fit_their_schema(schemas, root, kind):
    schema = schemas[kind]
    assert keywords(schema) <= KNOWN
    assert fits(read_file(root / FILES[kind]).data, schema, schema)


@pytest.mark.parametrize("kind", FILES)
def test_another_kind_of_file_does_not(schemas, root, kind):
    others = [read_file(root / path).data for name, path in FILES.items() if name != kind]
    assert not any(fits(data, schemas[kind], schemas[kind]) for data in others)


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("runbook", ("phases", 0, "steps", 0, "uess"), "x"),
        ("runbook", ("phases", 0, "steps", 1, "gate", "on_timeout"), "never"),
        ("runbook", ("phases", 0, "steps", 0, "until", "timeout"), "1 minute"),
        ("inventory", ("endpoints", "ontap-lyon", "type"), "dns"),
        ("inventory", ("endpoints", "ontap-lyon", "hots"), "x"),
        ("inventory", ("endpoints", "ontap-lyon", "password"), "hunter2"),
        ("inventory", ("services", "ris", "vms", 0, "priority"), "high"),
        ("answers", ("answers", "go", "answer"), "yes"),
    ],
)
def test_a_mistake_does_not_fit(schemas, root, kind, path, value):
    data = read_file(root / FILES[kind]).data
    here = data
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = value
    assert not fits(data, schemas[kind], schemas[kind])
