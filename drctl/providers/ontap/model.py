"""What an ONTAP cluster says about itself, as flat frozen records.

Each record knows where its fields sit in ONTAP's JSON; ``fields_of`` asks for exactly those. The same
records are built by field name from plain data, in the cases under ``tests/cases``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, ClassVar, TypeAlias

from pydantic import AfterValidator, AliasPath, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter

from drctl.core.duration import Duration
from drctl.core.provider import Endpoint
from drctl.core.secret import Secret


class OntapEndpoint(Endpoint):
    """An ONTAP cluster's management address.

    ``ca_file`` is the PEM bundle its certificate is checked against; without one, the system's.
    ``tls_name`` is the name expected in the certificate when it is not ``host``: arrays are often
    addressed by number and certified by name. ``connect_timeout`` is seconds: a dead site swallows
    packets, and a step should not wait long for it.
    """

    host: str = Field(description="Name or address of the cluster's management interface.")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(443, description="TCP port of its REST API.")
    username: str = Field(description="The account, e.g. `drctl`.")
    password: Secret = Field(description="The account's password, as a reference.")
    ca_file: Path | None = Field(
        None, description="Authorities that may have signed its certificate, PEM; default the machine's own."
    )
    tls_name: str | None = Field(
        None, description="The name its certificate bears, where that is not `host`."
    )
    connect_timeout: Duration = Field(5.0, description="How long opening a connection may take.")


def _seconds(value: object) -> object:
    """Read an ISO 8601 duration such as ``PT8H35M42S``; numbers are seconds already."""
    if isinstance(value, str):
        return TypeAdapter(timedelta).validate_python(value).total_seconds()
    return value


def _reasons(value: object) -> object:
    """Flatten ``unhealthy_reason``: records with code and message, nested up to four levels deep."""
    return tuple(_sentences(value))


def _sentences(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        message, code = value.get("message"), value.get("code")
        if message:
            yield f"{message} ({code})" if code else str(message)
        yield from _sentences(value.get("arguments"))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _sentences(item)


def _clients(value: object) -> object:
    """Read ``[{"match": "10.0.0.0/8"}]`` or plain texts; one match may list several, with commas."""
    if not isinstance(value, list | tuple):
        return value
    texts = [item.get("match", "") if isinstance(item, Mapping) else item for item in value]
    return tuple(part.strip() for text in texts for part in str(text).split(",") if part.strip())


def _names(value: object) -> object:
    """Read ``[{"name": "aggr1"}]`` or plain texts."""
    if isinstance(value, list | tuple):
        return tuple(item.get("name", "") if isinstance(item, Mapping) else item for item in value)
    return value


def _utc(value: datetime) -> datetime:
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)


Seconds: TypeAlias = Annotated[float, BeforeValidator(_seconds)]
Instant: TypeAlias = Annotated[datetime, AfterValidator(_utc)]
Texts: TypeAlias = tuple[str, ...]
Names: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_names)]


class Record(BaseModel):
    """A part of ONTAP's JSON; unknown fields of newer releases are left out."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Row(Record):
    """One record of a collection; ``resource`` is the class of NetApp's client that stands for it."""

    resource: ClassVar[str]


def fields_of(row: type[Row]) -> str:
    """Return the ``fields=`` of a query that asks for what the record holds and no more."""
    names = []
    for name, info in row.model_fields.items():
        alias = info.validation_alias
        parts = alias.path if isinstance(alias, AliasPath) else [alias or name]
        names.append(".".join(str(part) for part in parts))
    return ",".join(names)


class Mirror(Row):
    """A SnapMirror relationship, as its destination cluster shows it; ``lag`` in seconds.

    ``paused`` is what REST calls quiesced. ``in_sync``, ``out_of_sync`` and ``synchronizing`` exist only
    under a policy of type ``sync``.
    """

    resource = "SnapmirrorRelationship"

    uuid: str = ""
    destination: str = Field(validation_alias=AliasPath("destination", "path"))
    source: str = Field("", validation_alias=AliasPath("source", "path"))
    state: str
    healthy: bool = True
    reasons: Annotated[Texts, BeforeValidator(_reasons)] = Field(
        (), validation_alias=AliasPath("unhealthy_reason")
    )
    lag: Seconds | None = Field(None, validation_alias=AliasPath("lag_time"))
    policy_type: str = Field("async", validation_alias=AliasPath("policy", "type"))
    exported: str | None = Field(None, validation_alias=AliasPath("exported_snapshot"))
    transfer: str | None = Field(None, validation_alias=AliasPath("transfer", "state"))
    transfer_uuid: str | None = Field(None, validation_alias=AliasPath("transfer", "uuid"))

    @property
    def transferring(self) -> bool:
        """Say whether a transfer is under way or waits for its turn."""
        return self.transfer in {"queued", "transferring"}


