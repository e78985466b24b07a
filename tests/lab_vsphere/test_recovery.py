"""Bringing VMs up at the standby: mount, register, connect, power on; and every wrong order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pyVim.task import TaskBlocked, WaitForTask
from pyVmomi import vim, vmodl
from vcenter_client import Client, Estate, bulk, finish, named

from drctl.lab.world import World

VMX = "[ds_ris] ris-app01/ris-app01.vmx"


def mount(client: Client, content: Any, name: str, path: str | None = None, **options: Any) -> list[Any]:
    """Mount an export on every host; return what each answered."""
    spec = vim.host.NasVolume.Specification(
        remoteHost=server_of(client), remotePath=path or f"/{name.replace('ds_', '').removesuffix('_vm')}_vm",
        localPath=name, accessMode="readWrite", **options,
    )  # fmt: skip
    hosts = sorted(named(content, vim.ClusterComputeResource, "dr").host, key=lambda host: host.name)
    return [host.configManager.datastoreSystem.CreateNasDatastore(spec) for host in hosts]


def server_of(client: Client) -> str:
    svms = client.world.estate.clusters["ontap-lyon"].svms.values()
    return next(lif.address for svm in svms for lif in svm.lifs.values() if lif.name.startswith("lif_nfs"))


def register(content: Any, path: str = VMX, name: str = "ris-app01", **options: Any) -> Any:
    """Register a VM in the standby's cluster; return it."""
    pool = named(content, vim.ClusterComputeResource, "dr").resourcePool
    folder = content.searchIndex.FindByInventoryPath("lyon/vm/RIS")
    return finish(folder.RegisterVm(path=path, name=name, asTemplate=False, pool=pool, **options))


def keep(vm: Any) -> None:
    """Keep the VM's identity when it starts in its new place."""
    option = vim.option.OptionValue(key="uuid.action", value="keep")
    finish(vm.ReconfigVM_Task(vim.vm.ConfigSpec(extraConfig=[option])))


def card_of(vm: Any) -> Any:
    return next(d for d in vm.config.hardware.device if isinstance(d, vim.vm.device.VirtualEthernetCard))


def edit(device: Any) -> Any:
    change = vim.vm.device.VirtualDeviceSpec(operation="edit", device=device)
    return vim.vm.ConfigSpec(deviceChange=[change])


@pytest.fixture
def standby(estate: Estate) -> Any:
    """A session at the standby, the volume of the first datastore broken, mounted and exported."""
    estate.publish("ris_vm")
    return estate.lyon.login()


@pytest.fixture
def mounted(lyon: Client, standby: Any) -> Any:
    """The same, with the datastore mounted on every host."""
    mount(lyon, standby, "ds_ris")
    return standby


# --- datastores -----------------------------------------------------------------------------------


def test_one_export_on_two_hosts_is_one_datastore(lyon: Client, standby: Any):
    made = mount(lyon, standby, "ds_ris")
    assert made[0] == made[1]
    assert len(made[0].host) == 2
    assert made[0].summary.multipleHostAccess
    assert [call for call, _ in lyon.calls()] == ["CreateNasDatastore"] * 2
    assert {target for _, target in lyon.calls()} == {
        f"ds_ris on {h.name}" for h in lyon.vcenter.hosts.values()
    }


def test_an_export_is_mounted_once_per_host_and_a_name_used_once(lyon: Client, mounted: Any, estate: Estate):
    with pytest.raises(vim.fault.AlreadyExists):
        mount(lyon, mounted, "ds_other", "/ris_vm")
    estate.publish("pacs_vm")
    with pytest.raises(vim.fault.DuplicateName):
        mount(lyon, mounted, "ds_ris", "/pacs_vm")


def test_a_name_taken_by_another_export_gets_a_number(lyon: Client, standby: Any, estate: Estate):
    one, other = sorted(named(standby, vim.ClusterComputeResource, "dr").host, key=lambda host: host.name)
    estate.publish("pacs_vm")
    spec = vim.host.NasVolume.Specification(
        remoteHost=server_of(lyon), remotePath="/ris_vm", localPath="ds_ris", accessMode="readWrite"
    )
    first = one.configManager.datastoreSystem.CreateNasDatastore(spec)
    spec.remotePath = "/pacs_vm"
    second = other.configManager.datastoreSystem.CreateNasDatastore(spec)
    assert (first.name, second.name) == ("ds_ris", "ds_ris (1)")


