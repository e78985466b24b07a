"""The vsphere provider against govmomi's vcsim 0.24.2: a vCenter written by VMware, in another language.

It judges the wire: login and its refusal, TLS, views and bulk reads (counted by the server), searches,
registration, reconfiguration, power, tasks awaited by one watcher, an ended session, 500 VMs at once.

It cannot judge, because vcsim does it wrongly or not at all: NFS mounts (``remotePath`` is ignored and
hosts have no mounts of their own), what a .vmx says (only its existence counts; cards are lost on
registration), stale or inaccessible entries, questions, guest tools and guest operations, refused stale
change versions, renaming a datastore, removing a folder (``UnregisterAndDestroy_Task``), tasks that stay
queued (each ends before its call returns).
The lab's vCenter covers those.
"""

from __future__ import annotations

import http.client
import re
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from vcenter import Identity, Patient, make_endpoint, make_identity

from drctl.core.action import Missing
from drctl.core.probe import Level
from drctl.core.problem import ProviderError, ReadOnlyError
from drctl.core.provider import Access
from drctl.providers.vsphere import PROVIDER
from drctl.providers.vsphere.access import Reachable
from drctl.providers.vsphere.client import Vsphere
from drctl.providers.vsphere.datastore import MountNfs
from drctl.providers.vsphere.folders import RemoveFolder
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
from drctl.providers.vsphere.reads import read_clusters
from drctl.providers.vsphere.vm import Register, Unregister

BINARY = Path(__file__).parents[2] / ".build" / "vcsim"
STORE, CLUSTER = "LocalDS_0", "DC0_C0"


@dataclass
class Vcsim:
    """A running simulator."""

    port: int
    identity: Identity

    def requests(self) -> int:
        """Ask the server how many SOAP requests it has had."""
        context = ssl.create_default_context(cafile=self.identity.certificate)
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=context)
        try:
            connection.request("GET", "/requests")
            return int(connection.getresponse().read())
        finally:
            connection.close()

    def connect(self, access: Access = Access.WRITE, **fields: Any):
        fields = {"ca_file": self.identity.certificate, **fields}
        return PROVIDER.connect(make_endpoint(self.port, **fields), access)


def vm(number: int) -> str:
    return f"DC0_C0_RP0_VM{number}"


def registration(name: str) -> Register:
    return Register(vm=name, datastore=STORE, vmx=f"{name}/{name}.vmx", folder="DR/RIS", pool=CLUSTER)


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[..., Vcsim]]:
    if not BINARY.exists():
        pytest.fail(".build/vcsim is missing: run `make peers`", pytrace=False)
    running: list[subprocess.Popen[str]] = []

    def start(vms: int = 4, idle: str = "30m", datacenters: int = 1) -> Vcsim:
        identity = make_identity(tmp_path, "vcsim")
        command = [BINARY, "-vms", str(vms), "-idle", idle, "-datacenters", str(datacenters)]
        command += ["-certificate", identity.certificate, "-key", identity.key]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        match = re.fullmatch(r"https://127\.0\.0\.1:(\d+)/sdk\n", process.stdout.readline())
        assert match is not None
        return Vcsim(int(match[1]), identity)

    yield start
    for process in running:
        process.terminate()
        process.communicate(timeout=10)


def carry_out(action: Any, client: Vsphere, control: Patient | None = None) -> None:
    change = action.diff(action.read(client))
    assert change is not None
    action.apply(client, change, control or Patient())
    assert action.diff(action.read(client)) is None


# --- logging in ---------------------------------------------------------------------------------


def test_login_and_clock(start):
    with start().connect(Access.READ) as client:
        seen = Reachable().observe(client)
    assert seen.values["authenticated"] is True
    assert Reachable().judge(seen).level is Level.OK


def test_wrong_password_is_a_finding_not_an_outage(start):
    with start().connect(Access.READ, password="wrong") as client:
        finding = Reachable().judge(Reachable().observe(client))
    assert finding.level is Level.BLOCKER
    assert "refused the login of drctl" in finding.summary


def test_certificate_of_another_authority_is_refused(start, tmp_path):
    other = make_identity(tmp_path, "impostor")
    refused = pytest.raises(ProviderError, match="certificate is not trusted")
    with start().connect(Access.READ, ca_file=other.certificate) as client, refused as caught:
        Reachable().observe(client)
    assert caught.value.unreachable


def test_pinned_certificate_is_enough_and_another_is_not(start, tmp_path):
    vcsim = start()
    other = make_identity(tmp_path, "impostor")
    pin = {"ca_file": None, "certificate_file": vcsim.identity.certificate}
    with vcsim.connect(Access.READ, **pin) as client:
        assert Reachable().observe(client).values["authenticated"] is True
    refused = pytest.raises(ProviderError, match="certificate is not trusted")
    with vcsim.connect(Access.READ, **{**pin, "certificate_file": other.certificate}) as client, refused:
        Reachable().observe(client)


