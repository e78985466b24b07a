"""The traps of NetApp's client, each undone: seen from the array's side of the wire."""

from __future__ import annotations

import base64
import subprocess
import sys
import threading
from email.utils import formatdate
from time import time

import pytest
from scripted_array import Reply, collection, job_started, refused

from drctl.core.problem import ProviderError, ReadOnlyError
from drctl.core.provider import Access
from drctl.providers.ontap.model import Cluster, Mirror, Svm, Volume
from drctl.providers.ontap.request import Request

VOLUME = {"uuid": "v1", "name": "ris_vm_dr", "svm": {"name": "svm_dr"}, "type": "dp", "state": "online"}
BREAK = Request("PATCH", "SnapmirrorRelationship", "break it", {"uuid": "m1"}, {"state": "broken_off"})


def test_the_provider_loads_without_the_vendors_library():
    heavy = "netapp_ontap requests urllib3 marshmallow"
    program = f"import sys, drctl.providers.ontap; print([m for m in '{heavy}'.split() if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- who is trusted -------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_bundle_in_the_environment_does_not_replace_the_ca_file(
    array, connect, other_ca, monkeypatch, variable
):
    monkeypatch.setenv(variable, str(other_ca))
    array.on("GET /cluster", Reply(200, {"name": "lyon"}))
    assert connect().find(Cluster, {}).name == "lyon"


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_bundle_in_the_environment_does_not_widen_the_ca_file(
    array, connect, other_ca, monkeypatch, variable
):
    monkeypatch.setenv(variable, str(array.ca_file))
    with pytest.raises(ProviderError) as refusal:
        connect(ca_file=other_ca).find(Cluster, {})
    assert refusal.value.problem.code == "ontap-tls"
    assert not refusal.value.effect_unknown
    assert array.asked == []


def test_a_missing_ca_file_is_a_problem_of_its_own(connect, tmp_path):
    with pytest.raises(ProviderError) as refusal:
        connect(ca_file=tmp_path / "nowhere.pem").find(Cluster, {})
    assert refusal.value.problem.code == "ontap-ca-file"


def test_the_name_in_the_certificate_may_be_given(array, connect):
    array.on("GET /cluster", Reply(200, {"name": "lyon"}))
    assert connect(tls_name="array.example").find(Cluster, {}).name == "lyon"
    with pytest.raises(ProviderError) as refusal:
        connect(tls_name="elsewhere.example").find(Cluster, {})
    assert refusal.value.problem.code == "ontap-tls"


