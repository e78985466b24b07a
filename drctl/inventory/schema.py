"""The JSON Schema of inventories, endpoints of every installed provider included."""

from __future__ import annotations

from typing import cast

from pydantic import JsonValue

from drctl.core.provider import Registry
from drctl.inventory.model import InventoryBody

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def inventory_schema(registry: Registry) -> dict[str, JsonValue]:
    """Return the schema; an endpoint's ``type`` decides which fields it has."""
    schema = InventoryBody.model_json_schema(by_alias=True)
    definitions = schema.setdefault("$defs", {})
    kinds = []
    for name in registry.names():
        model = registry.provider(name).endpoint
        if model is None:
            continue
        one = model.model_json_schema(by_alias=True, ref_template="#/$defs/{model}")
        definitions |= one.pop("$defs", {})
        one["title"] = f"{name} endpoint"
        one["properties"].pop("name")  # the endpoint's own key
        one["required"] = [field for field in one.get("required", []) if field != "name"]
        one["properties"]["type"] = {"const": name, "description": f"Spoken to by the provider {name}."}
        definitions[f"endpoint-{name}"] = one
        kinds.append({"$ref": f"#/$defs/endpoint-{name}"})
    schema["properties"]["endpoints"]["additionalProperties"] = {"oneOf": kinds}
    schema["properties"]["endpoints"].pop("patternProperties", None)
    return cast("dict[str, JsonValue]", {"$schema": DIALECT, **schema, "title": "drctl inventory"})
