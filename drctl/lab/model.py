"""What exists in the simulated world: plain mutable records, no behaviour.

``world.World`` owns them and holds every rule; façades read these records and call the world's
methods, each under ``World.lock``. Instants are aware UTC wall-clock times; durations are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal


@dataclass
class Site:
    """A datacenter; a dead site black-holes every connection to its addresses."""

    name: str
    title: str
    alive: bool = True
    partitioned_from: set[str] = field(default_factory=set)
    """Names of sites it cannot reach; "*" for all of them and whoever drives the lab."""
    generation: int = 0
    """Grows with each loss of power; connections of an older generation are gone."""


@dataclass
class Snapshot:
    """A point in time of a volume: what it holds and since when its data stands."""

    name: str
    uuid: str
    created: datetime
    files: dict[str, str]
    """Path inside the volume to content; ``.vmx`` files are real text, flat disks hold the guest's settings."""
    data_at: dict[str, datetime]
    """Service name to the instant of the last write it holds."""
    label: str = ""
    comment: str = ""
    owners: set[str] = field(default_factory=set)
    locked_until: datetime | None = None


@dataclass
class Volume:
    """A FlexVol; ``dp`` volumes are read-only destinations of a mirror."""

    uuid: str
    name: str
    svm: str
    cluster: str
    type: Literal["rw", "dp"]
    size: int
    used: int
    aggregate: str
    state: Literal["online", "offline", "restricted"] = "online"
    junction: str | None = None
    export_policy: str = "default"
    comment: str = ""
    snapshot_policy: str = "default"
    is_root: bool = False
    initialized: bool = True
    files: dict[str, str] = field(default_factory=dict)
    data_at: dict[str, datetime] = field(default_factory=dict)
    snapshots: list[Snapshot] = field(default_factory=list)
    clone_parent: tuple[str, str] | None = None
    """Parent volume uuid and snapshot name of a FlexClone."""
    guarantee: Literal["volume", "none"] = "none"
    origin: str = ""
    """Name of the inventory's volume this is a copy of; empty for volumes made since."""
    read_only: bool = False
    """Whether it refuses writes although of type rw, e.g. a clone of type dp."""
    deleted: datetime | None = None
    """Since when it is in the recovery queue."""
    split_percent: int | None = None
    """Progress of a clone split, None when none runs."""


@dataclass
class ExportRule:
    """One rule of an export policy; ``clients`` are addresses or networks."""

    index: int
    clients: list[str]
    ro: list[str] = field(default_factory=lambda: ["sys"])
    rw: list[str] = field(default_factory=lambda: ["sys"])
    superuser: list[str] = field(default_factory=lambda: ["sys"])
    protocols: list[str] = field(default_factory=lambda: ["nfs3"])


@dataclass
class ExportPolicy:
    """A named set of rules of an SVM."""

    id: int
    name: str
    svm: str
    rules: list[ExportRule] = field(default_factory=list)


@dataclass
class Lif:
    """A logical interface of an SVM."""

    uuid: str
    name: str
    svm: str
    address: str
    enabled: bool = True
    node: str = ""


@dataclass
class Share:
    """A CIFS share; ``acl`` maps an account to an access right."""

    name: str
    path: str
    acl: dict[str, str] = field(default_factory=dict)
    comment: str = ""


@dataclass
class Svm:
    """A storage virtual machine."""

    uuid: str
    name: str
    cluster: str
    state: Literal["running", "stopped"] = "running"
    subtype: str = "default"
    policies: dict[str, ExportPolicy] = field(default_factory=dict)
    lifs: dict[str, Lif] = field(default_factory=dict)
    cifs_server: str | None = None
    cifs_enabled: bool = True
    cifs_domain: str = "TELERADIO"
    aliases: set[str] = field(default_factory=set)
    shares: dict[str, Share] = field(default_factory=dict)


@dataclass
class Aggregate:
    """Space that volumes share, in bytes."""

    uuid: str
    name: str
    size: int
    used: int


@dataclass
class Transfer:
    """One SnapMirror transfer; ``state`` as ONTAP spells it."""

    uuid: str
    state: Literal["queued", "transferring", "success", "failed", "aborted", "hard_aborted"]
    type: Literal["initialize", "update", "resync", "restore"]
    started: datetime
    ended: datetime | None = None
    bytes: int = 0
    total: int = 0
    snapshot: str = ""
    hangs: bool = False
    """Makes no progress until aborted (fault transfer-busy)."""


