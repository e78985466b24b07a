"""A machine's files as SFTP shows them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import paramiko
from paramiko.sftp import SFTP_CONNECTION_LOST, SFTP_FAILURE, SFTP_NO_SUCH_FILE, SFTP_OK

from drctl.lab.files import Entry, Files
from drctl.lab.model import Machine
from drctl.lab.world import World

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


@dataclass(frozen=True)
class Exchange:
    """What the connection asks of each operation: to wait where a fault holds it, to lose its reply."""

    world: World
    machine: Machine
    ready: Callable[[], bool]
    """Blocks while a fault holds answers back; False when the client went away."""
    reply_lost: Callable[[int], bool]
    """Given how many changes this thread had recorded before, cut the connection if the reply is to be lost."""

    def change(self, call: str, path: str, carry_out: Callable[[], bool]) -> int:
        """Record a change, carry it out and return its SFTP status."""
        if not self.ready():
            return SFTP_CONNECTION_LOST
        before = self.world.recorded_here()
        with self.world.lock:
            self.world.record(self.machine.site, "ssh", f"sftp {call}", f"{self.machine.endpoint}:{path}")
            good = carry_out()
        if self.reply_lost(before):
            return SFTP_CONNECTION_LOST
        return SFTP_OK if good else SFTP_NO_SUCH_FILE


class OpenFile(paramiko.SFTPHandle):
    """A file someone has open; writes are visible at once, as on a disk."""

    def __init__(self, exchange: Exchange, path: str, flags: int) -> None:
        super().__init__(flags)
        self._world = exchange.world
        self._exchange = exchange
        self._path = path
        self._append = bool(flags & os.O_APPEND)
        self._files = Files(exchange.world, exchange.machine)

    def read(self, offset: int, length: int) -> bytes | int:
        """Bytes at an offset; none at the end."""
        with self._world.lock:
            return self._files.read(self._path)[offset : offset + length]

    def write(self, offset: int, data: ReadableBuffer) -> int:
        """Put bytes at an offset (at the end when opened to append)."""
        with self._world.lock:
            content = bytearray(self._files.read(self._path))
            start = len(content) if self._append else offset
            content.extend(bytes(max(0, start - len(content))))
            new = bytes(data)
            content[start : start + len(new)] = new
            return SFTP_OK if self._files.write(self._path, bytes(content)) else SFTP_FAILURE

    def stat(self) -> paramiko.SFTPAttributes | int:
        """Attributes of the open file."""
        with self._world.lock:
            found = self._files.find(self._path)
        return attributes(found) if found else SFTP_NO_SUCH_FILE

    def chattr(self, attr: paramiko.SFTPAttributes) -> int:
        """Change mode or size."""
        return change_attributes(self._exchange, self._files, self._path, attr)


class SftpFiles(paramiko.SFTPServerInterface):
    """One SFTP session; each operation takes the world's lock, each change is recorded first."""

    def __init__(self, server: paramiko.ServerInterface, exchange: Exchange) -> None:
        super().__init__(server)
        self._exchange = exchange
        self._world = exchange.world
        self._files = Files(exchange.world, exchange.machine)

    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes] | int:
        """Entries of a folder."""
        with self._world.lock:
            found = self._files.find(path)
            if found is None or not found.folder:
                return SFTP_NO_SUCH_FILE
            inside = [self._files.find(f"{path.rstrip('/')}/{name}") for name in self._files.listing(path)]
            return [attributes(entry) for entry in inside if entry]

    def stat(self, path: str) -> paramiko.SFTPAttributes | int:
        """Attributes of a file or folder."""
        if not self._exchange.ready():
            return SFTP_CONNECTION_LOST
        with self._world.lock:
            found = self._files.find(path)
        return attributes(found) if found else SFTP_NO_SUCH_FILE

    def lstat(self, path: str) -> paramiko.SFTPAttributes | int:
        """As ``stat``: there are no links."""
        return self.stat(path)

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle | int:
        """Open a file; opening for writing is the recorded change."""
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
            status = self._exchange.change("write", path, lambda: self._prepare(path, flags, attr))
        else:
            with self._world.lock:
                found = self._files.find(path)
            status = SFTP_OK if found and not found.folder else SFTP_NO_SUCH_FILE
        return OpenFile(self._exchange, path, flags) if status == SFTP_OK else status

    def _prepare(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> bool:
        """Create or empty a file as the flags say; tell whether it can be written."""
        found = self._files.find(path)
        if found is None and not flags & os.O_CREAT:
            return False
        if found is not None and flags & os.O_CREAT and flags & os.O_EXCL:
            return False
        if not self._files.write(path, b"" if flags & os.O_TRUNC else self._files.read(path)):
            return False
        if found is None and attr.st_mode is not None:
            self._files.set_mode(path, attr.st_mode)
        return True

    def remove(self, path: str) -> int:
        """Delete a file."""
        return self._exchange.change("remove", path, lambda: self._files.remove(path))

    def rename(self, oldpath: str, newpath: str) -> int:
        """Rename, but not over an existing file, as version 3 of the protocol has it."""
        with self._world.lock:
            taken = self._files.find(newpath) is not None
        return SFTP_FAILURE if taken else self.posix_rename(oldpath, newpath)

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        """Rename over whatever file is there (OpenSSH's extension)."""
        return self._exchange.change("rename", newpath, lambda: self._files.rename(oldpath, newpath))

    def mkdir(self, path: str, attr: paramiko.SFTPAttributes) -> int:
        """Create a folder."""
        return self._exchange.change("mkdir", path, lambda: self._files.make_folder(path))

    def rmdir(self, path: str) -> int:
        """Remove an empty folder."""
        return self._exchange.change("rmdir", path, lambda: self._files.remove(path))

    def chattr(self, path: str, attr: paramiko.SFTPAttributes) -> int:
        """Change mode or size."""
        return change_attributes(self._exchange, self._files, path, attr)


def attributes(entry: Entry) -> paramiko.SFTPAttributes:
    """An entry as SFTP describes it."""
    found = paramiko.SFTPAttributes()
    found.filename = entry.name
    found.st_mode = entry.mode
    found.st_size = entry.size
    found.st_uid = found.st_gid = 1000
    found.st_atime = found.st_mtime = 0
    return found


def change_attributes(exchange: Exchange, files: Files, path: str, attr: paramiko.SFTPAttributes) -> int:
    """Set mode and size where they are given; owners and times are accepted and forgotten."""

    def carry_out() -> bool:
        if files.find(path) is None:
            return False
        if attr.st_size is not None:
            files.write(path, files.read(path)[: attr.st_size].ljust(attr.st_size, b"\0"))
        return attr.st_mode is None or files.set_mode(path, attr.st_mode)

    return exchange.change("setstat", path, carry_out)
