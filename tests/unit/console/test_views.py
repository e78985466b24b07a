"""Lines and documents for those without a moving display, and the moving display without its movement."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from journals import RUN, FrozenClock, Story, apply, ask, begin, complete, fence, go, problem

from drctl.console.board import Board, Life
from drctl.console.closing import Closing, closing_lines
from drctl.console.live import LiveView
from drctl.console.plain import JsonView, PlainView
from drctl.console.standing import Standing, standing_document, standing_lines
from drctl.core import events as ev
from drctl.core.problem import ExitCode


def closing(story: Story, code: ExitCode) -> str:
    return "\n".join(
        closing_lines(Closing(story.records, "d" * 64, len(story.records), code, Path("incident.md")))
    )


def standing(story: Story, *, alive: bool) -> Standing:
    board = Board()
    board.hear(story.records)
    return Standing(
        RUN, board, Life(alive, 2.0), story.now, "d" * 64, len(story.records), Path("incident.md")
    )


def test_plain_is_one_line_per_event_in_utc() -> None:
    lines: list[str] = []
    story = complete(go(begin()))
    PlainView(lines.append).hear(story.records)
    assert lines[0].startswith("02:30:00  Run 20260131-023000-failover-0a1b begins")
    assert "02:31:31  go: GO by sam@desk.example: power is gone." in lines
    assert lines[-1] == "02:33:31  Run completed with exceptions."
    assert not any("\n" in line or "\x1b" in line for line in lines)


def test_plain_shows_of_a_resumed_run_what_comes_from_then_on() -> None:
    story = go(begin()).say(ev.RunPaused(why="interrupted", exit=130))
    story.say(ev.LockTaken(epoch=2, owner="sam", host="desk.example", pid=1, took_over_from="kim"))
    lines: list[str] = []
    view = PlainView(lines.append)
    view.hear(story.records)
    view.hear(Story().say(ev.RunResumed(by="sam")).records)
    assert [line[10:] for line in lines] == ["Taken over by sam on desk.example from kim.", "Resumed by sam."]


def test_targets_cannot_move_the_cursor_of_a_plain_log() -> None:
    lines: list[str] = []
    evil = problem("bad\x1b[2J\r\nnews")
    PlainView(lines.append).hear(begin().say(ev.StepFailed(step="break", problem=evil)).records)
    assert lines[-1].endswith("break: Failed: bad [2J  news.")


def test_json_is_every_event_and_nothing_else() -> None:
    lines: list[str] = []
    story = complete(go(begin()))
    JsonView(lines.append).hear(story.records)
    documents = [json.loads(line) for line in lines]
    assert [document["seq"] for document in documents] == list(range(len(story.records)))
    assert documents[0]["data"]["run"] == RUN
    assert documents[0]["at"] == "2026-01-31T02:30:00.000+00:00"


def test_the_end_is_summed_up_in_a_few_lines() -> None:
    text = closing(complete(go(begin())), ExitCode.EXCEPTIONS)
    assert "Completed with exceptions" in text
    assert "took      3 min 31 s, of which waiting for people 2 min 30 s" in text
    assert "2 of 2 answer" in text
    assert "The archive: after 5 min 31 s, RTO 10 min 00 s met" in text
    assert "lost      up to 35 min of data (south:db)" in text
    assert "unproven: stop (2 steps)" in text
    assert f"head      {'d' * 64}" in text
    assert "Incident log: incident.md" in text
    assert text.splitlines()[-4:] == [
        "Next:",
        f"  drctl note {RUN} TEXT --kind back-to-normal",
        f"  drctl reprotect {RUN}  # once north is back",
        f"  drctl report {RUN}",
    ]
    assert max(map(len, text.splitlines())) <= 80
    assert len(text.splitlines()) <= 24


@pytest.mark.parametrize("answer", ["no-go", "abort"])
def test_a_run_somebody_ended_says_who_and_offers_no_resume(answer: str) -> None:
    story = ask(begin())
    if answer == "no-go":
        story.say(ev.GateAnswered(step="go", answer="no-go", by="kim", reason="power is back"))
    else:
        story.say(ev.AbortRequested(by="kim", reason="power is back"))
    text = closing(story.say(ev.RunFinished(outcome="aborted", exit=1)), ExitCode.FAILED)
    assert "kim" in text.splitlines()[0]
    assert "power is back" in text.splitlines()[0]
    assert "resume" not in text
    assert "lost      no data: the run ended before a mirror was broken" in text


def test_a_stopped_run_ends_with_the_commands_to_type() -> None:
    story = fence(go(begin())).say(ev.StepFailed(step="break", problem=problem("no licence")))
    text = closing(story.say(ev.RunPaused(why="failed", steps=("break",), exit=1)), ExitCode.FAILED)
    resume = f"drctl resume {RUN}  # tries again what failed"
    commands = [resume, f"drctl retry {RUN} break", f"drctl skip {RUN} break --reason '…'"]
    assert [line.strip() for line in text.splitlines()[-3:]] == commands


def test_what_stopped_a_run_says_what_to_do_in_names_that_can_be_copied() -> None:
    names = " ".join(f"edge-of-lyon-{number}" for number in range(9))
    trouble = ev.ProblemData(code="ssh", summary=f"cannot read {names}", hint="Look at /var/log/secure.")
    text = closing(begin().say(ev.StepFailed(step="break", problem=trouble)), ExitCode.FAILED)
    assert "→ Look at /var/log/secure." in " ".join(text.split())
    assert set(names.split()) <= set(text.split()), "no name is broken at its hyphens"


def test_status_lists_what_runs_waits_and_went_wrong() -> None:
    story = ask(begin())
    text = "\n".join(standing_lines(standing(story, alive=True)))
    assert "State     waits for a person" in text
    assert "Engine    alive: kim on jump.example, pid 4711, last sign of life 2 s ago" in text
    assert "  go (incident-commander), asked 0.0 s ago, 30 min 00 s left" in text
    story = fence(go(story)).say(ev.StepStarted(step="break"))
    story.say(ev.StepIndeterminate(step="break", problem=problem("reply lost", hint="Look at the array.")))
    text = "\n".join(standing_lines(standing(story, alive=False)))
    assert "State     interrupted: its engine is gone" in text
    assert "  indeterminate: break: reply lost\n      → Look at the array." in text
    assert "stop[a], stop[b]" in text
    assert f"  drctl resume {RUN}" in text


def test_status_as_a_document() -> None:
    story = fence(go(begin())).say(ev.StepStarted(step="break"), after=1)
    document: Any = standing_document(standing(story, alive=True))
    assert json.loads(json.dumps(document)) == document
    assert document["state"] == "running"
    assert document["running"][0]["step"] == "break"
    assert [p["step"] for p in document["problems"]] == ["stop[a]", "stop[b]"]
    assert document["rto"]["first_due"] == "The archive"
    asked: Any = standing_document(standing(ask(begin()), alive=True))
    waiting = asked["waiting"]
    assert waiting[0]["overdue"] is False
    assert waiting[0]["answer"] == f"drctl answer {RUN} go …  # go or no-go"


def test_quoted_commands_survive_a_shell() -> None:
    story = fence(go(begin())).say(ev.StepFailed(step="vm[it's].power", problem=problem("no")))
    assert f"drctl retry {RUN} 'vm[it'\"'\"'s].power'" in closing(story, ExitCode.FAILED)


class Gone(io.StringIO):
    """A terminal that has been hung up."""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


def test_a_terminal_that_goes_away_ends_the_display_only() -> None:
    lost: list[str] = []
    story = apply(fence(go(begin())), "break")
    with LiveView(FrozenClock(), color=True, lost=lambda: lost.append("once"), output=Gone()) as view:
        view.hear(story.records)
        with view.pause():
            pass
    assert lost == ["once"]
    assert any("Move" in row.text for row in view.rows())


@pytest.mark.parametrize("mode", ["reprotect", "cleanup"])
def test_a_run_that_restores_nothing_counts_no_rto(mode: str) -> None:
    story = complete(go(begin()))
    first = story.records[0]
    assert isinstance(first.event, ev.RunStarted)
    changed = first.event.model_copy(update={"mode": mode})
    story.records[0] = replace(first, event=changed)
    assert "services" not in closing(story, ExitCode.OK)
    shown = "\n".join(standing_lines(standing(story, alive=False)))
    assert "RTO       none: no service waits for this run" in shown
