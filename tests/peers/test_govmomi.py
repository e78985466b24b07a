"""The lab's vCenter against VMware's Go client: what pyVmomi on both ends could get wrong alike.

The client logs in with the lab's authority only, decodes every property of every object, browses and
downloads, and takes one VM through power off, unregister, register, connect and power on.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

BINARY = Path(__file__).parents[2] / ".build" / "govmomi"


@pytest.fixture
def drive(lab: Callable[..., Any]) -> Callable[..., tuple[Any, dict[str, Any]]]:
    """Start a lab and let the client work on its production vCenter; return the lab and what was seen."""
    if not BINARY.exists():
        pytest.fail(".build/govmomi is missing: run `make peers`", pytrace=False)

    def run(**arguments: str) -> tuple[Any, dict[str, Any]]:
        started = lab()
        endpoint = yaml.safe_load(started.inventory.read_text(encoding="utf-8"))["endpoints"]["vc-paris"]
        vcenter = started.world.estate.vcenters["vc-paris"]
        options = {
            "url": f"https://{endpoint['host']}:{endpoint['port']}/sdk",
            "user": vcenter.username,
            "password": vcenter.password,
            "ca": str(started.pki.ca_file),
            **arguments,
        }
        command = [str(BINARY), *(f"-{name}={value}" for name, value in options.items())]
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == 0, done.stderr
        return started, json.loads(done.stdout)

    return run


def test_vmwares_go_client_reads_and_drives_the_lab(drive):
    vmx = "ris-app01/ris-app01.vmx"
    lab, seen = drive(datastore="ds_ris", vm="RIS/ris-app01", vmx=vmx, network="prod-dvs-220")
    vcenter = lab.world.estate.vcenters["vc-paris"]
    assert seen["about"].startswith("VMware vCenter Server 8.0.3")
    assert (len(seen["vms"]), seen["hosts"]) == (12, 2)
    assert seen["drs"] == "fullyAutomated"
    assert seen["portgroup"] in {network.portgroup_key for network in vcenter.networks.values()}
    store = next(each for each in vcenter.datastores.values() if each.name == "ds_ris")
    wanted = {"server": store.server, "path": "/ris_vm", "accessible": True, "mounts": 2, "vms": 3}
    assert seen["datastores"]["ds_ris"] == wanted
    assert seen["mount"] == store.server
    two_disks = seen["vms"]["ris-db01"]
    assert two_disks["devices"].count("VirtualDisk") == 2
    assert two_disks["devices"][-1] == "VirtualVmxnet3"
    assert (two_disks["power"], two_disks["heartbeat"], two_disks["snapshot"]) == ("poweredOn", "green", None)
    assert f"[ds_ris] {vmx}" in seen["files"]
    assert 'displayName = "ris-app01"' in seen["vmx"]
    assert (seen["refused"], seen["gone"]) == ("InvalidPowerState", "ManagedObjectNotFound")
    assert seen["registered"] == "AlreadyExists"
    moved = next(vm for vm in vcenter.vms.values() if vm.name == "moved")
    assert seen["ip"] == moved.guest_ip
    assert [vcenter.networks[nic.network].name for nic in moved.nics] == ["prod-dvs-220"]
    assert moved.uuid == seen["vms"]["ris-app01"]["uuid"]


def test_a_wrong_password_is_told_apart(drive):
    with pytest.raises(AssertionError, match="InvalidLogin"):
        drive(password="wrong")
