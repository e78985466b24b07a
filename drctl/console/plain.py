"""A run as one line per event: for pipes, schedulers and terminals that cannot move a cursor."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from drctl.core.events import Recorded
from drctl.report.entries import timeline_entries


class PlainView:
    """An observer that writes what a timeline would show, as it happens, in UTC."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def hear(self, records: Sequence[Recorded]) -> None:
        """Write the lines of new records."""
        for entry in timeline_entries(records):
            step = f"{entry.step}: " if entry.step else ""
            self._write(f"{entry.at:%H:%M:%S}  {step}{entry.text}")


class JsonView:
    """An observer that writes each event as one JSON document per line."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def hear(self, records: Sequence[Recorded]) -> None:
        """Write the new records."""
        for record in records:
            self._write(json.dumps(record_document(record), ensure_ascii=False))


def record_document(record: Recorded) -> dict[str, object]:
    """Return a record as JSON shows it: its place, its time, its type and its data."""
    return {
        "seq": record.seq,
        "at": record.at.isoformat(timespec="milliseconds"),
        "actor": record.actor,
        "type": record.event.type,
        "data": record.event.model_dump(mode="json"),
    }
