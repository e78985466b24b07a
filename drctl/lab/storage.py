"""What all storage rules share: refusals, look-ups, peers, jobs.

The rules themselves are in ``mirrors`` (SnapMirror), ``volumes`` (FlexVols, clones, snapshots) and
``nas`` (exports, CIFS, SVMs, LIFs). Each takes the world first, holds its lock itself (it may also be
held by the caller), raises ``Refusal`` for what the array refuses at once, and returns the ``Job`` of
what it starts; what the array refuses later makes that job fail with code and message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from uuid import NAMESPACE_URL, uuid4, uuid5

from drctl.lab.model import Cluster, Job, Mirror, Snapshot, Svm, Volume
from drctl.lab.world import World

PEER_UNREACHABLE = 262224
"""Code of "Failed to contact peer cluster", as recorded in netapp.ontap issue 348."""

_FORGOTTEN_AFTER = 300.0
"""Real seconds after which a finished job answers 404 (ONTAP's default)."""

JOB_TIME = 2.0
"""Estate seconds of an ordinary job."""

PEER_TIMEOUT = 20.0
"""Estate seconds until a call gives up on an unreachable peer."""


class Refusal(Exception):
    """The array says no: HTTP status, ONTAP code, message and the field it points at."""

    def __init__(self, status: int, code: int, message: str, target: str | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.target = target


def missing(what: str = "entry doesn't exist", target: str | None = "uuid") -> Refusal:
    """The array's answer for something that is not there: 404, code 4."""
    return Refusal(404, 4, what, target)


def find_svm(cluster: Cluster, name: str) -> Svm | None:
    """The SVM of that name."""
    return cluster.svms.get(name)


def find_volume(cluster: Cluster, svm: str, name: str) -> Volume | None:
    """The volume of that name, unless it only waits in the recovery queue."""
    return next((v for v in live_volumes(cluster) if v.svm == svm and v.name == name), None)


def live_volumes(cluster: Cluster) -> Iterator[Volume]:
    """The cluster's volumes without those in the recovery queue."""
    return (v for v in list(cluster.volumes.values()) if v.deleted is None)


def find_path(cluster: Cluster, path: str) -> Volume | None:
    """The volume at ``svm:volume``."""
    svm, _, name = path.partition(":")
    return find_volume(cluster, svm, name)


def find_snapshot(volume: Volume, name: str | None) -> Snapshot | None:
    """The snapshot of that name (or uuid)."""
    return next((s for s in volume.snapshots if name in (s.name, s.uuid)), None)


def cluster_of(world: World, path_or_endpoint: str) -> Cluster:
    """The cluster behind an endpoint's name.

    Raises:
        KeyError: no such endpoint.
    """
    return world.estate.clusters[path_or_endpoint]


def path_of(volume: Volume) -> str:
    """``svm:volume``."""
    return f"{volume.svm}:{volume.name}"


def ends(world: World, mirror: Mirror) -> tuple[Volume | None, Volume | None]:
    """Source and destination volume of a relationship, None where one is gone."""
    source = find_path(world.estate.clusters[mirror.source_cluster], mirror.source)
    target = find_path(world.estate.clusters[mirror.destination_cluster], mirror.destination)
    return source, target


def peers_answer(world: World, one: Cluster, other: Cluster) -> bool:
    """Whether two clusters reach each other over the intercluster network."""
    faults = world.faults
    if faults.active("peer-unreachable", one.endpoint) or faults.active("peer-unreachable", other.endpoint):
        return one is other
    return world.linked(one.site, other.site)


def peer_refusal(peer: Cluster, local: Cluster) -> Refusal:
    """Refusal 262224, worded as ONTAP words it (netapp.ontap issue 348)."""
    addresses = ", ".join(lif.address for svm in peer.svms.values() for lif in svm.lifs.values()) or peer.name
    return Refusal(
        500,
        PEER_UNREACHABLE,
        f'Failed to contact peer cluster "{peer.name}" at addresses: {addresses}. RPC: Remote system error '
        f'[from mgwd on node "{local.name}-01" (VSID: -1) to mgwd at {addresses}]',
    )


def new_uuid() -> str:
    """A fresh uuid as text."""
    return str(uuid4())


def stable_uuid(*parts: str) -> str:
    """A uuid that is the same in every lab of one inventory, derived from names."""
    return str(uuid5(NAMESPACE_URL, "/".join(("drctl-lab:", *parts))))


def open_job(world: World, cluster: Cluster, description: str) -> Job:
    """A running job that ``close_job`` will end; ``description`` reads like ``PATCH /api/storage/volumes/<uuid>``."""
    with world.lock:
        job = Job(new_uuid(), description, "running", world.now())
        cluster.jobs[job.uuid] = job
        world.touch()
        return job


def start_job(
    world: World,
    cluster: Cluster,
    description: str,
    work: Callable[[], None],
    seconds: float = JOB_TIME,
) -> Job:
    """Start a job: ``work`` runs under the lock at its end and may raise ``Refusal`` to make it fail.

    Faults ``job-failed`` and ``job-forgotten`` strike the cluster's endpoint name, or a word of the description.
    """
    with world.lock:
        job = open_job(world, cluster, description)

        def end() -> None:
            close_job(world, cluster, job, work)

        world.after(seconds, end)
        return job


def close_job(world: World, cluster: Cluster, job: Job, work: Callable[[], None]) -> None:
    """Do the job's work and end it, in success or with what ``work`` was refused."""
    if job.state != "running":
        return
    if not world.site(cluster.site).alive:
        job.state, job.message, job.code = "failure", "The node was restarted.", 458753
    elif _struck(world, "job-failed", cluster, job):
        job.state, job.message, job.code = "failure", "Internal error. The job was stopped.", 393271
    else:
        try:
            work()
        except Refusal as refusal:
            job.state, job.message, job.code = "failure", refusal.message, refusal.code
        else:
            job.state, job.message = "success", "success"
    job.ended = world.now()
    world.touch()

    def forget() -> None:
        cluster.jobs.pop(job.uuid, None)

    if _struck(world, "job-forgotten", cluster, job):
        forget()
    else:
        world.after(_FORGOTTEN_AFTER, forget, real=True)


def _struck(world: World, fault: str, cluster: Cluster, job: Job) -> bool:
    """Whether a fault strikes this job: by its cluster, or by a word of what it does."""
    words = (cluster.endpoint, *re.findall(r"[\w-]+", job.description))
    return any(world.faults.take(fault, word) for word in words)
