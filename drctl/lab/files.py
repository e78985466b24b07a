"""The files of a machine: contents, modes and the folders that hold them."""

from __future__ import annotations

import posixpath
import stat
from dataclasses import dataclass

from drctl.lab.model import Machine
from drctl.lab.world import World

_FOLDERS = frozenset(
    {"/", "/etc", "/etc/edge", "/home", "/home/drctl", "/opt", "/srv", "/tmp", "/var", "/var/lib"}
)
"""There from the beginning."""
_MODE = 0o644


@dataclass(frozen=True)
class Entry:
    """A file or folder as ``stat`` shows it; ``mode`` includes the kind."""

    name: str
    folder: bool
    mode: int
    size: int


class Files:
    """A view of one machine's files; each change touches the world. Paths are absolute."""

    def __init__(self, world: World, machine: Machine) -> None:
        self._world = world
        self._machine = machine

    def _is_folder(self, path: str) -> bool:
        inside = path.rstrip("/") + "/"
        known = (*self._machine.files, *self._machine.folders)
        return (
            path in _FOLDERS
            or path in self._machine.folders
            or any(each.startswith(inside) for each in known)
        )

    def find(self, path: str) -> Entry | None:
        """The file or folder at ``path``, None when there is none."""
        path = posixpath.normpath(path)
        name = posixpath.basename(path) or "/"
        if path in self._machine.files:
            mode = stat.S_IFREG | self._machine.modes.get(path, _MODE)
            return Entry(name, folder=False, mode=mode, size=len(self.read(path)))
        if self._is_folder(path):
            return Entry(
                name, folder=True, mode=stat.S_IFDIR | self._machine.modes.get(path, 0o755), size=4096
            )
        return None

    def listing(self, path: str) -> list[str]:
        """Names inside a folder, sorted."""
        inside = posixpath.normpath(path).rstrip("/") + "/"
        known = (*self._machine.files, *self._machine.folders, *_FOLDERS)
        return sorted(
            {p.removeprefix(inside).partition("/")[0] for p in known if p.startswith(inside) and p != inside}
        )

    def inside(self, target: str, source: str) -> str:
        """Where ``mv`` and ``cp`` put ``source``: into ``target`` when that is a folder."""
        return posixpath.join(target, posixpath.basename(source)) if self._is_folder(target) else target

    def read(self, path: str) -> bytes:
        """The content of a file, empty when there is none; what is not UTF-8 survives."""
        return self._machine.files.get(posixpath.normpath(path), "").encode("utf-8", "surrogateescape")

    def write(self, path: str, content: bytes) -> bool:
        """Replace a file's content; False when its folder does not exist or it is a folder."""
        path = posixpath.normpath(path)
        if self._is_folder(path) or not self._is_folder(posixpath.dirname(path)):
            return False
        self._machine.files[path] = content.decode("utf-8", "surrogateescape")
        self._world.touch()
        return True

    def make_folder(self, path: str, *, parents: bool = False) -> bool:
        """Create a folder; False when the folder above it does not exist and ``parents`` is not asked."""
        path = posixpath.normpath(path)
        if path in self._machine.files or not (parents or self._is_folder(posixpath.dirname(path))):
            return False
        self._machine.folders.add(path)
        self._world.touch()
        return True

    def set_mode(self, path: str, mode: int) -> bool:
        """Set the permission bits; False when there is nothing at ``path``."""
        path = posixpath.normpath(path)
        if self.find(path) is None:
            return False
        self._machine.modes[path] = stat.S_IMODE(mode)
        self._world.touch()
        return True

    def rename(self, source: str, target: str) -> bool:
        """Move a file over another; False when it is not there or the target's folder is not."""
        source, target = posixpath.normpath(source), posixpath.normpath(target)
        if source not in self._machine.files or not self.write(target, self.read(source)):
            return False
        self._machine.modes[target] = self._machine.modes.get(source, _MODE)
        return source == target or self.remove(source)

    def remove(self, path: str) -> bool:
        """Delete a file, or an empty folder made here; False when there is none or it is not empty."""
        path = posixpath.normpath(path)
        if path in self._machine.files:
            del self._machine.files[path]
        elif path in self._machine.folders and not self.listing(path):
            self._machine.folders.remove(path)
        else:
            return False
        self._machine.modes.pop(path, None)
        self._world.touch()
        return True
