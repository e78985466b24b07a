"""Bulk reads of hosts, datastores and networks, turned into plain data.

pyVmomi's objects are ``Any`` here and stay here. Each function costs one request per class of
objects, whatever their number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from drctl.core.problem import ProviderError
from drctl.providers.vsphere.client import SEARCH_TIME, Deadline, Row, Vsphere
from drctl.providers.vsphere.faults import refuse
from drctl.providers.vsphere.model import NFS3, HostMount, HostSeen, NetworkSeen

if TYPE_CHECKING:
    from drctl.providers.vsphere.session import Wire


@dataclass(frozen=True)
class ClusterSeen:
    """A cluster, or a host on its own: its hosts by id, its root pool, whether DRS places VMs."""

    name: str
    moref: str
    hosts: tuple[str, ...]
    root_pool: str
    drs: bool
    parent: str = ""
    """Id of the folder it is in."""
    center: str = ""
    """Id of its datacenter; empty when the vCenter has one only."""


@dataclass(frozen=True)
class DatastoreSeen:
    """A datastore; ``server`` and ``path`` are set for NFS, ``mounts`` go by host id."""

    name: str
    moref: str
    accessible: bool
    server: str
    path: str
    mounts: Mapping[str, tuple[bool, str]]
    """Host id to (accessible, access mode)."""
    center: str = ""
    """Id of its datacenter; empty when the vCenter has one only."""
    version: str = NFS3
    """Version of NFS, in vSphere's word."""
    browser: Any = field(repr=False, compare=False, default=None)

    @property
    def export(self) -> str:
        """Return ``server:/path``, or the kind of datastore it is."""
        return f"{self.server}:{self.path}" if self.server else "a datastore that is not NFS"


def identity(value: Any) -> str:
    """Return the id of a managed object, empty for None."""
    return "" if value is None else str(value._moId)  # noqa: SLF001 - pyVmomi has no other way


def read_clusters(client: Vsphere) -> list[ClusterSeen]:
    """Return every cluster, and every host outside one."""
    rows = client.rows("ComputeResource", ["name", "host", "resourcePool", "configurationEx", "parent"])
    centers = client.rows("Datacenter", ["datastore"])
    folders = client.rows("Folder", ["parent"]) if len(centers) > 1 else []
    above = {row.id: identity(row.values.get("parent")) for row in folders}
    return [
        ClusterSeen(
            name=row.text("name"),
            moref=row.id,
            hosts=tuple(identity(host) for host in row.values.get("host") or ()),
            root_pool=identity(row.values.get("resourcePool")),
            drs=_drs(row.values.get("configurationEx")),
            parent=identity(row.values.get("parent")),
            center=_top(identity(row.values.get("parent")), above) if above else "",
        )
        for row in rows
    ]


def _top(folder: str, above: Mapping[str, str]) -> str:
    """Return what the topmost folder is in: a datacenter."""
    while folder in above:
        folder = above[folder]
    return folder


def _drs(configuration: Any) -> bool:
    drs = getattr(configuration, "drsConfig", None)
    return bool(drs is not None and drs.enabled)


def read_hosts(client: Vsphere) -> dict[str, HostSeen]:
    """Return every host by id."""
    rows = client.rows("HostSystem", ["name", "runtime.connectionState", "runtime.inMaintenanceMode"])
    return {
        row.id: HostSeen(
            name=row.text("name"),
            moref=row.id,
            state=row.text("runtime.connectionState"),
            maintenance=row.flag("runtime.inMaintenanceMode"),
        )
        for row in rows
    }


def read_setting(client: Vsphere, hosts: Iterable[str], key: str) -> dict[str, int]:
    """Return an advanced setting that is a number, by host id; hosts that do not tell it are left out.

    Two requests, however many hosts: asked by name it would cost one for each.
    """
    rows = client.rows_of("HostSystem", hosts, ["configManager.advancedOption"])
    managers = {identity(row.values.get("configManager.advancedOption")): row.id for row in rows}
    managers.pop("", None)
    found = {}
    for row in client.rows_of("option.OptionManager", managers, ["setting"]):
        value = next((one.value for one in row.values.get("setting") or () if one.key == key), None)
        if isinstance(value, int):
            found[managers[row.id]] = int(value)
    return found


