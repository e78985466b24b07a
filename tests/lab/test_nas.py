"""Exports, CIFS, SVMs and LIFs."""

from __future__ import annotations

import pytest
from estate import nas

from drctl.lab.model import ExportRule, Share
from drctl.lab.storage import Refusal


def refused(call, *arguments, **options) -> int:
    with pytest.raises(Refusal) as refusal:
        call(*arguments, **options)
    return refusal.value.code


def test_path_resolves_only_while_everything_under_it_works(scene):
    def there() -> bool:
        return nas.resolve(scene.world, scene.nfs(), "/ris_vm") is not None

    assert not there()
    scene.ok(scene.modify("ris_vm", junction="/ris_vm"))
    assert there()
    lif = next(lif for lif in scene.svm.lifs.values() if lif.address == scene.nfs())
    nas.set_lif(scene.world, scene.lyon, lif, enabled=False)
    assert not there()
    nas.set_lif(scene.world, scene.lyon, lif, enabled=True)
    scene.ok(nas.set_svm_state(scene.world, scene.lyon, scene.svm, "stopped"))
    assert not there()
    scene.ok(nas.set_svm_state(scene.world, scene.lyon, scene.svm, "running"))
    assert there()
    scene.lose("lyon")
    assert not there()


RULES = {
    "as seeded": ({}, True, True),
    "other client": ({"clients": ["127.1.1.1"]}, False, False),
    "a network": ({"clients": ["127.99.0.0/16"]}, True, True),
    "read-only": ({"rw": ["never"]}, True, False),
    "no superuser": ({"superuser": ["none"]}, True, False),
    "nothing": ({"ro": ["never"]}, False, False),
    "cifs only": ({"protocols": ["cifs"]}, False, False),
}


@pytest.mark.parametrize("case", RULES)
def test_volume_policy_is_evaluated_per_host(scene, case):
    change, reads, writes = RULES[case]
    volume = scene.volume("svm_dr:ris_vm_dr")
    volume.export_policy = "esx"
    client = scene.hosts()[0].address
    rule = nas.rule_for(scene.svm.policies["esx"], client)
    for name, value in change.items():
        setattr(rule, name, value)
    assert nas.admits(scene.world, scene.lyon, volume, client, write=False) is reads
    assert nas.admits(scene.world, scene.lyon, volume, client, write=True) is writes


def test_default_policy_admits_nobody_to_write(scene):
    volume = scene.volume("svm_dr:ris_vm_dr")
    assert nas.admits(scene.world, scene.lyon, volume, "127.99.2.31", write=False)
    assert not nas.admits(scene.world, scene.lyon, volume, "127.99.2.31", write=True)


def test_root_policy_is_evaluated_too(scene):
    volume = scene.volume("svm_dr:ris_vm_dr")
    volume.export_policy = "esx"
    scene.svm.policies["default"].rules.clear()
    assert not nas.admits(scene.world, scene.lyon, volume, scene.hosts()[0].address, write=False)


def test_first_matching_rule_decides(scene):
    policy = scene.svm.policies["esx"]
    client = scene.hosts()[0].address
    policy.rules[0].index = 5
    nas.add_rule(scene.world, policy, ExportRule(1, ["0.0.0.0/0"], ["never"]))
    volume = scene.volume("svm_dr:ris_vm_dr")
    volume.export_policy = "esx"
    assert not nas.admits(scene.world, scene.lyon, volume, client, write=False)


def test_policies_and_rules(scene):
    policy = nas.create_policy(scene.world, scene.svm, "drill")
    assert policy.id not in {
        p.id for s in scene.lyon.svms.values() for p in s.policies.values() if p is not policy
    }
    assert refused(nas.create_policy, scene.world, scene.svm, "drill") == 1
    assert nas.add_rule(scene.world, policy, ExportRule(0, ["127.99.2.31"])).index == 1
    assert nas.add_rule(scene.world, policy, ExportRule(1, ["127.99.2.32"])).index == 1
    assert {rule.clients[0]: rule.index for rule in policy.rules} == {"127.99.2.31": 2, "127.99.2.32": 1}
    nas.delete_rule(scene.world, policy, 1)
    assert refused(nas.delete_rule, scene.world, policy, 1) == 4
    nas.delete_policy(scene.world, scene.lyon, scene.svm, policy)
    assert refused(nas.delete_policy, scene.world, scene.lyon, scene.svm, policy) == 4
    default = scene.svm.policies["default"]
    assert refused(nas.delete_policy, scene.world, scene.lyon, scene.svm, default) == 1703952


def test_share_needs_a_server_and_a_mounted_path(scene):
    share = Share("IMAGES", "/pacs_images", {r"TELERADIO\pacs-service": "full_control"})
    assert refused(nas.create_share, scene.world, scene.lyon, scene.svm, share) == 655551
    scene.ok(scene.modify("pacs_images", junction="/pacs_images"))
    nas.create_share(scene.world, scene.lyon, scene.svm, share)
    assert (
        refused(nas.create_share, scene.world, scene.lyon, scene.svm, Share("images", "/pacs_images"))
        == 655446
    )
    nas.set_acl(scene.world, scene.svm, share, "Everyone", "read")
    nas.set_acl(scene.world, scene.svm, share, r"TELERADIO\pacs-service", None)
    assert share.acl == {"Everyone": "read"}
    assert refused(nas.set_acl, scene.world, scene.svm, share, "nobody", None) == 4
    found, volume = nas.share_of(scene.lyon, scene.svm, "images")
    assert (found, volume.name) == (share, "pacs_images_dr")
    nas.delete_share(scene.world, scene.svm, "IMAGES")
    assert nas.share_of(scene.lyon, scene.svm, "IMAGES") is None
    scene.svm.cifs_server = None
    assert refused(nas.create_share, scene.world, scene.lyon, scene.svm, share) == 655399


def test_aliases_are_upper_case(scene):
    nas.set_aliases(scene.world, scene.svm, {"nas-pacs"})
    assert scene.svm.aliases == {"NAS-PACS"}


def test_one_address_is_up_once(scene):
    other = next(iter(scene.paris.svms["svm_prod"].lifs.values()))
    lif = next(iter(scene.svm.lifs.values()))
    lif.enabled, lif.address = False, other.address
    assert refused(nas.set_lif, scene.world, scene.lyon, lif, enabled=True) == 1376963
    scene.lose()
    nas.set_lif(scene.world, scene.lyon, lif, enabled=True)
    assert lif.enabled


def test_unknown_svm_state(scene):
    assert refused(nas.set_svm_state, scene.world, scene.lyon, scene.svm, "sleeping") == 13434882
