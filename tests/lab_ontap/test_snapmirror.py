"""Relationships, transfers and jobs, as NetApp's clients see them on the wire."""

import pytest

DESTINATION = "svm_dr:ris_vm_dr"


@pytest.fixture
def mirror(lyon):
    return lyon.mirror(DESTINATION)


@pytest.fixture
def path(mirror):
    return f"/api/snapmirror/relationships/{mirror.uuid}"


def change(lyon, path, state, query=""):
    return lyon.call("PATCH", f"{path}{query}", {"state": state})


def test_a_relationship_as_its_clients_ask_for_it(lyon):
    fields = "uuid,state,transfer.state,transfer.uuid,policy.name,policy.type,unhealthy_reason.message,healthy,source"
    found = lyon.get(f"/api/snapmirror/relationships?destination.path={DESTINATION}&fields={fields}")
    assert found["num_records"] == 1
    record = found["records"][0]
    assert record["state"] == "snapmirrored"
    assert record["source"]["path"] == "svm_prod:ris_vm"
    assert record["policy"] == {"name": "Asynchronous", "type": "async"}
    assert record["healthy"] is True
    assert record["transfer"] == {"state": "success"}, "its uuid is gone when it has ended"
    assert "unhealthy_reason" not in record


def test_lag_and_exported_snapshot(lyon, path):
    record = lyon.get(f"{path}?fields=lag_time,exported_snapshot,transfer_schedule")
    assert record["lag_time"].startswith("PT")
    volume = lyon.volume("ris_vm_dr").uuid
    shown = lyon.records(
        f"/api/storage/volumes/{volume}/snapshots?name={record['exported_snapshot']}&fields=create_time"
    )
    assert shown[0]["create_time"]
    assert record["transfer_schedule"]["name"] == "hourly"
    base = "/api/snapmirror/relationships?return_records=false"
    assert lyon.get(f"{base}&lag_time=<PT10H")["num_records"] == 3
    assert lyon.get(f"{base}&lag_time=>P2DT0S")["num_records"] == 0


def test_the_source_lists_its_destinations(paris, lyon, mirror):
    assert paris.records("/api/snapmirror/relationships") == []
    found = paris.records("/api/snapmirror/relationships?list_destinations_only=true")
    assert mirror.uuid in {record["uuid"] for record in found}
    assert lyon.records("/api/snapmirror/relationships?list_destinations_only=true") == []


def test_quiesce_break_resync_resume(lyon, mirror, path):
    for state in ("paused", "broken_off"):
        answer = change(lyon, path, state)
        assert answer.status == 202
        job = lyon.job(answer)
        assert (job["state"], job["code"]) == ("success", 0)
        assert job["description"] == f"PATCH {path}"
        assert lyon.get(f"{path}?fields=state")["state"] == state
    assert lyon.volume("ris_vm_dr").type == "rw"
    answer = change(lyon, path, "snapmirrored", "?return_timeout=30")
    assert answer.status == 200
    assert lyon.world.wait(lambda: mirror.transfers[-1].ended is not None, 20)
    record = lyon.get(f"{path}?fields=state,transfer,last_transfer_type")
    assert (record["state"], record["transfer"]["state"]) == ("snapmirrored", "success")
    assert record["last_transfer_type"] == "resync"
    assert lyon.volume("ris_vm_dr").type == "dp"


def test_breaking_without_the_primary_fails_as_users_saw_and_force_overrides(arrays, lyon, path):
    arrays.fault("site-down:paris")
    failed = lyon.job(change(lyon, path, "broken_off"))
    assert (failed["state"], failed["code"]) == ("failure", 262224)
    assert failed["error"]["code"] == "262224"
    assert failed["message"].startswith('Failed to contact peer cluster "')
    waited = change(lyon, path, "broken_off", "?return_timeout=60")
    assert (waited.status, waited.body["error"]["code"]) == (500, "262224")
    forced = change(lyon, path, "broken_off", "?force=true&return_timeout=60")
    assert forced.status == 200
    assert lyon.get(f"{path}?fields=state")["state"] == "broken_off"


def test_validation_alone_changes_nothing_and_is_no_mutation(lyon, mirror, path):
    answer = change(lyon, path, "broken_off", "?validate_only=true&return_timeout=30")
    assert answer.status == 200
    assert mirror.state == "snapmirrored"
    assert lyon.world.estate.mutations == []


@pytest.mark.parametrize(
    ("body", "query", "code"),
    [
        ({"state": "asleep"}, "", "13303817"),
        ({"state": "in_sync"}, "", "13303831"),
        ({"state": "broken_off"}, "?failover=true", "13304156"),
        ({}, "?failover=true", "13303834"),
        ({"lag_time": "PT1S"}, "", "262196"),
        ({"colour": "red"}, "", "262179"),
        ({"source": {"path": "svm_x:y"}}, "", "13304120"),
        ({"transfer_schedule": {"name": "never"}}, "", "4"),
        ({"state": "broken_off"}, "?force=perhaps", "2"),
    ],
)
def test_refused_changes(lyon, mirror, path, body, query, code):
    answer = lyon.call("PATCH", path + query, body)
    assert answer.body["error"]["code"] == code
    assert mirror.state == "snapmirrored"


