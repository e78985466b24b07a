"""Texts from templates: what a team sends, and what one hands over to the next.

Jinja2 in its immutable sandbox: a template reads facts and changes nothing. Teams put their own beside the
runbook; a name that is missing there is taken from those that come with drctl.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateNotFound, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from drctl.core.duration import format_duration
from drctl.core.problem import DrctlError, Problem
from drctl.report.situation import Facts
from drctl.report.speech import Language

SHIPPED: Final = Path(__file__).parent / "messages"

DATES: Final = {"en": "%d %b %H:%M", "fr": "le %d/%m à %H:%M"}
"""An instant of another day, as it follows *since* or *depuis*."""

WHEN: Final = {"en": ("at %H:%M", "on %d %b at %H:%M"), "fr": ("à %H:%M", "le %d/%m à %H:%M")}
"""An instant of today and of another day, as it follows a verb."""

DATED: Final = {"en": "%d %b %Y at %H:%M %Z", "fr": "%d/%m/%Y à %H:%M %Z"}
"""An instant for whoever keeps the letter: its date and zone, always."""


@dataclass(frozen=True)
class Letters:
    """The templates of a language; ``folders`` of the team come first, each with en/ and fr/ in it."""

    language: Language
    folders: Sequence[Path] = field(default=())

    def names(self) -> list[str]:
        """Return the audiences there is a template for."""
        folders = [folder / self.language for folder in (*self.folders, SHIPPED)]
        return sorted({path.stem for folder in folders for path in folder.glob("*.txt")})

    def write(self, template: str, facts: Facts) -> str:
        """Return a text.

        Raises:
            DrctlError: there is no such template, or it asks for what is not there.
        """
        environment = self._environment(str(facts["timezone"]), facts["now"])
        try:
            text = environment.get_template(f"{self.language}/{template}").render(facts)
        except TemplateNotFound as error:
            hint = f"There are: {', '.join(self.names())}."
            raise DrctlError(
                Problem(code="template", summary=f"there is no template {error.name}", hint=hint)
            ) from error
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            raise DrctlError(self._problem(template, error)) from error
        return text.strip() + "\n"

    def _environment(self, zone: str, now: object) -> ImmutableSandboxedEnvironment:
        environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader([*self.folders, SHIPPED]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,
        )
        local = _Local(_zone(zone), now if isinstance(now, datetime) else None, self.language)
        environment.filters |= {
            "at": local.at,
            "when": local.when,
            "dated": local.dated,
            "span": local.span,
            "line": _line,
        }
        return environment

    def _problem(self, template: str, error: Exception) -> Problem:
        where = f"{self.language}/{template}"
        if isinstance(error, TemplateSyntaxError):
            where = f"{error.filename or where}:{error.lineno}"
        summary = f"the template {where} cannot be filled in: {error}"
        return Problem(
            code="template", summary=summary, hint="docs/messages.md lists what templates may use."
        )


@dataclass(frozen=True)
class _Local:
    """Writes instants in the site's time; the date only where it is another day."""

    zone: ZoneInfo
    now: datetime | None
    language: Language

    def at(self, instant: datetime | None) -> str:
        if instant is None:
            return "?"
        return self._write(instant, "%H:%M", DATES[self.language])

    def when(self, instant: datetime | None) -> str:
        return "?" if instant is None else self._write(instant, *WHEN[self.language])

    def dated(self, instant: datetime | None) -> str:
        return "?" if instant is None else instant.astimezone(self.zone).strftime(DATED[self.language])

    def span(self, seconds: float | None) -> str:
        """Return a length of time; from a minute on nobody reads seconds in a letter."""
        if seconds is None:
            return "?"
        text = f"{round(seconds / 60)} min" if 60 <= seconds < 3600 else format_duration(seconds)
        return text.replace(".", ",") if self.language == "fr" else text

    def _write(self, instant: datetime, today: str, other: str) -> str:
        local = instant.astimezone(self.zone)
        same = self.now is not None and self.now.astimezone(self.zone).date() == local.date()
        return local.strftime(today if same else other)


def _line(text: str, most: int = 160) -> str:
    """Return a text on one line, cut where it is too long."""
    flat = " ".join(str(text).split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
