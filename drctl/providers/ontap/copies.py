"""Copies of volumes that take no space of their own: FlexClones made, told from others', deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, Self

from pydantic import AliasPath, JsonValue
from pydantic import Field as Argument

from drctl.core.action import (
    MARK,
    OUTPUT,
    Action,
    Change,
    Control,
    DataLoss,
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
from drctl.providers.ontap.arguments import SvmName
from drctl.providers.ontap.client import Client
from drctl.providers.ontap.model import ExportPolicy, Mirror, Snapshot, Volume
from drctl.providers.ontap.points import Point, choose, read_points
from drctl.providers.ontap.request import Request

OWNED = "drctl:"
"""How the comment of everything drctl makes begins."""

Name = Annotated[str, Argument(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,202}$")]
"""What ONTAP takes for a volume's name."""


class Copy(Volume):
    """A volume with what tells whose copy it is."""

    comment: str = ""
    is_clone: bool = Argument(default=False, validation_alias=AliasPath("clone", "is_flexclone"))
    parent: str = Argument("", validation_alias=AliasPath("clone", "parent_volume", "name"))
    base: str = Argument("", validation_alias=AliasPath("clone", "parent_snapshot", "name"))


@dataclass(frozen=True, slots=True)
class CopyState:
    """A parent with its snapshots, the clone if there is one, the policies of their SVM by name."""

    parent: Copy | None
    clone: Copy | None
    exported: str | None = None
    mirrored: bool = False
    points: tuple[Point, ...] = ()
    policies: tuple[str, ...] = ()
    clock_skew: float | None = None


def clone_in_bubble(bubble: Bubble, svm: str, volume: str, snapshot: str | None = None) -> Recipe:
    """Return the clone by which a drill stands in for a volume, with an export policy of its own."""
    arguments: dict[str, JsonValue] = {
        "svm": svm,
        "parent": volume,
        "clone": bubble.volume(volume),
        "policy": bubble.policy(volume),
    }
    if snapshot is not None:
        arguments["snapshot"] = snapshot
    if bubble.run_id:
        arguments["owner"] = f"{OWNED}{bubble.run_id}:"
    return Recipe(Clone.name, arguments)