def test_a_proxy_in_the_environment_is_not_asked(array, client, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    array.on("GET /cluster", Reply(200, {"name": "lyon"}))
    assert client.find(Cluster, {}).name == "lyon"


def test_credentials_go_with_each_request(array, client):
    array.on("GET /cluster", Reply(200, {"name": "lyon"}))
    client.find(Cluster, {})
    scheme, _, encoded = array.asked[0].headers["authorization"].partition(" ")
    assert (scheme, base64.b64decode(encoded)) == ("Basic", b"drctl:s3cret")


# --- what is sent ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "call"),
    [
        (BREAK, "PATCH /snapmirror/relationships/m1"),
        (
            Request(
                "PATCH", "SnapmirrorTransfer", "x", {"uuid": "t1"}, {"state": "aborted"}, parents=("m1",)
            ),
            "PATCH /snapmirror/relationships/m1/transfers/t1",
        ),
        (Request("PATCH", "Volume", "x", {"uuid": "v1"}, {"nas": {"path": ""}}), "PATCH /storage/volumes/v1"),
        (
            Request("PATCH", "Volume", "x", {"uuid": "v1"}, {"nas": {"export_policy": {"name": "esx"}}}),
            "PATCH /storage/volumes/v1",
        ),
        (Request("PATCH", "Svm", "x", {"uuid": "s1"}, {"state": "stopped"}), "PATCH /svm/svms/s1"),
        (
            Request("PATCH", "IpInterface", "x", {"uuid": "l1"}, {"enabled": False}),
            "PATCH /network/ip/interfaces/l1",
        ),
        (
            Request("PATCH", "CifsService", "x", {"svm": {"uuid": "s1"}}, {"netbios": {"aliases": []}}),
            "PATCH /protocols/cifs/services/s1",
        ),
        (
            Request("PATCH", "CifsShare", "x", {"svm": {"uuid": "s1"}, "name": "c$"}, {"path": "/x"}),
            "PATCH /protocols/cifs/shares/s1/c%24",
        ),
        (
            Request(
                "PATCH",
                "CifsShareAcl",
                "x",
                {"user_or_group": "D\\u", "type": "windows"},
                {"permission": "read"},
                parents=("s1", "IMAGES"),
            ),
            "PATCH /protocols/cifs/shares/s1/IMAGES/acls/D%5Cu/windows",
        ),
        (
            Request(
                "POST",
                "ExportRule",
                "x",
                body={"clients": [{"match": "198.51.100.31"}], "ro_rule": ["sys"], "index": 1},
                parents=("12",),
            ),
            "POST /protocols/nfs/export-policies/12/rules",
        ),
        (
            Request("POST", "ExportPolicy", "x", body={"name": "esx", "svm": {"name": "svm_dr"}}),
            "POST /protocols/nfs/export-policies",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_change_leaves_exactly_as_it_was_meant(array, client, control, request_, call):
    array.on(call, Reply(200, {}))
    client.change(request_, control)
    [sent] = array.asked
    assert sent.body == request_.body


def test_the_same_change_is_sent_again_in_full(array, client, control):
    """A library object that was read, or sent once, would send an empty difference."""
    array.on("PATCH /snapmirror/relationships/m1", Reply(200, {}))
    client.change(BREAK, control)
    client.change(BREAK, control)
    assert [sent.body for sent in array.asked] == [{"state": "broken_off"}] * 2


def test_force_travels_in_the_query(array, client, control):
    array.on("PATCH /snapmirror/relationships/m1", Reply(200, {}))
    client.change(
        Request(
            "PATCH", "SnapmirrorRelationship", "x", {"uuid": "m1"}, {"state": "broken_off"}, {"force": "true"}
        ),
        control,
    )
    assert array.asked[0].query == "force=true"


def test_a_field_the_library_would_drop_is_not_sent_at_all(array, client, control):
    with pytest.raises(ProviderError) as refusal:
        client.change(Request("PATCH", "Svm", "x", {"uuid": "s1"}, {"stat": "stopped"}), control)
    assert refusal.value.problem.code == "ontap-not-sent"
    assert not refusal.value.effect_unknown
    assert array.asked == []


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_a_reader_changes_nothing_and_sends_nothing(array, connect, control, method):
    client = connect(Access.READ)
    with pytest.raises(ReadOnlyError, match=f"{method} /svm/svms"):
        client.change(Request(method, "Svm", "x", {"uuid": "s1"}, {"state": "stopped"}), control)
    assert array.asked == []
    array.on("GET /svm/svms", collection({"name": "svm_dr", "state": "running"}))
    assert [svm.name for svm in client.fetch(Svm)] == ["svm_dr"]


def test_a_location_is_not_followed(array, client, control):
    """NetApp's client would poll an incomplete Location for ten seconds."""
    array.on(
        "POST /protocols/nfs/export-policies",
        Reply(201, {}, {"Location": "/api/protocols/nfs/export-policies?name=esx"}),
    )
    client.change(Request("POST", "ExportPolicy", "x", body={"name": "esx"}), control)
    assert [asked.method for asked in array.asked] == ["POST"]


# --- how often ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        BREAK,
        Request("POST", "ExportPolicy", "x", body={"name": "esx"}),
        Request("DELETE", "CifsShare", "x", {"svm": {"uuid": "s1"}, "name": "IMAGES"}),
    ],
    ids=lambda change: change.method,
)
def test_a_change_without_answer_is_not_sent_again(array, client, control, change):
    array.on("PATCH /snapmirror/relationships/m1", Reply(drop=True))
    array.on("POST /protocols/nfs/export-policies", Reply(drop=True))
    array.on("DELETE /protocols/cifs/shares/s1/IMAGES", Reply(drop=True))
    with pytest.raises(ProviderError) as doubt:
        client.change(change, control)
    assert doubt.value.effect_unknown
    assert not doubt.value.unreachable
    assert len(array.asked) == 1


def test_a_read_without_answer_is_sent_once_more(array, client):
    array.on("GET /svm/svms", Reply(drop=True), collection({"name": "svm_dr"}))
    assert [svm.name for svm in client.fetch(Svm)] == ["svm_dr"]
    assert len(array.asked) == 2


def test_a_read_that_is_never_answered_changes_nothing(array, client):
    array.on("GET /svm/svms", Reply(drop=True))
    with pytest.raises(ProviderError) as silence:
        client.fetch(Svm)
    assert (silence.value.effect_unknown, silence.value.transient) == (False, True)
    assert len(array.asked) == 2


def test_nothing_is_sent_where_nobody_listens(array, connect, control):
    client = connect()
    array.close()
    with pytest.raises(ProviderError) as silence:
        client.change(BREAK, control)
    assert (silence.value.unreachable, silence.value.effect_unknown) == (True, False)
    assert "connection refused" in silence.value.problem.summary


def test_each_thread_has_a_connection_of_its_own_and_keeps_it(array, client):
    array.on("GET /svm/svms", collection({"name": "svm_dr"}))
    together = threading.Barrier(4)

    def work():
        for _ in range(3):
            together.wait()
            client.fetch(Svm)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(array.asked), array.connections) == (12, 4)


