"""What an inventory file may say; ``endpoints`` are checked by their providers' own models."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from drctl.core.duration import Duration

Name: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=80)]
ItemName: TypeAlias = Annotated[str, Field(pattern=r"^[^\[\]\x00-\x1f]+$", max_length=120)]
Text: TypeAlias = Annotated[str, Field(min_length=1)]
EndpointFields: TypeAlias = Annotated[dict[str, JsonValue], Field(json_schema_extra={"format": "endpoint"})]


class Strict(BaseModel):
    """Base of everything in a file: unknown keys are refused, nothing is converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Site(Strict):
    """A place that can be lost as a whole; ``timezone`` is an IANA name."""

    title: str = Field("", description="What people call it, e.g. Standby datacenter; default its key.")
    timezone: str = Field("UTC", description="IANA name, e.g. `Europe/Paris`: reports show its local time.")


class Objectives(Strict):
    """A service's own objectives, in seconds."""

    rto: Duration | None = Field(None, description="Recovery time objective; default the runbook's.")
    rpo: Duration | None = Field(
        None, description="Recovery point objective: the data that may be lost; default the runbook's."
    )
    mtpd: Duration | None = Field(
        None, description="Maximum tolerable period of disruption; default the runbook's."
    )


class Vault(Strict):
    """A further copy on a site that takes no service over."""

    site: Name = Field(description="Where the copy is; what stands there is under the volume's `at`.")
    schedule: Duration | None = Field(None, description="How often it is brought up to date.")


class Share(Strict):
    """A CIFS share; volume SnapMirror carries neither the share nor its access list."""

    name: Text = Field(description="What clients type after the server's name, e.g. `IMAGES`.")
    path: Text = Field(description="The folder it opens, from the SVM's root, e.g. `/pacs_images`.")
    acl: tuple[dict[str, str], ...] = Field(
        (),
        description="Who may do what: `{who: 'CLINIC\\doctors', access: change}`, access one of no_access, "
        "read, change, full_control.",
    )


class VolumeAt(Strict):
    """A volume on one site."""

    endpoint: Name = Field(description="The ONTAP cluster that holds it; a key of `endpoints`.")
    svm: Text = Field(description="The SVM (storage virtual machine) that serves it.")
    volume: Text = Field(description="What ONTAP calls it at this site, e.g. `pacs_vm_dr`.")
    junction: Annotated[str, Field(pattern="^/")] | None = Field(
        None, description="Where it is mounted in the SVM's namespace, e.g. `/pacs_vm`."
    )
    export_policy: str | None = Field(None, description="The export policy that admits its clients.")
    snapshot_policy: str | None = Field(
        None, description="The snapshot policy that it is to have while it serves from this site."
    )
    clients: tuple[str, ...] = Field(
        (), description="Addresses that mount it: hypervisors' storage interfaces."
    )


class Volume(Strict):
    """A replicated volume; ``schedule`` of the mirror and ``usual_transfer`` are durations."""

    name: ItemName = Field(description="What runbooks and reports call it, at whatever site.")
    schedule: Duration | None = Field(
        None, description="How often the mirror transfers; `drctl validate` compares it with the RPO."
    )
    usual_transfer: Duration | None = Field(None, description="How long a scheduled transfer usually takes.")
    vault: Vault | None = Field(None, description="A third copy, on a site that takes no service over.")
    at: dict[str, VolumeAt] = Field(description="Where it stands, by site.")
    shares: tuple[Share, ...] = Field((), description="CIFS shares to publish where it serves.")
    cifs_aliases: tuple[str, ...] = Field(
        (), description="NetBIOS names clients know the CIFS server by; they move with the volume."
    )


class DatastoreAt(Strict):
    """A datastore on one site; ``path`` is the volume's junction there unless said."""

    endpoint: Name = Field(description="The vCenter it is mounted in; a key of `endpoints`.")
    nfs_server: Text = Field(description="The address hosts mount it from: the SVM's data interface there.")
    cluster: Text = Field(description="The vSphere cluster whose hosts mount it.")
    path: str | None = Field(
        None, description="The export's path; default the volume's junction at this site."
    )


class Datastore(Strict):
    """An NFS datastore on a volume."""

    name: ItemName = Field(description="What vCenter calls it, the same at every site.")
    volume: Text = Field(description="The volume it lies on; the name of one in `volumes`.")
    at: dict[str, DatastoreAt] = Field(description="Where it is mounted, by site.")


class VmAt(Strict):
    """A virtual machine on one site; ``networks`` maps an adapter's label to a portgroup there."""

    endpoint: Name = Field(description="The vCenter it runs in; a key of `endpoints`.")
    folder: Text = Field(description="The VM folder it is registered in, e.g. `PACS`.")
    pool: Text = Field(description="Resource pool or cluster it runs in; `cluster/pool` where names repeat.")
    host: str | None = Field(
        None, description="The ESXi host it is registered on; default one that is chosen."
    )
    networks: dict[str, str] = Field(
        default={},
        description="The portgroup of each network card, by its label, e.g. `{Network adapter 1: dr-200}`.",
    )
    ip: str | None = Field(
        None,
        description="Its address there; one that differs between sites needs a `vsphere.vm.set_ip` step.",
    )
    prefix: Annotated[int, Field(ge=0, le=128)] | None = Field(
        None, description="Length of that address's network prefix, e.g. 24."
    )
    gateway: str | None = Field(None, description="The guest's default gateway there.")
    dns: tuple[str, ...] = Field((), description="The guest's name servers there, in order.")


