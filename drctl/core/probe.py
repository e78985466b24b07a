"""What a step can look at without changing it, and what it makes of what it saw."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue

from drctl.core.action import NotExercised, ObjectRef, Recipe
from drctl.core.problem import ProviderError

if TYPE_CHECKING:
    from drctl.core.bubble import Bubble


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    BLOCKER = "blocker"


@dataclass(frozen=True, slots=True)
class Finding:
    """A probe's verdict, one line plus details.

    ``impossible`` marks a blocker that no decision can override (the volume does not exist): in
    mode ``failover`` every other blocker is shown as a warning.
    """

    level: Level
    summary: str
    details: tuple[str, ...] = ()
    hint: str = ""
    impossible: bool = False


@dataclass(frozen=True, slots=True)
class Observation:
    """What a probe saw: ``values`` are JSON, named in the field's terms, with units in the names."""

    values: Mapping[str, JsonValue] = field(default_factory=dict)


C = TypeVar("C")


class Probe(BaseModel, Generic[C]):
    """One read-only question; its fields are the step's ``with:``. ``C`` is the provider's client.

    ``observe`` talks to the system, ``judge`` is pure. An unreachable target is a ``ProviderError``
    from ``observe``, except where reachability is the question.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]
    output_names: ClassVar[frozenset[str]] = frozenset()

    def needs_objects(self) -> frozenset[ObjectRef]:
        """Name what it looks at; pure."""
        return frozenset()

    @abstractmethod
    def observe(self, client: C) -> Observation:
        """Look."""

    @abstractmethod
    def judge(self, seen: Observation) -> Finding:
        """Say what it means."""

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised | None:
        """Return the probe a drill asks instead; None to ask this one as it is.

        None is right only for a probe of the target's own objects on the bubble's site: what goes
        through public names would be answered by production.
        """
        return NotExercised(f"{self.name} would be answered by production")


class BulkProbe(Probe[C]):
    """A question that a runbook puts once per volume, machine or record, and that few reads answer for all."""

    @classmethod
    @abstractmethod
    def observe_many(cls, probes: Sequence[Self], client: C) -> list[Observation | ProviderError]:
        """Look for all of them, in order; raise ``ProviderError`` when nothing can be known of any."""

    def observe(self, client: C) -> Observation:
        """Look for this one."""
        [seen] = self.observe_many([self], client)
        if isinstance(seen, ProviderError):
            raise seen
        return seen
