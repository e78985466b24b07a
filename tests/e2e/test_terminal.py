"""A run on a real terminal of 80 by 24: the moving display, questions, Ctrl-C, a dropped connection."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from installed import DRCTL, User
from terminal import PATIENCE, Terminal

from drctl.core.clock import SystemClock
from drctl.engine.chain import scan
from drctl.engine.home import RunDirectory, is_alive

RUNBOOK = """\
drctl: 1
kind: runbook
name: small
title: A file moves
owner: tests
objectives: {rto: 1h, rpo: 2h}
direction: {source: paris, target: lyon}
phases:
  - name: Decide
    steps:
      - {id: go, gate: {ask: "Is Paris lost, and does Lyon take over?", role: incident-commander, timeout: 30m}}
  - name: Move
    steps:
      - {id: open, uses: check.tcp, with: {host: 127.0.0.1, port: PORT}, until: {timeout: 5m, every: 0.2s}}
      - {id: site, uses: ssh.put, on: edge-lyon, with: {path: /etc/edge/active-site, content: "lyon\\n"}}
      - {id: call, manual: {do: Call the carrier., role: network, evidence: Ticket number}}
"""


class Port:
    """A port of this machine that opens when a test says so: the step ``open`` runs until then."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.number = self._socket.getsockname()[1]

    def open(self) -> None:
        self._socket.listen()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def port() -> Iterator[Port]:
    port = Port()
    yield port
    port.close()


@pytest.fixture
def runbook(port: Port, tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(RUNBOOK.replace("PORT", str(port.number)))
    return path


@contextmanager
def at_terminal(someone: User, *arguments: str | Path) -> Iterator[Terminal]:
    with Terminal([DRCTL, *arguments], someone.environment) as terminal:
        yield terminal


def take_over(someone: User, runbook: Path, *options: str) -> Terminal:
    arguments: list[str | Path] = [DRCTL, "failover", runbook, "--yes", "--reason", "test", *options]
    return Terminal(arguments, someone.environment)


def wait_until_journaled(someone: User, kind: str) -> None:
    """Wait, without a fixed pause, until the journal holds an event of a kind."""
    clock, looked = SystemClock(), threading.Event()
    deadline = clock.monotonic() + PATIENCE
    while kind not in [event["type"] for event in someone.events()]:
        assert clock.monotonic() < deadline, f"no {kind} in the journal"
        clock.sleep(0.05, looked)


def test_a_run_is_confirmed_asked_shown_and_summed_up(
    user: Callable[..., User], runbook: Path, port: Port
) -> None:
    someone = user()
    port.open()
    with at_terminal(someone, "failover", runbook) as terminal:
        terminal.wait_for(r"Type lyon to fail over")
        terminal.type("lyon\n")
        terminal.wait_for(r"DECISION go \(incident-commander\), (30|29) min")
        terminal.wait_for(r"Is Paris lost, and does Lyon take over\?")
        terminal.type("maybe\n")
        terminal.wait_for(r"'maybe' is no answer")
        terminal.type("\n")
        terminal.wait_for(r"Phases +Decide +\[\.+\] +0/1 done, 1 waiting")
        terminal.wait_for(r"DECISION go")
        terminal.type("go said the crisis cell\n")
        terminal.wait_for(r"MANUAL STEP call \(network\), evidence wanted: Ticket number")
        terminal.type("done TICKET-7\n")
        terminal.wait_for(r"Completed: everything as wished\.")
        assert terminal.end() == 0
    answers = {event["data"]["step"]: event for event in someone.events() if event["data"].get("via")}
    assert answers["go"]["data"]["via"] == "terminal"
    assert answers["go"]["data"]["reason"] == "said the crisis cell"
    assert answers["go"]["actor"] == answers["go"]["data"]["by"], "a person's answer is a person's line"
    assert answers["call"]["data"]["evidence"] == "TICKET-7"
    head = scan(someone.last / "journal.jsonl").head.digest
    assert head in terminal.text, "the head hash stays on the page"
    assert str(someone.last / "incident.md") in terminal.text.replace("\n", "")
    assert terminal.seen.rfind("\x1b[?1049l") > terminal.seen.rfind("\x1b[?1049h"), "the screen is given back"
    assert COLOUR.search(terminal.seen), "colours underline where they are welcome"
    assert terminal.seen.rfind("\x1b[?25h") > terminal.seen.rfind("\x1b[?25l"), "the cursor is given back"


def test_a_run_verifies_with_the_head_it_printed_until_a_copy_is_edited(
    user: Callable[..., User], runbook: Path, port: Port
) -> None:
    someone = user()
    port.open()
    with take_over(someone, runbook) as terminal:
        terminal.wait_for(r"DECISION go")
        terminal.type("go\n")
        terminal.wait_for(r"MANUAL STEP call")
        terminal.type("done\n")
        assert terminal.end() == 0
    printed = re.search(r"head +([0-9a-f]{64})", terminal.text)
    assert printed
    ran = someone.drctl("verify", "last", "--head", printed[1])
    assert ran.status == 0, str(ran)
    assert ran.out.count("\n  ok ") == 5
    for name in ("runbook.yaml", "inventory.yaml", "plan.json"):
        copy = someone.last / name
        before = copy.read_text()
        copy.write_text(before.replace("lyon", "nice"))
        ran = someone.drctl("verify")
        assert ran.status == 1, str(ran)
        assert f"WRONG  {name}: is not" in ran.out
        copy.write_text(before)
    assert someone.drctl("verify").status == 0


def test_the_moving_display_fits_80_by_24(user: Callable[..., User], runbook: Path, port: Port) -> None:
    someone = user()
    with take_over(someone, runbook) as terminal:
        terminal.wait_for(r"DECISION go")
        terminal.type("go\n")
        terminal.wait_for(r"\d s +open +\S+")
        terminal.wait_for(r"From another terminal: drctl status")
        screens = re.findall(r"\x1b\[H(.*?)(?=\x1b\[H|\x1b\[\?1049l|$)", terminal.seen, re.DOTALL)
        lines = [
            re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen).split("\n")
            for screen in screens[:-1]
            if "RTO" in screen
        ]
        assert lines, "nothing was drawn in place"
        assert {len(screen) for screen in lines} == {24}
        assert max(len(line.rstrip("\r")) for screen in lines for line in screen) <= 80
        port.open()
        terminal.wait_for(r"MANUAL STEP call")
        terminal.type("done\n")
        assert terminal.end() == 0


