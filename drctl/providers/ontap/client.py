"""A cluster as steps see it: typed reads, changes followed to their end, one connection per thread."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from pydantic import JsonValue, ValidationError

from drctl.core.action import Control, Handle
from drctl.core.clock import Clock, SystemClock
from drctl.core.problem import DrctlError, ProviderError
from drctl.core.provider import Access
from drctl.providers.ontap import problems
from drctl.providers.ontap.model import Job, OntapEndpoint, Row, fields_of
from drctl.providers.ontap.request import Request

if TYPE_CHECKING:
    from drctl.providers.ontap.wire import Wire

R = TypeVar("R", bound=Row)

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0


class Client:
    """Shared by worker threads; each gets a connection of its own on its first call.

    ``requests.Session`` is not formally safe to share, and NetApp's client keeps its default connection
    in a process global: connections are passed explicitly, never looked up.
    """

    def __init__(self, endpoint: OntapEndpoint, access: Access, clock: Clock | None = None) -> None:
        self.name = endpoint.name
        self.clock = clock or SystemClock()
        self._endpoint = endpoint
        self._access = access
        self._local = threading.local()
        self._lock = threading.Lock()
        self._wires: list[Wire] = []
        self._exclusive: dict[str, threading.RLock] = {}

    # --- reads --------------------------------------------------------------------------------

    def fetch(self, row: type[R], *parents: str, **query: str) -> list[R]:
        """Return the records of a collection that meet a query (``svm__name="x"`` is svm.name).

        Raises:
            ProviderError: The cluster cannot be reached, refuses, or answers something else.
        """
        asked = {name.replace("__", "."): value for name, value in query.items()}
        found = self._wire().rows(row.resource, parents, {"fields": fields_of(row), **asked})
        return [self._parse(row, record) for record in found]

    def find(self, row: type[R], keys: Mapping[str, JsonValue], fields: str = "") -> R | None:
        """Return one record by its keys, None when the array does not know it."""
        record = self._wire().row(row.resource, keys, {"fields": fields or fields_of(row)})
        return None if record is None else self._parse(row, record)

    def skew(self) -> float | None:
        """The array's clock minus ours, in seconds, as of this thread's last answer."""
        return self._wire().skew

    def job_about(self, uuid: str) -> Handle | None:
        """Return an unfinished job whose description names an object's uuid, whoever began it and when."""
        found = self.fetch(Job, description=f"*{uuid}*", fields="uuid,description,state")
        return next((Handle("job", job.uuid, job.description) for job in found if not job.ended), None)

    def queued(self, svms: Collection[str]) -> dict[str, list[str]] | None:
        """Return the deleted volumes that still take space, by SVM; None when that cannot be seen.

        The recovery queue has no REST resource, only a command of the advanced privilege level.
        """
        query = {"fields": "vserver,volume", "privilege_level": "advanced", "vserver": "|".join(sorted(svms))}
        try:
            records = self._wire().command("volume/recovery-queue", query)
        except ProviderError as error:
            if error.unreachable or error.transient:
                raise
            return None
        found: dict[str, list[str]] = {svm: [] for svm in svms}
        for record in records:
            found.setdefault(str(record.get("vserver")), []).append(str(record.get("volume")))
        return found

    def purge(self, svm: str, name: str) -> None:
        """Remove a deleted volume from the recovery queue, by its name there."""
        body: Mapping[str, JsonValue] = {"vserver": svm, "volume": name}
        self._wire().command("volume/recovery-queue/purge", {"privilege_level": "advanced"}, body)

    def _parse(self, row: type[R], record: Mapping[str, JsonValue]) -> R:
        try:
            return row.model_validate(record)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise problems.unexpected_answer(
                f"read a {row.__name__.lower()}", self.name, f"{where}: {first['msg']}"
            ) from error

    # --- changes ------------------------------------------------------------------------------

    def change(self, request: Request, control: Control) -> None:
        """Send a change and follow its job to the end.

        A job that the array has forgotten counts as ended: the caller reads the object again.

        Raises:
            ProviderError: Refused; the job failed; or ``effect_unknown`` when the reply was lost or the
                job outlived the step.
        """
        job = self.start(request, control)
        if job is not None and self.follow(job, request.doing, control) is False:
            raise problems.outlived(request.doing, self.name, f"job {job} is still running")

    def start(self, request: Request, control: Control) -> str | None:
        """Send a change; return its job's uuid, journaled, or None when it is done already."""
        job = self._wire().send(request)
        if job is not None:
            control.handle(Handle("job", job, request.doing))
        return job

    def follow(self, uuid: str, doing: str, control: Control, patience: float | None = None) -> bool:
        """Wait for a job until it succeeds (or is forgotten); False when the time is up before.

        Time is the clock's: ``patience`` seconds, and never beyond the step's deadline.

        Raises:
            ProviderError: It failed, was cancelled or expired, with ONTAP's code; or ``effect_unknown``
                when it cannot be read any more.
        """
        begun, pause = self.clock.monotonic(), FIRST_PAUSE
        told = ""
        while True:
            job = self._read_job(uuid, doing)
            if job is None or job.state == "success":
                return True
            if job.ended:
                raise problems.job_failure(job, doing, self.name)
            if job.message and job.message != told:
                told = job.message
                control.progress(told)
            left = control.remaining()
            if patience is not None:
                left = min(left, patience - (self.clock.monotonic() - begun))
            if left <= 0:
                return False
            control.sleep(min(pause, left))
            pause = min(pause * 1.5, LONGEST_PAUSE)

    def _read_job(self, uuid: str, doing: str) -> Job | None:
        try:
            # fields=* because the few fields shown unasked leave out code and error.
            return self.find(Job, {"uuid": uuid}, "*")
        except ProviderError as error:
            if error.unreachable or error.transient:
                raise problems.no_reply(doing, self.name, str(error), changing=True) from error
            raise

    @contextmanager
    def exclusive(self, what: str) -> Iterator[None]:
        """Keep other threads of this process from the same read-and-replace (aliases, rules)."""
        with self._lock:
            lock = self._exclusive.setdefault(what, threading.RLock())
        with lock:
            yield

    # --- connections --------------------------------------------------------------------------

    def _wire(self) -> Wire:
        wire: Wire | None = getattr(self._local, "wire", None)
        if wire is None:
            wire = self._local.wire = self._connect()
        return wire

    def _connect(self) -> Wire:
        from drctl.providers.ontap.wire import Wire  # noqa: PLC0415 - takes a quarter of a second

        try:
            password = self._endpoint.password.reveal()
        except DrctlError as error:
            raise ProviderError(error.problems[0]) from error
        wire = Wire(self._endpoint, self._access, password, self.clock)
        with self._lock:
            self._wires.append(wire)
        return wire

    def close(self) -> None:
        """Close every thread's connection."""
        with self._lock:
            wires, self._wires = self._wires, []
        for wire in wires:
            wire.close()
