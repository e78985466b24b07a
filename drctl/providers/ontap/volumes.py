"""Actions on volumes: mount and unmount."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
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
from drctl.core.problem import Problem, ProviderError
from drctl.providers.ontap import problems
from drctl.providers.ontap.arguments import SvmName, VolumeName
from drctl.providers.ontap.client import Client
from drctl.providers.ontap.model import Volume
from drctl.providers.ontap.request import Request

Junction = Annotated[
    str, Argument(pattern=r"^/[^\s]*[^/\s]$", description="Its place in the SVM's namespace, e.g. `/ris_vm`.")
]


@dataclass(frozen=True, slots=True)
class Namespace:
    """A volume and the junctions of its SVM, by path: whose they are; ``read_at`` by the array's clock."""

    volume: Volume | None
    junctions: Mapping[str, str] = field(default_factory=dict)
    read_at: datetime | None = None


def read_volumes(client: Client, svms: Sequence[str]) -> list[Volume]:
    """Return all volumes of some SVMs, in one request."""
    return client.fetch(Volume, svm__name="|".join(sorted(set(svms))))


def array_time(client: Client) -> datetime:
    """Return the array's time as of its last answer, rounded up: never earlier than it was."""
    moment = client.clock.now() + timedelta(seconds=client.skew() or 0.0)
    return moment.replace(microsecond=0) + timedelta(seconds=1)


def namespace(volumes: Sequence[Volume], svm: str, name: str, read_at: datetime | None = None) -> Namespace:
    """Return one volume in its SVM's namespace."""
    mine = [volume for volume in volumes if volume.svm == svm]
    junctions = {volume.junction: volume.name for volume in mine if volume.junction}
    return Namespace(next((volume for volume in mine if volume.name == name), None), junctions, read_at)


class _OnVolume(Action[Client, Namespace]):
    """What mount and unmount share."""

    reversibility: ClassVar[Reversibility] = Reversibility.REVERSIBLE
    state: ClassVar[type] = Namespace

    svm: SvmName
    volume: VolumeName

    @property
    def path(self) -> str:
        """``svm:volume``."""
        return f"{self.svm}:{self.volume}"

    def read(self, client: Client) -> Namespace:
        """Read the SVM's volumes: the junctions around this one matter."""
        return namespace(read_volumes(client, [self.svm]), self.svm, self.volume, array_time(client))

    @classmethod
    def read_many(cls, actions: Sequence[Self], client: Client) -> list[Namespace | ProviderError]:
        """Read the volumes of every SVM concerned in one request."""
        try:
            volumes = read_volumes(client, [action.svm for action in actions])
        except ProviderError as error:
            return [error for _ in actions]
        read_at = array_time(client)
        return [namespace(volumes, action.svm, action.volume, read_at) for action in actions]

    def present(self, now: Namespace) -> Volume:
        """Return the volume; raise ``Missing`` when it does not exist."""
        if now.volume is None:
            raise Missing(ObjectRef("volume", self.path))
        return now.volume

    def find_running(self, client: Client, since: datetime) -> Handle | None:
        """Return a job at work on this volume."""
        volume = self.read(client).volume
        return client.job_about(volume.uuid) if volume else None

    def patch(self, client: Client, junction: str, doing: str, control: Control) -> None:
        """Set the junction; an empty one unmounts."""
        volume = self.read(client).volume
        if volume is None:
            raise problems.vanished(f"volume {self.path}", client.name)
        request = Request("PATCH", "Volume", doing, {"uuid": volume.uuid}, {"nas": {"path": junction}})
        client.change(request, control)


