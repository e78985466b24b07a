"""A virtual machine as vCenter shows it: configuration, devices, run time, guest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from drctl.lab import fitting, machines
from drctl.lab.model import Nic, Vm
from drctl.lab.vsphere import tree
from drctl.lab.vsphere.properties import Table
from drctl.lab.vsphere.scope import Kind, Scope
from drctl.lab.vsphere.values import Obj, Value, obj

CDROM_KEY: Final = 3000
_FLOPPY_KEY: Final = 8000
_TPM_KEY: Final = 11_000
_SIO_KEY: Final = 400
PCI_KEY: Final = 100
_SCSI_KEY: Final = 1000
_IDE_KEY: Final = 200

_QUESTIONS: Final[Mapping[str, str]] = {
    "msg.uuid.altered": "This virtual machine might have been moved or copied.",
    "msg.cdromdisconnect.locked": "The guest operating system has locked the CD-ROM door.",
}
"""Message id to its text."""


def _connection_state(scope: Scope, vm: Vm) -> str:
    return machines.connection_state(scope.center.world, scope.center.vcenter, vm)


# --- configuration --------------------------------------------------------------------------------


def _files(_scope: Scope, vm: Vm) -> Obj:
    folder = vm.vmx.rpartition("/")[0] + "/"
    return obj(
        "VirtualMachineFileInfo",
        vmPathName=vm.vmx,
        snapshotDirectory=folder,
        suspendDirectory=folder,
        logDirectory=folder,
    )


def _extra(_scope: Scope, vm: Vm) -> Value:
    return tuple(obj("OptionValue", key=key, value=value) for key, value in sorted(vm.extra.items()))


def devices(scope: Scope, vm: Vm) -> tuple[Obj, ...]:
    """Return the VM's virtual hardware."""
    cards = [_card(scope, vm, nic, unit) for unit, nic in enumerate(vm.nics, 7)]
    disks = [_disk(scope, key, path, unit) for unit, (key, path) in enumerate(sorted(vm.disks.items()))]
    controllers = [
        obj(
            "VirtualIDEController", key=_IDE_KEY, deviceInfo=_label("IDE 0"), busNumber=0, device=(CDROM_KEY,)
        ),
        obj("VirtualPCIController", key=PCI_KEY, deviceInfo=_label("PCI controller 0"), busNumber=0),
        obj(
            "ParaVirtualSCSIController",
            key=_SCSI_KEY,
            deviceInfo=_label("SCSI controller 0", "VMware paravirtual SCSI"),
            controllerKey=PCI_KEY,
            unitNumber=3,
            busNumber=0,
            device=tuple(sorted(vm.disks)),
            hotAddRemove=True,
            sharedBus="noSharing",
            scsiCtlrUnitNumber=7,
        ),
    ]
    return (*controllers, *_cdroms(vm), *disks, *cards, *_floppies(vm), *_tpms(vm))


def _label(label: str, summary: str = "") -> Obj:
    return obj("Description", label=label, summary=summary or label)


def _cdroms(vm: Vm) -> list[Obj]:
    if not vm.cdrom:
        return []
    return [
        obj(
            "VirtualCdrom",
            key=CDROM_KEY,
            deviceInfo=_label("CD/DVD drive 1", f"ISO {vm.cdrom}"),
            backing=obj("VirtualCdromIsoBackingInfo", fileName=vm.cdrom),
            connectable=_connectable(connected=vm.power == "poweredOn", wanted=True),
            controllerKey=_IDE_KEY,
            unitNumber=0,
        )
    ]


def _floppies(vm: Vm) -> list[Obj]:
    if not vm.floppy:
        return []
    return [
        obj("VirtualSIOController", key=_SIO_KEY, deviceInfo=_label("SIO controller 0"), busNumber=0),
        obj(
            "VirtualFloppy",
            key=_FLOPPY_KEY,
            deviceInfo=_label("Floppy drive 1", f"Image {vm.floppy}"),
            backing=obj("VirtualFloppyImageBackingInfo", fileName=vm.floppy),
            connectable=_connectable(connected=vm.power == "poweredOn", wanted=True),
            controllerKey=_SIO_KEY,
            unitNumber=0,
        ),
    ]


def _tpms(vm: Vm) -> list[Obj]:
    return [obj("VirtualTPM", key=_TPM_KEY, deviceInfo=_label("Virtual TPM"))] if vm.vtpm else []


def _key(_scope: Scope, vm: Vm) -> Value:
    """Return the key that an encrypted configuration is read with."""
    return obj("CryptoKeyId", keyId=f"key-{vm.uuid}") if vm.vtpm else None


def _disk_backing(scope: Scope, path: str, datastore: Value) -> Obj:
    lun = fitting.mapped_lun(scope.center.world, scope.center.vcenter, path)
    if lun:
        return obj(
            "VirtualDiskRawDiskMappingVer1BackingInfo",
            fileName=path,
            datastore=datastore,
            lunUuid=lun,
            deviceName=f"vml.{lun}",
            compatibilityMode="physicalMode",
            diskMode="independent_persistent",
        )
    return obj(
        "VirtualDiskFlatVer2BackingInfo",
        fileName=path,
        datastore=datastore,
        diskMode="persistent",
        thinProvisioned=True,
    )


