"""What exists in the simulated world: plain mutable records, no behaviour.

``world.World`` owns them and holds every rule; façades read these records and call the world's
methods, each under ``World.lock``. Instants are aware UTC wall-clock times; durations are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from drctl.lab.model_compute import Datastore, Host, Network, Nic, Task, VCenter, Vm
from drctl.lab.model_storage import (
    Aggregate,
    CifsSession,
    Cluster,
    ExportPolicy,
    ExportRule,
    Job,
    Lif,
    Mirror,
    Share,
    Snapshot,
    SnapshotCopies,
    SnapshotPolicy,
    Svm,
    Transfer,
    Volume,
)

__all__ = [
    "Aggregate",
    "Application",
    "Bubble",
    "CifsSession",
    "Cluster",
    "Datastore",
    "DnsService",
    "Estate",
    "ExportPolicy",
    "ExportRule",
    "Host",
    "Job",
    "Lif",
    "Machine",
    "Mirror",
    "Mutation",
    "Network",
    "Nic",
    "Share",
    "Site",
    "Snapshot",
    "SnapshotCopies",
    "SnapshotPolicy",
    "Svm",
    "Task",
    "Transfer",
    "VCenter",
    "Vm",
    "Volume",
    "Zone",
]


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
class Bubble:
    """Where a site's drills live; its isolated networks are the vCenters'."""

    site: str
    junction_prefix: str
    addresses: dict[str, str] = field(default_factory=dict)
    """Name or address in production to the address inside that answers for it."""


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
    bubbles: dict[str, Bubble] = field(default_factory=dict)
    """Site to where its drills live."""
    vm_files: dict[str, str] = field(default_factory=dict)
    """Path of a .vmx on its datastore to the VM it was written for; a copy bears another name."""
    guest_login: tuple[str, str] | None = None
    """Account and password that guests accept; None means that they accept any."""
    production: str = ""
    """The site whose copies were writable when the lab began."""
    spns: dict[str, str] = field(default_factory=dict)
    """Service principal name (lower case) to the machine account that holds it."""
    mutations: list[Mutation] = field(default_factory=list)
    connections: dict[str, int] = field(default_factory=dict)
    """Site to connections attempted, refused and dropped ones included."""
