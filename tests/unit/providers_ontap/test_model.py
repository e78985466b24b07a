"""ONTAP's JSON read into records: recorded answers, documented examples, and what users reported."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from drctl.providers.ontap.model import (
    Aggregate,
    CifsServer,
    Cluster,
    ExportPolicy,
    Job,
    Lif,
    Mirror,
    OntapEndpoint,
    Share,
    Snapshot,
    Volume,
    fields_of,
)

SAMPLES = Path(__file__).parents[2] / "lab_ontap" / "samples"


def sample(name):
    return json.loads((SAMPLES / f"{name}.json").read_text())


def records(name):
    found = sample(name)
    if isinstance(found, dict):
        return found.get("records", [found])
    return found


def test_recorded_volumes_are_read():
    volumes = {volume.name: volume for volume in map(Volume.model_validate, records("volumes"))}
    assert {volume.type for volume in volumes.values()} >= {"rw", "dp", "ls"}
    mirrored = next(volume for volume in volumes.values() if volume.type == "dp")
    assert (mirrored.junction, mirrored.policy, mirrored.state) == (None, "default", "online")
    assert mirrored.aggregates
    assert any(volume.state == "offline" for volume in volumes.values())


def test_a_recorded_cluster_is_read():
    cluster = Cluster.model_validate(sample("cluster"))
    assert cluster.name
    assert cluster.version.startswith("NetApp Release 9.")


def test_documented_examples_are_read():
    shares = [Share.model_validate(record) for record in records("doc_cifs_share")]
    assert {(ace.who, ace.access) for share in shares for ace in share.acl} >= {("root", "no_access")}
    assert all(Aggregate.model_validate(record).name for record in records("doc_aggregate"))
    assert all(Lif.model_validate(record).name for record in records("doc_ip_interface"))
    assert [Job.model_validate(record).state for record in records("doc_job")] == ["running"]


def test_the_job_of_a_user_is_read():
    """The shape a comment in netapp.ontap records: the code is a number here, a text in errors."""
    job = Job.model_validate(
        {"uuid": "c", "state": "failure", "message": "There are not enough disks in Pool1.", "code": 2432836}
    )
    assert (job.ended, job.code) == (True, 2432836)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("PT8H35M42S", 30942), ("P1DT2H", 93600), ("PT0S", 0), ("PT21M", 1260), (1260, 1260)],
)
def test_lag_is_read_in_seconds(written, seconds):
    mirror = Mirror.model_validate({"destination": {"path": "a:b"}, "state": "paused", "lag_time": written})
    assert mirror.lag == seconds


def test_reasons_are_flattened_however_deep_they_are():
    reason = {
        "message": "Group update failed",
        "code": "6621445",
        "arguments": [
            {"message": "Update of item relationships failed", "code": "6621444"},
            {"arguments": [{"message": "Peer not reachable", "arguments": [{"message": "RPC error"}]}]},
        ],
    }
    mirror = Mirror.model_validate(
        {
            "destination": {"path": "a:b"},
            "state": "snapmirrored",
            "healthy": False,
            "unhealthy_reason": [reason],
        }
    )
    assert mirror.reasons == (
        "Group update failed (6621445)",
        "Update of item relationships failed (6621444)",
        "Peer not reachable",
        "RPC error",
    )


def test_rules_and_aliases_are_read():
    policy = ExportPolicy.model_validate(
        {
            "id": 12,
            "name": "esx",
            "svm": {"name": "svm_dr"},
            "rules": [
                {"index": 1, "clients": [{"match": "198.51.100.31, 198.51.100.32"}], "ro_rule": ["sys"]}
            ],
        }
    )
    assert policy.rules[0].clients == ("198.51.100.31", "198.51.100.32")
    assert policy.rules[0].rw == ()
    server = CifsServer.model_validate(
        {"svm": {"name": "svm_dr", "uuid": "s1"}, "name": "CIFS-LYON", "ad_domain": {"fqdn": "EXAMPLE"}}
    )
    assert (server.aliases, server.domain, server.enabled) == ((), "EXAMPLE", True)


def test_fields_are_asked_for_by_ontaps_names():
    assert fields_of(Snapshot) == "name,create_time,volume.uuid"
    assert "nas.export_policy.name" in fields_of(Volume).split(",")


def test_times_are_brought_to_utc():
    made = Snapshot.model_validate({"name": "s", "create_time": "2026-03-02T15:05:00+01:00"}).created
    assert made == datetime(2026, 3, 2, 14, 5, tzinfo=UTC)
    assert made.tzinfo is UTC


@pytest.mark.parametrize("wrong", [{"port": 0}, {"password": "clear text"}, {"verify": False}])
def test_an_endpoint_refuses_what_would_be_unsafe_or_unknown(wrong):
    fields = {
        "name": "a",
        "type": "ontap",
        "site": "s",
        "host": "h",
        "username": "u",
        "password": {"env": "X"},
    }
    assert OntapEndpoint.model_validate(fields).port == 443
    with pytest.raises(ValidationError):
        OntapEndpoint.model_validate(fields | wrong)
