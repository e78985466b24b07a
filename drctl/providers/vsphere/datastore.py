"""NFS datastores: an export on every connected host of a cluster, under one name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field as Limits
from pydantic import JsonValue

from drctl.core.action import (
    Action,
    Change,
    Control,
    Field,
    NotExercised,
    ObjectRef,
    Recipe,
    Reversibility,
)
from drctl.core.bubble import Bubble
from drctl.core.problem import ProviderError
from drctl.providers.vsphere import reads
from drctl.providers.vsphere.arguments import Cluster
from drctl.providers.vsphere.client import Vsphere
from drctl.providers.vsphere.faults import refuse
from drctl.providers.vsphere.model import NFS3, HostMount, NfsState

if TYPE_CHECKING:
    from drctl.providers.vsphere.session import Wire

PARALLEL_HOSTS = 8

ALREADY = frozenset({"vsphere-already-exists", "vsphere-duplicate-name"})


class MountNfs(Action[Vsphere, NfsState]):
    """Mount an NFS export as a datastore on every connected host of a cluster.

    The datastore is recognised by server and path, never by its name: two hosts that mount the same
    export under names that differ in one letter have two datastores. Hosts that are not connected or
    in maintenance are left out and reported in ``unmounted_hosts``.
    """

    name: ClassVar[str] = "vsphere.datastore.mount_nfs"
    reversibility: ClassVar[Reversibility] = Reversibility.REVERSIBLE
    state: ClassVar[type] = NfsState
    output_names: ClassVar[frozenset[str]] = frozenset({"datastore", "unmounted_hosts"})

    datastore: Annotated[str, Limits(min_length=1, max_length=42)] = Limits(
        description="What vCenter calls it, 42 characters at most."
    )
    nfs_server: str = Limits(description="Address to mount from: the SVM's data interface.")
    path: Annotated[str, Limits(pattern="^/")] = Limits(description="The export's path, e.g. `/pacs_vm`.")
    cluster: Cluster
    read_only: bool = Limits(default=False, description="Whether hosts may only read it.")

    @property
    def mode(self) -> str:
        """Return the access mode wanted, in vSphere's spelling."""
        return "readOnly" if self.read_only else "readWrite"

    @property
    def export(self) -> str:
        """Return ``server:/path``."""
        return f"{self.nfs_server}:{self.path}"

    def touches(self) -> frozenset[ObjectRef]:
        """Name the datastore."""
        return frozenset({ObjectRef("datastore", self.datastore)})

    def read(self, client: Vsphere) -> NfsState:
        """Read the cluster's hosts and what each has mounted."""
        return reads.only(self.read_many([self], client))

    @classmethod
    def read_many(cls, actions: Sequence[Self], client: Vsphere) -> list[NfsState | ProviderError]:
        """Read clusters, hosts and datastores once for all."""
        clusters, hosts = reads.read_clusters(client), reads.read_hosts(client)
        datastores = reads.read_datastores(client)
        return [reads.outcome(one.compose, clusters, hosts, datastores) for one in actions]

    def compose(
        self,
        clusters: list[reads.ClusterSeen],
        hosts: Mapping[str, Any],
        datastores: list[reads.DatastoreSeen],
    ) -> NfsState:
        """Pick what concerns this export."""
        cluster = reads.find_cluster(clusters, self.cluster)
        if cluster is None:
            return NfsState(cluster_found=False, clusters=tuple(sorted(one.name for one in clusters)))
        datastores = [one for one in datastores if one.center == cluster.center]
        mine = [one for one in datastores if reads.same_export(one, self.nfs_server, self.path)]
        others = [one for one in datastores if one.name == self.datastore and one not in mine]
        return NfsState(
            hosts=reads.host_mounts(cluster, hosts, mine),
            known_as=tuple(sorted((one.name, one.moref) for one in mine)),
            spelt=(mine[0].server, mine[0].path) if mine else None,
            version=mine[0].version if mine else NFS3,
            name_taken_by=others[0].export if others else "",
        )

    def diff(self, now: NfsState) -> Change | None:
        """Compare each usable host; refuse a name that means something else."""
        need_cluster(now.cluster_found, self.cluster, now.clusters)
        usable = [mount for mount in now.hosts if mount.host.usable]
        if not usable:
            raise refuse(
                "no-host",
                f"no host of cluster {self.cluster} can mount {self.datastore}",
                "; ".join(f"{mount.host.name}: {mount.host.reason}" for mount in now.hosts) or "It is empty.",
                "Connect a host, or take one out of maintenance.",
            )
        self._refuse_clash(now)
        fields = [
            Field(f"{mount.host.name}", word(mount), self.mode)
            for mount in usable
            if not (mount.mounted and mount.accessible and mount.mode == self.mode)
        ]
        name = now.known_as[0][0] if now.known_as else None
        if name not in (None, self.datastore):
            fields.append(Field("name", name, self.datastore))
        if not fields:
            return None
        if now.version != NFS3 and any(not mount.mounted or mount.mode != self.mode for mount in usable):
            raise refuse(
                "nfs-version",
                f"{self.export} is mounted as {now.version}, and drctl mounts NFS version 3",
                "Hosts that mount one export with different versions lock its files differently: data is lost.",
                "Unmount it from every host first, or mount it by hand where it is missing.",
            )
        return Change(self._summary(now, fields), tuple(fields))

    def _refuse_clash(self, now: NfsState) -> None:
        if len(now.known_as) > 1:
            names = ", ".join(f"{name} ({moref})" for name, moref in now.known_as)
            raise refuse(
                "export-twice",
                f"{self.export} is mounted as {len(now.known_as)} datastores: {names}",
                "Hosts mounted it under differing spellings or versions of NFS.",
                "Unmount all but one, on every host.",
            )
        if now.name_taken_by:
            raise refuse(
                "name-taken",
                f"the name {self.datastore} belongs to {now.name_taken_by}",
                f"vCenter would call the new one {self.datastore} (1), and paths of VMs would be wrong.",
                "Rename or unmount that datastore first.",
            )

    def _summary(self, now: NfsState, fields: Sequence[Field]) -> str:
        hosts = [field.name for field in fields if field.name != "name"]
        parts = [f"mount {self.export} as {self.datastore} on {', '.join(hosts)}"] if hosts else []
        if len(hosts) < len(fields):
            parts.append(f"rename {now.known_as[0][0]} to {self.datastore}")
        left = [f"{mount.host.name} ({mount.host.reason})" for mount in now.hosts if not mount.host.usable]
        if left:
            parts.append(f"not on {', '.join(left)}")
        return "; ".join(parts)

    def apply(self, client: Vsphere, change: Change, control: Control) -> None:
        """Mount on one host, then on the others at once, so that vCenter makes one datastore of it."""
        now = self.read(client)
        if self.diff(now) is None:
            return
        todo = [
            mount
            for mount in now.hosts
            if mount.host.usable and not (mount.accessible and mount.mode == self.mode)
        ]
        spelt = now.spelt or (self.nfs_server, self.path)
        if todo and not now.known_as:
            self._mount(client, todo.pop(0), spelt, control)
        self._mount_rest(client, todo, spelt, control)
        self._settle_name(client, control)

    def _mount_rest(
        self, client: Vsphere, todo: Sequence[HostMount], spelt: tuple[str, str], control: Control
    ) -> None:
        if not todo:
            return
        failed: list[ProviderError] = []
        with ThreadPoolExecutor(PARALLEL_HOSTS, thread_name_prefix="mount") as pool:
            for task in [pool.submit(self._mount, client, mount, spelt, control) for mount in todo]:
                try:
                    task.result()
                except ProviderError as error:
                    failed.append(error)
        if failed:
            raise failed[0]

    def _mount(self, client: Vsphere, mount: HostMount, spelt: tuple[str, str], control: Control) -> None:
        """Mount on one host, spelt as on the others: another spelling would be another datastore."""
        host = mount.host
        if mount.mounted and mount.mode == self.mode:
            control.progress(f"{host.name}: {self.datastore} is mounted but not accessible; refreshing")
            _refresh(client, mount, self)
            return
        if mount.mounted:
            control.override(
                f"unmount {mount.datastore} on {host.name}", f"it is {mount.mode}, wanted {self.mode}"
            )
            remove(client, host.moref, host.name, _moref(client, self, host.moref), mount.datastore)
        control.progress(f"mounting {self.export} on {host.name}")
        name = mount.datastore or self.datastore
        try:
            client.change(
                f"mounting {self.export} on {host.name}",
                lambda wire: _datastore_system(wire, host.moref).CreateNasDatastore(
                    self._spec(wire, name, *spelt)
                ),
            )
        except ProviderError as error:
            if error.problem.code not in ALREADY or not self._is_on(client, host.moref):
                raise

    def _spec(self, wire: Wire, name: str, server: str, path: str) -> Any:
        return wire.vim.host.NasVolume.Specification(
            remoteHost=server, remotePath=path, localPath=name, accessMode=self.mode, type="NFS"
        )

    def _is_on(self, client: Vsphere, host: str) -> bool:
        """Say whether a host has it by now: somebody else may have been faster."""
        return any(one.host.moref == host and one.accessible for one in self.read(client).hosts)

    def _settle_name(self, client: Vsphere, control: Control) -> None:
        """Give the datastore its name back when vCenter chose another, such as ``ds (1)``."""
        now = self.read(client)
        self._refuse_clash(now)
        if not now.known_as or now.known_as[0][0] == self.datastore:
            return
        name, moref = now.known_as[0]
        control.override(f"rename datastore {name} to {self.datastore}", f"it is {self.export}")
        client.run(
            f"renaming datastore {name}",
            lambda wire: wire.ref("Datastore", moref).Rename_Task(self.datastore),
            control,
        )

    def foresee(self) -> Mapping[str, JsonValue]:
        """Return the name, which is certain."""
        return {"datastore": self.datastore}

    def outputs(self, now: NfsState) -> Mapping[str, JsonValue]:
        """Return the name and the hosts that were left out."""
        left: list[JsonValue] = [mount.host.name for mount in now.hosts if not mount.mounted]
        return {"datastore": self.datastore, "unmounted_hosts": left}

    def undo(self, before: NfsState, change: Change) -> Recipe | None:
        """Unmount, when no host had it before."""
        if before.known_as:
            return None
        return Recipe(
            "vsphere.datastore.unmount",
            {
                "datastore": self.datastore,
                "cluster": self.cluster,
                "nfs_server": self.nfs_server,
                "path": self.path,
            },
        )

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Mount the clone's junction, under the drill's name for the datastore."""
        return Recipe(
            self.name,
            {
                "datastore": bubble.datastore(self.datastore),
                "nfs_server": self.nfs_server,
                "path": bubble.junction(self.path),
                "cluster": self.cluster,
                "read_only": self.read_only,
            },
        )


def word(mount: HostMount) -> str | None:
    """Return how a host has the datastore: its mode, ``inaccessible``, or None."""
    if not mount.mounted:
        return None
    return mount.mode if mount.accessible else "inaccessible"


def need_cluster(found: bool, name: str, present: Sequence[str]) -> None:  # noqa: FBT001 - a state's own field
    """Raise ``ProviderError`` for a cluster that does not exist."""
    if not found:
        raise refuse(
            "no-cluster",
            f"this vCenter has no cluster {name}",
            f"It has {', '.join(present) or 'none'}.",
            "Correct `cluster` in the inventory.",
        )


def _moref(client: Vsphere, action: MountNfs, host: str) -> str:
    for one in reads.read_datastores(client):
        if host in one.mounts and reads.same_export(one, action.nfs_server, action.path):
            return one.moref
    return ""


def _refresh(client: Vsphere, mount: HostMount, action: MountNfs) -> None:
    moref = _moref(client, action, mount.host.moref)
    client.change(
        f"refreshing {mount.datastore}", lambda wire: wire.ref("Datastore", moref).RefreshDatastore()
    )
    again = action.read(client)
    for one in again.hosts:
        if one.host.moref == mount.host.moref and not one.accessible:
            raise refuse(
                "datastore-inaccessible",
                f"{one.host.name} has {mount.datastore} mounted but cannot reach {action.export}",
                "The export does not answer this host.",
                "Check that the volume is mounted in its SVM and that the export policy admits the host.",
            )


def remove(client: Vsphere, host: str, host_name: str, datastore: str, name: str) -> None:
    """Unmount a datastore from one host."""
    client.change(
        f"unmounting {name} from {host_name}",
        lambda wire: _datastore_system(wire, host).RemoveDatastore(wire.ref("Datastore", datastore)),
    )


def _datastore_system(wire: Wire, host: str) -> Any:
    """Return a host's HostDatastoreSystem by one read of its reference."""
    query = wire.vmodl.query.PropertyCollector
    spec = query.FilterSpec(
        objectSet=[query.ObjectSpec(obj=wire.ref("HostSystem", host))],
        propSet=[query.PropertySpec(type=wire.vim.HostSystem, pathSet=["configManager.datastoreSystem"])],
    )
    found = wire.content.propertyCollector.RetrievePropertiesEx([spec], query.RetrieveOptions())
    return wire.ref("host.DatastoreSystem", reads.identity(found.objects[0].propSet[0].val))
