"""``/storage/snapshot-policies``: the three that every cluster has, and those of its SVMs; to read only."""

from __future__ import annotations

from drctl.lab.model import SnapshotPolicy
from drctl.lab.ontap import references
from drctl.lab.ontap.records import Json, Record
from drctl.lab.ontap.resource import Array, Call, Resource, self_link
from drctl.lab.ontap.schema import Schema
from drctl.lab.storage import stable_uuid


def _record(array: Array, policy: SnapshotPolicy) -> Record:
    copies: list[Json] = [
        {
            "count": each.count,
            "prefix": each.schedule,
            "schedule": {"name": each.schedule, "uuid": stable_uuid("schedule", each.schedule)},
            "snapmirror_label": each.label or "-",
        }
        for each in policy.copies
    ]
    uuid = stable_uuid("snapshot-policy", array.cluster.uuid, policy.svm, policy.name)
    record: Record = {
        "uuid": uuid,
        "name": policy.name,
        "comment": policy.comment,
        "enabled": True,
        "scope": "svm" if policy.svm else "cluster",
        "_links": self_link(f"/api/storage/snapshot-policies/{uuid}"),
    }
    if policy.svm:
        record["svm"] = references.svm(array.cluster, policy.svm)
    if copies:
        record["copies"] = copies
    return record


def _list(call: Call) -> list[Record]:
    return [_record(call.array, policy) for policy in call.array.cluster.snapshot_policies]


SNAPSHOT_POLICIES = Resource(
    path="/storage/snapshot-policies",
    schema=Schema(
        "uuid name comment enabled scope svm(name uuid) "
        "copies(count prefix retention_period schedule(name uuid) snapmirror_label)"
    ),
    listing=_list,
)
