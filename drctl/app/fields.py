"""A model's fields in words: what a person may write, read off its JSON Schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, JsonValue

from drctl.core.secret import KINDS

Schema = Mapping[str, JsonValue]

_DURATION: Final = "[smhd]"  # what only a duration's pattern holds
_FORMATS: Final = {
    "date": "date",
    "date-time": "time",
    "endpoint": "endpoint",
    "expression": "expression",
    "path": "path",
}
_WORDS: Final = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "mapping",
    "array": "list",
    "null": "nothing",
}


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field: its name in the file, what it holds, whether it must be there, its default, its help."""

    name: str
    type: str
    required: bool
    default: str
    help: str


def describe_fields(model: type[BaseModel]) -> list[FieldRow]:
    """Return the fields of a model, in the order of its declaration, named as in the file."""
    schema: Schema = model.model_json_schema(by_alias=True)
    definitions = _mapping(schema.get("$defs"))
    own = str(schema.get("$ref", "")).rsplit("/", 1)[-1]  # a model that holds itself is a reference
    return list(_rows(_mapping(definitions[own]) if own else schema, definitions))


def _rows(schema: Schema, definitions: Schema) -> Iterator[FieldRow]:
    required = schema.get("required") or []
    assert isinstance(required, list)  # noqa: S101 - JSON Schema says so
    for name, one in _mapping(schema.get("properties")).items():
        field = _mapping(one)
        must = name in required
        kind = type_of(field, definitions)
        yield FieldRow(name, kind, must, "" if must else _default(field, kind), _help(field))


def _help(field: Schema) -> str:
    """Return what the field says of itself; what its type says of itself stands where the type is defined."""
    text = field.get("description")
    return text if isinstance(text, str) else ""


def type_of(field: Schema, definitions: Schema) -> str:
    """Return what a value is, in the words of the file: ``duration``, ``list of text``, ``A or B``."""
    reference = field.get("$ref")
    if isinstance(reference, str):
        return _referred(reference.rsplit("/", 1)[1], definitions)
    if "const" in field:
        return _word(field["const"])
    if field.get("format") in _FORMATS:
        return _FORMATS[str(field["format"])]
    choices = field.get("enum")
    if isinstance(choices, list):
        return _choice([_word(choice) for choice in choices])
    options = field.get("anyOf") or field.get("oneOf")
    if isinstance(options, list):
        return _options([_mapping(option) for option in options], definitions)
    return _plain(field, definitions)


def _choice(words: list[str]) -> str:
    """Return ``a, b or c``."""
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _options(options: list[Schema], definitions: Schema) -> str:
    named = [type_of(option, definitions) for option in options if option.get("type") != "null"]
    if "duration" in named:  # a bare number of seconds is taken, but nobody should write one
        return "duration"
    return " or ".join(dict.fromkeys(named)) or "anything"


def _plain(field: Schema, definitions: Schema) -> str:
    kind = field.get("type")
    if not isinstance(kind, str):
        return "anything"
    if _DURATION in str(field.get("pattern", "")):
        return "duration"
    if kind == "array":
        return f"list of {type_of(_mapping(field.get('items')), definitions)}"
    if kind == "object":
        return _object(field, definitions)
    return _WORDS.get(kind, kind) + _bounds(field)


def _object(field: Schema, definitions: Schema) -> str:
    properties = _mapping(field.get("properties"))
    if set(properties) == set(KINDS):
        return "secret"
    if properties:
        return "{" + ", ".join(properties) + "}"
    patterns = list(_mapping(field.get("patternProperties")).values())
    inner = field.get("additionalProperties") or (patterns[0] if patterns else None)
    held = type_of(inner, definitions) if isinstance(inner, Mapping) else "anything"
    return "mapping" if held == "anything" else f"mapping of {held}"


def _referred(name: str, definitions: Schema) -> str:
    """Return a small record as its keys; a large one by its name."""
    found = _mapping(definitions.get(name))
    if "properties" in found and len(_mapping(found["properties"])) > 3:
        return re.sub("(At|Body|Data|Rule|Set)$", "", name).lower()
    return type_of(found, definitions)


def _bounds(field: Schema) -> str:
    low, high = field.get("minimum"), field.get("maximum")
    if low is not None and high is not None:
        return f", {low} to {high}"
    if low is not None:
        return f", at least {low}"
    return "" if high is None else f", at most {high}"


def _default(field: Schema, kind: str) -> str:
    value = field.get("default")
    if value is None or value in ("", [], {}):
        return ""
    if kind == "duration" and isinstance(value, (int, float)):
        return write_duration(value)
    if isinstance(value, dict):
        return ""
    return _word(value)


def write_duration(seconds: float) -> str:
    """Return a duration as files write it: ``90s``, ``15m``, ``4h``."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{seconds:g}s"


def _word(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _mapping(value: object) -> Schema:
    return value if isinstance(value, Mapping) else {}
