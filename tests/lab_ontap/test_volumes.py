"""Volumes, clones and snapshots on the wire."""

import pytest

from drctl.lab.model import SnapshotPolicy


@pytest.fixture
def volume(paris):
    return paris.volume("ris_db")


@pytest.fixture
def path(volume):
    return f"/api/storage/volumes/{volume.uuid}"


def patch(array, path, body):
    return array.call("PATCH", f"{path}?return_timeout=30", body)


@pytest.mark.parametrize("body", [{"nas.path": "/else"}, {"nas": {"path": "/else"}}])
def test_dotted_and_nested_bodies_mount_alike(paris, path, body):
    assert patch(paris, path, {"nas.path": ""}).status == 200
    assert "path" not in paris.get(f"{path}?fields=nas.path").get("nas", {})
    assert patch(paris, path, body).status == 200
    assert paris.get(f"{path}?fields=nas.path,nas.junction_parent")["nas"]["path"] == "/else"
    found = paris.records("/api/storage/volumes?nas.path=/else")
    assert [record["name"] for record in found] == ["ris_db"]


def test_taking_a_volume_offline_removes_its_junction_and_online_does_not_bring_it_back(paris, path):
    for state in ("offline", "online"):
        assert patch(paris, path, {"state": state}).status == 200
        record = paris.get(f"{path}?fields=state,nas.path")
        assert record["state"] == state
        assert "nas" not in record


def test_a_mount_is_refused_in_the_text_of_its_job(paris, path):
    paris.world.faults.add("junction-busy:svm_prod:ris_db:once")
    job = paris.job(paris.call("PATCH", path, {"nas.path": ""}))
    assert job["code"] == 917536
    assert "busy" in job["message"]
    taken = patch(paris, path, {"nas.path": "/ris_vm"})
    assert taken.body["error"]["code"] == "917536"
    assert patch(paris, path, {"nas.path": "nowhere"}).body["error"]["code"] == "918252"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"colour": "red"}, "262179"),
        ({"type": "dp"}, "262196"),
        ({"nas.security_style": "ntfs"}, "262196"),
        ({"state": "sleeping"}, "2"),
        ({"size": "big"}, "2"),
        ({"nas.export_policy.name": "nobody"}, "1703954"),
        ({"nas.export_policy.id": 1}, "4"),
        ({"clone.split_initiated": "true"}, "917628"),
        ({"restore_to.snapshot.name": "none"}, "4"),
    ],
)
def test_refused_changes(paris, path, body, code):
    assert patch(paris, path, body).body["error"]["code"] == code


def test_what_a_client_read_it_may_send_back(paris, path):
    record = paris.get(f"{path}?fields=type,style,nas.security_style,svm.name", Accept="application/json")
    assert patch(paris, path, {**record, "comment": "drctl:run:step"}).status == 200
    assert paris.get(path)["comment"] == "drctl:run:step"


def test_the_policy_by_name_and_by_id(paris, path):
    esx = paris.records("/api/protocols/nfs/export-policies?name=esx")[0]["id"]
    for body, name in (
        ({"nas.export_policy.name": "default"}, "default"),
        ({"nas.export_policy.id": esx}, "esx"),
    ):
        assert patch(paris, path, body).status == 200
        assert paris.get(f"{path}?fields=nas.export_policy")["nas"]["export_policy"]["name"] == name


def clone_body(**more):
    return {
        "name": "probe",
        "svm.name": "svm_dr",
        "clone.is_flexclone": "true",
        "clone.parent_volume.name": "ris_db_dr",
        **more,
    }


def test_a_clone_knows_its_uuid_at_once_and_splits_in_the_background(lyon):
    answer = lyon.call(
        "POST", "/api/storage/volumes?return_records=true", clone_body(**{"nas.path": "/probe"})
    )
    assert answer.status == 202
    uuid = answer.body["records"][0]["uuid"]
    assert answer.headers["Location"] == f"/api/storage/volumes/{uuid}"
    assert lyon.job(answer)["state"] == "success"
    where = f"{answer.headers['Location']}?fields=clone,nas.path"
    made = lyon.get(where)
    assert made["nas"]["path"] == "/probe"
    assert made["clone"]["parent_volume"]["name"] == "ris_db_dr"
    assert made["clone"]["is_flexclone"] is True
    refused = lyon.call("DELETE", f"/api/storage/volumes/{lyon.volume('ris_db_dr').uuid}", {})
    assert refused.body["error"]["code"] == "524615"
    assert patch(lyon, answer.headers["Location"], {"clone.split_initiated": True}).status == 200
    assert lyon.world.wait(lambda: lyon.volume("probe").clone_parent is None, 20)
    assert lyon.get(where)["clone"] == {"is_flexclone": False}


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"clone.parent_volume.name": "nobody"}, "524601"),
        ({"clone.parent_snapshot.name": "none"}, "918243"),
        ({"clone.parent_svm.name": "svm_other", "nas.path": "/x"}, "1520442"),
        ({"name": "ris_db_dr"}, "917526"),
        ({"name": None}, "2"),
        ({"svm.name": "nobody"}, "4"),
        ({"encryption.enabled": True}, "262196"),
    ],
)
def test_refused_clones(lyon, more, code):
    answer = lyon.call("POST", "/api/storage/volumes?return_timeout=30", clone_body(**more))
    assert answer.body["error"]["code"] == code


