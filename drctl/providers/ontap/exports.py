"""The action that lets hosts use a volume over NFS: policy, rules, and the way through the SVM's root."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, JsonValue
from pydantic import Field as Argument

from drctl.core.action import (
    Action,
    Change,
    Control,
    Field,
    Handle,
    Missing,
    NotExercised,
    ObjectRef,
    Recipe,
    Reversibility,
)
from drctl.core.bubble import Bubble
from drctl.core.problem import Problem, ProviderError
from drctl.providers.ontap import problems
from drctl.providers.ontap.arguments import SvmName, VolumeName
from drctl.providers.ontap.client import Client
from drctl.providers.ontap.model import ExportPolicy, Volume
from drctl.providers.ontap.request import Request
from drctl.providers.ontap.rules import admitted, is_shadowed
from drctl.providers.ontap.volumes import read_volumes


def _address(text: str) -> str:
    ip_network(text, strict=False)
    return text


Address = Annotated[str, AfterValidator(_address)]
"""An address or a network: what a rule can be checked against without asking a name server."""


@dataclass(frozen=True, slots=True)
class Exports:
    """A volume's way out: the policy wished for, and the one of the SVM's root volume."""

    volume: Volume | None
    policy: ExportPolicy | None
    root: ExportPolicy | None


def read_exports(client: Client, wanted: Sequence[tuple[str, str, str]]) -> list[Exports]:
    """Read (svm, volume, policy) for many: one request for volumes, one for policies."""
    svms = [svm for svm, _, _ in wanted]
    volumes = read_volumes(client, svms)
    policies = {
        (policy.svm, policy.name): policy
        for policy in client.fetch(ExportPolicy, svm__name="|".join(sorted(set(svms))))
    }
    found = []
    for svm, name, policy in wanted:
        mine = [volume for volume in volumes if volume.svm == svm]
        # Load-sharing mirrors of the root count as roots too; clients pass through the real one's policy.
        root = next((v for v in mine if (v.is_root or v.junction == "/") and v.type == "rw"), None)
        found.append(
            Exports(
                next((volume for volume in mine if volume.name == name), None),
                policies.get((svm, policy)),
                policies.get((svm, root.policy)) if root else None,
            )
        )
    return found


class Export(Action[Client, Exports]):
    """Let clients use a volume over NFS.

    Each client is admitted read-write with superuser by the volume's policy, and at least to read by the
    policy of the SVM's root volume, through which every mount passes. Rules of others stay; a new rule
    comes first where an old one would decide against the client. What is added is not taken away by undo.
    With ``root: false`` the root's policy is only checked, never changed: a drill touches nothing of others.
    """

    name: ClassVar[str] = "ontap.volume.export"
    reversibility: ClassVar[Reversibility] = Reversibility.COMPENSABLE
    state: ClassVar[type] = Exports

    svm: SvmName
    volume: VolumeName
    policy: str = Argument(description="Name of the export policy that the volume gets.")
    clients: tuple[Address, ...] = Argument(
        description="Addresses to admit, e.g. hypervisors' storage interfaces."
    )
    root: bool = Argument(
        default=True,
        description="Whether the policy of the SVM's root may be changed too; false only checks it.",
    )

    @property
    def path(self) -> str:
        """``svm:volume``."""
        return f"{self.svm}:{self.volume}"

    def touches(self) -> frozenset[ObjectRef]:
        """Name the volume and the policy."""
        return frozenset({ObjectRef("volume", self.path), ObjectRef("export", f"{self.svm}:{self.policy}")})

    def read(self, client: Client) -> Exports:
        """Read the volume and both policies."""
        return read_exports(client, [(self.svm, self.volume, self.policy)])[0]

    @classmethod
    def read_many(cls, actions: Sequence[Self], client: Client) -> list[Exports | ProviderError]:
        """Read for all of them with two requests."""
        try:
            return list(read_exports(client, [(a.svm, a.volume, a.policy) for a in actions]))
        except ProviderError as error:
            return [error for _ in actions]

    def diff(self, now: Exports) -> Change | None:
        """Done when the volume has the policy and every client gets through both."""
        if now.volume is None:
            raise Missing(ObjectRef("volume", self.path))
        fields = tuple(self._fields(now, now.volume))
        if not fields:
            return None
        if not self.root and (refused := self._refused_at_root(now)):
            raise ProviderError(_root_closed(self.svm, refused))
        return Change(f"export {self.path} by policy {self.policy} to {', '.join(self.clients)}", fields)

    def _fields(self, now: Exports, volume: Volume) -> Iterator[Field]:
        wished: list[JsonValue] = list(self.clients)
        if volume.policy != self.policy:
            yield Field("policy", volume.policy, self.policy)
        if now.policy is None:
            yield Field("clients", None, wished)
        elif self._refused(now.policy):
            yield Field("clients", list(admitted(now.policy.rules, self.clients)), wished)
        if self._refused_at_root(now):
            rules = now.root.rules if now.root else ()
            yield Field(
                "clients through the root", list(admitted(rules, self.clients, read_only=True)), wished
            )

    def _refused(self, policy: ExportPolicy) -> list[str]:
        inside = admitted(policy.rules, self.clients)
        return [client for client in self.clients if client not in inside]

    def _refused_at_root(self, now: Exports) -> list[str]:
        """Clients the root keeps out, once the volume's own policy is as wished."""
        if now.root is None or now.root.name == self.policy:
            return []
        inside = admitted(now.root.rules, self.clients, read_only=True)
        return [client for client in self.clients if client not in inside]

    def apply(self, client: Client, change: Change, control: Control) -> None:
        """Policy and rules first, then the volume, then the root; other steps on this SVM wait."""
        with client.exclusive(f"exports:{self.svm}"):
            now = self.read(client)
            if now.volume is None:
                raise problems.vanished(f"volume {self.path}", client.name)
            self._settle_policy(client, now.policy, control)
            if now.volume.policy != self.policy:
                client.change(self._assign(now.volume), control)
            refused = self._refused_at_root(now)
            if now.root is not None and refused and self.root:
                self._admit(client, now.root, refused, control, write=False)

    def _settle_policy(self, client: Client, policy: ExportPolicy | None, control: Control) -> None:
        if policy is not None:
            if refused := self._refused(policy):
                self._admit(client, policy, refused, control, write=True)
            return
        body: dict[str, JsonValue] = {"name": self.policy, "svm": {"name": self.svm}}
        if self.clients:
            body["rules"] = [_rule(self.clients, write=True)]
        doing = f"create export policy {self.policy} of {self.svm}"
        client.change(Request("POST", "ExportPolicy", doing, body=body), control)

    def _admit(
        self, client: Client, policy: ExportPolicy, clients: Sequence[str], control: Control, *, write: bool
    ) -> None:
        body = _rule(clients, write=write)
        if is_shadowed(policy.rules, clients):
            body["index"] = 1
        doing = f"add a rule to export policy {policy.name} of {self.svm}"
        request = Request("POST", "ExportRule", doing, body=body, parents=(str(policy.id),))
        try:
            client.change(request, control)
        except ProviderError as error:
            if problems.code_of(error) not in problems.ALREADY:
                raise

    def _assign(self, volume: Volume) -> Request:
        body: Mapping[str, JsonValue] = {"nas": {"export_policy": {"name": self.policy}}}
        doing = f"give {self.path} the export policy {self.policy}"
        return Request("PATCH", "Volume", doing, {"uuid": volume.uuid}, body)

    def find_running(self, client: Client, since: datetime) -> Handle | None:
        """Return a job at work on this volume."""
        volume = self.read(client).volume
        return client.job_about(volume.uuid) if volume else None

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Export the clone by the policy that was made with it, and leave the SVM root's alone."""
        clients: list[JsonValue] = list(self.clients)
        arguments: dict[str, JsonValue] = {
            "svm": self.svm,
            "volume": bubble.volume(self.volume),
            "policy": bubble.policy(self.volume),
            "clients": clients,
            "root": False,
        }
        return Recipe(self.name, arguments)

    def undo(self, before: Exports, change: Change) -> Recipe | None:
        """Give the volume its former policy back."""
        if before.volume is None or before.volume.policy == self.policy:
            return None
        clients: list[JsonValue] = []
        return Recipe(
            self.name,
            {"svm": self.svm, "volume": self.volume, "policy": before.volume.policy, "clients": clients},
        )


def _root_closed(svm: str, clients: Sequence[str]) -> Problem:
    return Problem(
        code="ontap-root-closed",
        summary=f"the policy of the root of {svm} keeps {', '.join(clients)} out, and may not be changed here",
        hint="Admit them there, read-only, before the day: a failover needs it as well.",
    )


def _rule(clients: Sequence[str], *, write: bool) -> dict[str, JsonValue]:
    """Return a rule for NFS with AUTH_SYS; a read-only one leaves root without its powers."""
    return {
        "clients": [{"match": client} for client in clients],
        "protocols": ["nfs"],
        "ro_rule": ["sys"],
        "rw_rule": ["sys" if write else "never"],
        "superuser": ["sys" if write else "never"],
    }
