"""What `drctl lab status` shows: the world as it matters, what was changed, who was talked to.

Two states around a command that changed nothing are equal: clocks, running jobs, snapshot times and
the loopback block are left out, so that the worlds of two labs can be compared as well.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import Any

from drctl.lab import apps
from drctl.lab.model import Cluster, DnsService, Mirror, VCenter, Volume
from drctl.lab.storage import live_volumes
from drctl.lab.world import World
from drctl.lab.writes import data_of

_STAMP = re.compile(r"\d{4}-\d\d-\d\d_\d{4,6}")


def status(world: World, block: int, *, live: bool = False) -> dict[str, Any]:
    """World, mutations and connections; ``live`` adds ages of data and transfers under way."""
    with world.lock:
        estate = world.estate
        shown: dict[str, Any] = {
            "sites": {
                s.name: {"alive": s.alive, "partitioned_from": sorted(s.partitioned_from)}
                for s in estate.sites.values()
            },
            "clusters": {name: _cluster(cluster) for name, cluster in estate.clusters.items()},
            "vcenters": {name: _vcenter(vcenter) for name, vcenter in estate.vcenters.items()},
            "dns": {name: _dns(service) for name, service in estate.dns.items()},
            "machines": {
                name: {"files": dict(m.files), "serving": m.serving} for name, m in estate.machines.items()
            },
            "services": _services(world),
            "spns": dict(estate.spns),
            "faults": world.faults.listing(),
        }
        text = json.dumps(shown, sort_keys=True).replace(f"127.{block}.", "127.x.")
        answer: dict[str, Any] = {
            "world": json.loads(text),
            "mutations": [asdict(m) | {"at": m.at.isoformat()} for m in estate.mutations],
            "connections": dict(sorted(estate.connections.items())),
        }
        if live:
            answer["live"] = _live(world)
        return answer


def _cluster(cluster: Cluster) -> dict[str, Any]:
    return {
        "svms": {
            svm.name: {
                "state": svm.state,
                "cifs_server": svm.cifs_server,
                "cifs_enabled": svm.cifs_enabled,
                "aliases": sorted(svm.aliases),
                "shares": {s.name: {"path": s.path, "acl": dict(s.acl)} for s in svm.shares.values()},
                "lifs": {
                    lif.name: {"address": lif.address, "enabled": lif.enabled} for lif in svm.lifs.values()
                },
                "policies": {
                    p.name: [asdict(rule) for rule in sorted(p.rules, key=lambda r: r.index)]
                    for p in svm.policies.values()
                },
            }
            for svm in cluster.svms.values()
        },
        "volumes": {f"{v.svm}:{v.name}": _volume(v) for v in live_volumes(cluster)},
        "recovery_queue": sorted(v.name for v in cluster.volumes.values() if v.deleted),
        "mirrors": {m.destination: _mirror(m) for m in cluster.mirrors.values()},
    }


def _volume(volume: Volume) -> dict[str, Any]:
    names: dict[str, int] = {}
    for snapshot in volume.snapshots:
        name = _STAMP.sub("<time>", snapshot.name)
        names[name] = names.get(name, 0) + 1
    return {
        "type": volume.type,
        "state": volume.state,
        "junction": volume.junction,
        "export_policy": volume.export_policy,
        "comment": volume.comment,
        "snapshot_policy": volume.snapshot_policy,
        "initialized": volume.initialized,
        "clone_of": volume.clone_parent and _STAMP.sub("<time>", volume.clone_parent[1]),
        "snapshots": names,
        "files": dict(volume.files),
    }


def _mirror(mirror: Mirror) -> dict[str, Any]:
    return {
        "source": f"{mirror.source_cluster}/{mirror.source}",
        "state": mirror.state,
        "policy": mirror.policy,
        "schedule": mirror.schedule,
        "throttle": mirror.throttle,
    }


def _vcenter(vcenter: VCenter) -> dict[str, Any]:
    networks = {moref: network.name for moref, network in vcenter.networks.items()}
    return {
        "hosts": {
            h.name: {
                "connected": h.connected,
                "maintenance": h.maintenance,
                "mounts": {vcenter.datastores[m].name: ("ro" if ro else "rw") for m, ro in h.mounts.items()},
            }
            for h in vcenter.hosts.values()
        },
        "datastores": {d.name: f"{d.server}:{d.path}" for d in vcenter.datastores.values()},
        "folders": sorted(vcenter.folders),
        "vms": {
            vm.name: {
                "vmx": vm.vmx,
                "folder": vm.folder,
                "pool": vm.pool,
                "uuid": vm.uuid,
                "power": vm.power,
                "booted": vm.booted,
                "guest_ip": vm.guest_ip,
                "question": vm.question,
                "template": vm.template,
                "annotation": vm.annotation,
                "disks": {str(key): path for key, path in vm.disks.items()},
                "cdrom": vm.cdrom,
                "extra": dict(vm.extra),
                "nics": {
                    n.label: {
                        "network": networks.get(n.network or ""),
                        "mac": n.mac,
                        "connected": n.connected,
                    }
                    for n in vm.nics
                },
            }
            for vm in vcenter.vms.values()
        },
    }


def _dns(service: DnsService) -> dict[str, Any]:
    def zones(copy: dict[str, Any]) -> dict[str, Any]:
        return {
            name: {
                f"{owner} {rdtype}": [ttl, *values] for (owner, rdtype), (ttl, values) in zone.records.items()
            }
            for name, zone in copy.items()
        }

    return {
        "primary": zones(service.zones),
        **{address: zones(copy) for address, copy in service.copies.items()},
    }


def _services(world: World) -> dict[str, Any]:
    """Service to the sites at which its users get an answer."""
    return {
        service: {
            site: (state.ok and "answers") or state.reason
            for site in world.estate.sites
            if site in application.addresses
            for state in (apps.answers(world, service, site),)
        }
        for service, application in world.estate.applications.items()
    }


def _live(world: World) -> dict[str, Any]:
    transfers = {
        m.destination: m.transfers[-1].state
        for c in world.estate.clusters.values()
        for m in c.mirrors.values()
        if m.transfers
    }
    ages = {
        f"{c.endpoint}/{v.svm}:{v.name}": {s: at.isoformat() for s, at in data_of(world, v).items()}
        for c in world.estate.clusters.values()
        for v in live_volumes(c)
        if v.data_at
    }
    return {"now": world.now().isoformat(), "transfers": transfers, "data_at": ages}
