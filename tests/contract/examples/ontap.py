"""The standby cluster of the lab, and what a failover does to it."""

from contract import Example

from drctl.lab.model import ExportRule

ENDPOINT = "ontap-lyon"
HOSTS = ["198.51.100.31", "198.51.100.32"]
SERVICE = "TELERADIO\\pacs-service"


def at_lyon(uses, arguments, **more):
    return Example(uses, ENDPOINT, arguments, **more)


def quiesce(volume, **more):
    return at_lyon("ontap.snapmirror.quiesce", {"destination": f"svm_dr:{volume}"}, **more)


def promote(volume, **more):
    return at_lyon("ontap.snapmirror.break", {"destination": f"svm_dr:{volume}"}, **more)


def mount(volume, junction, **more):
    arguments = {"svm": "svm_dr", "volume": volume, "junction": junction}
    return at_lyon("ontap.volume.mount", arguments, **more)


def export(volume, clients=HOSTS, policy="esx", **more):
    arguments = {"svm": "svm_dr", "volume": volume, "policy": policy, "clients": clients}
    return at_lyon("ontap.volume.export", arguments, **more)


def clone(volume="ris_vm_dr", name="ris_vm_dr_drill", **more):
    arguments = {"svm": "svm_dr", "parent": volume, "clone": name, "policy": name}
    return at_lyon("ontap.volume.clone", arguments, **more)


def share(right, **more):
    acl = [{"who": SERVICE, "access": right}]
    arguments = {"svm": "svm_dr", "share": "IMAGES", "path": "/pacs_images", "acl": acl}
    return at_lyon("ontap.cifs.share", arguments, **more)


def alias(*, present=True, **more):
    return at_lyon("ontap.cifs.alias", {"svm": "svm_dr", "alias": "NAS-PACS", "present": present}, **more)


def svm(verb, **more):
    return at_lyon(f"ontap.svm.{verb}", {"svm": "svm_dr"}, **more)


def lif(verb, **more):
    return at_lyon(f"ontap.lif.{verb}", {"svm": "svm_dr", "lif": "lif_nfs_1"}, **more)


def squash_root(world):
    """Give the volume's policy a first rule that lets everybody read and nobody write."""
    with world.lock:
        for cluster in world.estate.clusters.values():
            for each in cluster.svms.values():
                if "esx" in each.policies and each.name == "svm_dr":
                    each.policies["esx"].rules[:] = [_read_only_rule()]


def _read_only_rule():
    return ExportRule(1, ["0.0.0.0/0"], rw=["never"], superuser=["none"])


def delete_clone(**more):
    arguments = {"svm": "svm_dr", "volume": "ris_vm_dr_drill", "parent": "ris_vm_dr"}
    return at_lyon("ontap.volume.delete_clone", arguments | {"policy": "ris_vm_dr_drill"}, **more)


IMAGES_MOUNTED = mount("pacs_images_dr", "/pacs_images")

EXAMPLES = [
    quiesce("ris_vm_dr", undone=False),
    promote("ris_vm_dr", undone=False),
    promote("ris_vm_dr", undone=False, after=(quiesce("ris_vm_dr"),), variant="quiesced"),
    mount("ris_vm_dr", "/ris_vm", after=(promote("ris_vm_dr"),)),
    mount("ris_vm_dr", "/other", after=(mount("ris_vm_dr", "/ris_vm"),), variant="moved"),
    mount("ris_db_dr", "/ris_vm/db", after=(mount("ris_vm_dr", "/ris_vm"),), variant="nested"),
    at_lyon(
        "ontap.volume.unmount",
        {"svm": "svm_dr", "volume": "ris_vm_dr"},
        after=(mount("ris_vm_dr", "/ris_vm"),),
    ),
    clone(),
    delete_clone(after=(clone(),), undone=False),
    delete_clone(after=(clone(), mount("ris_vm_dr_drill", "/drill_ris_vm")), undone=False, variant="mounted"),
    export("ris_db_dr"),
    export("ris_vm_dr", policy="radiology", after=(export("ris_db_dr", policy="radiology"),), variant="new"),
    export(
        "ris_vm_dr",
        policy="radiology",
        after=(export("ris_vm_dr", HOSTS[:1], policy="radiology"),),
        undone=False,
        variant="one-more-host",
    ),
    export(
        "ris_vm_dr", after=(export("ris_vm_dr", []),), prepare=squash_root, undone=False, variant="shadowed"
    ),
    svm("stop"),
    svm("start", after=(svm("stop"),)),
    lif("down"),
    lif("up", after=(lif("down"),)),
    share("full_control", after=(IMAGES_MOUNTED,), undone=False),
    share("full_control", after=(IMAGES_MOUNTED, share("read")), variant="right"),
    alias(),
    alias(present=False, after=(alias(),), variant="removed"),
]