@dataclass
class Mirror:
    """A SnapMirror relationship, kept on its destination cluster; volumes are named svm:volume."""

    uuid: str
    source_cluster: str
    source: str
    destination_cluster: str
    destination: str
    policy: str
    state: Literal["uninitialized", "snapmirrored", "paused", "broken_off"]
    schedule: int | None
    """Seconds between transfers, None when unscheduled."""
    healthy: bool = True
    unhealthy_reason: list[tuple[str, str]] = field(default_factory=list)
    throttle: int = 0
    exported: str | None = None
    """Name of the exported snapshot."""
    quiescing: bool = False
    """Asked to pause while a transfer still runs; REST shows this nowhere."""
    pending: Snapshot | None = None
    """What the active transfer brings."""
    transfers: list[Transfer] = field(default_factory=list)


@dataclass
class Job:
    """An ONTAP job; forgotten (404) 300 seconds after its end."""

    uuid: str
    description: str
    state: Literal["queued", "running", "paused", "success", "failure"]
    started: datetime
    ended: datetime | None = None
    message: str = ""
    code: int = 0


@dataclass
class Cluster:
    """An ONTAP cluster, one per endpoint of type ontap."""

    endpoint: str
    name: str
    uuid: str
    site: str
    username: str
    password: str
    svms: dict[str, Svm] = field(default_factory=dict)
    volumes: dict[str, Volume] = field(default_factory=dict)
    """By uuid."""
    aggregates: dict[str, Aggregate] = field(default_factory=dict)
    mirrors: dict[str, Mirror] = field(default_factory=dict)
    """By uuid; those whose destination is here."""
    jobs: dict[str, Job] = field(default_factory=dict)
    peers: set[str] = field(default_factory=set)
    """Endpoints of peered clusters."""


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
    mounts: dict[str, bool] = field(default_factory=dict)
    """Datastore moref to whether it was mounted read-only."""


@dataclass
class Datastore:
    """An NFS datastore; its identity is server and path, its name a label."""

    moref: str
    name: str
    server: str
    path: str


@dataclass
class Network:
    """A standard or distributed portgroup; a guest answers only from an address of ``subnet``."""

    moref: str
    name: str
    kind: Literal["standard", "distributed"]
    subnet: str
    switch_uuid: str = ""
    portgroup_key: str = ""


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


@dataclass
class Zone:
    """A DNS zone: (name, type) to TTL and values, served by a primary and its secondaries."""

    name: str
    serial: int
    records: dict[tuple[str, str], tuple[int, list[str]]]
    minimum: int = 60


@dataclass
class DnsService:
    """The servers behind one endpoint of type dns; each address has its own copy of the zones."""

    endpoint: str
    site: str
    primary: str
    secondaries: list[str]
    tsig_name: str
    tsig_algorithm: str
    tsig_secret: str
    zones: dict[str, Zone] = field(default_factory=dict)
    copies: dict[str, dict[str, Zone]] = field(default_factory=dict)
    """Secondary address to the zones as it last transferred them."""
    sites: dict[str, str] = field(default_factory=dict)
    """Secondary address to the site it stands at, where that is not the primary's."""


@dataclass
class Machine:
    """A computer behind an endpoint of type ssh; ``role`` decides which commands it knows."""

    endpoint: str
    site: str
    role: str
    address: str
    files: dict[str, str] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    """Permission bits of files and folders that are not the usual 0644 and 0755."""
    folders: set[str] = field(default_factory=set)
    """Made since; the usual ones are always there."""
    serving: str = ""
    """Site name a reverse proxy was last reloaded with."""


@dataclass
class Application:
    """A service as its users see it: where it should answer, and on which VMs it depends."""

    service: str
    depends_on: list[str]
    volumes: list[str]
    vms: list[str]
    addresses: dict[str, list[tuple[str, int, str]]] = field(default_factory=dict)
    """Site to (address, port, check kind http|tcp); http is spoken over TLS."""
    names: list[str] = field(default_factory=list)
    """DNS names that must point to the site for the service to be reached by its users."""
    shares: list[tuple[str, str]] = field(default_factory=list)
    """(alias, share) a Windows application of this service opens at start."""


@dataclass
class Mutation:
    """One call that a façade recognised as changing; kept whether or not it succeeded."""

    at: datetime
    site: str
    facade: str
    call: str
    target: str


@dataclass
class Estate:
    """Everything there is."""

    sites: dict[str, Site] = field(default_factory=dict)
    clusters: dict[str, Cluster] = field(default_factory=dict)
    vcenters: dict[str, VCenter] = field(default_factory=dict)
    dns: dict[str, DnsService] = field(default_factory=dict)
    machines: dict[str, Machine] = field(default_factory=dict)
    applications: dict[str, Application] = field(default_factory=dict)
    guest_login: tuple[str, str] | None = None
    """Account and password that guests accept; None means that they accept any."""
    production: str = ""
    """The site whose copies were writable when the lab began."""
    spns: dict[str, str] = field(default_factory=dict)
    """Service principal name (lower case) to the machine account that holds it."""
    mutations: list[Mutation] = field(default_factory=list)
    connections: dict[str, int] = field(default_factory=dict)
    """Site to connections attempted, refused and dropped ones included."""
