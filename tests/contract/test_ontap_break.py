"""Breaking mirrors when things are not as they should be: what people do this at three in the morning for."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from contract import Example

from drctl.core.action import Missing
from drctl.core.problem import ProviderError
from drctl.core.provider import Access
from drctl.providers.ontap.promotion import Promotion

LYON = "ontap-lyon"
DESTINATION = "svm_dr:ris_vm_dr"


EXAMPLE = Example("ontap.snapmirror.break", LYON, {"destination": DESTINATION, "quiesce_timeout": 60})
STILL = 0.001
"""A lab whose jobs end only when its clock is pushed."""


@pytest.fixture
def stand(bench):
    return bench(EXAMPLE)


def relation(stand):
    return next(m for m in stand.world.estate.clusters[LYON].mirrors.values() if m.destination == DESTINATION)


def promote(stand, control=None, **more):
    """Break with a client of its own; return what the control heard and the state found afterwards."""
    action = stand.action.model_copy(update=more)
    control = control or stand.control()
    with stand.connect(Access.WRITE) as client:
        change = action.diff(action.read(client))
        action.apply(client, change, control)
        assert stand.left_to_do(action, client) is None
        return control.said, action.read(client)


def breaks(stand):
    return [call for _, call, target in stand.mutations() if call == "PATCH /snapmirror/relationships"]


def test_a_healthy_mirror_is_quiesced_then_broken(stand):
    said, state = promote(stand)
    assert len(breaks(stand)) == 2
    assert not any(line.startswith("override") for line in said)
    assert (state.mirror.state, state.volume.type) == ("broken_off", "rw")


def test_the_loss_is_counted_from_the_exported_snapshot(stand):
    with stand.world.lock:
        exported = relation(stand).exported
        volume = next(v for v in stand.world.estate.clusters[LYON].volumes.values() if v.name == "ris_vm_dr")
        made = next(s.created for s in volume.snapshots if s.name == exported)
    with stand.connect(Access.READ) as client:
        loss = stand.action.diff(stand.action.read(client)).loss
    assert (loss.volume, loss.snapshot) == (DESTINATION, exported)
    assert abs(loss.recovery_point - made) < timedelta(seconds=1)
    assert loss.clock_skew == 0.0


def test_with_the_source_dead_the_override_is_announced_and_the_source_never_asked(stand):
    stand.world.faults.add("site-down:paris")
    said, state = promote(stand)
    override = next(i for i, line in enumerate(said) if line.startswith("override"))
    assert "force=true" in said[override]
    assert "Failed to contact peer cluster" in said[override]
    assert "with force" in said[override + 1]
    assert state.volume.type == "rw"
    assert stand.world.estate.connections.get("paris", 0) == 0


def test_with_the_peer_unreachable_and_no_override_it_stays_unbroken(stand):
    stand.world.faults.add(f"peer-unreachable:{LYON}")
    with pytest.raises(ProviderError) as refusal:
        promote(stand, override=False)
    assert refusal.value.problem.code == "ontap-262224"
    assert "override" in refusal.value.problem.hint
    assert relation(stand).state != "broken_off"


@pytest.mark.parametrize("dead", [False, True])
def test_a_transfer_that_cannot_end_is_aborted(stand, dead):
    stand.world.faults.add(f"transfer-busy:{DESTINATION}")
    if dead:
        stand.world.faults.add("site-down:paris")
    said, state = promote(stand)
    assert any("aborting the transfer" in line for line in said)
    assert "PATCH /snapmirror/relationships/{relationship.uuid}/transfers" in {
        call for _, call, _ in stand.mutations()
    }
    assert state.mirror.state == "broken_off"
    assert state.recovery_point is not None


def test_a_quiesce_that_never_ends_does_not_stop_the_break(stand):
    stand.world.faults.add(f"quiesce-stuck:{DESTINATION}")
    said, state = promote(stand)
    assert any("did not become quiet" in line for line in said)
    assert state.mirror.state == "broken_off"


def test_an_unhealthy_mirror_is_broken(stand):
    with stand.world.lock:
        relation(stand).healthy = False
        relation(stand).unhealthy_reason = [("6621444", "Update failed on item relationships.")]
    stand.world.faults.add("site-down:paris")
    _, state = promote(stand)
    assert (state.mirror.state, state.volume.type) == ("broken_off", "rw")


def test_a_synchronous_mirror_is_quiesced_first_and_loses_nothing(stand):
    with stand.world.lock:
        relation(stand).policy = "Sync"
    with stand.connect(Access.READ) as client:
        assert stand.action.diff(stand.action.read(client)).loss is None
    said, state = promote(stand)
    assert (state.mirror.state, state.volume.type) == ("broken_off", "rw")
    assert not any(line.startswith("override") for line in said)


def test_a_failed_job_fails_the_step_with_ontaps_code(stand):
    stand.world.faults.add(f"job-failed:{LYON}")
    with pytest.raises(ProviderError) as failure:
        promote(stand)
    assert failure.value.problem.code.removeprefix("ontap-").isdigit()
    assert not failure.value.effect_unknown


def test_a_forgotten_job_is_no_failure(stand):
    stand.world.faults.add(f"job-forgotten:{LYON}")
    _, state = promote(stand)
    assert state.mirror.state == "broken_off"


def test_a_break_that_may_have_happened_says_so_and_is_found_done(stand):
    """The reply to the break itself is lost: quiesced before, so it is the first change sent."""
    with stand.connect(Access.WRITE) as client:
        action = stand.action
        assert Promotion(client, stand.control(), DESTINATION).quiesce()
        change = action.diff(action.read(client))
        stand.world.faults.add(f"reply-lost:{LYON}:once")
        with pytest.raises(ProviderError) as doubt:
            action.apply(client, change, stand.control())
        assert doubt.value.effect_unknown
        sent = len(breaks(stand))
        assert stand.left_to_do(action, client) is None
    assert len(breaks(stand)) == sent


def test_a_job_still_at_it_is_found_so_that_no_second_is_started(bench):
    stand = bench(EXAMPLE, STILL)
    with stand.connect(Access.WRITE) as client:
        action = stand.action
        since = datetime.now(UTC) - timedelta(minutes=5)
        assert action.find_running(client, since) is None
        change = action.diff(action.read(client))
        control = Hasty(stand.world)
        with pytest.raises(Letting):
            action.apply(client, change, control)
        running = action.find_running(client, since)
        assert running.id == control.handles[-1].id
        stand.world.advance(600)
        assert action.find_running(client, since) is None


def test_what_was_never_initialised_cannot_be_taken_over(stand):
    with stand.world.lock:
        relation(stand).state = "uninitialized"
    with stand.connect(Access.READ) as client, pytest.raises(ProviderError) as blocked:
        stand.action.diff(stand.action.read(client))
    assert blocked.value.problem.code == "ontap-uninitialized"


def test_without_relationship_it_is_missing_until_the_volume_is_writable(stand):
    with stand.world.lock:
        cluster = stand.world.estate.clusters[LYON]
        cluster.mirrors.pop(relation(stand).uuid)
    with stand.connect(Access.READ) as client:
        with pytest.raises(Missing):
            stand.action.diff(stand.action.read(client))
        with stand.world.lock:
            next(v for v in cluster.volumes.values() if v.name == "ris_vm_dr").type = "rw"
        assert stand.action.diff(stand.action.read(client)) is None


def test_the_whole_site_is_broken_in_parallel_over_one_client(stand):
    stand.world.faults.add("site-down:paris")
    destinations = sorted(m.destination for m in stand.world.estate.clusters[LYON].mirrors.values())
    failures = []

    def work(client, destination):
        try:
            Promotion(client, stand.control(), destination).run()
        except ProviderError as error:
            failures.append(error.problem)

    with stand.connect(Access.WRITE) as client:
        threads = [threading.Thread(target=work, args=(client, each)) for each in destinations]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        kind = type(stand.action)
        states = kind.read_many([kind(destination=each) for each in destinations], client)
    assert len(destinations) > 3
    assert {state.mirror.state for state in states} == {"broken_off"}
    assert {state.volume.type for state in states} == {"rw"}


class Letting(BaseException):
    """What the engine raises in a step that must let go."""


class Hasty:
    """A control that lets go at the first wait after the break was asked for."""

    mark = "drctl:contract:step"

    def __init__(self, world):
        self.world = world
        self.handles = []

    def progress(self, message, fraction=None):
        pass

    def override(self, what, why):
        pass

    def handle(self, handle):
        self.handles.append(handle)

    def sleep(self, seconds):
        if self.handles and self.handles[-1].summary.startswith("break"):
            raise Letting
        self.world.advance(seconds)

    def remaining(self):
        return 600.0
