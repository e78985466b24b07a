"""Durations as runbooks write them: ``90s``, ``15m``, ``4h``, ``1d``."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PATTERN = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


def parse_duration(value: object) -> float:
    """Return seconds; raise ``PydanticCustomError`` for anything but ``90s`` and its like or a number."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    match = _PATTERN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise PydanticCustomError("duration", "a duration is written 90s, 15m, 4h or 1d")
    return float(match[1]) * _UNITS[match[2]]


def format_duration(seconds: float) -> str:
    """Return ``1 h 05 min``, ``4 min 10 s``, ``12 s`` or ``0.4 s``, for people."""
    if seconds < 1:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    Field(ge=0),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": f"^{_PATTERN.pattern}$"}, {"type": "number", "minimum": 0}]},
        mode="validation",
    ),
]
"""A pydantic field: seconds as float, written ``90s``, ``15m``, ``4h``, ``1d``."""
