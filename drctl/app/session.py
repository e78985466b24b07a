"""One engine at work on one run: journal, observers, signs of life, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TypeAlias

from pydantic import JsonValue

from drctl.app.case import Case
from drctl.app.context import Context
from drctl.app.incident import IncidentLog
from drctl.core.action import ObjectRef
from drctl.core.events import Recorded
from drctl.core.operation import Binder
from drctl.core.problem import DrctlError, ExitCode, Problem
from drctl.engine.control import Surroundings, Touched
from drctl.engine.execute import Engine, Stop
from drctl.engine.home import RunDirectory
from drctl.engine.journal import Fenced, Journal
from drctl.engine.ledger import Ledger
from drctl.engine.people import People
from drctl.engine.step import StepId

Observer: TypeAlias = Callable[[Sequence[Recorded]], None]
"""Sees every record of a run, in order; called on the journal's thread, so it must be quick."""


def nobody(_: Journal) -> AbstractContextManager[Sequence[Observer]]:
    """Let nobody watch."""
    return nullcontext(())


@dataclass(frozen=True)
class Audience:
    """Those who watch and answer a run; ``stop`` carries signals.

    ``attend`` is entered with the journal while the engine works and yields the observers; what people
    answer on the terminal is appended to that journal.
    """

    people: People
    stop: Stop
    attend: Callable[[Journal], AbstractContextManager[Sequence[Observer]]] = nobody


@dataclass(frozen=True)
class Session:
    """A run's open journal with its fold; ``torn`` when its last line was not whole and was dropped."""

    context: Context
    directory: RunDirectory
    ledger: Ledger
    torn: bool


@contextmanager
def open_session(context: Context, directory: RunDirectory, case: Case) -> Iterator[Session]:
    """Open a run's journal for its engine; what it already holds is folded."""
    file = context.journal_file(directory.journal, context.clock, case.secrets.redactor.tree)
    records = file.commit()
    with Journal(file) as journal:
        yield Session(context, directory, Ledger(journal, records), file.torn)


def execute(
    session: Session,
    case: Case,
    binder: Binder,
    audience: Audience,
    touched: frozenset[ObjectRef],
    foreseen: Mapping[StepId, Mapping[str, JsonValue]],
) -> ExitCode:
    """Run the engine until it ends or pauses; raise ``DrctlError`` (exit 5) after a takeover."""
    context = session.context
    journal, identity = session.ledger.journal, session.directory.id
    let_go = audience.stop.let_go
    around = Surroundings(binder, journal, context.clock, identity, let_go, Touched(touched))
    engine = Engine(
        case.expansion.steps,
        session.ledger,
        around,
        people=audience.people,
        limits=case.limits,
        stop=audience.stop,
        foreseen=foreseen,
    )
    try:
        return engine.execute()
    except Fenced as error:
        problem = Problem(
            code="taken-over",
            summary=str(error),
            detail="This engine did nothing more after it read that.",
            hint=f"drctl status {session.directory.id}",
        )
        raise DrctlError(problem, exit_code=ExitCode.LOCKED) from error


@contextmanager
def watched(session: Session, audience: Audience) -> Iterator[None]:
    """Let the observers and the incident log follow the journal."""
    path = session.directory.incident
    ledger = session.ledger
    with (
        IncidentLog(path, ledger.journal, ledger.records, session.context.clock) as log,
        audience.attend(ledger.journal) as observers,
    ):
        ledger.journal.subscribe(log.hear)
        for observer in observers:
            observer(ledger.records)
            ledger.journal.subscribe(observer)
        yield
