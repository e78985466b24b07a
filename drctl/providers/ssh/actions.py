"""``ssh.run`` and ``ssh.put``."""

from __future__ import annotations

import hashlib
import shlex
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, model_validator
from pydantic import Field as Named

from drctl.core.action import (
    Action,
    Change,
    Control,
    Field,
    NotExercised,
    ObjectRef,
    Recipe,
    Reversibility,
)
from drctl.core.bubble import Bubble
from drctl.core.duration import Duration
from drctl.providers.ssh.model import LIMIT, CommandState, FileState, Host

Command = Annotated[tuple[str, ...], Named(min_length=1)]
"""A program and its arguments; it is quoted for the remote shell, never interpreted by it."""


def _absolute(path: str) -> str:
    if not path.startswith("/") or path.endswith("/"):
        raise ValueError("a remote path is absolute and names a file")
    return path


class RunCommand(Action[Host, CommandState]):
    """Run a command on a host, under GNU timeout there, so that it never outlives its time.

    ``unless`` is a command that only looks: exit 0 says that there is nothing to do. It runs in plan and
    precheck too, so it must not change anything. A command without one can never be seen to be done:
    it must say ``convergent: false``, and after a crash a person is asked whether to run it again.
    """

    name: ClassVar[str] = "ssh.run"
    reversibility: ClassVar[Reversibility] = Reversibility.COMPENSABLE
    state: ClassVar[type] = CommandState

    command: Command = Named(description="Program and arguments, one each; no shell reads them.")
    unless: Command | None = Named(
        None, description="Program and arguments that only look: exit 0 says that there is nothing to do."
    )
    repeatable: bool | None = Named(
        default=None,
        alias="convergent",
        description="Whether it may run again after a crash; true with `unless`.",
    )
    timeout: Duration = Named(300.0, description="How long the command may run; the host ends it then.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.unless is None and self.repeatable is not False:
            raise ValueError("say in `unless` how to see that it is done, or declare `convergent: false`")
        return self

    def is_convergent(self) -> bool:
        """Say whether it may be applied again after a crash."""
        return self.unless is not None and self.repeatable is not False

    def touches(self) -> frozenset[ObjectRef]:
        """Name the command: what it changes is its own business."""
        return frozenset({ObjectRef("command", shlex.join(self.command))})

    def read(self, client: Host) -> CommandState:
        """Run the guard; without one nothing is read."""
        if self.unless is None:
            return CommandState()
        return CommandState(client.guard(self.unless, self.timeout).status == 0)

    def diff(self, now: CommandState) -> Change | None:
        """Return the command to run, None when the guard holds."""
        if now.satisfied:
            return None
        line = shlex.join(self.command)
        if self.unless is None:
            summary = f"run `{line}` (nothing can show that it is done)"
            return Change(summary, (Field("command", None, line),), opaque=True)
        guard = Field("guard", f"`{shlex.join(self.unless)}` fails", "succeeds")
        return Change(f"run `{line}`", (Field("command", None, line), guard))

    def apply(self, client: Host, change: Change, control: Control) -> None:
        """Run it; a status other than 0 is an error."""
        result = client.execute(self.command, self.timeout)
        last = result.output.strip().splitlines()[-1:] or ["no output"]
        control.progress(f"exit {result.status}: {last[0][:200]}")

    def in_drill(self, bubble: Bubble) -> NotExercised:
        """Leave it: what a command does to a host of production cannot be known."""
        return NotExercised(f"`{shlex.join(self.command)}` would run on a host of production")


class PutFile(Action[Host, FileState]):
    """Put a text file on a host, as a whole and at once (written beside it, then renamed over it).

    The file belongs to the login afterwards; a symbolic link at ``path`` is replaced by a file. The
    content is kept in the journal, to undo it: put no secret in it.
    """

    name: ClassVar[str] = "ssh.put"
    reversibility: ClassVar[Reversibility] = Reversibility.REVERSIBLE
    output_names: ClassVar[frozenset[str]] = frozenset({"path", "sha256"})
    state: ClassVar[type] = FileState

    path: Annotated[str, AfterValidator(_absolute)] = Named(
        description="Where the file goes on the host, absolute."
    )
    content: Annotated[str, Named(max_length=LIMIT)] = Named(description="The text it holds afterwards.")
    mode: Annotated[str, Named(pattern="^0?[0-7]{3}$")] = Named(
        "0644", description="Its permissions, in octal."
    )

    @property
    def sha256(self) -> str:
        """The digest of the content, hexadecimal."""
        return hashlib.sha256(self.content.encode()).hexdigest()

    def touches(self) -> frozenset[ObjectRef]:
        """Name the file."""
        return frozenset({ObjectRef("file", self.path)})

    def read(self, client: Host) -> FileState:
        """Read the file through SFTP."""
        return client.look(self.path)

    def diff(self, now: FileState) -> Change | None:
        """Compare digest and mode."""
        fields = []
        if now.sha256 != self.sha256:
            fields.append(Field("sha256", now.sha256, self.sha256))
        if now.mode != self._mode:
            fields.append(Field("mode", now.mode, self._mode))
        if not fields:
            return None
        size = len(self.content.encode())
        verb = "replace" if now.exists else "create"
        was = f", now {now.size} bytes, mode {now.mode}" if now.exists else ""
        return Change(f"{verb} {self.path} ({size} bytes, mode {self._mode}{was})", tuple(fields))

    def apply(self, client: Host, change: Change, control: Control) -> None:
        """Write it."""
        client.put(self.path, self.content.encode(), int(self.mode, 8), control.mark)

    def foresee(self) -> dict[str, str]:
        """Return the path and the digest."""
        return {"path": self.path, "sha256": self.sha256}

    def undo(self, before: FileState, change: Change) -> Recipe | None:
        """Return the former content and mode; None where there was no file, or none that is short text."""
        if before.content is None or before.mode is None or len(before.mode.lstrip("0")) > 3:
            return None
        return Recipe(self.name, {"path": self.path, "content": before.content, "mode": before.mode})

    def in_drill(self, bubble: Bubble) -> NotExercised:
        """Leave it: the host serves production."""
        return NotExercised(f"{self.path} would be written on a host of production")

    @property
    def _mode(self) -> str:
        return f"{int(self.mode, 8):04o}"
