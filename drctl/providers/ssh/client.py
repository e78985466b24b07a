"""One host: one connection for all steps, bounded commands, whole-file writes, over paramiko."""

from __future__ import annotations

import contextlib
import hashlib
import posixpath
import shlex
import stat
import threading
from collections.abc import Iterator, Sequence

import paramiko

from drctl.core.clock import Clock, SystemClock
from drctl.core.problem import Problem, ProviderError, ReadOnlyError
from drctl.core.provider import Access
from drctl.providers.ssh import reaching
from drctl.providers.ssh.connection import LOST, Connection
from drctl.providers.ssh.model import LIMIT, Answer, FileState, Question, Result, SshEndpoint

SESSIONS = 10
"""Commands and files at once on one connection: what sshd allows by default (sshd_config(5), MaxSessions)."""

KILL_AFTER = 5
"""Seconds between TERM and KILL for a command that is out of time."""

ANSWER_MARGIN = 10.0
"""Seconds before an answer that is late is given up as lost."""

LINGER = 2.0
"""Seconds to wait for more output after a command has ended: something in the background may hold it open."""

TIMED_OUT, CANNOT_RUN, NOT_FOUND, KILLED = 124, 126, 127, 137
"""What GNU timeout(1) and POSIX shells answer instead of a command's own status."""


