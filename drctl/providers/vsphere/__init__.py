"""VMware vSphere through pyVmomi, which is imported when the first connection opens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from drctl.core.clock import Clock, SystemClock
from drctl.core.provider import Access, AnyAction, AnyProbe, Endpoint
from drctl.providers.vsphere.access import Reachable
from drctl.providers.vsphere.client import Vsphere
from drctl.providers.vsphere.datastore import MountNfs
from drctl.providers.vsphere.endpoint import VsphereEndpoint
from drctl.providers.vsphere.fits import Fits
from drctl.providers.vsphere.folders import RemoveFolder
from drctl.providers.vsphere.guest import SetIp
from drctl.providers.vsphere.network import ConnectNetworks
from drctl.providers.vsphere.nfs_room import NfsRoom
from drctl.providers.vsphere.power import PowerOff, PowerOn, Shutdown
from drctl.providers.vsphere.probes import (
    Accessible,
    HostsConnected,
    InventoryComplete,
    NetworksResolvable,
    VmxPresent,
)
from drctl.providers.vsphere.remains import BubbleEmpty
from drctl.providers.vsphere.unmount import Unmount
from drctl.providers.vsphere.vm import Register, Unregister

ACTIONS: tuple[type[AnyAction], ...] = (
    MountNfs,
    Unmount,
    Register,
    Unregister,
    RemoveFolder,
    ConnectNetworks,
    SetIp,
    PowerOn,
    PowerOff,
    Shutdown,
)
PROBES: tuple[type[AnyProbe], ...] = (
    Reachable,
    HostsConnected,
    NfsRoom,
    Accessible,
    VmxPresent,
    InventoryComplete,
    NetworksResolvable,
    Fits,
    BubbleEmpty,
)


class VsphereProvider:
    """vCenters of API version 6.5 and newer."""

    name = "vsphere"
    endpoint: type[Endpoint] | None = VsphereEndpoint
    actions: Mapping[str, type[AnyAction]]
    probes: Mapping[str, type[AnyProbe]]

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self.actions = {one.name: one for one in ACTIONS}
        self.probes = {one.name: one for one in PROBES}

    @contextmanager
    def connect(self, endpoint: Endpoint | None, access: Access) -> Iterator[Vsphere]:
        """Lend a client that connects with its first call; leaving logs out."""
        if not isinstance(endpoint, VsphereEndpoint):
            raise TypeError(f"not a vSphere endpoint: {endpoint!r}")
        client = Vsphere(endpoint, access, self._clock)
        try:
            yield client
        finally:
            client.close()


PROVIDER = VsphereProvider()
