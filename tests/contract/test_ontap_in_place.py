"""Going back in place on the lab: what goes, what must stay, and that nothing goes that nobody named."""

from __future__ import annotations

from datetime import timedelta

import pytest
from contract import Example

from drctl.core.problem import ProviderError
from drctl.core.provider import Access
from drctl.lab import mirrors
from drctl.lab.storage import find_path

LYON, RENNES = "ontap-lyon", "ontap-rennes"
DESTINATION = "svm_dr:ris_vm_dr"
BACK = 3
"""How many snapshots are newer than the one to go back to."""


class Stand:
    """One lab, and the action with the names that a plan would show."""

    def __init__(self, bench):
        self.bench = bench(Example("ontap.snapmirror.break", LYON, {"destination": DESTINATION}))
        self.world = self.bench.world
        names = [snapshot.name for snapshot in self.volume.snapshots]
        self.point, self.newer = names[-BACK - 1], tuple(names[-BACK:])

    @property
    def volume(self):
        return find_path(self.world.estate.clusters[LYON], DESTINATION)

    @property
    def mirror(self):
        return mirrors.find(self.world.estate.clusters[LYON], DESTINATION)

    def action(self, **more):
        arguments = {"destination": DESTINATION, "snapshot": self.point, "may_delete": self.newer, **more}
        return self.bench.build("ontap.snapmirror.break_to_snapshot", arguments)

    def diff(self, **more):
        action = self.action(**more)
        with self.bench.connect(Access.READ) as client:
            return action.diff(action.read(client))

    def refused(self, **more):
        with pytest.raises(ProviderError) as refusal:
            self.diff(**more)
        assert self.bench.mutations() == []
        return refusal.value.problem

    def apply(self, action=None):
        """Apply what a plan saw; return what the control heard."""
        action = action or self.action()
        control = self.bench.control()
        with self.bench.connect(Access.WRITE) as client:
            change = action.diff(action.read(client))
            action.apply(client, change, control)
            assert self.bench.left_to_do(action, client) is None
        return control.said

    def names(self):
        return [snapshot.name for snapshot in self.volume.snapshots]

    def breaks(self):
        return [call for _, call, _ in self.bench.mutations() if call == "PATCH /snapmirror/relationships"]


@pytest.fixture
def stand(bench):
    return Stand(bench)


def test_a_plan_names_each_newer_snapshot_and_what_is_lost(stand):
    made = {snapshot.name: snapshot.created for snapshot in stand.volume.snapshots}
    change = stand.diff(may_delete=None)
    deleted = [field for field in change.fields if field.name.startswith("snapshot ")]
    assert [field.name for field in deleted] == [f"snapshot {name}" for name in reversed(stand.newer)]
    assert [field.before for field in deleted] == [made[name].isoformat() for name in reversed(stand.newer)]
    assert change.loss.snapshot == stand.point
    assert change.loss.recovery_point == made[stand.point]
    assert "deleting 3 snapshots" in change.summary
    assert f"the base {stand.mirror.exported} of its own mirror among them" in change.summary


def test_what_is_newer_is_gone_and_the_volume_shows_the_snapshot(stand):
    with stand.world.lock:
        old = next(s for s in stand.volume.snapshots if s.name == stand.point)
        old.files["witness.txt"] = "as it was"
    before = stand.names()
    said = stand.apply()
    assert stand.names() == before[:-BACK]
    assert stand.volume.files["witness.txt"] == "as it was"
    assert (stand.mirror.state, stand.volume.type) == ("broken_off", "rw")
    (announced,) = [line for line in said if line.startswith("override")]
    assert all(name in announced for name in stand.newer)


def test_a_dead_source_needs_the_override_and_is_never_asked(stand):
    stand.world.faults.add("site-down:paris")
    said = stand.apply()
    assert any("force=true" in line for line in said)
    assert stand.names()[-1] == stand.point
    assert stand.world.estate.connections.get("paris", 0) == 0


def test_a_transfer_under_way_is_aborted_not_waited_for(stand):
    with stand.world.lock:
        mirrors.start_transfer(stand.world, stand.world.estate.clusters[LYON], stand.mirror)
    said = stand.apply()
    assert any("aborting the transfer" in line for line in said)
    assert stand.names()[-1] == stand.point