def read_datastores(client: Vsphere) -> list[DatastoreSeen]:
    """Return every datastore; its name is unique in its datacenter only."""
    paths = ["name", "summary.accessible", "info", "host", "browser"]
    rows = client.rows("Datastore", paths)
    centers = client.rows("Datacenter", ["datastore"])
    if len(centers) < 2:
        return [_datastore(row, "") for row in rows]
    home = {identity(one): row.id for row in centers for one in row.values.get("datastore") or ()}
    return [_datastore(row, home.get(row.id, "")) for row in rows]


def _datastore(row: Row, center: str) -> DatastoreSeen:
    nas = getattr(row.values.get("info"), "nas", None)
    mounts = {
        identity(mount.key): (mount.mountInfo.accessible is not False, str(mount.mountInfo.accessMode))
        for mount in row.values.get("host") or ()
        if mount.mountInfo.mounted is not False
    }
    return DatastoreSeen(
        name=row.text("name"),
        moref=row.id,
        accessible=row.flag("summary.accessible"),
        server=str(nas.remoteHost or "") if nas else "",
        path=str(nas.remotePath or "") if nas else "",
        mounts=mounts,
        center=center,
        version=str(getattr(nas, "type", None) or NFS3),
        browser=row.values.get("browser"),
    )


def vms_on(client: Vsphere, datastores: Iterable[DatastoreSeen]) -> dict[str, tuple[str, ...]]:
    """Return the ids of the VMs registered on each datastore, by the datastore's id."""
    rows = client.rows_of("Datastore", [one.moref for one in datastores], ["vm"])
    return {row.id: tuple(identity(vm) for vm in row.values.get("vm") or ()) for row in rows}


def same_export(one: DatastoreSeen, server: str, path: str) -> bool:
    """Say whether a datastore is that server and path; both must be equal on every host (VMware)."""
    return one.server.lower() == server.lower() and _trim(one.path) == _trim(path)


def _trim(path: str) -> str:
    return path.rstrip("/") or "/"


def host_mounts(
    cluster: ClusterSeen, hosts: Mapping[str, HostSeen], datastores: list[DatastoreSeen]
) -> tuple[HostMount, ...]:
    """Return one entry per host of the cluster, with whichever of the datastores it has mounted."""
    found = []
    for key in cluster.hosts:
        host = hosts.get(key)
        if host is None:
            continue
        have = next((one for one in datastores if key in one.mounts), None)
        if have is None:
            found.append(HostMount(host))
        else:
            accessible, mode = have.mounts[key]
            found.append(HostMount(host, have.name, accessible, mode))
    return tuple(sorted(found, key=lambda mount: mount.host.name))


P = ParamSpec("P")
T = TypeVar("T")


