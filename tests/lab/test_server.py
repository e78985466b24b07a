"""A whole lab: rendered inventory, control socket, reset, the process."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys

import pytest
import yaml

from drctl.lab.control import ask
from drctl.lab.faults import UnknownFault


def test_rendered_inventory_is_the_estate_on_loopback(lab):
    served = lab()
    rendered = yaml.safe_load(served.inventory.read_text())
    text = served.inventory.read_text()
    assert not any(prefix in text for prefix in ("192.0.2.", "198.51.100.", "203.0.113."))
    lyon = rendered["endpoints"]["ontap-lyon"]
    assert lyon["port"] == 10443
    assert (served.inventory.parent / lyon["ca_file"]).is_file()
    edge = rendered["endpoints"]["edge-lyon"]
    assert (served.inventory.parent / edge["key_file"]).stat().st_mode & 0o077 == 0
    known = (served.inventory.parent / edge["known_hosts"]).read_text()
    assert f"[{edge['host']}]:10022 ssh-ed25519 " in known
    dns = rendered["endpoints"]["dns-main"]
    assert dns["port"] == 10053
    assert dns["secondaries"][0].endswith(".53:10053")


def test_checks_resolve_through_the_lab(lab):
    rendered = yaml.safe_load(lab().inventory.read_text())
    resolver = rendered["endpoints"]["dns-main"]["server"] + ":10053"
    checks = {c["name"]: c["with"] for s in rendered["services"].values() for c in s.get("checks", [])}
    assert checks["api"]["url"] == "https://ris.teleradio.example:10443/health"
    assert checks["api"]["resolver"] == checks["ldap"]["resolver"] == resolver
    assert checks["api"]["ca_file"].endswith("pki/ca.pem")
    assert (checks["ldap"]["port"], checks["dicom"]["port"]) == (10389, 11112)


def test_secrets_are_invented_for_every_reference(lab):
    served = lab()
    assert set(served.secrets) == {
        "LAB_ONTAP_PARIS", "LAB_ONTAP_LYON", "LAB_ONTAP_RENNES", "LAB_VC_PARIS", "LAB_VC_LYON", "LAB_DNS_TSIG", "LAB_GUEST",
    }  # fmt: skip
    assert len(set(served.secrets.values())) == 7
    assert served.world.estate.clusters["ontap-lyon"].password == served.secrets["LAB_ONTAP_LYON"]
    assert not any(secret in served.inventory.read_text() for secret in served.secrets.values())


def test_inventory_without_a_lab_section_is_served_too(lab, lab_inventory):
    del lab_inventory["lab"]
    world = lab(lab_inventory).world
    vcenter = world.estate.vcenters["vc-lyon"]
    assert [host.cluster for host in vcenter.hosts.values()] == ["dr", "dr"]
    assert world.estate.clusters["ontap-lyon"].svms["svm_dr"].cifs_server == "CIFS-LYON"
    assert all(vm.booted for vm in world.estate.vcenters["vc-paris"].vms.values())


def test_endpoints_by_name_and_literal_secrets(lab, lab_inventory):
    lab_inventory["endpoints"]["vc-lyon"] |= {
        "host": "vc.lyon.example",
        "password": {"keyring": "x"},
        "port": 8443,
    }
    served = lab(lab_inventory)
    endpoint = yaml.safe_load(served.inventory.read_text())["endpoints"]["vc-lyon"]
    assert (endpoint["port"], endpoint["password"]) == (8443, {"env": "LAB_VC_LYON_PASSWORD"})
    socket.create_connection((endpoint["host"], 8443), 2).close()


def test_every_endpoint_listens(lab):
    served = lab()
    rendered = yaml.safe_load(served.inventory.read_text())
    for endpoint in rendered["endpoints"].values():
        address = endpoint.get("host") or endpoint["server"]
        socket.create_connection((address, endpoint["port"]), 2).close()
    services = served.world.estate.applications
    for address, port, _ in services["ris"].addresses["paris"] + services["directory"].addresses["lyon"]:
        socket.create_connection((address, port), 2).close()


def test_control(lab):
    served = lab()

    def order(do: str, **options: object) -> dict:
        return ask(served.control, do, **options)

    first = order("status")
    assert first.pop("ok")
    assert set(first) == {"world", "mutations", "connections"}
    assert order("fault", name="site-down:paris")["faults"] == ["site-down:paris"]
    assert order("status")["world"]["services"]["ris"]["paris"] == "paris is down"
    assert order("faults")["faults"] == ["site-down:paris"]
    assert order("lift", name="site-down")["lifted"]
    assert order("advance", seconds=100)["ok"]
    assert order("wait", condition="settled", timeout=5)["reached"]
    assert "live" in order("status", live=True)
    assert order("info")["inventory"] == str(served.inventory.resolve())
    for wrong in (
        {"do": "dance"},
        {"do": "fault", "name": "nonsense"},
        {"do": "fault"},
        {"do": "wait", "condition": "x"},
    ):
        assert not order(**wrong)["ok"]
    assert order("reset")["ok"]
    again = order("status")
    assert again["world"] == first["world"]
    assert not served.stopped.is_set()
    order("stop")
    assert served.stopped.is_set()


def test_bad_lines_are_answered(lab):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(lab().control))
        client.sendall(b"nonsense\n[]\n")
        with client.makefile("rb") as stream:
            assert [json.loads(stream.readline())["ok"] for _ in range(2)] == [False, False]


def test_faults_from_the_start(lab):
    served = lab(faults=("site-down:paris",))
    address = yaml.safe_load(served.inventory.read_text())["endpoints"]["ontap-paris"]["host"]
    with pytest.raises(TimeoutError):
        socket.create_connection((address, 10443), 0.2)
    with pytest.raises(UnknownFault):
        lab(faults=("nonsense",))


def test_two_labs_of_one_inventory_show_the_same_world(lab):
    assert lab().status()["world"] == lab().status()["world"]


def test_process(lab_inventory, tmp_path):
    source = tmp_path / "in.json"
    source.write_text(json.dumps(lab_inventory))
    command = [
        sys.executable,
        "-m",
        "drctl.lab",
        "--inventory",
        str(source),
        "--directory",
        str(tmp_path / "lab"),
        "--speed",
        "600",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        ready = json.loads(process.stdout.readline())
        assert ask(ready["control"], "status")["ok"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    wrong = subprocess.run(
        [*command, "--fault", "nonsense"], capture_output=True, text=True, check=False, timeout=30
    )
    assert wrong.returncode == 2
    assert "unknown fault 'nonsense'" in wrong.stderr


def test_lab_that_cannot_start_leaves_nothing(lab, lab_inventory):
    served = lab()
    address, port = served.net._listeners[0].address, served.net._listeners[0].port
    broken = {
        **lab_inventory,
        "services": {
            **lab_inventory["services"],
            "odd": {"volumes": [{"name": "x", "at": {"paris": {"endpoint": "ontap-paris"}}}]},
        },
    }
    with pytest.raises(KeyError):
        lab(broken)
    socket.create_connection((address, port), 2).close()
    again = lab()
    assert again.status()["world"]["services"]["ris"]["paris"] == "answers"


def test_inventory_that_cannot_be_served_is_said_in_one_line(tmp_path):
    source = tmp_path / "in.yaml"
    source.write_text("endpoints: {a: {type: ontap}}\nsites: {s: {}}\n")
    command = [
        sys.executable,
        "-m",
        "drctl.lab",
        "--inventory",
        str(source),
        "--directory",
        str(tmp_path / "lab"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "cannot serve this inventory" in done.stderr


def test_a_kept_estate_comes_back_as_it_was(lab):
    served = lab()
    with served.world.lock:
        next(iter(served.world.estate.clusters["ontap-lyon"].mirrors.values())).state = "broken_off"
    kept, before = served.keep(), served.status()["world"]
    assert before["clusters"]["ontap-lyon"]
    served.fault("site-down:paris")
    served.reset()
    assert served.status()["world"] != before
    for _ in range(2):  # what is done to one copy does not reach the other
        served.reset(kept)
        assert served.status()["world"] == before
        served.fault("site-down:paris")
        assert served.status()["world"] != before
