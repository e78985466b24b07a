"""What an inventory must satisfy beyond its shape: names, references, cycles."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Protocol
from zoneinfo import ZoneInfo

from drctl.core.problem import Problem
from drctl.core.provider import Endpoint
from drctl.document.place import Document, Keys
from drctl.document.shape import suggest
from drctl.inventory.model import Datastore, InventoryBody, ServiceBody, Vm, Volume


class _Named(Protocol):
    @property
    def name(self) -> str: ...


def check_inventory(
    body: InventoryBody, document: Document, endpoints: Mapping[str, tuple[str, Endpoint]]
) -> list[Problem]:
    """Return every problem of names and references; ``endpoints`` are those that are right in themselves."""
    check = _Check(body, document, endpoints)
    check.run()
    return check.problems


def service_orders(services: Mapping[str, ServiceBody]) -> dict[str, int]:
    """Return each service's depth in ``depends_on``; 0 for one that needs no other."""
    orders: dict[str, int] = {}
    for name in _sorter(services).static_order():
        needed = services[name].depends_on
        orders[name] = 1 + max((orders[one] for one in needed), default=-1)
    return orders


def _sorter(services: Mapping[str, ServiceBody]) -> TopologicalSorter[str]:
    return TopologicalSorter(
        {name: [one for one in body.depends_on if one in services] for name, body in services.items()}
    )


