"""Actions that people promised in notes, and which of them nobody has closed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from drctl.core import events as ev
from drctl.core.events import Recorded


@dataclass(frozen=True, slots=True)
class Action:
    """A note of kind ``action``; ``line`` counts the lines of its run's journal from 1."""

    run: str
    line: int
    at: datetime
    text: str
    by: str
    owner: str
    due: date | None

    @property
    def id(self) -> str:
        """Return the name by which a later note closes it: RUN/LINE."""
        return f"{self.run}/{self.line}"

    def overdue(self, today: date) -> bool:
        """Say whether it should have been done before today."""
        return self.due is not None and self.due < today


def actions_of(run: str, records: Iterable[Recorded]) -> tuple[Action, ...]:
    """Return the actions noted in a run, oldest first.

    A note that closes one is none itself, unless it names an owner or a day: then it takes the other's place.
    """
    return tuple(
        Action(run, record.seq + 1, record.at, note.text, note.by, note.owner, note.due)
        for record in records
        if isinstance(note := record.event, ev.Note)
        and note.kind == "action"
        and (not note.closes or note.owner or note.due)
    )


def closed_in(records: Iterable[Recorded]) -> frozenset[str]:
    """Return the ids of the actions that a run's notes close; they may be of other runs."""
    return frozenset(
        record.event.closes for record in records if isinstance(record.event, ev.Note) and record.event.closes
    )


def open_actions(journals: Sequence[tuple[str, Sequence[Recorded]]]) -> tuple[Action, ...]:
    """Return what is open over several runs, in their order: (run, records) each."""
    closed = frozenset().union(*(closed_in(records) for _, records in journals))
    every = (action for run, records in journals for action in actions_of(run, records))
    return tuple(action for action in every if action.id not in closed)


def action_line(action: Action, today: date) -> str:
    """Return an action as one line of text."""
    owner = action.owner or "nobody named"
    due = f"due {action.due:%Y-%m-%d}" if action.due else "no date"
    late = ", OVERDUE" if action.overdue(today) else ""
    return f"{action.id}: {action.text} ({owner}, {due}{late})"


def action_document(action: Action, today: date) -> dict[str, str | bool | None]:
    """Return an action as JSON prints it."""
    return {
        "id": action.id,
        "run": action.run,
        "text": action.text,
        "by": action.by,
        "owner": action.owner or None,
        "due": action.due.isoformat() if action.due else None,
        "overdue": action.overdue(today),
    }
