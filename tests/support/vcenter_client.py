"""vCenter clients of the lab on plain pyVmomi, and the estate behind them."""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass, field
from typing import Any

from pyVmomi import SoapStubAdapter, vim, vmodl

from drctl.lab.model import Datastore, VCenter, Vm, Volume
from drctl.lab.world import World

PC = vmodl.query.PropertyCollector


@dataclass
class Client:
    """One vCenter as its clients reach it, and the records behind it."""

    world: World
    vcenter: VCenter
    host: str
    port: int
    tls: ssl.SSLContext
    stubs: list[SoapStubAdapter] = field(default_factory=list)

    def stub(self, **options: Any) -> SoapStubAdapter:
        """Return a connection of its own, not logged in."""
        options = {"version": "vim.version.v8_0_3_0", "httpConnectionTimeout": 30} | options
        made = SoapStubAdapter(host=self.host, port=self.port, sslContext=self.tls, **options)
        self.stubs.append(made)
        return made

    def login(self, **options: Any) -> vim.ServiceInstanceContent:
        """Log in on a connection of its own; return the service content."""
        content = vim.ServiceInstance("ServiceInstance", self.stub(**options)).RetrieveContent()
        content.sessionManager.Login(self.vcenter.username, self.vcenter.password)
        return content

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        """GET a file over HTTPS."""
        connection = http.client.HTTPSConnection(self.host, self.port, timeout=30, context=self.tls)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def vm(self, name: str) -> Vm:
        """Return a VM's record."""
        return next(vm for vm in self.vcenter.vms.values() if vm.name == name)

    def datastore(self, name: str) -> Datastore:
        """Return a datastore's record."""
        return next(each for each in self.vcenter.datastores.values() if each.name == name)

    def calls(self) -> list[tuple[str, str]]:
        """Return the mutating calls recorded at this vCenter's site."""
        found = self.world.estate.mutations
        return [(m.call, m.target) for m in found if (m.site, m.facade) == (self.vcenter.site, "vsphere")]


@dataclass(frozen=True)
class Estate:
    """Both vCenters and the world."""

    world: World
    paris: Client
    lyon: Client

    def volume(self, name: str) -> Volume:
        """Return a volume's record."""
        clusters = self.world.estate.clusters.values()
        return next(v for c in clusters for v in c.volumes.values() if v.name == name)

    def publish(self, name: str, *, writable: bool = True) -> None:
        """Bring the standby copy of a volume to where hosts can mount it, as a failover would."""
        source, copy = self.volume(name), self.volume(f"{name}_dr")
        with self.world.lock:
            copy.initialized = True
            copy.type = "rw" if writable else "dp"
            copy.files = dict(source.files)
            copy.junction, copy.export_policy = f"/{name}", "esx"
            self._admit(copy)
            self.world.touch()

    def _admit(self, volume: Volume) -> None:
        svm = self.world.estate.clusters[volume.cluster].svms[volume.svm]
        root = next(
            v
            for v in self.world.estate.clusters[volume.cluster].volumes.values()
            if v.is_root and v.svm == svm.name
        )
        root.export_policy = "esx"


def view_spec(view: Any, wanted: dict[Any, list[str] | None]) -> Any:
    """Return a FilterSpec over a view; None means all properties."""
    step = PC.TraversalSpec(name="view", type=type(view), path="view", skip=False)
    props = [
        PC.PropertySpec(type=kind, all=True) if paths is None else PC.PropertySpec(type=kind, pathSet=paths)
        for kind, paths in wanted.items()
    ]
    return PC.FilterSpec(objectSet=[PC.ObjectSpec(obj=view, skip=True, selectSet=[step])], propSet=props)


def bulk(content: Any, wanted: dict[Any, list[str] | None], **options: Any) -> list[dict[str, Any]]:
    """Read all objects of some types through a container view, following every token."""
    view = content.viewManager.CreateContainerView(content.rootFolder, list(wanted), True)
    try:
        collector = content.propertyCollector
        page = collector.RetrievePropertiesEx([view_spec(view, wanted)], PC.RetrieveOptions(**options))
        found = list(page.objects) if page else []
        while page and page.token:
            page = collector.ContinueRetrievePropertiesEx(page.token)
            found += page.objects
    finally:
        view.DestroyView()
    return [{"obj": each.obj} | {p.name: p.val for p in each.propSet} for each in found]


def named(content: Any, kind: Any, name: str) -> Any:
    """Return the managed object of that name."""
    found = [each["obj"] for each in bulk(content, {kind: ["name"]}) if each["name"] == name]
    assert len(found) == 1, f"{len(found)} objects named {name}"
    return found[0]


def finish(task: Any) -> Any:
    """Wait for a task through its own collector; return its result or raise its fault."""
    service = vim.ServiceInstance("ServiceInstance", task._stub)
    collector = service.content.propertyCollector.CreatePropertyCollector()
    spec = PC.FilterSpec(
        objectSet=[PC.ObjectSpec(obj=task)],
        propSet=[PC.PropertySpec(type=vim.Task, pathSet=["info.state", "info.error", "info.result"])],
    )
    collector.CreateFilter(spec, True)
    seen: dict[str, Any] = {}
    version = ""
    while seen.get("info.state") not in {"success", "error"}:
        updates = collector.WaitForUpdatesEx(version, PC.WaitOptions(maxWaitSeconds=20))
        assert updates is not None, f"nothing happened for 20 s; last seen {seen}"
        version = updates.version
        for change in (c for f in updates.filterSet for o in f.objectSet for c in o.changeSet):
            seen[change.name] = change.val
    collector.DestroyPropertyCollector()
    if seen["info.state"] == "error":
        raise seen["info.error"]
    return seen.get("info.result")
