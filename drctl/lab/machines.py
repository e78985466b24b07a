"""VMs: registration from a .vmx, power, boot, questions, NICs, guests."""

from __future__ import annotations

from dataclasses import dataclass, field

from drctl.lab.model import Task, VCenter, Vm
from drctl.lab.world import World


@dataclass(frozen=True)
class NicChange:
    """A new backing for one NIC; ``network`` is a moref of this vCenter."""

    key: int
    network: str | None = None
    connected: bool | None = None
    mac: str | None = None


@dataclass(frozen=True)
class VmChange:
    """What one ReconfigVM changes."""

    nics: tuple[NicChange, ...] = ()
    disks: dict[int, str] = field(default_factory=dict)
    """Device key to new backing ``[datastore] path``."""
    cdrom: str | None = None
    """New ISO path; ``""`` removes it."""
    extra: dict[str, str] = field(default_factory=dict)
    annotation: str | None = None
    name: str | None = None


def register(
    world: World,
    vcenter: VCenter,
    path: str,
    *,
    name: str | None,
    folder: str,
    pool: str,
    host: str | None = None,
    template: bool = False,
) -> Task:
    """RegisterVM_Task from ``[datastore] dir/file.vmx``; result is the new VM's moref.

    ``folder`` is a key of ``VCenter.folders``, ``pool`` a cluster name, ``host`` a host's moref.
    """
    raise NotImplementedError


def unregister(world: World, vcenter: VCenter, vm: Vm) -> None:
    """UnregisterVM, synchronous; InvalidPowerState while on."""
    raise NotImplementedError


def reconfigure(
    world: World, vcenter: VCenter, vm: Vm, change: VmChange, *, change_version: str | None = None
) -> Task:
    """ReconfigVM_Task; ConcurrentAccess when the change version is stale."""
    raise NotImplementedError


def power_on(world: World, vcenter: VCenter, vm: Vm, host: str | None = None) -> Task:
    """PowerOnVM_Task; a duplicate identity asks msg.uuid.altered while the task runs."""
    raise NotImplementedError


def power_off(world: World, vcenter: VCenter, vm: Vm) -> Task:
    """PowerOffVM_Task."""
    raise NotImplementedError


def shutdown_guest(world: World, vcenter: VCenter, vm: Vm) -> None:
    """ShutdownGuest, returns at once; ToolsUnavailable when tools do not run."""
    raise NotImplementedError


def answer(world: World, vcenter: VCenter, vm: Vm, choice: str) -> None:
    """AnswerVM: ``button.uuid.movedTheVM``, ``button.uuid.copiedTheVM`` or cancel."""
    raise NotImplementedError


def check_login(world: World, vm: Vm, username: str, password: str) -> None:
    """InvalidGuestLogin, GuestOperationsUnavailable or nothing."""
    raise NotImplementedError


def set_guest_ip(world: World, vm: Vm, address: str) -> None:
    """The guest takes another address (what a command run inside it did); it is on the disk from then on."""
    raise NotImplementedError


def network_of(vcenter: VCenter, name: str) -> str | None:
    """Moref of the network of that name."""
    return next((m for m, n in vcenter.networks.items() if n.name == name), None)
