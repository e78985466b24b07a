"""What can go wrong in the lab, by name, on a target, once or until lifted."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from threading import RLock

WORLD_FAULTS = frozenset({"site-down", "site-partition", "site-returns-with-autostart"})
"""Faults that change the world itself; their target is a site."""

TRANSPORT_FAULTS = frozenset({"slow", "reply-lost", "http-500", "tls-expired", "refused"})
"""Faults of a listener; their target is an endpoint's name or a site."""

FAULTS = (
    WORLD_FAULTS
    | TRANSPORT_FAULTS
    | {
        "auth-expired",  # target: endpoint; credentials are no longer accepted
        "session-expired",  # endpoint; sessions end, a new login works
        "transfer-busy",  # destination path; a transfer that does not end in time runs
        "quiesce-stuck",  # destination path; quiesce never reaches paused
        "peer-unreachable",  # endpoint of a destination cluster; its peers do not answer
        "job-failed",  # cluster endpoint, or a word of the job's description
        "job-forgotten",  # the same; a finished job answers 404
        "aggregate-full",  # aggregate name
        "junction-busy",  # svm:volume
        "snapshot-locked",  # svm:volume
        "vm-stuck-booting",  # VM name
        "vm-question",  # VM name
        "datastore-inaccessible",  # datastore name
        "register-duplicate",  # VM name
        "task-queued",  # vCenter endpoint; tasks stay queued for two minutes
        "dns-refused",  # endpoint of type dns; updates are refused
        "dns-stale-secondary",  # address of a secondary; it no longer transfers
        "tsig-bad-key",  # endpoint of type dns
        "ssh-host-key-changed",  # endpoint of type ssh
        "ssh-hang",  # endpoint of type ssh; commands never end
        "app-degraded",  # service; it answers, badly
    }
)
"""Every fault the lab knows."""


class UnknownFault(ValueError):
    """A fault name the lab does not know."""


@dataclass(frozen=True)
class Fault:
    """One fault: active on targets matching ``target`` (all when empty) until lifted, or once."""

    name: str
    target: str = ""
    once: bool = False

    def hits(self, target: str) -> bool:
        """Whether the fault strikes ``target``; patterns such as ``svm_dr:*`` are allowed."""
        return not self.target or not target or fnmatchcase(target, self.target)

    def __str__(self) -> str:
        parts = [self.name, self.target] if self.target or self.once else [self.name]
        return ":".join([*parts, "once"] if self.once else parts)


def parse(text: str) -> Fault:
    """Read ``name[:target][:once]``; a target may hold colons itself.

    Raises:
        UnknownFault: the name is not one of ``FAULTS``.
    """
    name, _, rest = text.strip().partition(":")
    if name not in FAULTS:
        near = difflib.get_close_matches(name, FAULTS, n=1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        raise UnknownFault(f"unknown fault {name!r}; {meant}known are {', '.join(sorted(FAULTS))}")
    target, colon, last = rest.rpartition(":")
    if last == "once":
        return Fault(name, target if colon else "", once=True)
    return Fault(name, rest)


class Faults:
    """The faults in force; ``changed`` is called after each addition and removal."""

    def __init__(self, lock: RLock, changed: Callable[[Fault, bool], None]) -> None:
        self._lock = lock
        self._changed = changed
        self._active: list[Fault] = []

    def add(self, fault: Fault | str) -> Fault:
        """Put a fault in force and return it.

        Raises:
            UnknownFault: its name is unknown.
        """
        fault = parse(fault) if isinstance(fault, str) else fault
        with self._lock:
            if fault not in self._active:
                self._active.append(fault)
            self._changed(fault, True)
        return fault

    def lift(self, fault: Fault | str) -> bool:
        """Lift a fault; a bare name lifts all of that name. Tell whether any was in force."""
        wanted = parse(fault) if isinstance(fault, str) else fault
        with self._lock:
            gone = [f for f in self._active if f.name == wanted.name and wanted.target in ("", f.target)]
            for each in gone:
                self._active.remove(each)
                self._changed(each, False)
        return bool(gone)

    def active(self, name: str, target: str = "") -> Fault | None:
        """The fault of that name in force on ``target``, not consumed."""
        with self._lock:
            return next((f for f in self._active if f.name == name and f.hits(target)), None)

    def take(self, name: str, target: str = "") -> Fault | None:
        """Like ``active``, but a once-fault is over after this."""
        with self._lock:
            fault = self.active(name, target)
            if fault and fault.once:
                self._active.remove(fault)
                self._changed(fault, False)
            return fault

    def listing(self) -> list[str]:
        """All faults in force, as they are written on the command line."""
        with self._lock:
            return [str(f) for f in self._active]
