"""The façade's records have the fields and types that real arrays sent."""

import json
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parent / "samples"


def sample(name):
    return json.loads((SAMPLES / f"{name}.json").read_text())


def kinds(record, prefix=""):
    """Map dotted names to JSON types; lists are described by their items."""
    found = {}
    for name, value in record.items():
        at = f"{prefix}{name}"
        if isinstance(value, dict):
            found |= kinds(value, at + ".")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for item in value:
                found |= kinds(item, at + "[].")
        else:
            found[at] = (
                "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value)
            )
    return found


def assert_alike(mine, real):
    """Every field both have is of one type."""
    mine, real = kinds(mine), kinds(real)
    shared = mine.keys() & real.keys()
    assert shared
    assert {name: mine[name] for name in shared} == {name: real[name] for name in shared}
    return mine, real


def test_the_cluster(lyon):
    mine, real = assert_alike(lyon.get("/api/cluster"), sample("cluster"))
    missing = {
        n for n in real.keys() - mine.keys() if not n.startswith(("metric", "statistics", "certificate"))
    }
    assert not missing


def test_volumes_without_junction_as_recorded_with_all_cheap_fields(lyon):
    asked = "fields=*,space,autosize,encryption.enabled,anti_ransomware.state,is_svm_root,snaplock.type"
    mine = lyon.get(f"/api/storage/volumes?{asked}")
    real = sample("volumes")
    assert list(mine) == list(real) == ["records", "num_records", "_links"]
    recorded = {record["type"]: record for record in real["records"] if record["style"] == "flexvol"}
    for record in mine["records"]:
        mine_kinds, real_kinds = assert_alike(record, recorded[record["type"]])
        assert record.keys() >= recorded[record["type"]].keys() - {"status"}
        invented = {
            n for n in mine_kinds.keys() - real_kinds.keys() if not n.startswith(("space", "nas", "clone"))
        }
        assert invented <= {"snapshot_policy.name", "guarantee.type", "guarantee.honored", "language"}
        assert "path" not in record["nas"], "nas.path is expensive: it comes only when named"


def test_an_unmounted_volume_has_no_path_and_a_mounted_one_only_when_asked(lyon, paris):
    standby = lyon.records("/api/storage/volumes?name=ris_vm_dr&fields=nas.path,nas.export_policy.name")[0]
    assert standby["nas"] == {"export_policy": {"name": standby["nas"]["export_policy"]["name"]}}
    production = paris.records("/api/storage/volumes?name=ris_vm&fields=nas.path")[0]
    assert production["nas"] == {"path": "/ris_vm"}
    assert "path" not in paris.records("/api/storage/volumes?name=ris_vm&fields=*")[0]["nas"]


def test_the_private_cli_has_flat_records_without_links(lyon):
    mine = lyon.get("/api/private/cli/volume?fields=nodes,files,files_used,is_sis_volume")
    real = sample("private_cli_volume")
    assert "_links" not in mine
    for record in mine["records"]:
        assert "_links" not in record
        assert_alike(record, real["records"][0])
        assert record.keys() <= real["records"][0].keys()


def test_events(lyon):
    lyon.volume("ris_vm_dr").state = "offline"
    mine, real = lyon.get("/api/support/ems/events?fields=*"), sample("ems_events")
    assert mine["num_records"] == 1
    assert list(mine) == list(real)
    assert_alike(mine["records"][0], real["records"][0])
    assert mine["records"][0].keys() == real["records"][0].keys()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api/network/ip/interfaces?fields=*", "doc_ip_interface"),
        ("/api/storage/aggregates?fields=*", "doc_aggregate"),
    ],
)
def test_documented_examples(lyon, path, name):
    assert_alike(lyon.records(path)[0], sample(name))


def test_documented_shares(lyon):
    svm = lyon.cluster.svms["svm_dr"]
    body = {
        "svm": {"name": svm.name},
        "name": "HOME",
        "path": "/",
        "acls": [{"user_or_group": "Everyone", "type": "windows", "permission": "full_control"}],
    }
    assert lyon.call("POST", "/api/protocols/cifs/shares", body).status == 201
    mine = lyon.records("/api/protocols/cifs/shares?name=HOME&fields=*")[0]
    _, real = assert_alike(mine, sample("doc_cifs_share")[0])
    assert kinds(mine).keys() - real.keys() <= {"comment", "svm.name", "volume._links.self.href"}


def test_documented_snapshots(lyon):
    uuid = lyon.volume("ris_vm_dr").uuid
    mine = lyon.records(f"/api/storage/volumes/{uuid}/snapshots")
    for record in mine:
        assert kinds(record) == kinds(sample("doc_snapshot")[0])
