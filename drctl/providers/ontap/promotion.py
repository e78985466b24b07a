"""Making a mirror's destination writable when its source may be dead: quiet it, then break it.

Only the destination cluster is asked for anything. A quiesce waits for a transfer that can never end
once the source is gone, so it is bounded, the transfer aborted, and the break tried; the override
(``force=true``, "overrides validation" in NetApp's reference of PATCH /snapmirror/relationships) comes
last and is journaled first. Refusals: netapp.ontap issues 348 (peer unreachable), 312 (unhealthy),
77 (the relationship answers "entry doesn't exist" right after the quiesce).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from drctl.core.action import Control
from drctl.core.problem import ProviderError, ReadOnlyError
from drctl.providers.ontap import problems
from drctl.providers.ontap.client import FIRST_PAUSE, Client
from drctl.providers.ontap.mirrors import read_mirror
from drctl.providers.ontap.model import Mirror
from drctl.providers.ontap.request import Request

ABORT = 20.0
"""Seconds for a transfer to stop after an abort, before the harder one and after it."""

ATTEMPTS = 5
"""Breaks asked for before a refusal is final."""

LONGEST_PAUSE = 2.0


@dataclass(frozen=True)
class Promotion:
    """One destination on its way to be writable; ``quiesce_timeout`` in seconds.

    ``restore_to`` is the snapshot the break goes back to; None leaves what the volume shows.
    """

    client: Client
    control: Control
    destination: str
    quiesce_timeout: float = 60.0
    override: bool = True
    restore_to: str | None = None

    def run(self) -> None:
        """Quiesce (bounded), abort what cannot end, break.

        Raises:
            ProviderError: Refused for a reason the override does not cover, or ``effect_unknown``.
        """
        mirror = self._mirror()
        if mirror.state == "broken_off":
            return
        if mirror.state != "paused" or mirror.transferring:
            self.quiet(mirror)
        self._break()

    # --- quiet --------------------------------------------------------------------------------

    def quiesce(self) -> bool:
        """Ask for a quiesce and wait for it up to ``quiesce_timeout``; return whether it came about.

        Raises:
            ProviderError: ONTAP refused it.
        """
        ends = self.client.clock.monotonic() + self.quiesce_timeout
        mirror = self._mirror()
        if mirror.state != "paused":
            self.control.progress(f"quiescing {self.destination}")
            doing = f"quiesce {self.destination}"
            job = self.client.start(_to_state(mirror, "paused", doing), self.control)
            if job is not None:
                self.client.follow(job, doing, self.control, self.quiesce_timeout)
        return self._wait(lambda m: m.state == "paused", ends - self.client.clock.monotonic())

    def quiet(self, mirror: Mirror) -> None:
        """Do what can be done to stop transfers; a break is tried whatever comes of it."""
        if self.try_quiesce():
            return
        mirror = self._mirror()
        if mirror.transferring:
            self.abort(mirror)
            if replace(self, quiesce_timeout=min(self.quiesce_timeout, ABORT)).try_quiesce():
                return
        self.control.progress(f"{self.destination} did not become quiet; breaking it all the same")

    def try_quiesce(self) -> bool:
        """Quiesce; say whether it came about, whatever ONTAP refuses."""
        try:
            return self.quiesce()
        except ProviderError as error:
            if _is_final(error):
                raise
            self.control.progress(f"quiesce: {error.problem.summary}")
            return error.effect_unknown and self._wait(lambda m: m.state == "paused", self.quiesce_timeout)

    def abort(self, mirror: Mirror) -> None:
        """Abort the transfer under way, harder when the first abort does not stop it."""
        for state in ("aborted", "hard_aborted"):
            if mirror.transfer_uuid is None:
                return
            self.control.progress(f"aborting the transfer of {self.destination} ({state})")
            try:
                self.client.change(_abort(mirror, state, self.destination), self.control)
            except ProviderError as error:
                # Ended by itself, or of a kind that cannot be aborted (synchronous): the break decides.
                if _is_final(error):
                    raise
                self.control.progress(f"abort: {error.problem.summary}")
            if self._wait(lambda m: not m.transferring, ABORT):
                return
            mirror = self._mirror()

    # --- break --------------------------------------------------------------------------------

    def _break(self) -> None:
        forced = False
        for attempt in range(1, ATTEMPTS + 1):
            mirror = self._mirror()
            if mirror.state == "broken_off":
                return
            try:
                self.control.progress(f"breaking {self.destination}" + (" with force" if forced else ""))
                self.client.change(self._request(mirror, forced=forced), self.control)
            except ProviderError as error:
                if error.unreachable or error.effect_unknown or attempt == ATTEMPTS:
                    raise
                forced = self._after_refusal(error, forced=forced)
            else:
                return

    def _request(self, mirror: Mirror, *, forced: bool) -> Request:
        back = f" back to {self.restore_to}" if self.restore_to else ""
        asked = _to_state(mirror, "broken_off", f"break {self.destination}{back}", forced=forced)
        more = {"restore_to_snapshot": self.restore_to} if self.restore_to else {}
        return replace(asked, body={**asked.body, **more})

    def _after_refusal(self, error: ProviderError, *, forced: bool) -> bool:
        """Clear the way for the next attempt; return whether it is forced. Raise when there is none."""
        if problems.is_busy(error):
            mirror = self._mirror()
            if mirror.transferring:
                self.abort(mirror)
            self.control.sleep(min(LONGEST_PAUSE, self.control.remaining()))
            return forced
        if error.transient or problems.code_of(error) == problems.ENTRY_MISSING:
            self.control.sleep(min(LONGEST_PAUSE, self.control.remaining()))
            return forced
        reason = error.problem.summary.partition(": ")[2].lower()
        about_snapshots = self.restore_to is not None and "snapshot" in reason
        if forced or not self.override or about_snapshots or not _overridable(error, self._mirror()):
            raise error
        self.control.override(
            f"break {self.destination} with force=true", f"ONTAP refused without it: {error.problem.summary}"
        )
        return True

    # --- looking ------------------------------------------------------------------------------

    def _mirror(self) -> Mirror:
        """Read the relationship again by its destination path: its uuid may have changed."""
        mirror = read_mirror(self.client, self.destination)
        if mirror is None:
            raise problems.vanished(f"the mirror to {self.destination}", self.client.name)
        return mirror

    def _wait(self, until: Callable[[Mirror], bool], patience: float) -> bool:
        """Read until a condition holds; False when the time, the clock's, is up before."""
        ends, pause = self.client.clock.monotonic() + patience, FIRST_PAUSE
        while not until(self._mirror()):
            left = min(ends - self.client.clock.monotonic(), self.control.remaining())
            if left <= 0:
                return False
            self.control.sleep(min(pause, left))
            pause = min(pause * 1.5, LONGEST_PAUSE)
        return True


