"""NetApp's Ansible collection netapp.ontap drives the lab's arrays: break, mount, resync, clone, remove."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from ansible_peer import Playbook, require_ansible
from ontap_arrays import Array, Arrays, serve_arrays

from drctl.lab.pki import Pki

PLAYBOOKS = Path(__file__).parent / "playbooks"


def login(array: Array) -> dict[str, Any]:
    return {"host": array.host, "port": array.port, "user": array.user, "password": array.password}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Arrays, dict[str, Any]]]]:
    """Run the playbooks side by side, each against its own arrays: name to (arrays, results)."""
    require_ansible()
    folder = tmp_path_factory.mktemp("ansible")
    pki = Pki(tmp_path_factory.mktemp("pki"))
    with ExitStack() as stack:
        started = {}
        for name in ("mirror", "clone"):
            arrays = stack.enter_context(serve_arrays(pki))
            variables = {
                "array": login(arrays.lyon),
                "source": login(arrays.paris),
                "snapshot": arrays.lyon.mirror("svm_dr:ris_db_dr").exported,
                "older": arrays.lyon.volume("ris_vm_dr").snapshots[0].name,
            }
            playbook = Playbook(PLAYBOOKS / f"{name}.yml", folder / name, pki.ca_file, variables)
            stack.callback(playbook.stop)
            started[name] = (arrays, playbook)
        yield {name: (arrays, playbook.results()) for name, (arrays, playbook) in started.items()}


@pytest.fixture
def mirror(runs):
    return runs["mirror"]


@pytest.fixture
def clone(runs):
    return runs["clone"]


def calls(arrays: Arrays) -> list[tuple[str, str]]:
    return [(m.call, m.target) for m in arrays.world.estate.mutations]


def test_break_is_done_once(mirror):
    _, results = mirror
    assert (results["broken"]["changed"], results["broken"]["actions"]) == (True, ["break"])
    assert results["broken_again"]["changed"] is False


def test_mount_is_done_once(mirror):
    arrays, results = mirror
    assert results["mounted"]["changed"] is True
    assert results["mounted_again"]["changed"] is False
    volume = arrays.lyon.volume("ris_vm_dr")
    assert (volume.junction, volume.export_policy) == ("/ris_vm", "esx")


def test_what_the_module_reads_of_everything(mirror):
    info = mirror[1]["info"]["ontap_info"]
    assert info["cluster"]["version"]["generation"] == 9
    broken = [
        r["destination"]["path"]
        for r in info["snapmirror/relationships"]["records"]
        if r["state"] == "broken_off"
    ]
    assert broken == ["svm_dr:ris_vm_dr"]
    assert {r["name"] for r in info["svm/svms"]["records"]} == {"svm_dr"}


def test_resync_brings_the_mirror_back(mirror):
    arrays, results = mirror
    assert results["resynced"]["actions"] == ["resync"]
    relation = arrays.lyon.mirror("svm_dr:ris_vm_dr")
    assert arrays.world.wait(lambda: relation.transfers[-1].ended is not None, 20)
    assert relation.state == "snapmirrored"
    assert relation.transfers[-1].type == "resync"
    assert arrays.lyon.volume("ris_vm_dr").type == "dp"


def test_every_change_went_through_the_log(mirror):
    arrays, _ = mirror
    relation, volume = (
        ("PATCH /snapmirror/relationships", "svm_dr:ris_vm_dr"),
        ("PATCH /storage/volumes", "svm_dr:ris_vm_dr"),
    )
    log = calls(arrays)
    assert log.count(relation) == 3, "quiesce, break, resync"
    assert volume in log
    assert set(log) == {relation, volume}


def test_an_update_is_a_transfer(clone):
    arrays, results = clone
    assert "update" in results["updated"]["actions"]
    assert ("POST /snapmirror/relationships/{relationship.uuid}/transfers", "svm_dr:pacs_images_dr") in calls(
        arrays
    )


def test_a_clone_is_made_mounted_and_split(clone):
    arrays, results = clone
    assert results["cloned"]["changed"] is True
    assert results["split"]["changed"] is True
    assert results["shown"]["msg"]["records"][0]["junction_path"] == "/probe"
    probe = arrays.lyon.volume("probe")
    assert arrays.world.wait(lambda: probe.clone_parent is None, 20)


def test_a_mirror_is_created_with_its_volume(clone):
    arrays, results = clone
    assert results["created"]["changed"] is True
    relation = arrays.lyon.mirror("svm_dr:ris_db_second")
    assert arrays.world.wait(lambda: relation.state == "snapmirrored", 20)
    assert relation.policy == "MirrorAllSnapshots"


def test_a_mirror_is_removed_on_both_sides(clone):
    arrays, results = clone
    assert "delete" in results["removed"]["actions"]
    assert all(m.destination != "svm_dr:pacs_images_dr" for m in arrays.lyon.cluster.mirrors.values())


def test_a_restore_brings_an_older_snapshot_back(clone):
    arrays, results = clone
    assert results["restored"]["actions"] == ["restore"]
    assert arrays.world.wait(lambda: not arrays.paris.cluster.mirrors, 20)
    older = arrays.lyon.volume("ris_vm_dr").snapshots[0].uuid
    assert any(snapshot.uuid == older for snapshot in arrays.paris.volume("ris_vm").snapshots)
