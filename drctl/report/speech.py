"""Turns the values of a document into text of one language; lengths and instants as its readers write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

from drctl.core.duration import format_duration
from drctl.report.chart import Mark
from drctl.report.document import Badge, Day, Form, Length, Moment, Name, Open, Phrase, Quote, Several, Value
from drctl.report.words.english_headings import ENGLISH_HEADINGS
from drctl.report.words.english_sentences import ENGLISH_SENTENCES
from drctl.report.words.french_headings import FRENCH_HEADINGS
from drctl.report.words.french_sentences import FRENCH_SENTENCES

Language: TypeAlias = Literal["en", "fr"]

CATALOGUES: Mapping[Language, Mapping[str, str]] = {
    "en": {**ENGLISH_HEADINGS, **ENGLISH_SENTENCES},
    "fr": {**FRENCH_HEADINGS, **FRENCH_SENTENCES},
}
DAYS: Mapping[Language, str] = {"en": "%Y-%m-%d", "fr": "%d/%m/%Y"}
NOTHING = 0.05
"""Seconds below which a length is none that anybody could read."""


@dataclass(frozen=True)
class Speech:
    """A language and the time zone of the site people read in."""

    language: Language = "en"
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    today: date | None = None
    """The day a run began, in the site's time: a clock alone speaks of it, any other day is said."""

    def word(self, key: str) -> str:
        """Return a text of the catalogue without arguments."""
        return CATALOGUES[self.language][key]

    def text(self, value: Value) -> str:
        """Return a value as text; an absent one as a dash."""
        match value:
            case None:
                return "–"
            case Quote(text) | Name(text):
                return text
            case Phrase(key, ()):
                return self._pattern(key)
            case Phrase():
                return self.phrase(value, self.text)
            case Badge(_, inner):
                return self.text(inner)
            case Several(values, separator):
                return separator.join(self.text(each) for each in values)
            case _:
                return self._figure(value)

    def _figure(self, value: Moment | Length | Day | Open) -> str:
        match value:
            case Moment(at, form):
                return self.moment(at, form)
            case Length(seconds, signed):
                return self.length(seconds, signed=signed)
            case Day(day):
                return self.day(day)
            case Open():
                return self.word("open")

    def phrase(self, phrase: Phrase, show: Callable[[Value], str]) -> str:
        """Return a phrase whose arguments are shown by ``show``: a renderer's own marks go inside."""
        pattern = self._pattern(phrase.key)
        return pattern.format_map({name: show(value) for name, value in phrase.arguments})

    def _pattern(self, key: str) -> str:
        """Return the words of a key; a code that a newer drctl journaled has none yet and is shown as it is."""
        return CATALOGUES[self.language].get(key, key.rpartition(".")[2])

    def mark(self, mark: Mark) -> str:
        """Return what a mark of the picture stands for."""
        word = self.word(f"decision.{mark.what}" if mark.what else f"mark.{mark.kind}")
        return f"{word} {mark.text}".strip()

    def day(self, day: date) -> str:
        """Return a calendar day."""
        return f"{day:{DAYS[self.language]}}"

    def moment(self, at: datetime, form: Form) -> str:
        """Return an instant in the site's time zone; in full beside UTC."""
        if form == "utc-clock":
            return f"{at.astimezone(UTC):%H:%M:%S}"
        local = at.astimezone(self.zone)
        if form == "day":
            return self.day(local)
        if form == "clock":
            other = self.today is not None and local.date() != self.today
            return f"{self.day(local)} {local:%H:%M:%S}" if other else f"{local:%H:%M:%S}"
        shown = f"{self.day(local)} {local:%H:%M:%S %Z}"
        if local.utcoffset() == UTC.utcoffset(None):
            return shown
        utc = at.astimezone(UTC)
        day = "" if utc.date() == local.date() else f"{self.day(utc)} "
        return f"{shown} ({day}{utc:%H:%M:%S} UTC)"

    def length(self, seconds: float, *, signed: bool = False) -> str:
        """Return a length of time; a margin with its sign."""
        if abs(seconds) < NOTHING:
            return "0 s"
        sign = ("−" if seconds < 0 else "+") if signed else ""
        text = sign + format_duration(abs(seconds) if signed else seconds)
        return text.replace(".", ",") if self.language == "fr" else text

    def percent(self, share: float) -> str:
        """Return a share of one as per cent."""
        return f"{share:.0%}".replace("%", " %") if self.language == "fr" else f"{share:.0%}"


ENGLISH = Speech()