def test_a_plan_alone_deletes_nothing(stand):
    action = stand.action(may_delete=None)
    with stand.bench.connect(Access.WRITE) as client:
        change = action.diff(action.read(client))
        with pytest.raises(ProviderError) as refusal:
            action.apply(client, change, stand.bench.control())
    assert refusal.value.problem.code == "ontap-not-consented"
    assert stand.bench.mutations() == []


def test_a_snapshot_that_came_since_the_consent_is_not_deleted(stand):
    action = stand.action()
    with stand.bench.connect(Access.WRITE) as client:
        change = action.diff(action.read(client))
        with stand.world.lock:
            mirrors.start_transfer(stand.world, stand.world.estate.clusters[LYON], stand.mirror)
        stand.world.advance(600)
        fresh = stand.mirror.exported
        assert fresh not in stand.newer
        with pytest.raises(ProviderError) as refusal:
            action.apply(client, change, stand.bench.control())
    problem = refusal.value.problem
    assert problem.code == "ontap-not-consented"
    assert fresh in problem.detail
    assert fresh in stand.names()
    assert stand.breaks() == []


def test_a_locked_snapshot_refuses_the_plan_until_its_lock_has_ended(stand):
    with stand.world.lock:
        locked = stand.volume.snapshots[-2]
        locked.locked_until = stand.world.now() + timedelta(days=30)
    problem = stand.refused(may_delete=None)
    assert problem.code == "ontap-snapshot-locked"
    assert locked.name in problem.summary
    with stand.world.lock:
        locked.locked_until = stand.world.now() - timedelta(seconds=1)
    assert stand.diff() is not None


def test_a_snapshot_that_a_clone_stands_on_refuses_the_plan(stand):
    with stand.world.lock:
        stand.volume.snapshots[-1].owners.add("clone drill")
    problem = stand.refused(may_delete=None)
    assert problem.code == "ontap-snapshot-busy"
    assert "drctl cleanup" in problem.hint


def test_a_lock_only_the_array_knows_of_stops_the_break_and_force_is_not_tried(stand):
    stand.world.faults.add(f"snapshot-locked:{DESTINATION}")
    before = stand.names()
    with pytest.raises(ProviderError) as refusal:
        stand.apply()
    assert "is locked and has not expired" in refusal.value.problem.summary
    assert len(stand.breaks()) == 2, "one quiesce, one break"
    assert stand.names() == before
    assert stand.volume.type == "dp"


def cascade(stand):
    """Let a vault be fed by the standby instead of by production."""
    with stand.world.lock:
        rennes = stand.world.estate.clusters[RENNES]
        rennes.peers.add(LYON)
        vault = find_path(rennes, "svm_vault:ris_vm_vault")
        former = mirrors.find(rennes, "svm_vault:ris_vm_vault")
        del rennes.mirrors[former.uuid]
        vault.snapshots.append(stand.volume.snapshots[-1])
        mirror, _ = mirrors.create(stand.world, rennes, DESTINATION, "svm_vault:ris_vm_vault")
    stand.world.advance(60)
    return mirror


def test_the_base_of_another_mirror_is_not_deleted_unless_that_mirror_is_given_up(stand):
    fed = cascade(stand)
    assert fed.exported == stand.newer[-1]
    problem = stand.refused()
    assert problem.code == "ontap-feeds-mirrors"
    assert "svm_vault:ris_vm_vault" in problem.summary
    assert "--orphan-mirrors" in problem.hint
    said = stand.apply(stand.action(give_up_mirrors=True))
    assert any("override: release the mirror" in line for line in said)
    assert fed.released
    assert stand.names()[-1] == stand.point


def test_what_a_break_gives_anyway_is_broken_without_deleting(stand):
    before = stand.names()
    assert stand.apply(stand.action(snapshot=stand.mirror.exported, may_delete=())) is not None
    assert stand.names() == before


def test_a_volume_broken_without_going_back_is_left_alone(stand):
    stand.bench.run(stand.bench.action)
    with pytest.raises(ProviderError) as refusal:
        stand.diff()
    assert refusal.value.problem.code == "ontap-broken-already"


def test_once_back_it_stays_done_whatever_snapshots_come_later(stand):
    stand.apply()
    sent = len(stand.breaks())
    later = {"svm": "svm_dr", "volume": "ris_vm_dr", "snapshot": "later"}
    stand.bench.run(stand.bench.build("ontap.snapshot.create", later))
    assert stand.diff() is None
    assert len(stand.breaks()) == sent