def test_an_idle_connection_is_not_trusted(array, client, clock):
    array.on("GET /svm/svms", collection({"name": "svm_dr"}))
    client.fetch(Svm)
    clock.passed += 29
    client.fetch(Svm)
    assert array.connections == 1
    clock.passed += 31
    client.fetch(Svm)
    assert array.connections == 2


# --- what comes back ------------------------------------------------------------------------------


def test_pages_are_followed(array, client):
    more = "/api/storage/volumes?start.uuid=v2&fields=name"
    array.on(
        "GET /storage/volumes",
        collection({**VOLUME, "name": "one"}, after=more),
        collection({**VOLUME, "name": "two"}),
    )
    assert [volume.name for volume in client.fetch(Volume, svm__name="svm_dr")] == ["one", "two"]
    assert array.asked[1].query == "start.uuid=v2&fields=name"


def test_only_the_fields_needed_are_asked_for(array, client):
    array.on("GET /snapmirror/relationships", collection())
    assert client.fetch(Mirror, destination__path="svm_dr:ris_vm_dr") == []
    query = array.asked[0].query
    assert "destination.path=svm_dr%3Aris_vm_dr" in query
    assert "fields=uuid%2Cdestination.path%2Csource.path%2Cstate" in query
    assert "fields=*" not in query


def test_an_answer_of_another_shape_is_said_to_be_one(array, client):
    array.on("GET /svm/svms", collection({"uuid": "s1"}))
    with pytest.raises(ProviderError) as strange:
        client.fetch(Svm)
    assert strange.value.problem.code == "ontap-answer"
    assert "name" in strange.value.problem.detail


def test_a_page_that_is_not_json_is_said_to_be_one(array, client):
    array.on("GET /svm/svms", Reply(200, b"<html>It works!</html>"))
    with pytest.raises(ProviderError) as strange:
        client.fetch(Svm)
    assert strange.value.problem.code == "ontap-answer"


@pytest.mark.parametrize(
    ("reply", "code", "transient", "doubt"),
    [
        (refused(401, "6691623", "User is not authorized."), "ontap-auth", False, False),
        (refused(403, "6", "not authorized for that command"), "ontap-6", False, False),
        (refused(404, "4", "entry doesn't exist", "uuid"), "ontap-4", False, False),
        (refused(409, 6619715, "Modification in progress."), "ontap-6619715", True, False),
        (refused(400, "6619720", "Information is being propagated."), "ontap-6619720", True, False),
        (refused(500, "262224", "Failed to contact peer cluster."), "ontap-262224", False, False),
        (
            refused(400, "13303808", "Transition failed. Reason: Another transfer is in progress."),
            "ontap-13303808",
            True,
            False,
        ),
        (refused(503, "", "busy"), "ontap-503", True, False),
        (Reply(502, b"<html>Bad gateway</html>"), "ontap-no-reply", False, True),
    ],
)
def test_refusals_keep_ontaps_code_and_words(array, client, control, reply, code, transient, doubt):
    array.on("PATCH /snapmirror/relationships/m1", reply)
    with pytest.raises(ProviderError) as refusal:
        client.change(BREAK, control)
    error = refusal.value
    assert (error.problem.code, error.transient, error.effect_unknown) == (code, transient, doubt)
    assert error.problem.endpoint == "array"
    if isinstance(reply.body, dict):
        assert reply.body["error"]["message"].rstrip(".") in error.problem.summary
    assert len(array.asked) == 1


