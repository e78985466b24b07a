"""The services' own ports, asked with the standard library."""

from __future__ import annotations

import json
import socket
import ssl
import urllib.error
import urllib.request

import pytest

from drctl.lab import app


@pytest.fixture
def served(lab):
    app.serve(lab.world, lab.net)
    lab.world.touch()
    return lab


def get(lab, path="/health"):
    context = ssl.create_default_context(cafile=str(lab.pki.ca_file))
    handler = urllib.request.HTTPSHandler(context=context)
    opener = urllib.request.build_opener(handler, urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"https://{lab.portal}:10443{path}", timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as problem:
        with problem:
            return problem.code, json.load(problem)


def knock(address, port):
    with socket.create_connection((address, port), timeout=5) as sock:
        sock.settimeout(5)
        sock.sendall(b"hello")
        return True


def stop_portal(lab):
    with lab.world.lock:
        lab.world.estate.applications["portal"].vms = ["portal-web01"]
        lab.world.touch()


def start_portal(lab):
    with lab.world.lock:
        lab.world.estate.applications["portal"].vms = []
        lab.world.touch()


def test_health_of_a_working_service(served):
    status, health = get(served)
    assert status == 200
    assert health == {"service": "portal", "site": "lyon", "ok": True, "data_age_seconds": None, "reason": ""}


def test_other_pages_do_not_exist(served):
    assert get(served, "/admin")[0] == 404


def test_ports_answer_while_the_service_works(served):
    assert knock(served.portal, 11112)
    assert knock(served.ldap, 10389)


def test_a_service_that_is_down_says_why_and_its_port_refuses(served):
    stop_portal(served)
    status, health = get(served)
    assert (status, health["ok"]) == (503, False)
    assert "portal-web01" in health["reason"]
    assert served.world.wait(lambda: refused(served.portal, 11112), 5)
    start_portal(served)
    assert served.world.wait(lambda: not refused(served.portal, 11112), 5)
    assert get(served)[0] == 200


def refused(address, port):
    try:
        return not knock(address, port)
    except ConnectionRefusedError:
        return True


def test_a_degraded_service_listens_and_says_so(served):
    served.world.faults.add("app-degraded:portal")
    assert get(served) == (503, get(served)[1])
    assert "degraded" in get(served)[1]["reason"]
    assert knock(served.portal, 11112)


def test_a_service_whose_name_points_elsewhere_is_not_there_for_its_users(served):
    with served.world.lock:
        served.world.estate.applications["portal"].names = ["ris.teleradio.example"]
    status, health = get(served)
    assert status == 503
    assert health["reason"] == "ris.teleradio.example does not point to lyon"