def test_what_was_typed_before_a_question_does_not_answer_it(
    user: Callable[..., User], runbook: Path, port: Port
) -> None:
    someone = user()
    with take_over(someone, runbook) as terminal:
        terminal.wait_for(r"DECISION go")
        terminal.type("go\n")
        terminal.wait_for(r"\d s +open +\S+")
        terminal.type("done typed too early\n")
        port.open()
        terminal.wait_for(r"MANUAL STEP call")
        terminal.wait_for(r"Enter alone")
        terminal.type("done in time\n")
        assert terminal.end() == 0
    assert someone.of("ManualRecorded")["call"]["evidence"] == "in time"


def test_ctrl_c_lets_running_steps_end_and_the_run_goes_on_later(
    user: Callable[..., User], runbook: Path, port: Port
) -> None:
    someone = user()
    with take_over(someone, runbook) as terminal:
        terminal.wait_for(r"DECISION go")
        terminal.type("go\n")
        terminal.wait_for(r"\d s +open +\S+")
        terminal.type("\x03")
        terminal.wait_for(r"STOPPING: nothing new starts")
        port.open()
        terminal.wait_for(r"Interrupted; nothing is lost")
        terminal.wait_for(r"drctl resume \d{8}-\d{6}-failover-\w{4}")
        assert terminal.end() == 130
    assert someone.of("StepFinished")["open"]["how"] == "observed"
    assert "site" not in someone.of("StepStarted")
    with at_terminal(someone, "resume") as terminal:
        terminal.wait_for(r"MANUAL STEP call")
        terminal.type("done\n")
        assert terminal.end() == 0
    assert [e["data"]["why"] for e in someone.events() if e["type"] == "RunPaused"] == ["interrupted"]


def test_ctrl_c_at_a_question_pauses_at_once(user: Callable[..., User], runbook: Path) -> None:
    someone = user()
    with take_over(someone, runbook) as terminal:
        terminal.wait_for(r"DECISION go")
        terminal.type("\x03")
        terminal.wait_for(r"Interrupted; nothing is lost")
        terminal.wait_for(r"drctl answer \S+ go …  # go or no-go")
        assert terminal.end() == 130


def test_ctrl_c_twice_lets_go_of_running_steps(user: Callable[..., User], runbook: Path) -> None:
    someone = user()
    with take_over(someone, runbook) as terminal:
        terminal.wait_for(r"DECISION go")
        terminal.type("go\n")
        terminal.wait_for(r"\d s +open +\S+")
        terminal.type("\x03")
        terminal.wait_for(r"STOPPING")
        terminal.type("\x03")
        terminal.wait_for(r"Interrupted; nothing is lost")
        assert terminal.end() == 130
    assert someone.events()[-1]["data"]["why"] == "interrupted"


