"""Records of the arrays: clusters, SVMs, volumes, snapshots, mirrors, jobs; see ``model``."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal


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
class SnapshotCopies:
    """One schedule of a snapshot policy: how many snapshots named after ``schedule`` stay."""

    schedule: str
    count: int
    label: str = ""


@dataclass
class SnapshotPolicy:
    """When snapshots are taken and how many stay; ``svm`` is empty for one of the cluster."""

    name: str
    svm: str = ""
    comment: str = ""
    copies: list[SnapshotCopies] = field(default_factory=list)


def built_in_policies() -> list[SnapshotPolicy]:
    """The three snapshot policies that every cluster has."""
    hourly, daily = SnapshotCopies("hourly", 6), SnapshotCopies("daily", 2, "daily")
    return [
        SnapshotPolicy(
            "default",
            comment="Default policy with hourly, daily & weekly schedules.",
            copies=[hourly, daily, SnapshotCopies("weekly", 2, "weekly")],
        ),
        SnapshotPolicy(
            "default-1weekly",
            comment="Default policy with 6 hourly, 2 daily & 1 weekly schedule.",
            copies=[hourly, daily, SnapshotCopies("weekly", 1, "weekly")],
        ),
        SnapshotPolicy("none", comment="Policy for no automatic snapshots."),
    ]


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
class CifsSession:
    """An SMB session of a client, by the number the server gave it."""

    identifier: int
    user: str
    client: str
    volume: str


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
    sessions: dict[int, CifsSession] = field(default_factory=dict)


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
    preserves: bool = False
    """Whether its resync keeps newer snapshots of the destination."""
    released: bool = False
    """Whether the source cluster knows nothing of it any more."""
    restore: bool = False
    """Whether it only brings one snapshot back to a writable volume."""
    unseen: bool = False
    """Just made: REST does not list it yet."""


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
    snapshot_policies: list[SnapshotPolicy] = field(default_factory=built_in_policies)
    peers: set[str] = field(default_factory=set)
    """Endpoints of peered clusters."""
    svm_peers: set[tuple[str, str, str]] = field(default_factory=set)
    """(local SVM, peer cluster, peer SVM); they stay when the last relationship between two goes."""
