"""Storage all the way round: no write lost that was not announced, and replication whole again each way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from contract import Example

from drctl.core.problem import ProviderError
from drctl.core.provider import Access, Registry
from drctl.lab import transfers
from drctl.lab.writes import data_of

PARIS, LYON, RENNES = "ontap-paris", "ontap-lyon", "ontap-rennes"
SOURCE, TARGET = "svm_prod:ris_vm", "svm_dr:ris_vm_dr"
BREAK = Example("ontap.snapmirror.break", LYON, {"destination": TARGET})
STILL = 0.001
"""A lab that moves only when it is pushed."""


def cluster(stand, name):
    return stand.world.estate.clusters[name]


def volume(stand, name):
    """Return a volume of the estate by name."""
    with stand.world.lock:
        every = (v for c in stand.world.estate.clusters.values() for v in c.volumes.values())
        return next(v for v in every if v.name == name and v.deleted is None)


def data(stand, name):
    """Return the last write a volume holds."""
    with stand.world.lock:
        return data_of(stand.world, volume(stand, name))["ris"]


def relations(stand):
    with stand.world.lock:
        every = (m for c in stand.world.estate.clusters.values() for m in c.mirrors.values())
        return {(m.source, m.destination): m for m in every if "ris_vm" in m.destination}


def do(stand, endpoint, uses, control=None, **arguments):
    """Apply a step to its end; return its outputs."""
    action = stand.build(uses, arguments)
    with stand.connect(Access.WRITE, endpoint) as client:
        change = action.diff(action.read(client))
        if change is not None:
            action.apply(client, change, control or stand.control())
            assert change.opaque or stand.left_to_do(action, client) is None
        return action.outputs(action.read(client))


def ask(stand, endpoint, uses, **arguments):
    """Return a probe's finding and what it saw."""
    found = Registry().find(uses).model_validate(arguments)
    with stand.connect(Access.READ, endpoint) as client:
        seen = found.observe(client)
    return found.judge(seen), seen.values


def points(stand, endpoint, path):
    return ask(stand, endpoint, "ontap.recovery_points", destination=path)[1]["points"]


def split(path):
    svm, _, name = path.partition(":")
    return {"svm": svm, "volume": name}


def unmount(stand, endpoint, path):
    """Unmount; return when it was seen, once the clock that stamps snapshots is past it."""
    fence = do(stand, endpoint, "ontap.volume.unmount", **split(path))["unmounted_at"]
    past = datetime.fromisoformat(fence) + timedelta(seconds=1)
    stand.world.after((past - stand.world.now()).total_seconds() + 0.01, lambda: None, real=True)
    assert stand.world.wait(lambda: stand.world.now() > past, 10)
    return fence


def reverse_arguments(stand, source, destination, **more):
    at = {SOURCE: PARIS, TARGET: LYON}
    settings = {"policy": "Asynchronous", "schedule": "hourly"}
    given = {"source": source, "destination": destination, "source_cluster": at[source], **settings}
    return given | {"source_points": points(stand, at[source], source)} | more


def reverse(stand, source, destination, control=None, **more):
    endpoint = {SOURCE: PARIS, TARGET: LYON}[destination]
    arguments = reverse_arguments(stand, source, destination, **more)
    return do(stand, endpoint, "ontap.snapmirror.reverse", control, **arguments)


def move(stand, source, destination, at):
    """Move the service's volume without loss; return when it was fenced."""
    fence = unmount(stand, at[0], source)
    written = data(stand, split(source)["volume"])
    do(stand, at[1], "ontap.snapmirror.update", destination=destination, newer_than=fence)
    do(stand, at[1], "ontap.snapmirror.break", destination=destination)
    assert data(stand, split(destination)["volume"]) == written
    return fence


def write(stand, name):
    """Let somebody write to a volume now."""
    with stand.world.lock:
        volume(stand, name).data_at["ris"] = stand.world.now()


def test_there_and_back_without_a_lost_write(bench):
    stand = bench(BREAK)
    move(stand, SOURCE, TARGET, (PARIS, LYON))
    reverse(stand, TARGET, SOURCE)
    do(stand, LYON, "ontap.snapmirror.remove", destination=TARGET, source=SOURCE)
    assert relations(stand)[TARGET, SOURCE].state == "snapmirrored"
    write(stand, "ris_vm_dr")
    do(stand, LYON, "ontap.volume.mount", **split(TARGET), junction="/ris_vm")
    move(stand, TARGET, SOURCE, (LYON, PARIS))
    reverse(stand, SOURCE, TARGET)
    do(stand, PARIS, "ontap.snapmirror.remove", destination=SOURCE, source=TARGET)
    home = {pair: m for pair, m in relations(stand).items() if m.destination_cluster != RENNES}
    assert list(home) == [(SOURCE, TARGET)]
    assert (home[SOURCE, TARGET].schedule, home[SOURCE, TARGET].healthy) == (3600, True)
    assert (volume(stand, "ris_vm").type, volume(stand, "ris_vm_dr").type) == ("rw", "dp")
    finding, _ = ask(stand, LYON, "ontap.mirror.direction", source=SOURCE, destination=TARGET)
    assert finding.level == "ok"


