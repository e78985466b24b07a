"""Photograph reports for docs/screenshots: ``.venv/bin/python tools/screenshots.py``; needs Chromium."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from chromium import Chromium  # noqa: E402 - the path above leads to it
from report_journals import STORIES  # noqa: E402 - the same

from drctl.app.report import prepare  # noqa: E402 - drctl is installed, and its tests' stories are not

FOLDER = ROOT / "docs" / "screenshots"


@dataclass(frozen=True)
class Shot:
    """One picture: a story's report on a device, from a heading on."""

    name: str
    story: str
    language: str
    width: int
    height: int
    heading: int = 0
    scheme: str = "light"
    media: str = "screen"


SHOTS = (
    Shot("incident-laptop", "failover", "en", 1280, 900),
    Shot("incident-objectives-laptop", "failover", "en", 1280, 1400, heading=5),
    Shot("incident-timeline-dark", "failover", "en", 1280, 900, heading=6, scheme="dark"),
    Shot("incident-phone", "failover", "fr", 390, 844),
    Shot("incident-steps-phone", "failover", "fr", 390, 844, heading=7),
    Shot("drill-laptop", "drill", "fr", 1280, 900),
    Shot("drill-coverage-laptop", "drill", "fr", 1280, 1400, heading=7),
    Shot("incident-a4", "failover", "fr", 794, 1123, media="print"),
)


def main() -> None:
    """Take every picture."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Chromium() as browser:
        for shot in SHOTS:
            page = Path(folder) / "report.html"
            language = "fr" if shot.language == "fr" else "en"
            page.write_bytes(prepare(STORIES[shot.story]().scan()).render("html", language))
            browser.size(shot.width, shot.height, mobile=shot.width < 500)
            browser.media(kind=shot.media, scheme=shot.scheme)
            browser.open(page)
            if shot.heading:
                browser.evaluate(f"document.getElementById('s{shot.heading}').scrollIntoView()")
            browser.picture(FOLDER / f"{shot.name}.png")


if __name__ == "__main__":
    main()