def test_a_mount_that_the_array_refuses_says_so(lyon: Client):
    with pytest.raises(vim.fault.PlatformConfigFault) as caught:
        mount(lyon, lyon.login(), "ds_ris")
    assert "denied" in caught.value.text
    assert lyon.vcenter.datastores == {}


def test_a_disconnected_host_cannot_mount(lyon: Client, standby: Any):
    with lyon.world.lock:
        for host in lyon.vcenter.hosts.values():
            host.connected = False
    with pytest.raises(vmodl.fault.HostNotConnected):
        mount(lyon, standby, "ds_ris")


def test_a_datastore_leaves_host_by_host_unless_vms_use_it(lyon: Client, mounted: Any):
    datastore = named(mounted, vim.Datastore, "ds_ris")
    vm = register(mounted)
    for host in (each.key for each in datastore.host):
        host.configManager.storageSystem.RescanAllHba()
        host.configManager.storageSystem.RescanVmfs()
        host.configManager.storageSystem.RefreshStorageSystem()
    with pytest.raises(vim.fault.ResourceInUse):
        vm.runtime.host.configManager.datastoreSystem.RemoveDatastore(datastore)
    vm.UnregisterVM()
    for host in [each.key for each in datastore.host]:
        host.configManager.datastoreSystem.RemoveDatastore(datastore)
    assert bulk(mounted, {vim.Datastore: ["name"]}) == []


def test_a_datastore_gets_the_name_it_should_have(lyon: Client, estate: Estate, mounted: Any):
    estate.publish("pacs_vm")
    mount(lyon, mounted, "ds_pacs", "/pacs_vm")
    datastore, other = named(mounted, vim.Datastore, "ds_ris"), named(mounted, vim.Datastore, "ds_pacs")
    vm = register(mounted)
    with pytest.raises(vim.fault.DuplicateName) as caught:
        finish(datastore.Rename_Task("ds_pacs"))
    assert caught.value.object == other
    finish(datastore.Rename_Task("ds_ris_dr"))
    assert datastore.name == datastore.summary.name == "ds_ris_dr"
    assert vm.config.files.vmPathName == "[ds_ris_dr] ris-app01/ris-app01.vmx"
    assert ("Rename_Task", "ds_ris") in lyon.calls()
    calls = lyon.calls()
    datastore.RefreshDatastore()
    assert lyon.calls() == calls


# --- registration ---------------------------------------------------------------------------------


def test_a_registered_vm_is_what_its_vmx_says(lyon: Client, paris: Client, mounted: Any):
    vm = register(mounted)
    model = paris.vm("ris-app01")
    assert vm.config.uuid == model.uuid
    assert vm.config.instanceUuid not in {vm.config.uuid, model.instance_uuid}
    assert card_of(vm).macAddress == model.nics[0].mac
    assert card_of(vm).backing.deviceName == "prod-200"  # a name that means nothing here
    assert card_of(vm).backing.network is None
    assert list(vm.network) == []
    assert vm.parent.name == "RIS"
    assert vm.runtime.powerState == "poweredOff"
    assert lyon.calls()[-1] == ("RegisterVM_Task", "ris-app01")


def test_registering_before_the_mount_fails(standby: Any):
    with pytest.raises(vim.fault.InvalidDatastorePath):
        register(standby)


@pytest.mark.parametrize(
    ("path", "fault"),
    [("[ds_ris] nobody/nobody.vmx", vim.fault.NotFound), ("ris-app01.vmx", vim.fault.InvalidDatastorePath)],
)
def test_registering_what_is_not_there_fails(mounted: Any, path: str, fault: type[Exception]):
    with pytest.raises(fault):
        register(mounted, path)


def test_registering_on_an_inaccessible_datastore_fails(mounted: Any, world: World):
    world.faults.add("datastore-inaccessible:ds_ris")
    with pytest.raises(vim.fault.InaccessibleDatastore):
        register(mounted)


def test_registering_twice_fails(mounted: Any):
    register(mounted)
    with pytest.raises(vim.fault.AlreadyExists):
        register(mounted, name="another-name")
    with pytest.raises(vim.fault.DuplicateName):
        register(mounted, path="[ds_ris] ris-db01/ris-db01.vmx")


def test_the_fault_register_duplicate_strikes_once(mounted: Any, world: World):
    world.faults.add("register-duplicate:ris-app01:once")
    with pytest.raises(vim.fault.AlreadyExists):
        register(mounted)
    assert register(mounted).name == "ris-app01"


