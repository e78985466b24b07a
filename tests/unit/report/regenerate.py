"""Write the golden reports anew: ``python tests/unit/report/regenerate.py``; read the difference before keeping it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = Path(__file__).parent / "golden"
sys.path.insert(0, str(ROOT / "tests" / "support"))

from report_journals import STORIES, drill  # noqa: E402 - the path above leads to it

from drctl.app.report import prepare  # noqa: E402 - the same
from drctl.report.actions import actions_of  # noqa: E402 - the same
from drctl.report.facts import CheckFact, RelatedRun  # noqa: E402 - the same
from drctl.report.gather import Background  # noqa: E402 - the same


def background(story: str) -> Background:
    """What other runs add: the drill follows an older one and was cleaned up."""
    if story != "drill":
        return Background()
    told = drill()
    before = RelatedRun(
        "20250612-130000-drill-1c1c", "drill", told.now.replace(month=6), "completed", "0" * 64
    )
    cleaned = RelatedRun("20251114-153000-cleanup-2d2d", "cleanup", told.now, "completed", "0" * 64)
    proof = CheckFact(
        "empty[ontap-lyon]", "ok", "nothing of a drill is left on svm_dr", cleaned.run, told.now
    )
    earlier = actions_of(before.run, drill().scan().records)
    return Background(
        previous=before,
        expected={"vm[ris-db01].power": 62.0},
        related=(cleaned,),
        proofs=(proof,),
        carried=earlier,
    )


def reports(story: str) -> Iterator[tuple[str, bytes]]:
    """Yield the golden files of a story: name and content."""
    reported = prepare(STORIES[story]().scan(), background=background(story))
    for language in ("en", "fr"):
        for form in ("md", "html"):
            yield f"{story}.{language}.{form}", reported.render(form, language)
    yield f"{story}.json", reported.render("json", "en")


def main() -> None:
    """Write every golden file."""
    GOLDEN.mkdir(exist_ok=True)
    for story in STORIES:
        for name, content in reports(story):
            (GOLDEN / name).write_bytes(content)


if __name__ == "__main__":
    main()
