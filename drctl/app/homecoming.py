"""The end of a failback, wherever it was interrupted: the reprotect that lets the original direction stand again."""

from __future__ import annotations

from dataclasses import dataclass

from drctl.app.context import Context
from drctl.app.start import Ended
from drctl.core.problem import DrctlError, ExitCode
from drctl.engine.home import RunDirectory


@dataclass(frozen=True, slots=True)
class Consent:
    """Whether a failback was started without asking (``--yes``), which is its reprotect's consent too, and why."""

    yes: bool
    reason: str


def is_failback(directory: RunDirectory) -> bool:
    """Say whether a run is a move back home."""
    started = directory.fold().started
    return started is not None and started.mode == "failback"


def consent_of(directory: RunDirectory) -> Consent:
    """Return how a run was approved: what goes on from it goes on by the same word."""
    approved = directory.fold().approved
    if approved is None or approved.how != "yes":
        return Consent(yes=False, reason="")
    return Consent(yes=True, reason=approved.reason)


def left_unprotected(context: Context, reference: str) -> Ended | None:
    """Return the failback that came to its end without its reprotect having begun; None for any other run."""
    directory = context.home.find(reference)
    run = directory.fold()
    if run.started is None or run.started.mode != "failback" or run.finished is None:
        return None
    if run.finished.outcome == "aborted" or any(_turns(other, directory) for other in context.home.all()):
        return None
    return Ended(directory, ExitCode(run.finished.exit))


def _turns(other: RunDirectory, failback: RunDirectory) -> bool:
    """Say whether another run is the failback's reprotect; a journal that cannot be read is none."""
    try:
        started = other.fold().started
    except DrctlError:
        return False
    return started is not None and (started.mode, started.parent) == ("reprotect", failback.id)
