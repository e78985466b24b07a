"""A document as one HTML file: inline style and pictures, no script, nothing fetched, and escaped throughout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from drctl.report.document import (
    Badge,
    Block,
    Bullets,
    Day,
    Document,
    Figure,
    Length,
    Moment,
    Name,
    Open,
    Paragraph,
    Phrase,
    Quote,
    Section,
    Several,
    Share,
    Shares,
    Sheet,
    Table,
    Value,
)
from drctl.report.speech import Speech
from drctl.report.svg import gantt_svg

if TYPE_CHECKING:
    from jinja2 import Environment

CARDS = 300
"""Rows of a table that a phone may show one below the other; beyond them it scrolls sideways."""

NAMES: Mapping[type, str] = {
    Paragraph: "paragraph", Bullets: "bullets", Sheet: "sheet", Table: "table", Shares: "shares", Figure: "figure",
}  # fmt: skip
"""How the template calls the blocks."""


def render_html(document: Document, speech: Speech) -> str:
    """Return a document as one HTML file."""
    page = _Page(speech)
    template = _environment().get_template("report.html.j2")
    return template.render(
        document=document, page=page, lang=speech.language, style=_resource("style.css"), kind=_kind
    )


def _kind(block: Block) -> str:
    return NAMES[type(block)]


@cache
def _environment() -> Environment:
    from jinja2 import DictLoader, Environment, StrictUndefined  # noqa: PLC0415 - only a report needs it

    return Environment(
        loader=DictLoader({"report.html.j2": _resource("report.html.j2")}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _resource(name: str) -> str:
    return (files("drctl.report") / "templates" / name).read_text(encoding="utf-8")


class _Safe(str):
    """Text that is HTML already, as Jinja recognises it."""

    __slots__ = ()

    def __html__(self) -> str:
        return self


class _Page:
    """What the template asks for: words, and values as HTML."""

    def __init__(self, speech: Speech) -> None:
        self._speech = speech

    def word(self, key: str) -> str:
        """Return a heading; one that begins with ``=`` is the journal's own."""
        return key[1:] if key.startswith("=") else self._speech.word(key)

    def say(self, key: str, **arguments: str) -> str:
        """Return words with text put in."""
        return self._speech.word(key).format_map(arguments)

    def plain(self, value: Value) -> str:
        """Return a value as text."""
        return self._speech.text(value)

    def show(self, value: Value) -> _Safe:
        """Return a value as HTML."""
        return _Safe(self._html(value))

    def manner(self, table: Table) -> str:
        """Return how a table behaves on a phone: short ones become cards, long ones scroll."""
        if table.caption == "table.sign-off":
            return "signing cards"
        size = "cards" if len(table.rows) <= CARDS else "long"
        return f"steps {size}" if table.caption.startswith("=") else size

    def rows(self, table: Table) -> Iterator[_Safe]:
        """Yield a table's rows as HTML; done here, for reports of thousands of steps."""
        shapes = [f' class="{column.shape}"' if column.shape != "text" else "" for column in table.columns]
        heads = [escape(self.word(column.key)) for column in table.columns]
        labels = [f' data-label="{head}"' if len(table.rows) <= CARDS else "" for head in heads]
        for number, row in enumerate(table.rows):
            critical = ' class="critical"' if table.tones and table.tones[number] == "warn" else ""
            cells = [f'<th scope="row"{shapes[0]}>{self._html(row[0])}</th>']
            for at in range(1, len(row)):
                shape = f' class="{table.columns[at].shape} none"' if row[at] is None else shapes[at]
                cells.append(f"<td{shape}{labels[at]}>{self._html(row[at])}</td>")
            yield _Safe(f"<tr{critical}>{''.join(cells)}</tr>\n")

    def gantt(self, figure: Figure) -> _Safe:
        """Return the picture."""
        return _Safe(gantt_svg(figure.chart, self._speech, self.word(figure.caption)))

    def bar(self, share: Share, shares: Shares) -> list[tuple[str, str, str, str]]:
        """Return the parts of a bar: name, label, width in per cent of the longest bar, length."""
        longest = max([bar.total for bar in shares.bars], default=0.0) or 1.0
        return [
            (name, self.word(f"part.{name}"), f"{100 * seconds / longest:.2f}", self._speech.length(seconds))
            for name, seconds in share.parts
            if seconds / longest > 0.0005
        ]

    def parts(self, shares: Shares) -> list[tuple[str, str]]:
        """Return the key of the bars: the parts that occur."""
        names = list(dict.fromkeys(name for bar in shares.bars for name, seconds in bar.parts if seconds > 0))
        return [(name, self.word(f"part.{name}")) for name in names]

    def length(self, seconds: float) -> str:
        """Return a length of time."""
        return self._speech.length(seconds)

    def _html(self, value: Value) -> str:
        match value:
            case Quote(text):
                return escape(text)
            case Name(text):
                return f"<code>{escape(text)}</code>"
            case Moment(at, form):
                return self._time(at, value, form)
            case Phrase(_, arguments) if arguments:
                return self._speech.phrase(value, self._html)
            case Several(values, separator):
                return escape(separator).join(self._html(each) for each in values)
            case Badge(tone, inner):
                return f'<span class="badge {tone}">{self._html(inner)}</span>'
            case Open():
                return f'<mark class="open">{escape(self._speech.text(value))}</mark>'
            case Length() | Day():
                return f'<span class="figure">{escape(self._speech.text(value))}</span>'
            case _:
                return escape(self._speech.text(value))

    def _time(self, at: datetime, value: Moment, form: str) -> str:
        text = self._speech.text(value)
        if form != "full":
            return text
        local, bracket, utc = text.partition(" (")
        aside = f' <small class="utc">({utc}</small>' if bracket else ""
        stamp = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return f'<time datetime="{stamp}">{local}{aside}</time>'


def fold_for_paper(document: Document, most: int) -> Document:
    """Return a document whose tables of more than ``most`` rows are left out, and said to be."""
    return replace(document, sections=tuple(_fold(section, most) for section in document.sections))


def _fold(section: Section, most: int) -> Section:
    def fold(block: Block) -> Block:
        if not isinstance(block, Table) or len(block.rows) <= most:
            return block
        key = "page.annex-folded" if section.annex else "page.steps-folded"
        return Paragraph(Phrase(key, (("count", Quote(str(len(block.rows)))),)), "warn")

    return replace(section, blocks=tuple(fold(block) for block in section.blocks))