class Volume(Row):
    """A volume; ``junction`` is None while unmounted (ONTAP leaves ``nas.path`` out, or empty)."""

    resource = "Volume"

    uuid: str = ""
    name: str
    svm: str = Field(validation_alias=AliasPath("svm", "name"))
    type: str = "rw"
    state: str = "online"
    junction: Annotated[str | None, BeforeValidator(lambda path: path or None)] = Field(
        None, validation_alias=AliasPath("nas", "path")
    )
    policy: str = Field("default", validation_alias=AliasPath("nas", "export_policy", "name"))
    snapshot_policy: str = Field("", validation_alias=AliasPath("snapshot_policy", "name"))
    is_root: bool = Field(default=False, validation_alias=AliasPath("is_svm_root"))
    aggregates: Names = ()

    @property
    def path(self) -> str:
        """Return ``svm:volume``."""
        return f"{self.svm}:{self.name}"


class Snapshot(Row):
    """A snapshot of a volume; ``created`` is the clock of the array that made it."""

    resource = "Snapshot"

    name: str
    created: Instant = Field(validation_alias=AliasPath("create_time"))
    volume: str = Field("", validation_alias=AliasPath("volume", "uuid"))


class SnapshotPolicy(Row):
    """Which snapshots are taken when, and how many stay; ``svm`` is empty for a policy of the cluster."""

    resource = "SnapshotPolicy"

    name: str
    svm: str = Field("", validation_alias=AliasPath("svm", "name"))


class CifsSession(Row):
    """A client's session with a CIFS server; ``volumes`` are those it has opened."""

    resource = "CifsSession"

    node_uuid: str = Field("", validation_alias=AliasPath("node", "uuid"))
    svm_uuid: str = Field("", validation_alias=AliasPath("svm", "uuid"))
    svm: str = Field("", validation_alias=AliasPath("svm", "name"))
    identifier: int = 0
    connection: int = Field(0, validation_alias=AliasPath("connection_id"))
    user: str = ""
    client: str = Field("", validation_alias=AliasPath("client_ip"))
    volumes: Names = ()


class Rule(Record):
    """One rule of an export policy; lists hold security flavours (``sys``, ``any``, ``never``...)."""

    index: int = 0
    clients: Annotated[Texts, BeforeValidator(_clients)]
    ro: Texts = Field((), validation_alias=AliasPath("ro_rule"))
    rw: Texts = Field((), validation_alias=AliasPath("rw_rule"))
    superuser: Texts = ()
    protocols: Texts = ("any",)


class ExportPolicy(Row):
    """An export policy with its rules."""

    resource = "ExportPolicy"

    id: int = 0
    name: str
    svm: str = Field("", validation_alias=AliasPath("svm", "name"))
    rules: tuple[Rule, ...] = ()


class Svm(Row):
    """A storage virtual machine."""

    resource = "Svm"

    uuid: str = ""
    name: str
    state: str = "running"
    subtype: str = "default"


class Lif(Row):
    """A logical interface; ``enabled`` is what is wished for, ``state`` whether it is up."""

    resource = "IpInterface"

    uuid: str = ""
    name: str
    svm: str = Field("", validation_alias=AliasPath("svm", "name"))
    address: str = Field("", validation_alias=AliasPath("ip", "address"))
    enabled: bool = True
    state: str = "up"


class CifsServer(Row):
    """The CIFS server of an SVM; ``domain`` is empty in a workgroup."""

    resource = "CifsService"

    svm_uuid: str = Field("", validation_alias=AliasPath("svm", "uuid"))
    svm: str = Field("", validation_alias=AliasPath("svm", "name"))
    name: str = ""
    enabled: bool = True
    domain: str = Field("", validation_alias=AliasPath("ad_domain", "fqdn"))
    aliases: Texts = Field((), validation_alias=AliasPath("netbios", "aliases"))


class Ace(Record):
    """One entry of a share's ACL."""

    who: str = Field(validation_alias=AliasPath("user_or_group"))
    access: str = Field(validation_alias=AliasPath("permission"))
    type: str = "windows"


class Share(Row):
    """A CIFS share and its ACL."""

    resource = "CifsShare"

    svm_uuid: str = Field("", validation_alias=AliasPath("svm", "uuid"))
    svm: str = Field("", validation_alias=AliasPath("svm", "name"))
    name: str
    path: str
    acl: tuple[Ace, ...] = Field((), validation_alias=AliasPath("acls"))


class Aggregate(Row):
    """Space shared by volumes, in bytes."""

    resource = "Aggregate"

    name: str
    size: int = Field(0, validation_alias=AliasPath("space", "block_storage", "size"))
    available: int = Field(0, validation_alias=AliasPath("space", "block_storage", "available"))


class Cluster(Row):
    """Who answers."""

    resource = "Cluster"

    name: str = ""
    version: str = Field("", validation_alias=AliasPath("version", "full"))


class JobError(Record):
    """Why a job failed; ONTAP writes this code as text, the job's own as a number."""

    code: str = ""
    message: str = ""


class Job(Row):
    """A job; forgotten by the array five minutes after its end (then 404)."""

    resource = "Job"

    uuid: str
    description: str = ""
    state: str
    message: str = ""
    code: int = 0
    error: JobError | None = None

    @property
    def ended(self) -> bool:
        """Say whether it will not go on by itself."""
        return self.state in {"success", "failure", "cancelled", "expired", "error"}


def split_path(destination: str) -> tuple[str, str]:
    """Return SVM and volume of ``svm:volume``; the volume is empty for a whole SVM."""
    svm, _, volume = destination.partition(":")
    return svm, volume
