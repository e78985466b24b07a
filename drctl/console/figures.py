"""The figures every display of a run shows, as short texts: clock, loss, state, troubles, next commands."""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from drctl.console.board import Board, Life, Standing
from drctl.core import events as ev
from drctl.core.duration import format_duration
from drctl.core.run import GOOD, Run, StepRun
from drctl.report.timeline import loss_stage, stated

RESTORING_NOTHING = frozenset({"cleanup", "reprotect"})
"""Modes in which every service is up already: no RTO runs, and their checks prove something else."""


@dataclass(frozen=True, slots=True)
class Due:
    """An objective that still runs: whose, and the seconds left (negative: exceeded)."""

    title: str
    target: float
    left: float


def one_line(text: str) -> str:
    """Return a text without line ends and control characters: targets' messages may hold anything."""
    if text.isprintable():
        return text
    return "".join(c if not unicodedata.category(c).startswith(("C", "Z")) else " " for c in text)


def zone_of(run: Run) -> tzinfo:
    """Return the target site's time zone, UTC where it is not known."""
    return zone_named(run.started.target.timezone if run.started else "UTC")


def zone_named(name: str) -> tzinfo:
    """Return a time zone, UTC where this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def stamp(instant: datetime, zone: tzinfo) -> str:
    """Return an instant in local time and UTC."""
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M:%S %Z} ({instant:%H:%M:%S} UTC)"


def elapsed(board: Board, now: datetime) -> float:
    """Return the seconds since the run began, until its end."""
    began = board.run.started_at
    return ((board.ended or now) - began).total_seconds() if began else 0.0


def state_text(board: Board, life: Life) -> str:
    """Return where a run stands, in a few words."""
    run = board.run
    if run.finished is not None:
        unproven = len(run.finished.unproven)
        return run.finished.outcome.replace("_", " ") + (f", {unproven} unproven" if unproven else "")
    if run.paused is not None and not life.alive:
        return f"paused ({run.paused.why})"
    if not life.alive:
        return "interrupted: its engine is gone"
    if run.abort is not None or run.denied is not None:
        return "ending: nothing new starts"
    if board.waiting and not board.active:
        return "waits for a person"
    return "running"


def rto_start(run: Run) -> tuple[str, datetime] | None:
    """Return the clock that starts the RTO and its instant."""
    if run.started is None:
        return None
    name = run.started.objectives.clock_starts
    at = stated(run, name)
    return None if at is None else (name, at)


def restored(run: Run, service: ev.ServiceData) -> datetime | None:
    """Return when its last check passed and people had confirmed it; None while one of them has not."""
    people = [
        step.id for step in run.steps.values() if step.planned and step.planned.confirms == service.name
    ]
    steps = [run.steps.get(name) for name in (*service.checks, *people)]
    ends = [step.ended if step is not None and step.state in GOOD else None for step in steps]
    return max((end for end in ends if end), default=None) if all(ends) else None


def first_due(run: Run, now: datetime) -> Due | None:
    """Return the RTO that is exceeded first among the services that do not answer yet."""
    start = rto_start(run)
    if start is None or run.started is None:
        return None
    spent = (now - start[1]).total_seconds()
    default = run.started.objectives.rto
    dues = [
        Due(service.title, rto, rto - spent)
        for service in run.started.services
        if (rto := service.objectives.rto or default) is not None and restored(run, service) is None
    ]
    return min(dues, key=lambda due: due.left, default=None)


def rto_text(board: Board, now: datetime) -> str:
    """Return what the RTO clock says: used, left, and which service is due first."""
    run = board.run
    start = rto_start(run)
    if start is None or run.started is None:
        return "no clock was stated"
    if run.started.mode in RESTORING_NOTHING:
        return "none: no service waits for this run"
    name, began = start
    now = board.ended or now
    due = first_due(run, now)
    if due is None:
        answering = [at for service in run.started.services if (at := restored(run, service))]
        used = format_duration((max(answering, default=now) - began).total_seconds())
        return f"{used} from {name} until every service answered" if answering else f"{used} since {name}"
    left = format_duration(abs(due.left))
    margin = f"{left} left" if due.left >= 0 else f"EXCEEDED by {left}"
    used = format_duration((now - began).total_seconds())
    return f"{used} since {name}; {margin} for {due.title} (RTO {format_duration(due.target)})"


def loss_text(run: Run) -> str:
    """Return the data loss stated, in one line."""
    stage = loss_stage(run)
    if stage == "none":
        if run.started is not None and run.started.mode in {"switchover", "failback"}:
            return "no data: each mirror is broken only once its last transfer is proven"
        if run.started is not None and run.started.mode == "reprotect":
            return "no data: nothing unreplicated was overwritten"
        return "no data: no mirror had to be broken"
    if stage == "spared":
        return "no data: the run ended before a mirror was broken"
    known = [loss for loss in run.losses if loss.seconds is not None]
    if not known:
        return f"unknown on {len(run.losses)} volumes"
    worst = max(known, key=lambda loss: loss.seconds or 0.0)
    count = len(run.losses)
    volumes = f"worst of {count}: {worst.volume}" if count > 1 else worst.volume
    when = " once mirrors break" if stage == "ahead" else ""
    return f"up to {(worst.seconds or 0.0) / 60:.0f} min of data{when} ({volumes})"


def overdue_text(step: StepRun, now: datetime) -> str:
    """Return how long a question waits, and what is left of its time."""
    since = format_duration((now - (step.started or now)).total_seconds())
    deadline = step.gate.deadline if step.gate else None
    if deadline is None:
        return f"asked {since} ago"
    left = (deadline - now).total_seconds()
    return f"asked {since} ago, " + (
        f"{format_duration(left)} left" if left > 0 else f"OVERDUE by {format_duration(-left)}"
    )


def question_text(step: StepRun) -> str:
    """Return what a person is asked."""
    return one_line(step.gate.ask if step.gate else step.manual.do if step.manual else "")


def answer_command(run: str, step: StepRun) -> str:
    """Return the command that answers a question, without the answer: pasted unread, it is refused."""
    words = "go or no-go" if step.gate else "done or failed"
    return f"drctl answer {run} {shlex.quote(step.id)} …  # {words}"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Steps that are in the same trouble for the same reason."""

    word: Standing
    steps: tuple[StepRun, ...]
    why: str
    hint: str

    @property
    def name(self) -> str:
        """Return the step's id, or what many share of theirs."""
        first = self.steps[0].id
        return first if len(self.steps) == 1 else f"{_family(first)} ({len(self.steps)} steps)"