def test_a_run_whose_terminal_is_dropped_goes_on_and_waits_where_it_must(
    user: Callable[..., User], runbook: Path, port: Port
) -> None:
    someone = user()
    with take_over(someone, runbook) as terminal:
        terminal.wait_for(r"DECISION go")
        terminal.type("go\n")
        terminal.wait_for(r"\d s +open +\S+")
        terminal.hang_up()
        port.open()
        wait_until_journaled(someone, "ManualOpened")
        assert terminal.process.poll() is None
        assert is_alive(RunDirectory(someone.last))
        ran = someone.drctl("answer", "last", "call", "done", "--evidence", "TICKET-9")
        assert ran.status == 0, str(ran)
        assert terminal.end() == 0
    assert someone.events()[-1]["type"] == "RunFinished"


def test_a_terminal_dropped_while_a_question_stands(
    user: Callable[..., User], runbook: Path, port: Port
) -> None:
    someone = user()
    port.open()
    with take_over(someone, runbook) as terminal:
        terminal.wait_for(r"DECISION go")
        terminal.hang_up()
        for step, answer in (("go", "go"), ("call", "done")):
            wait_until_journaled(someone, "GateOpened" if step == "go" else "ManualOpened")
            assert someone.drctl("answer", "last", step, answer).status == 0
        assert terminal.end() == 0


def test_an_answer_from_elsewhere_ends_the_question_here(
    user: Callable[..., User], runbook: Path, port: Port
) -> None:
    someone = user()
    port.open()
    with take_over(someone, runbook) as terminal:
        terminal.wait_for(r"Enter alone")
        assert someone.drctl("answer", "last", "go", "no-go", "--reason", "power is back").status == 0
        terminal.wait_for(r"go has been answered elsewhere")
        terminal.wait_for(r"Aborted: \S+ said no-go at go: power is back\.")
        assert terminal.end() == 1


@pytest.mark.parametrize("option", ["--plain", "TERM=dumb"])
def test_plain_output_moves_no_cursor_and_still_asks(
    user: Callable[..., User], runbook: Path, port: Port, option: str
) -> None:
    someone = user()
    port.open()
    if option == "TERM=dumb":
        someone.extra["TERM"] = "dumb"
    with take_over(someone, runbook, *([option] if option.startswith("-") else [])) as terminal:
        terminal.wait_for(r"DECISION go")
        terminal.type("go\n")
        terminal.wait_for(r"MANUAL STEP call")
        terminal.type("done\n")
        terminal.wait_for(r"\d\d:\d\d:\d\d  Run completed\.")
        assert terminal.end() == 0
    assert "\x1b" not in terminal.seen


COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|38|4[0-7]|48|9[0-7])(?:;\d+)*m")


@pytest.mark.parametrize("option", ["--no-color", "NO_COLOR=yes please"])
def test_no_colour_when_none_is_wanted(
    user: Callable[..., User], runbook: Path, port: Port, option: str
) -> None:
    someone = user()
    command: list[str | Path] = [DRCTL, "failover", runbook, "--yes", "--reason", "test"]
    if option.startswith("--"):
        command.append(option)
    else:
        command = ["/usr/bin/env", option, *command]
    with Terminal(command, someone.environment) as terminal:
        terminal.wait_for(r"DECISION go")
        terminal.type("no-go\n")
        assert terminal.end() == 1
    assert COLOUR.findall(terminal.seen) == []


def test_watching_a_run_that_another_process_drives(
    user: Callable[..., User], runbook: Path, port: Port
) -> None:
    someone = user()
    port.open()
    with take_over(someone, runbook) as driving:
        driving.wait_for(r"DECISION go")
        with at_terminal(someone, "status", "--watch") as watching:
            watching.wait_for(r"waits for a person")
            watching.wait_for(r"drctl answer \S+ go …  # go or no-go")
            driving.type("go\n")
            driving.wait_for(r"MANUAL STEP call")
            watching.wait_for(r"call \(network\), asked")
            driving.type("done\n")
            assert driving.end() == 0
            watching.wait_for(r"State +completed")
            assert watching.end() == 0
    before = json.dumps(someone.events())
    assert someone.drctl("status", "last").status == 0
    assert json.dumps(someone.events()) == before, "looking writes nothing"


def test_ctrl_c_leaves_the_view_and_not_the_run(user: Callable[..., User], runbook: Path, port: Port) -> None:
    someone = user()
    with take_over(someone, runbook) as driving:
        driving.wait_for(r"DECISION go")
        for verb in (("status", "--watch"), ("log", "--follow")):
            with at_terminal(someone, *verb) as watching:
                watching.wait_for(r"Is Paris lost|go: Decision asked")
                watching.type("\x03")
                assert watching.end() == 130
        assert driving.process.poll() is None
        driving.type("no-go\n")
        assert driving.end() == 1
