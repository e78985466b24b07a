"""Every resource the façade serves, in the order paths are tried."""

from __future__ import annotations

from typing import Final

from drctl.lab.ontap.cifs import CIFS_ACLS, CIFS_NETBIOS, CIFS_SERVICES, CIFS_SESSIONS, CIFS_SHARES
from drctl.lab.ontap.clusters import AGGREGATES, CLUSTER, CLUSTER_PEERS, COMPLIANCE_CLOCKS, EVENTS, NODES
from drctl.lab.ontap.jobs import JOBS
from drctl.lab.ontap.network import INTERFACES
from drctl.lab.ontap.nfs import EXPORT_POLICIES, EXPORT_RULES
from drctl.lab.ontap.policies import SNAPMIRROR_POLICIES
from drctl.lab.ontap.private_cli import CLI_COMMANDS, CLI_RECOVERY_QUEUE, CLI_SNAPMIRROR, CLI_VOLUME
from drctl.lab.ontap.relationships import RELATIONSHIPS
from drctl.lab.ontap.resource import Resource
from drctl.lab.ontap.schedules import SCHEDULES
from drctl.lab.ontap.snapshot_policies import SNAPSHOT_POLICIES
from drctl.lab.ontap.snapshots import SNAPSHOTS
from drctl.lab.ontap.svms import SVM_PEERS, SVMS
from drctl.lab.ontap.transfers import TRANSFERS
from drctl.lab.ontap.volumes import VOLUMES

RESOURCES: Final[tuple[Resource, ...]] = (
    CLUSTER,
    JOBS,
    NODES,
    CLUSTER_PEERS,
    SCHEDULES,
    SVMS,
    SVM_PEERS,
    RELATIONSHIPS,
    TRANSFERS,
    SNAPMIRROR_POLICIES,
    VOLUMES,
    SNAPSHOTS,
    SNAPSHOT_POLICIES,
    AGGREGATES,
    COMPLIANCE_CLOCKS,
    INTERFACES,
    EXPORT_POLICIES,
    EXPORT_RULES,
    CIFS_SERVICES,
    CIFS_SHARES,
    CIFS_ACLS,
    CIFS_NETBIOS,
    CIFS_SESSIONS,
    EVENTS,
    *CLI_COMMANDS,
    CLI_RECOVERY_QUEUE,
    CLI_SNAPMIRROR,
    CLI_VOLUME,
)
