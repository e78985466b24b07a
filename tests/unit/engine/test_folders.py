"""Which folders a drill made, as its journal has it, and the steps that take them away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from drctl.core import events as ev
from drctl.core.events import Recorded
from drctl.core.provider import Registry
from drctl.core.run import Run
from drctl.engine.folders import made_folders, removals

BEGAN = datetime(2026, 1, 31, 3, 0, tzinfo=UTC)
PATH = "DRILL/TODAY"
CHANGE = ev.ChangeData(summary="registers")


def look(*there: str, endpoint: str = "vc") -> list[ev.EventData]:
    """The drill's look at a vCenter before it made anything."""
    finding = ev.FindingData(level="ok", summary="nothing")
    folders = [{"name": path, "id": f"old-{path}"} for path in there]
    values = {"vms": [], "datastores": [], "folders": folders}
    step = f"bubble[{endpoint}]"
    return [ev.Observed(step=step, finding=finding, values=values)]


def registers(*made: str, endpoint: str = "vc") -> list[ev.EventData]:
    """A machine put in, with the folders that this made."""
    step = f"register[{endpoint}]"
    planned = ev.StepPlanned(
        step=step, title=step, phase="Compute", kind="action", verdict="will", endpoint=endpoint,
        action="vsphere.vm.register",
    )  # fmt: skip
    started = ev.StepStarted(step=step, attempt=1, change=CHANGE, objects=("vm web-drill at south",))
    handles = [ev.StepHandle(step=step, kind="folder", id=f"new-{path}", summary=path) for path in made]
    task = ev.StepHandle(step=step, kind="task", id="task-1", summary="registering web-drill")
    return [planned, started, *handles, task]


def made(*parts: list[ev.EventData]) -> dict[str, dict[str, str | None]]:
    events = [event for part in parts for event in part]
    records = [Recorded(n, BEGAN + timedelta(seconds=n), "engine", event) for n, event in enumerate(events)]
    return made_folders(Run.of(records), records, PATH)


def test_what_was_there_before_is_not_the_drills() -> None:
    assert made(look("DRILL", PATH), registers()) == {}
    assert made(look("DRILL"), registers(PATH)) == {"vc": {PATH: f"new-{PATH}"}}


def test_one_whose_making_was_not_journaled_any_more_is_the_drills_all_the_same() -> None:
    assert made(look(), registers("DRILL")) == {"vc": {"DRILL": "new-DRILL", PATH: None}}


def test_where_no_machine_was_put_in_nothing_was_made() -> None:
    assert made(look(), look(endpoint="other"), registers(endpoint="other")) == {
        "other": {"DRILL": None, PATH: None}
    }


def test_a_journal_without_such_a_look_counts_what_it_says_was_made_alone() -> None:
    finding = ev.FindingData(level="ok", summary="nothing")
    before: list[ev.EventData] = [
        ev.Observed(step="bubble[vc]", finding=finding, values={"vms": [], "datastores": []})
    ]
    assert made(before, registers()) == {}
    assert made(before, registers("DRILL")) == {"vc": {"DRILL": "new-DRILL"}}


def test_the_innermost_goes_first_and_only_where_a_provider_has_folders() -> None:
    found = {"vc": {"DRILL": "a", PATH: None}, "dns": {"DRILL": "b"}}
    steps = list(removals(Registry(), {"vc": "vsphere", "dns": "dns"}, found, "south", frozenset({"undo.x"})))
    assert [(step.id, sorted(step.needs)) for step in steps] == [
        (f"undo.folder[vc/{PATH}]", ["undo.x"]),
        ("undo.folder[vc/DRILL]", [f"undo.folder[vc/{PATH}]"]),
    ]