def test_a_synchronous_relationship_has_states_and_refusals_of_its_own(lyon, mirror, path):
    mirror.policy = "Sync"
    assert lyon.get(f"{path}?fields=state")["state"] == "in_sync"
    refused = [change(lyon, path, state).body["error"]["code"] for state in ("snapmirrored", "broken_off")]
    assert refused == ["13303829", "13303818"]
    uuid = mirror.transfers[-1].uuid
    abort = lyon.call("PATCH", f"{path}/transfers/{uuid}", {"state": "aborted"})
    assert abort.body["error"]["code"] == "13303848"
    for state, shown in (("paused", "paused"), ("broken_off", "broken_off"), ("in_sync", "in_sync")):
        assert lyon.job(change(lyon, path, state))["state"] == "success"
        assert lyon.get(f"{path}?fields=state")["state"] == shown


@pytest.mark.parametrize("more", [{"throttle": 100}, {"transfer_schedule": {"name": "hourly"}}])
def test_a_reversal_takes_no_schedule_and_no_throttle(lyon, mirror, path, more):
    swapped = {"source": {"path": mirror.destination}, "destination": {"path": mirror.source}}
    answer = lyon.call("PATCH", path, {**swapped, "state": "snapmirrored", **more})
    assert answer.body["error"]["code"] == "262196"
    assert mirror.uuid in lyon.cluster.mirrors


def test_a_new_relationship_is_not_listed_at_once(lyon, mirror, path):
    query = f"/api/snapmirror/relationships?destination.path={DESTINATION}"
    mirror.unseen = True
    assert lyon.records(query) == []
    assert lyon.call("GET", path).status == 404
    mirror.unseen = False
    assert len(lyon.records(query)) == 1


def test_an_empty_patch_is_a_job_that_does_nothing(lyon, mirror, path):
    assert lyon.job(lyon.call("PATCH", path, {}))["state"] == "success"
    assert mirror.state == "snapmirrored"


def test_policy_schedule_and_throttle(lyon, mirror, path):
    body = {"policy.name": "MirrorAllSnapshots", "transfer_schedule": {"name": None}, "throttle": 100}
    assert lyon.job(lyon.call("PATCH", path, body))["state"] == "success"
    assert (mirror.policy, mirror.schedule, mirror.throttle) == ("MirrorAllSnapshots", None, 100)
    assert "transfer_schedule" not in lyon.get(path)


def test_a_job_is_forgotten_after_a_while_or_at_once_by_fault(lyon, path):
    lyon.world.faults.add("job-forgotten:ontap-lyon:once")
    answer = change(lyon, path, "paused")
    href = answer.body["job"]["_links"]["self"]["href"]
    assert lyon.world.wait(lambda: answer.body["job"]["uuid"] not in lyon.cluster.jobs, 10)
    gone = lyon.call("GET", href)
    assert (gone.status, gone.body["error"]["code"]) == (404, "4")
    kept = change(lyon, path, "broken_off")
    lyon.job(kept)
    lyon.world.advance(301)
    assert lyon.call("GET", kept.body["job"]["_links"]["self"]["href"]).status == 404


def test_a_job_fails_by_fault(lyon, mirror, path):
    lyon.world.faults.add("job-failed:ontap-lyon:once")
    job = lyon.job(change(lyon, path, "broken_off"))
    assert job["state"] == "failure"
    assert job["code"] != 0
    assert mirror.state == "snapmirrored"


def test_a_transfer_is_no_job_and_can_be_aborted(lyon, mirror, path):
    answer = lyon.call("POST", f"{path}/transfers/", {})
    assert answer.status == 201
    assert "job" not in answer.body
    where = answer.headers["Location"]
    assert lyon.get(where)["state"] in {"queued", "transferring"}
    shown = lyon.get(f"{path}?fields=transfer")["transfer"]
    assert where.endswith(shown["uuid"])
    busy = lyon.call("POST", f"{path}/transfers", {})
    assert busy.body["error"]["code"] == "13303844"
    failed = lyon.job(change(lyon, path, "broken_off"))
    assert "Another transfer is in progress" in failed["message"]
    running = lyon.records(f"{path}/transfers?state=queued|transferring")
    assert len(running) == 1
    assert lyon.call("PATCH", where, {"state": "stopped"}).status == 400
    assert lyon.call("PATCH", where, {"state": "aborted"}).status == 200
    assert lyon.world.wait(lambda: mirror.transfers[-1].ended is not None, 10)
    assert lyon.get(where)["state"] == "aborted"
    assert "uuid" not in lyon.get(f"{path}?fields=transfer")["transfer"]
    again = lyon.call("PATCH", where, {"state": "aborted"})
    assert again.body["error"]["code"] == "13303849"


