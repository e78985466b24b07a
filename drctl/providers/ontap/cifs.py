"""Actions on CIFS: shares with their ACL, and the names a server answers to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, JsonValue
from pydantic import Field as Argument

from drctl.core.action import (
    Action,
    Change,
    Control,
    Field,
    Missing,
    NotExercised,
    ObjectRef,
    Recipe,
    Reversibility,
)
from drctl.core.bubble import Bubble
from drctl.core.problem import ProviderError
from drctl.providers.ontap import problems
from drctl.providers.ontap.arguments import SvmName
from drctl.providers.ontap.client import Client
from drctl.providers.ontap.model import Ace, CifsServer, Share
from drctl.providers.ontap.request import Request
from drctl.providers.ontap.volumes import read_volumes

Right = Literal["no_access", "read", "change", "full_control"]


class Permission(BaseModel):
    """One wish about a share's ACL: a Windows user or group, and what it may do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    who: str = Argument(description="User or group, e.g. `CLINIC\\doctors`.")
    access: Right = Argument(description="What it may do.")

    def met_by(self, entries: Sequence[Ace]) -> bool:
        """Say whether the ACL grants exactly this; names are compared as Windows does."""
        return any(e.who.lower() == self.who.lower() and e.access == self.access for e in entries)


@dataclass(frozen=True, slots=True)
class Shares:
    """A share, the server that would serve it, and where the SVM's volumes are mounted."""

    server: CifsServer | None
    share: Share | None
    junctions: tuple[str, ...] = ()


class PublishShare(Action[Client, Shares]):
    """Share a path of an SVM over CIFS, each entry of ``acl`` granted.

    A share made here has exactly these entries (ONTAP's own default lets everyone do everything); on a
    share that exists, entries of others stay.
    """

    name: ClassVar[str] = "ontap.cifs.share"
    reversibility: ClassVar[Reversibility] = Reversibility.COMPENSABLE
    state: ClassVar[type] = Shares

    svm: SvmName
    share: str = Argument(description="What clients type after the server's name, e.g. `IMAGES`.")
    path: Annotated[str, Argument(pattern=r"^/")] = Argument(
        description="The folder it opens, from the SVM's root, e.g. `/pacs_images`."
    )
    acl: tuple[Permission, ...] = Argument((), description="Who may do what; default nothing is granted.")

    @property
    def identity(self) -> str:
        """``svm:share``."""
        return f"{self.svm}:{self.share}"

    def touches(self) -> frozenset[ObjectRef]:
        """Name the share."""
        return frozenset({ObjectRef("share", self.identity)})

    def read(self, client: Client) -> Shares:
        """Read server, share and junctions."""
        return self._read_all([self], client)[0]

    @classmethod
    def read_many(cls, actions: Sequence[Self], client: Client) -> list[Shares | ProviderError]:
        """Read for all of them with three requests."""
        try:
            return list(cls._read_all(actions, client))
        except ProviderError as error:
            return [error for _ in actions]

    @classmethod
    def _read_all(cls, actions: Sequence[Self], client: Client) -> list[Shares]:
        svms = sorted({action.svm for action in actions})
        servers = {server.svm: server for server in client.fetch(CifsServer, svm__name="|".join(svms))}
        shares = {
            (share.svm, share.name.lower()): share for share in client.fetch(Share, svm__name="|".join(svms))
        }
        volumes = read_volumes(client, svms)
        return [
            Shares(
                servers.get(action.svm),
                shares.get((action.svm, action.share.lower())),
                tuple(sorted(v.junction for v in volumes if v.svm == action.svm and v.junction)),
            )
            for action in actions
        ]

    def diff(self, now: Shares) -> Change | None:
        """Done when the share leads to the path and grants what is wished."""
        self._check(now)
        fields = tuple(self._fields(now.share))
        if not fields:
            return None
        return Change(f"share {self.path} of {self.svm} as {self.share}", fields)

    def _check(self, now: Shares) -> None:
        if now.server is None:
            why = f"SVM {self.svm} has no CIFS server"
            raise Missing(ObjectRef("cifs-server", self.svm), why)
        covered = self.path == "/" or any(
            junction != "/" and f"{self.path}/".startswith(f"{junction}/") for junction in now.junctions
        )
        if not covered:
            top = "/" + self.path.strip("/").split("/")[0]
            why = f"no volume of {self.svm} is mounted at {top}, which the share {self.share} leads to"
            raise Missing(ObjectRef("junction", f"{self.svm}:{top}"), why)

    def _fields(self, share: Share | None) -> Iterator[Field]:
        before = share.path if share else None
        if before != self.path:
            yield Field("path", before, self.path)
        entries = share.acl if share else ()
        for wish in self.acl:
            if not wish.met_by(entries):
                yield Field(f"access of {wish.who}", _right_of(entries, wish.who), wish.access)

    def apply(self, client: Client, change: Change, control: Control) -> None:
        """Create the share with its ACL, or put right what differs."""
        now = self.read(client)
        if now.share is None:
            client.change(self._create(control.mark), control)
            return
        keys: dict[str, JsonValue] = {"svm": {"uuid": now.share.svm_uuid}, "name": now.share.name}
        if now.share.path != self.path:
            doing = f"lead share {self.identity} to {self.path}"
            client.change(Request("PATCH", "CifsShare", doing, keys, {"path": self.path}), control)
        for wish in self.acl:
            if not wish.met_by(now.share.acl):
                client.change(self._grant(now.share, wish), control)

    def _create(self, mark: str) -> Request:
        body: dict[str, JsonValue] = {
            "svm": {"name": self.svm},
            "name": self.share,
            "path": self.path,
            "comment": mark,
        }
        if self.acl:
            body["acls"] = [
                {"type": "windows", "user_or_group": wish.who, "permission": wish.access} for wish in self.acl
            ]
        return Request("POST", "CifsShare", f"create share {self.identity}", body=body)

    def _grant(self, share: Share, wish: Permission) -> Request:
        doing = f"grant {wish.access} on share {self.identity} to {wish.who}"
        parents = (share.svm_uuid, share.name)
        entry = next((e for e in share.acl if e.who.lower() == wish.who.lower()), None)
        body: dict[str, JsonValue] = {"permission": wish.access}
        if entry is None:
            body |= {"type": "windows", "user_or_group": wish.who}
            return Request("POST", "CifsShareAcl", doing, body=body, parents=parents)
        keys: dict[str, JsonValue] = {"user_or_group": entry.who, "type": entry.type}
        return Request("PATCH", "CifsShareAcl", doing, keys, body, parents=parents)

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Leave it: a share is found by its server's name, and the bubble has no CIFS server."""
        return NotExercised(f"the CIFS server of {self.svm} answers on production's network")

    def undo(self, before: Shares, change: Change) -> Recipe | None:
        """Lead the share where it led before, with the rights it gave; a share made here stays."""
        if before.share is None:
            return None
        wished = {wish.who.lower() for wish in self.acl}
        acl: list[JsonValue] = [
            {"who": entry.who, "access": entry.access}
            for entry in before.share.acl
            if entry.who.lower() in wished
        ]
        return Recipe(
            self.name, {"svm": self.svm, "share": self.share, "path": before.share.path, "acl": acl}
        )


