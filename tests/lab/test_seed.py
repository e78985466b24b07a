"""What an inventory says of an estate is there when the lab starts."""

from __future__ import annotations

from drctl.lab.addresses import Addresses
from drctl.lab.render import Rendering
from drctl.lab.seed import build_estate
from drctl.lab.survey import Survey


def estate_of(inventory, pki):
    rendering = Rendering(inventory, Addresses(99), pki)
    return build_estate(Survey(rendering.inventory, rendering.secrets))


def test_snapshot_policies_that_volumes_name_exist_and_production_has_its_own(lab_inventory, pki):
    at = lab_inventory["services"]["ris"]["volumes"][0]["at"]
    at["paris"]["snapshot_policy"], at["lyon"]["snapshot_policy"] = "radiology", "none"
    clusters = estate_of(lab_inventory, pki).clusters
    known = {
        name: [(each.name, each.svm) for each in clusters[name].snapshot_policies]
        for name in ("ontap-paris", "ontap-lyon")
    }
    built_in = [("default", ""), ("default-1weekly", ""), ("none", "")]
    assert known == {"ontap-paris": [*built_in, ("radiology", "svm_prod")], "ontap-lyon": built_in}
    volumes = {each.name: each for one in clusters.values() for each in one.volumes.values()}
    assert volumes["ris_vm"].snapshot_policy == "radiology"
    assert volumes["ris_vm_dr"].snapshot_policy == "default", "set when it serves, not before"


def test_hosts_have_the_room_for_nfs_that_their_cluster_is_given(lab_inventory, pki):
    lab_inventory["lab"]["clusters"]["vc-lyon"]["dr"]["nfs_volumes"] = 4
    vcenters = estate_of(lab_inventory, pki).vcenters
    found = {name: {host.nfs_volumes for host in one.hosts.values()} for name, one in vcenters.items()}
    assert found == {"vc-paris": {256}, "vc-lyon": {4}}
