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


OFF = Example("vsphere.vm.power_off", "vc-paris", {"vm": "portal-report01"})

EXAMPLES = [
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
