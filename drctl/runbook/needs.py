"""Which steps of a phase wait for which, by the names of the file."""

from __future__ import annotations

from collections.abc import Mapping


def needed_blocks(blocks: Mapping[str, tuple[str, ...] | None]) -> dict[str, list[str]]:
    """Return, per block of one phase, the blocks of that phase it waits for; ``needs`` by block name."""
    above: str | None = None
    found: dict[str, list[str]] = {}
    for name, needs in blocks.items():
        wanted = [above] if needs is None and above else [block_name(need) for need in needs or ()]
        found[name] = [one for one in wanted if one in blocks]
        above = name
    return found


def block_name(need: str) -> str:
    """Return the block that ``promote[pacs_vm].break`` belongs to."""
    return need.split("[", 1)[0].split(".", 1)[0]
