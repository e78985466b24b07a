"""Objects that several steps change at once, and refusals of the array that people must understand."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from contract import Example

from drctl.core.action import Missing
from drctl.core.problem import ProviderError
from drctl.core.provider import Access

LYON = "ontap-lyon"
STILL = 0.001
HOSTS = ["198.51.100.31", "198.51.100.32"]


@pytest.fixture
def stand(bench):
    return bench(Example("ontap.svm.stop", LYON, {"svm": "svm_dr"}))


def apply_together(stand, actions):
    """Diff all, then apply all at once, as a plan does."""
    failures = []

    def work(client, action, change):
        try:
            action.apply(client, change, stand.control())
        except ProviderError as error:
            failures.append(error.problem)

    with stand.connect(Access.WRITE) as client:
        planned = [(action, action.diff(action.read(client))) for action in actions]
        assert all(change for _, change in planned)
        threads = [threading.Thread(target=work, args=(client, *pair)) for pair in planned]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert [stand.left_to_do(action, client) for action in actions] == [None] * len(actions)


def svm(stand):
    return stand.world.estate.clusters[LYON].svms["svm_dr"]


def test_volumes_that_share_a_new_policy_make_it_once(stand):
    volumes = ["ris_vm_dr", "ris_db_dr", "pacs_vm_dr", "portal_vm_dr"]
    exports = [
        stand.build(
            "ontap.volume.export",
            {"svm": "svm_dr", "volume": name, "policy": "radiology", "clients": HOSTS},
        )
        for name in volumes
    ]
    apply_together(stand, exports)
    assert len(svm(stand).policies["radiology"].rules) == 1
    assert [call for _, call, _ in stand.mutations()].count("POST /protocols/nfs/export-policies") == 1


def test_aliases_added_at_once_are_all_there(stand):
    names = ["NAS-PACS", "NAS-RIS", "NAS-PORTAL", "NAS-OLD"]
    apply_together(stand, [stand.build("ontap.cifs.alias", {"svm": "svm_dr", "alias": n}) for n in names])
    assert set(svm(stand).aliases) == set(names)


def test_a_root_that_keeps_hosts_out_is_opened_to_read_only(stand):
    with stand.world.lock:
        svm(stand).policies["default"].rules.clear()
    action = stand.build(
        "ontap.volume.export", {"svm": "svm_dr", "volume": "ris_vm_dr", "policy": "esx", "clients": HOSTS}
    )
    probe = stand.registry.find("ontap.export.admits")(svm="svm_dr", policy="esx", clients=action.clients)
    with stand.connect(Access.READ) as client:
        before = probe.judge(probe.observe(client))
    assert "the SVM root's policy default keeps" in " ".join((before.summary, *before.details))
    stand.run(action, LYON)
    with stand.connect(Access.READ) as client:
        assert probe.judge(probe.observe(client)).level == "ok"
    [rule] = svm(stand).policies["default"].rules
    assert (rule.rw, rule.superuser) == (["never"], ["never"])


def test_a_share_made_here_carries_the_runs_mark_and_no_right_for_everyone(stand):
    share = {"svm": "svm_dr", "share": "IMAGES", "path": "/pacs_images"}
    right = {"who": "TELERADIO\\pacs-service", "access": "full_control"}
    action = stand.build("ontap.cifs.share", {**share, "acl": [right]})
    with stand.connect(Access.READ) as client, pytest.raises(Missing) as missing:
        action.diff(action.read(client))
    assert str(missing.value.object) == "junction svm_dr:/pacs_images"
    mount = {"svm": "svm_dr", "volume": "pacs_images_dr", "junction": "/pacs_images"}
    stand.run(stand.build("ontap.volume.mount", mount), LYON)
    stand.run(action, LYON)
    made = svm(stand).shares["IMAGES"]
    assert made.acl == {"TELERADIO\\pacs-service": "full_control"}
    assert made.comment == "drctl:contract:step"


def test_a_mount_the_array_refuses_says_why(stand):
    """The volume of a mirror that was never initialised."""
    with stand.world.lock:
        cluster = stand.world.estate.clusters[LYON]
        next(v for v in cluster.volumes.values() if v.name == "ris_vm_dr").initialized = False
    action = stand.build(
        "ontap.volume.mount", {"svm": "svm_dr", "volume": "ris_vm_dr", "junction": "/ris_vm"}
    )
    with stand.connect(Access.WRITE) as client:
        change = action.diff(action.read(client))
        with pytest.raises(ProviderError) as refusal:
            action.apply(client, change, stand.control())
    assert refusal.value.problem.code == "ontap-917536"
    assert "initiali" in refusal.value.problem.summary.lower()


def test_a_job_begun_before_a_crash_is_found_again(bench):
    """Its own reply is lost: only the array knows of the job; the lab's clock stands nearly still."""
    stand = bench(Example("ontap.svm.stop", LYON, {"svm": "svm_dr"}), STILL)
    mount = {"svm": "svm_dr", "volume": "ris_vm_dr", "junction": "/ris_vm"}
    for action in (stand.build("ontap.volume.mount", mount), stand.action):
        with stand.connect(Access.WRITE) as client:
            change = action.diff(action.read(client))
            stand.world.faults.add(f"reply-lost:{LYON}:once")
            with pytest.raises(ProviderError) as doubt:
                action.apply(client, change, stand.control())
            assert doubt.value.effect_unknown
            running = action.find_running(client, datetime.now(UTC))
            assert running is not None
            assert running.kind == "job"
            assert stand.left_to_do(action, client) is None
            stand.world.advance(600)
            assert action.find_running(client, datetime.now(UTC)) is None


