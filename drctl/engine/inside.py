"""Looking into a bubble: what stands there before a drill, what is left after its cleanup."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from pydantic import JsonValue

from drctl.core import events as ev
from drctl.core.bubble import Bubble
from drctl.core.events import Recorded
from drctl.core.problem import Source
from drctl.core.provider import Registry
from drctl.core.run import Run
from drctl.engine.drill import bubble_of
from drctl.engine.step import Expansion, Step, Use
from drctl.engine.template import Arguments
from drctl.inventory.load import Inventory

PROBE: Final = "bubble.empty"
"""After a provider's name: its probe that lists the bubble's things and is content when there are none."""

LOOK: Final = "bubble["
"""How the ids of the looks begin that a drill takes before it makes anything."""


def looks_into(
    registry: Registry,
    bubble: Bubble,
    endpoints: Mapping[str, str],
    named: Mapping[str, Sequence[str]] | None = None,
    known: Sequence[str] = (),
) -> Iterator[Step]:
    """Yield a look at each endpoint (with its provider) that can tell, as ``bubble[endpoint]``.

    ``named`` are things to look for beside the bubble's names, by kind; ``known`` what was there before.
    """
    for endpoint, kind in sorted(endpoints.items()):
        found = registry.find(f"{kind}.{PROBE}")
        if found is None:
            continue
        offered: dict[str, JsonValue] = {
            **{name: list(things) for name, things in (named or {}).items()},
            "owner": f"drctl:{bubble.run_id}:",
            "suffix": bubble.suffix,
            "folder": bubble.folder,
            "junction_prefix": bubble.junction_prefix,
            "known": list(known),
        }
        arguments = {name: value for name, value in offered.items() if name in found.model_fields}
        yield Step(
            id=f"{LOOK}{endpoint}]",
            title=f"What stands in the bubble on {endpoint}",
            phase="Prechecks",
            body=Use(f"{kind}.{PROBE}", "probe", endpoint, bubble.site, Arguments(arguments)),
            where=Source("inventory", 1, 1),
            item=endpoint,
            on_error="continue",
        )


def look_before(
    registry: Registry, inventory: Inventory, expansion: Expansion, run_id: str
) -> tuple[Step, ...]:
    """Return the looks a drill begins with; raise ``DrctlError`` when its site has no bubble."""
    bubble = bubble_of(inventory, expansion.target, run_id)
    used = {step.body.endpoint for step in expansion.steps if isinstance(step.body, Use)}
    endpoints = {
        name: kind
        for name, (kind, endpoint) in inventory.endpoints.items()
        if name in used and endpoint.site == bubble.site
    }
    volumes = (volume for service in inventory.services.values() for volume in service.volumes)
    standing = (there for volume in volumes for site, there in volume.at.items() if site == bubble.site)
    return tuple(looks_into(registry, bubble, endpoints, {"svms": sorted({one.svm for one in standing})}))


def touched_by_kind(run: Run) -> dict[str, list[str]]:
    """Return what a drill's journal says it touched, in the words of the probes."""
    things: dict[str, set[str]] = {}
    for step in run.steps.values():
        for thing in step.objects:
            kind, _, identity = thing.partition(" at ")[0].partition(" ")
            things.setdefault(kind, set()).add(identity)
    volumes = [identity.partition(":") for identity in things.get("volume", ())]
    named = {
        "svms": {svm for svm, _, _ in volumes},
        "volumes": {name for _, _, name in volumes},
        "datastores": things.get("datastore", set()),
        "vms": things.get("vm", set()),
    }
    return {kind: sorted(found) for kind, found in named.items()}


def already_there(records: Sequence[Recorded]) -> list[str]:
    """Return the names of what stood in the bubble before a drill, as its journal keeps them."""
    found: set[str] = set()
    for record in records:
        event = record.event
        if isinstance(event, ev.Observed) and event.step.startswith(LOOK):
            for value in event.values.values():
                found.update(_names(value))
    return sorted(found)


def _names(value: JsonValue) -> Iterator[str]:
    for one in value if isinstance(value, list) else ():
        name = one.get("name") if isinstance(one, dict) else one
        if isinstance(name, str):
            yield name
