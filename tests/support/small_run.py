"""Steps, first events and records by the shortest way, for tests of the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from fake_clock import START

from drctl.core import events as ev
from drctl.core.events import Recorded
from drctl.core.problem import Source
from drctl.engine.step import Gate, Manual, Outputs, Step, StepId, Unresolved, Use

NOWHERE = Source("runbook.yaml", 1, 1)


@dataclass(frozen=True)
class Ref:
    """Another step's output."""

    step: StepId
    output: str = "name"


@dataclass(frozen=True)
class Given:
    """A ``with:``; implements ``engine.step.Template``."""

    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def references(self) -> frozenset[StepId]:
        return frozenset(value.step for value in self.values.values() if isinstance(value, Ref))

    def resolve(self, outputs: Outputs) -> dict[str, Any]:
        refs = [value for value in self.values.values() if isinstance(value, Ref)]
        absent = frozenset(ref.step for ref in refs if ref.output not in outputs.get(ref.step, {}))
        if absent:
            raise Unresolved(absent)
        return {
            name: outputs[value.step][value.output] if isinstance(value, Ref) else value
            for name, value in self.values.items()
        }


@dataclass(frozen=True)
class When:
    """A condition on one output; implements ``engine.step.Condition``."""

    ref: Ref
    test: Callable[[Any], bool]

    @property
    def references(self) -> frozenset[StepId]:
        return frozenset({self.ref.step})

    def holds(self, outputs: Outputs) -> bool:
        if self.ref.output not in outputs.get(self.ref.step, {}):
            raise Unresolved(self.references)
        return self.test(outputs[self.ref.step][self.ref.output])


def use(identity: str, *needs: str, uses: str = "thing.set", on: str | None = "here", **rest: Any) -> Step:
    """A step; what is no field of ``Step`` becomes its ``with:`` (by default thing = id, to = on)."""
    fields = {name: rest.pop(name) for name in list(rest) if name in Step.__dataclass_fields__}
    usual = {"thing.set": {"thing": identity, "to": "on"}, "thing.run": {"command": identity}}
    values = {**usual.get(uses, {"thing": identity, "wanted": "on"}), **rest}
    given = Given(values)
    when = fields.get("when")
    extra = given.references | (when.references if when is not None else frozenset())
    site = {"here": "north", "there": "south", "locked": "north"}.get(on or "")
    body = Use(uses, "probe" if uses == "thing.see" else "action", on, site, given, given.references)
    return _step(identity, body, frozenset(needs) | extra, fields)


def see(identity: str, *needs: str, **rest: Any) -> Step:
    """A probe."""
    return use(identity, *needs, uses="thing.see", **rest)


def gate(identity: str, *needs: str, **rest: Any) -> Step:
    """A go/no-go decision."""
    own = ("title", "phase", "chain", "on_error", "when", "lane", "service", "item")
    fields = {name: rest.pop(name) for name in own if name in rest}
    return _step(identity, Gate(f"{identity}?", **rest), frozenset(needs), fields)


def manual(identity: str, *needs: str, **rest: Any) -> Step:
    """Work for people."""
    fields = {name: rest.pop(name) for name in list(rest) if name in Step.__dataclass_fields__}
    return _step(identity, Manual(f"do {identity}", **rest), frozenset(needs), fields)


def _step(identity: str, body: Use | Gate | Manual, needs: frozenset[str], fields: Mapping[str, Any]) -> Step:
    more = {"title": identity, "phase": "Only", "where": NOWHERE, "needs": needs, **fields}
    return Step(id=identity, body=body, **more)


def started(
    *services: str, mode: str = "failover", source: str = "north", target: str = "south"
) -> ev.RunStarted:
    """The first event of a run."""
    return ev.RunStarted(
        run="R1",
        mode=mode,
        runbook=ev.FileData(name="short", title="A short one", digest="0" * 64),
        inventory=ev.FileData(name="small", digest="0" * 64),
        source=ev.SiteData(name=source, title=source),
        target=ev.SiteData(name=target, title=target),
        services=tuple(ev.ServiceData(name=name, title=name) for name in services),
        plan_digest="0" * 64,
        tool="0",
        host="here",
        user="somebody",
    )


def taken(epoch: int = 1) -> ev.LockTaken:
    """An engine owns the run."""
    return ev.LockTaken(epoch=epoch, owner="somebody", host="here", pid=1)


def planned(
    step: str, verdict: str = "will", change: ev.ChangeData | None = None, **rest: Any
) -> ev.StepPlanned:
    """A step of the approved plan."""
    more = {"kind": "action", "title": step, "phase": "Only", **rest}
    return ev.StepPlanned(step=step, verdict=verdict, change=change, **more)


def finished(step: str, how: str = "applied", **outputs: Any) -> ev.StepFinished:
    """A step that reached its wished state."""
    return ev.StepFinished(step=step, how=how, outputs=outputs)


def trouble(summary: str = "broken") -> ev.ProblemData:
    """A problem as the journal keeps it."""
    return ev.ProblemData(code="scripted", summary=summary)


def failed(step: str, *, tolerated: bool = False) -> ev.StepFailed:
    """A step that failed."""
    return ev.StepFailed(step=step, problem=trouble(), tolerated=tolerated)


def unclear(step: str, *, tolerated: bool = False) -> ev.StepIndeterminate:
    """A step that is neither done nor failed for sure."""
    return ev.StepIndeterminate(step=step, problem=trouble(), tolerated=tolerated)


def recorded(*events: ev.EventData) -> list[Recorded]:
    """Records as a journal holds them, a second apart."""
    return [
        Recorded(seq, START + timedelta(seconds=seq), "engine", event) for seq, event in enumerate(events)
    ]