def test_the_final_transfer_is_refused_as_proof_when_it_is_older_than_the_fence(bench):
    stand = bench(BREAK)
    with stand.connect(Access.READ, LYON) as client:
        early = stand.build(
            "ontap.snapmirror.update", {"destination": TARGET, "newer_than": "2020-01-01T00:00:00Z"}
        )
        late = stand.build(
            "ontap.snapmirror.update", {"destination": TARGET, "newer_than": datetime.now(UTC).isoformat()}
        )
        assert early.diff(early.read(client)) is None
        assert late.diff(late.read(client)) is not None


def test_a_final_transfer_whose_peer_is_gone_fails_and_proves_nothing(bench):
    stand = bench(BREAK)
    fence = unmount(stand, PARIS, SOURCE)
    stand.world.faults.add(f"peer-unreachable:{LYON}")
    with pytest.raises(ProviderError) as failure:
        do(stand, LYON, "ontap.snapmirror.update", destination=TARGET, newer_than=fence)
    assert failure.value.problem.code == "ontap-transfer-failed"
    stand.world.faults.lift(f"peer-unreachable:{LYON}")
    do(stand, LYON, "ontap.snapmirror.update", destination=TARGET, newer_than=fence)
    assert data(stand, "ris_vm_dr") == data(stand, "ris_vm")


def test_a_transfer_tells_bytes_rate_and_time_left(bench):
    stand = bench(BREAK, STILL)
    fence = unmount(stand, PARIS, SOURCE)
    control = stand.control()
    do(stand, LYON, "ontap.snapmirror.update", control, destination=TARGET, newer_than=fence)
    assert any("GiB of about" in line and "/s" in line and "left" in line for line in control.said)


def test_a_transfer_under_way_is_followed_and_not_taken_for_the_final_one(bench):
    stand = bench(BREAK, STILL)
    with stand.world.lock:
        transfers.begin(stand.world, relations(stand)[SOURCE, TARGET], "update")
    fence = unmount(stand, PARIS, SOURCE)
    control = stand.control()
    do(stand, LYON, "ontap.snapmirror.update", control, destination=TARGET, newer_than=fence)
    assert len({handle.id for handle in control.handles if handle.kind == "transfer"}) == 2
    assert any("/s" in line for line in control.said)
    assert data(stand, "ris_vm_dr") == data(stand, "ris_vm")


def broken(bench, speed=60.0):
    """Lose Paris, serve from Lyon, let Paris come back with a write of its own."""
    stand = bench(BREAK, speed)
    stand.world.faults.add("site-down:paris")
    do(stand, LYON, "ontap.snapmirror.break", destination=TARGET)
    stand.world.faults.lift("site-down:paris")
    write(stand, "ris_vm")
    write(stand, "ris_vm_dr")
    return stand


def test_what_is_still_mounted_is_not_overwritten(bench):
    stand = broken(bench)
    before = volume(stand, "ris_vm").data_at.copy()
    with pytest.raises(ProviderError) as refusal:
        reverse(stand, TARGET, SOURCE, acknowledge_loss=True)
    assert refusal.value.problem.code == "ontap-in-use"
    assert (TARGET, SOURCE) not in relations(stand)
    assert volume(stand, "ris_vm").data_at["ris"] >= before["ris"]


def test_unreplicated_writes_are_named_and_need_a_word(bench):
    stand = broken(bench)
    unmount(stand, PARIS, SOURCE)
    do(stand, PARIS, "ontap.snapshot.create", **split(SOURCE), snapshot="drctl-before-reprotect")
    with pytest.raises(ProviderError) as refusal:
        reverse(stand, TARGET, SOURCE)
    assert refusal.value.problem.code == "ontap-unreplicated-writes"
    assert "of writes" in refusal.value.problem.summary
    assert (TARGET, SOURCE) not in relations(stand)
    control = stand.control()
    base = reverse(stand, TARGET, SOURCE, control, acknowledge_loss=True)["base"]
    assert any(line.startswith("override: overwrite") for line in control.said)
    assert base is not None
    assert data(stand, "ris_vm") == data(stand, "ris_vm_dr")
    kept = [s.name for s in volume(stand, "ris_vm").snapshots]
    assert "drctl-before-reprotect" in kept


