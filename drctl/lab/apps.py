"""Whether a service works at a site, and whether its users reach it there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from drctl.lab import names, nas
from drctl.lab.model import Application, Cluster, Svm, Volume
from drctl.lab.reach import View
from drctl.lab.storage import live_volumes
from drctl.lab.world import World
from drctl.lab.writes import data_of


@dataclass(frozen=True)
class ServiceState:
    """``ok``, the reason when not, and how old the data served is."""

    ok: bool
    reason: str = ""
    data_at: datetime | None = None
    """The last write that the service's volumes at this site hold, the oldest of them."""
    degraded: bool = False


def service_state(world: World, service: str, site: str) -> ServiceState:
    """Whether a service works at a site: VMs up in the right subnet, shares, dependencies, directory."""
    with world.lock:
        reason = _why_not(world, View(world), service, site, frozenset())
        return ServiceState(not reason, reason, data_at(world, service, site))


def answers(world: World, service: str, site: str) -> ServiceState:
    """What a user who connects to the service's address at ``site`` gets; DNS must point there."""
    with world.lock:
        state = service_state(world, service, site)
        application = world.estate.applications[service]
        if not state.ok:
            return state
        mine = {address for address, _port, _kind in application.addresses.get(site, [])}
        for name in application.names:
            if not mine & set(names.lookup(world, name)):
                return ServiceState(False, f"{name} does not point to {site}", state.data_at)
        if world.faults.active("app-degraded", service):
            return ServiceState(False, f"{service} is degraded", state.data_at, degraded=True)
        return state


def directory_alive(world: World) -> bool:
    """Whether a directory controller answers somewhere."""
    with world.lock:
        return any(
            machine.role == "directory" and world.site(machine.site).alive
            for machine in world.estate.machines.values()
        )


def data_at(world: World, service: str, site: str) -> datetime | None:
    """The oldest of the last writes that the service's volumes at a site hold."""
    application = world.estate.applications[service]
    stands = [
        data_of(world, volume).get(service)
        for name in application.volumes
        for volume in _copies(world, site, name)
    ]
    return min((stand for stand in stands if stand is not None), default=None)


def _volumes(world: World, site: str) -> Iterator[Volume]:
    for cluster in world.estate.clusters.values():
        if cluster.site == site:
            yield from live_volumes(cluster)


def _copies(world: World, site: str, origin: str) -> list[Volume]:
    """The copies of a volume that a site serves or would serve; a drill's clones are neither."""
    bubble = world.estate.bubbles.get(site)
    copies = [volume for volume in _volumes(world, site) if volume.origin == origin]
    serving = [
        v for v in copies if v.junction and not (bubble and v.junction.startswith(bubble.junction_prefix))
    ]
    return serving or [volume for volume in copies if volume.clone_parent is None]


# --- why a service does not work ------------------------------------------------------------------


def _why_not(world: World, view: View, service: str, site: str, above: frozenset[str]) -> str:
    application = world.estate.applications[service]
    if not world.site(site).alive:
        return f"{site} is down"
    if not application.vms:
        present = not application.addresses or site in application.addresses
        return "" if present else f"{service} has no place at {site}"
    for name in application.vms:
        if reason := _vm_trouble(world, view, application, name, site):
            return reason
    for needed in application.depends_on:
        if needed not in above and (reason := _dependency(world, view, needed, site, above | {service})):
            return f"{needed}: {reason}"
    return ""


def _dependency(world: World, view: View, needed: str, site: str, above: frozenset[str]) -> str:
    """A dependency may work at this site or at any site linked with it."""
    others = [other for other in world.estate.sites if other != site and world.linked(site, other)]
    first = ""
    for place in (site, *others):
        reason = _why_not(world, view, needed, place, above)
        if not reason:
            return ""
        first = first or reason
    return first


def _vm_trouble(world: World, view: View, application: Application, name: str, site: str) -> str:
    found = [(vcenter, vm) for vcenter, vm in view.named(name) if vcenter.site == site]
    if not found:
        return f"{name} is not registered at {site}"
    reasons = [view.trouble(vcenter, vm) for vcenter, vm in found]
    if all(reasons):
        return reasons[0]
    if any(vm.windows for _, vm in found):
        for alias, share in application.shares:
            if reason := share_trouble(world, site, alias, share):
                return f"{name} cannot open \\\\{alias}\\{share}: {reason}"
    return ""


def share_trouble(world: World, site: str, alias: str, share: str) -> str:
    r"""Why ``\\alias\share`` cannot be opened from a site; empty when it can.

    The name must lead to a LIF, the CIFS server must know it as its own, the directory must hold the
    service principal name under that server's account, and the path must lead to a writable volume.
    """
    served = _serving(world, site, alias)
    if isinstance(served, str):
        return served
    cluster, svm = served
    if not svm.cifs_server or not svm.cifs_enabled:
        return f"{svm.name} has no CIFS server in service"
    if alias.upper() not in {svm.cifs_server, *svm.aliases}:
        return f"{svm.cifs_server} does not know the name {alias}"
    holder = world.estate.spns.get(f"cifs/{alias.lower()}", "")
    if holder.rpartition("\\")[2].removesuffix("$").upper() != svm.cifs_server:
        return f"the service principal name cifs/{alias} belongs to {holder or 'nobody'}, not to {svm.cifs_server}"
    if not directory_alive(world) and any(m.role == "directory" for m in world.estate.machines.values()):
        return "no directory controller answers"
    found = nas.share_of(cluster, svm, share)
    if found is None:
        return f"{svm.name} has no share {share}"
    volume = found[1]
    if volume is None or not volume.initialized:
        return f"the path {found[0].path} of share {share} leads nowhere"
    if volume.type != "rw" or volume.read_only:
        return f"volume {volume.name} is read-only"
    return ""


def _serving(world: World, site: str, alias: str) -> tuple[Cluster, Svm] | str:
    """The SVM behind an alias as clients at ``site`` resolve it."""
    zones = [zone.name for service in world.estate.dns.values() for zone in service.zones.values()]
    addresses = [a for zone in zones for a in names.lookup(world, f"{alias}.{zone}")]
    if not addresses:
        return f"the name {alias} does not resolve"
    found = nas.svm_at(world, addresses[0])
    if found is None or not world.linked(site, found[0].site):
        return f"nothing answers at {addresses[0]}"
    return found
