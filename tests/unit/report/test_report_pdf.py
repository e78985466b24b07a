"""The PDF: drawn from the HTML, with text in it, on numbered A4 sheets, with no row cut in two."""

from __future__ import annotations

import io
import re
import warnings

import pytest
from pypdf import PdfReader
from report_journals import drill, failover, large

from drctl.app.report import prepare


@pytest.fixture(scope="module")
def pages():
    return {
        "failover": read(prepare(failover().scan()).render("pdf", "en")),
        "drill": read(prepare(drill().scan()).render("pdf", "fr")),
    }


def read(pdf):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return PdfReader(io.BytesIO(pdf))


def text(reader):
    return re.sub(r"\s+", " ", " ".join(page.extract_text() for page in reader.pages))


def test_sheets_are_a4_and_numbered(pages):
    for reader in pages.values():
        count = len(reader.pages)
        for number, page in enumerate(reader.pages, 1):
            width, height = (float(side) for side in page.mediabox[2:])
            assert (width, height) == (pytest.approx(595.28, abs=0.5), pytest.approx(841.89, abs=0.5))
            assert f"{number} / {count}" in re.sub(r"\s+", " ", page.extract_text())


def test_text_can_be_taken_out(pages):
    english, french = text(pages["failover"]), text(pages["drill"])
    assert "Post-incident report: Loss of the production datacenter" in english
    assert "breaking by force: the transfer cannot end" in english
    assert "to be completed" in english
    assert "Compte rendu d’exercice PRA" in french
    assert "non exercée" in french
    assert "périmètre" in french.lower()


def test_no_row_is_cut_by_the_end_of_a_sheet(pages):
    """Each event's row stands on one sheet: its line number, its time and its step together."""
    reader = pages["failover"]
    rows = re.compile(r"Override used: breaking by force: the transfer cannot end\.")
    holding = [page for page in reader.pages if rows.search(re.sub(r"\s+", " ", page.extract_text()))]
    assert len(holding) == 1
    assert "promote[pacs_vm].break" in re.sub(r"\s+", "", holding[0].extract_text())


def test_headings_of_tables_come_again_on_each_sheet(pages):
    events = [
        page.extract_text() for page in pages["failover"].pages if "Heure locale" in page.extract_text()
    ]
    assert events == []
    sheets = [
        page for page in pages["failover"].pages if re.search(r"Local\s+UTC\s+Step", page.extract_text())
    ]
    assert len(sheets) >= 2


def test_thousands_of_rows_are_left_out_on_paper_and_said_to_be():
    reported = prepare(large(6000).scan())
    pdf = read(reported.render("pdf", "en"))
    assert len(pdf.pages) < 20
    assert "events are left out here" in text(pdf)
