"""The verbs that look at runs: what they say, what they write (nothing), and what they refuse."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from installed import DRCTL, Ran
from journals import RUN, Story, apply, ask, begin, complete, fence, go, problem

from drctl.core import events as ev
from drctl.engine.chain import scan

OTHER = "20260131-050000-failover-9f8e"


@dataclass
class Onlooker:
    """Somebody who has journals and no estate."""

    home: Path

    def runs(self, name: str, story: Story) -> Path:
        directory = self.home / "runs" / name
        directory.mkdir(parents=True)
        return story.write(directory / "journal.jsonl")

    def drctl(self, *arguments: str, **environment: str) -> Ran:
        command = [DRCTL, *arguments]
        done = subprocess.run(
            command,
            env={**os.environ, "DRCTL_HOME": str(self.home), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Ran(" ".join(command), done.returncode, done.stdout, done.stderr)

    def document(self, *arguments: str) -> Any:
        ran = self.drctl(*arguments, "--json")
        assert ran.status == 0, str(ran)
        return json.loads(ran.out)


@pytest.fixture
def someone(tmp_path: Path) -> Onlooker:
    return Onlooker(tmp_path)


def stopped() -> Story:
    """A run that failed at the break and paused."""
    story = fence(go(begin())).say(ev.StepStarted(step="break"))
    story.say(ev.StepFailed(step="break", problem=problem("no licence", "refused")), after=3)
    return story.say(ev.RunPaused(why="failed", steps=("break",), exit=1))


def test_status_of_a_run_that_stopped(someone: Onlooker) -> None:
    someone.runs(RUN, stopped())
    ran = someone.drctl("status", "2026")
    assert ran.status == 0, str(ran)
    assert "State     paused (failed)" in ran.out
    assert "Engine    none here: kim on jump.example, pid 4711" in ran.out
    assert "  failed: break: no licence" in ran.out
    assert f"  drctl retry {RUN} break" in ran.out
    assert f"  drctl resume {RUN}" in ran.out
    assert "\x1b" not in ran.out


def test_status_as_a_document(someone: Onlooker) -> None:
    journal = someone.runs(RUN, stopped())
    document = someone.document("status", "last")
    assert document["state"] == "paused (failed)"
    assert document["exit"] == 1
    assert document["engine"]["alive"] is False
    assert document["head"] == scan(journal).head.digest
    assert [problem["standing"] for problem in document["problems"]] == ["unproven", "unproven", "failed"]


def test_runs_are_listed_newest_first_and_a_broken_one_does_not_hide_the_others(someone: Onlooker) -> None:
    someone.runs(RUN, complete(go(begin())))
    broken = someone.runs(OTHER, stopped())
    broken.write_bytes(broken.read_bytes().replace(b"no licence", b"no license"))
    ran = someone.drctl("runs")
    assert ran.status == 0, str(ran)
    first, second, details = ran.out.splitlines()
    assert first.startswith(f"{OTHER}  journal broken: line")
    assert second == f"{RUN}  completed with exceptions, 2 unproven"
    assert details == (
        "    failover of small, began 2026-01-31 02:30 UTC, took 3 min 31 s, by kim on jump.example"
    )
    documents = [json.loads(line) for line in someone.drctl("runs", "--json").out.splitlines()]
    assert [document["run"] for document in documents] == [OTHER, RUN]
    assert documents[1]["seconds"] == 211.0


def test_no_runs_is_no_error(someone: Onlooker) -> None:
    assert someone.drctl("runs").out == f"No runs in {someone.home}.\n"
    assert someone.drctl("runs", "--json").out == ""
    ran = someone.drctl("status")
    assert ran.status == 2
    assert "drctl runs" in ran.err


def test_log_is_a_timeline_and_json_every_event(someone: Onlooker) -> None:
    story = complete(go(begin()))
    journal = someone.runs(RUN, story)
    before = journal.read_bytes()
    lines = someone.drctl("log", RUN).out.splitlines()
    assert lines[-1] == "02:33:31  Run completed with exceptions."
    ran = someone.drctl("log", "--json")
    assert [document["type"] for document in ran.documents] == [r.event.type for r in story.records]
    for verb in (("status",), ("log", "--follow"), ("status", "--watch")):
        assert someone.drctl(*verb).status == 0
    someone.drctl("verify")
    assert journal.read_bytes() == before
    assert [path.name for path in journal.parent.iterdir()] == ["journal.jsonl"], "looking writes nothing"


def test_log_follows_a_run_until_it_ends(someone: Onlooker) -> None:
    story = go(begin())
    journal = someone.runs(RUN, story)
    following = subprocess.Popen(
        [DRCTL, "log", "--follow", "--json"],
        env={**os.environ, "DRCTL_HOME": str(someone.home)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert following.stdout is not None
    early = [json.loads(following.stdout.readline()) for _ in story.records]
    assert early[-1]["type"] == "StepFinished"
    shutil.copy(complete(story).write(someone.home / "whole"), journal.with_suffix(".new"))
    journal.with_suffix(".new").replace(journal)
    rest, _ = following.communicate(timeout=60)
    assert json.loads(rest.splitlines()[-1])["type"] == "RunFinished"
    assert len(rest.splitlines()) == len(story.records) - len(early)
    assert following.returncode == 0


def test_a_line_being_written_is_left_for_the_next_look(someone: Onlooker) -> None:
    journal = someone.runs(RUN, stopped())
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-30])
    assert someone.document("status")["state"] == "interrupted: its engine is gone"
    assert "open   torn line: " in someone.drctl("verify").out


def rewritten(journal: Path, change: str) -> None:
    """Alter a journal as somebody with an editor would."""
    lines = journal.read_bytes().splitlines(keepends=True)
    match change:
        case "changed":
            lines[4] = lines[4].replace(b"2026-01-31T02:28", b"2026-01-31T02:29")
        case "removed":
            del lines[6]
        case "swapped":
            lines[6], lines[7] = lines[7], lines[6]
        case "added":
            lines.insert(6, lines[6])
        case "garbled":
            lines[6] = b"{}\n"
    journal.write_bytes(b"".join(lines))


@pytest.mark.parametrize(
    ("change", "line"), [("changed", 6), ("removed", 7), ("swapped", 7), ("added", 8), ("garbled", 7)]
)
def test_an_altered_journal_is_refused_naming_the_line(someone: Onlooker, change: str, line: int) -> None:
    journal = someone.runs(RUN, complete(go(begin())))
    rewritten(journal, change)
    for verb in (("verify",), ("verify", "--head", "0" * 64), ("status",), ("log",)):
        ran = someone.drctl(*verb)
        assert ran.status == 1, str(ran)
        assert f"journal.jsonl:{line}:1: error: line {line} " in ran.err


def test_without_a_head_the_end_stays_unproven(someone: Onlooker) -> None:
    journal = someone.runs(RUN, complete(go(begin())))
    lines = len(journal.read_bytes().splitlines())
    ran = someone.drctl("verify")
    assert ran.status == 1, "the copies beside the journal are missing"
    assert f"open   end: intact up to line {lines}, end unproven" in ran.out
    assert "WRONG  runbook.yaml: cannot be read" in ran.out


def test_a_head_shows_that_lines_are_missing_at_the_end(someone: Onlooker) -> None:
    journal = someone.runs(RUN, complete(go(begin())))
    head = scan(journal).head.digest
    assert "is the last, as the head says" in someone.drctl("verify", "--head", head.upper()).out
    assert "is the last, as the head says" in someone.drctl("verify", "--head", f"{head[:16]}…").out
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-2]))
    ran = someone.drctl("verify", "--head", head)
    assert ran.status == 1
    assert f"lines are missing after line {len(lines) - 2}" in ran.out


def test_a_head_of_an_earlier_moment_proves_what_was_there_then(someone: Onlooker) -> None:
    journal = someone.runs(RUN, go(begin()))
    found = scan(journal)
    story = go(begin())
    story.say(ev.Note(text="later"), after=5)
    journal.unlink()
    story.write(journal)
    ran = someone.drctl("verify", "--head", found.head.digest[:20])
    assert f"lines 1 to {found.head.seq} are proven by the head" in ran.out
    assert f"lines {found.head.seq + 1} to {found.head.seq + 1} came after it" in ran.out


@pytest.mark.parametrize("head", ["abc", "g" * 64, "0" * 65, ""])
def test_what_is_no_head_is_bad_usage(someone: Onlooker, head: str) -> None:
    someone.runs(RUN, go(begin()))
    ran = someone.drctl("verify", "--head", head)
    assert ran.status == 2, str(ran)
    assert "first 16 or more" in ran.err


def test_a_terminal_that_knows_no_unicode_is_no_reason_to_fail(someone: Onlooker) -> None:
    someone.runs(RUN, ask(apply(begin(), "break")))
    ran = someone.drctl("status", PYTHONIOENCODING="latin-1")
    assert ran.status == 0, str(ran)
    assert "The north ? The south" in ran.out
