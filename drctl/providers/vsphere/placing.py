"""Where a VM's entry is and goes: the reads behind registering and unregistering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from drctl.core.problem import ProviderError
from drctl.providers.vsphere import entries, reads
from drctl.providers.vsphere.client import Row, Vsphere
from drctl.providers.vsphere.faults import refuse
from drctl.providers.vsphere.files import Files
from drctl.providers.vsphere.identity import Exactly, find
from drctl.providers.vsphere.model import DiskSeen, HostSeen, RegisteredVm, RegisterState, VmEntry

PATH = "summary.config.vmPathName"


@dataclass(frozen=True)
class Wish:
    """The fields of ``vsphere.vm.register`` that decide what to read and where to register."""

    vm: str
    datastore: str
    vmx: str
    pool: str
    host: str | None
    also_on: tuple[str, ...]
    contained: bool = False

    @property
    def path(self) -> str:
        """Return ``[datastore] folder/file.vmx``."""
        return f"[{self.datastore}] {self.vmx}"

    def usable(self, known: Mapping[str, bool]) -> Mapping[str, bool]:
        """Return those of the known datastores that the VM's files may lie on."""
        if not self.contained:
            return known
        return {name: known[name] for name in (self.datastore, *self.also_on) if name in known}


@dataclass(frozen=True)
class Estate:
    """Everything read once for many registrations."""

    clusters: list[reads.ClusterSeen]
    hosts: Mapping[str, HostSeen]
    pools: list[Row]
    datastores: list[reads.DatastoreSeen]
    vms: list[RegisteredVm]
    vcenter: str = ""

    @property
    def known(self) -> Mapping[str, bool]:
        """Return datastore names and whether they are accessible."""
        return {one.name: one.accessible for one in self.datastores}

    def within(self, center: str, found: Mapping[str, Row]) -> Estate:
        """Return what of it lies in one datacenter; names repeat between datacenters."""
        stores = [one for one in self.datastores if one.center == center]
        away = {one.moref for one in self.datastores} - {one.moref for one in stores}
        vms = [vm for vm in self.vms if not _stores_of(found[vm.moref]) & away]
        return replace(self, datastores=stores, vms=vms)

    def place(self, pool: str) -> tuple[reads.ClusterSeen, str] | None:
        """Return the cluster and the pool's id for ``pool`` or ``cluster/pool``."""
        wanted_cluster, _, wanted = pool.rpartition("/")
        found: list[tuple[reads.ClusterSeen, str]] = []
        for cluster in self.clusters:
            if not wanted_cluster and cluster.name == wanted:
                return cluster, cluster.root_pool
            found += [
                (cluster, row.id)
                for row in self.pools
                if row.text("name") == wanted
                and reads.identity(row.values.get("owner")) == cluster.moref
                and row.id != cluster.root_pool
                and wanted_cluster in ("", cluster.name)
            ]
        if len(found) > 1:
            raise reads.ambiguous("pool", pool, [f"{cluster.name}/{wanted}" for cluster, _ in found])
        return found[0] if found else None

    def pool_names(self) -> tuple[str, ...]:
        """Return what ``pool`` may be."""
        names = {one.name for one in self.clusters} | {row.text("name") for row in self.pools}
        return tuple(sorted(names - {"Resources"}))


def _read_estate(client: Vsphere) -> Estate:
    return Estate(
        clusters=reads.read_clusters(client),
        hosts=reads.read_hosts(client),
        pools=client.rows("ResourcePool", ["name", "owner"]),
        datastores=reads.read_datastores(client),
        vms=[],
        vcenter=client.instance(),
    )


def read_register(client: Vsphere, wishes: Sequence[Wish]) -> list[RegisterState | ProviderError]:
    """Return the state for each wish; one bulk read for all, then the details of the VMs found."""
    estate = _read_estate(client)
    names, paths = {wish.vm for wish in wishes}, {wish.path for wish in wishes}
    every = client.rows("VirtualMachine", ["name", PATH])
    keys = [row.id for row in every if row.text("name") in names or row.text(PATH) in paths]
    found = client.rows_of("VirtualMachine", keys, (*entries.ENTRY, *entries.DETAIL, "datastore"))
    details = {row.id: row for row in found}
    estate = replace(estate, vms=[entries.entry(row) for row in found])
    centers = {cluster.center for cluster in estate.clusters} or {""}
    parts = {center: estate.within(center, details) for center in centers}
    files = {center: Files(client, part.datastores) for center, part in parts.items()}

    def compose(wish: Wish) -> RegisterState:
        place = estate.place(wish.pool)
        center = place[0].center if place else min(centers)
        return _compose(wish, place, parts[center], details, files[center])

    for center, part in parts.items():
        registered = {vm.path for vm in part.vms}
        files[center].prepare([wish.datastore for wish in wishes if wish.path not in registered])
    return [reads.outcome(compose, wish) for wish in wishes]


def _stores_of(row: Row) -> set[str]:
    return {reads.identity(store) for store in row.values.get("datastore") or ()}


def read_registered(client: Vsphere, wish: Wish, moref: str) -> RegisteredVm:
    """Return a VM just registered, with its details; raise ``ProviderError`` when it is gone again."""
    rows = client.rows_of("VirtualMachine", [moref], (*entries.ENTRY, *entries.DETAIL, "datastore"))
    if not rows:
        raise refuse("vm-vanished", f"{wish.vm} was registered and is gone again")
    stores = reads.read_datastores(client)
    centers = {one.center for one in stores if one.moref in _stores_of(rows[0])}
    near = [one for one in stores if one.center in centers or not centers]
    estate = Estate([], {}, [], near, [])
    return _detail(entries.entry(rows[0]), rows[0], wish, estate.known, Files(client, near))


