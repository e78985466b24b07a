"""Errors as values: what went wrong, where, why, and what to type next.

This module stays free of pydantic because ``drctl --help`` imports it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Literal


class ExitCode(IntEnum):
    """What drctl's exit status says; documented in every ``--help``."""

    OK = 0
    FAILED = 1
    USAGE = 2
    BLOCKED = 3
    WAITING = 4
    LOCKED = 5
    DRIFTED = 6
    INDETERMINATE = 7
    EXCEPTIONS = 8
    INTERRUPTED = 130
    TERMINATED = 143


@dataclass(frozen=True, slots=True)
class Source:
    """A place in a file: lines and columns count from 1; ``text`` is the offending line."""

    file: str
    line: int
    column: int
    text: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, complete enough to act on.

    ``summary`` says what, ``detail`` why, ``hint`` the next command or edit. ``where`` is a place in
    a file; ``step`` and ``endpoint`` are the place in a run. Only lint gives warnings.
    """

    code: str
    summary: str
    detail: str = ""
    hint: str = ""
    where: Source | None = None
    step: str | None = None
    endpoint: str | None = None
    severity: Literal["error", "warning"] = "error"

    def at_step(self, step: str) -> Problem:
        """Return the same problem, placed at a step."""
        return replace(self, step=step)

    def __str__(self) -> str:
        place = str(self.where) if self.where else " ".join(filter(None, (self.step, self.endpoint)))
        return f"{place}: {self.summary}" if place else self.summary


class DrctlError(Exception):
    """One or more problems a user can cause or must know; carries the exit code they call for."""

    def __init__(self, *problems: Problem, exit_code: ExitCode = ExitCode.USAGE) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
        self.exit_code = exit_code


class ProviderError(Exception):
    """A target refused, failed or could not be reached.

    ``transient``: the provider expects the same call to succeed a little later.
    ``unreachable``: no connection; nothing was sent.
    ``effect_unknown``: the request may have taken effect (reply lost, job outlived the wait); only
    a new read can tell.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        transient: bool = False,
        unreachable: bool = False,
        effect_unknown: bool = False,
    ) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.transient = transient
        self.unreachable = unreachable
        self.effect_unknown = effect_unknown


class ReadOnlyError(ProviderError):
    """A client opened with ``Access.READ`` was asked to change something: a defect, never sent."""

    def __init__(self, call: str, endpoint: str | None = None) -> None:
        super().__init__(
            Problem(
                code="read-only",
                summary=f"refused {call}: this connection is read-only",
                detail="Plan, precheck and dry-run may not change anything.",
                endpoint=endpoint,
            )
        )
