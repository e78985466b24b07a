"""The installed drctl on journals of a home: no lab, no estate, real ssh-keygen."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from installed import DRCTL, ROOT, SHIPPED, Ran
from story import START, Story

LAB = yaml.safe_load((ROOT / "inventories" / "lab.yaml").read_text())["name"]


@pytest.fixture
def home(tmp_path):
    """Three failovers and a drill in the past, one run that waits for the commander."""
    for number, pace in enumerate((1.0, 2.0, 3.0)):
        Story(
            tmp_path, f"2026010{number + 1}-000000-failover-aaaa", START - timedelta(days=30 - number)
        ).whole(pace)
    Story(tmp_path, "20260110-000000-drill-bbbb", START - timedelta(days=20), mode="drill").whole()
    Story(tmp_path, "20260111-000000-failover-cccc", START - timedelta(days=19), inventory=LAB).whole()
    Story(tmp_path, "20260131-031200-failover-1f0c").open()
    return tmp_path


@pytest.fixture
def drctl(home):
    def run(*arguments: str | Path, **environment: str) -> Ran:
        command = [DRCTL, *map(str, arguments)]
        done = subprocess.run(
            command,
            env={**os.environ, "DRCTL_HOME": str(home), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return Ran(" ".join(command), done.returncode, done.stdout, done.stderr)

    return run


def test_coverage_counts_every_run_and_says_which(drctl):
    ran = drctl("coverage", "pacs-site-loss", "--older-than", "30d")
    assert ran.status == 0, str(ran)
    assert "6 runs (5 failover, 1 drill)" in ran.out
    assert f"counted together: runs on estate, {LAB}" in ran.err
    found = drctl("coverage", "pacs-site-loss", "--json").documents[0]
    steps = {step["step"]: step for step in found["steps"]}
    assert steps["boot"]["bubble"]["run"] == "20260110-000000-drill-bbbb"
    assert steps["boot"]["last"]["result"] == "not reached"
    assert found["counts"]["for real"] == 5
    assert set(found) == {
        "kind", "runbook", "older_than_seconds", "runs", "counts", "stale", "steps", "unread", "elsewhere",
    }  # fmt: skip


def test_coverage_with_both_files_compares_with_the_runbook_of_now(drctl):
    files = (ROOT / "runbooks" / "pacs-site-loss.yaml", "-i", ROOT / "inventories" / "lab.yaml")
    ran = drctl("coverage", *files, "--json")
    assert ran.status == 0, str(ran)
    found = ran.documents[0]
    assert [run["run"] for run in found["runs"]] == ["20260111-000000-failover-cccc"]
    assert len(found["elsewhere"]) == 5
    steps = {step["step"]: step for step in found["steps"]}
    assert steps["go"]["status"] == "for real"
    assert steps["boot"]["gone"]
    assert found["counts"]["never"] > 10


def test_coverage_leaves_a_broken_journal_out_and_says_so(drctl, home):
    journal = home / "runs" / "20260101-000000-failover-aaaa" / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:4], *lines[5:]]))
    ran = drctl("coverage", "pacs-site-loss", "--json")
    assert len(ran.documents[0]["runs"]) == 5
    assert "not counted: line 5" in ran.err


@pytest.mark.parametrize("arguments", [("--older-than", "soon"), ("-i", "nowhere.yaml")])
def test_coverage_refuses_what_it_does_not_understand(drctl, arguments):
    ran = drctl("coverage", "pacs-site-loss", *arguments)
    assert ran.status == 2
    assert "Traceback" not in ran.err


def test_status_foresees_the_end_from_the_same_inventory(drctl):
    found = drctl("status", "last", "--json").documents[0]["forecast"]
    assert found["runs"] == 3
    assert (found["end"]["p50_seconds"], found["end"]["p90_seconds"]) == (620, 930)
    assert found["waits"][0]["role"] == "commander"
    text = drctl("status", "last").out
    assert "Forecast  if resumed now: ends about " in text
    assert "people not counted: 1 question ahead, 1 min 00 s in the past" in text


def test_status_without_history_says_so(drctl, home):
    for path in sorted((home / "runs").iterdir())[:-1]:
        shutil.rmtree(path)
    assert "no past run" in drctl("status", "last").out


def test_actions_are_noted_carried_and_closed(drctl):
    noted = drctl(
        "note", "last", "lower the TTL", "--kind", "action", "--owner", "net", "--due", "2026-03-01"
    )
    assert noted.status == 0, str(noted)
    identity = noted.out.strip().removesuffix(".").rpartition(" ")[2]
    assert identity.startswith("20260131-031200-failover-1f0c/")
    closed = drctl("note", "20260110", "it is 60 s now", "--closes", identity)
    assert f"action {identity} is closed" in closed.out
    again = drctl("note", "last", "twice", "--closes", identity)
    assert again.status == 2
    assert "closed already" in again.err
    assert "is no action" in drctl("note", "last", "x", "--closes", "1").err


@pytest.mark.parametrize("wrong", [("--due", "soon", "--kind", "action"), ("--owner", "me")])
def test_notes_refuse_what_makes_no_sense(drctl, wrong):
    ran = drctl("note", "last", "x", *wrong)
    assert ran.status == 2
    assert "Traceback" not in ran.err


def test_report_check_lists_what_people_have_yet_to_say(drctl):
    before = drctl("report", "last", "--check")
    assert before.status == 8, str(before)
    asked = dict(line.split(maxsplit=1) for line in before.out.splitlines())
    assert asked["severity"].startswith("drctl note 20260131-031200-failover-1f0c")
    assert "--kind cause" in asked["causes"]
    assert drctl("note", "last", "A fire in room 2", "--kind", "cause").status == 0
    after = {line.split()[0] for line in drctl("report", "last", "--check").out.splitlines()}
    assert set(asked) - after == {"causes"}


@pytest.mark.parametrize("language", ["en", "fr"])
def test_handover_and_messages(drctl, language):
    page = drctl("handover", "last", "--lang", language)
    assert page.status == 0, str(page)
    assert len(page.out.splitlines()) <= 80
    assert "drctl answer 20260131-031200-failover-1f0c go …" in page.out
    for audience in ("radiologists", "management", "authority"):
        ran = drctl("message", "last", "--to", audience, "--lang", language)
        assert ran.status == 0, str(ran)
        assert "20260131-031200-failover-1f0c" in ran.out
    document = drctl("message", "last", "--to", "authority", "--json").documents[0]
    assert set(document) == {"run", "to", "lang", "lines", "text"}
    facts = drctl("handover", "last", "--json").documents[0]
    assert facts["state"] == "interrupted"
    assert facts["forecast"]["runs"] == 3


def test_messages_are_taken_from_beside_the_runbook(drctl, home, tmp_path_factory):
    team = tmp_path_factory.mktemp("team")
    (team / "messages" / "fr").mkdir(parents=True)
    (team / "messages" / "fr" / "nurses.txt").write_text("{{ title }} : {{ state }}")
    directory = home / "runs" / "20260131-031200-failover-1f0c"
    origins = {"runbook": str(team / "pacs.yaml"), "inventory": str(team / "estate.yaml")}
    (directory / "origin.json").write_text(json.dumps(origins))
    assert drctl("message", "last", "--to", "nurses", "--lang", "fr").out == "Loss of Paris : interrupted\n"
    unknown = drctl("message", "last", "--to", "nurses")
    assert unknown.status == 2
    assert "There are: authority, management, radiologists." in unknown.err
    assert drctl("message", "last", "--templates", team / "none").status == 2


def test_a_head_is_signed_verified_and_refutes_what_came_of_it(drctl, home, tmp_path):
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    allowed = tmp_path / "allowed"
    allowed.write_text(f"duty@clinic.example {key.with_suffix('.pub').read_text()}")
    run = "20260131-031200-failover-1f0c"
    signed = drctl("sign", run, "--key", key, "--json")
    assert signed.status == 0, str(signed)
    assert signed.documents[0]["namespace"] == "drctl-journal"
    good = drctl("verify", run, "--allowed-signers", allowed)
    assert "ok     signature: good, by duty@clinic.example" in good.out
    assert "ok     end: line" in good.out
    journal = home / "runs" / run / "journal.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    cut = drctl("verify", run, "--allowed-signers", allowed)
    assert cut.status == 1
    assert "WRONG  end: no line has this head" in cut.out
    assert "intact up to line" in drctl("verify", run, "--signed", tmp_path / "none").out
    assert drctl("verify", run, "--allowed-signers", tmp_path / "nobody").status == 2
    assert drctl("sign", run, "--key", tmp_path / "nothing").status == 2


def test_a_finished_run_needs_no_forecast(drctl, home):
    Story(home, "20260201-000000-failover-dddd", START + timedelta(days=1)).whole()
    assert drctl("status", "last", "--json").documents[0]["forecast"] is None
    assert "Forecast" not in drctl("status", "last").out


def test_a_tampered_journal_is_told_by_nobody(drctl, home):
    journal = home / "runs" / "20260131-031200-failover-1f0c" / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:5], lines[6], lines[5], *lines[7:]]))
    for verb in (
        ("handover",),
        ("message", "--to", "authority"),
        ("sign", "--key", str(journal)),
        ("verify",),
    ):
        ran = drctl(verb[0], "20260131", *verb[1:])
        assert ran.status == 1, str(ran)
        assert "line 6 has number 6 where 5 is due" in ran.err


@pytest.mark.parametrize("verb", ["coverage", "sign", "verify", "handover", "message", "note"])
def test_every_verb_has_an_example_and_its_exit_codes(drctl, verb):
    ran = drctl(verb, "--help")
    assert ran.status == 0
    assert f"drctl {verb}" in ran.out.partition("Example")[2]
    assert "Exit codes:" in ran.out
    assert verb in drctl("--help").out


def test_plan_and_precheck_use_what_past_runs_left(user):
    someone = user()
    steps = ({"step": "stop-source[any]", "kind": "action", "phase": "Fence"},)
    past = Story(someone.home, "20260101-000000-failover-aaaa", inventory=LAB, steps=steps)
    past.do("stop-source[any]", 30).note("lower the TTL", "action", owner="network").end()
    looked = someone.drctl("precheck", SHIPPED)
    assert "Open actions of earlier runs: 1" in looked.out
    assert "lower the TTL (network, no date)" in looked.out
    planned = someone.drctl("plan", SHIPPED, "--json")
    found = planned.documents[0]
    assert found["forecast"]["runs"] == 1
    assert found["forecast"]["end"]["p50_seconds"] == 30
    assert "go" not in found["forecast"]["unknown"]
    assert found["open_actions"][0]["owner"] == "network"
    assert (
        "expected duration at least 30 s (P50), 30 s (P90), from 1 past run"
        in someone.drctl("plan", SHIPPED).out
    )


def test_after_a_failover_of_the_lab_everything_it_did_is_covered(user):
    someone = user("site-down:paris")
    ended = someone.fail_over()
    assert ended.status in {0, 8}, ended
    found = someone.drctl("coverage", SHIPPED, "--json").documents[0]
    steps = {step["step"]: step for step in found["steps"]}
    assert found["counts"]["never"] == 0
    assert not any(step["gone"] for step in steps.values())
    assert found["stale"] == []
    done = {step for step, data in someone.of("StepFinished").items() if data["how"] != "unchanged"}
    prechecks = {step for step, data in someone.of("StepPlanned").items() if data["precheck"]}
    assert {name for name, step in steps.items() if step["status"] == "for real"} == done - prechecks
    changed = SHIPPED.read_text().replace("role: incident-commander", "role: duty-manager", 1)
    edited = someone.home / "edited.yaml"
    edited.write_text(changed)
    again = someone.drctl("coverage", edited, "--json").documents[0]
    assert again["stale"] == ["go"]
    page = someone.drctl("handover", "last", "--lang", "fr")
    assert page.status == 0, str(page)
    assert len(page.out.splitlines()) <= 80
    assert someone.drctl("message", "last", "--to", "authority").status == 0
    planned = someone.drctl("plan", SHIPPED, "--json").documents[0]["forecast"]
    assert planned["runs"] == 1