def _compose(
    wish: Wish,
    place: tuple[reads.ClusterSeen, str] | None,
    estate: Estate,
    details: Mapping[str, Row],
    files: Files,
) -> RegisterState:
    store = reads.find_datastore(estate.datastores, wish.datastore)
    vm, stale = _entries(wish, estate.vms)
    usable = store is not None and store.accessible
    return RegisterState(
        datastore=store is not None,
        accessible=usable,
        vmx=files.has(wish.datastore, wish.vmx) if usable and vm is None else None,
        vm=_detail(vm, details.get(vm.moref), wish, estate.known, files) if vm else None,
        stale=stale,
        pool=place is not None,
        pools=estate.pool_names() if place is None else (),
        drs=place is not None and place[0].drs,
        hosts=_usable_hosts(place[0], store, estate.hosts) if place and store else (),
        vcenter=estate.vcenter,
        export=store.export if store and store.server else "",
    )


def _entries(wish: Wish, vms: Sequence[RegisteredVm]) -> tuple[RegisteredVm | None, RegisteredVm | None]:
    """Return the sound entry with the wanted path and the entry that must make room for it."""
    here = [vm for vm in vms if vm.path == wish.path]
    sound = next((vm for vm in here if vm.connection == "connected"), None)
    broken = next((vm for vm in here if vm.connection != "connected"), None)
    namesakes = [vm for vm in vms if vm.name == wish.vm and vm.path != wish.path]
    if broken is None and len(namesakes) > 1:
        raise reads.ambiguous("VM", wish.vm, [f"{vm.moref} at {vm.path}" for vm in namesakes])
    if sound is not None and sound.name == wish.vm:
        return sound, None
    return sound, broken or (namesakes[0] if namesakes else None)


def _usable_hosts(
    cluster: reads.ClusterSeen, store: reads.DatastoreSeen, hosts: Mapping[str, HostSeen]
) -> tuple[str, ...]:
    names = [
        hosts[key].name
        for key in cluster.hosts
        if key in hosts and hosts[key].usable and store.mounts.get(key, (False, ""))[0]
    ]
    return tuple(sorted(names))


def _detail(
    vm: RegisteredVm, row: Row | None, wish: Wish, known: Mapping[str, bool], files: Files
) -> RegisteredVm:
    if row is None:
        return vm
    known = wish.usable(known)
    found = [
        disk if disk.resolved else replace(disk, candidates=_candidates(disk, wish, files))
        for disk in entries.disks(row, known)
    ]
    image = entries.image(row, known)
    if image is not None and image.resolved:
        image = replace(image, resolved=files.has(*reads.split_path(image.path)))
    return replace(
        vm,
        uuid_action=entries.option(row, "uuid.action"),
        annotation=row.text("config.annotation"),
        disks=tuple(found),
        image=image,
    )


def _candidates(disk: DiskSeen, wish: Wish, files: Files) -> tuple[str, ...]:
    """Return where a disk whose datastore id means nothing here could be, as ``[datastore] path``."""
    path = tail(disk.path)
    stores = (wish.datastore, *wish.also_on)
    return tuple(f"[{store}] {path}" for store in stores if path and files.has(store, path))


def tail(path: str) -> str:
    """Return ``folder/disk.vmdk`` of ``/vmfs/volumes/<id>/folder/disk.vmdk``, with or without ``[]``."""
    _, marker, rest = path.partition("/vmfs/volumes/")
    if marker:
        return rest.partition("/")[2]
    return reads.split_path(path)[1].strip().lstrip("/") if path.startswith("[") else ""


def read_entries(client: Vsphere, wishes: Sequence[Exactly]) -> list[VmEntry | ProviderError]:
    """Return the entry of each VM meant with the names of its folder and pool."""
    rows = find(client, wishes, [*entries.ENTRY, "parent", "resourcePool"])
    present = [row for row in rows if isinstance(row, Row)]
    folders = client.rows("Folder", ["name", "parent"]) if present else []
    pools = client.rows("ResourcePool", ["name", "owner"]) if present else []
    clusters = reads.read_clusters(client) if present else []
    return [_entry(row, folders, pools, clusters) for row in rows]


def _entry(
    row: Row | ProviderError | None,
    folders: list[Row],
    pools: list[Row],
    clusters: list[reads.ClusterSeen],
) -> VmEntry | ProviderError:
    if isinstance(row, ProviderError):
        return row
    if row is None:
        return VmEntry(found=False)
    seen = entries.entry(row)
    roots = {one.root_pool: one.name for one in clusters}
    pool = reads.identity(row.values.get("resourcePool"))
    names = {one.id: one.text("name") for one in pools}
    return VmEntry(
        name=seen.name,
        moref=seen.moref,
        power=seen.power,
        path=seen.path,
        folder=folder_path(reads.identity(row.values.get("parent")), folders),
        pool=roots.get(pool) or names.get(pool, ""),
    )


def folder_path(folder: str, folders: list[Row]) -> str:
    """Return ``A/B`` below the datacenter's VM folder, empty for that folder itself."""
    by_id = {row.id: row for row in folders}
    parts: list[str] = []
    while folder in by_id:
        above = reads.identity(by_id[folder].values.get("parent"))
        if above not in by_id:  # its parent is the datacenter: this is the VM folder
            break
        parts.insert(0, by_id[folder].text("name"))
        folder = above
    return "/".join(parts)