def test_ended_session_is_renewed_by_a_read_and_by_a_change(start):
    vcsim = start(idle="1s")
    with vcsim.connect() as client:
        action = PowerOff(vm=vm(0))
        change = action.diff(action.read(client))
        for _ in range(2):
            threading.Event().wait(1.6)  # what is waited for is the server's own idle limit
            if change is not None:
                action.apply(client, change, Patient())
            assert action.diff(action.read(client)) is None
            change = None


# --- bulk reads ---------------------------------------------------------------------------------


def test_states_of_all_vms_cost_a_handful_of_requests(start):
    vcsim = start(vms=100)
    with vcsim.connect(Access.READ) as client:
        Reachable().observe(client)
        before = vcsim.requests()
        states = PowerOff.read_many([PowerOff(vm=vm(number)) for number in range(100)], client)
        assert vcsim.requests() - before <= 3
        again = vcsim.requests()
        PowerOff(vm=vm(7)).read(client)
        assert vcsim.requests() - again == 1
    assert all(state.power == "poweredOn" for state in states)


def test_registrations_are_read_together(start):
    vcsim = start(vms=50)
    with vcsim.connect(Access.READ) as client:
        Reachable().observe(client)
        before = vcsim.requests()
        states = Register.read_many([registration(vm(number)) for number in range(50)], client)
        assert vcsim.requests() - before <= 15
    assert all(state.vm is not None and state.drs for state in states)


def test_questions_of_many_vms_are_asked_together(start):
    vcsim = start(vms=50)
    names = [vm(number) for number in range(50)]
    questions = [
        [NetworksResolvable(networks=("VM Network",))] * 50,
        [VmxPresent(datastore=STORE, vmx=f"{name}/{name}.vmx") for name in names],
        [VmxPresent(datastore="gone", vmx="gone/gone.vmx")] * 50,
        [HostsConnected(cluster=CLUSTER)] * 50,
        [Accessible(datastore=STORE, cluster=CLUSTER)] * 50,
        [NfsRoom(cluster=CLUSTER, datastores=("ds_pacs",))] * 50,
    ]
    with vcsim.connect(Access.READ) as client:
        Reachable().observe(client)
        for probes in questions:
            before = vcsim.requests()
            seen = type(probes[0]).observe_many(probes, client)
            assert vcsim.requests() - before <= 15
            levels = {probe.judge(one).level for probe, one in zip(probes, seen, strict=True)}
            assert len(levels) == 1
            assert (levels == {Level.BLOCKER}) is (probes[0] == questions[2][0])


def test_probes(start):
    name = vm(0)
    every = tuple(vm(number) for number in range(4))
    with start().connect(Access.READ) as client:
        good = [
            HostsConnected(cluster=CLUSTER),
            VmxPresent(datastore=STORE, vmx=f"{name}/{name}.vmx"),
            InventoryComplete(datastore=STORE, vms=every),
            NetworksResolvable(networks=("VM Network", "DC0_DVPG0")),
        ]
        bad = [
            HostsConnected(cluster="dr"),
            Accessible(datastore="ds_pacs", cluster=CLUSTER),
            VmxPresent(datastore=STORE, vmx="none/none.vmx"),
            InventoryComplete(datastore=STORE, vms=every[1:]),
            NetworksResolvable(networks=("dr-200",)),
        ]
        assert [probe.judge(probe.observe(client)).level for probe in good] == [Level.OK] * len(good)
        assert [probe.judge(probe.observe(client)).level for probe in bad] == [Level.BLOCKER] * len(bad)


def test_a_setting_of_the_hosts_is_read_from_where_others_set_it(start):
    """vcsim's hosts have no NFS.MaxVolumes until somebody sets it, and no NFS mounts of their own."""
    room = NfsRoom(cluster=CLUSTER, datastores=("ds_pacs", "ds_ris"))
    with start().connect() as client:
        assert room.judge(room.observe(client)).level is Level.WARNING
        for number, limit in enumerate((8, 8, 1)):
            set_on_hosts(client, number, limit)
        finding = room.judge(room.observe(client))
    assert (finding.level, finding.impossible) == (Level.BLOCKER, True)
    assert "1 of 3 hosts" in finding.summary


def set_on_hosts(client: Vsphere, number: int, limit: int) -> None:
    """Set NFS.MaxVolumes on one host of the cluster."""
    [cluster] = [one for one in read_clusters(client) if one.name == CLUSTER]
    [row] = client.rows_of("HostSystem", [cluster.hosts[number]], ["configManager.advancedOption"])
    manager = row.values["configManager.advancedOption"]._moId

    def update(wire):
        option = wire.vim.option.OptionValue(key="NFS.MaxVolumes", value=limit)
        wire.ref("option.OptionManager", manager).UpdateOptions([option])

    client.change("setting NFS.MaxVolumes", update)


