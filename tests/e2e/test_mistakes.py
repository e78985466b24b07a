"""What a tired person mistypes: each mistake is one clear problem, with its exit code and the way on."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from installed import DRCTL, ROOT, SHIPPED, Ran, User
from journals import RUN, Story, ask, begin, fence, go
from terminal import Terminal

from drctl.core import events as ev
from drctl.core.clock import SystemClock
from drctl.engine.home import RunDirectory, claim

RUNBOOK = """\
drctl: 1
kind: runbook
name: words
title: Nothing but words
owner: tests
objectives: {rto: 1h, rpo: 2h}
direction: {source: paris, target: lyon}
phases:
  - name: Decide
    steps:
      - {id: go, gate: {ask: "Does Lyon take over?", role: commander}}
"""
"""A runbook that talks to nobody: no lab is needed to plan it."""

OTHER = "20260131-050000-failover-9f8e"


@pytest.fixture
def runbook(tmp_path: Path) -> Path:
    path = tmp_path / "words.yaml"
    path.write_text(RUNBOOK)
    return path


@pytest.fixture
def drctl(tmp_path: Path) -> Callable[..., Ran]:
    """Run drctl at a home of its own, on the shipped inventory."""

    def run(*arguments: str | Path) -> Ran:
        done = subprocess.run(
            [DRCTL, *map(str, arguments)],
            env=environment(tmp_path / "home"),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return Ran(" ".join(map(str, arguments)), done.returncode, done.stdout, done.stderr)

    return run


def environment(home: Path) -> dict[str, str]:
    inventory = str(ROOT / "inventories" / "lab.yaml")
    return {**os.environ, "DRCTL_HOME": str(home), "DRCTL_INVENTORY": inventory}


def keep(home: Path, name: str, story: Story) -> None:
    directory = home / "runs" / name
    directory.mkdir(parents=True)
    story.write(directory / "journal.jsonl")


def refused(ran: Ran, *said: str) -> None:
    """Assert that it is one problem of the person's, not a traceback, and what it says."""
    assert ran.status == 2, str(ran)
    assert ran.err.count("error: ") == 1, ran
    assert "Traceback" not in ran.err, ran
    for words in said:
        assert words in ran.err, ran


def test_a_run_that_is_not_there(drctl: Callable[..., Ran], tmp_path: Path) -> None:
    home = tmp_path / "home"
    refused(drctl("status"), f"no run was made in {home} yet", "DRCTL_HOME")
    keep(home, RUN, go(begin()))
    keep(home, OTHER, go(begin()))
    refused(drctl("status", "2026"), "2 runs begin with '2026'", f"{OTHER}, {RUN}")
    refused(drctl("status", "zzz"), f"there is no run 'zzz' in {home}", OTHER, "drctl runs")


def test_an_answer_to_a_run_that_has_ended_is_refused(drctl: Callable[..., Ran], tmp_path: Path) -> None:
    story = ask(begin()).say(ev.AbortRequested(by="kim", reason="power is back"))
    keep(tmp_path / "home", RUN, story.say(ev.RunFinished(outcome="aborted", exit=1)))
    refused(drctl("answer", "last", "go", "go"), f"run {RUN} has ended: aborted")


def test_requests_say_what_could_have_been_meant(drctl: Callable[..., Ran], tmp_path: Path) -> None:
    keep(tmp_path / "home", RUN, fence(ask(begin())).say(ev.StepStarted(step="break")))
    refused(drctl("retry", "last", "brek"), "no step is called 'brek'", "Did you mean break?")
    refused(drctl("answer", "last", "break", "go"), "Waiting for an answer now: go")
    refused(drctl("answer", "last", "go", "done"), "error: go is answered with go or no-go, not done")
    with claim(RunDirectory(tmp_path / "home" / "runs" / RUN), SystemClock()):
        refused(drctl("skip", "last", "break", "--reason", "x"), "it is running", "Ctrl-C twice")


@pytest.mark.parametrize("place", ["a-file", "a-file/below"])
def test_a_home_that_cannot_be_used_is_named_before_anything_is_read(
    drctl: Callable[..., Ran], runbook: Path, tmp_path: Path, place: str
) -> None:
    (tmp_path / "a-file").write_text("in the way")
    ran = drctl("failover", runbook, "--yes", "--reason", "test", "--home", tmp_path / place)
    refused(ran, f"no run can be written in {tmp_path / place}", "--home DIR")
    assert "Reading" not in ran.err


def test_a_plan_that_cannot_be_written_or_read(drctl: Callable[..., Ran], runbook: Path) -> None:
    refused(
        drctl("plan", runbook, "-o", "/nowhere/plan.json"), "cannot write /nowhere/plan.json: No such file"
    )
    ran = drctl("failover", runbook, "--yes", "--reason", "test", "--plan", "/nowhere/plan.json")
    refused(ran, "/nowhere/plan.json: No such file", "drctl plan RUNBOOK")
    assert "Reading" not in ran.err, "said before the estate is read"


