"""The action that ends CIFS sessions: clients cache writes as long as they believe in the share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from pydantic import Field as Argument
from pydantic import JsonValue

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
from drctl.core.problem import ProviderError
from drctl.providers.ontap import problems
from drctl.providers.ontap.arguments import SvmName
from drctl.providers.ontap.client import Client
from drctl.providers.ontap.model import CifsSession
from drctl.providers.ontap.request import Request


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions with an SVM's CIFS server."""

    sessions: tuple[CifsSession, ...] = ()


class CloseSessions(Action[Client, Sessions]):
    """Close the CIFS sessions of an SVM, or those that have ``volume`` open.

    Clients connect again by themselves as long as they find the share: take the alias away first, and
    unmount the volume after.
    """

    name: ClassVar[str] = "ontap.cifs.sessions.close"
    reversibility: ClassVar[Reversibility] = Reversibility.REVERSIBLE
    state: ClassVar[type] = Sessions

    svm: SvmName
    volume: str | None = Argument(
        None, description="Close the sessions that have this volume open; default all of the SVM."
    )

    def touches(self) -> frozenset[ObjectRef]:
        """Name the sessions, by the volume they have open."""
        return frozenset({ObjectRef("sessions", f"{self.svm}:{self.volume or '*'}")})

    def read(self, client: Client) -> Sessions:
        """Read the sessions."""
        return self._mine(client.fetch(CifsSession, svm__name=self.svm))

    @classmethod
    def read_many(cls, actions: Sequence[Self], client: Client) -> list[Sessions | ProviderError]:
        """Read the sessions of every SVM concerned in one request."""
        try:
            svms = "|".join(sorted({action.svm for action in actions}))
            found = client.fetch(CifsSession, svm__name=svms)
        except ProviderError as error:
            return [error for _ in actions]
        return [action.mine(found) for action in actions]

    def mine(self, found: Sequence[CifsSession]) -> Sessions:
        """Pick the sessions this step is to close."""
        return self._mine([session for session in found if session.svm == self.svm])

    def _mine(self, found: Sequence[CifsSession]) -> Sessions:
        return Sessions(tuple(s for s in found if self.volume is None or self.volume in s.volumes))

    def diff(self, now: Sessions) -> Change | None:
        """Done when there is none."""
        if not now.sessions:
            return None
        who: list[JsonValue] = [f"{session.user} at {session.client}" for session in now.sessions]
        what = f"volume {self.volume} of {self.svm}" if self.volume else self.svm
        summary = f"close {len(who)} CIFS session{'s' if len(who) > 1 else ''} with {what}"
        return Change(summary, (Field("sessions", who, None),))

    def apply(self, client: Client, change: Change, control: Control) -> None:
        """Close each; one that ended by itself is closed."""
        for session in self.read(client).sessions:
            keys: Mapping[str, JsonValue] = {
                "node": {"uuid": session.node_uuid},
                "svm": {"uuid": session.svm_uuid},
                "identifier": session.identifier,
                "connection_id": session.connection,
            }
            doing = f"close the session of {session.user} at {session.client}"
            try:
                client.change(Request("DELETE", "CifsSession", doing, keys), control)
            except ProviderError as error:
                if problems.code_of(error) != problems.ENTRY_MISSING:
                    raise

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Leave them: they are production's users."""
        return NotExercised(f"the sessions with {self.svm} are those of production's users")
