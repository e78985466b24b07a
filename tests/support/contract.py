"""What a provider's examples tell the contract suite; see ``tests/contract/examples``.

An example file defines ``EXAMPLES: list[Example]``. Addresses are written as in
``inventories/lab.yaml``; the suite puts in those that the lab serves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Example:
    """One action with arguments for which the lab has something to change.

    ``after``: examples applied first (a break before a mount). ``prepare``: changes the lab's world
    before anything is read; it is called with ``world`` and holds ``world.lock`` itself.
    ``undone``: the action's undo brings back what was there; False where it has none, by design.
    ``settles``: a new read can show that it is done; False for commands without a guard.
    ``variant`` tells apart two examples of one action.
    """

    uses: str
    endpoint: str
    arguments: Mapping[str, Any]
    after: tuple[Example, ...] = ()
    prepare: Callable[[Any], None] | None = None
    undone: bool = True
    settles: bool = True
    variant: str = ""

    def __str__(self) -> str:
        return f"{self.uses}-{self.variant}" if self.variant else self.uses
