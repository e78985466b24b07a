"""What expressions see: the inventory's things as records, with the roles of this run filled in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from drctl.inventory.load import Inventory
from drctl.inventory.model import Check, Datastore, RecordSet, ServiceBody, Vm, Volume
from drctl.runbook.model import RunbookBody
from drctl.runbook.value import Record

Thing: TypeAlias = Volume | Datastore | Vm | RecordSet | Check

_KINDS: Final = ("volumes", "datastores", "vms", "records", "checks")


def build_scope(
    runbook: RunbookBody,
    inventory: Inventory,
    roles: Mapping[str, str],
    *,
    mode: str,
    params: Mapping[str, object],
    run_id: str,
) -> dict[str, object]:
    """Return the names in scope; ``roles`` maps ``source`` and ``target`` to sites."""
    services = _Services(inventory, roles).build()
    lists: dict[str, object] = {
        kind: [thing for service in services.values() for thing in _list(service, kind)] for kind in _KINDS
    }
    return {
        "source": _site(inventory, roles["source"]),
        "target": _site(inventory, roles["target"]),
        "services": Record("services", services),
        "all": Record("all", {**lists, "services": list(services.values())}),
        "params": Record("params", params),
        "objectives": Record("objectives", runbook.objectives.model_dump(mode="json")),
        "mode": mode,
        "run": Record("run", {"id": run_id}),
    }


def service_of(item: object) -> str | None:
    """Return the name of the service an item belongs to, or that it is."""
    if not isinstance(item, Record):
        return None
    service = item.get("service")
    if isinstance(service, Record):
        return str(service["name"])
    return str(item["name"]) if "order" in item.names() else None


def _list(service: Record, kind: str) -> Sequence[object]:
    things = service[kind]
    return things if isinstance(things, list) else []


def _site(inventory: Inventory, name: str) -> Record:
    site = inventory.sites[name]
    return Record(f"site {name!r}", {"name": name, "title": site.title or name, "timezone": site.timezone})


class _Services:
    def __init__(self, inventory: Inventory, roles: Mapping[str, str]) -> None:
        self._inventory = inventory
        self._roles = roles
        self._volumes = {
            volume.name: volume for service in inventory.services.values() for volume in service.volumes
        }

    def build(self) -> dict[str, Record]:
        return {name: self._service(name, body) for name, body in self._inventory.services.items()}

    def _service(self, name: str, body: ServiceBody) -> Record:
        plain = body.model_dump(mode="json", exclude=set(_KINDS))
        label = f"service {name!r}"
        fields = {
            **plain,
            "name": name,
            "order": self._inventory.orders[name],
            "objectives": Record(f"objectives of {label}", plain["objectives"]),
        }
        links: dict[str, object] = {}
        record = Record(label, fields, links)
        for kind in _KINDS:
            links[kind] = self._things(getattr(body, kind), kind, record)
        return record

    def _things(self, things: Iterable[Thing], kind: str, service: Record) -> list[Record]:
        return [self._thing(thing, f"{kind.removesuffix('s')} {thing.name!r}", service) for thing in things]

    def _thing(self, thing: Thing, label: str, service: Record) -> Record:
        fields = thing.model_dump(mode="json", by_alias=True, exclude={"at"})
        links: dict[str, object] = {"service": service}
        if isinstance(thing, Check):
            return Record(label, fields, links)
        standing = {site: self._at(thing, site, label) for site in thing.at}
        links["at"] = Record(f"{label} at:", standing)
        absent = {}
        for role, site in self._roles.items():
            if site in standing:
                links[role] = standing[site]
            else:
                absent[role] = f"{label} says nothing under at: for {site}, the {role}"
        return Record(label, fields, links, absent)

    def _at(self, thing: Volume | Datastore | Vm | RecordSet, site: str, label: str) -> object:
        if isinstance(thing, RecordSet):
            return list(thing.at[site])
        fields = thing.at[site].model_dump(mode="json")
        if isinstance(thing, Datastore) and fields.get("path") is None:
            fields["path"] = self._volumes[thing.volume].at[site].junction
        links = {"site": _site(self._inventory, site)}
        return Record(f"{label} at {site}", fields, links)