def _disk(scope: Scope, key: int, path: str, unit: int) -> Obj:
    name = path.partition("]")[0].removeprefix("[")
    found = (tree.datastore_ref(d) for d in scope.center.vcenter.datastores.values() if d.name == name)
    return obj(
        "VirtualDisk",
        key=key,
        deviceInfo=_label(f"Hard disk {unit + 1}", "41,943,040 KB"),
        backing=_disk_backing(scope, path, next(found, None)),
        controllerKey=_SCSI_KEY,
        unitNumber=unit if unit < 7 else unit + 1,
        capacityInKB=41_943_040,
        capacityInBytes=42_949_672_960,
    )


def _connectable(*, connected: bool, wanted: bool) -> Obj:
    return obj(
        "VirtualDeviceConnectInfo",
        startConnected=wanted,
        allowGuestControl=True,
        connected=connected and wanted,
        status="ok" if connected else "untried",
    )


def _card(scope: Scope, vm: Vm, nic: Nic, unit: int) -> Obj:
    backing = _card_backing(scope, nic)
    return obj(
        "VirtualVmxnet3",
        key=nic.key,
        deviceInfo=_label(nic.label, backing.text("deviceName") or f"DVSwitch: {nic.backing}"),
        backing=backing,
        connectable=_connectable(connected=vm.power == "poweredOn", wanted=nic.connected),
        controllerKey=PCI_KEY,
        unitNumber=unit,
        addressType="assigned",
        macAddress=nic.mac,
        wakeOnLanEnabled=True,
    )


def _card_backing(scope: Scope, nic: Nic) -> Obj:
    """Return how a NIC is plugged; a backing of another vCenter has ids or a name, but no network."""
    network = scope.center.vcenter.networks.get(nic.network or "")
    if network is not None and network.kind == "distributed":
        return _port(network.switch_uuid, network.portgroup_key)
    if network is not None:
        return obj(
            "VirtualEthernetCardNetworkBackingInfo",
            deviceName=network.name,
            useAutoDetect=False,
            network=tree.network_ref(network),
        )
    switch, slash, key = nic.backing.partition("/")
    if slash:
        return _port(switch, key)
    return obj("VirtualEthernetCardNetworkBackingInfo", deviceName=nic.backing, useAutoDetect=False)


def _port(switch: str, portgroup: str) -> Obj:
    connection = obj("DistributedVirtualSwitchPortConnection", switchUuid=switch, portgroupKey=portgroup)
    return obj("VirtualEthernetCardDistributedVirtualPortBackingInfo", port=connection)


# --- run time -------------------------------------------------------------------------------------


def question_id(vm: Vm) -> str:
    """Return the id of the question a VM is stopped by."""
    return f"_{vm.moref}_{vm.question}"


def _question(_scope: Scope, vm: Vm) -> Value:
    if vm.question is None:
        return None
    text = _QUESTIONS.get(vm.question, "The virtual machine waits for an answer.")
    choices = tuple(
        obj("ElementDescription", key=str(number), label=button, summary=button.rpartition(".")[2])
        for number, button in enumerate(machines.CHOICES.get(vm.question, ()))
    )
    return obj(
        "VirtualMachineQuestionInfo",
        id=question_id(vm),
        text=f"{vm.question}:{text}",
        choice=obj("ChoiceOption", choiceInfo=choices, defaultIndex=len(choices) - 1),
        message=(obj("VirtualMachineMessage", id=vm.question, text=text),),
    )


def _host(scope: Scope, vm: Vm) -> Value:
    host = scope.center.vcenter.hosts.get(vm.host)
    return tree.host_ref(host) if host else None


def _networks(scope: Scope, vm: Vm) -> Value:
    known = scope.center.vcenter.networks
    return tuple({tree.network_ref(known[nic.network]): None for nic in vm.nics if nic.network in known})


def _datastores(scope: Scope, vm: Vm) -> Value:
    known = scope.center.vcenter.datastores
    names = {path.partition("]")[0].removeprefix("[") for path in vm.disks.values()}
    found = {moref: each for moref, each in known.items() if moref == vm.datastore or each.name in names}
    return tuple(tree.datastore_ref(each) for each in found.values())


# --- guest ----------------------------------------------------------------------------------------


def _running(vm: Vm) -> bool:
    return vm.power == "poweredOn" and vm.booted


def _guest_nets(scope: Scope, vm: Vm) -> Value:
    if not _running(vm):
        return None
    return tuple(_guest_net(scope, vm, nic, first=index == 0) for index, nic in enumerate(vm.nics))


