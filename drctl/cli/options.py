"""The options that several verbs share, and how their texts become values."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

import typer

from drctl.cli.completion import complete_run, complete_step
from drctl.core.problem import DrctlError, Problem

Runbook: TypeAlias = Annotated[
    Path, typer.Argument(metavar="RUNBOOK", help="The runbook, a YAML file.", show_default=False)
]
Inventory: TypeAlias = Annotated[
    Path,
    typer.Option(
        "-i", "--inventory", envvar="DRCTL_INVENTORY", help="The inventory, a YAML file.", show_default=False
    ),
]
Parameters: TypeAlias = Annotated[
    list[str],
    typer.Option(
        "-p", "--parameter", metavar="KEY=VALUE", help="A parameter of the runbook.", show_default=False
    ),
]
Home: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--home",
        envvar="DRCTL_HOME",
        help="Where runs live; default the state directory.",
        show_default=False,
    ),
]
Json: TypeAlias = Annotated[
    bool, typer.Option("--json", help="One JSON document or event per line on stdout.")
]
Plain: TypeAlias = Annotated[
    bool, typer.Option("--plain", help="One line per event; the default without a terminal.")
]
NoColor: TypeAlias = Annotated[
    bool, typer.Option("--no-color", help="No colours, as with NO_COLOR set to anything.")
]
Yes: TypeAlias = Annotated[bool, typer.Option("--yes", help="Ask no confirmation; needs --reason.")]
Reason: TypeAlias = Annotated[str, typer.Option("--reason", help="Why; journaled.", show_default=False)]
AnswersFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--answers",
        metavar="FILE",
        help="Answers to gates and manual steps, given beforehand.",
        show_default=False,
    ),
]
Lang: TypeAlias = Annotated[Literal["en", "fr"], typer.Option("--lang", help="English or French.")]
Templates: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--templates",
        metavar="DIR",
        help="Your own templates, in en/ and fr/; default messages/ beside the runbook.",
        show_default=False,
    ),
]
RecoveryPoints: TypeAlias = Annotated[
    list[str],
    typer.Option(
        "--recovery-point",
        metavar="NAME=POINT",
        help="Serve a service or volume from a clone of this snapshot, or of the newest before this time.",
        show_default=False,
    ),
]
RunReference: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="A run's id, a unique prefix of one, or last.", autocompletion=complete_run
    ),
]
RunName: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run's id, a unique prefix of one, or last.",
        show_default=False,
        autocompletion=complete_run,
    ),
]
StepName: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="STEP",
        help="A step's id, e.g. promote[pacs_vm].break.",
        show_default=False,
        autocompletion=complete_step,
    ),
]


INCIDENT: Final = ("--impact-at", "--detected-at", "--declared-at")
"""What people may know of an incident's beginning, in the order it happens."""


def parse_parameters(given: list[str]) -> dict[str, str]:
    """Return ``-p KEY=VALUE`` texts as a mapping; raise ``DrctlError`` for one without ``=``."""
    pairs = [text.partition("=") for text in given]
    bad = [key for key, equals, _ in pairs if not equals]
    if bad:
        raise DrctlError(Problem(code="parameter", summary=f"-p {bad[0]}: write it as KEY=VALUE"))
    return {key: value for key, _, value in pairs}


def parse_points(given: Sequence[str], now: datetime, option: str = "--recovery-point") -> dict[str, str]:
    """Return ``--recovery-point`` texts by name, times as ISO 8601 in UTC; raise ``DrctlError``."""
    points: dict[str, str] = {}
    for text in given:
        name, equals, point = text.partition("=")
        if not (name and equals and point):
            hint = "drctl recovery-points RUNBOOK lists what there is."
            summary = f"{option} {text}: write it as NAME=SNAPSHOT or NAME=TIME"
            raise DrctlError(Problem(code="recovery-point", summary=summary, hint=hint))
        points[name] = _point(point, option, now)
    return points


def _point(text: str, option: str, now: datetime) -> str:
    """Return a time as ISO 8601 in UTC; what is none is a snapshot's name."""
    try:
        instant = _read_instant(text, now)
    except ValueError:
        return text
    return _refuse_future(instant, f"{option} {text}", now).isoformat()


def parse_instant(text: str | None, option: str, now: datetime) -> datetime | None:
    """Return an instant given as ISO 8601 or ``HH:MM`` (today, local time); raise ``DrctlError``.

    What has not happened yet is refused: after midnight, 23:50 means yesterday, and that must be written.
    """
    if text is None:
        return None
    try:
        instant = _read_instant(text, now)
    except ValueError as error:
        hint = "Write 03:12 (today, local time) or 2026-01-31T03:12:00+01:00."
        raise DrctlError(
            Problem(code="instant", summary=f"{option} {text}: not a time", hint=hint)
        ) from error
    return _refuse_future(instant, f"{option} {text}", now)


def _read_instant(text: str, now: datetime) -> datetime:
    """Return what a text says, in UTC; raise ``ValueError`` when it is no time."""
    local = now.astimezone()
    if text[2:3] == ":":
        return datetime.combine(local.date(), time.fromisoformat(text), local.tzinfo).astimezone(UTC)
    instant = datetime.fromisoformat(text)
    return (instant if instant.tzinfo else instant.replace(tzinfo=local.tzinfo)).astimezone(UTC)


def _refuse_future(instant: datetime, given: str, now: datetime) -> datetime:
    if instant <= now:
        return instant
    day_before = (instant - timedelta(days=1)).astimezone().isoformat(timespec="minutes")
    summary, hint = f"{given}: that is still to come", f"The day before is {day_before}."
    raise DrctlError(Problem(code="instant", summary=summary, hint=hint))


def parse_incident(texts: Sequence[str | None], now: datetime) -> list[datetime | None]:
    """Return the instants of ``INCIDENT``; raise ``DrctlError`` when one cannot have been before the next."""
    instants = [parse_instant(text, option, now) for text, option in zip(texts, INCIDENT, strict=True)]
    given = [(option, instant) for option, instant in zip(INCIDENT, instants, strict=True) if instant]
    for (earlier, first), (later, second) in pairwise(given):
        if first > second:
            hint = "What happens is detected, and then declared."
            raise DrctlError(Problem(code="instant", summary=f"{later} is before {earlier}", hint=hint))
    return instants


def require_reason(*, yes: bool, reason: str) -> None:
    """Raise ``DrctlError`` when ``--yes`` comes without a reason."""
    if yes and not reason.strip():
        raise DrctlError(
            Problem(
                code="reason", summary="--yes needs --reason", hint="The journal keeps who went on and why."
            )
        )


def has_terminal() -> bool:
    """Say whether a person can be asked: both input and output are terminals."""
    return sys.stdin.isatty() and sys.stdout.isatty()
