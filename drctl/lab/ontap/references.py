"""The short records by which one object names another: SVM, volume, node, cluster, aggregate."""

from __future__ import annotations

from drctl.lab.model import Cluster, Volume
from drctl.lab.ontap.records import Record
from drctl.lab.ontap.resource import Array, self_link
from drctl.lab.storage import stable_uuid


def svm(cluster: Cluster, name: str) -> Record:
    """Return an SVM's name, uuid and link; the name alone when the cluster does not have it."""
    found = cluster.svms.get(name)
    if found is None:
        return {"name": name}
    return {"name": name, "uuid": found.uuid, "_links": self_link(f"/api/svm/svms/{found.uuid}")}


def volume(found: Volume) -> Record:
    """Return a volume's name, uuid and link."""
    return {
        "name": found.name,
        "uuid": found.uuid,
        "_links": self_link(f"/api/storage/volumes/{found.uuid}"),
    }


def cluster_of(found: Cluster) -> Record:
    """Return a cluster's name and uuid."""
    return {"name": found.name, "uuid": found.uuid}


def node(array: Array) -> Record:
    """Return the cluster's one node."""
    name = node_name(array)
    uuid = node_uuid(array)
    return {"name": name, "uuid": uuid, "_links": self_link(f"/api/cluster/nodes/{uuid}")}


def node_name(array: Array) -> str:
    """Return the node's name."""
    return f"{array.cluster.name}-01"


def node_uuid(array: Array) -> str:
    """Return the node's uuid."""
    return stable_uuid("node", array.cluster.uuid)


def aggregate(cluster: Cluster, name: str) -> Record:
    """Return an aggregate's name and uuid."""
    found = cluster.aggregates.get(name)
    return {"name": name, "uuid": found.uuid} if found else {"name": name}
