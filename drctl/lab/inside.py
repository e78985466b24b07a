"""Inside a bubble: which copies run on its isolated networks, and which services answer there."""

from __future__ import annotations

from collections.abc import Iterator

from drctl.lab.apps import ServiceState
from drctl.lab.compute import backing_volume
from drctl.lab.model import Application, VCenter, Vm, Volume
from drctl.lab.reach import View, is_isolated
from drctl.lab.world import World
from drctl.lab.writes import data_of


def copies(world: World, site: str) -> Iterator[tuple[VCenter, Vm, str]]:
    """Each VM that is on a site's isolated networks only, with the name of the VM it is a copy of."""
    for vcenter in world.estate.vcenters.values():
        if vcenter.site == site:
            for vm in vcenter.vms.values():
                original = world.estate.vm_files.get(vm.vmx.partition("] ")[2])
                if original and is_isolated(vcenter, vm):
                    yield vcenter, vm, original


def service_at(world: World, site: str, address: str, port: int) -> tuple[Application, str] | None:
    """The service that listens on an address inside and the kind of its port (http, tcp); None when nobody does.

    A guest that runs has its own address; a service without VMs has the one that the bubble's
    ``addresses`` give it: an isolated copy that is part of the bubble's furnishing.
    """
    with world.lock:
        view = View(world)
        guests = {
            original
            for vcenter, vm, original in copies(world, site)
            if vm.guest_ip == address and not view.trouble(vcenter, vm)
        }
        for application in world.estate.applications.values():
            kind = _kind(application, port)
            if kind is None:
                continue
            here = guests & set(application.vms) or address in _furnished(world, application, site)
            if here and (kind == "http" or state_inside(world, application.service, site).ok):
                return application, kind
        return None


def _kind(application: Application, port: int) -> str | None:
    doors = (door for each in application.addresses.values() for door in each)
    return next((kind for _address, own, kind in doors if own == port), None)


def _furnished(world: World, application: Application, site: str) -> set[str]:
    """Where a service without VMs answers inside."""
    bubble = world.estate.bubbles.get(site)
    if application.vms or bubble is None:
        return set()
    hosts = {address for each in application.addresses.values() for address, _port, _kind in each}
    return {bubble.addresses[host] for host in (*hosts, *application.names) if host in bubble.addresses}


def state_inside(world: World, service: str, site: str) -> ServiceState:
    """Whether a service works inside: each of its VMs has a copy that runs, and so for what it needs.

    Shares are no part of it: the array's CIFS server stays outside, and the applications start without.
    """
    with world.lock:
        view = View(world)
        reason = _why_not(world, view, service, site, frozenset())
        if not reason and world.faults.active("app-degraded", service):
            return ServiceState(False, f"{service} is degraded", degraded=True)
        stands = [
            stand
            for volume in _volumes(world, service, site)
            if (stand := data_of(world, volume).get(service))
        ]
        return ServiceState(not reason, reason, min(stands, default=None))


def _why_not(world: World, view: View, service: str, site: str, above: frozenset[str]) -> str:
    application = world.estate.applications[service]
    if not application.vms and not _furnished(world, application, site):
        return f"{service} has no copy in the bubble of {site}"
    for name in application.vms:
        found = [(vcenter, vm) for vcenter, vm, original in copies(world, site) if original == name]
        reasons = [view.trouble(vcenter, vm) for vcenter, vm in found]
        if all(reasons):
            return reasons[0] if reasons else f"{name} has no copy in the bubble of {site}"
    for needed in application.depends_on:
        if needed not in above and (reason := _why_not(world, view, needed, site, above | {service})):
            return f"{needed}: {reason}"
    return ""


def _volumes(world: World, service: str, site: str) -> Iterator[Volume]:
    own = set(world.estate.applications[service].vms)
    for vcenter, vm, original in copies(world, site):
        datastore = vcenter.datastores.get(vm.datastore)
        if original in own and datastore and (volume := backing_volume(world, datastore)):
            yield volume
