"""An estate from an inventory: everything at production runs, everything else stands by."""

from __future__ import annotations

from urllib.parse import urlsplit

from drctl.lab.commands import ACTIVE_SITE
from drctl.lab.model import Application, Bubble, DnsService, Estate, Machine, Site, Zone
from drctl.lab.seed_compute import furnish, seed_vcenters
from drctl.lab.seed_storage import seed_clusters
from drctl.lab.survey import Node, Survey

__all__ = ["build_estate", "furnish"]


def build_estate(survey: Survey) -> Estate:
    """Everything but what needs a world's rules: see ``furnish``."""
    estate = Estate(
        sites={name: Site(name, (node or {}).get("title", name)) for name, node in survey.sites.items()},
        clusters=seed_clusters(survey),
        vcenters=seed_vcenters(survey),
        dns={name: _dns(survey, name, node) for name, node in survey.of_type("dns")},
        machines={name: _machine(survey, name, node) for name, node in survey.of_type("ssh")},
        applications={name: _application(survey, name, node or {}) for name, node in survey.services.items()},
        bubbles={site: _bubble(site, node) for site, node in survey.bubbles.items()},
        vm_files={vm.file: vm.name for vm in survey.vms()},
        production=survey.production,
        connections=dict.fromkeys(survey.sites, 0),
    )
    guest = survey.lab.get("guest")
    if guest:
        estate.guest_login = (guest["username"], survey.secret(guest.get("password")))
    for cluster in estate.clusters.values():
        for svm in cluster.svms.values():
            if svm.cifs_server:
                for alias in (svm.cifs_server, *svm.aliases):
                    estate.spns[f"cifs/{alias.lower()}"] = svm.cifs_server
    return estate


# --- names ----------------------------------------------------------------------------------------


def _dns(survey: Survey, name: str, node: Node) -> DnsService:
    tsig = node.get("tsig") or {}
    secondaries = list(node.get("secondaries") or [])
    service = DnsService(
        name,
        node["site"],
        node["server"],
        secondaries,
        tsig.get("name", "drctl."),
        tsig.get("algorithm", "hmac-sha256"),
        survey.secret(tsig.get("secret")),
    )
    for _, record in survey.records():
        if record.get("endpoint", name) == name:
            _record(survey, service, record)
    for address in secondaries:
        service.sites[address] = survey.site_of(address.partition(":")[0])
        service.copies[address] = {
            origin: Zone(zone.name, zone.serial, dict(zone.records), zone.minimum)
            for origin, zone in service.zones.items()
        }
    return service


def _record(survey: Survey, service: DnsService, record: Node) -> None:
    origin = record["zone"].lower().rstrip(".") + "."
    zone = service.zones.get(origin)
    if zone is None:
        servers = [service.primary, *(each.partition(":")[0] for each in service.secondaries)]
        labels = [f"ns{number}" for number in range(1, len(servers) + 1)]
        zone = service.zones[origin] = Zone(origin, 2026010101, {})
        zone.records["@", "NS"] = (3600, [f"{label}.{origin}" for label in labels])
        for label, address in zip(labels, servers, strict=True):
            zone.records[label, "A"] = (3600, [address])
    values = (record.get("at") or {}).get(survey.production)
    if values:
        key = (record["name"].lower(), record.get("type", "A").upper())
        zone.records[key] = (int(record.get("ttl", 60)), [str(value) for value in values])


def _bubble(site: str, node: Node) -> Bubble:
    return Bubble(
        site,
        str(node.get("junction_prefix") or "/drill_"),
        {str(host): str(address) for host, address in (node.get("addresses") or {}).items()},
    )


# --- machines and services ------------------------------------------------------------------------


def _machine(survey: Survey, name: str, node: Node) -> Machine:
    role = str((survey.lab.get("ssh") or {}).get(name, "plain"))
    if role != "edge":
        return Machine(name, node["site"], role, node["host"])
    active = {ACTIVE_SITE: f"{survey.production}\n"}
    return Machine(name, node["site"], role, node["host"], active, serving=survey.production)


def _application(survey: Survey, name: str, node: Node) -> Application:
    volumes = [v for v in survey.volumes() if v.service == name]
    application = Application(
        name,
        list(node.get("depends_on") or []),
        [v.name for v in volumes],
        [vm["name"] for vm in node.get("vms") or []],
        shares=[(a, share["name"]) for v in volumes for a in v.aliases()[:1] for share in v.shares()],
    )
    for check in node.get("checks") or []:
        _door(survey, application, check.get("uses"), check.get("with") or {})
    return application


def _door(survey: Survey, application: Application, uses: str | None, options: Node) -> None:
    """What a check connects to is where the service answers: per site, by the records of its name."""
    if uses == "check.http":
        parts = urlsplit(options["url"])
        host, port, kind = parts.hostname or "", parts.port or 443, "http"
    elif uses == "check.tcp":
        host, port, kind = str(options["host"]), int(options["port"]), "tcp"
    else:
        return
    for site, address in _places(survey, host):
        doors = application.addresses.setdefault(site, [])
        if all((address, port) != door[:2] for door in doors):
            doors.append((address, port, kind))
    if not host.replace(".", "").isdigit() and host not in application.names:
        application.names.append(host)


def _places(survey: Survey, host: str) -> list[tuple[str, str]]:
    if host.replace(".", "").isdigit():
        return [(survey.site_of(host), host)]
    wanted = host.lower().rstrip(".")
    return [
        (site, value)
        for _, record in survey.records()
        if f"{record['name']}.{record['zone']}".lower().rstrip(".") == wanted
        for site, values in (record.get("at") or {}).items()
        for value in values
    ]
