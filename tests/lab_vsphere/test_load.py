"""Many at once: threads on one connection pool, hundreds of VMs."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pyVmomi import vim
from vcenter_client import PC, Client, bulk, finish

from drctl.lab.world import World

CROWD = 500


def populate(client: Client) -> list[str]:
    """Put many powered-off VMs of one .vmx into the inventory; return their morefs."""
    with client.world.lock:
        model = client.vm("ris-app01")
        made = [
            dataclasses.replace(
                model, moref=f"vm-9{n:04}", name=f"crowd{n}", power="poweredOff", booted=False
            )
            for n in range(CROWD)
        ]
        client.vcenter.vms.update({vm.moref: vm for vm in made})
    return [vm.moref for vm in made]


def test_sixteen_threads_share_a_session(paris: Client):
    content = paris.login()
    vms = content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], True).view

    def work(number: int) -> tuple[int, str]:
        found = bulk(content, {vim.VirtualMachine: ["name", "config.hardware.device", "runtime.powerState"]})
        vm = vms[number % len(vms)]
        finish(vm.ReconfigVM_Task(vim.vm.ConfigSpec(annotation=f"by {number}")))
        return len(found), vm.name

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(work, range(64)))
    assert {count for count, _ in answers} == {12}
    assert len(paris.calls()) == 64
    assert {vm.change_version for vm in paris.vcenter.vms.values()} == {6, 7}  # 64 changes on 12 VMs


def test_sixteen_sessions_see_the_same(paris: Client):
    def work(_number: int) -> set[str]:
        return {each["name"] for each in bulk(paris.login(), {vim.VirtualMachine: ["name"]})}

    with ThreadPoolExecutor(16) as pool:
        seen = list(pool.map(work, range(16)))
    assert all(names == seen[0] for names in seen)


def test_500_vms_are_started_with_one_wait(paris: Client, world: World):
    morefs = populate(paris)
    content = paris.login()
    stub = content.rootFolder._stub
    with ThreadPoolExecutor(8) as pool:
        tasks = list(pool.map(lambda moref: vim.VirtualMachine(moref, stub).PowerOn(), morefs))
    collector = content.propertyCollector.CreatePropertyCollector()
    spec = PC.FilterSpec(
        objectSet=[PC.ObjectSpec(obj=task) for task in tasks],
        propSet=[PC.PropertySpec(type=vim.Task, pathSet=["info.state"])],
    )
    collector.CreateFilter(spec, True)
    states: dict[str, str] = {}
    version = ""
    while set(states.values()) != {"success"} or len(states) < CROWD:
        updates: Any = collector.WaitForUpdatesEx(version, PC.WaitOptions(maxWaitSeconds=20))
        assert updates is not None, f"no news for 20 s; {len(states)} tasks known"
        version = updates.version
        for each in (o for f in updates.filterSet for o in f.objectSet):
            states |= dict.fromkeys([each.obj._moId], each.changeSet[0].val)
    assert int(version) < CROWD / 5  # updates come in batches
    assert world.wait(lambda: all(paris.vcenter.vms[moref].booted for moref in morefs))
