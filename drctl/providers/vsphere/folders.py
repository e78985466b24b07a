"""VM folders by their paths: which there are, and taking an empty one away again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field as Limits

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
from drctl.core.bubble import Bubble, folder_parts
from drctl.core.problem import ProviderError
from drctl.providers.vsphere import placing, reads
from drctl.providers.vsphere.client import Row, Vsphere

if TYPE_CHECKING:
    from drctl.providers.vsphere.session import Wire

Path = Annotated[str, Limits(pattern=r"^[^/]+(/[^/]+)*$", description="Below the datacenter's VM folder.")]


@dataclass(frozen=True, slots=True)
class Held:
    """Something in a folder; ``kind`` is ``vm``, ``folder``, or vSphere's own word for anything else."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class FolderState:
    """One folder, with what it holds; ``moref`` is empty where there is none."""

    moref: str = ""
    holds: tuple[Held, ...] = ()


def existing(folders: Sequence[Row], path: str) -> Iterator[tuple[str, str]]:
    """Yield path and id of those parts of a path that exist, from the top."""
    wanted = folder_parts(path)
    for row in folders:
        if (found := placing.folder_path(row.id, list(folders))) in wanted:
            yield found, row.id


class RemoveFolder(Action[Vsphere, FolderState]):
    """Take an empty VM folder out of the inventory; one that holds anything is left alone.

    ``moref`` is the id of that very folder; another one of its path is left alone too. Should a machine
    slip in at the last moment it is unregistered with the folder, and its files stay: never destroyed.
    """

    name: ClassVar[str] = "vsphere.folder.remove"
    reversibility: ClassVar[Reversibility] = Reversibility.COMPENSABLE
    state: ClassVar[type] = FolderState

    folder: Path
    moref: str | None = Limits(
        None, description="The folder's id in its vCenter: no other of its path is meant."
    )

    def touches(self) -> frozenset[ObjectRef]:
        """Name the folder."""
        return frozenset({ObjectRef("folder", self.folder)})

    def read(self, client: Vsphere) -> FolderState:
        """Read the folder and what it holds."""
        return reads.only(self.read_many([self], client))

    @classmethod
    def read_many(cls, actions: Sequence[Self], client: Vsphere) -> list[FolderState | ProviderError]:
        """Read all folders once, and the names of the machines where any is concerned."""
        folders = client.rows("Folder", ["name", "parent", "childEntity"])
        states = [one.pick(folders) for one in actions]
        if not any(states):
            return [FolderState() for _ in actions]
        names = {row.id: row.text("name") for row in (*folders, *client.rows("VirtualMachine", ["name"]))}
        return [_state(row, names) for row in states]

    def pick(self, folders: list[Row]) -> Row | None:
        """Return the folder meant; None when it is gone, or when several bear the path and no id tells."""
        found = [
            row
            for row in folders
            if placing.folder_path(row.id, folders) == self.folder and self.moref in {None, row.id}
        ]
        return found[0] if len(found) == 1 else None

    def diff(self, now: FolderState) -> Change | None:
        """Done when it is gone; what it still holds has to go first."""
        if not now.moref:
            return None
        if now.holds:
            first = now.holds[0]
            more = f" and {len(now.holds) - 1} more" if len(now.holds) > 1 else ""
            identity = f"{self.folder}/{first.name}" if first.kind == "folder" else first.name
            why = f"folder {self.folder} still holds the {first.kind} {first.name}{more}: it is left alone"
            raise Missing(ObjectRef(first.kind, identity), why)
        return Change(f"remove the empty folder {self.folder}", (Field("folder", now.moref, None),))

    def apply(self, client: Vsphere, change: Change, control: Control) -> None:
        """Look once more, then take it away."""
        now = self.read(client)
        if self.diff(now) is None:
            return

        def issue(wire: Wire) -> Any:
            return wire.ref("Folder", now.moref).UnregisterAndDestroy_Task()

        client.run(f"removing the empty folder {self.folder}", issue, control)

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Leave it: a drill takes no folder away."""
        return NotExercised(f"the folder {self.folder} is not the drill's to remove")


def _state(row: Row | None, names: dict[str, str]) -> FolderState:
    if row is None:
        return FolderState()
    return FolderState(row.id, tuple(_held(child, names) for child in row.values.get("childEntity") or ()))


def _held(child: Any, names: dict[str, str]) -> Held:
    identity = reads.identity(child)
    kind = type(child).__name__.rpartition(".")[2]
    known = {"VirtualMachine": "vm", "Folder": "folder"}
    return Held(known.get(kind, kind), names.get(identity, identity))
