"""Questions to a vCenter before the day: who answers, what is there, what would be missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, ClassVar, Self

from pydantic import Field as Limits
from pydantic import JsonValue

from drctl.core.action import ObjectRef, Recipe
from drctl.core.bubble import Bubble
from drctl.core.probe import BulkProbe, Finding, Level, Observation, Probe
from drctl.core.problem import ProviderError
from drctl.providers.vsphere import reads
from drctl.providers.vsphere.arguments import Cluster, DatastoreName
from drctl.providers.vsphere.client import Vsphere
from drctl.providers.vsphere.files import Files
from drctl.providers.vsphere.model import HostSeen


class HostsConnected(BulkProbe[Vsphere]):
    """Whether a cluster has hosts that can run VMs."""

    name: ClassVar[str] = "vsphere.hosts.connected"
    output_names: ClassVar[frozenset[str]] = frozenset({"hosts"})

    cluster: Cluster

    @classmethod
    def observe_many(cls, probes: Sequence[Self], client: Vsphere) -> list[Observation | ProviderError]:
        """Read every cluster's hosts."""
        clusters, hosts = reads.read_clusters(client), reads.read_hosts(client)
        return [reads.outcome(probe.pick, clusters, hosts) for probe in probes]

    def pick(self, clusters: list[reads.ClusterSeen], hosts: Mapping[str, HostSeen]) -> Observation:
        """Return what concerns this cluster."""
        cluster = reads.find_cluster(clusters, self.cluster)
        if cluster is None:
            return Observation({"clusters": [*sorted(one.name for one in clusters)]})
        seen = sorted((hosts[key] for key in cluster.hosts if key in hosts), key=lambda host: host.name)
        return Observation(
            {
                "hosts": {host.name: "usable" if host.usable else host.reason for host in seen},
                "drs": cluster.drs,
            }
        )

    def judge(self, seen: Observation) -> Finding:
        """No usable host blocks; some that are not are a warning."""
        if "hosts" not in seen.values:
            return no_cluster(self.cluster, seen)
        hosts = mapping(seen.values["hosts"])
        out = [f"{name}: {state}" for name, state in hosts.items() if state != "usable"]
        if len(out) == len(hosts):
            return Finding(
                Level.BLOCKER,
                f"no host of cluster {self.cluster} can run VMs",
                tuple(out),
                "Connect a host, or take one out of maintenance.",
                impossible=True,
            )
        if out:
            return Finding(
                Level.WARNING,
                f"{len(out)} of {len(hosts)} hosts of {self.cluster} cannot run VMs",
                tuple(out),
                "Check that the others have room for every VM of the plan.",
            )
        return Finding(Level.OK, f"all {len(hosts)} hosts of {self.cluster} can run VMs")

    def in_drill(self, bubble: Bubble) -> None:
        """Ask as it is: the copies run on the same hosts."""


class Accessible(BulkProbe[Vsphere]):
    """Whether a datastore is mounted and accessible on every connected host of a cluster."""

    name: ClassVar[str] = "vsphere.datastore.accessible"
    output_names: ClassVar[frozenset[str]] = frozenset({"hosts"})

    datastore: DatastoreName
    cluster: Cluster

    def needs_objects(self) -> frozenset[ObjectRef]:
        """Name the datastore."""
        return frozenset({ObjectRef("datastore", self.datastore)})

    @classmethod
    def observe_many(cls, probes: Sequence[Self], client: Vsphere) -> list[Observation | ProviderError]:
        """Read what each host has mounted."""
        clusters, hosts = reads.read_clusters(client), reads.read_hosts(client)
        stores = reads.read_datastores(client)
        return [reads.outcome(probe.pick, clusters, hosts, stores) for probe in probes]

    def pick(
        self,
        clusters: list[reads.ClusterSeen],
        seen: Mapping[str, HostSeen],
        stores: list[reads.DatastoreSeen],
    ) -> Observation:
        """Return what concerns this datastore."""
        cluster = reads.find_cluster(clusters, self.cluster)
        if cluster is None:
            return Observation({"clusters": [*sorted(one.name for one in clusters)]})
        near = [one for one in stores if one.center == cluster.center]
        store = reads.find_datastore(near, self.datastore)
        if store is None:
            return Observation({"exists": False, "hosts": {}})
        hosts: dict[str, JsonValue] = {}
        for mount in reads.host_mounts(cluster, seen, [store]):
            if mount.host.state != "connected":
                hosts[mount.host.name] = mount.host.state
            elif not mount.mounted:
                hosts[mount.host.name] = "not mounted"
            else:
                hosts[mount.host.name] = mount.mode if mount.accessible else "not accessible"
        return Observation({"exists": True, "hosts": hosts, "export": store.export})

    def judge(self, seen: Observation) -> Finding:
        """Nowhere accessible blocks; somewhere not is a warning."""
        if "clusters" in seen.values:
            return no_cluster(self.cluster, seen)
        if not seen.values.get("exists"):
            return Finding(
                Level.BLOCKER,
                f"there is no datastore {self.datastore}",
                hint="Mount it: vsphere.datastore.mount_nfs.",
                impossible=True,
            )
        hosts = mapping(seen.values["hosts"])
        good = [name for name, state in hosts.items() if state in ("readWrite", "readOnly")]
        out = [f"{name}: {state}" for name, state in hosts.items() if name not in good]
        if not good:
            return Finding(
                Level.BLOCKER,
                f"{self.datastore} is accessible from no host of {self.cluster}",
                tuple(out),
                f"Check that {seen.values.get('export')} is exported to these hosts.",
                impossible=True,
            )
        if out:
            return Finding(
                Level.WARNING,
                f"{self.datastore} is missing on {len(out)} of {len(hosts)} hosts of {self.cluster}",
                tuple(out),
                "VMs cannot start or move there.",
            )
        return Finding(
            Level.OK, f"{self.datastore} is accessible from all {len(hosts)} hosts of {self.cluster}"
        )

    def in_drill(self, bubble: Bubble) -> Recipe:
        """Ask for the drill's datastore."""
        return Recipe(self.name, {"datastore": bubble.datastore(self.datastore), "cluster": self.cluster})


