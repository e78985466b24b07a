"""Lines on a terminal: broken between words, indented to read on, and commands left whole."""

from __future__ import annotations

import pytest

from drctl.console.fold import fold

CHANGE = "      export svm_dr:ris_vm_dr by policy esx to 198.51.100.31, 198.51.100.32  [ontap-lyon]"


def test_words_stay_whole_and_read_on_under_their_line() -> None:
    assert list(fold(CHANGE, 80)) == [
        "      export svm_dr:ris_vm_dr by policy esx to 198.51.100.31, 198.51.100.32",
        "          [ontap-lyon]",
    ]


@pytest.mark.parametrize("width", [30, 60, 80, 132])
def test_nothing_is_lost_and_nothing_is_too_wide(width: int) -> None:
    pieces = list(fold(CHANGE, width))
    assert max(map(len, pieces)) <= width
    assert " ".join(" ".join(pieces).split()) == " ".join(CHANGE.split())


def test_a_label_keeps_its_column() -> None:
    line = "RTO       36 s since declaration; 1 h 59 min left for Radiology information system (RTO 2 h)"
    first, second = fold(line, 60)
    assert first.startswith("RTO       36 s")
    assert second == " " * 10 + "Radiology information system (RTO 2 h)"


@pytest.mark.parametrize(
    "line",
    [
        "  drctl skip 20260131-023000-failover-0a1b 'vm[pacs-db01].power' --reason 'started by hand'",
        "  → drctl resume 20260131-023000-failover-0a1b --yes --reason 'reality was checked by hand'",
        "/a/path/without/blanks/" + "x" * 80,
        "Log       /a/path/without/blanks/" + "x" * 80,
    ],
)
def test_what_is_there_to_be_copied_is_not_broken(line: str) -> None:
    assert list(fold(line, 80)) == [line]
