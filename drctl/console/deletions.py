"""What a plan deletes for ever, as lines: nobody agrees to what was not named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from drctl.core.deletions import Deletion
from drctl.core.duration import format_duration


def deletion_lines(found: Sequence[Deletion], now: datetime | None) -> Iterator[str]:
    """Yield each volume that is rolled back, with every snapshot that goes and how old it is."""
    for one in found:
        count = len(one.snapshots)
        what = f"{count} snapshot{'' if count == 1 else 's'}" if count else "no snapshot"
        back = f"rolled back to {one.back_to} of {one.made:%Y-%m-%d %H:%M:%S} UTC"
        yield f"  deleted for ever on {one.volume}, {back}: {what}"
        for name, made in one.snapshots:
            age = f", {format_duration((now - made).total_seconds())} old" if now is not None else ""
            yield f"    {name}: {made:%Y-%m-%d %H:%M:%S} UTC{age}"