def test_a_full_aggregate(lyon):
    lyon.world.faults.add("aggregate-full:aggr1")
    space = lyon.records("/api/storage/aggregates?fields=space")[0]["space"]["block_storage"]
    assert space["used_percent"] > 90
    body = {"name": "big", "svm": {"name": "svm_dr"}, "size": 2**45, "guarantee": {"type": "volume"}}
    answer = lyon.call("POST", "/api/storage/volumes", body)
    assert answer.body["error"]["code"] == "917508"


def test_a_deleted_volume_waits_in_the_recovery_queue(lyon):
    body = {"name": "scratch", "svm.name": "svm_dr", "aggregates": [{"name": "aggr1"}], "size": 2**20}
    made = lyon.call("POST", "/api/storage/volumes?return_timeout=30", body)
    assert made.status == 201
    assert lyon.call("DELETE", f"{made.headers['Location']}?return_timeout=30", {}).status == 200
    assert lyon.call("GET", made.headers["Location"]).status == 404
    queued = lyon.records("/api/private/cli/volume/recovery-queue?vserver=svm_dr")
    assert queued[0]["volume"].startswith("scratch_")
    purge = {"vserver": "svm_dr", "volume": queued[0]["volume"]}
    assert lyon.call("POST", "/api/private/cli/volume/recovery-queue/purge", purge).status == 201
    assert lyon.records("/api/private/cli/volume/recovery-queue") == []


def test_snapshots_from_birth_to_end(paris, path):
    answer = paris.call(
        "POST", f"{path}/snapshots?return_timeout=30", {"name": "before", "snapmirror_label": "dr"}
    )
    assert answer.status == 201
    where = answer.headers["Location"]
    assert paris.get(where)["snapmirror_label"] == "dr"
    again = paris.call("POST", f"{path}/snapshots", {"name": "before"})
    assert again.body["error"]["code"] == "525059"
    assert paris.call("DELETE", f"{where}?return_timeout=30", {}).status == 200
    assert paris.call("GET", where).status == 404


def test_locked_and_owned_snapshots_stay(paris, path, volume):
    until = "2099-01-01T00:00:00+00:00"
    locked = paris.call(
        "POST", f"{path}/snapshots?return_timeout=30", {"name": "l", "snaplock.expiry_time": until}
    )
    shown = paris.get(locked.headers["Location"])
    assert shown["snaplock"]["expired"] is False
    assert paris.call("DELETE", locked.headers["Location"], {}).body["error"]["code"] == "1638555"
    owned = next(s for s in volume.snapshots if s.owners)
    answer = paris.call("DELETE", f"{path}/snapshots/{owned.uuid}", {})
    assert answer.body["error"]["code"] == "1638543"
    log = {(m.call, m.target) for m in paris.world.estate.mutations}
    assert ("DELETE /storage/volumes/{volume.uuid}/snapshots", "svm_prod:ris_db@l") in log


def test_snapshots_of_every_volume(lyon):
    whole = sum(len(volume.snapshots) for volume in lyon.cluster.volumes.values())
    assert lyon.get("/api/storage/volumes/*/snapshots?return_records=false") == {"num_records": whole}


def test_a_destination_is_no_place_for_snapshots(lyon):
    where = f"/api/storage/volumes/{lyon.volume('ris_db_dr').uuid}/snapshots"
    assert lyon.call("POST", where, {"name": "x"}).body["error"]["code"] == "1638461"


def test_rolling_back(paris, path):
    made = paris.call("POST", f"{path}/snapshots?return_timeout=30", {"name": "good"})
    assert made.status == 201
    query = "?return_timeout=30&restore_to.snapshot.name=good"
    assert paris.call("PATCH", f"{path}{query}", {}).status == 200


def test_a_volume_gets_a_snapshot_policy_of_the_cluster_or_of_its_own_svm(paris, path):
    policies = paris.cluster.snapshot_policies
    policies += [SnapshotPolicy("keep", "svm_prod"), SnapshotPolicy("theirs", "svm_other")]
    listed = paris.records("/api/storage/snapshot-policies?fields=name,scope,svm.name")
    assert {(each["name"], each["scope"], each.get("svm", {}).get("name")) for each in listed} == {
        ("default", "cluster", None),
        ("default-1weekly", "cluster", None),
        ("none", "cluster", None),
        ("keep", "svm", "svm_prod"),
        ("theirs", "svm", "svm_other"),
    }
    for name in ("none", "keep"):
        assert patch(paris, path, {"snapshot_policy.name": name}).status == 200
        assert paris.get(f"{path}?fields=snapshot_policy")["snapshot_policy"] == {"name": name}
    for name in ("theirs", "typo"):
        refused = patch(paris, path, {"snapshot_policy": {"name": name}})
        assert refused.status == 404
        assert refused.body["error"]["target"] == "snapshot_policy.name"


def test_a_snapshot_policy_says_how_many_of_each_schedule_stay(lyon):
    found = lyon.records("/api/storage/snapshot-policies?name=default*&fields=copies&order_by=name")
    kept = [[(each["prefix"], each["count"]) for each in record["copies"]] for record in found]
    assert kept == [[("hourly", 6), ("daily", 2), ("weekly", weeks)] for weeks in (2, 1)]
    assert "copies" not in lyon.records("/api/storage/snapshot-policies?name=none&fields=*")[0]
