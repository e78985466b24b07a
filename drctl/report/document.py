"""A document without a language: sections of paragraphs, tables and figures, whose cells are typed values.

Renderers turn values into text with a ``Speech``; nothing here knows HTML, Markdown, English or French.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, TypeAlias

from drctl.report.chart import Chart

Form: TypeAlias = Literal["full", "day", "clock", "utc-clock"]
Tone: TypeAlias = Literal["good", "warn", "bad", "quiet", "plain"]


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words from the catalogue, with values put in."""

    key: str
    arguments: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True, slots=True)
class Quote:
    """Text as the journal has it: never translated."""

    text: str


@dataclass(frozen=True, slots=True)
class Name:
    """An identifier: a step, a digest, a command."""

    text: str


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant: in full it comes with its day, and in local time and UTC."""

    at: datetime
    form: Form = "full"


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar day."""

    day: date


@dataclass(frozen=True, slots=True)
class Length:
    """Seconds, as people say them; ``signed`` shows a margin."""

    seconds: float
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Open:
    """A field that nobody has filled in yet: the visible *to be completed*."""

    field: str


@dataclass(frozen=True, slots=True)
class Badge:
    """A verdict or state: words with a tone, never colour alone."""

    tone: Tone
    value: Value


@dataclass(frozen=True, slots=True)
class Several:
    """Values one after another."""

    values: tuple[Value, ...]
    separator: str = " "


Value: TypeAlias = Phrase | Quote | Name | Moment | Day | Length | Open | Badge | Several | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading, a key of the catalogue; ``shape`` says how its cells are set."""

    key: str
    shape: Literal["text", "short", "number", "time", "name"] = "text"


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph; with a tone it stands out, as ``lead`` it names what follows."""

    value: Value
    tone: Tone | Literal["lead"] = "plain"


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list."""

    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """Name and value pairs."""

    caption: str
    rows: tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first column names each row. ``empty`` is said where there are no rows."""

    caption: str
    columns: tuple[Column, ...]
    rows: Sequence[Sequence[Value]]
    empty: str = "nothing"
    tones: Sequence[Tone] = ()
    """One per row, or none at all."""


@dataclass(frozen=True, slots=True)
class Share:
    """One labelled bar of parts: a service and where its time went."""

    label: str
    parts: tuple[tuple[str, float], ...]
    total: float
    target: float | None


@dataclass(frozen=True, slots=True)
class Shares:
    """Bars to one scale."""

    caption: str
    bars: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """The picture of a run."""

    caption: str
    chart: Chart


Block: TypeAlias = Paragraph | Bullets | Sheet | Table | Shares | Figure


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, a key of the catalogue, and what stands under it; ``annex`` begins a page of its own."""

    key: str
    blocks: tuple[Block, ...]
    annex: bool = False


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure that a reader in a hurry must see."""

    key: str
    value: Value
    tone: Tone = "plain"
    detail: Value = None


@dataclass(frozen=True, slots=True)
class Document:
    """A report, ready for any renderer in any language."""

    title: Value
    subtitle: Value
    tiles: tuple[Tile, ...]
    sections: tuple[Section, ...]
    timezone: str
    run: str
    head: str


def say(key: str, /, **arguments: Value) -> Phrase:
    """Return words from the catalogue."""
    return Phrase(key, tuple(arguments.items()))


def quote(text: str) -> Quote | None:
    """Return text of the journal; None where there is none."""
    return Quote(text) if text else None


def moment(at: datetime | None, form: Form = "full") -> Moment | None:
    """Return an instant; None where there is none."""
    return Moment(at, form) if at else None


def length(seconds: float | None, *, signed: bool = False) -> Length | None:
    """Return a length; None where there is none."""
    return None if seconds is None else Length(seconds, signed)


def several(*values: Value, separator: str = " ") -> Several:
    """Return what there is of some values, one after another."""
    return Several(tuple(value for value in values if value is not None), separator)