def _right_of(entries: Sequence[Ace], who: str) -> str | None:
    return next((entry.access for entry in entries if entry.who.lower() == who.lower()), None)


@dataclass(frozen=True, slots=True)
class AliasState:
    """The CIFS server of an SVM, None when it has none."""

    server: CifsServer | None


class Alias(Action[Client, AliasState]):
    """Have a CIFS server answer to a further NetBIOS name, or no longer; its other aliases stay.

    Clients also need a DNS record of that name and the service principal name on the machine account.
    """

    name: ClassVar[str] = "ontap.cifs.alias"
    reversibility: ClassVar[Reversibility] = Reversibility.REVERSIBLE
    state: ClassVar[type] = AliasState

    svm: SvmName
    alias: Annotated[str, Argument(min_length=1, max_length=15)] = Argument(
        description="The further NetBIOS name, 15 characters at most."
    )
    present: bool = Argument(default=True, description="false takes the name away.")

    def touches(self) -> frozenset[ObjectRef]:
        """Name the alias."""
        return frozenset({ObjectRef("alias", f"{self.svm}:{self.alias.upper()}")})

    def read(self, client: Client) -> AliasState:
        """Read the server and its aliases."""
        return AliasState(next(iter(client.fetch(CifsServer, svm__name=self.svm)), None))

    @classmethod
    def read_many(cls, actions: Sequence[Self], client: Client) -> list[AliasState | ProviderError]:
        """Read every server concerned in one request."""
        svms = "|".join(sorted({action.svm for action in actions}))
        try:
            found = {server.svm: server for server in client.fetch(CifsServer, svm__name=svms)}
        except ProviderError as error:
            return [error for _ in actions]
        return [AliasState(found.get(action.svm)) for action in actions]

    def diff(self, now: AliasState) -> Change | None:
        """Done when the server has the alias, or has it no more; without server there is none to remove."""
        if now.server is None:
            if self.present:
                raise Missing(ObjectRef("cifs-server", self.svm), f"SVM {self.svm} has no CIFS server")
            return None
        has = self._held(now.server)
        if has is self.present:
            return None
        verb = "add alias {} to" if self.present else "remove alias {} from"
        return Change(
            f"{verb.format(self.alias.upper())} CIFS server {now.server.name} of {self.svm}",
            (Field("present", has, self.present),),
        )

    def _held(self, server: CifsServer) -> bool:
        return self.alias.upper() in {alias.upper() for alias in server.aliases}

    def apply(self, client: Client, change: Change, control: Control) -> None:
        """Replace the list by one with, or without, the alias; other steps on this SVM wait."""
        with client.exclusive(f"aliases:{self.svm}"):
            server = self.read(client).server
            if server is None:
                raise problems.vanished(f"the CIFS server of {self.svm}", client.name)
            others: list[JsonValue] = [a for a in server.aliases if a.upper() != self.alias.upper()]
            aliases = [*others, self.alias.upper()] if self.present else others
            body: Mapping[str, JsonValue] = {"netbios": {"aliases": aliases}}
            keys: Mapping[str, JsonValue] = {"svm": {"uuid": server.svm_uuid}}
            doing = f"change the aliases of CIFS server {server.name}"
            try:
                client.change(Request("PATCH", "CifsService", doing, keys, body), control)
            except ProviderError as error:
                if problems.code_of(error) not in problems.ALREADY:
                    raise

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Leave it: clients of production would be led to the drill."""
        return NotExercised(f"the alias {self.alias.upper()} is production's own")

    def undo(self, before: AliasState, change: Change) -> Recipe:
        """Do the opposite."""
        return Recipe(self.name, {"svm": self.svm, "alias": self.alias, "present": not self.present})
