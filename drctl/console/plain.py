"""A run as one line per event: for pipes, schedulers and terminals that cannot move a cursor."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from drctl.console.figures import one_line
from drctl.core import events as ev
from drctl.core.events import Recorded
from drctl.report.entries import TimelineEntry, timeline_entries


class LogView:
    """An observer that writes a timeline, entry by entry."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def hear(self, records: Sequence[Recorded]) -> None:
        """Write the lines of new records."""
        for entry in timeline_entries(records):
            self._write(entry_line(entry))


class PlainView(LogView):
    """An observer that writes what a timeline would show, as it happens, in UTC.

    Of a run that is taken up again it shows what comes from then on.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__(write)
        self._began = False

    def hear(self, records: Sequence[Recorded]) -> None:
        """Write the lines of new records."""
        news = records if self._began else records[_taken_up(records) :]
        self._began = self._began or bool(records)
        super().hear(news)


class JsonView:
    """An observer that writes each event as one JSON document per line."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def hear(self, records: Sequence[Recorded]) -> None:
        """Write the new records."""
        for record in records:
            self._write(json.dumps(record_document(record), ensure_ascii=False))


def entry_line(entry: TimelineEntry) -> str:
    """Return a timeline entry as one line, its time in UTC."""
    step = f"{entry.step}: " if entry.step else ""
    return f"{entry.at:%H:%M:%S}  {step}{one_line(entry.text)}"


def _taken_up(records: Sequence[Recorded]) -> int:
    """Return where the last engine took a stopped run; 0 for a run that only begins."""
    taken = (
        index
        for index, record in reversed(list(enumerate(records)))
        if isinstance(record.event, ev.LockTaken) and record.event.epoch > 1
    )
    return next(taken, 0)


def record_document(record: Recorded) -> dict[str, object]:
    """Return a record as JSON shows it: its place, its time, its type and its data."""
    return {
        "seq": record.seq,
        "at": record.at.isoformat(timespec="milliseconds"),
        "actor": record.actor,
        "type": record.event.type,
        "data": record.event.model_dump(mode="json"),
    }