def test_a_vm_needs_a_pool_and_a_template_has_none(mounted: Any):
    folder = mounted.searchIndex.FindByInventoryPath("lyon/vm/RIS")
    host = named(mounted, vim.ClusterComputeResource, "dr").host[0]
    with pytest.raises(vmodl.fault.InvalidArgument):
        folder.RegisterVm(path=VMX, asTemplate=False)
    template = finish(folder.RegisterVm(path=VMX, asTemplate=True, host=host))
    assert template.config.template
    assert template.resourcePool is None
    with pytest.raises(vmodl.fault.NotSupported):
        template.PowerOn()
    template.MarkAsVirtualMachine(named(mounted, vim.ClusterComputeResource, "dr").resourcePool)
    assert not template.config.template


def test_folders_are_made_inside_folders(lyon: Client):
    content = lyon.login()
    root = content.rootFolder.childEntity[0].vmFolder
    outer = root.CreateFolder("Tier1")
    inner = outer.CreateFolder("Viewers")
    assert content.searchIndex.FindByInventoryPath("lyon/vm/Tier1/Viewers") == inner
    assert inner.parent == outer
    with pytest.raises(vim.fault.DuplicateName) as caught:
        root.CreateFolder("Tier1")
    assert caught.value.object == outer
    with pytest.raises(vmodl.fault.NotSupported):
        content.rootFolder.CreateFolder("Elsewhere")


# --- reconfiguration ------------------------------------------------------------------------------


def test_a_card_moves_to_a_standard_portgroup(mounted: Any):
    vm = register(mounted)
    card, network = card_of(vm), named(mounted, vim.Network, "dr-200")
    card.backing = vim.vm.device.VirtualEthernetCard.NetworkBackingInfo(deviceName="dr-200", network=network)
    card.connectable.startConnected = True
    finish(vm.ReconfigVM_Task(edit(card)))
    assert card_of(vm).backing.network == network
    assert list(vm.network) == [network]
    assert list(network.vm) == [vm]


def test_a_card_moves_between_distributed_switches(estate: Estate, lyon: Client):
    estate.publish("pacs_vm")
    content = lyon.login()
    mount(lyon, content, "ds_pacs", "/pacs_vm")
    vm = register(content, "[ds_pacs] pacs-app01/pacs-app01.vmx", "pacs-app01")
    card = card_of(vm)
    assert isinstance(card.backing, vim.vm.device.VirtualEthernetCard.DistributedVirtualPortBackingInfo)
    assert list(vm.network) == []  # the other vCenter's switch
    portgroup = named(content, vim.dvs.DistributedVirtualPortgroup, "dr-dvs-220")
    assert card.backing.port.portgroupKey != portgroup.key
    finish(vm.ReconfigVM_Task(edit(card)))  # what it has may stay
    card.backing.port = vim.dvs.PortConnection(
        switchUuid=portgroup.config.distributedVirtualSwitch.uuid, portgroupKey=portgroup.key
    )
    finish(vm.ReconfigVM_Task(edit(card)))
    assert list(vm.network) == [portgroup]


def _unknown_name(card: Any) -> None:
    card.backing = vim.vm.device.VirtualEthernetCard.NetworkBackingInfo(deviceName="nowhere")


def _unknown_switch(card: Any) -> None:
    port = vim.dvs.PortConnection(switchUuid="50 00", portgroupKey="dvportgroup-0")
    card.backing = vim.vm.device.VirtualEthernetCard.DistributedVirtualPortBackingInfo(port=port)


def _unknown_key(card: Any) -> None:
    card.key = 4711


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (_unknown_name, vim.fault.InvalidDeviceBacking),
        (_unknown_switch, vim.fault.InvalidDeviceBacking),
        (_unknown_key, vim.fault.InvalidDeviceSpec),
    ],
)
def test_a_wrong_card_fails_the_task(mounted: Any, spoil: Callable[[Any], None], fault: type[Exception]):
    vm = register(mounted)
    card = card_of(vm)
    spoil(card)
    task = vm.ReconfigVM_Task(edit(card))
    with pytest.raises(fault) as caught:
        finish(task)
    assert caught.value.deviceIndex == 0


def test_a_card_can_be_disconnected_and_get_a_mac(mounted: Any):
    vm = register(mounted)
    card = card_of(vm)
    card.backing = None
    card.connectable.startConnected = False
    card.addressType, card.macAddress = "manual", "00:50:56:00:00:01"
    finish(vm.ReconfigVM_Task(edit(card)))
    assert not card_of(vm).connectable.startConnected
    assert card_of(vm).macAddress == "00:50:56:00:00:01"


