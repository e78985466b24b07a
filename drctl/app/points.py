"""Going back further than the newest copy: chosen recovery points, served from a clone or rolled back to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter

from drctl.core.deletions import ROLLS_BACK
from drctl.core.problem import DrctlError, Problem, Source
from drctl.document.shape import suggest
from drctl.engine.step import Expansion, Step, StepId, Use
from drctl.engine.template import Arguments
from drctl.inventory.load import Inventory
from drctl.inventory.model import Volume, VolumeAt

CHOSEN: Final = "recovery-point"
"""Under which a run keeps what it serves from clones, among its parameters; no parameter of a runbook is called so."""

ROLLED_BACK: Final = "restore-in-place"
"""The same for what it rolls back in place."""

AGREED: Final = "delete-newer"
"""The same for what somebody agreed to delete, by step."""

GIVEN_UP: Final = "orphan-mirrors"
"""The same for whether mirrors may lose their base by it."""

OWN: Final = frozenset({CHOSEN, ROLLED_BACK, AGREED, GIVEN_UP})

BREAK: Final = "ontap.snapmirror.break"
CLONE: Final = "ontap.volume.clone"
LIST: Final = "ontap.recovery_points"
SUFFIX: Final = "_point"
"""What is added to a volume's name for the clone that serves in its place."""

MODES: Final[Mapping[str, frozenset[str]]] = {
    CHOSEN: frozenset({"failover", "drill"}),
    ROLLED_BACK: frozenset({"failover"}),
}


@dataclass(frozen=True)
class Copied:
    """A volume of a service as it stands where it is to be served."""

    service: str
    name: str
    place: VolumeAt
    volume: Volume

    @property
    def path(self) -> str:
        """``svm:volume``."""
        return f"{self.place.svm}:{self.place.volume}"


class Agreed(BaseModel):
    """What somebody agreed to: one step goes back to this snapshot, and deletes these."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    back_to: str
    deletes: tuple[str, ...]


_AGREED: Final = TypeAdapter(dict[str, Agreed])


def write_choices(choices: Mapping[str, str], kind: str = CHOSEN) -> dict[str, JsonValue]:
    """Return the choices as a run keeps them: nothing when there are none."""
    return {kind: " ".join(f"{name}={point}" for name, point in choices.items())} if choices else {}


def read_choices(parameters: Mapping[str, JsonValue], kind: str = CHOSEN) -> dict[str, str]:
    """Return what was chosen: a snapshot's name or a time by service or volume."""
    pairs = (text.partition("=") for text in str(parameters.get(kind, "")).split())
    return {name: point for name, _, point in pairs}


def write_agreed(agreed: Mapping[StepId, Agreed]) -> dict[str, JsonValue]:
    """Return an agreement as a run keeps it: a text, so that reports show it in full."""
    return {AGREED: json.dumps({step: one.model_dump(mode="json") for step, one in agreed.items()})}


def read_agreed(parameters: Mapping[str, JsonValue]) -> dict[StepId, Agreed]:
    """Return what somebody agreed to, by step."""
    return _AGREED.validate_json(str(parameters.get(AGREED) or "{}"))


def copies(inventory: Inventory, site: str) -> Iterator[Copied]:
    """Yield the volumes that stand on a site."""
    for name, service in inventory.services.items():
        for volume in service.volumes:
            if site in volume.at:
                yield Copied(name, volume.name, volume.at[site], volume)


def with_points(expansion: Expansion, inventory: Inventory, given: Mapping[str, JsonValue]) -> Expansion:
    """Serve the chosen volumes from the chosen snapshots: from clones, or rolled back in place.

    Beside a clone, the mirror and everything newer stay as they are. A volume's own choice goes before its
    service's.

    Raises:
        DrctlError: the mode takes none, a name is chosen twice, or names nothing whose mirror this run
            would break.
    """
    chosen = _Chosen(expansion, inventory, given)
    steps = tuple(chosen.served(step) for step in expansion.steps)
    chosen.refuse_unused()
    agreed, orphans = read_agreed(given), given.get(GIVEN_UP) is True
    steps = tuple(_with_words(step, agreed.get(step.id), orphans=orphans) for step in steps)
    return replace(expansion, steps=steps, prechecks=(*expansion.prechecks, *chosen.looks))


