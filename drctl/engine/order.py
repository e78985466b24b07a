"""Turns the order of a file into what each step waits for.

Phases run one after another. In a phase a block (a step of the file with all its items) waits for the
one above it, or for exactly what it ``needs``. The items of a block are strands side by side, in waves
one after another; the steps of a strand are a chain. What was left out (``when``, ``modes``) passes
the waiting on: whoever waits for it waits for what it would have waited for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import TypeAlias

from drctl.core.problem import Problem
from drctl.document.place import Document, Keys
from drctl.document.shape import suggest
from drctl.engine.step import StepId
from drctl.runbook.needs import block_name, needed_blocks

Strand: TypeAlias = tuple[StepId, ...]
Needs: TypeAlias = frozenset[StepId]


@dataclass
class Block:
    """One step of the file, multiplied out; ``gone`` are the ids that were left out."""

    name: str
    keys: Keys
    needs: tuple[str, ...] | None
    waves: list[list[Strand]] = field(default_factory=list)
    gone: frozenset[StepId] = frozenset()


class Ordering:
    """Works through the phases in order; ``needs`` and ``problems`` are the result."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._ends: dict[str, Needs] = {}
        self._entries: dict[str, Needs] = {}
        self._blocks: dict[str, Block] = {}
        self._start: Needs = frozenset()
        self.needs: dict[StepId, Needs] = {}
        self.problems: list[Problem] = []

    def add_phase(self, blocks: Sequence[Block]) -> None:
        """Order one phase after those added before; its blocks may not wait in a circle."""
        named = {block.name: block for block in blocks}
        self._blocks |= named
        waits = needed_blocks({block.name: block.needs for block in blocks})
        for name in TopologicalSorter(waits).static_order():
            self._order(named[name], waits[name])
        awaited = _awaited_whole(blocks, waits)
        last = [self._ends[name] for name in named if name not in awaited]
        self._start = frozenset().union(*last) if last else self._start

    def _order(self, block: Block, waits: Sequence[str]) -> None:
        entry = self._entry(block, waits)
        self._entries[block.name] = entry
        for wave in block.waves:
            ends: set[StepId] = set()
            for strand in wave:
                before = entry
                for step in strand:
                    self.needs[step] = before
                    before = frozenset((step,))
                ends |= before
            entry = frozenset(ends) or entry
        self._ends[block.name] = entry

    def _entry(self, block: Block, waits: Sequence[str]) -> Needs:
        if block.needs is None:
            return self._ends[waits[0]] if waits else self._start
        wanted = [self._target(need, block, index) for index, need in enumerate(block.needs)]
        if not waits:
            wanted.append(self._start)
        return frozenset().union(*wanted)

    def _target(self, need: str, block: Block, index: int) -> Needs:
        """Return what stands for a name in ``needs``: a block, an item's chain, a step, a step of every item."""
        if need in self._ends:
            return self._ends[need]
        owner = self._blocks.get(block_name(need))
        if owner is None or owner.name not in self._ends:
            return frozenset()  # refused when the runbook was loaded
        strands = [strand for wave in owner.waves for strand in wave]
        ids = {step for strand in strands for step in strand}
        chains = {strand[-1].rsplit(".", 1)[0]: strand[-1] for strand in strands if strand}
        inner = need.removeprefix(f"{owner.name}.")
        every = {step for step in ids if step.endswith(f".{inner}")} if inner != need else set()
        if need in ids:
            return frozenset((need,))
        if need in chains:
            return frozenset((chains[need],))
        gone = any(
            one == need or one.startswith(f"{need}.") or one.endswith(f".{inner}") for one in owner.gone
        )
        if every or gone:
            return frozenset(every) or self._entries[owner.name]
        where = (*block.keys, "needs", index)
        hint = suggest(need, ids | set(chains))
        self.problems.append(
            self._document.problem("unknown-step", f"no step is called {need!r}", where, hint)
        )
        return frozenset()


def _awaited_whole(blocks: Sequence[Block], waits: Mapping[str, Sequence[str]]) -> set[str]:
    """Return the blocks whose every item another block of the phase waits for."""
    return {
        name for block in blocks for name in waits[block.name] if block.needs is None or name in block.needs
    }
