"""What arrays of other releases, and accounts with fewer rights, answer on the way back."""

from __future__ import annotations

import pytest
from scripted_array import Reply, collection, refused

from drctl.core.problem import ProviderError
from drctl.providers.ontap import PROVIDER

MADE = "2026-03-02T14:05:00+00:00"
SOURCE, DESTINATION = "svm_dr:vol_dr", "svm_prod:vol"


def relation(state, last="resync", **more):
    return {
        "uuid": "r1",
        "source": {"path": SOURCE},
        "destination": {"path": DESTINATION},
        "state": state,
        "healthy": True,
        "last_transfer_type": last,
        "transfer": {"state": "success", "end_time": MADE},
        **more,
    }


@pytest.fixture
def turned(array):
    """A production cluster whose volume was served from the standby in the meantime."""
    volume = {"uuid": "v1", "name": "vol", "svm": {"name": "svm_prod"}, "type": "rw"}
    snapshot = {"uuid": "s1", "name": "base", "create_time": MADE, "volume": {"uuid": "v1"}}
    array.on("GET /snapmirror/relationships", collection())
    array.on("GET /storage/volumes", collection(volume))
    array.on("GET /storage/volumes/v1/snapshots", collection(snapshot), refused(403, "6", "not authorized"))
    array.on("GET /cluster/peers", collection({"name": "lyon", "status": {"state": "available"}}))
    peer = {"name": "svm_dr", "state": "peered", "peer": {"cluster": {"name": "lyon"}}}
    array.on("GET /svm/peers", collection(peer))
    return array


def reverse(**more):
    points = [{"name": "base", "created": MADE}]
    given = {"source": SOURCE, "destination": DESTINATION, "source_points": points}
    return PROVIDER.actions["ontap.snapmirror.reverse"](**given, **more)


def test_writes_that_cannot_be_counted_count_as_unreplicated(turned, client, control):
    action = reverse()
    change = action.diff(action.read(client))
    assert "unreplicated writes" in {field.name for field in change.fields}
    assert change.loss.snapshot == "base"
    turned.on(
        "GET /storage/volumes/v1/snapshots",
        collection({"name": "base", "create_time": MADE, "volume": {"uuid": "v1"}}),
        refused(403, "6", "not authorized"),
    )
    with pytest.raises(ProviderError) as refusal:
        action.apply(client, change, control)
    assert refusal.value.problem.code == "ontap-unreplicated-writes"
    assert [asked.method for asked in turned.asked if asked.method != "GET"] == []


@pytest.mark.parametrize(
    ("call", "answer", "words"),
    [
        (
            "GET /cluster/peers",
            {"name": "lyon", "status": {"state": "unavailable"}},
            "no peer cluster is available",
        ),
        ("GET /svm/peers", {"name": "svm_dr", "state": "suspended"}, "is suspended"),
        ("GET /svm/peers", None, "is no peer of"),
    ],
)
def test_peers_are_asked_before_anything_changes(turned, client, control, call, answer, words):
    turned.on(call, collection(*([answer] if answer else [])))
    with pytest.raises(ProviderError) as refusal:
        reverse(acknowledge_loss=True).apply(client, None, control)
    assert refusal.value.problem.code == "ontap-no-peer"
    assert words in refusal.value.problem.summary
    assert {asked.method for asked in turned.asked} == {"GET"}


def begin_resync(array):
    """The relationship is made; the resync is refused with preserve, then taken without."""
    found = relation("broken_off")
    # Looked at when applied, and its old direction; then as made, resynced and settled.
    array.on(
        "GET /snapmirror/relationships",
        collection(found),
        collection(),
        collection(relation("snapmirrored", "update")),
    )
    array.on(
        "PATCH /snapmirror/relationships/r1",
        refused(400, "262196", 'Field "preserve" cannot be set in this operation', "preserve"),
        Reply(200, {}),
    )


def test_an_array_that_cannot_preserve_deletes_nothing_without_a_word(turned, client, control):
    turned.on(
        "GET /storage/volumes/v1/snapshots",
        collection({"name": "base", "create_time": MADE, "delta": {"size_consumed": 0}}),
    )
    begin_resync(turned)
    action = reverse()
    with pytest.raises(ProviderError) as refusal:
        action.apply(client, None, control)
    assert refusal.value.problem.code == "ontap-262196"
    begin_resync(turned)
    reverse(acknowledge_loss=True).apply(client, None, control)
    assert len(control.overrides) == 1
    assert "without preserve" in control.overrides[0]
    assert [asked.body for asked in turned.seen("PATCH")][-1] == {"state": "snapmirrored"}


def test_a_hidden_recovery_queue_is_said_and_stops_nothing(array, client):
    array.on("GET /storage/volumes", collection())
    array.on("GET /protocols/nfs/export-policies", collection())
    array.on("GET /private/cli/volume/recovery-queue", refused(403, "6", "not authorized command"))
    probe = PROVIDER.probes["ontap.bubble.empty"](
        svms=("svm_dr",), suffix="-drill", junction_prefix="/drill_"
    )
    seen = probe.observe(client)
    assert seen.values["queue_seen"] is False
    assert probe.judge(seen).level == "warning"
    action = PROVIDER.actions["ontap.volume.delete_clone"](svm="svm_dr", volume="x_drill", parent="x")
    assert action.diff(action.read(client)) is None


def test_a_failed_transfer_is_told_with_ontaps_reason(array, client, control):
    before = relation("snapmirrored")
    failed = relation(
        "snapmirrored",
        healthy=False,
        unhealthy_reason=[{"message": "Volume is full", "code": "1"}],
        transfer={"state": "failed", "end_time": "2026-03-02T15:00:00+00:00"},
    )
    array.on("GET /snapmirror/relationships", collection(before), collection(before), collection(failed))
    array.on("POST /snapmirror/relationships/r1/transfers", Reply(201, {}))
    action = PROVIDER.actions["ontap.snapmirror.update"](destination=DESTINATION)
    with pytest.raises(ProviderError) as failure:
        action.apply(client, None, control)
    assert failure.value.problem.code == "ontap-transfer-failed"
    assert "Volume is full" in failure.value.problem.summary


def test_an_abandoned_follow_leaves_the_transfer_in_doubt(array, client, control):
    running = relation(
        "snapmirrored", transfer={"state": "transferring", "uuid": "t1", "bytes_transferred": 10}
    )
    array.on("GET /snapmirror/relationships", collection(running))
    control.deadline = 30.0
    action = PROVIDER.actions["ontap.snapmirror.update"](destination=DESTINATION)
    with pytest.raises(ProviderError) as doubt:
        action.apply(client, None, control)
    assert doubt.value.effect_unknown
    assert [handle.id for handle in control.handles] == ["t1"]
    assert action.find_running(client, client.clock.now()).id == "t1"