@dataclass
class _Check:
    body: InventoryBody
    document: Document
    endpoints: Mapping[str, tuple[str, Endpoint]]
    problems: list[Problem] = field(default_factory=list)

    def run(self) -> None:
        if not self.body.sites:
            self._add("sites", "an inventory has at least one site", ("sites",))
        for name, site in self.body.sites.items():
            self._timezone(site.timezone, ("sites", name, "timezone"))
        for name, fields in self.body.endpoints.items():
            if isinstance(fields.get("site"), str):
                self._site(str(fields["site"]), ("endpoints", name, "site"))
        self._unique()
        for name, service in self.body.services.items():
            self._service(service, ("services", name))
        self._cycle()
        for name, bubble in self.body.bubble.items():
            self._site(name, ("bubble", name), at_key=True)
            if bubble.via is not None:
                self._endpoint(bubble.via, "ssh", name, ("bubble", name, "via"))

    def _add(self, code: str, summary: str, keys: Keys, hint: str = "") -> None:
        self.problems.append(self.document.problem(code, summary, keys, hint))

    def _timezone(self, name: str, keys: Keys) -> None:
        try:
            ZoneInfo(name)
        except (ValueError, OSError, LookupError):
            self._add("timezone", f"{name!r} is not a known time zone", keys, "Write it as Europe/Paris.")

    def _site(self, name: str, keys: Keys, *, at_key: bool = False) -> None:
        if name not in self.body.sites:
            add = self.document.key_problem if at_key else self.document.problem
            hint = suggest(name, self.body.sites)
            self.problems.append(add("unknown-site", f"no site is called {name!r}", keys, hint))

    def _endpoint(self, name: str, kind: str | None, site: str | None, keys: Keys) -> None:
        fields = self.body.endpoints.get(name)
        if fields is None:
            known = [one for one, other in self.body.endpoints.items() if kind in {None, other.get("type")}]
            self._add("unknown-endpoint", f"no endpoint is called {name!r}", keys, suggest(name, known))
        elif kind is not None and fields.get("type") != kind:
            self._add("endpoint-type", f"{name!r} is of type {fields.get('type')}; {kind} is due here", keys)
        elif site is not None and fields.get("site") != site:
            self._add("endpoint-site", f"{name!r} stands at {fields.get('site')}, not at {site}", keys)

    def _unique(self) -> None:
        for kind in ("volumes", "datastores", "vms"):
            seen: dict[str, Keys] = {}
            for service, body in self.body.services.items():
                self._no_twice(getattr(body, kind), ("services", service, kind), seen)
        for service, body in self.body.services.items():
            self._no_twice(body.checks, ("services", service, "checks"), {})

    def _no_twice(self, things: Sequence[_Named], keys: Keys, seen: dict[str, Keys]) -> None:
        for index, thing in enumerate(things):
            here: Keys = (*keys, index, "name")
            first = seen.setdefault(thing.name, here)
            if first != here:
                hint = f"The other is at line {self.document.value(first).line}."
                self._add("duplicate-name", f"two of the {keys[-1]} are called {thing.name!r}", here, hint)

    def _service(self, service: ServiceBody, keys: Keys) -> None:
        for index, name in enumerate(service.depends_on):
            if name not in self.body.services:
                hint = suggest(name, self.body.services)
                self._add(
                    "unknown-service", f"no service is called {name!r}", (*keys, "depends_on", index), hint
                )
        self._standing(service, keys)
        for index, volume in enumerate(service.volumes):
            self._volume(volume, (*keys, "volumes", index))
        for index, datastore in enumerate(service.datastores):
            self._datastore(datastore, (*keys, "datastores", index))
        for index, vm in enumerate(service.vms):
            self._vm(vm, (*keys, "vms", index))
        self._outside(service, keys)

    def _standing(self, service: ServiceBody, keys: Keys) -> None:
        for kind in ("volumes", "datastores", "vms", "records"):
            for index, thing in enumerate(getattr(service, kind)):
                for site in thing.at:
                    self._site(site, (*keys, kind, index, "at", site), at_key=True)

    def _outside(self, service: ServiceBody, keys: Keys) -> None:
        for index, record in enumerate(service.records):
            self._endpoint(record.endpoint, "dns", None, (*keys, "records", index, "endpoint"))
        for index, check in enumerate(service.checks):
            if check.on is not None:
                self._endpoint(check.on, check.uses.split(".", 1)[0], None, (*keys, "checks", index, "on"))

    def _volume(self, volume: Volume, keys: Keys) -> None:
        for site, there in volume.at.items():
            self._endpoint(there.endpoint, "ontap", site, (*keys, "at", site, "endpoint"))
        if volume.vault is not None:
            self._site(volume.vault.site, (*keys, "vault", "site"))

    def _datastore(self, datastore: Datastore, keys: Keys) -> None:
        volume = self._named("volume", datastore.volume, self._all("volumes"), (*keys, "volume"))
        for site, there in datastore.at.items():
            here: Keys = (*keys, "at", site)
            self._endpoint(there.endpoint, "vsphere", site, (*here, "endpoint"))
            if not isinstance(volume, Volume) or there.path is not None or site not in self.body.sites:
                continue
            stands = volume.at.get(site)
            if stands is None:
                self._add("datastore-site", f"its volume {volume.name!r} is not at {site}", here)
            elif stands.junction is None:
                hint = "Give the volume a junction there, or the datastore a path."
                self._add(
                    "datastore-path", f"its volume {volume.name!r} has no junction at {site}", here, hint
                )

    def _vm(self, vm: Vm, keys: Keys) -> None:
        datastores = self._all("datastores")
        held = [self._named("datastore", vm.datastore, datastores, (*keys, "datastore"))]
        for index, name in enumerate(vm.also_on):
            held.append(self._named("datastore", name, datastores, (*keys, "also_on", index)))
        for site, there in vm.at.items():
            here: Keys = (*keys, "at", site)
            self._endpoint(there.endpoint, "vsphere", site, (*here, "endpoint"))
            for one in held:
                if isinstance(one, Datastore) and site in self.body.sites and site not in one.at:
                    self._add("vm-site", f"its datastore {one.name!r} is not at {site}", here)

    def _all(self, kind: str) -> dict[str, object]:
        return {thing.name: thing for thing in self._things(kind)}

    def _things(self, kind: str) -> Iterator[_Named]:
        for service in self.body.services.values():
            yield from getattr(service, kind)

    def _named(self, kind: str, name: str, known: Mapping[str, object], keys: Keys) -> object:
        if name not in known:
            self._add(f"unknown-{kind}", f"no {kind} is called {name!r}", keys, suggest(name, known))
        return known.get(name)

    def _cycle(self) -> None:
        try:
            _sorter(self.body.services).prepare()
        except CycleError as error:
            path: Collection[str] = error.args[1]
            names = list(reversed(list(path)))  # graphlib lists what is needed before what needs it
            keys: Keys = ("services", names[0], "depends_on")
            self._add("cycle", f"services depend on each other in a circle: {' → '.join(names)}", keys)