def test_a_disk_finds_its_datastore_again(estate: Estate, lyon: Client, mounted: Any):
    vm = register(mounted, "[ds_ris] ris-db01/ris-db01.vmx", "ris-db01")
    disks = [d for d in vm.config.hardware.device if isinstance(d, vim.vm.device.VirtualDisk)]
    assert disks[1].backing.fileName.startswith("/vmfs/volumes/")  # the other site's datastore
    assert disks[1].backing.datastore is None
    keep(vm)
    with pytest.raises(vim.fault.FileNotFound):
        finish(vm.PowerOn())
    estate.publish("ris_db")
    mount(lyon, mounted, "ds_ris_db", "/ris_db")
    disks[1].backing.fileName = "[ds_ris_db] nobody/nobody.vmdk"
    with pytest.raises(vim.fault.FileNotFound):
        finish(vm.ReconfigVM_Task(edit(disks[1])))
    disks[1].backing.fileName = "[ds_ris_db] ris-db01/ris-db01_1.vmdk"
    finish(vm.ReconfigVM_Task(edit(disks[1])))
    assert {each.name for each in vm.datastore} == {"ds_ris", "ds_ris_db"}
    finish(vm.PowerOn())


def test_a_lost_iso_is_taken_out(estate: Estate, lyon: Client):
    estate.publish("portal_vm")
    content = lyon.login()
    mount(lyon, content, "ds_portal", "/portal_vm")
    path = next(
        p for p, text in estate.volume("portal_vm").files.items() if p.endswith(".vmx") and ".iso" in text
    )
    vm = register(content, f"[ds_portal] {path}", "with-iso")
    (drive,) = [d for d in vm.config.hardware.device if isinstance(d, vim.vm.device.VirtualCdrom)]
    assert drive.backing.fileName.endswith("tools.iso")
    remove = vim.vm.device.VirtualDeviceSpec(operation="remove", device=drive)
    finish(vm.ReconfigVM_Task(vim.vm.ConfigSpec(deviceChange=[remove])))
    assert not [d for d in vm.config.hardware.device if isinstance(d, vim.vm.device.VirtualCdrom)]


def test_annotation_and_options_are_kept_and_count_as_changes(mounted: Any):
    vm = register(mounted)
    before = vm.config.changeVersion
    option = vim.option.OptionValue(key="guestinfo.site", value="lyon")
    spec = vim.vm.ConfigSpec(annotation="drctl:run:step", extraConfig=[option], changeVersion=before)
    finish(vm.ReconfigVM_Task(spec))
    assert vm.config.annotation == "drctl:run:step"
    assert {o.key: o.value for o in vm.config.extraConfig}["guestinfo.site"] == "lyon"
    assert vm.config.changeVersion != before
    with pytest.raises(vim.fault.ConcurrentAccess):
        finish(vm.ReconfigVM_Task(spec))


def test_what_cannot_be_reconfigured_says_so(mounted: Any):
    vm = register(mounted)
    with pytest.raises(vmodl.fault.NotSupported, match="numCPUs"):
        finish(vm.ReconfigVM_Task(vim.vm.ConfigSpec(numCPUs=8)))


def test_a_read_only_volume_takes_no_change_and_starts_nothing(estate: Estate, lyon: Client):
    estate.publish("ris_vm", writable=False)
    content = lyon.login()
    mount(lyon, content, "ds_ris")
    vm = register(content)
    with pytest.raises(vim.fault.CannotAccessFile):
        keep(vm)
    with pytest.raises(vim.fault.GenericVmConfigFault, match="swap"):
        finish(vm.PowerOn())


# --- power ----------------------------------------------------------------------------------------


def test_a_vm_boots_and_its_tools_answer(lyon: Client, mounted: Any):
    vm = register(mounted)
    keep(vm)
    finish(vm.PowerOn())
    assert vm.runtime.powerState == "poweredOn"
    assert lyon.world.wait(lambda: lyon.vm("ris-app01").booted)
    assert vm.guest.toolsRunningStatus == "guestToolsRunning"
    assert vm.guest.ipAddress == lyon.vm("ris-app01").guest_ip
    with pytest.raises(vim.fault.InvalidPowerState) as caught:
        vm.PowerOn()
    assert (caught.value.existingState, caught.value.requestedState) == ("poweredOn", "poweredOn")
    with pytest.raises(vim.fault.InvalidPowerState):
        vm.UnregisterVM()
    vm.ShutdownGuest()
    assert lyon.world.wait(lambda: lyon.vm("ris-app01").power == "poweredOff")
    vm.UnregisterVM()
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        _ = vm.name


