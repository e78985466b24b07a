"""Parameters: what a runbook asks for, and the values a start gives with ``-p KEY=VALUE``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from pydantic import JsonValue
from pydantic_core import PydanticCustomError

from drctl.core.duration import parse_duration
from drctl.core.problem import DrctlError, Problem
from drctl.document.place import Document
from drctl.document.shape import suggest
from drctl.runbook.model import Parameter

_INTEGER: Final = re.compile(r"-?\d{1,18}")
_NUMBER: Final = re.compile(r"-?\d{1,18}(\.\d{1,17})?")


class _BadValueError(ValueError):
    """A value is not of its parameter's type."""


def _string(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return value
    raise _BadValueError("a text is due")


def _integer(value: JsonValue) -> JsonValue:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    raise _BadValueError("a whole number is due")


def _number(value: JsonValue) -> JsonValue:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    raise _BadValueError("a number is due")


def _boolean(value: JsonValue) -> JsonValue:
    if isinstance(value, bool):
        return value
    if value in {"true", "false"}:
        return value == "true"
    raise _BadValueError("true or false is due")


def _duration(value: JsonValue) -> JsonValue:
    try:
        return parse_duration(value)
    except PydanticCustomError as error:
        raise _BadValueError(str(error)) from error


def _list(value: JsonValue) -> JsonValue:
    if isinstance(value, list):
        return value
    if isinstance(value, str):
        return [one.strip() for one in value.split(",") if one.strip()]
    raise _BadValueError("a list is due")


_READ: Final[Mapping[str, Callable[[JsonValue], JsonValue]]] = {
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "duration": _duration,
    "list": _list,
}


def check_parameters(parameters: Mapping[str, Parameter], document: Document) -> list[Problem]:
    """Return the problems of the declarations: names, and defaults of another type."""
    problems: list[Problem] = []
    for name, parameter in parameters.items():
        if not name.isidentifier():
            hint = "Letters, digits and _ only: expressions use it as params.<name>."
            problems.append(
                document.key_problem("parameter", f"{name!r} cannot be a name", ("parameters", name), hint)
            )
        if parameter.default is None:
            continue
        keys = ("parameters", name, "default")
        if parameter.required:
            problems.append(document.problem("parameter", "a required parameter has no default", keys))
        try:
            _READ[parameter.type](parameter.default)
        except _BadValueError as error:
            problems.append(document.problem("parameter", f"{name}: {error}", keys))
    return problems


def resolve_parameters(
    parameters: Mapping[str, Parameter], given: Mapping[str, JsonValue]
) -> dict[str, JsonValue]:
    """Return every parameter's value; texts from the command line are read as the declared type.

    Raises:
        DrctlError: An unknown or missing parameter, or a value of another type.
    """
    problems = [
        Problem(code="parameter", summary=f"no parameter is called {name!r}", hint=suggest(name, parameters))
        for name in given
        if name not in parameters
    ]
    values: dict[str, JsonValue] = {}
    for name, parameter in parameters.items():
        value = given.get(name, parameter.default)
        if value is None and parameter.required:
            hint = f"Give it with -p {name}=VALUE." + (f" {parameter.help}" if parameter.help else "")
            problems.append(
                Problem(code="parameter", summary=f"the parameter {name!r} is required", hint=hint)
            )
        try:
            values[name] = None if value is None else _READ[parameter.type](value)
        except _BadValueError as error:
            problems.append(Problem(code="parameter", summary=f"parameter {name}: {error}, not {value!r}"))
    if problems:
        raise DrctlError(*problems)
    return values
