"""Datastores leave: unmounted from every connected host, and only when nothing lies on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field as Limits
from pydantic import JsonValue

from drctl.core.action import (
    Action,
    Change,
    Control,
    Field,
    Missing,
    NotExercised,
    ObjectRef,
    Recipe,
    Reversibility,
)
from drctl.core.bubble import Bubble
from drctl.core.problem import ProviderError
from drctl.providers.vsphere import reads
from drctl.providers.vsphere.arguments import Cluster, DatastoreName
from drctl.providers.vsphere.client import Vsphere
from drctl.providers.vsphere.datastore import need_cluster, remove, word
from drctl.providers.vsphere.model import UnmountState


class Unmount(Action[Vsphere, UnmountState]):
    """Unmount a datastore from every connected host of a cluster; refused while VMs lie on it.

    With ``nfs_server`` and ``path`` the datastore meant is the one of that export, whatever its name is
    by now; another one that has taken the name is left alone.
    """

    name: ClassVar[str] = "vsphere.datastore.unmount"
    reversibility: ClassVar[Reversibility] = Reversibility.REVERSIBLE
    state: ClassVar[type] = UnmountState
    output_names: ClassVar[frozenset[str]] = frozenset({"still_mounted_hosts"})

    datastore: DatastoreName
    cluster: Cluster
    nfs_server: str | None = Limits(
        None, description="Only the datastore mounted from this address; comes with `path`."
    )
    path: Annotated[str, Limits(pattern="^/")] | None = Limits(
        None, description="Only the datastore of this export; comes with `nfs_server`."
    )

    def touches(self) -> frozenset[ObjectRef]:
        """Name the datastore."""
        return frozenset({ObjectRef("datastore", self.datastore)})

    def read(self, client: Vsphere) -> UnmountState:
        """Read who has it mounted and which VMs lie on it."""
        return reads.only(self.read_many([self], client))

    @classmethod
    def read_many(cls, actions: Sequence[Self], client: Vsphere) -> list[UnmountState | ProviderError]:
        """Read clusters, hosts and datastores once for all."""
        clusters, hosts = reads.read_clusters(client), reads.read_hosts(client)
        datastores = reads.read_datastores(client)
        lying = reads.vms_on(client, [one for one in datastores if any(a.means(one) for a in actions)])
        keys = {vm for vms in lying.values() for vm in vms}
        names = {row.id: row.text("name") for row in client.rows_of("VirtualMachine", keys, ["name"])}
        named = {store: tuple(sorted(names.get(vm, vm) for vm in vms)) for store, vms in lying.items()}
        return [reads.outcome(one.compose, clusters, hosts, datastores, named) for one in actions]

    def means(self, one: reads.DatastoreSeen) -> bool:
        """Say whether a datastore is the one to unmount: by its export where that is given, else by name."""
        if self.nfs_server and self.path:
            return reads.same_export(one, self.nfs_server, self.path)
        return one.name == self.datastore

    def compose(
        self,
        clusters: list[reads.ClusterSeen],
        hosts: Mapping[str, Any],
        datastores: list[reads.DatastoreSeen],
        vms: Mapping[str, tuple[str, ...]],
    ) -> UnmountState:
        """Pick what concerns this datastore."""
        cluster = reads.find_cluster(clusters, self.cluster)
        if cluster is None:
            return UnmountState(cluster_found=False, clusters=tuple(sorted(one.name for one in clusters)))
        near = [one for one in datastores if one.center == cluster.center]
        meant = [one for one in near if self.means(one)]
        if len(meant) > 1:
            found = [f"{one.name} {one.moref} ({one.export})" for one in meant]
            raise reads.ambiguous("datastore", self.datastore, found)
        mine = meant[0] if meant else None
        if mine is None:
            return UnmountState(found=False)
        return UnmountState(
            hosts=reads.host_mounts(cluster, hosts, [mine]),
            moref=mine.moref,
            server=mine.server,
            path=mine.path,
            vms=vms.get(mine.moref, ()),
        )

    def diff(self, now: UnmountState) -> Change | None:
        """Compare each usable host."""
        need_cluster(now.cluster_found, self.cluster, now.clusters)
        mounted = [mount for mount in now.hosts if mount.mounted and mount.host.state == "connected"]
        if not now.found or not mounted:
            return None
        if now.vms:
            raise Missing(
                ObjectRef("vm", now.vms[0]),
                f"{self.datastore} cannot be unmounted: {', '.join(now.vms)} lie on it; unregister them first",
            )
        fields = tuple(Field(mount.host.name, word(mount), None) for mount in mounted)
        return Change(f"unmount {self.datastore} from {', '.join(field.name for field in fields)}", fields)

    def apply(self, client: Vsphere, change: Change, control: Control) -> None:
        """Unmount host by host."""
        now = self.read(client)
        if self.diff(now) is None:
            return
        for mount in now.hosts:
            if mount.mounted and mount.host.state == "connected":
                control.progress(f"unmounting {self.datastore} from {mount.host.name}")
                remove(client, mount.host.moref, mount.host.name, now.moref, self.datastore)

    def outputs(self, now: UnmountState) -> Mapping[str, JsonValue]:
        """Return the hosts that could not be asked."""
        left: list[JsonValue] = [mount.host.name for mount in now.hosts if mount.mounted]
        return {"still_mounted_hosts": left}

    def undo(self, before: UnmountState, change: Change) -> Recipe | None:
        """Mount it again, when it was NFS."""
        if not before.server:
            return None
        arguments: dict[str, JsonValue] = {
            "datastore": self.datastore,
            "nfs_server": before.server,
            "path": before.path,
            "cluster": self.cluster,
            "read_only": all(mount.mode == "readOnly" for mount in before.hosts if mount.mounted),
        }
        return Recipe("vsphere.datastore.mount_nfs", arguments)

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Unmount the drill's own datastore."""
        arguments: dict[str, JsonValue] = {
            "datastore": bubble.datastore(self.datastore),
            "cluster": self.cluster,
        }
        if self.nfs_server and self.path:
            arguments |= {"nfs_server": self.nfs_server, "path": bubble.junction(self.path)}
        return Recipe(self.name, arguments)
