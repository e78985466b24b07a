"""Going back further than the newest copy: chosen recovery points, served from a clone of their snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from pydantic import JsonValue

from drctl.core.problem import DrctlError, Problem
from drctl.document.shape import suggest
from drctl.engine.step import Expansion, Step, Use
from drctl.engine.template import Arguments
from drctl.inventory.load import Inventory
from drctl.inventory.model import VolumeAt

CHOSEN: Final = "recovery-point"
"""Under which a run keeps its choices, among its parameters; no parameter of a runbook is called so."""

BREAK: Final = "ontap.snapmirror.break"
CLONE: Final = "ontap.volume.clone"
SUFFIX: Final = "_point"
"""What is added to a volume's name for the clone that serves in its place."""

MODES: Final = frozenset({"failover", "drill"})


@dataclass(frozen=True)
class Copied:
    """A volume of a service as it stands where it is to be served."""

    service: str
    name: str
    place: VolumeAt

    @property
    def path(self) -> str:
        """``svm:volume``."""
        return f"{self.place.svm}:{self.place.volume}"


def write_choices(choices: Mapping[str, str]) -> dict[str, JsonValue]:
    """Return the choices as a run keeps them: nothing when there are none."""
    return {CHOSEN: " ".join(f"{name}={point}" for name, point in choices.items())} if choices else {}


def read_choices(parameters: Mapping[str, JsonValue]) -> dict[str, str]:
    """Return what was chosen: a snapshot's name or a time by service or volume."""
    pairs = (text.partition("=") for text in str(parameters.get(CHOSEN, "")).split())
    return {name: point for name, _, point in pairs}


def copies(inventory: Inventory, site: str) -> Iterator[Copied]:
    """Yield the volumes that stand on a site."""
    for name, service in inventory.services.items():
        for volume in service.volumes:
            if site in volume.at:
                yield Copied(name, volume.name, volume.at[site])


def with_points(expansion: Expansion, inventory: Inventory, choices: Mapping[str, str]) -> Expansion:
    """Serve the chosen volumes from a clone of the chosen snapshot instead of breaking their mirrors.

    The mirror and everything newer stay as they are. A volume's own choice goes before its service's.

    Raises:
        DrctlError: the mode takes none, or a choice names nothing whose mirror this run would break.
    """
    if not choices:
        return expansion
    if expansion.mode not in MODES:
        summary = f"a {expansion.mode} moves everything there is: it takes no recovery point"
        raise DrctlError(Problem(code="recovery-point", summary=summary))
    standing = {one.path: one for one in copies(inventory, expansion.target)}
    used: set[str] = set()
    steps = tuple(_served(step, standing, choices, used) for step in expansion.steps)
    _refuse_unused(choices, used, standing)
    return replace(expansion, steps=steps)


def _served(step: Step, standing: Mapping[str, Copied], choices: Mapping[str, str], used: set[str]) -> Step:
    body = step.body
    if not isinstance(body, Use) or body.uses != BREAK or not isinstance(body.arguments, Arguments):
        return step
    copied = standing.get(str(body.arguments.tree.get("destination")))
    if copied is None:
        return step
    named = copied.name if copied.name in choices else copied.service
    if named not in choices:
        return step
    used.add(named)
    place = copied.place
    arguments: dict[str, JsonValue] = {
        "svm": place.svm,
        "parent": place.volume,
        "clone": place.volume + SUFFIX,
        "snapshot": choices[named],
        "serves": True,
    }
    if place.export_policy is not None:
        arguments["policy"] = place.export_policy
    return replace(step, body=replace(body, uses=CLONE, arguments=Arguments(arguments)))


def _refuse_unused(choices: Mapping[str, str], used: set[str], standing: Mapping[str, Copied]) -> None:
    known = {one.name for one in standing.values()} | {one.service for one in standing.values()}
    problems = [
        Problem(
            code="recovery-point",
            summary=f"--recovery-point {name}: this run breaks no mirror of a service or volume of that name",
            hint=suggest(name, known) or "drctl recovery-points RUNBOOK lists them.",
        )
        for name in choices
        if name not in used
    ]
    if problems:
        raise DrctlError(*problems)