class SshClient:
    """Logs in on first use; thread-safe; ``close`` ends the connection and its thread.

    ``margin`` is the time in seconds that an answer may take beyond a command's own.
    """

    def __init__(
        self, endpoint: SshEndpoint, access: Access, clock: Clock | None = None, margin: float = ANSWER_MARGIN
    ) -> None:
        self._margin = margin
        self._endpoint = endpoint
        self._access = access
        self._clock = clock or SystemClock()
        self._slots = threading.BoundedSemaphore(min(endpoint.limit, SESSIONS))
        self._connection = Connection(endpoint, self._clock)

    def close(self) -> None:
        """End the connection; the next call would open another."""
        self._connection.close()

    def guard(self, command: Sequence[str], timeout: float) -> Result:
        """Run a command that only looks; allowed to readers, because that is what it is for.

        Raises:
            ProviderError: It could not be run, or did not end in time.
        """
        result = self._run(command, timeout, effect_unknown=False)
        if result.status in (CANNOT_RUN, NOT_FOUND) or result.status > 128:
            raise self._error(
                "ssh-guard-failed",
                f"`{shlex.join(command)}` cannot say whether there is something to do: exit {result.status}",
                result.tail,
                "A guard ends with 0 (nothing to do) or a small number (something to do).",
            )
        return result

    def execute(self, command: Sequence[str], timeout: float) -> Result:
        """Run a command that may change something.

        Raises:
            ReadOnlyError: The client may only read.
            ProviderError: It failed, was not run, or ``effect_unknown`` when it did not end in time or
                its answer was lost.
        """
        if self._access is not Access.WRITE:
            raise ReadOnlyError(f"command `{shlex.join(command)}`", self._endpoint.name)
        result = self._run(command, timeout, effect_unknown=True)
        if result.status:
            hint = "Is GNU coreutils' timeout installed there, and the command in the PATH of a plain login?"
            raise self._error(
                "ssh-command-failed",
                f"`{shlex.join(command)}` ended with exit {result.status}",
                result.tail,
                hint if result.status == NOT_FOUND else "Run it by hand on the host to see why.",
            )
        return result

    def look(self, path: str) -> FileState:
        """Read a file of at most ``LIMIT`` bytes; a longer one is measured only."""
        try:
            with self._sftp() as sftp:
                return self._read(sftp, path)
        except LOST as error:
            raise self._file_error("read", path, error) from error

    def put(self, path: str, content: bytes, mode: int, mark: str) -> None:
        """Write beside the file and rename over it, so that a reader sees the old or the new one whole.

        Raises:
            ReadOnlyError: The client may only read.
            ProviderError: Refused, or ``effect_unknown`` when the answer to the rename was lost.
        """
        if self._access is not Access.WRITE:
            raise ReadOnlyError(f"write of {path}", self._endpoint.name)
        name = f".{posixpath.basename(path)}.{hashlib.sha256(mark.encode()).hexdigest()[:12]}"
        beside = posixpath.join(posixpath.dirname(path), name)
        renaming = False
        try:
            with self._sftp() as sftp:
                self._write(sftp, beside, content, mode)
                renaming = True
                self._rename(sftp, beside, path)
        except LOST as error:
            raise self._file_error("write", path, error, effect_unknown=renaming) from error

    # --- through the host ---------------------------------------------------------------------

    def get(self, question: Question) -> Answer:
        """Let the host connect to an address and ask for a URL there; redirects are not followed.

        Raises:
            ProviderError: the host cannot be reached, forwards nothing, or ``ca_file`` cannot be used.
        """
        return reaching.get(self._forward, question, self._clock)

    def dial(self, address: str, port: int, timeout: float) -> Answer:
        """Let the host open a TCP connection and close it; errors as of ``get``."""
        return reaching.dial(self._forward, address, port, timeout, self._clock)

    @contextlib.contextmanager
    def _forward(self, address: str, port: int, timeout: float) -> Iterator[paramiko.Channel]:
        """Lend a connection that the host opens; raise ``reaching.ConnectError`` when it cannot."""
        channel = self._connection.forward(address, port, timeout)
        try:
            yield channel
        finally:
            channel.close()

    # --- commands -----------------------------------------------------------------------------

    def _run(self, command: Sequence[str], timeout: float, *, effect_unknown: bool) -> Result:
        """Run under ``timeout -k`` on the host: closing a channel does not end a remote process.

        Its input is ended there and not by us: paramiko may send our end of file after its own answer to
        the server's close, and sshd then drops the connection with all its sessions ("ieof packet referred
        to nonexistent channel").
        """
        line = shlex.join(["timeout", "-k", str(KILL_AFTER), f"{timeout:g}", *command]) + " </dev/null"
        with self._slots, self._channel() as channel:
            try:
                result = self._exchange(channel, line, timeout + KILL_AFTER + self._margin)
            except LOST as error:
                self._connection.forget(channel.get_transport())
                raise self._unanswered(command, effect_unknown=effect_unknown) from error
        if result.status in (TIMED_OUT, KILLED):
            raise self._error(
                "ssh-timeout",
                f"`{shlex.join(command)}` did not end within {timeout:g} s, or was killed",
                result.tail,
                "Raise `timeout` in the step if the command may take longer.",
                effect_unknown=effect_unknown,
            )
        return result

    def _exchange(self, channel: paramiko.Channel, line: str, patience: float) -> Result:
        deadline = self._clock.monotonic() + patience
        with reaching.cut_after(patience, channel):  # paramiko waits for ever for the answer to exec
            channel.set_combine_stderr(True)
            channel.exec_command(line)
            output, truncated = self._collect(channel, deadline)
            channel.status_event.wait(max(0.0, deadline - self._clock.monotonic()))
            status = self._status(channel, deadline)
        return Result(status, output.decode(errors="replace"), truncated)

    def _status(self, channel: paramiko.Channel, deadline: float) -> int:
        """Return the exit status; raise ``EOFError`` when it was lost on the way.

        A command killed by a signal has none (paramiko drops exit-signal), and neither has ``timeout``
        after it had to use KILL, which strikes its whole process group. Then the host closes the session,
        and paramiko ends it on our side in answer; it does not when the connection broke.
        """
        status = channel.exit_status
        if status >= 0:
            return status
        if self._clock.monotonic() >= deadline or not channel.eof_sent:
            raise EOFError
        return KILLED

    def _collect(self, channel: paramiko.Channel, deadline: float) -> tuple[bytes, bool]:
        kept, truncated = bytearray(), False
        while (left := deadline - self._clock.monotonic()) > 0:
            channel.settimeout(min(left, LINGER))
            try:
                data = channel.recv(1 << 16)
            except TimeoutError:
                if channel.exit_status_ready():
                    break
                continue
            if not data:
                break
            truncated = truncated or len(kept) + len(data) > LIMIT
            kept += data[: LIMIT - len(kept)]
        return bytes(kept), truncated

    # --- files --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _sftp(self) -> Iterator[paramiko.SFTPClient]:
        limit = self._endpoint.file_timeout
        with self._slots, self._channel() as channel, reaching.cut_after(limit, channel) as over:
            try:
                channel.invoke_subsystem("sftp")
                with paramiko.SFTPClient(channel) as sftp:
                    yield sftp
            except LOST as error:
                if not _is_refusal(error):
                    self._connection.forget(channel.get_transport())
                if over.is_set():
                    raise TimeoutError(f"no answer within {limit:g} s") from error
                raise

    def _read(self, sftp: paramiko.SFTPClient, path: str) -> FileState:
        try:
            found = sftp.stat(path)
        except FileNotFoundError:
            return FileState()
        bits, size = found.st_mode or 0, found.st_size or 0
        if not stat.S_ISREG(bits):
            raise self._error("ssh-not-a-file", f"{path} is there, and is no regular file")
        mode = f"{stat.S_IMODE(bits):04o}"
        if size > LIMIT:
            return FileState(size, mode, "")
        with sftp.open(path, "rb") as file:
            data = file.read(LIMIT + 1)
        try:
            content = data.decode()
        except UnicodeDecodeError:
            content = None
        return FileState(len(data), mode, hashlib.sha256(data).hexdigest(), content)

    def _write(self, sftp: paramiko.SFTPClient, path: str, content: bytes, mode: int) -> None:
        with contextlib.suppress(FileNotFoundError):
            sftp.remove(path)  # left behind by an attempt that was cut off
        with sftp.open(path, "wbx") as file:
            file.chmod(mode)
            file.write(content)

    def _rename(self, sftp: paramiko.SFTPClient, beside: str, path: str) -> None:
        try:
            sftp.posix_rename(beside, path)
        except PermissionError:
            sftp.remove(beside)
            raise

    # --- the connection -----------------------------------------------------------------------

    @contextlib.contextmanager
    def _channel(self) -> Iterator[paramiko.Channel]:
        channel = self._connection.session()
        try:
            yield channel
        finally:
            channel.close()

    # --- what went wrong ----------------------------------------------------------------------

    def _unanswered(self, command: Sequence[str], *, effect_unknown: bool) -> ProviderError:
        return self._error(
            "ssh-answer-lost",
            f"`{shlex.join(command)}` was sent, and no answer came back",
            "The connection broke off, or nothing was heard for too long.",
            transient=not effect_unknown,
            effect_unknown=effect_unknown,
        )

    def _file_error(
        self, verb: str, path: str, error: Exception, *, effect_unknown: bool = False
    ) -> ProviderError:
        if isinstance(error, FileNotFoundError):
            summary, hint = (
                f"cannot {verb} {path}: its directory does not exist",
                "Create the directory first.",
            )
            return self._error("ssh-no-directory", summary, hint=hint)
        if isinstance(error, PermissionError):
            summary = f"cannot {verb} {path}: permission denied for {self._endpoint.username}"
            return self._error("ssh-file-denied", summary)
        refused = _is_refusal(error)
        why = str(error).rstrip(": ") or "the connection broke off"
        hint = "Look at the host: is it overloaded, its disk full, its sftp-server there?"
        return self._error(
            "ssh-file-failed",
            f"{self._endpoint.name} cannot {verb} {path}: {why}",
            hint=hint,
            transient=not refused and not effect_unknown,
            effect_unknown=effect_unknown and not refused,
        )

    def _error(
        self,
        code: str,
        summary: str,
        detail: str = "",
        hint: str = "",
        *,
        transient: bool = False,
        unreachable: bool = False,
        effect_unknown: bool = False,
    ) -> ProviderError:
        problem = Problem(code, summary, detail, hint, endpoint=self._endpoint.name)
        return ProviderError(
            problem, transient=transient, unreachable=unreachable, effect_unknown=effect_unknown
        )


def _is_refusal(error: Exception) -> bool:
    """Say whether the host answered, and its answer was no."""
    return isinstance(error, OSError) and not isinstance(error, (ConnectionError, TimeoutError))
