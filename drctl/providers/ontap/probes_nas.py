"""Questions about volumes, space, export rules and CIFS, answered before the day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

from pydantic import Field as Argument
from pydantic import JsonValue

from drctl.core.action import NotExercised, ObjectRef, Recipe
from drctl.core.bubble import Bubble
from drctl.core.probe import BulkProbe, Finding, Level, Observation
from drctl.core.problem import ProviderError
from drctl.providers.ontap.arguments import SvmName, VolumeName
from drctl.providers.ontap.client import Client
from drctl.providers.ontap.exports import Address, Exports, read_exports
from drctl.providers.ontap.mirrors import LONGEST_QUERY, volumes_at
from drctl.providers.ontap.model import Aggregate, CifsServer, ExportPolicy, Volume
from drctl.providers.ontap.probes import impossible
from drctl.providers.ontap.rules import Grant, grant


class _OnVolume(BulkProbe[Client]):
    svm: SvmName
    volume: VolumeName

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised | None:
        """Ask it as it is: it looks at the standby's own volume."""
        return None

    @property
    def path(self) -> str:
        """``svm:volume``."""
        return f"{self.svm}:{self.volume}"

    def needs_objects(self) -> frozenset[ObjectRef]:
        """Name the volume."""
        return frozenset({ObjectRef("volume", self.path)})

    @classmethod
    def find(cls, probes: Sequence[Self], client: Client) -> list[Volume | None]:
        """Read the volumes in one request."""
        found = volumes_at(client, [probe.path for probe in probes])
        return [found.get(probe.path) for probe in probes]


class VolumeReady(_OnVolume):
    """Whether the volume exists and is online."""

    name: ClassVar[str] = "ontap.volume.ready"
    output_names: ClassVar[frozenset[str]] = frozenset({"exists", "state", "type", "junction"})

    @classmethod
    def observe_many(cls, probes: Sequence[Self], client: Client) -> list[Observation | ProviderError]:
        """Read them."""
        return [
            Observation({"exists": True, "state": one.state, "type": one.type, "junction": one.junction})
            if one is not None
            else Observation({"exists": False})
            for one in cls.find(probes, client)
        ]

    def judge(self, seen: Observation) -> Finding:
        """Absent or offline cannot be used at all."""
        values = seen.values
        if not values.get("exists"):
            return impossible(f"volume {self.path} does not exist", hint="Look at `volume show`.")
        if values.get("state") != "online":
            return impossible(
                f"volume {self.path} is {values.get('state')}", hint="Bring it online (volume online)."
            )
        kind = "a mirror's destination" if values.get("type") == "dp" else "writable"
        place = f"mounted at {values['junction']}" if values.get("junction") else "not mounted"
        return Finding(Level.OK, f"volume {self.path} is online, {kind}, {place}")


class AggregateSpace(_OnVolume):
    """Whether the aggregates under the volume keep ``min_free_percent`` free: what is written needs room."""

    name: ClassVar[str] = "ontap.aggregate.space"
    output_names: ClassVar[frozenset[str]] = frozenset({"exists", "aggregates"})

    min_free_percent: float = Argument(
        description="The share of each aggregate that must be free, in percent."
    )

    @classmethod
    def observe_many(cls, probes: Sequence[Self], client: Client) -> list[Observation | ProviderError]:
        """Read the volumes and their aggregates, in bytes."""
        volumes = cls.find(probes, client)
        names = sorted({name for volume in volumes if volume for name in volume.aggregates})
        query = {"name": "|".join(names)} if len(names) <= LONGEST_QUERY else {}
        found = {each.name: each for each in client.fetch(Aggregate, **query)} if names else {}
        return [_space(volume, found) for volume in volumes]

    def judge(self, seen: Observation) -> Finding:
        """Compare each aggregate's free share."""
        if not seen.values.get("exists"):
            return impossible(f"volume {self.path} does not exist", hint="Look at `volume show`.")
        listed = seen.values.get("aggregates")
        aggregates = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
        if not aggregates:
            return Finding(Level.WARNING, f"the aggregate of {self.path} cannot be seen with this account")
        shares = {str(each["name"]): _free(each) for each in aggregates}
        figures = [
            f"{name} has {free:.1f} % free, wanted are {self.min_free_percent:g} %"
            for name, free in shares.items()
        ]
        details = tuple(
            f"{each['name']}: {_gib(each['available_bytes'])} of {_gib(each['size_bytes'])} free"
            for each in aggregates
        )
        if min(shares.values()) < self.min_free_percent:
            return Finding(
                Level.BLOCKER, "; ".join(figures), details, "Free or add space, or move volumes away."
            )
        return Finding(Level.OK, "; ".join(figures), details)


