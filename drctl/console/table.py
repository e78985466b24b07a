"""The resume table: what the journal says, what reality says, what will be done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from drctl.core.events import Reconciled


def reconciled_lines(table: Sequence[Reconciled]) -> Iterator[str]:
    """Yield the rows where journal and reality had to be compared; one line when they agree."""
    if not table:
        yield "  Journal and reality agree."
        return
    for row in table:
        yield f"  {row.step}"
        yield f"      journal says  {row.journal}"
        yield f"      reality says  {row.reality}"
        yield f"      will do       {row.will}"
