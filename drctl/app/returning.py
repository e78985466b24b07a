"""What has to be done at a side that comes back: cleared, its volumes overwritten from where the data counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from pydantic import JsonValue

from drctl.core.problem import Source
from drctl.engine.step import Step, StepId, Use
from drctl.engine.template import Arguments
from drctl.inventory.load import Inventory
from drctl.inventory.model import DatastoreAt, ServiceBody, Vm, Volume

RETURN_MODES: Final = frozenset({"failover", "switchover", "failback"})
"""Modes of runs after which replication is turned round."""

Question: TypeAlias = tuple[str, str, dict[str, JsonValue]]
"""A probe, its endpoint and its arguments."""

CLEAR: Final = "Clear the returning side"
REVERSE: Final = "Replicate the other way"
PROVE: Final = "Proof"


@dataclass(frozen=True)
class Way:
    """One volume whose data counts at ``here`` now; the copy at ``there`` is to follow it."""

    service: str
    volume: Volume
    here: str
    there: str
    settings: Mapping[str, JsonValue] | None = None
    points: tuple[JsonValue, ...] | None = None

    @property
    def name(self) -> str:
        """The volume's name in the inventory."""
        return self.volume.name

    @property
    def authoritative(self) -> str:
        """``svm:volume`` of the side whose data counts."""
        place = self.volume.at[self.here]
        return f"{place.svm}:{place.volume}"

    @property
    def overwritten(self) -> str:
        """``svm:volume`` of the side that follows."""
        place = self.volume.at[self.there]
        return f"{place.svm}:{place.volume}"

    @property
    def questions(self) -> tuple[Question, ...]:
        """What is asked before planning: snapshots where the data counts, how either direction was set."""
        here, there = self.volume.at[self.here].endpoint, self.volume.at[self.there].endpoint
        fed: list[JsonValue] = [self.overwritten]
        back: list[JsonValue] = [self.authoritative]
        return (
            ("ontap.recovery_points", here, {"destination": self.authoritative}),
            ("ontap.mirror.stopped", here, {"destination": self.authoritative, "fed_by": fed}),
            ("ontap.mirror.stopped", there, {"destination": self.overwritten, "fed_by": back}),
        )

    def keep(self, uses: str, values: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """Return what of an answer the steps are built from."""
        if uses == "ontap.recovery_points":
            points = values.get("points")
            listed = (
                [point for point in points if isinstance(point, dict)] if isinstance(points, list) else []
            )
            return {"points": [{"name": p["name"], "created": p["created"]} for p in listed]}
        if values.get("state") is None or values.get("source") not in {self.authoritative, self.overwritten}:
            return {}
        return {"settings": {name: values.get(name) for name in ("policy", "schedule", "throttle")}}

    def with_found(self, found: JsonValue) -> Way:
        """Return the way with what was found about it."""
        if not isinstance(found, dict):
            return self
        settings, points = found.get("settings"), found.get("points")
        return replace(
            self,
            settings=settings if isinstance(settings, dict) else None,
            points=tuple(points) if isinstance(points, list) else None,
        )


def steps_of(
    inventory: Inventory, ways: Sequence[Way], parent: str, *, acknowledge: bool, full_baseline: bool
) -> Iterator[Step]:
    """Yield, service by service, what clears the returning side, turns replication round, and proves it.

    A service is one chain: what cannot be cleared keeps its volumes from being overwritten, and the
    others go on, so that a site that comes back in pieces is protected piece by piece.
    """
    sites = {name: endpoint.site for name, (_, endpoint) in inventory.endpoints.items()}
    for service in dict.fromkeys(way.service for way in ways):
        mine = [way for way in ways if way.service == service]
        chain = _Chain(service, sites)
        cleared = chain.clear(inventory.services[service], mine[0].there, mine)
        for way in mine:
            chain.turn(way, cleared, parent, acknowledge=acknowledge, full_baseline=full_baseline)
        yield from chain.steps


class _Chain:
    """Collects one service's steps."""

    def __init__(self, service: str, sites: Mapping[str, str]) -> None:
        self._service = service
        self._sites = sites
        self.steps: list[Step] = []

    def add(
        self,
        name: str,
        title: str,
        phase: str,
        uses: str,
        endpoint: str,
        arguments: Mapping[str, JsonValue],
        needs: frozenset[StepId] = frozenset(),
        *,
        kind: str = "action",
    ) -> StepId:
        """Add a step; its failure skips the rest of the service, never another service."""
        identity = f"{self._service}.{name}"
        given = {key: value for key, value in arguments.items() if value is not None}
        body = Use(
            uses, "probe" if kind == "probe" else "action", endpoint, self._sites[endpoint], Arguments(given)
        )
        where = Source("inventory", 1, 1)
        step = Step(identity, title, phase, body, where, needs, self._service)
        item = name.partition("[")[2].rstrip("]") or None
        self.steps.append(replace(step, item=item, chain=self._service, on_error="continue"))
        return identity

    def clear(self, service: ServiceBody, site: str, ways: Sequence[Way]) -> frozenset[StepId]:
        """Add what takes the old site's hands off the volumes; return what a volume has to wait for.

        Machines and datastores on volumes that are not turned round are left alone.
        """
        turned = {way.name for way in ways}
        stores = [one for one in service.datastores if site in one.at and one.volume in turned]
        concerned = {store.name for store in stores}
        machines = [vm for vm in service.vms if site in vm.at and concerned & {vm.datastore, *vm.also_on}]
        off = frozenset(self._stop(vm, site) for vm in machines)
        gone = set(off)
        for store in stores:
            way = next(way for way in ways if way.name == store.volume)
            gone.add(self._dismount(store.name, store.at[site], way, off))
        for way in ways:
            gone |= self._unshare(way)
        return frozenset(gone)

    def _stop(self, vm: Vm, site: str) -> StepId:
        """Power a machine off and unregister it; one that is gone is done."""
        endpoint, exact = vm.at[site].endpoint, {"vm": vm.name, "datastore": vm.datastore}
        name, title = f"off[{vm.name}]", f"Power {vm.name} off at {site}"
        stop = self.add(name, title, CLEAR, "vsphere.vm.power_off", endpoint, exact)
        name, title = f"unregister[{vm.name}]", f"Unregister {vm.name} at {site}"
        return self.add(name, title, CLEAR, "vsphere.vm.unregister", endpoint, exact, frozenset({stop}))

    def _dismount(self, store: str, place: DatastoreAt, way: Way, off: frozenset[StepId]) -> StepId:
        path = place.path or way.volume.at[way.there].junction
        arguments: dict[str, JsonValue] = {
            "datastore": store,
            "cluster": place.cluster,
            "nfs_server": place.nfs_server if path else None,
            "path": path,
        }
        name, title = f"datastore[{store}]", f"Unmount {store} at {way.there}"
        return self.add(name, title, CLEAR, "vsphere.datastore.unmount", place.endpoint, arguments, off)

    def _unshare(self, way: Way) -> set[StepId]:
        place = way.volume.at[way.there]
        needs: frozenset[StepId] = frozenset()
        for alias in way.volume.cifs_aliases:
            arguments: dict[str, JsonValue] = {"svm": place.svm, "alias": alias, "present": False}
            title = f"Take {alias} away at {way.there}"
            needs |= {
                self.add(f"alias[{alias}]", title, CLEAR, "ontap.cifs.alias", place.endpoint, arguments)
            }
        if not way.volume.shares:
            return set(needs)
        arguments = {"svm": place.svm, "volume": place.volume}
        title = f"Close what is open on {way.overwritten}"
        return {
            self.add(
                f"sessions[{way.name}]",
                title,
                CLEAR,
                "ontap.cifs.sessions.close",
                place.endpoint,
                arguments,
                needs,
            )
        }

    def turn(
        self, way: Way, cleared: frozenset[StepId], parent: str, *, acknowledge: bool, full_baseline: bool
    ) -> None:
        """Add what lets the overwritten side follow, and the proof that it does."""
        kept = self._keep(way, cleared, parent)
        wish: dict[str, JsonValue] = {
            **(way.settings or {}),
            "source": way.authoritative,
            "destination": way.overwritten,
            "source_points": list(way.points) if way.points is not None else None,
            "acknowledge_loss": acknowledge,
            "full_baseline": full_baseline,
        }
        endpoint = way.volume.at[way.there].endpoint
        title = f"{way.authoritative} is authoritative; {way.overwritten} is overwritten and follows it"
        name = f"reverse[{way.name}]"
        turned = self.add(name, title, REVERSE, "ontap.snapmirror.reverse", endpoint, wish, frozenset({kept}))
        self._prove(way, turned)

    def _keep(self, way: Way, cleared: frozenset[StepId], parent: str) -> StepId:
        """Take the old copy out of use, and keep what it holds in a snapshot."""
        place = way.volume.at[way.there]
        where: dict[str, JsonValue] = {"svm": place.svm, "volume": place.volume}
        title = f"Take {way.overwritten} out of the namespace"
        name = f"unmount[{way.name}]"
        free = self.add(name, title, CLEAR, "ontap.volume.unmount", place.endpoint, where, cleared)
        named = {**where, "snapshot": f"drctl-before-reprotect-{parent}"}
        title = f"Keep what {way.overwritten} holds in a snapshot"
        name = f"snapshot[{way.name}]"
        return self.add(
            name, title, REVERSE, "ontap.snapshot.create", place.endpoint, named, frozenset({free})
        )

    def _prove(self, way: Way, turned: StepId) -> None:
        """Forget the former direction, look at the new one and at the third copy."""
        there, here = way.volume.at[way.there].endpoint, way.volume.at[way.here].endpoint
        old: dict[str, JsonValue] = {"destination": way.authoritative, "source": way.overwritten}
        title = f"Forget the former direction at {way.here}"
        name = f"forget[{way.name}]"
        done = frozenset(
            {self.add(name, title, REVERSE, "ontap.snapmirror.remove", here, old, frozenset({turned}))}
        )
        proof: dict[str, JsonValue] = {"source": way.authoritative, "destination": way.overwritten}
        title = f"{way.overwritten} follows {way.authoritative}"
        name = f"direction[{way.name}]"
        self.add(name, title, PROVE, "ontap.mirror.direction", there, proof, done, kind="probe")
        vault = way.volume.vault
        if vault is None or vault.site not in way.volume.at:
            return
        third = way.volume.at[vault.site]
        fed: list[JsonValue] = [way.authoritative, way.overwritten]
        asked: dict[str, JsonValue] = {"destination": f"{third.svm}:{third.volume}", "fed_by": fed}
        title = f"{third.svm}:{third.volume} gets what is written at {way.here}"
        name = f"vault[{way.name}]"
        self.add(name, title, PROVE, "ontap.mirror.stopped", third.endpoint, asked, done, kind="probe")