def test_the_arrays_clock_is_compared_with_ours(array, client):
    array.on("GET /cluster", Reply(200, {"name": "lyon"}))
    client.find(Cluster, {})
    assert client.skew() == 0.0
    array.on("GET /cluster", Reply(200, {"name": "lyon"}, {"Date": formatdate(time() - 600, usegmt=True)}))
    client.find(Cluster, {})
    assert client.skew() == pytest.approx(-600, abs=2)


# --- jobs -----------------------------------------------------------------------------------------


def job(state, **more):
    return Reply(200, {"uuid": "j1", "description": "PATCH /api/x", "state": state, **more})


def test_a_job_is_journaled_before_it_is_followed(array, client, control):
    array.on("PATCH /snapmirror/relationships/m1", job_started())
    array.on(
        "GET /cluster/jobs/j1", job("queued"), job("running", message="Breaking"), job("success", code=0)
    )
    client.change(BREAK, control)
    assert [(handle.kind, handle.id) for handle in control.handles] == [("job", "j1")]
    assert control.said == ["Breaking"]
    assert all(asked.query == "fields=%2A" for asked in array.seen("GET"))


@pytest.mark.parametrize(
    ("reply", "code", "words"),
    [
        (
            job("failure", message="There are not enough disks.", code=2432836),
            "ontap-2432836",
            "not enough disks",
        ),
        (
            job("failure", message="x", code=0, error={"code": "13303808", "message": "Transition failed."}),
            "ontap-13303808",
            "Transition failed",
        ),
        (job("cancelled", message="Stopped by admin"), "ontap-job-cancelled", "Stopped by admin"),
        (job("expired"), "ontap-job-expired", "no reason given"),
    ],
)
def test_a_job_that_did_not_succeed_says_why(array, client, control, reply, code, words):
    array.on("PATCH /snapmirror/relationships/m1", job_started())
    array.on("GET /cluster/jobs/j1", job("running"), reply)
    with pytest.raises(ProviderError) as failure:
        client.change(BREAK, control)
    assert failure.value.problem.code == code
    assert words in failure.value.problem.summary
    assert not failure.value.effect_unknown


def test_a_forgotten_job_has_ended(array, client, control):
    array.on("PATCH /snapmirror/relationships/m1", job_started())
    array.on("GET /cluster/jobs/j1", job("running"), refused(404, "4", "entry doesn't exist", "uuid"))
    client.change(BREAK, control)
    assert len(array.seen("GET")) == 2


def test_a_job_that_outlives_the_step_leaves_a_doubt(array, client, control):
    array.on("PATCH /snapmirror/relationships/m1", job_started())
    array.on("GET /cluster/jobs/j1", job("running"))
    with pytest.raises(ProviderError) as doubt:
        client.change(BREAK, control)
    assert doubt.value.effect_unknown
    assert doubt.value.problem.code == "ontap-timeout"
    assert control.clock.passed == pytest.approx(control.deadline)


def test_a_paused_job_is_waited_for(array, client, control):
    array.on("PATCH /snapmirror/relationships/m1", job_started())
    array.on("GET /cluster/jobs/j1", job("paused"), job("paused"), job("success"))
    client.change(BREAK, control)
    assert len(array.seen("GET")) == 3


def test_a_job_that_can_no_longer_be_read_leaves_a_doubt(array, client, control):
    array.on("PATCH /snapmirror/relationships/m1", job_started())
    array.on("GET /cluster/jobs/j1", Reply(drop=True))
    with pytest.raises(ProviderError) as doubt:
        client.change(BREAK, control)
    assert doubt.value.effect_unknown


def test_an_unfinished_job_about_an_object_is_found(array, client):
    array.on(
        "GET /cluster/jobs",
        collection(
            {"uuid": "old", "state": "success", "description": "PATCH /api/snapmirror/relationships/m1"},
            {"uuid": "new", "state": "running", "description": "PATCH /api/snapmirror/relationships/m1"},
        ),
    )
    assert client.job_about("m1").id == "new"
    assert "description=%2Am1%2A" in array.asked[0].query
    array.on("GET /cluster/jobs", collection({"uuid": "old", "state": "cancelled"}))
    assert client.job_about("m1") is None
