"""What files, actions, probes and events say of their keys, and which keys say nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from drctl.core.events import EVENTS
from drctl.core.provider import Registry
from drctl.inventory.schema import inventory_schema
from drctl.runbook.schema import answers_schema, runbook_schema

INSIDE = ("items", "anyOf", "oneOf", "prefixItems", "additionalProperties")


def schemas(registry: Registry) -> Mapping[str, object]:
    """Return the JSON Schema of every kind of file, every action and probe, every event."""
    return {
        "runbook": runbook_schema(),
        "answers": answers_schema(),
        "inventory": inventory_schema(registry),
        **{name: registry.find(name).model_json_schema(by_alias=True) for name in registry.all_names()},
        **{name: model.model_json_schema() for name, model in EVENTS.items()},
    }


def mute_keys(schema: object, place: str = "") -> Iterator[str]:
    """Yield every key at any depth whose description is missing or only says its name again."""
    if isinstance(schema, list):
        for one in schema:
            yield from mute_keys(one, place)
    elif isinstance(schema, dict):
        for name, key in schema.get("properties", {}).items():
            if not tells_more_than_its_name(name, key.get("description", "")):
                yield f"{place}{name}"
            yield from mute_keys(key, f"{place}{name}.")
        for name, inner in schema.get("$defs", {}).items():
            yield from mute_keys(inner, f"{name}.")
        for pattern in schema.get("patternProperties", {}).values():
            yield from mute_keys(pattern, place)
        for word in INSIDE:
            yield from mute_keys(schema.get(word), place)


def tells_more_than_its_name(name: str, text: str) -> bool:
    """Say whether a description has a word that is not in the key's name."""
    said = set(re.findall(r"[a-z]+", text.lower())) - {"a", "an", "the", "of", "its", "s"}
    return bool(said - set(re.findall(r"[a-z]+", name.lower())))
