"""A document as Markdown that reads well raw and rendered; its picture is a Mermaid Gantt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

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
    Section,
    Several,
    Shares,
    Sheet,
    Table,
    Value,
)
from drctl.report.mermaid import gantt
from drctl.report.speech import Speech

MARKS = re.compile(r"[\\`*<\[]|(?<!\w)_|_(?!\w)")
"""What Markdown would read as markup; an underscore inside a word is none."""


def render_markdown(document: Document, speech: Speech) -> str:
    """Return a document as Markdown."""
    return "".join(_Markdown(speech).document(document))


class _Markdown:
    def __init__(self, speech: Speech) -> None:
        self._speech = speech

    def document(self, document: Document) -> Iterable[str]:
        yield f"# {self._inline(document.title)}\n\n{self._inline(document.subtitle)}\n\n"
        tiles = [
            [
                f"**{self._word(tile.key)}**",
                self._cell(tile.value),
                self._cell(tile.detail) if tile.detail else "",
            ]
            for tile in document.tiles
        ]
        yield self._rows(["", "", ""], tiles)
        yield "\n" + self._word("page.zone").format(zone=document.timezone) + "\n"
        for number, section in enumerate(document.sections, 1):
            yield from self._section(number, section)

    def _section(self, number: int, section: Section) -> Iterable[str]:
        yield f"\n## {number}. {self._word(section.key)}\n"
        for block in section.blocks:
            yield "\n"
            yield self._block(block)

    def _block(self, block: Block) -> str:
        match block:
            case Paragraph(value, tone):
                text = self._inline(value)
                return (
                    f"**{text}**\n"
                    if tone in {"bad", "warn", "lead"}
                    else f"*{text}*\n"
                    if tone == "quiet"
                    else f"{text}\n"
                )
            case Bullets(values):
                return "".join(f"- {self._inline(value)}\n" for value in values)
            case Sheet(caption, rows):
                cells = [[self._word(key), self._cell(value)] for key, value in rows]
                return self._rows([self._word(caption), ""], cells)
            case Table():
                return self._table(block)
            case Shares():
                return ""
            case Figure(_, chart):
                return f"```mermaid\n{gantt(chart, self._speech)}```\n"

    def _table(self, table: Table) -> str:
        caption = f"**{self._word(table.caption)}**\n\n"
        if not table.rows:
            return caption + self._word(table.empty) + "\n"
        shapes = [column.shape for column in table.columns]
        rows = ([self._cell(value) for value in row] for row in table.rows)
        return caption + self._rows([self._word(column.key) for column in table.columns], rows, shapes)

    def _rows(self, head: Sequence[str], rows: Iterable[Sequence[str]], shapes: Sequence[str] = ()) -> str:
        rule = [("---:" if shape == "number" else "---") for shape in shapes or ["text"] * len(head)]
        lines = [f"| {' | '.join(head)} |", f"|{'|'.join(rule)}|"]
        lines += [f"| {' | '.join(row)} |" for row in rows]
        return "\n".join(lines) + "\n"

    def _word(self, key: str) -> str:
        return _escape(key[1:]) if key.startswith("=") else self._speech.word(key)

    def _cell(self, value: Value) -> str:
        return self._inline(value).replace("|", "\\|")

    def _inline(self, value: Value) -> str:
        match value:
            case Name(text):
                return f"`{_line(text)}`"
            case Open():
                return f"***{self._speech.text(value)}***"
            case Moment() | Length() | Day():
                return self._speech.text(value)  # our own figures hold nothing to escape
            case Badge("bad" | "warn", inner):
                return f"**{self._inline(inner)}**"
            case Badge(_, inner):
                return self._inline(inner)
            case Several(values, separator):
                return separator.join(self._inline(each) for each in values)
            case Phrase(_, arguments) if arguments:
                return self._speech.phrase(value, self._inline)
            case _:
                return _escape(self._speech.text(value))


def _escape(text: str) -> str:
    """Keep text of the journal text: no markup, no HTML, no line ends."""
    line = _line(text)
    return MARKS.sub(r"\\\g<0>", line)


def _line(text: str) -> str:
    return text.replace("\r", "").replace("\n", " ")
