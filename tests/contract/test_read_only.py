"""A client opened for reading refuses every call that could change something: all of them, not a sample.

What can change something is counted here from the vendor's own lists (each method of the vSphere API),
from what the provider's code sends (each ONTAP request it builds), and from the clients' own surface.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import ssl
from pathlib import Path
from types import SimpleNamespace

import pytest
from vcenter import make_endpoint

from drctl.core.problem import ReadOnlyError
from drctl.core.provider import Access, Registry
from drctl.core.secret import Secret
from drctl.providers.check.client import CheckClient
from drctl.providers.dns.client import DnsClient
from drctl.providers.dns.model import DnsEndpoint, TsigKey, Update
from drctl.providers.ontap.client import Client
from drctl.providers.ontap.model import OntapEndpoint
from drctl.providers.ontap.request import Request
from drctl.providers.ssh.client import SshClient
from drctl.providers.ssh.model import SshEndpoint
from drctl.providers.vsphere.client import Vsphere

ROOT = Path(__file__).parents[2]
NOBODY = 1
"""A port where nobody listens: what is not refused fails there, and in another way."""

SURFACE = {
    Client: (
        {"fetch", "find", "skew", "job_about", "queued", "follow", "exclusive", "close"},
        {"change", "start", "purge"},
    ),
    Vsphere: (
        {"read", "attempt", "rows", "rows_of", "hint", "remember", "skew", "instance"}
        | {"follow", "wait", "refused", "close"},
        {"change", "run"},
    ),
    DnsClient: ({"ask", "signed_soa", "servers"}, {"update"}),
    SshClient: ({"guard", "look", "get", "dial", "close"}, {"execute", "put"}),
    CheckClient: ({"get", "dial", "ask"}, set()),
}
"""What each client can do: what only looks, and what changes."""

SECRET = Secret("env", "ANY", lambda kind, place: "c2VjcmV0")


def at(**fields):
    return {
        "name": "here",
        "site": "lyon",
        "username": "drctl",
        "host": "127.0.0.1",
        "port": NOBODY,
        **fields,
    }


def readers():
    """Return a client of each kind, opened for reading, with each of its changing calls made ready."""
    ontap = Client(OntapEndpoint(type="ontap", password=SECRET, **at()), Access.READ)
    dns_fields = {"name": "here", "type": "dns", "site": "lyon", "server": f"127.0.0.1:{NOBODY}"}
    key = TsigKey(name="drctl.", secret=SECRET)
    dns = DnsClient(DnsEndpoint(**dns_fields, tsig=key), Access.READ)
    files = {"key_file": Path("none"), "known_hosts": Path("none")}
    ssh = SshClient(SshEndpoint(type="ssh", **files, **at()), Access.READ)
    stop = Request("PATCH", "Svm", "stop", {"uuid": "s1"}, {"state": "stopped"})
    control = SimpleNamespace(handle=lambda handle: None)
    return [
        (ontap, "change", lambda: ontap.change(stop, control)),
        (ontap, "start", lambda: ontap.start(stop, control)),
        (ontap, "purge", lambda: ontap.purge("svm_dr", "gone")),
        (
            dns,
            "update",
            lambda: dns.update(Update("z.example.", "a.z.example.", "A", 60, (), ("192.0.2.1",))),
        ),
        (ssh, "execute", lambda: ssh.execute(["true"], 5)),
        (ssh, "put", lambda: ssh.put("/etc/motd", b"", 0o644, "mark")),
    ]


def test_every_call_of_every_client_is_known_to_look_or_to_change():
    for client, (looks, changes) in SURFACE.items():
        public = {name for name, _ in inspect.getmembers(client) if not name.startswith("_")}
        assert public == looks | changes, client
    covered = {(type(client), name) for client, name, _ in readers()}
    wanted = {(client, name) for client, (_, changes) in SURFACE.items() for name in changes}
    by_soap = {(Vsphere, name) for name in SURFACE[Vsphere][1]}  # both end in one SOAP call: see below
    assert covered == wanted - by_soap
    assert len(SURFACE) == len(Registry().names())


@pytest.mark.parametrize("number", range(len(readers())))
def test_a_reader_is_refused_before_anything_is_sent(number):
    client, _name, call = readers()[number]
    with pytest.raises(ReadOnlyError):
        call()
    getattr(client, "close", lambda: None)()


# --- vSphere: every method there is ---------------------------------------------------------------


def methods_of_vsphere():
    support = importlib.import_module("pyVmomi.VmomiSupport")
    kinds = [name for name in support._managedDefMap if name.startswith(("vim.", "vmodl."))]
    return [(kind, info) for kind in map(support.GetVmodlType, kinds) for info in kind._methodInfo.values()]


def test_a_reader_is_refused_every_method_of_the_vsphere_api_that_is_not_known_to_read():
    stub = importlib.import_module("drctl.providers.vsphere.stub")
    endpoint = make_endpoint(NOBODY)
    reader = stub.Stub(endpoint, Access.READ, ssl.create_default_context(), "vim.version.version11")
    every = methods_of_vsphere()
    assert len(every) > 1000
    assert {info.wsdlName for _, info in every} > stub.READS
    for kind, info in every:
        if info.wsdlName not in stub.READS:
            with pytest.raises(ReadOnlyError):
                reader.InvokeMethod(kind("any", reader), info, [])


def test_what_a_vsphere_reader_may_call_changes_nothing():
    """Each of these makes or ends a session's own view, filter, wait or search, or looks."""
    verbs = ("Cancel", "Continue", "Create", "Current", "Destroy", "Find", "List", "Log")
    reads = importlib.import_module("drctl.providers.vsphere.stub").READS
    plain = {"RetrievePropertiesEx", "RetrieveServiceContent", "WaitForUpdatesEx"}
    plain |= {"SearchDatastore_Task", "SearchDatastoreSubFolders_Task", "ValidateCredentialsInGuest"}
    own = {"CreateContainerView", "CreateFilter", "CreatePropertyCollector"}
    own |= {"DestroyView", "DestroyPropertyFilter", "DestroyPropertyCollector"}
    assert plain | own <= reads
    left = reads - plain - own
    assert all(name.startswith(verbs) for name in left)
    assert not [name for name in left if name.startswith(("Create", "Destroy"))]