class VmxPresent(BulkProbe[Vsphere]):
    """Whether a VM's configuration file is on a datastore."""

    name: ClassVar[str] = "vsphere.vmx.present"
    output_names: ClassVar[frozenset[str]] = frozenset({"present"})

    datastore: DatastoreName
    vmx: str = Limits(description="The file, from the datastore's root, e.g. `pacs-db01/pacs-db01.vmx`.")

    def needs_objects(self) -> frozenset[ObjectRef]:
        """Name the datastore."""
        return frozenset({ObjectRef("datastore", self.datastore)})

    @classmethod
    def observe_many(cls, probes: Sequence[Self], client: Vsphere) -> list[Observation | ProviderError]:
        """Look into their folders, or once through a datastore that should hold many."""
        stores = reads.read_datastores(client)
        files = Files(client, stores)
        files.prepare([probe.datastore for probe in probes])
        return [reads.outcome(probe.pick, stores, files) for probe in probes]

    def pick(self, stores: list[reads.DatastoreSeen], files: Files) -> Observation:
        """Return whether it is there."""
        store = reads.find_datastore(stores, self.datastore)
        if store is None or not store.accessible:
            return Observation(
                {"datastore": "missing" if store is None else "not accessible", "present": False}
            )
        return Observation({"datastore": "accessible", "present": files.has(self.datastore, self.vmx)})

    def judge(self, seen: Observation) -> Finding:
        """Without the file there is nothing to register."""
        path = f"[{self.datastore}] {self.vmx}"
        if seen.values.get("present"):
            return Finding(Level.OK, f"{path} is there")
        if seen.values.get("datastore") != "accessible":
            why = f"datastore {self.datastore} is {seen.values.get('datastore')}"
            return Finding(
                Level.BLOCKER, f"{path} cannot be seen: {why}", hint="Mount it first.", impossible=True
            )
        return Finding(
            Level.BLOCKER,
            f"{path} does not exist",
            hint="The VM may be younger than the recovery point, renamed, or moved to another datastore.",
            impossible=True,
        )

    def in_drill(self, bubble: Bubble) -> Recipe:
        """Look on the drill's datastore."""
        return Recipe(self.name, {"datastore": bubble.datastore(self.datastore), "vmx": self.vmx})