def _guest_net(scope: Scope, vm: Vm, nic: Nic, *, first: bool) -> Obj:
    network = scope.center.vcenter.networks.get(nic.network or "")
    addresses = (vm.guest_ip,) if first and vm.guest_ip else ()
    prefix = machines.prefix_of(scope.center.world, network, vm.guest_ip) if network else 24
    details = tuple(
        obj("NetIpConfigInfoIpAddress", ipAddress=each, prefixLength=prefix, state="preferred")
        for each in addresses
    )
    return obj(
        "GuestNicInfo",
        network=network.name if network else None,
        ipAddress=addresses,
        macAddress=nic.mac,
        connected=nic.connected and network is not None,
        deviceConfigId=nic.key,
        ipConfig=obj("NetIpConfigInfo", ipAddress=details),
    )


def _guest_name(vm: Vm) -> str:
    return "Microsoft Windows Server 2022 (64-bit)" if vm.windows else "Debian GNU/Linux 12 (64-bit)"


def _guest_id(vm: Vm) -> str:
    return "windows2019srvNext_64Guest" if vm.windows else "debian12_64Guest"


_VM: Final = Table[Vm](
    lambda scope, moref: scope.center.vcenter.vms.get(moref),
    {
        "name": lambda _scope, vm: vm.name,
        "parent": lambda _scope, vm: tree.folder_ref(vm.folder),
        "resourcePool": lambda _scope, vm: None if vm.template else tree.pool_ref(vm.pool),
        "datastore": _datastores,
        "network": _networks,
        "overallStatus": lambda _scope, _vm: "green",
        "guestHeartbeatStatus": lambda _scope, vm: "green" if _running(vm) else "gray",
        "config.name": lambda _scope, vm: vm.name,
        "config.uuid": lambda _scope, vm: vm.uuid,
        "config.instanceUuid": lambda _scope, vm: vm.instance_uuid,
        "config.annotation": lambda _scope, vm: vm.annotation,
        "config.template": lambda _scope, vm: vm.template,
        "config.changeVersion": lambda _scope, vm: str(vm.change_version),
        "config.modified": lambda scope, _vm: scope.center.world.now().replace(
            minute=0, second=0, microsecond=0
        ),
        "config.version": lambda _scope, vm: f"vmx-{vm.hardware}",
        "config.keyId": _key,
        "config.guestFullName": lambda _scope, vm: _guest_name(vm),
        "config.guestId": lambda _scope, vm: _guest_id(vm),
        "config.files": _files,
        "config.extraConfig": _extra,
        "config.hardware.numCPU": lambda _scope, _vm: 4,
        "config.hardware.memoryMB": lambda _scope, _vm: 16_384,
        "config.hardware.numCoresPerSocket": lambda _scope, _vm: 1,
        "config.hardware.device": devices,
        "runtime.host": _host,
        "runtime.powerState": lambda _scope, vm: vm.power,
        "runtime.connectionState": _connection_state,
        "runtime.question": _question,
        "guest.toolsRunningStatus": lambda _scope, vm: (
            "guestToolsRunning" if _running(vm) else "guestToolsNotRunning"
        ),
        "guest.toolsStatus": lambda _scope, vm: "toolsOk" if _running(vm) else "toolsNotRunning",
        "guest.guestState": lambda _scope, vm: "running" if _running(vm) else "notRunning",
        "guest.guestOperationsReady": lambda _scope, vm: _running(vm),
        "guest.guestFamily": lambda _scope, vm: (
            ("windowsGuest" if vm.windows else "linuxGuest") if _running(vm) else None
        ),
        "guest.guestFullName": lambda _scope, vm: _guest_name(vm) if _running(vm) else None,
        "guest.hostName": lambda _scope, vm: vm.name if _running(vm) else None,
        "guest.ipAddress": lambda _scope, vm: vm.guest_ip if _running(vm) else None,
        "guest.net": _guest_nets,
        "summary.vm": lambda _scope, vm: tree.vm_ref(vm),
        "summary.overallStatus": lambda _scope, _vm: "green",
        "summary.config.name": lambda _scope, vm: vm.name,
        "summary.config.template": lambda _scope, vm: vm.template,
        "summary.config.vmPathName": lambda _scope, vm: vm.vmx,
        "summary.config.uuid": lambda _scope, vm: vm.uuid,
        "summary.config.instanceUuid": lambda _scope, vm: vm.instance_uuid,
        "summary.config.annotation": lambda _scope, vm: vm.annotation,
        "summary.runtime.host": _host,
        "summary.runtime.powerState": lambda _scope, vm: vm.power,
        "summary.runtime.connectionState": _connection_state,
        "summary.runtime.question": _question,
        "summary.guest.toolsRunningStatus": lambda _scope, vm: (
            "guestToolsRunning" if _running(vm) else "guestToolsNotRunning"
        ),
        "summary.guest.hostName": lambda _scope, vm: vm.name if _running(vm) else None,
        "summary.guest.ipAddress": lambda _scope, vm: vm.guest_ip if _running(vm) else None,
    },
)

KINDS: Final[Mapping[str, Kind]] = {"VirtualMachine": _VM}
"""The managed type of virtual machines."""
