"""Advanced settings of hosts, and the one that bounds their NFS mounts."""

from __future__ import annotations

from typing import Any

import pytest
from pyVmomi import vim
from vcenter_client import Client, Estate, named


def hosts_of(content: Any) -> list[Any]:
    return sorted(named(content, vim.ClusterComputeResource, "dr").host, key=lambda host: host.name)


def test_a_host_tells_its_settings_whichever_way_it_is_asked(lyon: Client):
    content = lyon.login()
    first, second = hosts_of(content)
    with lyon.world.lock:
        lyon.vcenter.hosts[first._moId].nfs_volumes = 8
    for host, limit in ((first, 8), (second, 256)):
        manager = host.configManager.advancedOption
        for found in (manager.setting, manager.QueryOptions("NFS.MaxVolumes"), host.config.option):
            assert [(one.key, one.value) for one in found] == [("NFS.MaxVolumes", limit)]
    assert [one.key for one in first.configManager.advancedOption.QueryOptions("NFS.")] == ["NFS.MaxVolumes"]
    with pytest.raises(vim.fault.InvalidName):
        first.configManager.advancedOption.QueryOptions("NFS.Typo")


def test_a_full_host_mounts_no_more(lyon: Client, estate: Estate):
    for volume in ("ris_vm", "pacs_vm"):
        estate.publish(volume)
    content = lyon.login()
    first, second = hosts_of(content)
    with lyon.world.lock:
        lyon.vcenter.hosts[first._moId].nfs_volumes = 1
    svms = lyon.world.estate.clusters["ontap-lyon"].svms.values()
    server = next(lif.address for svm in svms for lif in svm.lifs.values() if lif.name.startswith("lif_nfs"))

    def mount(host: Any, name: str) -> Any:
        spec = vim.host.NasVolume.Specification(
            remoteHost=server, remotePath=f"/{name}", localPath=name, accessMode="readWrite"
        )
        return host.configManager.datastoreSystem.CreateNasDatastore(spec)

    mount(first, "ris_vm")
    with pytest.raises(vim.fault.PlatformConfigFault) as caught:
        mount(first, "pacs_vm")
    assert "maximum number" in caught.value.text
    assert mount(second, "pacs_vm").name == "pacs_vm"
