"""``/snapmirror/policies``: the system's policies and those that relationships use."""

from __future__ import annotations

from drctl.lab.ontap.records import Record
from drctl.lab.ontap.resource import Call, Resource, self_link
from drctl.lab.ontap.schema import Schema
from drctl.lab.storage import stable_uuid

POLICIES = {
    "Asynchronous": "async",
    "MirrorAllSnapshots": "async",
    "MirrorAndVault": "async",
    "MirrorLatest": "async",
    "DailyBackup": "async",
    "XDPDefault": "async",
    "Sync": "sync",
    "StrictSync": "sync",
    "Continuous": "continuous",
}
"""System policies and their types; they carry no SVM."""


def policy_record(name: str) -> Record:
    """Return a policy as relationships show it; policies of one's own count as asynchronous."""
    return {"uuid": stable_uuid("policy", name), "name": name, "type": POLICIES.get(name, "async")}


def _list_policies(call: Call) -> list[Record]:
    used = {mirror.policy for mirror in call.array.cluster.mirrors.values()}
    records = []
    for name in [*POLICIES, *sorted(used - set(POLICIES))]:
        record = policy_record(name)
        record["scope"] = "cluster"
        if record["type"] == "sync":
            record["sync_type"] = "strict_sync" if name == "StrictSync" else "sync"
        record["_links"] = self_link(f"/api/snapmirror/policies/{record['uuid']}")
        records.append(record)
    return records


SNAPMIRROR_POLICIES = Resource(
    path="/snapmirror/policies",
    schema=Schema(
        "uuid name type sync_type scope svm comment retention rpo throttle transfer_schedule "
        "copy_all_source_snapshots copy_latest_source_snapshot create_snapshot_on_source "
        "identity_preservation network_compression_enabled sync_common_snapshot_schedule",
    ),
    listing=_list_policies,
)
