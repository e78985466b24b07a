"""The clock, waiting, recording, and faults by name."""

from __future__ import annotations

from threading import Thread

import pytest

from drctl.lab.faults import FAULTS, Fault, UnknownFault, parse
from drctl.lab.model import Estate, Site
from drctl.lab.world import World


@pytest.fixture
def world():
    made = World(Estate(sites={"a": Site("a", "A"), "b": Site("b", "B")}), speed=1.0)
    yield made
    made.stop()


def test_advance_runs_callbacks_in_order_chained_ones_too(world):
    seen: list[str] = []

    def first() -> None:
        seen.append("first")
        world.after(5, lambda: seen.append("chained"))

    world.after(20, lambda: seen.append("late"))
    world.after(10, first)
    world.after(16, lambda: seen.append("real"), real=True)
    world.advance(14)
    assert seen == ["first"]
    world.advance(4)
    assert seen == ["first", "chained", "real"]
    world.advance(3)
    assert seen == ["first", "chained", "real", "late"]


def test_time_is_scaled_and_waiting_sees_it():
    world = World(Estate(), speed=1000.0)
    seen: list[int] = []
    world.after(50, lambda: seen.append(1))
    assert world.wait(lambda: bool(seen), 5)
    assert world.real_seconds(1000) == 1
    world.stop()


def test_cancelled_timers_do_nothing(world):
    seen: list[int] = []
    world.after(1, lambda: seen.append(1)).cancel()
    world.after(1, lambda: seen.append(2), real=True).cancel()
    world.advance(10)
    assert seen == []


def test_wait_gives_up(world):
    assert not world.wait(lambda: False, 0.01)


def test_timestamps_are_not_shifted(world):
    before = world.now()
    world.advance(86400)
    assert (world.now() - before).total_seconds() < 5
    assert before.utcoffset().total_seconds() == 0


def test_recording_counts_per_thread(world):
    world.record("a", "ontap", "PATCH /x", "x")
    other = Thread(target=lambda: world.record("a", "ontap", "PATCH /y", "y"))
    other.start()
    other.join()
    assert world.recorded_here() == 1
    assert [m.target for m in world.estate.mutations] == ["x", "y"]


def test_stopped_world_runs_nothing():
    world = World(Estate(), speed=1000.0)
    seen: list[int] = []
    world.stop()
    world.after(0, lambda: seen.append(1))
    assert not world.wait(lambda: bool(seen), 0.05)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("slow", Fault("slow")),
        ("slow:ontap-lyon", Fault("slow", "ontap-lyon")),
        ("slow:once", Fault("slow", once=True)),
        ("transfer-busy:svm_dr:ris_vm_dr", Fault("transfer-busy", "svm_dr:ris_vm_dr")),
        ("transfer-busy:svm_dr:ris_vm_dr:once", Fault("transfer-busy", "svm_dr:ris_vm_dr", once=True)),
    ],
)
def test_faults_are_written_as_they_are_read(text, fault):
    assert parse(text) == fault
    assert parse(str(fault)) == fault


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(UnknownFault) as refused:
        parse("slowly")
    assert all(name in str(refused.value) for name in FAULTS)


def test_once_means_once_and_lifting_lifts(world):
    faults = world.faults
    faults.add("slow:a:once")
    faults.add("http-500:svm_*")
    assert faults.active("slow", "a")
    assert faults.active("slow", "b") is None
    assert faults.take("slow", "a")
    assert faults.take("slow", "a") is None
    assert faults.take("http-500", "svm_dr:x")
    assert faults.take("http-500", "svm_dr:x")
    assert faults.listing() == ["http-500:svm_*"]
    assert faults.lift("http-500")
    assert not faults.lift("http-500")
    assert faults.listing() == []


def test_lifting_one_target_leaves_the_others(world):
    world.faults.add("slow:a")
    world.faults.add("slow:b")
    world.faults.lift("slow:a")
    assert world.faults.listing() == ["slow:b"]
