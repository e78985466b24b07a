"""What all compute rules share: faults, look-ups, tasks, datastores as each host sees them.

VM rules are in ``machines``. As with storage, functions take the world first and hold its lock;
``VimFault`` raised at once is a SOAP fault of the call, raised by a task's work it fails the task.
"""

from __future__ import annotations

from collections.abc import Callable

from drctl.lab.model import Datastore, Host, Task, VCenter, Volume
from drctl.lab.world import World

TASK_TIME = 2.0
"""Estate seconds of an ordinary task."""


class VimFault(Exception):  # noqa: N818 - the vendor's word
    """A vim fault: its type name (AlreadyExists, NotFound...), a message, and properties of the type."""

    def __init__(self, name: str, message: str, **detail: object) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message
        self.detail = detail


def start_task(
    world: World,
    vcenter: VCenter,
    name: str,
    entity: str,
    work: Callable[[], str | None],
    seconds: float = TASK_TIME,
) -> Task:
    """Start a task: ``work`` runs at its end, returns the moref of what it made or raises ``VimFault``."""
    raise NotImplementedError


def backing_volume(world: World, datastore: Datastore) -> Volume | None:
    """The volume behind a datastore, None when its export does not answer."""
    raise NotImplementedError


def accessible(world: World, vcenter: VCenter, datastore: Datastore, host: Host | None = None) -> bool:
    """Whether a host (any connected host that mounted it, when None) reaches a datastore."""
    raise NotImplementedError


def writable(world: World, vcenter: VCenter, datastore: Datastore) -> bool:
    """Whether writes to a datastore would succeed: accessible, volume rw, mount not read-only."""
    raise NotImplementedError


def files(world: World, vcenter: VCenter, datastore: Datastore) -> dict[str, str]:
    """Paths (relative to the datastore) and contents; empty dict when nothing is there.

    Raises:
        VimFault: InaccessibleDatastore.
    """
    raise NotImplementedError


def mount_nfs(
    world: World, vcenter: VCenter, host: Host, name: str, server: str, path: str, *, read_only: bool = False
) -> Datastore:
    """CreateNasDatastore on one host: AlreadyExists, DuplicateName, PlatformConfigFault (no export)."""
    raise NotImplementedError


def unmount(world: World, vcenter: VCenter, host: Host, datastore: Datastore) -> None:
    """RemoveDatastore on one host; ResourceInUse while a VM of the host lies on it."""
    raise NotImplementedError
