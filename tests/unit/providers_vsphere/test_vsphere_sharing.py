"""Reads shared between threads: never more than one under way, never an answer from the past."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from drctl.providers.vsphere.sharing import Shared


def test_one_thread_reads_each_time():
    shared: Shared[int] = Shared()
    counter = iter(range(10))
    assert [shared.get("vms", lambda: next(counter)) for _ in range(3)] == [0, 1, 2]


def test_an_answer_was_read_after_it_was_asked_for():
    shared: Shared[int] = Shared()
    world = 0
    reading, go_on, asked = threading.Event(), threading.Event(), threading.Barrier(9)
    reads = []

    def read() -> int:
        seen = world
        reads.append(seen)
        if len(reads) == 1:
            reading.set()
            assert go_on.wait(10)
        return seen

    def ask() -> int:
        asked.wait(10)
        return shared.get("vms", read)

    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(shared.get, "vms", read)
        assert reading.wait(10)
        world = 1  # what the read under way has already missed
        later = [pool.submit(ask) for _ in range(8)]
        asked.wait(10)
        while "vms" not in shared._next:
            threading.Event().wait(0.001)
        go_on.set()
        assert first.result(10) == 0
        assert {one.result(10) for one in later} == {1}
    assert reads[0] == 0
    assert 2 <= len(reads) <= 9


def test_an_error_reaches_all_who_share_it_and_is_not_kept():
    shared: Shared[int] = Shared()

    def fail() -> int:
        raise LookupError("gone")

    with pytest.raises(LookupError):
        shared.get("vms", fail)
    assert shared.get("vms", lambda: 7) == 7


def test_keys_do_not_wait_for_each_other():
    shared: Shared[str] = Shared()
    reading, go_on = threading.Event(), threading.Event()

    def slow() -> str:
        reading.set()
        assert go_on.wait(10)
        return "vms"

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(shared.get, "vms", slow)
        assert reading.wait(10)
        assert shared.get("hosts", lambda: "hosts") == "hosts"
        go_on.set()
        assert first.result(10) == "vms"


def test_a_read_that_is_over_does_not_end_the_next_one() -> None:
    """Whoever waited may be through before the one it waited for has put its things away."""
    shared: Shared[str] = Shared()
    reading, go, second_done = threading.Event(), threading.Event(), threading.Event()

    def first() -> str:
        shared._running["key"].add_done_callback(lambda _: second_done.wait(10))
        reading.set()
        assert go.wait(10)
        return "first"

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(shared.get, "key", first)
        assert reading.wait(10)
        two = pool.submit(shared.get, "key", lambda: "second")
        two.add_done_callback(lambda _: second_done.set())
        while "key" not in shared._next:
            assert not two.done()
        go.set()
        assert (one.result(20), two.result(20)) == ("first", "second")
    assert shared._running == shared._next == {}