def troubles(board: Board) -> list[Trouble]:
    """Return the problems of a run, those that stop it first; steps alike in kind and cause are one."""
    groups: dict[tuple[str, ...], list[StepRun]] = {}
    for step in board.troubled:
        problem = step.problem
        alike = (problem.code, problem.endpoint or "") if problem and step.drift is None else (step.id,)
        key = (board.standing(step), _family(step.id), *alike)
        groups.setdefault(key, []).append(step)
    found = [_trouble(board, steps) for steps in groups.values()]
    return sorted(found, key=lambda trouble: trouble.word == "unproven")


def _trouble(board: Board, steps: Sequence[StepRun]) -> Trouble:
    first = steps[0]
    word = board.standing(first)
    if first.drift is not None:
        why, hint = f"planned {first.drift.planned}; seen {first.drift.seen}", ""
    elif first.problem is not None:
        why, hint = first.problem.summary, first.problem.hint
    else:
        why, hint = "", ""
    return Trouble(word, tuple(steps), one_line(why), one_line(hint))


def _family(identity: str) -> str:
    """Return a step's id without its item: ``promote[a].break`` and ``promote[b].break`` are one family."""
    head, bracket, rest = identity.partition("[")
    return head + rest.rpartition("]")[2] if bracket else head


def next_commands(board: Board, life: Life) -> Iterator[str]:
    """Yield the commands that get a run further, most pressing first; nothing when it needs none."""
    run = board.run
    if run.started is None or run.finished is not None:
        return
    name = run.started.run
    for step in board.waiting:
        if step.decision is None:
            yield answer_command(name, step)
    stuck = [step for step in board.troubled if board.standing(step) in {"failed", "indeterminate"}]
    if not life.alive:
        yield f"drctl resume {name}" + ("  # tries again what failed" if stuck else "")
    for step in stuck:
        yield f"drctl retry {name} {shlex.quote(step.id)}"
        yield f"drctl skip {name} {shlex.quote(step.id)} --reason '…'"
