"""Where runs live: one directory each, found by id, prefix or ``last``; and who may run what when."""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from drctl.core import events as ev
from drctl.core.clock import Clock
from drctl.core.problem import DrctlError, ExitCode, Problem
from drctl.core.run import Run
from drctl.engine.chain import scan, scan_readable

BEAT = 5.0
"""Seconds between two signs of life of an engine."""

LOCK = "engine.lock"
"""The file in a run's directory that its engine holds; its time is the engine's last sign of life."""

_SECOND: Final = len("20260131-033000")
_AT: Final = re.compile(rb'"at":\s*"([^"]+)"')

STALE = 30.0
"""Seconds without a sign of life after which a run may be taken over."""


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The files of one run; nothing else of it exists anywhere."""

    path: Path

    @property
    def id(self) -> str:
        """Return the run's id."""
        return self.path.name

    @property
    def journal(self) -> Path:
        """Return the journal: the only file that matters."""
        return self.path / "journal.jsonl"

    @property
    def runbook(self) -> Path:
        """Return the copy of the runbook the run follows."""
        return self.path / "runbook.yaml"

    @property
    def inventory(self) -> Path:
        """Return the copy of the inventory the run works on; it holds references, no secrets."""
        return self.path / "inventory.yaml"

    @property
    def plan(self) -> Path:
        """Return the approved plan."""
        return self.path / "plan.json"

    @property
    def incident(self) -> Path:
        """Return the incident log."""
        return self.path / "incident.md"

    def publish(self, draft: Path) -> None:
        """Make a complete journal this run's, durably: from now on the run exists."""
        draft.replace(self.journal)
        for folder in (self.path, self.path.parent):
            fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def fold(self) -> Run:
        """Read the journal and fold it."""
        return Run.of(scan(self.journal).records)

    def write_origins(self, runbook: Path, inventory: Path) -> None:
        """Remember where the copies came from: relative paths inside an inventory start there."""
        origins = {"runbook": str(runbook.resolve()), "inventory": str(inventory.resolve())}
        (self.path / "origin.json").write_text(json.dumps(origins, indent=2) + "\n")

    def read_origins(self) -> tuple[Path, Path]:
        """Return where runbook and inventory were read from."""
        origins = json.loads((self.path / "origin.json").read_text())
        return Path(origins["runbook"]), Path(origins["inventory"])


class Home:
    """The directory of all runs."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self._clock = clock

    def name(self, mode: str) -> str:
        """Return an id for a new run: it sorts by time and is short enough to say aloud."""
        return f"{self._clock.now():%Y%m%d-%H%M%S}-{mode}-{secrets.token_hex(2)}"

    def create(self, identity: str) -> RunDirectory:
        """Make the directory of a new run."""
        directory = RunDirectory(self.path / "runs" / identity)
        directory.path.mkdir(parents=True, mode=0o700)
        return directory

    def all(self) -> list[RunDirectory]:
        """Return every run, oldest first."""
        runs = self.path / "runs"
        if not runs.is_dir():
            return []
        found = [RunDirectory(path) for path in sorted(runs.iterdir())]
        begun = [directory for directory in found if directory.journal.exists()]
        seconds = groupby(begun, lambda directory: directory.id[:_SECOND])
        return [directory for _, same in seconds for directory in _in_order(list(same))]

    def find(self, reference: str) -> RunDirectory:
        """Return the run of that id, unique prefix of one, or ``last``; raise ``DrctlError``."""
        runs = self.all()
        if reference == "last" and runs:
            return runs[-1]
        matches = [run for run in runs if run.id == reference] or [
            run for run in runs if run.id.startswith(reference)
        ]
        if len(matches) == 1:
            return matches[0]
        raise DrctlError(self._unfound(reference, runs, matches))

    def _unfound(self, reference: str, runs: list[RunDirectory], matches: list[RunDirectory]) -> Problem:
        """Say why a reference names no run: at a wrong home it looks as if none had ever been made."""
        elsewhere = "For runs kept elsewhere: drctl runs --home DIR, or DRCTL_HOME."
        if not runs:
            return Problem(code="unknown-run", summary=f"no run was made in {self.path} yet", hint=elsewhere)
        newest = [run.id for run in reversed(matches or runs)][:5]
        if matches:
            return Problem(
                code="unknown-run",
                summary=f"{len(matches)} runs begin with {reference!r}",
                hint=f"Type more of one, or last. The newest: {', '.join(newest)}",
            )
        return Problem(
            code="unknown-run",
            summary=f"there is no run {reference!r} in {self.path}",
            detail=f"The newest: {', '.join(newest)}",
            hint=f"drctl runs lists them all. {elsewhere}",
        )

    def unfinished(self) -> Iterator[tuple[RunDirectory, Run]]:
        """Return the runs that have not ended, oldest first, with their state."""
        return ((directory, run) for directory, run, _ in self._unfinished())

    def conflicts(
        self, services: frozenset[str], sites: frozenset[str]
    ) -> Iterator[tuple[RunDirectory, Run]]:
        """Return the unfinished runs that hold one of the services on these sites."""
        return ((directory, run) for directory, run in self.unfinished() if _conflict(run, services, sites))

    def refuse_conflict(
        self,
        services: frozenset[str],
        sites: frozenset[str],
        yields: Callable[[RunDirectory, Run], bool] = lambda *_: False,
    ) -> None:
        """Raise ``DrctlError`` (exit 5) when an unfinished run that does not give way holds a service."""
        for directory, run, broken in self._unfinished():
            held = _conflict(run, services, sites)
            if held and broken is not None:
                raise DrctlError(_damaged(directory, held, broken), exit_code=ExitCode.LOCKED)
            if held and not yields(directory, run):
                raise DrctlError(_locked(directory, run, held), exit_code=ExitCode.LOCKED)

    def _unfinished(self) -> Iterator[tuple[RunDirectory, Run, DrctlError | None]]:
        """A damaged journal is read as far as it goes: a run of other services must not stand in the way."""
        for directory in self.all():
            found = scan_readable(directory.journal)
            run = Run.of(found.records)
            if run.started is not None and run.finished is None:
                yield directory, run, found.broken

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Let one process at a time look for conflicts and create its run; raise ``DrctlError`` if it cannot."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            with (self.path / "start.lock").open("w") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise DrctlError(self._unusable(error)) from error

    def refuse_unusable(self) -> None:
        """Raise ``DrctlError`` when no run could be written here: said before anybody reads a plan."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.TemporaryFile(dir=self.path):
                pass
        except OSError as error:
            raise DrctlError(self._unusable(error)) from error

    def _unusable(self, error: OSError) -> Problem:
        return Problem(
            code="home",
            summary=f"no run can be written in {self.path}: {error.strerror or error}",
            hint="Give access or make room there, or name another place: --home DIR or DRCTL_HOME.",
        )


