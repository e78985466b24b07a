"""What was seen of a vCenter: plain frozen data, built by ``reads`` or from a case file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class HostSeen:
    """An ESXi host; ``state`` is vSphere's connectionState."""

    name: str
    moref: str = ""
    state: str = "connected"
    maintenance: bool = False

    @property
    def usable(self) -> bool:
        """Say whether VMs can be started on it."""
        return self.state == "connected" and not self.maintenance

    @property
    def reason(self) -> str:
        """Say why it is not usable, in two words at most."""
        return "in maintenance" if self.state == "connected" else self.state


@dataclass(frozen=True, slots=True)
class HostMount:
    """A datastore as one host of the cluster has it; ``datastore`` is empty where it is not mounted."""

    host: HostSeen
    datastore: str = ""
    accessible: bool = False
    mode: str = ""
    """readWrite or readOnly."""

    @property
    def mounted(self) -> bool:
        """Say whether the host has it at all."""
        return bool(self.datastore)


NFS3: Final = "NFS"
"""What vSphere calls version 3, the one that is mounted here; 4.1 is ``NFS41``."""


@dataclass(frozen=True, slots=True)
class NfsState:
    """An export as the hosts of a cluster have it.

    ``known_as`` are names and ids of the datastores with that server and path; ``spelt`` is how the first
    of them writes both, ``version`` the version of NFS it is mounted with; ``name_taken_by`` says what else
    bears the wanted name.
    """

    hosts: tuple[HostMount, ...] = ()
    known_as: tuple[tuple[str, str], ...] = ()
    spelt: tuple[str, str] | None = None
    version: str = NFS3
    name_taken_by: str = ""
    cluster_found: bool = True
    clusters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UnmountState:
    """A datastore about to leave a cluster; ``vms`` are those registered on it."""

    hosts: tuple[HostMount, ...] = ()
    found: bool = True
    moref: str = ""
    server: str = ""
    path: str = ""
    vms: tuple[str, ...] = ()
    cluster_found: bool = True
    clusters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DiskSeen:
    """A virtual disk or ISO image; ``candidates`` are where an unresolved one was found."""

    key: int
    label: str
    path: str
    resolved: bool = True
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RegisteredVm:
    """An entry of the inventory; ``connection`` is vSphere's connectionState."""

    name: str
    moref: str = ""
    path: str = ""
    power: str = "poweredOff"
    connection: str = "connected"
    template: bool = False
    uuid_action: str = ""
    annotation: str = ""
    disks: tuple[DiskSeen, ...] = ()
    image: DiskSeen | None = None


@dataclass(frozen=True, slots=True)
class RegisterState:
    """What registering a VM needs and meets.

    ``vm`` is the sound entry with the wanted path; ``stale`` what must make room: an unusable entry
    of that path, or another of that name. ``hosts`` are the cluster's usable hosts with the datastore.
    """

    datastore: bool = True
    accessible: bool = True
    vmx: bool | None = None
    vm: RegisteredVm | None = None
    stale: RegisteredVm | None = None
    pool: bool = True
    pools: tuple[str, ...] = ()
    drs: bool = True
    hosts: tuple[str, ...] = ()
    vcenter: str = ""
    """The vCenter's instance UUID."""
    export: str = ""
    """``server:/path`` behind the datastore."""


@dataclass(frozen=True, slots=True)
class VmEntry:
    """A VM's entry in the inventory, as much as unregistering and its undo need."""

    found: bool = True
    name: str = ""
    moref: str = ""
    power: str = "poweredOff"
    path: str = ""
    folder: str = ""
    pool: str = ""


@dataclass(frozen=True, slots=True)
class NicSeen:
    """A network card; ``network`` is empty when its backing means nothing to this vCenter."""

    key: int
    label: str
    mac: str = ""
    network: str = ""
    moref: str = ""
    connected: bool = True
    """Connected now (when on) and at power-on."""


@dataclass(frozen=True, slots=True)
class NetworkSeen:
    """A network a VM can be put on."""

    name: str
    moref: str = ""
    kind: str = "standard"
    """standard, distributed or opaque."""
    key: str = ""
    switch: str = ""
    """UUID of the distributed switch."""
    on_host: bool = True
    """Present on the VM's host."""


@dataclass(frozen=True, slots=True)
class NicsState:
    """A VM's cards and the networks there are."""

    found: bool = True
    moref: str = ""
    nics: tuple[NicSeen, ...] = ()
    networks: tuple[NetworkSeen, ...] = ()
    change_version: str = ""


@dataclass(frozen=True, slots=True)
class PlugSeen:
    """A connected card: its MAC, and what tells its network from others."""

    label: str
    mac: str
    network: str
    name: str = ""
    """The network's name where the card knows it."""


@dataclass(frozen=True, slots=True)
class TwinSeen:
    """A running machine with the MAC address of a card of this one, on the same network."""

    vm: str
    moref: str
    mac: str
    label: str
    """The card of this machine."""
    network: str = ""
    network_name: str = ""

    def on(self, name: str) -> TwinSeen:
        """Return it with its network's name."""
        return replace(self, network_name=name)


@dataclass(frozen=True, slots=True)
class PowerState:
    """Whether a VM runs; ``tools`` is vSphere's toolsRunningStatus."""

    found: bool = True
    moref: str = ""
    power: str = "poweredOff"
    tools: str = ""
    connection: str = "connected"
    question: str = ""
    path: str = ""
    vcenter: str = ""
    """The vCenter's instance UUID; read where an undo needs it."""
    nics: tuple[NicSeen, ...] = ()
    """Read where the networks matter for powering on."""
    twins: tuple[TwinSeen, ...] = ()
    """Looked for while the VM is off."""


@dataclass(frozen=True, slots=True)
class GuestState:
    """One card's addresses as the guest reports them, ``address/prefix``."""

    found: bool = True
    moref: str = ""
    power: str = "poweredOn"
    tools: str = "guestToolsRunning"
    ready: bool = True
    """Guest operations are possible."""
    family: str = "linuxGuest"
    labels: tuple[str, ...] = ()
    mac: str = ""
    addresses: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
