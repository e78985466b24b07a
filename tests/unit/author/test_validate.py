"""``drctl validate``: every problem of every file at once, and what a right runbook needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from drctl.app.validation import Wanted, validate
from drctl.core.provider import Registry

ROOT = Path(__file__).resolve().parents[3]
DRCTL = str(Path(sys.executable).with_name("drctl"))

INVENTORY = """\
drctl: 1
kind: inventory
name: small
sites: {north: {}, south: {}}
endpoints:
  old: {type: ssh, site: north, host: 192.0.2.11, username: drctl, key_file: keys/id, known_hosts: keys/known}
  new: {type: ssh, site: south, host: 198.51.100.11, username: drctl, key_file: keys/id, known_hosts: keys/known}
contacts:
  boss: {name: On call}
"""

RUNBOOK = """\
drctl: 1
kind: runbook
name: small
title: Small
owner: somebody
objectives: {rto: 1h, rpo: 1h}
direction: {source: north, target: south}
parameters:
  ticket: {required: true}
prechecks:
  - {id: there, uses: ssh.access, on: new}
phases:
  - name: Only
    steps:
      - {id: go, gate: {ask: "Go, {{ params.ticket }}?", role: boss}}
      - {id: file, uses: ssh.put, on: new, with: {path: /a, content: b}}
      - {id: fence, uses: ssh.put, on: old, with: {path: /a, content: b}, on_error: continue}
"""


@pytest.fixture
def files(tmp_path):
    """Write the two files, changed by replacements; return what validate makes of them."""

    def check(*replaced: tuple[str, str], inventory: str = INVENTORY, **more):
        text = RUNBOOK
        for old, new in replaced:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "inventory.yaml").write_text(inventory)
        (tmp_path / "runbook.yaml").write_text(text)
        wanted = Wanted((tmp_path / "runbook.yaml",), tmp_path / "inventory.yaml", **more)
        return validate(Registry(), wanted)

    return check


def summaries(verdicts, severity="error"):
    return [p.summary for v in verdicts for p in v.problems if p.severity == severity]


def test_a_right_runbook_is_measured(files):
    (verdict,) = files()
    assert verdict.problems == ()
    figures = verdict.figures
    assert (figures.phases, figures.steps, figures.prechecks, figures.endpoints) == (1, 3, 1, 2)
    assert figures.must_be_up == ("south",)


def test_problems_of_both_files_are_shown_at_once(files):
    verdicts = files(("phases:", "phasen:"), inventory=INVENTORY + "extra: 1\n")
    assert [v.file.name for v in verdicts] == ["inventory.yaml", "runbook.yaml"]


def test_problems_have_a_place(files):
    (verdict,) = files(("path: /a, content: b}}\n", "path: /a, contents: b}}\n"))
    lines = {(p.where.line, p.where.text.strip()[:8]) for p in verdict.errors}
    assert lines == {(16, "- {id: f")}


def test_a_step_that_needs_the_lost_site_is_an_error(files):
    verdicts = files((", on_error: continue", ""))
    assert summaries(verdicts) == ["'fence' must reach north, which is presumed dead"]


def test_another_site_may_be_assumed_down(files):
    (verdict,) = files(assume_down="south")
    assert summaries([verdict]) == ["'file' must reach south, which is presumed dead"]
    assert "precheck 'there' asks south, which is presumed dead" in summaries([verdict], "warning")


def test_an_unknown_site_is_said_once(files):
    (verdict,) = files(assume_down="soth")
    assert summaries([verdict]) == ["--assume-down: no site is called 'soth'"]
    assert verdict.problems[0].hint == "Did you mean 'south'?"


def test_a_stand_in_that_may_be_to_blame_is_named(files):
    (verdict,) = files(("on: new, with: {path: /a", 'on: "{{ params.ticket }}", with: {path: /a'))
    assert summaries([verdict]) == ["no endpoint is called 'parameter'"]
    assert summaries([verdict], "warning")[0].startswith("nobody gave ticket")
    (verdict,) = files(
        ("on: new, with: {path: /a", 'on: "{{ params.ticket }}", with: {path: /a'),
        parameters={"ticket": "new"},
    )
    assert verdict.problems == ()


def test_answers_are_checked_against_the_runbook(files, tmp_path):
    answers = tmp_path / "answers.yaml"
    answers.write_text("drctl: 1\nkind: answers\nanswers:\n  gone: {answer: go}\n  go: {answer: done}\n")
    verdicts = files(answers=answers)
    assert summaries(verdicts) == [
        "no gate or manual step is called 'gone'",
        "'go' is answered with go or no-go",
    ]


def test_every_runbook_is_checked(files, tmp_path):
    files()
    (tmp_path / "broken.yaml").write_text("drctl: [1\n")
    paths = (tmp_path / "broken.yaml", tmp_path / "absent.yaml", tmp_path / "runbook.yaml")
    verdicts = validate(Registry(), Wanted(paths, tmp_path / "inventory.yaml"))
    assert [bool(v.errors) for v in verdicts] == [True, True, False]


def drctl(*arguments):
    return subprocess.run([DRCTL, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


SHIPPED = (
    "runbooks/pacs-site-loss.yaml",
    "-i",
    "inventories/lab.yaml",
    "--answers",
    "runbooks/lab-answers.yaml",
)


def test_the_shipped_runbook_is_right():
    done = drctl("validate", *SHIPPED)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines() == [
        "runbooks/pacs-site-loss.yaml: ok, 0 warnings; 7 phases, 84 steps, 48 prechecks, 7 endpoints; must be up: lyon"
    ]


def test_problems_end_with_2_and_a_caret():
    done = drctl("validate", *SHIPPED, "--assume-down", "lyon")
    assert done.returncode == 2
    assert any(line.rstrip().endswith("^") for line in done.stdout.splitlines())
    assert done.stdout.splitlines()[-1].startswith("runbooks/pacs-site-loss.yaml: ")


def test_json_is_a_document_per_file():
    (line,) = drctl("validate", *SHIPPED, "--json").stdout.splitlines()
    document = json.loads(line)
    assert document["ok"] is True
    assert document["must_be_up"] == ["lyon"]