def test_a_busy_junction_is_not_taken_for_done(stand):
    mount = {"svm": "svm_dr", "volume": "ris_vm_dr", "junction": "/ris_vm"}
    stand.run(stand.build("ontap.volume.mount", mount), LYON)
    stand.world.faults.add("junction-busy:svm_dr:ris_vm_dr")
    action = stand.build("ontap.volume.unmount", {"svm": "svm_dr", "volume": "ris_vm_dr"})
    with stand.connect(Access.WRITE) as client:
        change = action.diff(action.read(client))
        with pytest.raises(ProviderError):
            action.apply(client, change, stand.control())
        assert action.diff(action.read(client)) is not None


@pytest.mark.parametrize(
    ("fault", "code", "unreachable"),
    [
        ("site-down:lyon", "ontap-unreachable", True),
        (f"refused:{LYON}", "ontap-unreachable", True),
        (f"tls-expired:{LYON}", "ontap-tls", False),
        (f"auth-expired:{LYON}", "ontap-auth", False),
    ],
)
def test_a_cluster_that_cannot_be_used_says_so_in_seconds(stand, fault, code, unreachable):
    stand.world.faults.add(fault)
    with stand.connect(Access.READ) as client, pytest.raises(ProviderError) as silence:
        stand.action.read(client)
    assert (silence.value.problem.code, silence.value.unreachable) == (code, unreachable)
    assert silence.value.problem.hint


def test_every_probe_finds_the_fresh_standby_in_order(stand):
    destination = "svm_dr:ris_vm_dr"
    volume = {"svm": "svm_dr", "volume": "ris_vm_dr"}
    questions = {
        "ontap.access": {},
        "ontap.mirror.fresh": {"destination": destination, "max_lag": "2h"},
        "ontap.mirror.healthy": {"destination": destination},
        "ontap.recovery_point.consistent": {
            "destinations": [destination, "svm_dr:ris_db_dr"],
            "max_skew": "5m",
        },
        "ontap.volume.ready": volume,
        "ontap.aggregate.space": {**volume, "min_free_percent": 5},
        "ontap.cifs.joined": {"svm": "svm_dr"},
    }
    before = stand.mutations()
    with stand.connect(Access.READ) as client:
        for name, arguments in questions.items():
            probe = stand.registry.find(name).model_validate(arguments)
            seen = probe.observe(client)
            assert seen.values.keys() <= probe.output_names
            assert probe.judge(seen).level == "ok", name
    assert stand.mutations() == before


def test_a_snapshot_policy_that_does_not_exist_is_named_with_those_that_do(stand):
    action = stand.build(
        "ontap.volume.snapshot_policy", {"svm": "svm_dr", "volume": "ris_vm_dr", "policy": "radiology"}
    )
    with stand.connect(Access.READ) as client, pytest.raises(ProviderError) as caught:
        action.diff(action.read(client))
    problem = caught.value.problem
    assert problem.code == "ontap-no-snapshot-policy"
    assert problem.detail == "It can have default, default-1weekly, none."


def test_the_snapshot_policy_of_a_destination_waits_for_its_break(stand):
    action = stand.build(
        "ontap.volume.snapshot_policy", {"svm": "svm_dr", "volume": "ris_vm_dr", "policy": "none"}
    )
    with (
        stand.connect(Access.READ) as client,
        pytest.raises(Missing, match="read-only destination") as caught,
    ):
        action.diff(action.read(client))
    breaking = stand.build("ontap.snapmirror.break", {"destination": "svm_dr:ris_vm_dr"})
    assert caught.value.object in breaking.touches()
