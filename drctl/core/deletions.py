"""What a plan deletes for ever: the snapshots newer than the one a volume is rolled back to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from drctl.core import events as ev

ROLLS_BACK: Final = "ontap.snapmirror.break_to_snapshot"
"""The action that goes back in place."""

_SNAPSHOT: Final = "snapshot "
"""How the fields of its change begin that name what is deleted; before is when it was made, after is nothing."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """What one step deletes: snapshots of a volume by name, newest first, and what it goes back to."""

    step: str
    volume: str
    back_to: str
    made: datetime
    snapshots: tuple[tuple[str, datetime], ...]

    @property
    def names(self) -> list[str]:
        """Return the names alone."""
        return [name for name, _ in self.snapshots]


def deletions(steps: Iterable[ev.StepPlanned]) -> tuple[Deletion, ...]:
    """Return what the steps of a plan delete, one entry for each volume rolled back, even for nothing newer."""
    return tuple(_deletions(steps))


def _deletions(steps: Iterable[ev.StepPlanned]) -> Iterator[Deletion]:
    for step in steps:
        change = step.change
        if step.action != ROLLS_BACK or step.verdict != "will" or change is None or change.loss is None:
            continue
        gone = tuple(
            (field.name.removeprefix(_SNAPSHOT), datetime.fromisoformat(str(field.before)))
            for field in change.fields
            if field.name.startswith(_SNAPSHOT)
        )
        loss = change.loss
        yield Deletion(step.step, loss.volume, loss.snapshot, loss.recovery_point, gone)
