"""The PDF: drawn from the HTML, with text in it, on numbered A4 sheets, with no row cut in two."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import pytest
from pypdf import PdfReader
from report_journals import drill, failover, large

from drctl.app.report import Reported, prepare
from drctl.report.document import Table
from drctl.report.speech import Language, Speech


@dataclass(frozen=True)
class Printed:
    """A report and its sheets."""

    reported: Reported
    language: Language
    reader: PdfReader

    @cached_property
    def texts(self) -> list[str]:
        return [page.extract_text() for page in self.reader.pages]

    @property
    def sheets(self) -> list[str]:
        """Return each sheet's text without blanks: where lines break is no matter of tables."""
        return list(map(blankless, self.texts))

    def rows(self) -> Iterator[tuple[str, str, list[str]]]:
        """Yield each table: its caption, its head, its rows, as one text each, without blanks."""
        speech = Speech(self.language, self.reported.timeline.zone, NIGHTS[self.language])
        for section in self.reported.document.sections:
            for block in section.blocks:
                if isinstance(block, Table) and block.rows:
                    head = "".join(speech.word(column.key) for column in block.columns)
                    rows = ["".join(map(speech.text, row)) for row in block.rows]
                    caption = block.caption
                    caption = caption[1:] if caption.startswith("=") else speech.word(caption)
                    yield blankless(caption), blankless(head), list(map(blankless, rows))


NIGHTS: Mapping[Language, date] = {"en": date(2026, 1, 31), "fr": date(2025, 11, 14)}


def blankless(text: str) -> str:
    return re.sub(r"\s+", "", text)


@pytest.fixture(scope="module")
def printed():
    wordy = failover()
    for number in range(12):  # rows so tall that some sheet ends inside one, were they not kept together
        wordy.note(
            f"{number}: " + "the crisis cell weighs what each hospital can wait for; " * 15, "decision"
        )
    stories: dict[Language, Reported] = {"en": prepare(wordy.scan()), "fr": prepare(drill().scan())}
    return [
        Printed(reported, language, read(reported.render("pdf", language)))
        for language, reported in stories.items()
    ]


def read(pdf):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return PdfReader(io.BytesIO(pdf))


def text(texts):
    return re.sub(r"\s+", " ", " ".join(texts))


def test_sheets_are_a4_and_numbered(printed):
    for each in printed:
        count = len(each.texts)
        for number, (page, said) in enumerate(zip(each.reader.pages, each.texts, strict=True), 1):
            width, height = (float(side) for side in page.mediabox[2:])
            assert (width, height) == (pytest.approx(595.28, abs=0.5), pytest.approx(841.89, abs=0.5))
            assert f"{number} / {count}" in re.sub(r"\s+", " ", said)


def test_text_can_be_taken_out(printed):
    english, french = (text(each.texts) for each in printed)
    assert "Post-incident report: Loss of the production datacenter" in english
    assert "breaking by force: the transfer cannot end" in english
    assert "to be completed" in english
    assert "Compte rendu d’exercice PRA" in french
    assert "non exercée" in french
    assert "périmètre" in french.lower()


def test_no_row_of_any_table_is_cut_by_the_end_of_a_sheet(printed):
    """Every row of every table stands on one sheet, whole and in its order."""
    for each in printed:
        sheets = each.sheets
        rows = [row for _, _, rows in each.rows() for row in rows]
        assert len(rows) > 100
        assert [row for row in rows if not any(row in sheet for sheet in sheets)] == []


def test_no_caption_is_left_alone_at_the_foot_of_a_sheet(printed):
    for each in printed:
        sheets = each.sheets
        tops = [caption + head + rows[0] for caption, head, rows in each.rows()]
        assert [top for top in tops if not any(top in sheet for sheet in sheets)] == []


def test_headings_of_tables_come_again_on_each_sheet(printed):
    english = printed[0].texts
    assert not any("Heure locale" in sheet for sheet in english)
    assert sum(bool(re.search(r"Local\s+UTC\s+Step", sheet)) for sheet in english) >= 2


def test_thousands_of_rows_are_left_out_on_paper_and_said_to_be():
    reported = prepare(large(6000).scan())
    pdf = read(reported.render("pdf", "en"))
    assert len(pdf.pages) < 20
    assert "events are left out here" in text(page.extract_text() for page in pdf.pages)