def test_what_a_saved_plan_is_for(drctl: Callable[..., Ran], runbook: Path, tmp_path: Path) -> None:
    saved = tmp_path / "plan.json"
    assert f"drctl failover {runbook} --plan {saved}" in drctl("plan", runbook, "-o", saved).err
    assert "execute" not in drctl("plan", runbook, "-o", saved, "--mode", "drill").err, "only a failover can"


def test_files_that_are_others(drctl: Callable[..., Ran], runbook: Path, tmp_path: Path) -> None:
    inventory = ROOT / "inventories" / "lab.yaml"
    refused(drctl("plan", inventory), "this file is of kind inventory, not runbook", "swapped")
    refused(drctl("plan", runbook, "-i", runbook), "this file is of kind runbook, not inventory")
    runbook.write_text(RUNBOOK.replace("drctl: 1", "drctl: 2"))
    refused(drctl("plan", runbook), "words.yaml:1:8", "version 2", "this drctl reads version 1")
    runbook.write_text("")
    refused(drctl("plan", runbook), "words.yaml:1:1", "the file is empty")


def test_a_verb_that_does_not_exist(drctl: Callable[..., Ran]) -> None:
    ran = drctl("failovr")
    assert ran.status == 2
    assert "No such command 'failovr'. Did you mean 'failover'?" in ran.err


def test_problems_as_documents(drctl: Callable[..., Ran]) -> None:
    ran = drctl("status", "--json")
    assert json.loads(ran.err)["code"] == "unknown-run"


def test_what_was_typed_before_the_question_is_no_consent(runbook: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with Terminal([DRCTL, "failover", runbook], environment(home)) as terminal:
        terminal.type("lyon\n")
        terminal.wait_for(r"Type lyon to fail over")
        assert not (home / "runs").exists()
        terminal.type("lion\n")
        terminal.wait_for(r"'lion' is not lyon; Ctrl-C leaves, and nothing is touched\.")
        terminal.wait_for(r"Type lyon to fail over")
        terminal.type("lyon\n")
        terminal.wait_for(r"DECISION go \(commander\)")
        terminal.type("no-go test\n")
        assert terminal.end() == 1


def test_a_plan_on_a_narrow_terminal_breaks_between_words(runbook: Path, tmp_path: Path) -> None:
    long = "The standby takes over everything that the production site did until now. Go?"
    runbook.write_text(RUNBOOK.replace("Does Lyon take over?", long))
    with Terminal([DRCTL, "plan", runbook], environment(tmp_path), columns=60) as terminal:
        assert terminal.end() == 0
    lines = terminal.text.splitlines()
    assert max(len(line) for line in lines if " " in line.strip()) <= 60, "a path alone stays whole"
    assert long in re.sub(r"\s+", " ", terminal.text)


def test_secrets_that_are_missing_and_faults_on_nothing(user: Callable[..., User]) -> None:
    someone = user()
    someone.extra["LAB_VC_PARIS"] = ""
    planned = someone.drctl("plan", SHIPPED)
    assert planned.status == 0, "what is tolerated at the lost site is tolerated without its secret"
    assert "cannot read the secret env:LAB_VC_PARIS: it is empty" in planned.out
    someone.extra |= {"LAB_VC_LYON": "", "LAB_ONTAP_LYON": ""}
    planned = someone.drctl("plan", SHIPPED)
    assert planned.status == 3, str(planned)
    assert "Traceback" not in planned.err
    for name in ("LAB_VC_LYON", "LAB_ONTAP_LYON"):
        assert f"cannot read the secret env:{name}: it is empty" in planned.err, "all of them at once"
    refuse_faults_on_nothing(someone)


def refuse_faults_on_nothing(someone: User) -> None:
    someone.extra["DRCTL_LAB"] = str(someone.home.parent / "lab.json")
    info = {**someone.lab.info(), "directory": str(someone.home.parent)}
    Path(someone.extra["DRCTL_LAB"]).write_text(json.dumps(info))
    refused(someone.drctl("lab", "fault", "tls-expird:vc-lyon"), "did you mean 'tls-expired'?")
    refused(someone.drctl("lab", "fault", "tls-expired:vc-lyn"), "did you mean 'vc-lyon'?")
    assert someone.drctl("lab", "fault").out == "Faults in force: none\n"
    assert someone.drctl("lab", "fault", "tls-expired:vc-*").out == "Faults in force: tls-expired:vc-*\n"
    assert someone.drctl("lab", "fault", "slow", "--lift").out.startswith("No such fault was in force.\n")
