"""Pure parts: paths, marks, host choice, fault texts, and the commands run inside guests."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyVmomi import vim, vmodl

from drctl.core.problem import ProviderError
from drctl.core.secret import Secret
from drctl.providers.vsphere.faults import explain, message_of
from drctl.providers.vsphere.guest import SetIp
from drctl.providers.vsphere.model import GuestState, RegisterState
from drctl.providers.vsphere.placing import tail
from drctl.providers.vsphere.reads import split_path
from drctl.providers.vsphere.registering import marked
from drctl.providers.vsphere.vm import Register

MAC = "00:00:00:00:00:00"  # the loopback interface of the machine the tests run on


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("[ds_ris] ris-db01/ris-db01.vmx", ("ds_ris", "ris-db01/ris-db01.vmx")),
        ("[ds (1)] a b/c.vmdk", ("ds (1)", "a b/c.vmdk")),
        ("[] /vmfs/volumes/1/a.vmdk", ("", "[] /vmfs/volumes/1/a.vmdk")),
        ("/vmfs/volumes/1/a.vmdk", ("", "/vmfs/volumes/1/a.vmdk")),
    ],
)
def test_paths_split_at_the_datastore(path, parts):
    assert split_path(path) == parts


@pytest.mark.parametrize(
    ("path", "rest"),
    [
        ("[] /vmfs/volumes/1b2c-3d/vm/disk.vmdk", "vm/disk.vmdk"),
        ("/vmfs/volumes/1b2c-3d/vm/disk.vmdk", "vm/disk.vmdk"),
        ("[ds_gone] vm/disk.vmdk", "vm/disk.vmdk"),
        ("disk.vmdk", ""),
    ],
)
def test_what_remains_of_a_path_of_the_other_site(path, rest):
    assert tail(path) == rest


@given(st.text(alphabet="ab \n", max_size=30))
def test_a_mark_replaces_an_earlier_one_and_nothing_else(text):
    once = marked(text, "drctl:one:step")
    twice = marked(once, "drctl:two:step")
    assert twice.splitlines() == [*text.splitlines(), "drctl:two:step"]


def test_without_drs_vms_spread_over_the_hosts_and_stay_where_they_were_put():
    state = RegisterState(vmx=True, drs=False, hosts=("esx1", "esx2", "esx3"))

    def host(number):
        action = Register(vm=f"vm{number}", datastore="d", vmx="a/a.vmx", folder="f", pool="p")
        change = action.diff(state)
        assert change is not None
        return next(field.after for field in change.fields if field.name == "host")

    chosen = Counter(host(number) for number in range(300))
    assert set(chosen) == {"esx1", "esx2", "esx3"}
    assert min(chosen.values()) > 60
    assert [host(number) for number in range(20)] == [host(number) for number in range(20)]


def test_a_fault_says_all_it_knows():
    cause = vmodl.LocalizableMessage(key="x", message="NFS mount 192.0.2.20:/x failed: access denied")
    fault = vim.fault.PlatformConfigFault(msg="Host configuration failed.", text="", faultMessage=[cause])
    assert message_of(fault) == f"{fault.msg}; {cause.message}"
    error = explain("mounting", fault, "vc-lyon")
    assert isinstance(error, ProviderError)
    assert error.problem.code == "vsphere-platform-config-fault"
    assert "vmkernel" in error.problem.hint
    assert not error.transient


# --- commands inside guests -----------------------------------------------------------------------


def set_ip(**fields):
    secret = Secret("env", "GUEST")
    plain = {"vm": "web", "adapter": "Network adapter 1", "ip": "198.51.100.131", "prefix": 26}
    return SetIp.model_validate({**plain, "username": "u", "password": secret, **fields})


def run_linux(tmp_path, action, tools):
    """Run the command with a real shell; the tools only note how they were called."""
    program, arguments = action.command(GuestState(mac=MAC))
    log = tmp_path / "log"
    for name, script in tools.items():
        tool = tmp_path / name
        tool.write_text(f'#!/bin/sh\necho {name} "$@" >> {shlex.quote(str(log))}\n{script}\n')
        tool.chmod(0o755)
    done = subprocess.run(
        [program, *shlex.split(arguments)],
        env={**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, log.read_text().splitlines() if log.exists() else []


def test_network_manager_is_told_when_it_runs_the_card(tmp_path):
    action = set_ip(gateway="198.51.100.129", dns=("198.51.100.53", "203.0.113.53"))
    tools = {"nmcli": 'case "$*" in *GENERAL.CONNECTION*) echo "System eth0";; esac', "ip": ""}
    code, calls = run_linux(tmp_path, action, tools)
    assert code == 0
    assert calls == [
        "nmcli -g GENERAL.CONNECTION device show lo",
        "nmcli connection modify System eth0 ipv4.method manual ipv4.addresses 198.51.100.131/26 ipv4.gateway 198.51.100.129 ipv4.dns 198.51.100.53,203.0.113.53",
        "nmcli connection up System eth0",
    ]


def test_ip_does_it_where_network_manager_does_not(tmp_path):
    code, calls = run_linux(tmp_path, set_ip(gateway="198.51.100.129"), {"nmcli": "", "ip": ""})
    assert code == 0
    assert calls[1:] == [
        "ip -4 address flush dev lo scope global",
        "ip address add 198.51.100.131/26 dev lo",
        "ip link set lo up",
        "ip route replace default via 198.51.100.129",
    ]


@pytest.mark.parametrize("failing", ["ip", "nmcli"])
def test_a_tool_that_fails_fails_the_command(tmp_path, failing):
    tools = {"nmcli": "echo eth0" if failing == "nmcli" else "", "ip": ""}
    tools[failing] += '\n[ "$2" = GENERAL.CONNECTION ] || exit 4'
    code, _ = run_linux(tmp_path, set_ip(), tools)
    assert code != 0


def test_a_card_that_is_not_there_fails_the_command(tmp_path):
    action = set_ip()
    program, arguments = action.command(GuestState(mac="02:ff:ff:ff:ff:ff"))
    done = subprocess.run([program, *shlex.split(arguments)], capture_output=True, check=False)
    assert done.returncode != 0


def test_windows_gets_netsh_with_a_mask_and_every_name_server():
    action = set_ip(gateway="198.51.100.129", dns=("198.51.100.53", "203.0.113.53"))
    program, arguments = action.command(GuestState(mac="00:50:56:aa:bb:cc", family="windowsGuest"))
    assert program.endswith("powershell.exe")
    assert "MacAddress -eq '00-50-56-AA-BB-CC'" in arguments
    assert "static 198.51.100.131 255.255.255.192 198.51.100.129" in arguments
    assert "set dnsservers" in arguments
    assert 'add dnsservers name=\\"$name\\" 203.0.113.53' in arguments


def test_a_guest_of_unknown_kind_is_refused():
    with pytest.raises(ProviderError, match="no way is known"):
        set_ip().command(GuestState(mac=MAC, family="solarisGuest"))
