"""A change as data: what is sent to ONTAP, and in which words people read about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue


@dataclass(frozen=True, slots=True)
class Request:
    """One POST, PATCH or DELETE.

    ``resource`` is the class of NetApp's client, ``keys`` identify the object (nested, as in its JSON),
    ``parents`` are the keys of what it lies under. ``doing`` completes "refused to ...".
    """

    method: Literal["POST", "PATCH", "DELETE"]
    resource: str
    doing: str
    keys: Mapping[str, JsonValue] = field(default_factory=dict)
    body: Mapping[str, JsonValue] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    parents: tuple[str, ...] = ()