def test_nothing_is_begun_while_the_peer_is_away(bench):
    stand = broken(bench)
    unmount(stand, PARIS, SOURCE)
    known = points(stand, LYON, TARGET)
    stand.world.faults.add(f"peer-unreachable:{PARIS}")
    arguments = {"source": TARGET, "destination": SOURCE, "source_cluster": LYON, "source_points": known}
    with pytest.raises(ProviderError) as refusal:
        do(stand, PARIS, "ontap.snapmirror.reverse", **arguments, acknowledge_loss=True)
    assert refusal.value.problem.code == "ontap-no-peer"
    assert not relations(stand)[SOURCE, TARGET].released


def test_without_a_common_snapshot_the_volume_is_put_aside_and_filled_anew(bench):
    stand = broken(bench)
    unmount(stand, PARIS, SOURCE)
    with stand.world.lock:
        volume(stand, "ris_vm").snapshots.clear()
    with pytest.raises(ProviderError) as refusal:
        reverse(stand, TARGET, SOURCE)
    assert refusal.value.problem.code == "ontap-no-common-snapshot"
    mine = data(stand, "ris_vm")
    control = stand.control()
    reverse(stand, TARGET, SOURCE, control, full_baseline=True)
    assert data(stand, "ris_vm_before_drctl") == mine
    assert data(stand, "ris_vm") == data(stand, "ris_vm_dr")
    assert any("full baseline" in line and "GiB" in line for line in control.said)


def test_the_schedule_runs_in_the_new_direction(bench):
    stand = bench(BREAK)
    move(stand, SOURCE, TARGET, (PARIS, LYON))
    reverse(stand, TARGET, SOURCE)
    mirror = relations(stand)[TARGET, SOURCE]
    begun = len(mirror.transfers)
    stand.world.advance(3 * 3600)
    assert len(mirror.transfers) > begun
    assert {transfer.state for transfer in mirror.transfers[begun:-1]} <= {"success"}


def test_the_vault_is_told_to_be_stopped_until_its_source_counts_again(bench):
    stand = broken(bench)
    vault = {"destination": "svm_vault:ris_vm_vault", "fed_by": [TARGET]}
    finding, seen = ask(stand, RENNES, "ontap.mirror.stopped", **vault)
    assert finding.level == "warning"
    assert seen["source"] == SOURCE
    unmount(stand, PARIS, SOURCE)
    reverse(stand, TARGET, SOURCE, acknowledge_loss=True)
    fed = {**vault, "fed_by": [TARGET, SOURCE]}
    do(stand, RENNES, "ontap.snapmirror.update", destination=vault["destination"])
    assert ask(stand, RENNES, "ontap.mirror.stopped", **fed)[0].level == "ok"
    assert data(stand, "ris_vm_vault") == data(stand, "ris_vm_dr")


@pytest.mark.parametrize("calls", range(1, 26, 3))
def test_a_reversal_killed_anywhere_is_finished_by_the_next_attempt(bench, calls):
    stand = broken(bench, STILL)
    unmount(stand, PARIS, SOURCE)
    try:
        reverse(stand, TARGET, SOURCE, Hasty(stand.world, calls), acknowledge_loss=True)
    except Letting:
        stand.world.advance(600)
    reverse(stand, TARGET, SOURCE, acknowledge_loss=True)
    found = relations(stand)
    assert (found[TARGET, SOURCE].state, found[TARGET, SOURCE].schedule) == ("snapmirrored", 3600)
    assert data(stand, "ris_vm") == data(stand, "ris_vm_dr")


def test_a_relationship_that_still_mirrors_is_not_removed(bench):
    stand = bench(BREAK)
    with pytest.raises(ProviderError) as refusal:
        do(stand, LYON, "ontap.snapmirror.remove", destination=TARGET)
    assert refusal.value.problem.code == "ontap-still-mirroring"
    assert (SOURCE, TARGET) in relations(stand)


class Letting(BaseException):
    """What the engine raises in a step that must let go."""


class Hasty:
    """A control that lets go at its n-th call."""

    mark = "drctl:contract:step"

    def __init__(self, world, calls):
        self.world = world
        self.left = calls

    def _count(self):
        self.left -= 1
        if self.left < 0:
            raise Letting

    def progress(self, message, fraction=None):
        self._count()

    def override(self, what, why):
        self._count()

    def handle(self, handle):
        self._count()

    def sleep(self, seconds):
        self._count()
        self.world.advance(seconds)

    def remaining(self):
        return 600.0