class Mount(_OnVolume):
    """Mount a volume at a junction of its SVM's namespace.

    The parent must be mounted itself; what is a plain directory of the parent volume is not seen.
    """

    name: ClassVar[str] = "ontap.volume.mount"
    output_names: ClassVar[frozenset[str]] = frozenset({"svm", "volume", "junction"})

    junction: Junction

    def touches(self) -> frozenset[ObjectRef]:
        """Name the volume and the junction."""
        return frozenset(
            {ObjectRef("volume", self.path), ObjectRef("junction", f"{self.svm}:{self.junction}")}
        )

    def diff(self, now: Namespace) -> Change | None:
        """Done when the volume sits at the junction."""
        volume = self.present(now)
        if volume.junction == self.junction:
            return None
        if volume.state != "online":
            raise ProviderError(_blocked(f"{self.path} is {volume.state}", "Bring it online first."))
        holder = now.junctions.get(self.junction)
        if holder is not None:
            raise ProviderError(
                _blocked(f"{self.junction} of {self.svm} is taken by {holder}", "Unmount that volume first.")
            )
        parent = self.junction.rpartition("/")[0]
        if parent and parent not in now.junctions:
            raise Missing(
                ObjectRef("junction", f"{self.svm}:{parent}"),
                f"no volume of {self.svm} is mounted at {parent}",
            )
        place = volume.junction or "nowhere"
        return Change(
            f"mount {self.path} at {self.junction} (now {place})",
            (Field("junction", volume.junction, self.junction),),
        )

    def apply(self, client: Client, change: Change, control: Control) -> None:
        """Set the junction."""
        self.patch(client, self.junction, f"mount {self.path} at {self.junction}", control)

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Mount the clone under the bubble's prefix."""
        arguments = {
            "svm": self.svm,
            "volume": bubble.volume(self.volume),
            "junction": bubble.junction(self.junction),
        }
        return Recipe(self.name, arguments)

    def foresee(self) -> Mapping[str, str]:
        """Everything is certain from the inputs."""
        return {"svm": self.svm, "volume": self.volume, "junction": self.junction}

    def undo(self, before: Namespace, change: Change) -> Recipe:
        """Unmount, or mount where it was."""
        where = before.volume.junction if before.volume else None
        if where:
            return Recipe(self.name, {"svm": self.svm, "volume": self.volume, "junction": where})
        return Recipe(Unmount.name, {"svm": self.svm, "volume": self.volume})


class Unmount(_OnVolume):
    """Take a volume out of its SVM's namespace; its data stays.

    This is how a volume is made unwritable: neither NFS nor CIFS reaches what has no place in the
    namespace, and mounting brings everything back. ``unmounted_at`` is when it was seen without one, by
    the array's clock: no client wrote after it, so a transfer of a later snapshot has everything.
    """

    name: ClassVar[str] = "ontap.volume.unmount"
    output_names: ClassVar[frozenset[str]] = frozenset({"svm", "volume", "unmounted_at"})

    def touches(self) -> frozenset[ObjectRef]:
        """Name the volume."""
        return frozenset({ObjectRef("volume", self.path)})

    def diff(self, now: Namespace) -> Change | None:
        """Done when it has no junction."""
        volume = self.present(now)
        if volume.junction is None:
            return None
        return Change(
            f"unmount {self.path} from {volume.junction}", (Field("junction", volume.junction, None),)
        )

    def apply(self, client: Client, change: Change, control: Control) -> None:
        """Clear the junction."""
        self.patch(client, "", f"unmount {self.path}", control)

    def foresee(self) -> Mapping[str, JsonValue]:
        """The volume is certain from the inputs."""
        return {"svm": self.svm, "volume": self.volume}

    def outputs(self, now: Namespace) -> Mapping[str, JsonValue]:
        """Add when it was seen unmounted (ISO 8601, UTC)."""
        return {**self.foresee(), "unmounted_at": now.read_at.isoformat() if now.read_at else None}

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Leave it: it makes a source unwritable, and production goes on."""
        return NotExercised(f"{self.path} serves production, which a drill leaves alone")

    def undo(self, before: Namespace, change: Change) -> Recipe | None:
        """Mount where it was."""
        where = before.volume.junction if before.volume else None
        if where is None:
            return None
        return Recipe(Mount.name, {"svm": self.svm, "volume": self.volume, "junction": where})


def _blocked(summary: str, hint: str) -> Problem:
    return Problem(code="ontap-mount-blocked", summary=f"cannot mount: {summary}", hint=hint)
