"""Checks plain data against pydantic models; says what is wrong in the words of the file."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Mapping
from types import UnionType
from typing import Annotated, Final, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, JsonValue, ValidationError
from pydantic_core import ErrorDetails

from drctl.core.problem import DrctlError, Problem
from drctl.core.secret import KINDS
from drctl.document.place import Document, Keys

M = TypeVar("M", bound=BaseModel)

_DUE: Final = {
    "string_type": "a text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
    "tuple_type": "a list",
    "list_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
}

_FILES: Final = frozenset({"runbook", "inventory", "answers", "plan"})
"""The kinds of files that drctl reads."""

_GUESSED: Final = frozenset({"int_type", "float_type", "bool_type"})


def suggest(word: str, known: Iterable[str]) -> str:
    """Return ``Did you mean 'x'?`` or the names that exist."""
    names = sorted(set(known))
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]!r}?"
    if not names:
        return ""
    shown = ", ".join(names[:12])
    return f"Known: {shown}{', …' if len(names) > 12 else ''}."


def validate(model: type[M], document: Document, context: Mapping[str, object] | None = None) -> M:
    """Build the model from a whole document; raise ``DrctlError`` with every problem."""
    if (other := _another(model, document)) is not None:
        raise DrctlError(other)
    try:
        return model.model_validate_json(_json(document.data), context=context)
    except ValidationError as error:
        raise DrctlError(*describe(error, document, (), model)) from error


def _another(model: type[BaseModel], document: Document) -> Problem | None:
    """Say that a file is nothing, another file, or of another version: then nothing else in it matters."""
    data = document.data
    if data is None:
        return document.problem("empty", "the file is empty", ())
    if not isinstance(data, dict):
        return None
    kind, version = data.get("kind"), data.get("drctl")
    kinds, versions = (_allowed(model, key) for key in ("kind", "drctl"))
    if kinds and isinstance(kind, str) and kind not in kinds and kind in _FILES:
        hint = "Were two files swapped? drctl VERB RUNBOOK -i INVENTORY"
        return document.problem("other-file", f"this file is of kind {kind}, not {kinds[0]}", ("kind",), hint)
    if versions and type(version) is int and version not in versions:
        known = " and ".join(map(str, versions))
        summary = f"this file is in version {version} of the language; this drctl reads version {known}"
        return document.problem("other-version", summary, ("drctl",))
    return None


def _allowed(model: type[BaseModel], key: str) -> tuple[object, ...]:
    field = model.model_fields.get(key)
    return get_args(field.annotation) if field is not None else ()


def validate_part(
    model: type[M],
    data: JsonValue,
    document: Document,
    keys: Keys,
    context: Mapping[str, object] | None = None,
) -> M | list[Problem]:
    """Build the model from the value at ``keys``; return its problems when there are any."""
    errors = field_errors(model, data, lambda _: True, context)
    if errors:
        return _distinct(describe_one(details, document, keys, model) for details in errors)
    return model.model_validate_json(_json(data), context=context)


def field_errors(
    model: type[BaseModel],
    data: JsonValue,
    written: Callable[[str], bool],
    context: Mapping[str, object] | None = None,
) -> list[ErrorDetails]:
    """Return what is wrong with a model's fields.

    Pydantic would turn the text ``no`` into false and ``"12"`` into a number: in fields that are
    ``written`` in a file as they are, texts stay texts.
    """
    text = _json(data)
    found = {details["loc"]: details for details in _errors(model, text, context, strict=False)}
    for details in _errors(model, text, context, strict=True):
        guessed = details["type"] in _GUESSED and isinstance(details["input"], str)
        if guessed and details["loc"] and written(str(details["loc"][0])):
            found[details["loc"]] = details
    return list(found.values())


def _errors(
    model: type[BaseModel], text: str, context: Mapping[str, object] | None, *, strict: bool
) -> list[ErrorDetails]:
    try:
        model.model_validate_json(text, strict=strict, context=context)
    except ValidationError as error:
        return error.errors(include_url=False)
    return []


def _json(data: JsonValue) -> str:
    return json.dumps(data, ensure_ascii=False, allow_nan=False)


def describe(error: ValidationError, document: Document, keys: Keys, model: type[BaseModel]) -> list[Problem]:
    """Turn pydantic's errors into problems of the file, without repetitions."""
    return _distinct(
        describe_one(details, document, keys, model) for details in error.errors(include_url=False)
    )


