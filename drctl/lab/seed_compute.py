"""vCenters with hosts, networks and, at production, mounted datastores and running VMs."""

from __future__ import annotations

from ipaddress import ip_network

from drctl.lab.compute import find_datastore, mount_nfs, new_moref
from drctl.lab.hardware import build
from drctl.lab.model import Host, Network, VCenter
from drctl.lab.power import wake
from drctl.lab.seed_storage import portgroup_key, switch_uuid
from drctl.lab.storage import stable_uuid
from drctl.lab.survey import Node, Survey, VmFacts, isolated_names
from drctl.lab.world import World


def seed_vcenters(survey: Survey) -> dict[str, VCenter]:
    """One vCenter per endpoint of type vsphere, empty of VMs."""
    return {name: _vcenter(survey, name, node) for name, node in survey.of_type("vsphere")}


def _vcenter(survey: Survey, name: str, node: Node) -> VCenter:
    vcenter = VCenter(
        name,
        node["site"],
        stable_uuid("vcenter", name),
        node.get("username", "drctl"),
        survey.secret(node.get("password")),
    )
    for cluster, settings in _clusters(survey, name, node["site"]).items():
        vcenter.clusters[cluster] = bool(settings.get("drs", True))
        for host, address in (settings.get("hosts") or {}).items():
            moref = new_moref(vcenter, "host")
            vcenter.hosts[moref] = Host(moref, host, cluster, address)
            vcenter.hosts[moref].nfs_volumes = int(settings.get("nfs_volumes", Host.nfs_volumes))
    for vm in survey.vms():
        for place in vm.at.values():
            if place.get("endpoint") == name:
                vcenter.folders.add(place.get("folder") or "vm")
                for network in (place.get("networks") or {}).values():
                    _network(survey, vcenter, network, place)
    if bubble := survey.bubbles.get(vcenter.site):
        vcenter.folders.add(bubble.get("folder") or "vm")
        for network in dict.fromkeys(isolated_names(bubble)):
            moref = new_moref(vcenter, "network")
            vcenter.networks[moref] = Network(moref, network, "standard", "0.0.0.0/0", isolated=True)
    return vcenter


def _clusters(survey: Survey, endpoint: str, site: str) -> dict[str, Node]:
    """The clusters the lab section tells, or those that datastores name, with hosts at the exports' clients."""
    told = (survey.lab.get("clusters") or {}).get(endpoint)
    if told:
        return dict(told)
    places = [
        d["at"][site]
        for _, d in survey.datastores()
        if d.get("at", {}).get(site, {}).get("endpoint") == endpoint
    ]
    clients = survey.clients(site)
    hosts = {f"esx{i}.{site}": address for i, address in enumerate(clients, 1)}
    names = dict.fromkeys(place["cluster"] for place in places if place.get("cluster"))
    return {name: {"drs": True, "hosts": hosts} for name in names}


def _network(survey: Survey, vcenter: VCenter, name: str, place: Node) -> None:
    if any(network.name == name for network in vcenter.networks.values()):
        return
    told = (survey.lab.get("networks") or {}).get(name) or {}
    guess = (
        str(ip_network(f"{place['ip']}/{place.get('prefix', 24)}", strict=False))
        if place.get("ip")
        else "0.0.0.0/0"
    )
    subnet = told.get("subnet") or guess
    if told.get("kind") == "distributed":
        key = portgroup_key(vcenter.endpoint, name)
        vcenter.networks[key] = Network(key, name, "distributed", subnet, switch_uuid(vcenter.endpoint), key)
    else:
        moref = new_moref(vcenter, "network")
        vcenter.networks[moref] = Network(moref, name, "standard", subnet)


def furnish(world: World, survey: Survey) -> None:
    """Mount production's datastores, register its VMs and let them run as they have for long."""
    site = survey.production
    with world.lock:
        for _, datastore in survey.datastores():
            place = (datastore.get("at") or {}).get(site)
            vcenter = world.estate.vcenters.get(place["endpoint"]) if place else None
            if place is None or vcenter is None:
                continue
            for host in vcenter.hosts.values():
                if host.cluster == place.get("cluster", host.cluster):
                    path = survey.path(datastore, site)
                    mount_nfs(world, vcenter, host, datastore["name"], place["nfs_server"], path)
        for vm in survey.vms():
            _run(world, survey, vm)
        world.touch()


def _run(world: World, survey: Survey, facts: VmFacts) -> None:
    place = facts.at.get(survey.production) or {}
    vcenter = world.estate.vcenters.get(place.get("endpoint", ""))
    name = facts.node.get("datastore", "")
    if vcenter is None or find_datastore(vcenter, name) is None:
        return
    file = facts.file
    pool = place.get("pool") or next(iter(vcenter.clusters))
    home = next(h for h in vcenter.hosts.values() if not vcenter.clusters.get(pool) or h.cluster == pool)
    chosen = None if vcenter.clusters.get(pool) else home.moref
    folder = place.get("folder") or "vm"
    vm = build(world, vcenter, f"[{name}] {file}", name=facts.name, folder=folder, pool=pool, host=chosen)
    vm.power, vm.boots = "poweredOn", 1
    vcenter.vms[vm.moref] = vm
    wake(world, vcenter, vm)