def test_a_guest_without_tools_cannot_be_shut_down(mounted: Any, world: World):
    world.faults.add("vm-stuck-booting:ris-app01")
    vm = register(mounted)
    keep(vm)
    finish(vm.PowerOn())
    world.advance(3600)
    assert vm.guest.toolsRunningStatus == "guestToolsNotRunning"
    assert vm.guestHeartbeatStatus == "gray"
    assert vm.guest.ipAddress is None
    with pytest.raises(vim.fault.ToolsUnavailable):
        vm.ShutdownGuest()
    finish(vm.PowerOff())


@pytest.mark.parametrize(
    ("key", "button", "same_identity"),
    [("1", "button.uuid.movedTheVM", True), ("2", "button.uuid.copiedTheVM", False)],
)
def test_a_vm_in_a_new_place_asks_who_it_is(
    lyon: Client, paris: Client, mounted: Any, key: str, button: str, *, same_identity: bool
):
    vm = register(mounted)
    task = vm.PowerOn()
    assert lyon.world.wait(lambda: lyon.vm("ris-app01").question is not None)
    with pytest.raises(TaskBlocked):
        WaitForTask(task)
    question = vm.runtime.question
    assert question.message[0].id == "msg.uuid.altered"
    assert {c.key: c.label for c in question.choice.choiceInfo}[key] == button
    with pytest.raises(vmodl.fault.InvalidArgument):
        vm.AnswerVM("_other", key)
    vm.AnswerVM(question.id, key)
    finish(task)
    assert vm.runtime.question is None
    assert vm.runtime.powerState == "poweredOn"
    assert (vm.config.uuid == paris.vm("ris-app01").uuid) is same_identity
    assert (card_of(vm).macAddress == paris.vm("ris-app01").nics[0].mac) is same_identity


def test_any_vm_can_stop_with_a_question(mounted: Any, world: World, lyon: Client):
    world.faults.add("vm-question:ris-app01:once")
    vm = register(mounted)
    keep(vm)
    task = vm.PowerOn()
    assert world.wait(lambda: lyon.vm("ris-app01").question is not None)
    question = vm.runtime.question
    vm.AnswerVM(question.id, question.choice.choiceInfo[0].key)
    finish(task)
    assert vm.runtime.powerState == "poweredOn"


def test_many_vms_are_started_by_one_task(lyon: Client, mounted: Any):
    vms = [register(mounted, f"[ds_ris] {n}/{n}.vmx", n) for n in ("ris-app01", "ris-worklist01")]
    for vm in vms:
        keep(vm)
    datacenter = mounted.rootFolder.childEntity[0]
    result = finish(datacenter.PowerOnMultiVM_Task(vms))
    assert [each.vm for each in result.attempted] == vms
    for each in result.attempted:
        finish(each.task)
    again = finish(datacenter.PowerOnMultiVM_Task(vms))
    assert [type(each.fault) for each in again.notAttempted] == [vim.fault.InvalidPowerState] * 2
    assert lyon.calls().count(("PowerOnMultiVM_Task", "ris-app01")) == 2


def test_manual_placement_only_recommends(lyon: Client, mounted: Any):
    vm = register(mounted)
    keep(vm)
    with lyon.world.lock:
        lyon.vcenter.clusters["dr"] = False
    datacenter = mounted.rootFolder.childEntity[0]
    assert (
        named(mounted, vim.ClusterComputeResource, "dr").configurationEx.drsConfig.defaultVmBehavior
        == "manual"
    )
    result = finish(datacenter.PowerOnMultiVM_Task([vm]))
    assert [each.target for each in result.recommendations] == [vm]
    assert vm.runtime.powerState == "poweredOff"
    override = vim.option.OptionValue(key="OverrideAutomationLevel", value="fullyAutomated")
    result = finish(datacenter.PowerOnMultiVM_Task([vm], [override]))
    finish(result.attempted[0].task)
    assert vm.runtime.powerState == "poweredOn"


def test_nothing_is_deleted_and_who_tries_is_seen(lyon: Client, mounted: Any):
    vm = register(mounted)
    with pytest.raises(vmodl.fault.NotSupported):
        vm.Destroy_Task()
    assert lyon.calls()[-1] == ("Destroy_Task", "ris-app01")
    assert vm.name == "ris-app01"


def test_a_vm_is_renamed_and_made_a_template(lyon: Client, mounted: Any):
    vm = register(mounted)
    finish(vm.Rename_Task("ris-app01-dr"))
    assert vm.name == "ris-app01-dr"
    vm.MarkAsTemplate()
    assert vm.config.template