def _distinct(problems: Iterable[Problem]) -> list[Problem]:
    found: dict[tuple[object, str], Problem] = {}
    for problem in problems:
        found.setdefault((problem.where, problem.summary), problem)
    return sorted(found.values(), key=lambda one: (one.where.line, one.where.column) if one.where else (0, 0))


def describe_one(details: ErrorDetails, document: Document, prefix: Keys, model: type[BaseModel]) -> Problem:
    """Turn one of pydantic's errors into a problem of the file; ``prefix`` is the model's place."""
    loc, kind = details["loc"], details["type"]
    keys = (*prefix, *loc)
    if kind == "extra_forbidden":
        hint = suggest(str(loc[-1]), known_keys(model, loc[:-1]))
        return document.key_problem("unknown-key", f"unknown key {loc[-1]!r}", keys, hint)
    if kind == "missing":
        return document.key_problem("missing-key", f"the key {loc[-1]!r} is missing here", keys[:-1])
    given = details.get("input")
    if kind in _DUE:
        return document.problem("wrong-type", _wrong_type(kind, given), keys, _quote_hint(kind, given))
    if kind in {"literal_error", "enum"}:
        expected = str(details.get("ctx", {}).get("expected", ""))
        names = expected.replace(" or ", ", ").replace("'", "").split(", ")
        return document.problem(
            "wrong-value", f"{_show(given)} is not a value of {loc[-1]!r}", keys, suggest(str(given), names)
        )
    message = details["msg"].removeprefix("Value error, ").replace("Input should", "it should")
    summary = message if kind in {"duration", "secret", "value_error"} else f"{_show(given)}: {message}"
    return document.problem("wrong-value", summary, keys)


def _wrong_type(kind: str, given: object) -> str:
    if kind == "string_type" and isinstance(given, dict) and len(given) == 1 and next(iter(given)) in KINDS:
        return (
            "a secret is allowed only in an endpoint's secret fields and in an action's fields typed Secret"
        )
    return f"{_DUE[kind]} is expected here, not {_show(given)}"


def _quote_hint(kind: str, given: object) -> str:
    if kind == "string_type" and isinstance(given, (int, float)):
        return "Put it in quotes."
    if kind == "string_type" and given is None:
        return "Write a text, or remove the key."
    if kind in {"int_type", "float_type", "bool_type"} and isinstance(given, str):
        return "Without quotes: whole numbers, decimals, true and false; nothing else is converted."
    return ""


def _show(given: object) -> str:
    if given is None:
        return "nothing"
    if isinstance(given, dict):
        return "a mapping"
    if isinstance(given, (list, tuple)):
        return "a list"
    text = repr(given) if isinstance(given, str) else str(given).lower()
    return text if len(text) <= 60 else f"{text[:57]}…"


def known_keys(model: object, loc: Iterable[str | int]) -> list[str]:
    """Return the keys a model knows at a place inside it; empty where any key is allowed."""
    here = [model]
    for part in loc:
        here = [inner for one in here for inner in _enter(one, part)]
    return [
        field.alias or name
        for one in here
        if isinstance(one, type) and issubclass(one, BaseModel)
        for name, field in one.model_fields.items()
    ]


def _enter(annotation: object, part: str | int) -> list[object]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            if part in {name, field.alias}:
                return _unwrap(field.annotation)
        return []
    arguments = get_args(annotation)
    if get_origin(annotation) is dict or (len(arguments) > 1 and arguments[-1] is not Ellipsis):
        return _unwrap(arguments[-1])
    return _unwrap(arguments[0]) if arguments else []


def _unwrap(annotation: object) -> list[object]:
    """Return the members of a union, without ``None`` and ``Annotated``."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _unwrap(get_args(annotation)[0])
    if origin in {Union, UnionType}:
        return [one for member in get_args(annotation) for one in _unwrap(member)]
    return [] if annotation is type(None) else [annotation]