class InventoryComplete(Probe[Vsphere]):
    """Whether drctl's inventory names every VM and template of a datastore, and the reverse."""

    name: ClassVar[str] = "vsphere.inventory.complete"
    output_names: ClassVar[frozenset[str]] = frozenset(
        {"not_in_inventory", "not_on_datastore", "not_registered"}
    )

    datastore: DatastoreName
    vms: tuple[str, ...] = Limits(description="The machines that drctl's inventory puts on it.")

    def needs_objects(self) -> frozenset[ObjectRef]:
        """Name the datastore."""
        return frozenset({ObjectRef("datastore", self.datastore)})

    def observe(self, client: Vsphere) -> Observation:
        """Read the VMs registered on the datastore, and the .vmx files that are not."""
        store = reads.find_datastore(reads.read_datastores(client), self.datastore)
        if store is None:
            return Observation({"exists": False})
        rows = client.rows_of(
            "VirtualMachine",
            reads.vms_on(client, [store]).get(store.moref, ()),
            ["name", "summary.config.template", "summary.config.vmPathName"],
        )
        names = {row.text("name") for row in rows}
        used = {reads.split_path(row.text("summary.config.vmPathName"))[1] for row in rows}
        files = reads.find_all_files(client, store, "*.vm*x") if store.accessible else frozenset()
        lost = {path for path in files if path.endswith((".vmx", ".vmtx"))} - used
        return Observation(
            {
                "exists": True,
                "templates": [
                    *sorted(row.text("name") for row in rows if row.flag("summary.config.template"))
                ],
                "not_in_inventory": [*sorted(names - set(self.vms))],
                "not_on_datastore": [*sorted(set(self.vms) - names)],
                "not_registered": [*sorted(lost)],
            }
        )

    def judge(self, seen: Observation) -> Finding:
        """A VM that nobody would recover blocks; files that belong to no VM are a warning."""
        if not seen.values.get("exists"):
            return Finding(
                Level.BLOCKER,
                f"there is no datastore {self.datastore}",
                hint="Correct `datastore`, or mount it.",
                impossible=True,
            )
        details = tuple(self._details(seen.values))
        unknown, absent = texts(seen.values["not_in_inventory"]), texts(seen.values["not_on_datastore"])
        if unknown or absent:
            return Finding(
                Level.BLOCKER,
                f"the inventory and {self.datastore} differ in {len(unknown) + len(absent)} VMs",
                details,
                "Add what is missing to the inventory's services, or move it off the protected datastore.",
            )
        if details:
            return Finding(Level.WARNING, f"{self.datastore} holds VMs that are not registered", details)
        return Finding(Level.OK, f"the inventory names every VM of {self.datastore}")

    def in_drill(self, bubble: Bubble) -> Recipe:
        """Compare the drill's datastore with the copies."""
        vms: list[JsonValue] = [bubble.vm(one) for one in self.vms]
        return Recipe(self.name, {"datastore": bubble.datastore(self.datastore), "vms": vms})

    def _details(self, values: Mapping[str, JsonValue]) -> Iterator[str]:
        templates = set(texts(values.get("templates", [])))
        for name in texts(values["not_in_inventory"]):
            yield f"{'template' if name in templates else 'VM'} {name} is on it but not in the inventory"
        for name in texts(values["not_on_datastore"]):
            yield f"VM {name} is in the inventory but not on it"
        for path in texts(values["not_registered"]):
            yield f"{path} is registered nowhere in this vCenter"


class NetworksResolvable(BulkProbe[Vsphere]):
    """Whether each network named exists, once, in this vCenter."""

    name: ClassVar[str] = "vsphere.networks.resolvable"
    output_names: ClassVar[frozenset[str]] = frozenset({"missing", "ambiguous"})

    networks: Annotated[tuple[str, ...], Limits(min_length=1)] = Limits(
        description="Portgroups that must exist, by name."
    )

    @classmethod
    def observe_many(cls, probes: Sequence[Self], client: Vsphere) -> list[Observation | ProviderError]:
        """Read every network."""
        names = [network.name for network, _ in reads.read_networks(client).values()]
        return [probe.pick(names) for probe in probes]

    def pick(self, names: Sequence[str]) -> Observation:
        """Return what of these is missing or borne twice."""
        return Observation(
            {
                "missing": [*sorted(set(self.networks) - set(names))],
                "ambiguous": [*sorted({name for name in self.networks if names.count(name) > 1})],
                "present": [*sorted(set(names))],
            }
        )

    def judge(self, seen: Observation) -> Finding:
        """A network that does not exist blocks; a name borne twice is a warning."""
        missing, twice = texts(seen.values["missing"]), texts(seen.values["ambiguous"])
        if missing:
            return Finding(
                Level.BLOCKER,
                f"this vCenter has no network {', '.join(missing)}",
                (f"It has {', '.join(texts(seen.values['present'])) or 'none'}.",),
                "Correct `networks` of the VMs, or make the portgroup.",
                impossible=True,
            )
        if twice:
            return Finding(
                Level.WARNING,
                f"several networks are called {', '.join(twice)}",
                hint="The one on the VM's host is taken; rename the others if a host has two.",
            )
        return Finding(Level.OK, f"{', '.join(dict.fromkeys(self.networks))}: found")

    def in_drill(self, bubble: Bubble) -> Recipe:
        """Look for the isolated networks that stand for these."""
        isolated: list[JsonValue] = [*dict.fromkeys(bubble.network(one) for one in self.networks)]
        return Recipe(self.name, {"networks": isolated})


def no_cluster(name: str, seen: Observation) -> Finding:
    """Return the finding for a cluster that this vCenter does not have."""
    present = ", ".join(texts(seen.values.get("clusters", []))) or "none"
    return Finding(
        Level.BLOCKER,
        f"this vCenter has no cluster {name}",
        (f"It has {present}.",),
        "Correct `cluster` in the inventory.",
        impossible=True,
    )


def texts(value: JsonValue) -> Sequence[str]:
    """Return an observed list as texts."""
    return [str(one) for one in value] if isinstance(value, list) else []


def mapping(value: JsonValue) -> Mapping[str, JsonValue]:
    """Return an observed object, empty for anything else."""
    return value if isinstance(value, dict) else {}
