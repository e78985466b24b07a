"""Records of the vCenters: hosts, datastores, networks, VMs, tasks; see ``model``."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal


@dataclass
class Host:
    """An ESXi host."""

    moref: str
    name: str
    cluster: str
    address: str
    """The vmkernel address NFS exports must admit."""
    connected: bool = True
    maintenance: bool = False
    nfs_volumes: int = 256
    """Its setting NFS.MaxVolumes: how many NFS version 3 datastores it mounts at most."""
    mounts: dict[str, bool] = field(default_factory=dict)
    """Datastore moref to whether it was mounted read-only."""
    hardware: int = 20
    """The newest virtual hardware version it runs."""
    luns: set[str] = field(default_factory=set)
    """LUNs presented to it, which raw device mappings stand for."""


@dataclass
class Datastore:
    """An NFS datastore; its identity is server and path, its name a label."""

    moref: str
    name: str
    server: str
    path: str
    version: str = "NFS"
    """NFS version in vSphere's word; people may have mounted one as ``NFS41`` by hand."""


@dataclass
class Network:
    """A standard or distributed portgroup; a guest answers only from an address of ``subnet``."""

    moref: str
    name: str
    kind: Literal["standard", "distributed"]
    subnet: str
    switch_uuid: str = ""
    portgroup_key: str = ""
    isolated: bool = False
    """Without an uplink: nothing on it meets anything on another network, whatever the addresses."""


@dataclass
class Nic:
    """A virtual network card, as the .vmx or a reconfiguration left it."""

    key: int
    label: str
    mac: str
    network: str | None = None
    """Moref of the network, None when its backing means nothing to this vCenter."""
    backing: str = ""
    """The name or switch/portgroup ids it was configured with."""
    connected: bool = True


@dataclass
class Vm:
    """A registered virtual machine."""

    moref: str
    name: str
    vcenter: str
    datastore: str
    """Moref."""
    vmx: str
    folder: str
    pool: str
    host: str
    uuid: str
    instance_uuid: str
    nics: list[Nic] = field(default_factory=list)
    disks: dict[int, str] = field(default_factory=dict)
    """Device key to backing path, e.g. ``[ds_ris] ris-db01/ris-db01.vmdk``."""
    cdrom: str | None = None
    floppy: str | None = None
    """Image in its floppy drive; without one it has no drive."""
    hardware: int = 19
    """Version of its virtual hardware."""
    vtpm: bool = False
    """It has a virtual TPM, so its configuration is encrypted."""
    extra: dict[str, str] = field(default_factory=dict)
    """extraConfig, among them uuid.action."""
    annotation: str = ""
    template: bool = False
    windows: bool = False
    location: str = ""
    """uuid.location of its .vmx: where it was when its identity was last confirmed."""
    ran: bool = False
    """Whether it ran when its site lost power."""
    boots: int = 0
    """Grows with each power-on and power-off; a boot belongs to one of them."""
    power: Literal["poweredOn", "poweredOff", "suspended"] = "poweredOff"
    booted: bool = False
    """Tools run and the guest answers."""
    guest_ip: str | None = None
    """The address the guest really has; it comes from the disk, not from the portgroup."""
    question: str | None = None
    """Message id of a pending question, e.g. msg.uuid.altered."""
    change_version: int = 1


@dataclass
class Task:
    """A vCenter task."""

    moref: str
    name: str
    entity: str
    state: Literal["queued", "running", "success", "error"]
    started: datetime
    ended: datetime | None = None
    progress: int = 0
    result: str | None = None
    """Moref of what it made."""
    fault: str | None = None
    """Name of the vim fault, e.g. AlreadyExists, and after a colon its message."""
    detail: dict[str, object] = field(default_factory=dict)
    """Properties of that fault."""


@dataclass
class VCenter:
    """A vCenter with its one datacenter, one per endpoint of type vsphere."""

    endpoint: str
    site: str
    uuid: str
    username: str
    password: str
    key_provider: bool = False
    """It has a key provider, with the keys of all encrypted VMs."""
    clusters: dict[str, bool] = field(default_factory=dict)
    """Cluster name to whether DRS is automatic; each has a root resource pool of its name."""
    hosts: dict[str, Host] = field(default_factory=dict)
    datastores: dict[str, Datastore] = field(default_factory=dict)
    networks: dict[str, Network] = field(default_factory=dict)
    vms: dict[str, Vm] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    next_id: int = 1000
    """Number of the next managed object."""