class Clone(Action[Client, CopyState]):
    """Make a FlexClone of a volume's snapshot: a writable copy that shares its blocks.

    ``snapshot`` is a name or a time (the newest made at or before it); without one it is the exported
    snapshot of a mirror's destination. ``policy`` is an export policy made for the clone when there is
    none of that name: it admits nobody until ``ontap.volume.export`` says whom. ``serves`` says that the
    clone takes the parent's place, so that what was written after the snapshot is given up. ``owner``
    is how the comment of a clone that exists already must begin; another one is somebody else's.
    A clone locks its snapshot on the parent; once that has left the mirror's source, updates fail until
    the clone is gone.
    """

    name: ClassVar[str] = "ontap.volume.clone"
    reversibility: ClassVar[Reversibility] = Reversibility.REVERSIBLE
    state: ClassVar[type] = CopyState
    output_names: ClassVar[frozenset[str]] = frozenset(
        {"svm", "volume", "recovery_point", "snapshot", "uuid"}
    )

    svm: SvmName
    parent: str = Argument(description="The volume to copy.")
    clone: Name = Argument(description="What the copy is called: letters, digits and `_`.")
    snapshot: str | None = Argument(
        None,
        description="Name, or a time that it was made at or just before; default the one a mirror exports.",
    )
    policy: str | None = Argument(
        None,
        description="Export policy of the copy, made (admitting nobody) where there is none; default what "
        "ONTAP gives it.",
    )
    owner: str = Argument(
        OWNED, description="How the comment of a copy that is there already must begin to be taken for ours."
    )
    serves: bool = Argument(
        default=False,
        description="Whether the copy takes the parent's place: what was written after the snapshot is given "
        "up.",
    )

    @property
    def path(self) -> str:
        """``svm:clone``."""
        return f"{self.svm}:{self.clone}"

    @property
    def origin(self) -> str:
        """``svm:parent``."""
        return f"{self.svm}:{self.parent}"

    def touches(self) -> frozenset[ObjectRef]:
        """Name the clone and the policy that comes with it; the parent stays as it is."""
        made = {ObjectRef("volume", self.path)}
        if self.policy:
            made.add(ObjectRef("export", f"{self.svm}:{self.policy}"))
        return frozenset(made)

    def read(self, client: Client) -> CopyState:
        """Read parent, clone, snapshots and policies."""
        return self._read_all([self], client)[0]

    @classmethod
    def read_many(cls, actions: Sequence[Self], client: Client) -> list[CopyState | ProviderError]:
        """Read for all of them with four requests."""
        try:
            return list(cls._read_all(actions, client))
        except ProviderError as error:
            return [error for _ in actions]

    @classmethod
    def _read_all(cls, actions: Sequence[Self], client: Client) -> list[CopyState]:
        svms = "|".join(sorted({action.svm for action in actions}))
        copies = {copy.path: copy for copy in client.fetch(Copy, svm__name=svms)}
        mirrors = {mirror.destination: mirror for mirror in client.fetch(Mirror)}
        policies = client.fetch(ExportPolicy, svm__name=svms)
        parents = {copies[a.origin].uuid for a in actions if a.origin in copies}
        points = read_points(client, parents)
        states = []
        for action in actions:
            parent, mirror = copies.get(action.origin), mirrors.get(action.origin)
            states.append(
                CopyState(
                    parent,
                    copies.get(action.path),
                    mirror.exported if mirror else None,
                    mirrored=mirror is not None and parent is not None and parent.type == "dp",
                    points=tuple(points.get(parent.uuid, ())) if parent else (),
                    policies=tuple(sorted(p.name for p in policies if p.svm == action.svm)),
                    clock_skew=client.skew(),
                )
            )
        return states

    def diff(self, now: CopyState) -> Change | None:
        """Done when a clone of ours lies on the snapshot wished for."""
        if now.parent is None:
            raise Missing(ObjectRef("volume", self.origin))
        if now.clone is not None:
            self._check(now.clone, now)
            return None
        point = self._choose(now)
        fields = [
            Field("volume", None, self.clone),
            Field("parent", None, self.parent),
            Field("snapshot", None, f"{point.name} of {point.created.isoformat()}"),
        ]
        if self.policy and self.policy not in now.policies:
            fields.append(Field("export policy", None, self.policy))
        loss = DataLoss(self.origin, point.name, point.created, now.clock_skew) if self.serves else None
        summary = f"clone {self.origin} as {self.clone} from {point.name} of {point.created.isoformat()}"
        return Change(summary, tuple(fields), loss)

    def _choose(self, now: CopyState) -> Snapshot:
        return choose(now.points, self.snapshot, now.exported, self.origin, mirrored=now.mirrored)

    def _check(self, found: Copy, now: CopyState) -> None:
        """Refuse a volume of that name that is not the clone meant."""
        if not found.is_clone or found.parent != self.parent:
            why = f"it is no clone of {self.parent}"
        elif not found.comment.startswith(self.owner):
            why = f"its comment says {found.comment or 'nothing'!r}, expected was {self.owner}…"
        elif self.snapshot is not None and (point := self._choose(now)).name != found.base:
            why = f"it lies on {found.base}, asked for was {point.name}"
        else:
            return
        raise ProviderError(_taken(self.path, why))

    def apply(self, client: Client, change: Change, control: Control) -> None:
        """Make the policy, then the clone, marked in its comment."""
        now = self.read(client)
        if now.parent is None:
            raise problems.vanished(f"volume {self.origin}", client.name)
        if now.clone is not None:
            self._check(now.clone, now)
            return
        if self.policy and self.policy not in now.policies:
            self._make_policy(client, control)
        client.change(self._request(self._choose(now), control.mark), control)

    def _make_policy(self, client: Client, control: Control) -> None:
        body: dict[str, JsonValue] = {"name": self.policy, "svm": {"name": self.svm}}
        doing = f"create export policy {self.policy} of {self.svm}"
        try:
            client.change(Request("POST", "ExportPolicy", doing, body=body), control)
        except ProviderError as error:
            if problems.code_of(error) not in problems.ALREADY:
                raise

    def _request(self, point: Snapshot, mark: str) -> Request:
        body: dict[str, JsonValue] = {
            "name": self.clone,
            "svm": {"name": self.svm},
            "comment": mark,
            "guarantee": {"type": "none"},
            "clone": {
                "is_flexclone": True,
                "parent_volume": {"name": self.parent},
                "parent_snapshot": {"name": point.name},
            },
        }
        if self.policy:
            body["nas"] = {"export_policy": {"name": self.policy}}
        return Request("POST", "Volume", f"clone {self.origin} as {self.clone}", body=body)

    def find_running(self, client: Client, since: datetime) -> Handle | None:
        """Return a job at work on the clone."""
        found = client.fetch(Copy, svm__name=self.svm, name=self.clone)
        return client.job_about(found[0].uuid) if found else None

    def foresee(self) -> Mapping[str, JsonValue]:
        """The clone's name is certain."""
        return {"svm": self.svm, "volume": self.clone}

    def outputs(self, now: CopyState) -> Mapping[str, JsonValue]:
        """Add the snapshot it lies on and when that was made (ISO 8601, UTC)."""
        base = now.clone.base if now.clone else None
        made = next((point.created for point in now.points if point.name == base), None)
        return {
            **self.foresee(),
            "snapshot": base,
            "recovery_point": made.isoformat() if made else None,
            "uuid": now.clone.uuid if now.clone else None,
        }

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Clone the same snapshot under the bubble's name."""
        return clone_in_bubble(bubble, self.svm, self.parent, self.snapshot)

    def undo(self, before: CopyState, change: Change) -> Recipe:
        """Delete the clone that carries this step's mark, with its policy."""
        arguments: dict[str, JsonValue] = {
            "svm": self.svm,
            "volume": self.clone,
            "parent": self.parent,
            "mark": MARK,
            "uuid": f"{OUTPUT}uuid",
        }
        # A policy of the clone's own name is its own, also where an interrupted attempt had made it.
        if self.policy == self.clone or any(field.name == "export policy" for field in change.fields):
            arguments["policy"] = self.policy
        return Recipe("ontap.volume.delete_clone", arguments)


def _taken(path: str, why: str) -> Problem:
    return Problem(
        code="ontap-clone-taken",
        summary=f"volume {path} exists and is not the clone to be made: {why}",
        detail="It may be what an earlier drill left.",
        hint="drctl runs shows drills left uncleaned; drctl cleanup removes what they made.",
    )
