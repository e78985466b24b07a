"""Things of one kind said once: thirteen machines that were out of reach are one line with a count."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from drctl.report.document import Name, Quote, Value, say
from drctl.report.forecast import family

T = TypeVar("T")


def alike(things: Iterable[T], key: Callable[[T], Hashable]) -> list[list[T]]:
    """Return the things by key, in the order in which each key was met first."""
    groups: dict[Hashable, list[T]] = {}
    for thing in things:
        groups.setdefault(key(thing), []).append(thing)
    return [*groups.values()]


def name_steps(steps: Sequence[str]) -> Value:
    """Return the name of a step, or of a family of them with its count; None for none."""
    names = list(dict.fromkeys(filter(None, steps)))
    if len(names) < 2:
        return Name(names[0]) if names else None
    return say("steps-alike", name=Name(family(names[0]).replace("[]", "[…]")), count=Quote(str(len(names))))
