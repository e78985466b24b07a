"""What an inventory file may say; ``endpoints`` are checked by their providers' own models."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from drctl.core.duration import Duration

Name: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=80)]
ItemName: TypeAlias = Annotated[str, Field(pattern=r"^[^\[\]\x00-\x1f]+$", max_length=120)]
Text: TypeAlias = Annotated[str, Field(min_length=1)]


class Strict(BaseModel):
    """Base of everything in a file: unknown keys are refused, nothing is converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Site(Strict):
    """A place that can be lost as a whole; ``timezone`` is an IANA name."""

    title: str = ""
    timezone: str = "UTC"


class Objectives(Strict):
    """A service's own objectives, in seconds."""

    rto: Duration | None = None
    rpo: Duration | None = None
    mtpd: Duration | None = None


class Vault(Strict):
    """A further copy on a site that takes no service over."""

    site: Name
    schedule: Duration | None = None


class Share(Strict):
    """A CIFS share; volume SnapMirror carries neither the share nor its access list."""

    name: Text
    path: Text
    acl: tuple[dict[str, str], ...] = ()


class VolumeAt(Strict):
    """A volume on one site."""

    endpoint: Name
    svm: Text
    volume: Text
    junction: Annotated[str, Field(pattern="^/")] | None = None
    export_policy: str | None = None
    clients: tuple[str, ...] = Field(
        (), description="Addresses that mount it: hypervisors' storage interfaces."
    )


class Volume(Strict):
    """A replicated volume; ``schedule`` of the mirror and ``usual_transfer`` are durations."""

    name: ItemName
    schedule: Duration | None = None
    usual_transfer: Duration | None = Field(None, description="How long a scheduled transfer usually takes.")
    vault: Vault | None = None
    at: dict[str, VolumeAt]
    shares: tuple[Share, ...] = ()
    cifs_aliases: tuple[str, ...] = ()


class DatastoreAt(Strict):
    """A datastore on one site; ``path`` is the volume's junction there unless said."""

    endpoint: Name
    nfs_server: Text
    cluster: Text
    path: str | None = None


class Datastore(Strict):
    """An NFS datastore on a volume."""

    name: ItemName
    volume: Text
    at: dict[str, DatastoreAt]


class VmAt(Strict):
    """A virtual machine on one site; ``networks`` maps an adapter's label to a portgroup there."""

    endpoint: Name
    folder: Text
    pool: Text
    host: str | None = None
    networks: dict[str, str] = {}
    ip: str | None = None
    prefix: Annotated[int, Field(ge=0, le=128)] | None = None
    gateway: str | None = None
    dns: tuple[str, ...] = ()


class Vm(Strict):
    """A virtual machine; ``also_on`` names further datastores that hold its disks."""

    name: ItemName
    priority: int = Field(3, description="1 starts first, 5 last.")
    datastore: Text
    also_on: tuple[str, ...] = ()
    vmx: Text
    uuid: str | None = None
    at: dict[str, VmAt]


class RecordSet(Strict):
    """A DNS record whose values depend on the site."""

    zone: Text
    name: ItemName
    type: Text
    ttl: Annotated[int, Field(ge=0)]
    endpoint: Name
    at: dict[str, tuple[str, ...]]


class Check(Strict):
    """A probe that says whether the service answers."""

    name: ItemName
    uses: Text
    on: Name | None = None
    with_: dict[str, JsonValue] = Field(default={}, alias="with")


class ServiceBody(Strict):
    """What a service is made of, and what it needs first."""

    title: str = ""
    tier: int | None = None
    owner: str = ""
    depends_on: tuple[str, ...] = ()
    objectives: Objectives = Objectives()
    volumes: tuple[Volume, ...] = ()
    datastores: tuple[Datastore, ...] = ()
    vms: tuple[Vm, ...] = ()
    records: tuple[RecordSet, ...] = ()
    checks: tuple[Check, ...] = ()


class BubbleBody(Strict):
    """Where drills live on a site."""

    networks: str | dict[str, str]
    folder: Text
    suffix: str = "-drill"
    junction_prefix: Annotated[str, Field(pattern="^/")] = "/drill_"
    via: Name | None = Field(None, description="The ssh endpoint through which checks reach the bubble.")
    addresses: dict[str, str] = Field(
        {}, description="Where the services' public names answer inside the bubble: name to address."
    )


class Contact(Strict):
    """Who answers for a role."""

    name: Text
    phone: str = ""
    email: str = ""


class InventoryBody(Strict):
    """An inventory file."""

    drctl: Literal[1] = Field(description="Version of the language.")
    kind: Literal["inventory"]
    name: Name
    sites: dict[Name, Site] = Field(json_schema_extra={"minProperties": 1})
    endpoints: dict[Name, dict[str, JsonValue]] = {}
    services: dict[Name, ServiceBody] = {}
    bubble: dict[Name, BubbleBody] = {}
    contacts: dict[str, Contact] = {}
    lab: dict[str, JsonValue] = Field(default={}, description="Free; read by the simulated estate alone.")
