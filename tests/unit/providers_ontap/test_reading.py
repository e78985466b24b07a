"""Many objects, few requests; and what is done where the bulk path is closed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import formatdate

import pytest
from scripted_array import Reply, collection, refused

from drctl.core.action import Missing
from drctl.core.problem import ProviderError
from drctl.providers.ontap import PROVIDER
from drctl.providers.ontap.mirrors import read_mirrors

MADE = "2026-03-02T14:05:00+00:00"


def mirror(name, **more):
    return {
        "uuid": f"m-{name}",
        "destination": {"path": f"svm_dr:{name}"},
        "state": "snapmirrored",
        "exported_snapshot": f"snap-{name}",
        **more,
    }


def volume(name, **more):
    return {"uuid": f"v-{name}", "name": name, "svm": {"name": "svm_dr"}, "type": "dp", **more}


def snapshot(name):
    return {"name": f"snap-{name}", "create_time": MADE, "volume": {"uuid": f"v-{name}"}}


@pytest.fixture
def estate(array):
    def furnish(*names):
        array.on("GET /snapmirror/relationships", collection(*map(mirror, names)))
        array.on("GET /storage/volumes", collection(*map(volume, names)))
        array.on("GET /storage/volumes/%2A/snapshots", collection(*map(snapshot, names)))
        for name in names:
            array.on(f"GET /storage/volumes/v-{name}/snapshots", collection(snapshot(name)))

    return furnish


def test_three_requests_read_any_number_of_mirrors(array, client, estate):
    names = [f"vol{number}" for number in range(18)]
    estate(*names)
    kind = PROVIDER.actions["ontap.snapmirror.break"]
    actions = [kind(destination=f"svm_dr:{name}") for name in names]
    states = kind.read_many(actions, client)
    assert [state.mirror.destination for state in states] == [action.destination for action in actions]
    assert {state.recovery_point for state in states} == {datetime.fromisoformat(MADE)}
    assert len(array.asked) == 3


def test_a_long_list_is_no_longer_a_query(array, client, estate):
    names = [f"vol{number}" for number in range(60)]
    estate(*names)
    read_mirrors(client, [f"svm_dr:{name}" for name in names])
    assert [asked.path for asked in array.asked[:2]] == ["/snapmirror/relationships", "/storage/volumes"]
    assert "destination.path=" not in array.asked[0].query
    assert len(array.asked) == 5
    assert all(len(asked.query) < 4000 for asked in array.asked)


def test_where_the_bulk_path_is_closed_each_volume_is_asked(array, client, estate):
    estate("one", "two")
    array.on("GET /storage/volumes/%2A/snapshots", refused(403, "6", "not authorized for that command"))
    states = read_mirrors(client, ["svm_dr:one", "svm_dr:two"])
    assert all(state.recovery_point == datetime.fromisoformat(MADE) for state in states)


def test_an_absent_mirror_is_absent_and_the_others_are_read(array, client, estate):
    estate("one")
    one, absent = read_mirrors(client, ["svm_dr:one", "svm_dr:absent"])
    assert one.mirror is not None
    assert (absent.mirror, absent.volume, absent.recovery_point) == (None, None, None)


def test_without_the_snapshot_the_lag_tells_the_recovery_point_by_the_arrays_clock(array, client, estate):
    estate("one")
    array.on("GET /snapmirror/relationships", collection(mirror("one", lag_time="PT1H")))
    ahead = formatdate((datetime.now(UTC) + timedelta(minutes=10)).timestamp(), usegmt=True)
    array.on("GET /storage/volumes/v-one/snapshots", Reply(200, {"records": []}, {"Date": ahead}))
    [state] = read_mirrors(client, ["svm_dr:one"])
    expected = datetime.now(UTC) + timedelta(minutes=10) - timedelta(hours=1)
    assert abs((state.recovery_point - expected).total_seconds()) < 5
    assert state.clock_skew == pytest.approx(600, abs=3)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("ontap.snapmirror.break", {"destination": "svm_dr:one"}),
        ("ontap.snapmirror.quiesce", {"destination": "svm_dr:one"}),
        ("ontap.volume.mount", {"svm": "svm_dr", "volume": "one", "junction": "/one"}),
        ("ontap.volume.unmount", {"svm": "svm_dr", "volume": "one"}),
        (
            "ontap.volume.export",
            {"svm": "svm_dr", "volume": "one", "policy": "esx", "clients": ["198.51.100.31"]},
        ),
        ("ontap.svm.start", {"svm": "svm_dr"}),
        ("ontap.svm.stop", {"svm": "svm_dr"}),
        ("ontap.lif.up", {"svm": "svm_dr", "lif": "lif1"}),
        ("ontap.lif.down", {"svm": "svm_dr", "lif": "lif1"}),
        ("ontap.cifs.share", {"svm": "svm_dr", "share": "IMAGES", "path": "/one"}),
        ("ontap.cifs.alias", {"svm": "svm_dr", "alias": "NAS"}),
    ],
)
def test_a_cluster_that_does_not_answer_is_an_answer_for_each(array, client, name, arguments):
    """No script: every path answers 404; bulk reads hand out errors, they do not raise them."""
    kind = PROVIDER.actions[name]
    actions = [kind.model_validate(arguments)] * 2
    found = kind.read_many(actions, client)
    assert [type(each) for each in found] == [ProviderError, ProviderError]
    assert len({asked.path for asked in array.asked}) == 1


def test_reading_one_by_one_and_in_bulk_says_the_same(array, client, estate):
    estate("one", "two")
    array.on("GET /storage/volumes", collection(volume("one", nas={"path": "/one"}), volume("two")))
    kind = PROVIDER.actions["ontap.volume.mount"]
    actions = [kind(svm="svm_dr", volume=name, junction=f"/{name}") for name in ("one", "two", "absent")]
    states = kind.read_many(actions, client)
    assert states == [action.read(client) for action in actions]
    assert actions[0].diff(states[0]) is None
    assert actions[1].diff(states[1]) is not None
    with pytest.raises(Missing):
        actions[2].diff(states[2])


def test_space_and_readiness_are_observed(array, client):
    array.on(
        "GET /storage/volumes", collection(volume("one", aggregates=[{"name": "aggr1"}], nas={"path": ""}))
    )
    blocks = {"size": 1000, "available": 40}
    array.on("GET /storage/aggregates", collection({"name": "aggr1", "space": {"block_storage": blocks}}))
    space = PROVIDER.probes["ontap.aggregate.space"](svm="svm_dr", volume="one", min_free_percent=5)
    assert space.judge(space.observe(client)).summary == "aggr1 has 4.0 % free, wanted are 5 %"
    ready = PROVIDER.probes["ontap.volume.ready"](svm="svm_dr", volume="one")
    assert ready.observe(client).values == {
        "exists": True,
        "state": "online",
        "type": "dp",
        "junction": None,
    }


def test_refused_credentials_are_a_finding_and_a_silent_cluster_an_error(array, client):
    access = PROVIDER.probes["ontap.access"]()
    array.on("GET /cluster", refused(401, "6691623", "User is not authorized."))
    finding = access.judge(access.observe(client))
    assert (finding.level, finding.impossible) == ("blocker", True)
    array.on("GET /cluster", Reply(drop=True))
    with pytest.raises(ProviderError) as silence:
        access.observe(client)
    assert silence.value.unreachable