def test_a_transfer_of_a_snapshot_that_is_not_there(lyon, path):
    answer = lyon.call("POST", f"{path}/transfers", {"source_snapshot": "nightly.0"})
    assert answer.body["error"]["code"] == "13303844"


def test_deleting_on_the_destination_alone_then_on_the_source(lyon, paris, mirror, path):
    both = lyon.call("DELETE", f"{path}?destination_only=true&source_only=true", {})
    assert both.status == 400
    assert lyon.job(lyon.call("DELETE", f"{path}?destination_only=true", {}))["state"] == "success"
    assert lyon.call("GET", path).status == 404
    assert mirror.uuid not in lyon.cluster.mirrors


def test_releasing_on_the_source(paris, lyon, path):
    answer = paris.call("DELETE", f"{path}?source_info_only=true", {})
    assert paris.job(answer)["state"] == "success"
    assert lyon.call("GET", path).status == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"source.path": "svm_prod:ris_vm"}, "2"),
        ({"source.path": "svm_prod:ris_vm", "destination.path": "svm_dr"}, "13303852"),
        (
            {"source.path": "svm_prod:ris_vm", "destination.path": "svm_dr:x", "state": "snapmirrored"},
            "13303873",
        ),
        ({"source.path": "svm_prod:ris_vm", "destination.path": DESTINATION}, "6619637"),
    ],
)
def test_refused_creations(lyon, body, code):
    answer = lyon.call("POST", "/api/snapmirror/relationships?return_timeout=30", body)
    assert answer.body["error"]["code"] == code


def test_policies_of_the_system_carry_no_svm(lyon):
    record = lyon.records("/api/snapmirror/policies?name=Asynchronous&fields=svm.name,type")[0]
    assert record["type"] == "async"
    assert "svm" not in record


def test_a_change_by_query_changes_what_matches(lyon):
    answer = lyon.call(
        "PATCH", "/api/snapmirror/relationships?destination.path=svm_dr:ris*", {"state": "paused"}
    )
    assert answer.status == 202
    assert answer.body["num_records"] == len(answer.body["jobs"]) == 2
    uuids = [job["uuid"] for job in answer.body["jobs"]]
    assert lyon.world.wait(lambda: all(lyon.cluster.jobs[uuid].ended for uuid in uuids), 10)
    assert lyon.get("/api/snapmirror/relationships?return_records=false&state=paused")["num_records"] == 2


def test_the_private_cli_breaks_and_shows(lyon, mirror):
    answer = lyon.call(
        "POST", "/api/private/cli/snapmirror/break", {"destination-path": DESTINATION, "force": True}
    )
    assert answer.status in {200, 201}
    shown = lyon.records(f"/api/private/cli/snapmirror?destination_path={DESTINATION}&fields=state,status")[0]
    assert (shown["state"], shown["status"]) == ("broken_off", "idle")
    assert mirror.state == "broken_off"
    missing = lyon.call("POST", "/api/private/cli/snapmirror/quiesce", {"destination-path": "a:b"})
    assert missing.status == 404


@pytest.fixture
def restore(paris):
    body = {"destination.path": "svm_prod:ris_vm", "source.path": DESTINATION, "restore": "true"}
    made = paris.call("POST", "/api/snapmirror/relationships?return_timeout=120", body)
    assert made.status == 201
    return made.headers["Location"]


def test_a_restore_brings_a_snapshot_back_and_its_relationship_goes(paris, lyon, restore):
    assert paris.get(f"{restore}?fields=restore")["restore"] is True
    wanted = lyon.volume("ris_vm_dr").snapshots[0]
    source = paris.volume("ris_vm")
    assert all(s.uuid != wanted.uuid for s in source.snapshots)
    answer = paris.call("POST", f"{restore}/transfers?return_timeout=60", {"source_snapshot": wanted.name})
    assert answer.status == 201
    assert paris.get(answer.headers["Location"])["relationship"]["restore"] is True
    assert paris.world.wait(lambda: not paris.cluster.mirrors, 20)
    assert paris.call("GET", restore).status == 404
    assert any(s.uuid == wanted.uuid for s in source.snapshots)
    assert source.files == wanted.files


def test_a_restore_relationship_is_deleted_and_nothing_else(paris, restore):
    assert paris.call("PATCH", restore, {"state": "broken_off"}).body["error"]["code"] == "13303851"
    flagged = paris.call("DELETE", f"{restore}?destination_only=true", {})
    assert flagged.body["error"]["code"] == "13303855"
    missing = paris.call("POST", f"{restore}/transfers", {"source_snapshot": "none"})
    assert missing.body["error"]["code"] == "13303845"
    assert paris.job(paris.call("DELETE", restore, {}))["state"] == "success"
    assert paris.call("GET", restore).status == 404
