"""Bulk reads, views, searches: what the standby and production look like."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from pyVmomi import vim, vmodl
from vcenter_client import PC, Client, Estate, bulk, named, view_spec

VM_PATHS = [
    "name", "config.uuid", "config.instanceUuid", "config.annotation", "config.template", "config.extraConfig",
    "config.hardware.device", "config.files", "config.changeVersion", "runtime.powerState", "runtime.host",
    "runtime.question", "runtime.connectionState", "guest.toolsRunningStatus", "guest.ipAddress", "guest.net",
    "guest.hostName", "guestHeartbeatStatus", "parent", "resourcePool", "datastore", "network",
]  # fmt: skip


def test_a_running_vm_is_read_whole(paris: Client, content: Any):
    found = {each["name"]: each for each in bulk(content, {vim.VirtualMachine: VM_PATHS})}
    seen, record = found["ris-db01"], paris.vm("ris-db01")
    assert len(found) == 12
    assert (seen["config.uuid"], seen["config.instanceUuid"]) == (record.uuid, record.instance_uuid)
    assert seen["config.uuid"] != seen["config.instanceUuid"]
    assert seen["config.files"].vmPathName == "[ds_ris] ris-db01/ris-db01.vmx"
    assert seen["config.changeVersion"] == str(record.change_version)
    assert seen["config.template"] is False
    assert (seen["runtime.powerState"], seen["runtime.connectionState"]) == ("poweredOn", "connected")
    assert seen["guest.toolsRunningStatus"] == "guestToolsRunning"
    assert seen["guestHeartbeatStatus"] == "green"
    assert seen["guest.ipAddress"] == record.guest_ip
    assert seen["guest.hostName"] == "ris-db01"
    assert [(n.network, list(n.ipAddress), n.macAddress) for n in seen["guest.net"]] == [
        ("prod-200", [record.guest_ip], record.nics[0].mac)
    ]
    assert seen["parent"].name == "RIS"
    assert seen["resourcePool"].owner.name == "prod"
    assert {each.name for each in seen["datastore"]} == {"ds_ris", "ds_ris_db"}
    assert [each.name for each in seen["network"]] == ["prod-200"]


def test_an_unset_property_is_absent(content: Any):
    found = bulk(content, {vim.VirtualMachine: ["name", "runtime.question", "snapshot"]})
    assert all(set(each) == {"obj", "name"} for each in found)
    assert found[0]["obj"].runtime.question is None
    assert found[0]["obj"].snapshot is None


def test_devices_tell_disks_and_cards(content: Any):
    vm = named(content, vim.VirtualMachine, "ris-db01")
    disks = [d for d in vm.config.hardware.device if isinstance(d, vim.vm.device.VirtualDisk)]
    assert [d.backing.fileName for d in disks] == [
        "[ds_ris] ris-db01/ris-db01.vmdk",
        "[ds_ris_db] ris-db01/ris-db01_1.vmdk",
    ]
    assert disks[1].backing.datastore.name == "ds_ris_db"
    (card,) = [d for d in vm.config.hardware.device if isinstance(d, vim.vm.device.VirtualEthernetCard)]
    assert card.deviceInfo.label == "Network adapter 1"
    assert card.backing.network.name == card.backing.deviceName == "prod-200"
    assert card.connectable.connected
    assert card.connectable.startConnected


def test_a_card_on_a_distributed_switch_names_it_by_ids_only(content: Any):
    vm = named(content, vim.VirtualMachine, "pacs-app01")
    (card,) = [d for d in vm.config.hardware.device if isinstance(d, vim.vm.device.VirtualEthernetCard)]
    portgroup = named(content, vim.dvs.DistributedVirtualPortgroup, "prod-dvs-220")
    assert card.backing.port.portgroupKey == portgroup.key == portgroup.config.key
    assert card.backing.port.switchUuid == portgroup.config.distributedVirtualSwitch.uuid
    assert vm.network == [portgroup]


def test_a_datastore_tells_its_export_and_its_hosts(paris: Client, content: Any):
    datastore = named(content, vim.Datastore, "ds_ris")
    assert isinstance(datastore.info, vim.host.NasDatastoreInfo)
    record = paris.datastore("ds_ris")
    assert (datastore.info.nas.remoteHost, datastore.info.nas.remotePath) == (record.server, "/ris_vm")
    assert datastore.summary.accessible
    assert datastore.summary.multipleHostAccess
    assert 0 < datastore.summary.freeSpace < datastore.summary.capacity
    assert {m.key.name for m in datastore.host} == {h.name for h in paris.vcenter.hosts.values()}
    assert {(m.mountInfo.accessible, m.mountInfo.accessMode) for m in datastore.host} == {(True, "readWrite")}
    assert {vm.name for vm in datastore.vm} == {"ris-db01", "ris-app01", "ris-worklist01"}
    assert {d.name for d in datastore.host[0].key.datastore} == {
        "ds_ris",
        "ds_ris_db",
        "ds_pacs",
        "ds_portal",
    }


def test_a_host_that_is_refused_no_longer_reaches_its_datastore(estate: Estate, content: Any):
    datastore = named(content, vim.Datastore, "ds_ris")
    volume = estate.volume("ris_vm")
    policy = estate.world.estate.clusters[volume.cluster].svms[volume.svm].policies["esx"]
    one, other = sorted(estate.paris.vcenter.hosts.values(), key=lambda host: host.name)
    with estate.world.lock:
        policy.rules = [rule for rule in policy.rules if one.address not in rule.clients]
    mounts = {m.key.name: m.mountInfo.accessible for m in datastore.host}
    assert mounts == {one.name: False, other.name: True}
    assert datastore.summary.accessible
    estate.world.faults.add("datastore-inaccessible:ds_ris")
    assert {m.mountInfo.accessible for m in datastore.host} == {False}
    assert not datastore.summary.accessible
    assert named(content, vim.VirtualMachine, "ris-app01").runtime.connectionState == "inaccessible"


def test_hosts_clusters_pools_and_folders(paris: Client, content: Any):
    cluster = named(content, vim.ClusterComputeResource, "prod")
    assert {h.name for h in cluster.host} == {h.name for h in paris.vcenter.hosts.values()}
    assert cluster.resourcePool.name == "Resources"
    assert cluster.configurationEx.drsConfig.enabled
    assert cluster.configurationEx.drsConfig.defaultVmBehavior == "fullyAutomated"
    host = cluster.host[0]
    record = paris.vcenter.hosts[host._moId]
    assert (host.runtime.connectionState, host.runtime.inMaintenanceMode) == ("connected", False)
    assert host.parent == cluster
    with paris.world.lock:
        record.connected, record.maintenance = False, True
    assert (host.runtime.connectionState, host.runtime.inMaintenanceMode) == ("notResponding", True)
    datacenter = content.rootFolder.childEntity[0]
    assert {f.name for f in datacenter.vmFolder.childEntity} == {"RIS", "PACS", "Portal"}
    assert datacenter.vmFolder.parent == datacenter


@pytest.mark.parametrize(
    "kind",
    [
        vim.VirtualMachine, vim.HostSystem, vim.Datastore, vim.ClusterComputeResource, vim.ResourcePool, vim.Folder,
        vim.Datacenter, vim.Network, vim.dvs.DistributedVirtualPortgroup, vim.DistributedVirtualSwitch,
    ],
)  # fmt: skip
def test_every_type_can_be_read_with_all_its_properties(content: Any, kind: Any):
    found = bulk(content, {kind: None})
    assert found
    assert all({"name", "parent"} <= set(each) for each in found if each["obj"] != content.rootFolder)


def test_an_unknown_property_is_refused(content: Any):
    with pytest.raises(vmodl.query.InvalidProperty) as caught:
        bulk(content, {vim.VirtualMachine: ["name", "config.colour"]})
    assert caught.value.name == "config.colour"


def test_paths_lead_into_properties(paris: Client, content: Any):
    paths = [
        "config.files.vmPathName",
        "summary.config.name",
        "config.hardware.numCPU",
        "snapshot.currentSnapshot",
    ]
    seen = next(
        each
        for each in bulk(content, {vim.VirtualMachine: paths})
        if each["summary.config.name"] == "ris-db01"
    )
    assert seen["config.files.vmPathName"] == paris.vm("ris-db01").vmx
    assert seen["config.hardware.numCPU"] > 0
    assert "snapshot.currentSnapshot" not in seen
    (capacity,) = {each["summary.capacity"] for each in bulk(content, {vim.Datastore: ["summary.capacity"]})}
    assert capacity > 0


def test_a_walk_from_the_root_follows_named_selections(content: Any):
    again = PC.SelectionSpec(name="folders")
    folders = PC.TraversalSpec(
        name="folders",
        type=vim.Folder,
        path="childEntity",
        selectSet=[again, PC.TraversalSpec(type=vim.Datacenter, path="vmFolder", selectSet=[again])],
    )
    spec = PC.FilterSpec(
        objectSet=[PC.ObjectSpec(obj=content.rootFolder, selectSet=[folders])],
        propSet=[
            PC.PropertySpec(type=vim.VirtualMachine, pathSet=["name"]),
            PC.PropertySpec(type=vim.ManagedEntity, pathSet=["parent"]),
        ],
    )
    found = content.propertyCollector.RetrieveProperties([spec])
    vms = [each for each in found if isinstance(each.obj, vim.VirtualMachine)]
    assert len(vms) == 12
    assert {p.name for p in vms[0].propSet} == {"name", "parent"}
    assert content.rootFolder in {each.obj for each in found}


def test_a_container_view_follows_the_inventory(paris: Client, content: Any):
    view = content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], True)
    flat = content.viewManager.CreateContainerView(content.rootFolder, [], False)
    assert len(view.view) == 12
    assert flat.view == content.rootFolder.childEntity
    with paris.world.lock:
        gone = paris.vcenter.vms.pop(paris.vm("ris-db01").moref)
    assert gone.moref not in {vm._moId for vm in view.view}
    view.DestroyView()
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        _ = view.view
    lost = vim.Folder("group-v0", content.rootFolder._stub)
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        content.viewManager.CreateContainerView(lost, [], True)
    with pytest.raises(vmodl.fault.InvalidArgument):
        content.viewManager.CreateContainerView(named(content, vim.VirtualMachine, "ris-app01"), [], True)


def test_a_missing_object_fails_the_read_unless_asked_otherwise(content: Any):
    lost = vim.VirtualMachine("vm-0", content.rootFolder._stub)
    spec = PC.FilterSpec(
        objectSet=[PC.ObjectSpec(obj=lost), PC.ObjectSpec(obj=content.rootFolder)],
        propSet=[PC.PropertySpec(type=vim.ManagedEntity, pathSet=["name"])],
    )
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        content.propertyCollector.RetrieveProperties([spec])
    spec.reportMissingObjectsInResults = True
    (found,) = content.propertyCollector.RetrieveProperties([spec])
    assert found.obj == content.rootFolder


# --- many -----------------------------------------------------------------------------------------


@pytest.fixture
def crowd(paris: Client) -> Client:
    """Production with 500 VMs."""
    with paris.world.lock:
        model = paris.vm("ris-app01")
        for number in range(500 - len(paris.vcenter.vms)):
            moref = f"vm-9{number:04}"
            path = f"[ds_ris] crowd{number}/crowd{number}.vmx"
            copy = dataclasses.replace(
                model, moref=moref, name=f"crowd{number}", vmx=path, uuid=f"uuid-{number}"
            )
            paris.vcenter.vms[moref] = copy
    return paris


class Counted:
    """Counts the calls of a stub."""

    def __init__(self, stub: Any) -> None:
        self.calls = 0
        stub.requestModifierList.append(self._count)

    def _count(self, request: bytes) -> bytes:
        self.calls += 1
        return request


def test_500_vms_are_read_in_a_handful_of_requests(crowd: Client):
    content = crowd.login()
    counted = Counted(content.rootFolder._stub)
    found = bulk(content, {vim.VirtualMachine: VM_PATHS})
    assert len({each["config.uuid"] for each in found}) == 500
    assert counted.calls <= 5


def test_pages_are_as_small_as_asked_and_can_be_given_back(crowd: Client):
    content = crowd.login()
    view = content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], True)
    spec = [view_spec(view, {vim.VirtualMachine: ["name"]})]
    collector = content.propertyCollector
    first = collector.RetrievePropertiesEx(spec, PC.RetrieveOptions(maxObjects=100))
    second = collector.ContinueRetrievePropertiesEx(first.token)
    assert (len(first.objects), len(second.objects)) == (100, 100)
    assert {o.obj._moId for o in first.objects}.isdisjoint(o.obj._moId for o in second.objects)
    with pytest.raises(vmodl.fault.InvalidArgument):
        collector.ContinueRetrievePropertiesEx(first.token)
    collector.CancelRetrievePropertiesEx(second.token)
    with pytest.raises(vmodl.fault.InvalidArgument):
        collector.ContinueRetrievePropertiesEx(second.token)


def test_the_server_ends_a_page_even_when_not_asked(crowd: Client):
    content = crowd.login()
    view = content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], True)
    spec = [view_spec(view, {vim.VirtualMachine: ["name"]})]
    page = content.propertyCollector.RetrievePropertiesEx(spec, PC.RetrieveOptions())
    assert page.token
    assert len(page.objects) < 500


# --- searches -------------------------------------------------------------------------------------


def test_the_search_index_finds_vms(paris: Client, content: Any):
    record = paris.vm("pacs-win01")
    index = content.searchIndex
    vm = index.FindByInventoryPath("/paris/vm/PACS/pacs-win01")
    assert vm.name == "pacs-win01"
    assert index.FindByUuid(None, record.uuid, True, False) == vm
    assert index.FindByUuid(None, record.instance_uuid, True, True) == vm
    assert index.FindAllByUuid(None, record.uuid, True, False) == [vm]
    assert index.FindByIp(None, record.guest_ip, True) == vm
    assert index.FindByDnsName(None, "pacs-win01", True) == vm
    assert index.FindByDatastorePath(content.rootFolder.childEntity[0], record.vmx) == vm
    assert index.FindChild(vm.parent, "pacs-win01") == vm


def test_the_search_index_finds_nothing_that_is_not_there(content: Any):
    index = content.searchIndex
    assert index.FindByInventoryPath("/paris/vm/PACS/nobody") is None
    assert index.FindByUuid(None, "00000000-0000-0000-0000-000000000000", True, False) is None
    assert list(index.FindAllByUuid(None, "00000000-0000-0000-0000-000000000000", True, False)) == []


def test_a_read_leaves_no_trace(paris: Client, content: Any):
    before = dataclasses.asdict(paris.vcenter)
    bulk(content, {vim.VirtualMachine: VM_PATHS})
    named(content, vim.Datastore, "ds_ris").browser.SearchDatastoreSubFolders_Task("[ds_ris]")
    assert paris.calls() == []
    with paris.world.lock:
        assert dataclasses.asdict(paris.vcenter) == before
