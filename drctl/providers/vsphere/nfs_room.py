"""Whether hosts may mount what a runbook will mount: ESXi counts its NFS datastores and refuses one too many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Final, Self

from pydantic import Field as Limits
from pydantic import JsonValue

from drctl.core.action import Recipe
from drctl.core.bubble import Bubble
from drctl.core.probe import BulkProbe, Finding, Level, Observation
from drctl.core.problem import ProviderError
from drctl.providers.vsphere import reads
from drctl.providers.vsphere.arguments import Cluster
from drctl.providers.vsphere.client import Vsphere
from drctl.providers.vsphere.model import NFS3, HostSeen
from drctl.providers.vsphere.probes import mapping, no_cluster, texts

SETTING: Final = "NFS.MaxVolumes"
"""The advanced setting of ESXi that bounds its mounts of NFS version 3."""


class NfsRoom(BulkProbe[Vsphere]):
    """Whether every host of a cluster may mount all NFS datastores that the runbook will mount.

    An ESXi host mounts as many NFS version 3 datastores as its advanced setting `NFS.MaxVolumes` says, and
    refuses the next one: at the standby this is found out in the middle of a failover. Counted are those that
    a host has mounted, and those of `datastores` that it has not. In a drill the copies come on top of what
    is mounted, so that a full drill may need more than a failover.
    """

    name: ClassVar[str] = "vsphere.hosts.nfs_room"
    output_names: ClassVar[frozenset[str]] = frozenset({"hosts"})

    cluster: Cluster
    datastores: Annotated[tuple[str, ...], Limits(min_length=1)] = Limits(
        description="Names of the NFS datastores that will be mounted on this cluster's hosts."
    )

    @classmethod
    def observe_many(cls, probes: Sequence[Self], client: Vsphere) -> list[Observation | ProviderError]:
        """Read every host's mounts, and the setting of the hosts in question."""
        clusters, hosts = reads.read_clusters(client), reads.read_hosts(client)
        stores = reads.read_datastores(client)
        named = {probe.cluster for probe in probes}
        asked = {key for one in clusters if one.name in named for key in _connected(one, hosts)}
        limits = reads.read_setting(client, asked, SETTING)
        return [reads.outcome(probe.pick, clusters, hosts, stores, limits) for probe in probes]

    def pick(
        self,
        clusters: list[reads.ClusterSeen],
        hosts: Mapping[str, HostSeen],
        stores: list[reads.DatastoreSeen],
        limits: Mapping[str, int],
    ) -> Observation:
        """Return what concerns this cluster's hosts."""
        cluster = reads.find_cluster(clusters, self.cluster)
        if cluster is None:
            return Observation({"clusters": [*sorted(one.name for one in clusters)]})
        near = [one for one in stores if one.center == cluster.center]
        found: dict[str, JsonValue] = {}
        for key in sorted(_connected(cluster, hosts), key=lambda one: hosts[one].name):
            mounted = [one for one in near if key in one.mounts]
            found[hosts[key].name] = {
                "limit": limits.get(key),
                "mounted": sum(bool(one.server) and one.version == NFS3 for one in mounted),
                "to_come": [*sorted(set(self.datastores) - {one.name for one in mounted})],
                "maintenance": hosts[key].maintenance,
            }
        return Observation({"hosts": found})

    def judge(self, seen: Observation) -> Finding:
        """Too little room on a host that will mount blocks; what cannot be known is a warning."""
        if "hosts" not in seen.values:
            return no_cluster(self.cluster, seen)
        hosts = {name: mapping(host) for name, host in mapping(seen.values["hosts"]).items()}
        full = [name for name, host in hosts.items() if _short(host)]
        mounting = [name for name in full if not hosts[name].get("maintenance")]
        details = tuple(_detail(name, hosts[name]) for name in full)
        hint = (
            f"Raise {SETTING} on them (256 is the most; Net.TcpipHeapSize and Net.TcpipHeapMax grow with it), "
            "or unmount what nobody needs."
        )
        if mounting:
            summary = (
                f"{_share(mounting, hosts)} of {self.cluster} cannot mount all NFS datastores of the plan"
            )
            return Finding(Level.BLOCKER, summary, details, hint, impossible=True)
        if full:
            summary = (
                f"{_share(full, hosts)} of {self.cluster} will lack room for NFS once out of maintenance"
            )
            return Finding(Level.WARNING, summary, details, hint)
        return self._rest(hosts)

    def _rest(self, hosts: Mapping[str, Mapping[str, JsonValue]]) -> Finding:
        unknown = tuple(name for name, host in hosts.items() if host.get("limit") is None)
        if unknown:
            return Finding(
                Level.WARNING,
                f"{_share(unknown, hosts)} of {self.cluster} did not say how many NFS datastores it mounts",
                unknown,
                f"Look at the advanced setting {SETTING} by hand; drctl's role needs to read host settings.",
            )
        if not hosts:
            return Finding(
                Level.WARNING,
                f"no host of {self.cluster} is connected: whether it has room for NFS is not known",
                hint="Connect a host.",
            )
        return Finding(Level.OK, f"all {len(hosts)} hosts of {self.cluster} have room for the NFS datastores")

    def in_drill(self, bubble: Bubble) -> Recipe:
        """Ask for the copies' datastores, which come on top of what is mounted."""
        copies: list[JsonValue] = [*dict.fromkeys(bubble.datastore(one) for one in self.datastores)]
        return Recipe(self.name, {"cluster": self.cluster, "datastores": copies})


def _connected(cluster: reads.ClusterSeen, hosts: Mapping[str, HostSeen]) -> list[str]:
    return [key for key in cluster.hosts if key in hosts and hosts[key].state == "connected"]


def _short(host: Mapping[str, JsonValue]) -> bool:
    """Say whether a host has something to mount and too little room for it."""
    limit, mounted, coming = host.get("limit"), host.get("mounted"), texts(host.get("to_come", []))
    return (
        isinstance(limit, int) and isinstance(mounted, int) and bool(coming) and mounted + len(coming) > limit
    )


def _detail(name: str, host: Mapping[str, JsonValue]) -> str:
    coming = ", ".join(texts(host.get("to_come", [])))
    return f"{name}: {host.get('mounted')} NFS datastores mounted, {coming} to come, {SETTING} is {host.get('limit')}"


def _share(some: Sequence[str], hosts: Mapping[str, object]) -> str:
    return f"{len(some)} of {len(hosts)} hosts"