def outcome(compose: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | ProviderError:
    """Return what ``compose`` returns, or the error it raises: one answer among many."""
    try:
        return compose(*args, **kwargs)
    except ProviderError as error:
        return error


def only(states: list[T | ProviderError]) -> T:
    """Return the one state of a list, or raise it."""
    state = states[0]
    if isinstance(state, ProviderError):
        raise state
    return state


def find_cluster(clusters: list[ClusterSeen], name: str) -> ClusterSeen | None:
    """Return the cluster of that name; raise ``ProviderError`` when there are two."""
    found = [one for one in clusters if one.name == name]
    if len(found) > 1:
        raise ambiguous("cluster", name, [one.moref for one in found])
    return found[0] if found else None


def find_datastore(datastores: list[DatastoreSeen], name: str) -> DatastoreSeen | None:
    """Return the datastore of that name; raise ``ProviderError`` when there are two."""
    found = [one for one in datastores if one.name == name]
    if len(found) > 1:
        raise ambiguous("datastore", name, [f"{one.moref} ({one.export})" for one in found])
    return found[0] if found else None


def ambiguous(kind: str, name: str, found: list[str]) -> ProviderError:
    """Return the error for a name that several objects bear."""
    return refuse(
        "ambiguous",
        f"{len(found)} {kind}s are called {name}",
        f"They are {', '.join(sorted(found))}.",
        "Rename all but one; drctl does not guess.",
    )


def read_networks(client: Vsphere) -> dict[str, tuple[NetworkSeen, frozenset[str]]]:
    """Return every network that VMs can use by id, with the ids of the hosts it is on."""
    switches = {row.id: row.text("uuid") for row in client.rows("DistributedVirtualSwitch", ["uuid"])}
    paths = ["key", "config.distributedVirtualSwitch", "tag"]
    groups = {row.id: row for row in client.rows("dvs.DistributedVirtualPortgroup", paths)}
    found = {}
    for row in sorted(client.rows("Network", ["name", "host"]), key=lambda row: (row.text("name"), row.id)):
        group = groups.get(row.id)
        if group is None:
            kind = "opaque" if row.kind == "OpaqueNetwork" else "standard"
            network = NetworkSeen(row.text("name"), row.id, kind)
        elif _uplink(group):
            continue
        else:
            switch = switches.get(identity(group.values.get("config.distributedVirtualSwitch")), "")
            network = NetworkSeen(row.text("name"), row.id, "distributed", group.text("key"), switch)
        found[row.id] = network, frozenset(identity(one) for one in row.values.get("host") or ())
    return found


def _uplink(group: Row) -> bool:
    return any(tag.key == "SYSTEM/DVS.UPLINKPG" for tag in group.values.get("tag") or ())


_DATASTORE_PATH = re.compile(r"\[([^\[\]]+)\]\s*(.*)")


def split_path(path: str) -> tuple[str, str]:
    """Split ``[datastore] folder/file`` into its two parts; the first is empty for any other path."""
    match = _DATASTORE_PATH.fullmatch(path)
    return (match[1], match[2]) if match else ("", path)


def find_files(client: Vsphere, datastore: DatastoreSeen, folder: str, pattern: str) -> frozenset[str]:
    """Return the names of the files of one folder that match; empty when the folder does not exist.

    Raises:
        ProviderError: the datastore cannot be read.
    """
    found = _search(client, datastore, folder, pattern, deep=False)
    return frozenset(file.path for file in found.file or ()) if found is not None else frozenset()


def find_all_files(client: Vsphere, datastore: DatastoreSeen, pattern: str) -> frozenset[str]:
    """Return the paths, relative to the datastore, of all files that match; errors as ``find_files``."""
    found = _search(client, datastore, "", pattern, deep=True)
    return frozenset(
        "/".join(filter(None, (split_path(folder.folderPath)[1].strip("/"), file.path)))
        for folder in found or ()
        for file in folder.file or ()
    )


def _search(client: Vsphere, datastore: DatastoreSeen, folder: str, pattern: str, *, deep: bool) -> Any:
    where = f"[{datastore.name}] {folder}".rstrip()
    what = f"looking into {where}"

    def issue(wire: Wire) -> Any:
        spec = wire.vim.host.DatastoreBrowser.SearchSpec(matchPattern=[pattern])
        browser = wire.ref("host.DatastoreBrowser", identity(datastore.browser))
        if deep:
            return browser.SearchDatastoreSubFolders_Task(where, spec)
        return browser.SearchDatastore_Task(where, spec)

    task = identity(client.read(what, issue))
    try:
        return client.follow(what, task, Deadline(client.clock, SEARCH_TIME))
    except ProviderError as error:
        if error.problem.code == "vsphere-file-not-found":
            return None
        raise
