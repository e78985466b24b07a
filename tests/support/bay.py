"""A provider whose machines stand in a dictionary, and who says what a drill does with each of its steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import JsonValue

from drctl.core.action import Action, Change, Control, Field, Missing, NotExercised, ObjectRef, Recipe
from drctl.core.action import Reversibility as Cost
from drctl.core.bubble import Bubble
from drctl.core.probe import Finding, Level, Observation, Probe
from drctl.core.problem import Problem, ProviderError
from drctl.core.provider import Access, Endpoint, Registry


@dataclass
class Bay:
    """Machines by name, and what was done; ``refuses`` names those that cannot be changed."""

    machines: dict[str, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)


class Make(Action[Bay, Any]):
    """Bring a machine into a state."""

    name: ClassVar[str] = "bay.make"
    reversibility = Cost.REVERSIBLE
    state = str
    output_names = frozenset({"vm", "serial"})

    vm: str
    to: str = "on"
    after: str | None = None
    folder: str | None = None
    networks: dict[str, str] | None = None

    def touches(self) -> frozenset[ObjectRef]:
        return frozenset({ObjectRef("vm", self.vm)})

    def read(self, client: Bay) -> Bay:
        return client

    def diff(self, now: Bay) -> Change | None:
        if self.after is not None and self.after not in now.machines:
            raise Missing(ObjectRef("vm", self.after))
        before = now.machines.get(self.vm)
        if before == self.to or (before is None and self.to == "gone"):
            return None
        return Change(f"{self.vm} {self.to}", (Field("state", before, self.to),))

    def apply(self, client: Bay, change: Change, control: Control) -> None:
        if self.vm in client.refuses:
            raise ProviderError(Problem(code="bay", summary=f"{self.vm} refuses"))
        client.calls.append(f"{self.vm}={self.to}")
        client.machines[self.vm] = self.to
        if self.to == "gone":
            del client.machines[self.vm]

    def foresee(self) -> Mapping[str, JsonValue]:
        return {"vm": self.vm}

    def outputs(self, now: Bay) -> Mapping[str, JsonValue]:
        return {"vm": self.vm, "serial": f"serial of {self.vm}"}

    def undo(self, before: Bay, change: Change) -> Recipe | None:
        return Recipe(self.name, {"vm": self.vm, "to": before.machines.get(self.vm, "gone")})

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        given = self.model_dump(exclude_unset=True) | {"vm": bubble.vm(self.vm)}
        return Recipe(self.name, given)


class Careless(Make):
    """Does in a drill what it does on the day."""

    name: ClassVar[str] = "bay.careless"

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        return Recipe(self.name, self.model_dump(exclude_unset=True))


class Swapped(Make):
    """Is another action in a drill."""

    name: ClassVar[str] = "bay.swapped"

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        return Recipe(Make.name, {"vm": bubble.vm(self.vm)})


class Final(Make):
    """Cannot be undone, and is left out of drills."""

    name: ClassVar[str] = "bay.final"
    reversibility = Cost.IRREVERSIBLE

    def undo(self, before: Bay, change: Change) -> Recipe | None:
        return None

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        return NotExercised("there is only one of it")


class Shapeless(Final):
    """Does not say what it touches."""

    name: ClassVar[str] = "bay.shapeless"

    def touches(self) -> frozenset[ObjectRef]:
        return frozenset()


class Look(Probe[Bay]):
    """Look at a machine; ``url`` stands for an address that a check asks."""

    name: ClassVar[str] = "bay.look"

    vm: str = ""
    url: str | None = None

    def observe(self, client: Bay) -> Observation:
        return Observation({"state": client.machines.get(self.vm)})

    def judge(self, seen: Observation) -> Finding:
        return Finding(Level.OK if seen.values["state"] == "on" else Level.BLOCKER, str(seen.values["state"]))

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised | None:
        return None


class BayEndpoint(Endpoint):
    """Where machines stand."""


class BayProvider:
    """Implements ``core.provider.Provider`` over one bay."""

    name = "bay"
    endpoint = BayEndpoint
    actions: Mapping[str, Any] = {one.name: one for one in (Make, Careless, Swapped, Final, Shapeless)}
    probes: Mapping[str, Any] = {Look.name: Look}

    def __init__(self, bay: Bay) -> None:
        self.bay = bay

    @contextmanager
    def connect(self, endpoint: Endpoint | None, access: Access) -> Iterator[Bay]:
        yield self.bay


def registry(bay: Bay) -> Registry:
    """The registry that knows bays and nothing else."""
    return Registry({"bay": BayProvider(bay)})
