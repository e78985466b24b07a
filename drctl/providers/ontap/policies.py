"""The action that says which snapshots a writable volume takes and deletes by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Self

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
from drctl.core.problem import Problem, ProviderError
from drctl.providers.ontap import problems
from drctl.providers.ontap.arguments import SvmName, VolumeName
from drctl.providers.ontap.client import Client
from drctl.providers.ontap.model import SnapshotPolicy, Volume
from drctl.providers.ontap.request import Request
from drctl.providers.ontap.volumes import read_volumes


@dataclass(frozen=True, slots=True)
class PolicyState:
    """A volume, and the names of the snapshot policies that it could have: its SVM's and the cluster's."""

    volume: Volume | None
    policies: tuple[str, ...] = ()


class SetSnapshotPolicy(Action[Client, PolicyState]):
    """Give a writable volume the snapshot policy that it is to keep while it serves, e.g. `none`.

    A mirror's destination takes no snapshots of its own; once it is broken off, its policy begins to. Each
    schedule of a policy keeps a number of snapshots whose names begin alike, and deletes the oldest beyond it:
    `default` may so delete the replicated one that the way back resyncs from, and the way back is then a full
    copy. So set a policy here, right after the break, that deletes nothing: `none`, or one of your own
    whose prefixes the source's snapshots do not have.

    The policy must exist; drctl makes none. A destination that is not broken off is left as it is.
    """

    name: ClassVar[str] = "ontap.volume.snapshot_policy"
    reversibility: ClassVar[Reversibility] = Reversibility.REVERSIBLE
    state: ClassVar[type] = PolicyState
    output_names: ClassVar[frozenset[str]] = frozenset({"svm", "volume", "policy"})

    svm: SvmName
    volume: VolumeName
    policy: str = Argument(
        min_length=1, description="Name of the snapshot policy, of the SVM or of the cluster, e.g. `none`."
    )

    @property
    def path(self) -> str:
        """``svm:volume``."""
        return f"{self.svm}:{self.volume}"

    def touches(self) -> frozenset[ObjectRef]:
        """Name the volume."""
        return frozenset({ObjectRef("volume", self.path)})

    def read(self, client: Client) -> PolicyState:
        """Read the volume and the policies there are."""
        return self._read_all([self], client)[0]

    @classmethod
    def read_many(cls, actions: Sequence[Self], client: Client) -> list[PolicyState | ProviderError]:
        """Read for all of them with two requests."""
        try:
            return list(cls._read_all(actions, client))
        except ProviderError as error:
            return [error for _ in actions]

    @classmethod
    def _read_all(cls, actions: Sequence[Self], client: Client) -> list[PolicyState]:
        volumes = {volume.path: volume for volume in read_volumes(client, [one.svm for one in actions])}
        policies = client.fetch(SnapshotPolicy)
        return [
            PolicyState(
                volumes.get(action.path),
                tuple(sorted({one.name for one in policies if one.svm in ("", action.svm)})),
            )
            for action in actions
        ]

    def diff(self, now: PolicyState) -> Change | None:
        """Done when the volume has the policy; one that does not exist is a problem."""
        volume = now.volume
        if volume is None:
            raise Missing(ObjectRef("volume", self.path))
        if self.policy not in now.policies:
            raise ProviderError(self._unknown(now.policies))
        if volume.snapshot_policy == self.policy:
            return None
        if volume.type == "dp":
            why = f"{self.path} is a mirror's read-only destination, which takes no snapshots of its own"
            raise Missing(ObjectRef("volume", self.path), why)
        before = volume.snapshot_policy or None
        return Change(
            f"give {self.path} the snapshot policy {self.policy} (now {before or 'unknown'})",
            (Field("snapshot policy", before, self.policy),),
        )

    def _unknown(self, present: Sequence[str]) -> Problem:
        return Problem(
            code="ontap-no-snapshot-policy",
            summary=f"{self.svm} has no snapshot policy {self.policy}",
            detail=f"It can have {', '.join(present) or 'none at all'}.",
            hint="Correct `policy`, or make it: volume snapshot policy create.",
        )

    def apply(self, client: Client, change: Change, control: Control) -> None:
        """Set it."""
        volume = self.read(client).volume
        if volume is None:
            raise problems.vanished(f"volume {self.path}", client.name)
        body: Mapping[str, JsonValue] = {"snapshot_policy": {"name": self.policy}}
        doing = f"give {self.path} the snapshot policy {self.policy}"
        client.change(Request("PATCH", "Volume", doing, {"uuid": volume.uuid}, body), control)

    def find_running(self, client: Client, since: datetime) -> Handle | None:
        """Return a job at work on this volume."""
        volume = self.read(client).volume
        return client.job_about(volume.uuid) if volume else None

    def foresee(self) -> Mapping[str, JsonValue]:
        """Everything is certain from the inputs."""
        return {"svm": self.svm, "volume": self.volume, "policy": self.policy}

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Give the clone the policy: whether it exists is found out, and the clone ends with the drill."""
        return Recipe(
            self.name, {"svm": self.svm, "volume": bubble.volume(self.volume), "policy": self.policy}
        )

    def undo(self, before: PolicyState, change: Change) -> Recipe | None:
        """Give it the former policy back."""
        former = before.volume.snapshot_policy if before.volume else ""
        if not former:
            return None
        return Recipe(self.name, {"svm": self.svm, "volume": self.volume, "policy": former})
