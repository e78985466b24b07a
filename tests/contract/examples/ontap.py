"""The standby cluster of the lab, and what a failover does to it."""

from datetime import UTC, datetime, timedelta

from contract import Example

from drctl.lab.model import ExportRule
from drctl.lab.snapshots import copy_of

ENDPOINT = "ontap-lyon"
HOSTS = ["198.51.100.31", "198.51.100.32"]
SERVICE = "TELERADIO\\pacs-service"


def at_lyon(uses, arguments, **more):
    return Example(uses, ENDPOINT, arguments, **more)


def quiesce(volume, **more):
    return at_lyon("ontap.snapmirror.quiesce", {"destination": f"svm_dr:{volume}"}, **more)


def promote(volume, **more):
    return at_lyon("ontap.snapmirror.break", {"destination": f"svm_dr:{volume}"}, **more)


def rewind(**more):
    """Back in place past one snapshot: a small lab's past is a few hourly ones and the mirror's own."""
    moment = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    arguments = {"destination": "svm_dr:ris_vm_dr", "snapshot": moment, "may_delete": ["newest"]}
    return at_lyon("ontap.snapmirror.break_to_snapshot", arguments, **more)


def name_newest(world):
    """Give the only snapshot newer than an hour a name that an example can write down."""
    with world.lock:
        cluster = world.estate.clusters[ENDPOINT]
        volume = next(v for v in cluster.volumes.values() if v.name == "ris_vm_dr")
        mirror = next(m for m in cluster.mirrors.values() if m.destination == "svm_dr:ris_vm_dr")
        volume.snapshots[-1].name = mirror.exported = "newest"


def mount(volume, junction, **more):
    arguments = {"svm": "svm_dr", "volume": volume, "junction": junction}
    return at_lyon("ontap.volume.mount", arguments, **more)


def export(volume, clients=HOSTS, policy="esx", **more):
    arguments = {"svm": "svm_dr", "volume": volume, "policy": policy, "clients": clients}
    return at_lyon("ontap.volume.export", arguments, **more)


def snapshot_policy(policy, volume="ris_vm_dr", **more):
    arguments = {"svm": "svm_dr", "volume": volume, "policy": policy}
    return at_lyon("ontap.volume.snapshot_policy", arguments, **more)


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


def at_paris(uses, arguments, **more):
    return Example(uses, "ontap-paris", arguments, **more)


def unmount_source(volume):
    return at_paris("ontap.volume.unmount", {"svm": "svm_prod", "volume": volume})


def update(**more):
    newer = {"newer_than": datetime.now(UTC).isoformat()}
    return at_lyon("ontap.snapmirror.update", {"destination": "svm_dr:ris_vm_dr", **newer}, **more)


def reverse(**more):
    arguments = {
        "source": "svm_dr:ris_vm_dr",
        "destination": "svm_prod:ris_vm",
        "source_cluster": "ontap-lyon",
    }
    settings = {"policy": "Asynchronous", "schedule": "hourly", "throttle": 50000, "acknowledge_loss": True}
    return at_paris("ontap.snapmirror.reverse", arguments | settings, **more)


def repoint(**more):
    arguments = {"source": "svm_dr:ris_vm_dr", "destination": "svm_vault:ris_vm_vault", "schedule": "daily"}
    return Example("ontap.snapmirror.repoint", "ontap-rennes", arguments, **more)


def remove(**more):
    arguments = {"destination": "svm_dr:ris_vm_dr", "source": "svm_prod:ris_vm"}
    return at_lyon("ontap.snapmirror.remove", arguments, **more)


def peer_vault(world):
    """Let the standby and the vault be peers that share a snapshot."""
    with world.lock:
        lyon, rennes = (world.estate.clusters[name] for name in ("ontap-lyon", "ontap-rennes"))
        lyon.svm_peers.add(("svm_dr", "ontap-rennes", "svm_vault"))
        rennes.svm_peers.add(("svm_vault", "ontap-lyon", "svm_dr"))
        shared = next(v for v in lyon.volumes.values() if v.name == "ris_vm_dr").snapshots[-1]
        vault = next(v for v in rennes.volumes.values() if v.name == "ris_vm_vault")
        vault.snapshots.append(copy_of(shared))


def lose_common(world):
    """Let production and standby have no snapshot in common any more."""
    with world.lock:
        cluster = world.estate.clusters["ontap-paris"]
        next(v for v in cluster.volumes.values() if v.name == "ris_vm").snapshots.clear()


TURNED = (promote("ris_vm_dr"), unmount_source("ris_vm"))
BASELINE = {
    "source": "svm_dr:ris_vm_dr",
    "destination": "svm_prod:ris_vm",
    "full_baseline": True,
}
IMAGES_MOUNTED = mount("pacs_images_dr", "/pacs_images")

EXAMPLES = [
    quiesce("ris_vm_dr", undone=False),
    promote("ris_vm_dr", undone=False),
    promote("ris_vm_dr", undone=False, after=(quiesce("ris_vm_dr"),), variant="quiesced"),
    rewind(prepare=name_newest, undone=False),
    mount("ris_vm_dr", "/ris_vm", after=(promote("ris_vm_dr"),)),
    mount("ris_vm_dr", "/other", after=(mount("ris_vm_dr", "/ris_vm"),), variant="moved"),
    mount("ris_db_dr", "/ris_vm/db", after=(mount("ris_vm_dr", "/ris_vm"),), variant="nested"),
    at_lyon(
        "ontap.volume.unmount",
        {"svm": "svm_dr", "volume": "ris_vm_dr"},
        after=(mount("ris_vm_dr", "/ris_vm"),),
    ),
    update(undone=False),
    reverse(after=TURNED, undone=False),
    at_paris(
        "ontap.snapmirror.reverse",
        BASELINE,
        after=TURNED,
        prepare=lose_common,
        undone=False,
        variant="baseline",
    ),
    repoint(prepare=peer_vault, undone=False),
    remove(after=(promote("ris_vm_dr"),), undone=False),
    at_paris(
        "ontap.snapshot.create",
        {"svm": "svm_prod", "volume": "ris_vm", "snapshot": "drctl-before-reprotect"},
        undone=False,
    ),
    at_paris("ontap.cifs.sessions.close", {"svm": "svm_prod", "volume": "pacs_images"}, undone=False),
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
    snapshot_policy("none", after=(promote("ris_vm_dr"),)),
    snapshot_policy("none", volume="ris_vm_dr_drill", after=(clone(),), variant="clone"),
    svm("stop"),
    svm("start", after=(svm("stop"),)),
    lif("down"),
    lif("up", after=(lif("down"),)),
    share("full_control", after=(IMAGES_MOUNTED,), undone=False),
    share("full_control", after=(IMAGES_MOUNTED, share("read")), variant="right"),
    alias(),
    alias(present=False, after=(alias(),), variant="removed"),
]