def _in_order(runs: list[RunDirectory]) -> list[RunDirectory]:
    """Put runs of one second in the order of their beginnings: their ids do not tell it."""
    return runs if len(runs) < 2 else sorted(runs, key=_first_line)


def _first_line(directory: RunDirectory) -> str:
    """Return when a journal begins, as it is written there; empty when its first line is damaged."""
    with directory.journal.open("rb") as file:
        found = _AT.search(file.readline())
    return found[1].decode() if found else ""


def _conflict(run: Run, services: frozenset[str], sites: frozenset[str]) -> set[str]:
    started = run.started
    if started is None or {started.source.name, started.target.name} != sites:
        return set()
    return {service.name for service in started.services} & services


def _locked(directory: RunDirectory, run: Run, held: set[str]) -> Problem:
    owner = f"{run.owner.owner} on {run.owner.host}" if run.owner else "nobody"
    alive = is_alive(directory)
    state = "running" if alive else f"stopped ({run.paused.why})" if run.paused else "interrupted"
    abort = f"drctl abort {directory.id} --reason …"
    way_on = f"wait, or {abort}" if alive else f"drctl resume {directory.id}, or {abort}"
    return Problem(
        code="locked",
        summary=f"run {directory.id} holds {', '.join(sorted(held))}: {state}, owner {owner}",
        detail="One run at a time per service and pair of sites.",
        hint=f"drctl status {directory.id}; {way_on}",
    )


def _damaged(directory: RunDirectory, held: set[str], broken: DrctlError) -> Problem:
    return Problem(
        code="locked",
        summary=f"run {directory.id} may hold {', '.join(sorted(held))}: its journal is damaged",
        detail=f"{broken}. Nobody can tell from it whether the run has ended.",
        hint=f"If it has, move {directory.path} somewhere else.",
    )


@contextmanager
def claim(directory: RunDirectory, clock: Clock) -> Iterator[bool]:
    """Own a run while its engine lives; raise ``DrctlError`` (exit 5) when another engine is alive.

    The lock dies with its process. An engine that holds it but has given no sign of life for ``STALE``
    seconds (stopped, or on a host that sleeps) is taken over all the same, and True is yielded: only a
    new epoch in the journal keeps that one from going on when it wakes.
    """
    fd, silent = _own(directory, clock)
    try:
        ended = threading.Event()
        beat = threading.Thread(target=_beat, args=(fd, clock, ended), name="heartbeat", daemon=True)
        beat.start()
        try:
            yield silent
        finally:
            ended.set()
            beat.join()
    finally:
        os.close(fd)


def is_alive(directory: RunDirectory) -> bool:
    """Say whether an engine is running this run on this host."""
    with _arbitrated(directory):
        try:
            fd = os.open(directory.path / LOCK, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            return not _try_lock(fd)
        finally:
            os.close(fd)


def _own(directory: RunDirectory, clock: Clock) -> tuple[int, bool]:
    """Lock the run; the lock of a silent engine is left to it, and a new one put in its place."""
    with _arbitrated(directory):
        fd = _open_lock(directory)
        if _try_lock(fd):
            _sign(fd, clock)
            return fd, False
        quiet = clock.now().timestamp() - os.fstat(fd).st_mtime
        os.close(fd)
        if quiet >= STALE:
            (directory.path / LOCK).unlink()
            fd = _open_lock(directory)
            _try_lock(fd)
            _sign(fd, clock)
            return fd, True
    raise DrctlError(_locked(directory, directory.fold(), {"itself"}), exit_code=ExitCode.LOCKED)


def _open_lock(directory: RunDirectory) -> int:
    return os.open(directory.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


@contextmanager
def _arbitrated(directory: RunDirectory) -> Iterator[None]:
    """Let one process at a time look at a run's lock: a look would be taken for an engine."""
    with (directory.path / "engine.look").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def taken_by(run: Run, user: str, host: str) -> ev.LockTaken:
    """Return the event by which this process takes a run: one epoch after the last."""
    previous = f"{run.owner.owner} on {run.owner.host}, pid {run.owner.pid}" if run.owner else ""
    return ev.LockTaken(epoch=run.epoch + 1, owner=user, host=host, pid=os.getpid(), took_over_from=previous)


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sign(fd: int, clock: Clock) -> None:
    """Give a sign of life, on the lock that is ours: after a takeover the path is another engine's."""
    now = clock.now().timestamp()
    with suppress(OSError):
        os.utime(fd, (now, now))


def _beat(fd: int, clock: Clock, ended: threading.Event) -> None:
    while not clock.sleep(BEAT, ended):
        _sign(fd, clock)