# --- changing -----------------------------------------------------------------------------------


def test_read_only_client_sends_no_change(start):
    vcsim = start()
    actions = [
        PowerOff(vm=vm(0)),
        Shutdown(vm=vm(0)),
        ConnectNetworks(vm=vm(0), networks={"ethernet-0": "VM Network"}),
        MountNfs(datastore="ds", nfs_server="192.0.2.1", path="/v", cluster=CLUSTER),
    ]
    with vcsim.connect(Access.READ) as client:
        for action in actions:
            change = action.diff(action.read(client))
            assert change is not None
            with pytest.raises(ReadOnlyError):
                action.apply(client, change, Patient())
            assert action.diff(action.read(client)) == change


def test_power_off_unregister_register_power_on(start):
    name = vm(1)
    with start().connect() as client:
        carry_out(PowerOff(vm=name), client)
        carry_out(Unregister(vm=name), client)
        control = Patient()
        carry_out(registration(name), client, control)
        assert [handle.kind for handle in control.handles] == ["folder", "folder", "task", "task"]
        assert [handle.summary for handle in control.handles[:2]] == ["DR", "DR/RIS"]
        assert Unregister(vm=name).read(client).folder == "DR/RIS"
        state = registration(name).read(client)
        assert state.vm is not None
        assert state.vm.annotation == "drctl:run:step"
        assert registration(name).outputs(state) == {"vm": name, "moref": state.vm.moref}
        carry_out(PowerOn(vm=name, wait_for="none"), client)


def test_a_folder_is_there_to_remove_only_once_it_is_empty(start):
    name = vm(1)
    with start().connect() as client:
        carry_out(PowerOff(vm=name), client)
        carry_out(Unregister(vm=name), client)
        control = Patient()
        carry_out(registration(name), client, control)
        made = {handle.summary: handle.id for handle in control.handles if handle.kind == "folder"}
        removal = RemoveFolder(folder="DR/RIS", moref=made["DR/RIS"])
        with pytest.raises(Missing, match=f"still holds the vm {name}"):
            removal.diff(removal.read(client))
        carry_out(Unregister(vm=name), client)
        change = removal.diff(removal.read(client))
        assert change is not None
        assert change.fields[0].before == made["DR/RIS"]
        above = RemoveFolder(folder="DR")
        holding = above.read(client)
        with pytest.raises(Missing, match="still holds the folder RIS"):
            above.diff(holding)


def test_card_moves_to_a_standard_and_to_a_distributed_network(start):
    with start().connect() as client:
        for network in ("VM Network", "DC0_DVPG0"):
            action = ConnectNetworks(vm=vm(0), networks={"ethernet-0": network})
            before = action.read(client)
            carry_out(action, client)
            after = action.read(client)
            assert after.nics[0].network == network
            assert after.nics[0].mac == before.nics[0].mac


def test_datastores_of_one_name_in_two_datacenters_are_told_apart(start):
    with start(datacenters=2).connect() as client:
        for number in (0, 1):
            name = f"DC{number}_C0_RP0_VM0"
            carry_out(PowerOff(vm=name), client)
            carry_out(Unregister(vm=name), client)
            carry_out(registration(name).model_copy(update={"pool": f"DC{number}_C0"}), client)
        probe = Accessible(datastore=STORE, cluster="DC1_C0")
        assert probe.judge(probe.observe(client)).level is not Level.BLOCKER
        with pytest.raises(ProviderError, match="2 datastores are called LocalDS_0"):
            VmxPresent(datastore=STORE, vmx="any/any.vmx").observe(client)


def test_five_hundred_vms_at_once(start):
    """Sixteen workers, one watcher: off, out, in again and on, each VM on its own."""
    vcsim = start(vms=500)
    names = [vm(number) for number in range(500)]
    steps: list[Callable[[str], Any]] = [
        lambda name: PowerOff(vm=name),
        lambda name: Unregister(vm=name),
        registration,
        lambda name: PowerOn(vm=name, wait_for="none"),
    ]
    with vcsim.connect() as client:
        for make in steps:
            actions = [make(name) for name in names]
            kind = type(actions[0])
            states = kind.read_many(actions, client)
            with ThreadPoolExecutor(16) as pool:
                list(
                    pool.map(lambda pair: apply(pair[0], pair[1], client), zip(actions, states, strict=True))
                )
            left = [
                action.diff(state)
                for action, state in zip(actions, kind.read_many(actions, client), strict=True)
            ]
            assert left == [None] * 500
        assert len([one for one in threading.enumerate() if one.name == "watch-vc-peer"]) == 1


def apply(action: Any, state: Any, client: Vsphere) -> None:
    change = action.diff(state)
    assert change is not None
    action.apply(client, change, Patient(limit=120))