# --- ONTAP: every request the provider builds -----------------------------------------------------


def requests_of_ontap():
    """Return (method, resource) of each ``Request(...)`` in the provider's code."""
    found = set()
    for path in (ROOT / "drctl/providers/ontap").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Request"):
                method, resource = (ast.literal_eval(argument) for argument in node.args[:2])
                found.add((method, resource))
    return sorted(found)


def test_a_reader_is_refused_every_request_of_the_ontap_provider():
    every = requests_of_ontap()
    assert len(every) > 15
    client = Client(OntapEndpoint(type="ontap", password=SECRET, **at()), Access.READ)
    control = SimpleNamespace(handle=lambda handle: None)
    vendors = importlib.import_module("netapp_ontap.resources")
    keys = {"uuid": "u", "name": "n", "id": 1, "index": 1, "user_or_group": "w", "type": "windows"}
    keys |= {"svm": {"uuid": "s"}, "node": {"uuid": "n"}, "identifier": 1, "connection_id": 1}
    for method, resource in every:
        model = getattr(vendors, resource)
        above = re.findall(r"\{(\w+)", model._path)
        own = {top: keys[top] for top in {name.partition(".")[0] for name in model._keys} - set(above)}
        request = Request(method, resource, "try", own, {}, parents=("p",) * len(above))
        with pytest.raises(ReadOnlyError, match=method):
            client.change(request, control)
    client.close()


def test_nothing_of_the_ontap_provider_sends_but_by_request_or_command():
    """The wire alone knows the library, and its two ways to change are refused above."""
    wire = ast.parse((ROOT / "drctl/providers/ontap/wire.py").read_text())
    calls = {ast.unparse(node.func) for node in ast.walk(wire) if isinstance(node, ast.Call)}
    assert {call for call in calls if call.endswith((".post", ".patch", ".delete", ".put"))} == {
        "session.post"
    }
    for path in (ROOT / "drctl/providers/ontap").glob("*.py"):
        text = path.read_text()
        assert path.name == "wire.py" or ("import requests" not in text and "netapp_ontap." not in text), path
