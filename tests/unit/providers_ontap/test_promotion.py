"""Breaking a mirror against an array that refuses as real ones were seen to: what is tried again, and how.

Codes and texts: netapp.ontap issues 77, 312 and 348, and NetApp's REST reference.
"""

from __future__ import annotations

import pytest
from scripted_array import Reply, collection, refused

from drctl.core.problem import ProviderError
from drctl.providers.ontap.promotion import Promotion

DESTINATION = "svm_dr:ris_vm_dr"
MIRRORS = "GET /snapmirror/relationships"
BREAK_FAILED = "Transition to broken_off state failed. Reason: "


def mirror(state="paused", uuid="m1", *, healthy=True, **more):
    return collection(
        {"uuid": uuid, "destination": {"path": DESTINATION}, "state": state, "healthy": healthy, **more}
    )


def sent(array):
    return [(asked.path.rpartition("/")[2], asked.body, asked.query) for asked in array.seen("PATCH")]


BROKEN = {"state": "broken_off"}


def test_a_relationship_that_is_not_found_right_after_the_quiesce_is_looked_up_by_its_destination(
    array, client, control
):
    array.on(MIRRORS, mirror(uuid="m1"), mirror(uuid="m1"), mirror(uuid="m2"))
    array.on("PATCH /snapmirror/relationships/m1", refused(404, "4", "entry doesn't exist", "uuid"))
    array.on("PATCH /snapmirror/relationships/m2", Reply(200, {}))
    Promotion(client, control, DESTINATION).run()
    assert sent(array) == [("m1", BROKEN, ""), ("m2", BROKEN, "")]
    assert control.overrides == []
    assert all("destination.path" in asked.query for asked in array.seen("GET"))


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("13303808", BREAK_FAILED + "Another transfer is in progress"),
        ("13303816", "The state of the relationship is not available."),
        ("6619715", "Modification of the relationship is in progress."),
        ("6619720", "Information is propagating, retry."),
    ],
)
def test_what_passes_by_itself_is_waited_for_without_force(array, client, control, code, text):
    array.on(MIRRORS, mirror())
    array.on("PATCH /snapmirror/relationships/m1", refused(409, code, text), Reply(200, {}))
    Promotion(client, control, DESTINATION).run()
    assert sent(array) == [("m1", BROKEN, "")] * 2
    assert control.overrides == []
    assert control.clock.passed > 0


@pytest.mark.parametrize(
    ("healthy", "code", "text"),
    [
        (True, "262224", "Failed to contact peer cluster."),
        (True, "13303808", BREAK_FAILED + "Failed to contact peer cluster with address 192.0.2.11"),
        (True, "13303808", BREAK_FAILED + "The relationship is unhealthy"),
        (False, "13303808", BREAK_FAILED + "in words that nobody has recorded"),
    ],
)
def test_force_is_asked_for_once_and_announced_first(array, client, control, healthy, code, text):
    array.on(MIRRORS, mirror(healthy=healthy))
    array.on("PATCH /snapmirror/relationships/m1", refused(500, code, text), Reply(200, {}))
    Promotion(client, control, DESTINATION).run()
    assert sent(array) == [("m1", BROKEN, ""), ("m1", BROKEN, "force=true")]
    [override] = control.overrides
    assert text.rstrip(".") in override


@pytest.mark.parametrize(
    ("healthy", "code", "text"),
    [
        (True, "13303808", BREAK_FAILED + "The destination volume does not exist"),
        (False, "6", "not authorized for that command"),
        (True, "13303818", "Transition is not allowed."),
    ],
)
def test_another_refusal_is_not_forced(array, client, control, healthy, code, text):
    array.on(MIRRORS, mirror(healthy=healthy))
    array.on("PATCH /snapmirror/relationships/m1", refused(500, code, text))
    with pytest.raises(ProviderError) as failure:
        Promotion(client, control, DESTINATION).run()
    assert failure.value.problem.code == f"ontap-{code}"
    assert sent(array) == [("m1", BROKEN, "")]
    assert control.overrides == []


def test_a_transfer_of_a_synchronous_mirror_cannot_be_aborted_and_does_not_stop_the_break(
    array, client, control
):
    running = {"policy": {"type": "sync"}, "transfer": {"state": "transferring", "uuid": "t1"}}
    array.on(MIRRORS, mirror("in_sync", **running))
    array.on(
        "PATCH /snapmirror/relationships/m1",
        refused(500, "13303823", "Timed out waiting for the relationship to quiesce."),
        refused(500, "13303824", "Quiesce failed."),
        Reply(200, {}),
    )
    array.on(
        "PATCH /snapmirror/relationships/m1/transfers/t1", refused(400, "13303848", "Abort is not supported.")
    )
    Promotion(client, control, DESTINATION, quiesce_timeout=5).run()
    bodies = [(name, body["state"]) for name, body, _ in sent(array)]
    assert bodies[0] == ("m1", "paused")
    assert bodies[-1] == ("m1", "broken_off")
    assert ("t1", "hard_aborted") in bodies
    assert control.clock.passed < 120


def test_a_mirror_broken_by_somebody_else_meanwhile_is_left_as_it_is(array, client, control):
    array.on(MIRRORS, mirror(), mirror("broken_off"))
    Promotion(client, control, DESTINATION).run()
    assert sent(array) == []