class Vm(Strict):
    """A virtual machine; ``also_on`` names further datastores that hold its disks."""

    name: ItemName = Field(description="What vCenter calls it, the same at every site.")
    priority: int = Field(3, description="1 starts first, 5 last.")
    datastore: Text = Field(description="The datastore that holds its .vmx; the name of one in `datastores`.")
    also_on: tuple[str, ...] = Field((), description="Further datastores that hold disks of it.")
    vmx: Text = Field(
        description="Its configuration file, from the datastore's root, e.g. `pacs-db01/pacs-db01.vmx`."
    )
    uuid: str | None = Field(
        None, description="Its BIOS UUID; `drctl validate` warns when two machines share one."
    )
    at: dict[str, VmAt] = Field(description="Where it runs, by site.")


class RecordSet(Strict):
    """A DNS record whose values depend on the site."""

    zone: Text = Field(description="The zone it is in, e.g. `clinic.example.`.")
    name: ItemName = Field(description="Relative to the zone, or absolute; @ is the zone.")
    type: Text = Field(description="Its DNS type, e.g. A, AAAA or CNAME.")
    ttl: Annotated[int, Field(ge=0)] = Field(
        description="Seconds that resolvers may remember it: the longest that clients go on to the old site."
    )
    endpoint: Name = Field(
        description="The name server that takes updates of the zone; a key of `endpoints`."
    )
    at: dict[str, tuple[str, ...]] = Field(description="Its values, by site, e.g. `{lyon: [198.51.100.10]}`.")


class Check(Strict):
    """A probe that says whether the service answers."""

    name: ItemName = Field(description="What it checks, e.g. viewer; its key in step ids.")
    uses: Text = Field(description="The probe, e.g. `check.http`.")
    on: Name | None = Field(
        None,
        description="The endpoint it is asked through; none for `check.*`, which ask from where drctl runs.",
    )
    with_: dict[str, JsonValue] = Field(
        default={}, alias="with", description="Arguments of the probe (`drctl explain NAME`)."
    )


class ServiceBody(Strict):
    """What a service is made of, and what it needs first."""

    title: str = Field("", description="What its users call it; default its key.")
    tier: int | None = Field(
        None, description="How critical it is, 1 most; reports show it, the order comes from `depends_on`."
    )
    owner: str = Field("", description="Who answers for it, e.g. a team.")
    depends_on: tuple[str, ...] = Field(
        (), description="Services that must be there first; keys of `services`. Gives `service.order`."
    )
    objectives: Objectives = Field(
        Objectives(), description="What its recovery must keep to; default the runbook's."
    )
    volumes: tuple[Volume, ...] = Field((), description="Replicated volumes that hold its data.")
    datastores: tuple[Datastore, ...] = Field((), description="Datastores on those volumes.")
    vms: tuple[Vm, ...] = Field((), description="Virtual machines it runs on.")
    records: tuple[RecordSet, ...] = Field((), description="DNS records that lead its users to it.")
    checks: tuple[Check, ...] = Field((), description="Probes that say whether it answers.")


class BubbleBody(Strict):
    """Where drills live on a site."""

    networks: str | dict[str, str] = Field(
        description="The isolated portgroup: one for everything, or one for each portgroup of production, by "
        "name.",
    )
    folder: Text = Field(description="The VM folder for drills' machines, e.g. `DRILL`.")
    suffix: str = Field(
        "-drill", description="Ends the names of everything a drill makes; array names write it with `_`."
    )
    junction_prefix: Annotated[str, Field(pattern="^/")] = Field(
        "/drill_", description="Begins the junctions of drills' volumes."
    )
    via: Name | None = Field(None, description="The ssh endpoint through which checks reach the bubble.")
    addresses: dict[str, str] = Field(
        {}, description="Where the services' public names answer inside the bubble: name to address."
    )


class Contact(Strict):
    """Who answers for a role."""

    name: Text = Field(description="The person or desk, e.g. IT manager on call.")
    phone: str = Field("", description="Number to call, as it is dialled.")
    email: str = Field("", description="Address to write to.")


class InventoryBody(Strict):
    """An inventory file."""

    drctl: Literal[1] = Field(description="Version of the language.")
    kind: Literal["inventory"] = Field(description="Makes this file an inventory.")
    name: Name = Field(description="Identifies the inventory in journals and reports.")
    sites: dict[Name, Site] = Field(
        json_schema_extra={"minProperties": 1}, description="The places, by name; at least one."
    )
    endpoints: dict[Name, EndpointFields] = Field(
        default={},
        description="The systems drctl speaks to, by name: `type` picks the provider, which says what else "
        "there is.",
    )
    services: dict[Name, ServiceBody] = Field(default={}, description="What is recovered, by name.")
    bubble: dict[Name, BubbleBody] = Field(default={}, description="Where drills live, by site.")
    contacts: dict[str, Contact] = Field(
        default={}, description="Who answers for what, by role, e.g. `incident-commander`."
    )
    lab: dict[str, JsonValue] = Field(default={}, description="Free; read by the simulated estate alone.")