def _is_final(error: ProviderError) -> bool:
    """Say whether nothing else can be asked of this cluster either."""
    return error.unreachable or isinstance(error, ReadOnlyError) or error.problem.code == "ontap-auth"


def _overridable(error: ProviderError, mirror: Mirror) -> bool:
    """Say whether force is the answer: the peer does not answer, or the relationship is unhealthy.

    A break that ONTAP refuses for another reason (a missing volume, a snapshot in use) stays refused.
    """
    text, code = error.problem.summary.lower(), problems.code_of(error)
    if code == problems.BREAK_FAILED and not mirror.healthy:
        return True
    return code == problems.PEER_UNREACHABLE or any(
        words in text for words in ("peer cluster", "unhealthy", "not healthy")
    )


def _to_state(mirror: Mirror, state: str, doing: str, *, forced: bool = False) -> Request:
    return Request(
        "PATCH",
        "SnapmirrorRelationship",
        doing,
        keys={"uuid": mirror.uuid},
        body={"state": state},
        query={"force": "true"} if forced else {},
    )


def _abort(mirror: Mirror, state: str, destination: str) -> Request:
    return Request(
        "PATCH",
        "SnapmirrorTransfer",
        f"abort the transfer of {destination}",
        keys={"uuid": mirror.transfer_uuid},
        body={"state": state},
        parents=(mirror.uuid,),
    )
