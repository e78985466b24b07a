"""``/cluster/schedules``: the names under which transfers are scheduled."""

from __future__ import annotations

import re

from drctl.lab.ontap.errors import no_entry
from drctl.lab.ontap.records import Record
from drctl.lab.ontap.resource import Call, Resource, self_link
from drctl.lab.ontap.schema import Schema
from drctl.lab.storage import stable_uuid

_NAMED = {300: "5min", 600: "10min", 3600: "hourly", 28800: "8hour", 86400: "daily", 604800: "weekly"}
_EVERY = re.compile(r"every-(\d+)s")


def schedule_name(seconds: int) -> str:
    """Return ONTAP's own name of an interval, or ``every-N s`` without the blank."""
    return _NAMED.get(seconds, f"every-{seconds}s")


def schedule_seconds(name: str) -> int:
    """Return a schedule's interval; 0 for the empty name, which removes a schedule."""
    if not name:
        return 0
    for seconds, known in _NAMED.items():
        if known == name:
            return seconds
    match = _EVERY.fullmatch(name)
    if match is None:
        raise no_entry("transfer_schedule.name")
    return int(match[1])


def _list(call: Call) -> list[Record]:
    used = {mirror.schedule for mirror in call.array.cluster.mirrors.values() if mirror.schedule}
    records: list[Record] = []
    for seconds in sorted(used | set(_NAMED)):
        name = schedule_name(seconds)
        uuid = stable_uuid("schedule", name)
        links = self_link(f"/api/cluster/schedules/{uuid}")
        records.append({"uuid": uuid, "name": name, "type": "cron", "scope": "cluster", "_links": links})
    return records


SCHEDULES = Resource(
    path="/cluster/schedules",
    schema=Schema("uuid name type scope cron interval svm cluster"),
    listing=_list,
)
