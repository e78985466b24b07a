"""What faults can strike in an estate, by name: a typo must not become a rehearsal of nothing."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection

from drctl.lab.faults import Fault, UnknownFault
from drctl.lab.model import Estate
from drctl.lab.ontap.routes import RESOURCES
from drctl.lab.storage import live_volumes, path_of


def targets(estate: Estate) -> set[str]:
    """Return the names of everything in the estate that a fault can be aimed at."""
    named = (estate.sites, estate.clusters, estate.vcenters, estate.dns, estate.machines, estate.applications)
    found = {name for group in named for name in group}
    found.update(estate.vm_files.values())
    for cluster in estate.clusters.values():
        found.update(aggregate.name for aggregate in cluster.aggregates.values())
        found.update(path_of(volume) for volume in live_volumes(cluster))
    for vcenter in estate.vcenters.values():
        found.update(vm.name for vm in vcenter.vms.values())
        found.update(datastore.name for datastore in vcenter.datastores.values())
    for service in estate.dns.values():
        found.update(address.partition(":")[0] for address in service.secondaries)
    return found


def refuse_unknown(estate: Estate, fault: Fault, planned: Collection[str] = ()) -> None:
    """Raise ``UnknownFault`` when nothing bears the target's name; a pattern may wait for what is made later.

    ``planned`` are names that are not there now: a datastore that a failover will mount is a target, too.
    """
    known = targets(estate).union(planned)
    if fault.name in {"job-failed", "job-forgotten"}:
        known |= {word for resource in RESOURCES for word in re.findall(r"[\w-]+", resource.path)}
    if any(sign in fault.target for sign in "*?["):
        return
    asked = fault.target.split("/") if fault.name == "site-partition" else [fault.target]
    for name in filter(None, asked):
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = (
                f"did you mean {near[0]!r}?"
                if near
                else "sites, endpoints, machines, volumes as svm:volume …"
            )
            raise UnknownFault(f"nothing in this estate is called {name!r}; {hint}")