class ExportAdmits(BulkProbe[Client]):
    """Whether each client gets through: read-write with superuser by the policy, read by the SVM root's."""

    name: ClassVar[str] = "ontap.export.admits"
    output_names: ClassVar[frozenset[str]] = frozenset({"policy_exists", "root_policy", "clients"})

    svm: SvmName
    policy: str = Argument(description="Name of the export policy of the volume.")
    clients: tuple[Address, ...] = Argument(
        description="Addresses that must get through, e.g. hypervisors' storage interfaces."
    )

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised | None:
        """Ask it as it is: it looks at rules alone."""
        return None

    def needs_objects(self) -> frozenset[ObjectRef]:
        """Name the policy."""
        return frozenset({ObjectRef("export", f"{self.svm}:{self.policy}")})

    @classmethod
    def observe_many(cls, probes: Sequence[Self], client: Client) -> list[Observation | ProviderError]:
        """Evaluate the rules of both policies for each client."""
        exports = read_exports(client, [(probe.svm, "", probe.policy) for probe in probes])
        return [probe.evaluate(found) for probe, found in zip(probes, exports, strict=True)]

    def evaluate(self, exports: Exports) -> Observation:
        """Return what both policies give each client."""
        verdicts: dict[str, JsonValue] = {}
        for address in self.clients:
            verdicts[address] = {
                "policy": _granted(exports.policy, address),
                "root": _granted(exports.root, address),
            }
        values: dict[str, JsonValue] = {
            "policy_exists": exports.policy is not None,
            "root_policy": exports.root.name if exports.root else None,
            "clients": verdicts,
        }
        return Observation(values)

    def judge(self, seen: Observation) -> Finding:
        """One refused client blocks: its host would miss the datastore."""
        values = seen.values
        if values.get("root_policy") is None:
            return impossible(f"SVM {self.svm} does not exist, or its root volume cannot be seen")
        if not values.get("policy_exists"):
            summary = f"export policy {self.policy} does not exist on {self.svm}"
            return Finding(Level.BLOCKER, summary, hint="ontap.volume.export creates it with its rules.")
        verdicts = values.get("clients")
        refused = list(self._refused(verdicts if isinstance(verdicts, dict) else {}, values["root_policy"]))
        if not refused:
            return Finding(Level.OK, f"policy {self.policy} of {self.svm} admits {', '.join(self.clients)}")
        hint = "ontap.volume.export adds the rules; rehearse it before the day."
        return Finding(Level.BLOCKER, refused[0], tuple(refused), hint)

    def _refused(self, verdicts: dict[str, JsonValue], root: JsonValue) -> list[str]:
        lines = []
        for address in self.clients:
            verdict = verdicts.get(address)
            given = verdict if isinstance(verdict, dict) else {}
            own, above = given.get("policy"), given.get("root")
            if not (isinstance(own, dict) and own.get("full")):
                lines.append(f"policy {self.policy} of {self.svm} keeps {address} out: {_why(own)}")
            if not (isinstance(above, dict) and above.get("read")):
                lines.append(f"the SVM root's policy {root} keeps {address} out: {_why(above)}")
        return lines


class CifsJoined(BulkProbe[Client]):
    """Whether the SVM has a CIFS server, enabled and joined to a domain."""

    name: ClassVar[str] = "ontap.cifs.joined"
    output_names: ClassVar[frozenset[str]] = frozenset({"exists", "server", "enabled", "domain", "aliases"})

    svm: SvmName

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised | None:
        """Ask it as it is: it looks at the standby's own server."""
        return None

    @classmethod
    def observe_many(cls, probes: Sequence[Self], client: Client) -> list[Observation | ProviderError]:
        """Read the CIFS services."""
        svms = "|".join(sorted({probe.svm for probe in probes}))
        found = {server.svm: server for server in client.fetch(CifsServer, svm__name=svms)}
        return [_service(found.get(probe.svm)) for probe in probes]

    def judge(self, seen: Observation) -> Finding:
        """Without a server nothing can be shared."""
        values = seen.values
        if not values.get("exists"):
            return impossible(
                f"SVM {self.svm} has no CIFS server", hint="Create and join it (vserver cifs create)."
            )
        who = f"CIFS server {values.get('server')} of {self.svm}"
        if not values.get("enabled"):
            return Finding(Level.BLOCKER, f"{who} is disabled", hint="Start it (vserver cifs start).")
        if not values.get("domain"):
            return Finding(Level.WARNING, f"{who} is in a workgroup: domain accounts cannot use it")
        return Finding(Level.OK, f"{who} is enabled and joined to {values.get('domain')}")


def _space(volume: Volume | None, found: Mapping[str, Aggregate]) -> Observation:
    if volume is None:
        return Observation({"exists": False})
    mine = [found[name] for name in volume.aggregates if name in found]
    aggregates: list[JsonValue] = [
        {"name": each.name, "size_bytes": each.size, "available_bytes": each.available} for each in mine
    ]
    return Observation({"exists": True, "aggregates": aggregates})


def _service(server: CifsServer | None) -> Observation:
    if server is None:
        return Observation({"exists": False})
    values: dict[str, JsonValue] = {
        "exists": True,
        "server": server.name,
        "enabled": server.enabled,
        "domain": server.domain,
        "aliases": list(server.aliases),
    }
    return Observation(values)


def _granted(policy: ExportPolicy | None, client: str) -> JsonValue:
    given = grant(policy.rules, client) if policy else Grant()
    return {"read": given.read, "full": given.full, "why": str(given)}


def _why(given: JsonValue) -> str:
    return str(given.get("why")) if isinstance(given, dict) else "no rule admits it"


def _free(aggregate: dict[str, JsonValue]) -> float:
    size, available = aggregate.get("size_bytes"), aggregate.get("available_bytes")
    if not isinstance(size, int | float) or not isinstance(available, int | float) or size <= 0:
        return 0.0
    return 100.0 * available / size


def _gib(value: JsonValue) -> str:
    return f"{value / 2**30:.0f} GiB" if isinstance(value, int | float) else "unknown"
