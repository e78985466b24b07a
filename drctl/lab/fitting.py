"""What keeps a VM from starting on a host although its files are there: hardware version, vTPM, mapped LUNs."""

from __future__ import annotations

import re

from drctl.lab.compute import VimFault, files, find_datastore, split_path
from drctl.lab.model import Host, VCenter, Vm
from drctl.lab.world import World

_MAPPED = re.compile(r'^RW \d+ VMFSRDM "(.+)"$', re.MULTILINE)


def mapping(lun: str) -> str:
    """The descriptor of a disk that stands for a LUN; a mirror carries it, but not the LUN."""
    return f'createType="vmfsRawDeviceMap"\nRW 83886080 VMFSRDM "{lun}"\n'


def mapped_lun(world: World, vcenter: VCenter, path: str) -> str:
    """The LUN that a disk stands for, empty for a disk of its own or one that cannot be read."""
    try:
        label, file = split_path(path)
        datastore = find_datastore(vcenter, label)
        text = files(world, vcenter, datastore).get(file, "") if datastore else ""
    except VimFault:
        return ""
    found = _MAPPED.search(text)
    return found[1] if found else ""


def check(world: World, vcenter: VCenter, vm: Vm, host: Host) -> None:
    """Refuse to start what this host cannot run.

    Raises:
        VimFault: VirtualHardwareVersionNotSupported, EncryptionKeyRequired, DeviceBackingNotSupported.
    """
    if vm.hardware > host.hardware:
        raise VimFault(
            "VirtualHardwareVersionNotSupported",
            f"Virtual machine version 'vmx-{vm.hardware}' is not supported on host {host.name}.",
            hostName=host.name,
            host=host.moref,
        )
    if vm.vtpm and not vcenter.key_provider:
        raise VimFault("EncryptionKeyRequired", f"{vm.name}: the encryption key is not available.")
    for number, (_, path) in enumerate(sorted(vm.disks.items()), 1):
        lun = mapped_lun(world, vcenter, path)
        if lun and lun not in host.luns:
            raise VimFault(
                "DeviceBackingNotSupported",
                f"Hard disk {number} maps LUN {lun}, which host {host.name} does not see.",
                device=f"Hard disk {number}",
                backing=lun,
            )
