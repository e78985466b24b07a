"""NetApp ONTAP clusters over their REST interface, with NetApp's own Python client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from drctl.core.provider import Access, AnyAction, AnyProbe, Endpoint
from drctl.providers.ontap import (
    cifs,
    copies,
    directions,
    exports,
    in_place,
    network,
    policies,
    probes,
    probes_copies,
    probes_directions,
    probes_nas,
    removal,
    sessions,
    snapmirror,
    snapshots,
    updates,
    volumes,
)
from drctl.providers.ontap.client import Client
from drctl.providers.ontap.model import OntapEndpoint

_ACTIONS: tuple[type[AnyAction], ...] = (
    snapmirror.Quiesce,
    snapmirror.Break,
    in_place.BreakToSnapshot,
    updates.Update,
    directions.Reverse,
    directions.Repoint,
    directions.Remove,
    volumes.Mount,
    volumes.Unmount,
    copies.Clone,
    removal.DeleteClone,
    snapshots.TakeSnapshot,
    exports.Export,
    policies.SetSnapshotPolicy,
    network.StartSvm,
    network.StopSvm,
    network.LifUp,
    network.LifDown,
    cifs.PublishShare,
    cifs.Alias,
    sessions.CloseSessions,
)

_PROBES: tuple[type[AnyProbe], ...] = (
    probes.Access,
    probes.MirrorFresh,
    probes.MirrorHealthy,
    probes.OneRecoveryPoint,
    probes_nas.VolumeReady,
    probes_nas.AggregateSpace,
    probes_nas.ExportAdmits,
    probes_nas.CifsJoined,
    probes_copies.RecoveryPoints,
    probes_copies.BubbleEmpty,
    probes_directions.MirrorDirection,
    probes_directions.MirrorStopped,
)


class OntapProvider:
    """ONTAP 9.8 and later."""

    name = "ontap"
    endpoint: type[Endpoint] | None = OntapEndpoint
    actions: Mapping[str, type[AnyAction]] = {action.name: action for action in _ACTIONS}
    probes: Mapping[str, type[AnyProbe]] = {probe.name: probe for probe in _PROBES}

    @contextmanager
    def connect(self, endpoint: Endpoint | None, access: Access) -> Iterator[Client]:
        """Yield a client; each thread's connection opens on its first call."""
        if not isinstance(endpoint, OntapEndpoint):
            raise TypeError(f"ontap connects to an OntapEndpoint, not {endpoint!r}")
        client = Client(endpoint, access)
        try:
            yield client
        finally:
            client.close()


PROVIDER = OntapProvider()
