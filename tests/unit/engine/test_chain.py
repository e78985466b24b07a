"""The journal's bytes: what continues the chain, what does not, and how each line that does not is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_clock import FakeClock
from hypothesis import given
from hypothesis import strategies as st

from drctl.core import events as ev
from drctl.core.problem import DrctlError, ExitCode
from drctl.engine.chain import GENESIS, Head, decode, digest, encode, scan, scan_bytes
from drctl.engine.journal import Entry, JournalFile

PLACE = Path("journal.jsonl")


def note(text: str) -> ev.Note:
    return ev.Note(text=text, by="somebody")


@pytest.fixture
def lines() -> list[bytes]:
    """A journal of five notes, line by line, without newlines."""
    head, written = Head(), []
    for number in range(5):
        raw = encode(head, FakeClock().now(), "engine", "Note", note(f"n{number}").model_dump(mode="json"))
        written.append(raw)
        head = Head(head.seq + 1, digest(raw), head.size + len(raw) + 1)
    return written


def joined(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def texts(content: bytes) -> list[str]:
    return [record.event.text for record in scan_bytes(content, PLACE).records]


def test_a_line_is_one_json_object_that_names_the_line_before(lines):
    first, second = json.loads(lines[0]), json.loads(lines[1])
    assert list(first) == ["seq", "at", "actor", "type", "v", "data", "prev"]
    assert (first["seq"], first["prev"], second["prev"]) == (0, GENESIS, digest(lines[0]))
    assert first["at"] == "2026-01-31T03:00:00.000Z"


def test_a_whole_journal_reads_back(lines):
    found = scan_bytes(joined(lines), PLACE)
    assert [record.event.text for record in found.records] == ["n0", "n1", "n2", "n3", "n4"]
    assert (found.head.seq, found.head.digest, found.torn) == (5, digest(lines[4]), 0)
    assert found.head.size == len(joined(lines))


@pytest.mark.parametrize("cut", [1, 20, 100])
def test_a_torn_last_line_is_no_corruption(lines, cut):
    found = scan_bytes(joined(lines)[:-cut], PLACE)
    assert len(found.records) == 4
    assert found.torn == len(lines[4]) + 1 - cut


def test_a_complete_last_line_without_newline_is_torn_all_the_same(lines):
    """Nobody was told that it is durable: it does not count."""
    assert scan_bytes(joined(lines)[:-1], PLACE).torn == len(lines[4])


def swap(lines):
    return [lines[0], lines[2], lines[1], *lines[3:]]


def change(lines):
    return [lines[0], lines[1].replace(b'"n1"', b'"no"'), *lines[2:]]


def renumber(lines):
    return [lines[0], *[line.replace(b'{"seq":3', b'{"seq":2') for line in lines[2:]]]


@pytest.mark.parametrize(
    ("damage", "line", "word"),
    [
        (swap, 2, "number 2 where 1 is due"),
        (change, 3, "does not continue the chain"),
        (lambda lines: [lines[0], *lines[2:]], 2, "number 2 where 1 is due"),
        (lambda lines: lines[1:], 1, "number 1 where 0 is due"),
        (lambda lines: [*lines, lines[4]], 6, "number 4 where 5 is due"),
        (lambda lines: [*lines[:2], b"", *lines[2:]], 3, "is not a journal line"),
        (lambda lines: [*lines[:3], b"{}", *lines[3:]], 4, "is not a journal line"),
        (lambda lines: [*lines[:3], lines[3][:40], lines[4]], 4, "is not a journal line"),
        (lambda lines: [b"\xff\xfe", *lines], 1, "is not a journal line"),
    ],
)
def test_damage_is_named_by_its_line(lines, damage, line, word):
    with pytest.raises(DrctlError) as caught:
        scan_bytes(joined(damage(lines)), PLACE)
    problem = caught.value.problems[0]
    assert (problem.code, problem.where.line) == ("journal-broken", line)
    assert word in problem.summary
    assert caught.value.exit_code is ExitCode.FAILED


def test_a_forged_line_needs_the_hash_of_the_one_before(lines):
    forged = encode(Head(2, GENESIS), FakeClock().now(), "engine", "Note", note("x").model_dump(mode="json"))
    with pytest.raises(DrctlError, match="does not continue the chain"):
        scan_bytes(joined([*lines[:2], forged, *lines[3:]]), PLACE)


def test_types_of_a_newer_drctl_are_passed_over_but_chained(tmp_path):
    path = tmp_path / "journal.jsonl"
    file = JournalFile(path, FakeClock())
    file.commit([Entry(note("before"), "engine")])
    newer = encode(file.head, FakeClock().now(), "engine", "HologramShown", {"colour": "blue"})
    with path.open("ab") as raw:
        raw.write(newer + b"\n")
    assert [record.event.text for record in file.commit([Entry(note("after"), "engine")])] == ["after"]
    file.close()
    found = scan(path)
    assert ([record.seq for record in found.records], found.head.seq) == ([0, 2], 3)
    broken = path.read_bytes().replace(b'"blue"', b'"pink"')
    with pytest.raises(DrctlError, match="line 3 does not continue the chain"):
        scan_bytes(broken, path)


def test_fields_of_a_newer_drctl_are_ignored(lines):
    head = Head(5, digest(lines[4]))
    raw = encode(head, FakeClock().now(), "engine", "Note", {"text": "n5", "mood": "calm"})
    assert texts(joined([*lines, raw]))[-1] == "n5"


def test_no_journal_is_said_with_the_next_command(tmp_path):
    with pytest.raises(DrctlError) as caught:
        scan(tmp_path / "absent.jsonl")
    assert caught.value.problems[0].hint == "drctl runs"


@given(st.text(), st.text())
def test_any_text_survives(actor, text):
    event = ev.Note(text=text)
    raw = encode(Head(), FakeClock().now(), actor, "Note", event.model_dump(mode="json"))
    assert b"\n" not in raw
    record, head = decode(raw, Head(), None)
    assert (record.event, record.actor, head.seq) == (event, actor, 1)


@given(st.data())
def test_no_changed_byte_goes_unnoticed_once_a_line_follows(data):
    head, written = Head(), []
    for number in range(3):
        raw = encode(head, FakeClock().now(), "engine", "Note", note(f"n{number}").model_dump(mode="json"))
        written.append(raw)
        head = Head(head.seq + 1, digest(raw), head.size + len(raw) + 1)
    content = bytearray(joined(written))
    at = data.draw(st.integers(0, len(written[0]) + len(written[1]) + 1))
    content[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(DrctlError):
        scan_bytes(bytes(content), PLACE)