class _Chosen:
    """The choices of one run, and which of them were of use."""

    def __init__(self, expansion: Expansion, inventory: Inventory, given: Mapping[str, JsonValue]) -> None:
        self._standing = {one.path: one for one in copies(inventory, expansion.target)}
        self._choices: dict[str, tuple[str, str]] = {}
        self._used: set[str] = set()
        self.looks: list[Step] = []
        for kind in MODES:
            for name, point in read_choices(given, kind).items():
                _refuse_mode(kind, expansion.mode)
                if name in self._choices:
                    summary = (
                        f"{name} is to be served from a clone and rolled back in place: it cannot be both"
                    )
                    raise DrctlError(Problem(code="recovery-point", summary=summary))
                self._choices[name] = (kind, point)

    def served(self, step: Step) -> Step:
        """Return the step with what serves its volume instead of an ordinary break."""
        body = step.body
        if not isinstance(body, Use) or body.uses != BREAK or not isinstance(body.arguments, Arguments):
            return step
        copied = self._standing.get(str(body.arguments.tree.get("destination")))
        if copied is None:
            return step
        named = copied.name if copied.name in self._choices else copied.service
        if named not in self._choices:
            return step
        self._used.add(named)
        kind, point = self._choices[named]
        if kind == CHOSEN:
            return replace(step, body=replace(body, uses=CLONE, arguments=_clone(copied, point)))
        self.looks += _looks(copied)
        arguments = Arguments({**body.arguments.tree, "snapshot": point})
        return replace(step, body=replace(body, uses=ROLLS_BACK, arguments=arguments))

    def refuse_unused(self) -> None:
        """Raise ``DrctlError`` for names that no break of this run is about."""
        known = {one.name for one in self._standing.values()}
        known |= {one.service for one in self._standing.values()}
        problems = [
            Problem(
                code="recovery-point",
                summary=f"--{kind} {name}: this run breaks no mirror of a service or volume of that name",
                hint=suggest(name, known) or "drctl recovery-points RUNBOOK lists them.",
            )
            for name, (kind, _) in self._choices.items()
            if name not in self._used
        ]
        if problems:
            raise DrctlError(*problems)


def _refuse_mode(kind: str, mode: str) -> None:
    if mode in MODES[kind]:
        return
    if mode == "drill":
        problem = Problem(
            code="recovery-point",
            summary="a drill works on copies and deletes nothing: it rolls no volume back in place",
            hint=f"--{CHOSEN} NAME=POINT rehearses on a clone of the same snapshot.",
        )
    else:
        summary = f"a {mode} moves everything there is: it takes no recovery point"
        problem = Problem(code="recovery-point", summary=summary)
    raise DrctlError(problem)


def _clone(copied: Copied, point: str) -> Arguments:
    place = copied.place
    arguments: dict[str, JsonValue] = {
        "svm": place.svm,
        "parent": place.volume,
        "clone": place.volume + SUFFIX,
        "snapshot": point,
        "serves": True,
    }
    if place.export_policy is not None:
        arguments["policy"] = place.export_policy
    return Arguments(arguments)


def _with_words(step: Step, agreed: Agreed | None, *, orphans: bool) -> Step:
    """Tell a step that rolls back what somebody agreed to; without that it deletes nothing."""
    body = step.body
    if not isinstance(body, Use) or body.uses != ROLLS_BACK or not isinstance(body.arguments, Arguments):
        return step
    more: dict[str, JsonValue] = {"give_up_mirrors": True} if orphans else {}
    if agreed is not None:
        more |= {"snapshot": agreed.back_to, "may_delete": list(agreed.deletes)}
    return replace(step, body=replace(body, arguments=Arguments({**body.arguments.tree, **more})))


def _looks(copied: Copied) -> Iterator[Step]:
    """Yield what tells whether the vault keeps a snapshot in common: both sides are listed beforehand."""
    vault = copied.volume.vault
    third = copied.volume.at.get(vault.site) if vault is not None else None
    if third is None or vault is None:
        return
    yield _look(points_of(copied.name), copied.path, copied.place.endpoint, copied)
    yield replace(
        _look(vault_of(copied.name), f"{third.svm}:{third.volume}", third.endpoint, copied),
        reaches=frozenset(),
    )


def _look(identity: StepId, path: str, endpoint: str, copied: Copied) -> Step:
    arguments = Arguments({"destination": path})
    return Step(
        id=identity,
        title=f"What {path} can go back to",
        phase="Prechecks",
        body=Use(LIST, "probe", endpoint, None, arguments),
        where=Source("inventory", 1, 1),
        service=copied.service,
        item=copied.name,
        on_error="continue",
    )


def points_of(volume: str) -> StepId:
    """Return the id of the look at the snapshots of a volume that is rolled back."""
    return f"points[{volume}]"


def vault_of(volume: str) -> StepId:
    """Return the id of the look at its vault's snapshots."""
    return f"vault-points[{volume}]"
