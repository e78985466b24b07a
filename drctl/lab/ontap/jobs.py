"""Jobs as ONTAP shows them under ``/cluster/jobs/{uuid}``.

``code`` is an integer here and a string inside ``error``, as recorded. The world forgets a job 300
seconds after its end; from then on it answers 404 with code 4 and only the object itself can tell.
"""

from __future__ import annotations

from drctl.lab.model import Job
from drctl.lab.ontap.errors import RestError
from drctl.lab.ontap.records import Record, format_time
from drctl.lab.ontap.resource import PREFIX, Array, Call, Resource, self_link
from drctl.lab.ontap.schema import Schema
from drctl.lab.storage import PEER_UNREACHABLE

ENDED = frozenset({"success", "failure"})

_STATUS = {4: 404, 1: 409, PEER_UNREACHABLE: 500}
"""HTTP status with which a failed job's code is answered inside ``return_timeout``; else 400."""


def href(job: Job) -> str:
    """Return the address of a job."""
    return f"{PREFIX}/cluster/jobs/{job.uuid}"


def link(job: Job) -> Record:
    """Return what an answer says about the job it started; clients follow the link."""
    return {"uuid": job.uuid, "_links": self_link(href(job))}


def error_of(job: Job) -> RestError:
    """Return a failed job's reason as the error of the call that waited for it (issue 348 shows one)."""
    return RestError(_STATUS.get(job.code, 400), job.code, job.message)


def render(array: Array, job: Job) -> Record:
    """Return a job as its record."""
    record: Record = {
        "uuid": job.uuid,
        "description": job.description,
        "state": job.state,
        "message": job.message,
        "code": job.code,
        "start_time": format_time(job.started),
    }
    if job.ended:
        record["end_time"] = format_time(job.ended)
    if job.state == "failure":
        record["error"] = {"message": job.message, "code": str(job.code)}
    record["node"] = {"name": f"{array.cluster.name}-01"}
    record["_links"] = self_link(href(job))
    return record


def _list(call: Call) -> list[Record]:
    return [render(call.array, job) for job in call.array.cluster.jobs.values()]


JOBS = Resource(
    path="/cluster/jobs",
    schema=Schema(
        "uuid description state message code start_time end_time error node(name) svm(name uuid)",
        brief=("uuid",),
    ),
    listing=_list,
)
