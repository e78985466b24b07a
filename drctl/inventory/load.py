"""Loads an inventory: shape, endpoints by their providers, references between the parts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, JsonValue

from drctl.core.problem import DrctlError, Problem
from drctl.core.provider import Endpoint, Registry
from drctl.core.secret import Resolver, Secret
from drctl.document.place import Document, Keys
from drctl.document.read import read_file, read_text
from drctl.document.shape import suggest, validate, validate_part
from drctl.inventory.check import check_inventory, service_orders
from drctl.inventory.model import BubbleBody, Contact, InventoryBody, ServiceBody, Site

PATHS: Final = ("ca_file", "key_file", "known_hosts")
"""Endpoint fields that name files; relative ones count from the inventory's folder."""


@dataclass(frozen=True)
class Inventory:
    """An estate that is right in itself.

    ``endpoints`` gives each endpoint's provider name and checked model; ``orders`` each service's
    depth in ``depends_on`` (0: needs no other).
    """

    name: str
    sites: Mapping[str, Site]
    endpoints: Mapping[str, tuple[str, Endpoint]]
    services: Mapping[str, ServiceBody]
    contacts: Mapping[str, Contact]
    bubble: Mapping[str, BubbleBody]
    lab: Mapping[str, JsonValue]
    orders: Mapping[str, int]
    document: Document

    @property
    def text(self) -> str:
        """The file as it was read."""
        return self.document.text

    def digest(self) -> str:
        """Return the SHA-256 of the file's text, in hexadecimal."""
        return hashlib.sha256(self.document.text.encode()).hexdigest()

    def endpoint(self, name: str) -> Endpoint | None:
        """Return an endpoint's checked model."""
        found = self.endpoints.get(name)
        return found[1] if found else None

    def secrets(self) -> list[tuple[str, Secret]]:
        """Return every secret of the endpoints as (endpoint, reference)."""
        return [
            (name, secret) for name, (_, endpoint) in self.endpoints.items() for secret in _secrets(endpoint)
        ]


def _secrets(value: object) -> list[Secret]:
    if isinstance(value, Secret):
        return [value]
    if isinstance(value, BaseModel):
        return [one for name in type(value).model_fields for one in _secrets(getattr(value, name))]
    if isinstance(value, (list, tuple)):
        return [one for part in value for one in _secrets(part)]
    return []


def load_inventory(path: Path, registry: Registry, resolver: Resolver | None = None) -> Inventory:
    """Load an inventory; raise ``DrctlError`` with every problem of the file."""
    return _inventory(read_file(path), path.absolute().parent, registry, resolver)


def parse_inventory(
    text: str, name: str, folder: Path, registry: Registry, resolver: Resolver | None = None
) -> Inventory:
    """Load an inventory from text; relative paths in it count from ``folder``; raise ``DrctlError``."""
    return _inventory(read_text(text, name), folder, registry, resolver)


def _inventory(document: Document, folder: Path, registry: Registry, resolver: Resolver | None) -> Inventory:
    body = validate(InventoryBody, document)
    endpoints, problems = _endpoints(body, document, folder, registry, resolver)
    problems += check_inventory(body, document, endpoints)
    problems += _checks(body, document, registry)
    if problems:
        raise DrctlError(*problems)
    return Inventory(
        name=body.name,
        sites=body.sites,
        endpoints=endpoints,
        services=body.services,
        contacts=body.contacts,
        bubble=body.bubble,
        lab=body.lab,
        orders=service_orders(body.services),
        document=document,
    )


def _endpoints(
    body: InventoryBody, document: Document, folder: Path, registry: Registry, resolver: Resolver | None
) -> tuple[dict[str, tuple[str, Endpoint]], list[Problem]]:
    endpoints: dict[str, tuple[str, Endpoint]] = {}
    problems: list[Problem] = []
    for name, fields in body.endpoints.items():
        keys: Keys = ("endpoints", name)
        model = _endpoint_model(fields, keys, document, registry, problems)
        if model is None:
            continue
        if "name" in fields:
            problems.append(document.key_problem("unknown-key", "unknown key 'name'", (*keys, "name")))
        data = {**fields, "name": name}
        for field in PATHS:
            place = data.get(field)
            if isinstance(place, str):
                data[field] = str(folder / Path(place).expanduser())
        built = validate_part(model, data, document, keys, {"resolve": resolver})
        if isinstance(built, list):
            problems += built
        else:
            endpoints[name] = (str(fields["type"]), built)
    return endpoints, problems


def _endpoint_model(
    fields: Mapping[str, JsonValue],
    keys: Keys,
    document: Document,
    registry: Registry,
    problems: list[Problem],
) -> type[Endpoint] | None:
    kind = fields.get("type")
    if kind is None:
        problems.append(document.key_problem("missing-key", "the key 'type' is missing here", keys))
        return None
    if not isinstance(kind, str) or kind not in registry.names():
        hint = suggest(str(kind), registry.names())
        problems.append(
            document.problem("unknown-provider", f"no provider is called {kind!r}", (*keys, "type"), hint)
        )
        return None
    model = registry.provider(kind).endpoint
    if model is None:
        summary = f"{kind} needs no endpoint"
        problems.append(document.problem("endpoint", summary, (*keys, "type"), "Remove this endpoint."))
    return model


def _checks(body: InventoryBody, document: Document, registry: Registry) -> list[Problem]:
    problems: list[Problem] = []
    for service, parts in body.services.items():
        for index, check in enumerate(parts.checks):
            keys: Keys = ("services", service, "checks", index)
            found = registry.find(check.uses)
            if found is not None:
                built = validate_part(found, check.with_, document, (*keys, "with"))
                problems += built if isinstance(built, list) else []
            else:
                hint = suggest(check.uses, registry.all_names())
                summary = f"no probe is called {check.uses!r}"
                problems.append(document.problem("unknown-uses", summary, (*keys, "uses"), hint))
    return problems
