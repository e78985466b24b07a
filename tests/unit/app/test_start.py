"""A run begins whole or not at all, and says first what everybody will ask later."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta

import pytest
from fake_clock import START
from small_run import use

from drctl.app.start import clock_offset, state_losses
from drctl.core import events as ev
from drctl.core.problem import DrctlError, ExitCode
from drctl.engine.journal import JournalFile
from drctl.engine.people import Answer
from drctl.engine.plan import Checked


def test_what_a_journal_begins_with(site):
    assert site.start() == ExitCode.WAITING
    types = [event.type for event in site.events]
    assert types[:5] == ["RunStarted", "LockTaken", "PlanApproved", "ClockSet", "ClockSet"]
    assert types.index("StepStarted") > max(n for n, name in enumerate(types) if name == "StepPlanned")
    first, owner, approved = site.events[:3]
    assert (first.run, first.mode, first.source.name, first.target.name) == (
        site.directory.id, "failover", "north", "south",
    )  # fmt: skip
    assert (owner.epoch, owner.owner, owner.host, owner.pid) == (1, "ann", "a.example", os.getpid())
    assert (approved.how, approved.reason, approved.plan_digest) == ("yes", "a test", first.plan_digest)
    assert [service.name for service in first.services] == ["pacs"]


def test_the_directory_holds_all_that_resume_needs(site):
    site.start()
    names = {path.name for path in site.directory.path.iterdir()}
    assert {
        "journal.jsonl",
        "runbook.yaml",
        "inventory.yaml",
        "plan.json",
        "incident.md",
        "origin.json",
    } <= names
    assert site.directory.runbook.read_text() == site.files.runbook.read_text()
    assert site.directory.read_origins() == (site.files.runbook, site.files.inventory)


class Dying(JournalFile):
    """A journal whose process dies in the middle of its first write."""

    def _persist(self, content):
        os.write(self._fd, content[: len(content) // 2])
        os.fsync(self._fd)
        raise KeyboardInterrupt


def test_a_run_whose_beginning_is_not_whole_does_not_exist(site):
    """Half a plan must not be resumed: nobody approved it."""
    site.context = replace(site.context, journal_file=Dying)
    with pytest.raises(KeyboardInterrupt):
        site.start()
    assert site.home.all() == []
    with pytest.raises(DrctlError, match="no run was made in"):
        site.home.find("last")
    site.context = replace(site.context, journal_file=JournalFile)
    site.clock.advance(1)
    assert site.start() == ExitCode.WAITING


def test_a_second_run_of_the_same_service_is_refused(site):
    site.start()
    site.clock.advance(1)
    with pytest.raises(DrctlError, match="holds pacs: stopped") as caught:
        site.start()
    assert caught.value.exit_code == ExitCode.LOCKED
    assert len(site.home.all()) == 1


def test_after_the_end_another_may_begin(site):
    site.answers = {"go": Answer("go")}
    assert site.start() == ExitCode.OK
    site.clock.advance(1)
    assert site.start() == ExitCode.OK
    hows = [event.how for event in site.of("StepFinished")]
    assert hows == ["unchanged", "answered", "unchanged"]


@pytest.mark.parametrize(
    ("given", "clocks"),
    [
        ({}, {"impact": (0, "assumed"), "declaration": (0, "assumed")}),
        ({"impact_at": 30}, {"impact": (30, "given"), "declaration": (0, "assumed")}),
        ({"declared_at": 20}, {"impact": (20, "assumed"), "declaration": (20, "given")}),
        ({"detected_at": 25, "declared_at": 20}, {"impact": (25, "assumed"), "detection": (25, "given"), "declaration": (20, "given")}),
    ],
)  # fmt: skip
def test_the_clocks_people_state(site, given, clocks):
    site.start(**{name: START - timedelta(minutes=minutes) for name, minutes in given.items()})
    found = {e.clock: ((START - e.instant).total_seconds() / 60, e.source) for e in site.of("ClockSet")}
    assert found == clocks


@pytest.mark.parametrize(("minutes", "seconds"), [(20, 1200.0), (-5, 0.0)])
def test_a_loss_runs_from_the_recovery_point_to_the_incident(minutes, seconds):
    loss = ev.LossData(volume="v", recovery_point=START - timedelta(minutes=minutes))
    (stated,) = state_losses((loss,), START)
    assert (stated.seconds, stated.incident) == (seconds, START)


@pytest.mark.parametrize(
    ("skews", "offset"), [([], None), ([None], None), ([0.0], 0.0), ([2.0, None, 120, 4.0], -4.0)]
)
def test_our_clock_is_measured_against_those_we_ask(skews, offset):
    finding = ev.FindingData(level="ok", summary="fine")
    checks = [Checked(use("c"), finding, {"clock_skew_seconds": skew}) for skew in skews]
    assert clock_offset([*checks, Checked(use("d"), finding)]) == offset


def test_what_the_mode_leaves_out_is_journaled_as_such(site):
    site.write("""
    - {id: a, uses: thing.set, on: here, with: {thing: a, to: on}}
    - {id: b, uses: thing.set, on: here, with: {thing: b, to: on}, modes: [drill]}
    """)
    assert site.start() == ExitCode.OK
    (skipped,) = site.of("StepSkipped")
    assert (skipped.step, skipped.cause) == ("b", "condition")
    assert site.of("RunFinished")[0].counts == {"succeeded": 1}
