"""Datastores, VMs, networks, power and guests of the lab's two vCenters."""

from contract import Example

MIRROR = Example("ontap.snapmirror.break", "ontap-lyon", {"destination": "svm_dr:pacs_vm_dr"})
VOLUME = Example(
    "ontap.volume.mount", "ontap-lyon", {"svm": "svm_dr", "volume": "pacs_vm_dr", "junction": "/pacs_vm"}
)
EXPORT = Example(
    "ontap.volume.export",
    "ontap-lyon",
    {
        "svm": "svm_dr",
        "volume": "pacs_vm_dr",
        "policy": "esx",
        "clients": ["198.51.100.31", "198.51.100.32"],
    },
)
STORAGE = (MIRROR, VOLUME, EXPORT)


def make_folder(world):
    """Let there be a folder with nothing in it."""
    with world.lock:
        world.estate.vcenters["vc-lyon"].folders.add("EXERCISE")


MOUNTED = Example(
    "vsphere.datastore.mount_nfs",
    "vc-lyon",
    {"datastore": "ds_pacs", "nfs_server": "198.51.100.20", "path": "/pacs_vm", "cluster": "dr"},
    after=STORAGE,
)
READY = (*STORAGE, MOUNTED)


def registered(vm):
    return Example(
        "vsphere.vm.register",
        "vc-lyon",
        {"vm": vm, "datastore": "ds_pacs", "vmx": f"{vm}/{vm}.vmx", "folder": "PACS", "pool": "dr"},
        after=READY,
    )


def connected(vm, network, variant):
    return Example(
        "vsphere.vm.connect_networks",
        "vc-lyon",
        {"vm": vm, "networks": {"Network adapter 1": network}},
        after=(*READY, registered(vm)),
        undone=False,  # where it was at the other site has no name here
        variant=variant,
    )


CLONE = {"svm": "svm_dr", "volume": "pacs_vm_dr_drill"}
COPIED = (
    Example(
        "ontap.volume.clone",
        "ontap-lyon",
        {"svm": "svm_dr", "parent": "pacs_vm_dr", "clone": "pacs_vm_dr_drill", "policy": "pacs_vm_dr_drill"},
    ),
    Example("ontap.volume.mount", "ontap-lyon", {**CLONE, "junction": "/drill_pacs_vm"}),
    Example(
        "ontap.volume.export",
        "ontap-lyon",
        {**CLONE, "policy": "pacs_vm_dr_drill", "clients": ["198.51.100.31", "198.51.100.32"]},
    ),
)
DRILL_MOUNTED = Example(
    "vsphere.datastore.mount_nfs",
    "vc-lyon",
    {"datastore": "ds_pacs-drill", "nfs_server": "198.51.100.20", "path": "/drill_pacs_vm", "cluster": "dr"},
    after=COPIED,
    variant="drill",
)
DRILL_REGISTERED = Example(
    "vsphere.vm.register",
    "vc-lyon",
    {
        "vm": "pacs-db01-drill",
        "datastore": "ds_pacs-drill",
        "vmx": "pacs-db01/pacs-db01.vmx",
        "folder": "DRILL",
        "pool": "dr",
        "contained": True,
    },
    after=(*COPIED, DRILL_MOUNTED),
    variant="drill",
)
DRILL_CONNECTED = Example(
    "vsphere.vm.connect_networks",
    "vc-lyon",
    {
        "vm": "pacs-db01-drill",
        "networks": {"Network adapter 1": "bubble-isolated"},
        "others": "bubble-isolated",
        "disposable": True,
    },
    after=(*COPIED, DRILL_MOUNTED, DRILL_REGISTERED),
    undone=False,  # the copy is thrown away as it is
    variant="drill",
)
DRILL_STARTED = Example(
    "vsphere.vm.power_on",
    "vc-lyon",
    {
        "vm": "pacs-db01-drill",
        "wait_for": "tools",
        "only_networks": ["bubble-isolated"],
        "disposable": True,
    },
    after=(*COPIED, DRILL_MOUNTED, DRILL_REGISTERED, DRILL_CONNECTED),
    variant="drill",
)
DRILL = [DRILL_MOUNTED, DRILL_REGISTERED, DRILL_CONNECTED, DRILL_STARTED]

OFF = Example("vsphere.vm.power_off", "vc-paris", {"vm": "portal-report01"})

EXAMPLES = [
    *DRILL,
    MOUNTED,
    Example(
        "vsphere.datastore.unmount",
        "vc-lyon",
        {"datastore": "ds_pacs", "cluster": "dr"},
        after=READY,
    ),
    registered("pacs-db01"),
    connected("pacs-db01", "dr-210", "standard"),
    connected("pacs-app01", "dr-dvs-220", "distributed"),
    Example(
        "vsphere.vm.connect_networks",
        "vc-paris",
        {"vm": "pacs-db01", "networks": {"Network adapter 1": "prod-200"}},
        variant="within-a-site",
    ),
    Example("vsphere.folder.remove", "vc-lyon", {"folder": "EXERCISE"}, prepare=make_folder, undone=False),
    Example("vsphere.vm.unregister", "vc-paris", {"vm": "portal-report01"}, after=(OFF,)),
    OFF,
    Example("vsphere.vm.shutdown", "vc-paris", {"vm": "ris-app01"}),
    Example("vsphere.vm.power_on", "vc-paris", {"vm": "portal-report01", "wait_for": "tools"}, after=(OFF,)),
    Example(
        "vsphere.vm.set_ip",
        "vc-paris",
        {
            "vm": "portal-web01",
            "adapter": "Network adapter 1",
            "ip": "198.51.100.131",
            "prefix": 26,
            "gateway": "198.51.100.129",
            "username": "svc-drctl",
            "password": {"env": "LAB_GUEST"},
        },
    ),
]
