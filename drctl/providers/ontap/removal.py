"""Deleting clones so that nothing is left: not the volume, not its policy, not the space it took."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
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
from drctl.providers.ontap.copies import OWNED, Copy, Name
from drctl.providers.ontap.model import ExportPolicy
from drctl.providers.ontap.request import Request

_IN_USE = 1703952
"""ONTAP's code for an export policy that a volume still has."""


@dataclass(frozen=True, slots=True)
class Remains:
    """What is left of a clone. ``queued`` are its names in the recovery queue, None when that is hidden.

    ``policy`` is the id of its export policy; ``shared`` says that other volumes have that policy too.
    """

    clone: Copy | None
    queued: tuple[str, ...] | None = ()
    policy: int | None = None
    shared: bool = False


class DeleteClone(Action[Client, Remains]):
    """Delete a FlexClone that drctl made: unmounted, offline, then past the recovery queue.

    Deleted volumes wait twelve hours in that queue and take space; ``force`` bypasses it from 9.12 on,
    older releases are purged by command. A volume is deleted only when it is a clone of ``parent`` and its
    comment begins with ``mark`` (and its uuid is ``uuid``, where known). ``policy`` goes with it unless
    another volume has it.
    """

    name: ClassVar[str] = "ontap.volume.delete_clone"
    reversibility: ClassVar[Reversibility] = Reversibility.IRREVERSIBLE
    state: ClassVar[type] = Remains

    svm: SvmName
    volume: Name = Argument(description="The copy to delete.")
    parent: str = Argument(description="The volume it must be a copy of.")
    mark: str = Argument(OWNED, description="How its comment must begin.")
    uuid: str | None = Argument(None, description="The UUID it must have; default any.")
    policy: str | None = Argument(
        None, description="Export policy that goes with it unless another volume has it; default none."
    )

    @property
    def path(self) -> str:
        """``svm:volume``."""
        return f"{self.svm}:{self.volume}"

    def touches(self) -> frozenset[ObjectRef]:
        """Name the clone and its policy."""
        gone = {ObjectRef("volume", self.path)}
        if self.policy:
            gone.add(ObjectRef("export", f"{self.svm}:{self.policy}"))
        return frozenset(gone)

    def read(self, client: Client) -> Remains:
        """Read the volume, the recovery queue and the policy."""
        return self._read_all([self], client)[0]

    @classmethod
    def read_many(cls, actions: Sequence[Self], client: Client) -> list[Remains | ProviderError]:
        """Read for all of them with three requests."""
        try:
            return list(cls._read_all(actions, client))
        except ProviderError as error:
            return [error for _ in actions]

    @classmethod
    def _read_all(cls, actions: Sequence[Self], client: Client) -> list[Remains]:
        svms = sorted({action.svm for action in actions})
        copies = client.fetch(Copy, svm__name="|".join(svms))
        queue = client.queued(svms)
        policies = client.fetch(ExportPolicy, svm__name="|".join(svms))
        return [action.among(copies, queue, policies) for action in actions]

    def among(
        self, copies: Sequence[Copy], queue: dict[str, list[str]] | None, policies: Sequence[ExportPolicy]
    ) -> Remains:
        """Pick what is left of this clone from what was read."""
        waiting = re.compile(rf"{re.escape(self.volume)}(_\d+)?")
        mine = [copy for copy in copies if copy.svm == self.svm]
        policy = next((p for p in policies if (p.svm, p.name) == (self.svm, self.policy)), None)
        return Remains(
            next((copy for copy in mine if copy.name == self.volume), None),
            None
            if queue is None
            else tuple(name for name in queue.get(self.svm, ()) if waiting.fullmatch(name)),
            policy.id if policy else None,
            any(copy.policy == self.policy and copy.name != self.volume for copy in mine),
        )

    def diff(self, now: Remains) -> Change | None:
        """Done when neither volume nor policy is there and the queue holds nothing of it."""
        if now.clone is not None:
            self._check(now.clone)
        fields = tuple(self._fields(now))
        return Change(f"delete clone {self.path} of {self.parent}", fields) if fields else None

    def _fields(self, now: Remains) -> Iterator[Field]:
        if now.clone is not None:
            yield Field("volume", now.clone.name, None)
            if now.clone.junction:
                yield Field("junction", now.clone.junction, None)
        if now.queued:
            waiting: list[JsonValue] = list(now.queued)
            yield Field("recovery queue", waiting, None)
        if now.policy is not None and not now.shared:
            yield Field("export policy", self.policy, None)

    def _check(self, found: Copy) -> None:
        if not found.is_clone or found.parent != self.parent:
            why = f"it is no clone of {self.parent}"
        elif not found.comment.startswith(self.mark):
            why = f"its comment says {found.comment or 'nothing'!r}, expected was {self.mark!r}"
        elif self.uuid and found.uuid and found.uuid != self.uuid:
            why = f"its uuid is {found.uuid}, the clone made had {self.uuid}"
        else:
            return
        problem = Problem(
            code="ontap-not-ours",
            summary=f"volume {self.path} is not deleted: {why}",
            hint="Somebody replaced it, or made it. Look at `volume show -fields comment`, delete it by hand.",
        )
        raise ProviderError(problem)

    def apply(self, client: Client, change: Change, control: Control) -> None:
        """Unmount, offline, delete with force, purge what waits, delete the policy."""
        now = self.read(client)
        if now.clone is not None:
            self._check(now.clone)
            self._delete(client, now.clone, control)
        for name in self.read(client).queued or ():
            control.progress(f"purging {name} from the recovery queue")
            client.purge(self.svm, name)
        if now.policy is not None and not now.shared:
            self._drop_policy(client, now.policy, control)

    def _delete(self, client: Client, clone: Copy, control: Control) -> None:
        keys: dict[str, JsonValue] = {"uuid": clone.uuid}
        if clone.junction:
            doing = f"unmount {self.path}"
            client.change(Request("PATCH", "Volume", doing, keys, {"nas": {"path": ""}}), control)
        if clone.state == "online":
            doing = f"take {self.path} offline"
            client.change(Request("PATCH", "Volume", doing, keys, {"state": "offline"}), control)
        doing = f"delete {self.path}"
        client.change(Request("DELETE", "Volume", doing, keys, query={"force": "true"}), control)

    def _drop_policy(self, client: Client, policy: int, control: Control) -> None:
        doing = f"delete export policy {self.policy} of {self.svm}"
        try:
            client.change(Request("DELETE", "ExportPolicy", doing, {"id": policy}), control)
        except ProviderError as error:
            if problems.code_of(error) not in {_IN_USE, problems.ENTRY_MISSING}:
                raise

    def find_running(self, client: Client, since: datetime) -> Handle | None:
        """Return a job at work on the clone."""
        found = client.fetch(Copy, svm__name=self.svm, name=self.volume)
        return client.job_about(found[0].uuid) if found else None

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Leave it: cleanup deletes what a drill made."""
        return NotExercised("a drill's own clones go with its cleanup")
