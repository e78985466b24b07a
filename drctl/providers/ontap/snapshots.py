"""The action that takes a snapshot by hand, before something is overwritten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, Self

from pydantic import Field as Argument
from pydantic import JsonValue

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
from drctl.core.problem import ProviderError
from drctl.providers.ontap import problems
from drctl.providers.ontap.arguments import SvmName, VolumeName
from drctl.providers.ontap.client import Client
from drctl.providers.ontap.model import Snapshot, Volume
from drctl.providers.ontap.points import Point, read_points
from drctl.providers.ontap.request import Request
from drctl.providers.ontap.volumes import read_volumes

_EXISTS = 525059
"""ONTAP's code for a snapshot of that name."""


@dataclass(frozen=True, slots=True)
class Snapshots:
    """A volume and its snapshots."""

    volume: Volume | None
    points: tuple[Point, ...] = ()


class TakeSnapshot(Action[Client, Snapshots]):
    """Take a snapshot of a writable volume; it stays until somebody deletes it.

    A mirror's destination takes none of its own and needs none: nobody writes there. It counts as done.
    """

    name: ClassVar[str] = "ontap.snapshot.create"
    reversibility: ClassVar[Reversibility] = Reversibility.REVERSIBLE
    state: ClassVar[type] = Snapshots
    output_names: ClassVar[frozenset[str]] = frozenset({"svm", "volume", "snapshot", "created"})

    svm: SvmName
    volume: VolumeName
    snapshot: Annotated[str, Argument(pattern=r"^[^/\\:*?\"<>| ]{1,255}$")] = Argument(
        description="What the snapshot is called, e.g. `drctl-before-reprotect`."
    )
    comment: str = Argument("", description="Remark that ONTAP keeps with it.")

    @property
    def path(self) -> str:
        """``svm:volume``."""
        return f"{self.svm}:{self.volume}"

    def touches(self) -> frozenset[ObjectRef]:
        """Name the snapshot; the volume's content stays as it is."""
        return frozenset({ObjectRef("snapshot", f"{self.path}@{self.snapshot}")})

    def read(self, client: Client) -> Snapshots:
        """Read the volume and its snapshots."""
        return self._read_all([self], client)[0]

    @classmethod
    def read_many(cls, actions: Sequence[Self], client: Client) -> list[Snapshots | ProviderError]:
        """Read for all of them with two requests."""
        try:
            return list(cls._read_all(actions, client))
        except ProviderError as error:
            return [error for _ in actions]

    @classmethod
    def _read_all(cls, actions: Sequence[Self], client: Client) -> list[Snapshots]:
        volumes = {volume.path: volume for volume in read_volumes(client, [a.svm for a in actions])}
        points = read_points(client, {volumes[a.path].uuid for a in actions if a.path in volumes})
        found = [volumes.get(action.path) for action in actions]
        return [Snapshots(each, tuple(points.get(each.uuid, ())) if each else ()) for each in found]

    def diff(self, now: Snapshots) -> Change | None:
        """Done when the snapshot is there, or nothing can be written to the volume."""
        if now.volume is None:
            raise Missing(ObjectRef("volume", self.path))
        if now.volume.type == "dp" or self._found(now):
            return None
        return Change(
            f"take snapshot {self.snapshot} of {self.path}", (Field("snapshot", None, self.snapshot),)
        )

    def _found(self, now: Snapshots) -> Snapshot | None:
        return next((point for point in now.points if point.name == self.snapshot), None)

    def apply(self, client: Client, change: Change, control: Control) -> None:
        """Take it, with this step's mark in its comment unless another was given."""
        volume = self.read(client).volume
        if volume is None:
            raise problems.vanished(f"volume {self.path}", client.name)
        body: Mapping[str, JsonValue] = {"name": self.snapshot, "comment": self.comment or control.mark}
        doing = f"take snapshot {self.snapshot} of {self.path}"
        try:
            client.change(Request("POST", "Snapshot", doing, body=body, parents=(volume.uuid,)), control)
        except ProviderError as error:
            if problems.code_of(error) != _EXISTS:
                raise

    def find_running(self, client: Client, since: datetime) -> Handle | None:
        """Return a job at work on this volume."""
        volume = self.read(client).volume
        return client.job_about(volume.uuid) if volume else None

    def foresee(self) -> Mapping[str, JsonValue]:
        """All but the time is certain."""
        return {"svm": self.svm, "volume": self.volume, "snapshot": self.snapshot}

    def outputs(self, now: Snapshots) -> Mapping[str, JsonValue]:
        """Add when it was made (ISO 8601, UTC)."""
        found = self._found(now)
        return {**self.foresee(), "created": found.created.isoformat() if found else None}

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Leave it: a drill overwrites nothing that would need one."""
        return NotExercised(f"a drill overwrites nothing of {self.path}")
