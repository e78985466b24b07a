"""Folders that a drill made: what its journal knows of them, and what takes them away once they are empty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from pydantic import JsonValue

from drctl.core import events as ev
from drctl.core.bubble import folder_parts
from drctl.core.events import Recorded
from drctl.core.problem import Source
from drctl.core.provider import Registry
from drctl.core.run import Run
from drctl.engine.inside import LOOK
from drctl.engine.step import Step, StepId, Use
from drctl.engine.template import Arguments

REMOVE: Final = "folder.remove"
"""After a provider's name: its action that takes an empty folder away."""

KIND: Final = "folder"
"""The kind of handle by which a step journals a folder that it made."""


def made_folders(run: Run, records: Sequence[Recorded], path: str) -> dict[str, dict[str, str | None]]:
    """Return, by endpoint, the parts of a folder's path that a drill made, outermost first, with their ids.

    Made by it are those it journaled as made; and those that its look at the beginning did not see, where
    it then put a machine in: the word on the one may have got lost with the process that made the folder.
    """
    seen: dict[str, set[str]] = {}
    made: dict[str, dict[str, str | None]] = {}
    for record in records:
        event = record.event
        if isinstance(event, ev.Observed) and event.step.startswith(LOOK) and "folders" in event.values:
            seen[event.step.removeprefix(LOOK).rstrip("]")] = set(_names(event.values["folders"]))
        elif isinstance(event, ev.StepHandle) and event.kind == KIND and (on := _endpoint(run, event.step)):
            made.setdefault(on, {})[event.summary] = event.id
    wanted = folder_parts(path)
    for endpoint, before in seen.items():
        if before >= set(wanted) or not _put_in(run, endpoint):
            continue
        known = made.get(endpoint, {})
        made[endpoint] = {part: known.get(part) for part in wanted if part not in before}
    return made


def removals(
    registry: Registry,
    kinds: Mapping[str, str],
    made: Mapping[str, Mapping[str, str | None]],
    site: str,
    needs: frozenset[StepId],
) -> Iterator[Step]:
    """Yield the steps that take these folders away after ``needs``, innermost first."""
    for endpoint, parts in sorted(made.items()):
        action = f"{kinds.get(endpoint)}.{REMOVE}"
        if registry.find(action) is None:
            continue
        before = needs
        for path, identity in sorted(parts.items(), reverse=True):
            arguments = {"folder": path} if identity is None else {"folder": path, "moref": identity}
            step = Step(
                id=f"undo.folder[{endpoint}/{path}]",
                title=f"Remove the drill's folder {path} once it is empty",
                phase="Undo the bubble",
                body=Use(action, "action", endpoint, site, Arguments(arguments)),
                where=Source("inventory", 1, 1),
                needs=before,
                item=endpoint,
                on_error="continue",
            )
            yield step
            before = frozenset({step.id})


def _endpoint(run: Run, step: StepId) -> str | None:
    planned = run.steps[step].planned if step in run.steps else None
    return planned.endpoint if planned is not None else None


def _put_in(run: Run, endpoint: str) -> bool:
    """Say whether the drill began to put a machine into this vCenter."""
    return any(
        step.planned is not None
        and step.planned.endpoint == endpoint
        and any(thing.startswith("vm ") for thing in step.objects)
        for step in run.steps.values()
    )


def _names(value: JsonValue) -> Iterator[str]:
    for one in value if isinstance(value, list) else ():
        if isinstance(one, dict) and isinstance(name := one.get("name"), str):
            yield name
