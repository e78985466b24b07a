"""A document as PDF: the HTML report on A4, by WeasyPrint, which is told to fetch nothing."""

from __future__ import annotations

from drctl.report.document import Document
from drctl.report.page import fold_for_paper, render_html
from drctl.report.speech import Speech

MOST_ROWS = 600
"""Rows of one table that still make sense on paper: some twenty sheets."""


class MissingLibraryError(Exception):
    """WeasyPrint is not installed, or does not find Pango; the text says which."""


def render_pdf(document: Document, speech: Speech) -> bytes:
    """Return a document as PDF.

    Raises:
        MissingLibraryError: what draws the PDF is not installed.
    """
    try:
        from weasyprint import HTML  # noqa: PLC0415 - half a second, and only a PDF needs it
        from weasyprint.urls import URLFetcher  # noqa: PLC0415 - the same
    except (ImportError, OSError) as error:  # OSError: Pango itself is missing
        raise MissingLibraryError(str(error).partition("\n")[0]) from error

    page = render_html(fold_for_paper(document, MOST_ROWS), speech)
    drawn: bytes = HTML(string=page, url_fetcher=URLFetcher(allowed_protocols=())).write_pdf(
        pdf_variant="pdf/ua-1"
    )
    return drawn
