"""Actions on SVMs and their interfaces: start, stop, up, down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Self

from pydantic import Field as Argument

from drctl.core.action import (
    Action,
    Change,
    Control,
    Field,
    Handle,
    Missing,
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
from drctl.providers.ontap.model import Lif, Svm
from drctl.providers.ontap.request import Request


@dataclass(frozen=True, slots=True)
class SvmState:
    """An SVM, None when there is none of that name."""

    svm: Svm | None


@dataclass(frozen=True, slots=True)
class LifState:
    """An interface, None when there is none of that name."""

    lif: Lif | None


class _OnSvm(Action[Client, SvmState]):
    """What start and stop share."""

    reversibility: ClassVar[Reversibility] = Reversibility.REVERSIBLE
    state: ClassVar[type] = SvmState
    goal: ClassVar[str]
    passing: ClassVar[str]
    verb: ClassVar[str]
    opposite: ClassVar[str]

    svm: SvmName

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Leave it: the SVM is shared with production or with the mirrors."""
        return NotExercised(f"SVM {self.svm} is not the drill's own")

    def touches(self) -> frozenset[ObjectRef]:
        """Name the SVM."""
        return frozenset({ObjectRef("svm", self.svm)})

    def read(self, client: Client) -> SvmState:
        """Read the SVM's state."""
        return SvmState(next(iter(client.fetch(Svm, name=self.svm)), None))

    @classmethod
    def read_many(cls, actions: Sequence[Self], client: Client) -> list[SvmState | ProviderError]:
        """Read every SVM in one request."""
        try:
            found = {svm.name: svm for svm in client.fetch(Svm)}
        except ProviderError as error:
            return [error for _ in actions]
        return [SvmState(found.get(action.svm)) for action in actions]

    def diff(self, now: SvmState) -> Change | None:
        """Done when the SVM is in the state wished for."""
        if now.svm is None:
            raise Missing(ObjectRef("svm", self.svm))
        if now.svm.state == self.goal:
            return None
        return Change(
            f"{self.verb} SVM {self.svm}: {now.svm.state} → {self.goal}",
            (Field("state", now.svm.state, self.goal),),
        )

    def apply(self, client: Client, change: Change, control: Control) -> None:
        """Ask for the state, unless the SVM is on its way there."""
        svm = self.read(client).svm
        if svm is None:
            raise problems.vanished(f"SVM {self.svm}", client.name)
        if svm.state != self.passing:
            doing = f"{self.verb} SVM {self.svm}"
            client.change(Request("PATCH", "Svm", doing, {"uuid": svm.uuid}, {"state": self.goal}), control)

    def find_running(self, client: Client, since: datetime) -> Handle | None:
        """Return a job at work on this SVM."""
        svm = self.read(client).svm
        return client.job_about(svm.uuid) if svm else None

    def undo(self, before: SvmState, change: Change) -> Recipe:
        """Do the opposite."""
        return Recipe(self.opposite, {"svm": self.svm})


class StartSvm(_OnSvm):
    """Start an SVM: its interfaces and protocols serve."""

    name: ClassVar[str] = "ontap.svm.start"
    goal: ClassVar[str] = "running"
    passing: ClassVar[str] = "starting"
    verb: ClassVar[str] = "start"
    opposite: ClassVar[str] = "ontap.svm.stop"


class StopSvm(_OnSvm):
    """Stop an SVM: nothing of it is served any more."""

    name: ClassVar[str] = "ontap.svm.stop"
    goal: ClassVar[str] = "stopped"
    passing: ClassVar[str] = "stopping"
    verb: ClassVar[str] = "stop"
    opposite: ClassVar[str] = "ontap.svm.start"


class _OnLif(Action[Client, LifState]):
    """What up and down share."""

    reversibility: ClassVar[Reversibility] = Reversibility.REVERSIBLE
    state: ClassVar[type] = LifState
    enabled: ClassVar[bool]
    verb: ClassVar[str]
    opposite: ClassVar[str]

    svm: SvmName
    lif: str = Argument(description="Name of the logical interface, e.g. `data1`.")

    @property
    def path(self) -> str:
        """``svm:lif``."""
        return f"{self.svm}:{self.lif}"

    def touches(self) -> frozenset[ObjectRef]:
        """Name the interface."""
        return frozenset({ObjectRef("lif", self.path)})

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Leave it: the interface is shared."""
        return NotExercised(f"interface {self.path} is not the drill's own")

    def read(self, client: Client) -> LifState:
        """Read the interface."""
        return LifState(next(iter(client.fetch(Lif, svm__name=self.svm, name=self.lif)), None))

    @classmethod
    def read_many(cls, actions: Sequence[Self], client: Client) -> list[LifState | ProviderError]:
        """Read the interfaces of every SVM concerned in one request."""
        svms = "|".join(sorted({action.svm for action in actions}))
        try:
            found = {(lif.svm, lif.name): lif for lif in client.fetch(Lif, svm__name=svms)}
        except ProviderError as error:
            return [error for _ in actions]
        return [LifState(found.get((action.svm, action.lif))) for action in actions]

    def diff(self, now: LifState) -> Change | None:
        """Done when the interface is enabled, or disabled, as wished."""
        if now.lif is None:
            raise Missing(ObjectRef("lif", self.path))
        if now.lif.enabled is self.enabled:
            return None
        return Change(
            f"take {self.path} ({now.lif.address or 'no address'}) {self.verb}",
            (Field("enabled", now.lif.enabled, self.enabled),),
        )

    def apply(self, client: Client, change: Change, control: Control) -> None:
        """Enable or disable it."""
        lif = self.read(client).lif
        if lif is None:
            raise problems.vanished(f"interface {self.path}", client.name)
        doing = f"take interface {self.path} {self.verb}"
        request = Request("PATCH", "IpInterface", doing, {"uuid": lif.uuid}, {"enabled": self.enabled})
        client.change(request, control)

    def undo(self, before: LifState, change: Change) -> Recipe:
        """Do the opposite."""
        return Recipe(self.opposite, {"svm": self.svm, "lif": self.lif})


class LifUp(_OnLif):
    """Enable a logical interface: clients reach the SVM through it."""

    name: ClassVar[str] = "ontap.lif.up"
    enabled: ClassVar[bool] = True
    verb: ClassVar[str] = "up"
    opposite: ClassVar[str] = "ontap.lif.down"


class LifDown(_OnLif):
    """Disable a logical interface: nobody reaches the SVM through it."""

    name: ClassVar[str] = "ontap.lif.down"
    enabled: ClassVar[bool] = False
    verb: ClassVar[str] = "down"
    opposite: ClassVar[str] = "ontap.lif.up"
