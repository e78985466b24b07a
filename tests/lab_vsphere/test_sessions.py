"""Logging in and out, and what a stranger may ask."""

from __future__ import annotations

import http.client
import threading
from xml.etree import ElementTree as ET

import pytest
from pyVim.connect import Disconnect, SmartConnect
from pyVmomi import VmomiSupport, vim, vmodl
from vcenter_client import PC, Client

from drctl.lab.world import World


def test_an_unmodified_client_negotiates_logs_in_and_leaves(paris: Client):
    user, password = paris.vcenter.username, paris.vcenter.password
    service = SmartConnect(host=paris.host, port=paris.port, user=user, pwd=password, sslContext=paris.tls)
    assert service._stub.version == "vim.version.v8_0_3_0"
    assert service.content.about.apiType == "VirtualCenter"
    assert service.content.about.instanceUuid == paris.vcenter.uuid
    session = service.content.sessionManager.currentSession
    assert session.userName == paris.vcenter.username
    assert service.content.sessionManager.SessionIsActive(session.key, session.userName)
    assert abs((service.CurrentTime() - paris.world.now()).total_seconds()) < 5
    Disconnect(service)
    with pytest.raises(vim.fault.NotAuthenticated):
        service.CurrentTime()
    service._stub.DropConnections()


@pytest.mark.parametrize("password", ["", "wrong"])
def test_a_wrong_password_is_refused(paris: Client, password: str):
    content = vim.ServiceInstance("ServiceInstance", paris.stub()).RetrieveContent()
    with pytest.raises(vim.fault.InvalidLogin):
        content.sessionManager.Login(paris.vcenter.username, password)


def test_old_clients_are_understood(paris: Client):
    content = paris.login(version="vim.version.version9")
    assert content.rootFolder.childEntity[0].name == "paris"


def test_the_version_file_names_what_is_spoken(paris: Client):
    status, body = paris.get("/sdk/vimServiceVersions.xml")
    versions = [each.text for each in ET.fromstring(body).iter("version")]
    assert status == 200
    assert versions[0] == "8.0.3.0"
    assert {"6.5", "7.0.3.0"} <= set(versions)


def test_everything_but_the_way_in_needs_a_session(paris: Client):
    service = vim.ServiceInstance("ServiceInstance", paris.stub())
    content = service.RetrieveContent()
    for ask in (
        service.CurrentTime,
        lambda: content.rootFolder.name,
        lambda: content.viewManager.CreateContainerView(content.rootFolder, [], True),
        content.sessionManager.Logout,
    ):
        with pytest.raises(vim.fault.NotAuthenticated):
            ask()


def test_a_session_can_be_used_from_a_second_connection(paris: Client):
    first = paris.login()
    second = paris.stub()
    second.cookie = first.propertyCollector._stub.cookie
    service = vim.ServiceInstance("ServiceInstance", second)
    assert service.content.sessionManager.currentSession.key == first.sessionManager.currentSession.key


def test_views_and_collectors_belong_to_their_session(paris: Client):
    mine, other = paris.login(), paris.login()
    view = mine.viewManager.CreateContainerView(mine.rootFolder, [vim.VirtualMachine], True)
    stolen = vim.view.ContainerView(view._moId, other.rootFolder._stub)
    assert len(view.view) == 12
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        _ = stolen.view
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        stolen.DestroyView()


def test_a_clone_ticket_opens_one_more_session(paris: Client):
    ticket = paris.login().sessionManager.AcquireCloneTicket()
    fresh = vim.ServiceInstance("ServiceInstance", paris.stub()).RetrieveContent()
    assert fresh.sessionManager.CloneSession(ticket).userName == paris.vcenter.username
    assert fresh.rootFolder.name == "Datacenters"
    with pytest.raises(vim.fault.InvalidState):
        fresh.sessionManager.Login(paris.vcenter.username, paris.vcenter.password)
    again = vim.ServiceInstance("ServiceInstance", paris.stub()).RetrieveContent()
    with pytest.raises(vim.fault.InvalidLogin):
        again.sessionManager.CloneSession(ticket)


def test_an_administrator_ends_another_session(paris: Client):
    mine, other = paris.login(), paris.login()
    mine.sessionManager.TerminateSession([other.sessionManager.currentSession.key])
    with pytest.raises(vim.fault.NotAuthenticated):
        _ = other.rootFolder.name
    with pytest.raises(vim.fault.NotFound):
        mine.sessionManager.TerminateSession(["no-such-key"])


@pytest.mark.parametrize("fault", ["session-expired:vc-paris", "session-expired:vc-paris:once"])
def test_an_expired_session_is_refused_and_a_new_login_works(paris: Client, lyon: Client, fault: str):
    content, elsewhere = paris.login(), lyon.login()
    paris.world.faults.add(fault)
    with pytest.raises(vim.fault.NotAuthenticated):
        _ = content.rootFolder.name
    assert paris.login().rootFolder.name == "Datacenters"
    assert elsewhere.rootFolder.name == "Datacenters"


def test_sessions_begun_after_the_fault_live_on(paris: Client, world: World):
    world.faults.add("session-expired:vc-paris")
    content = paris.login()
    world.faults.add("vm-stuck-booting:nobody")
    assert content.rootFolder.name == "Datacenters"


def test_expired_credentials_are_refused_until_the_fault_is_lifted(paris: Client, world: World):
    content = paris.login()
    world.faults.add("auth-expired:vc-paris")
    with pytest.raises(vim.fault.InvalidLogin):
        paris.login()
    assert content.rootFolder.name == "Datacenters"  # who is in stays in
    world.faults.lift("auth-expired:vc-paris")
    paris.login()


def test_ending_a_session_wakes_who_waits_in_it(paris: Client):
    content = paris.login()
    found: list[Exception] = []

    def wait() -> None:
        try:
            content.propertyCollector.WaitForUpdatesEx("", PC.WaitOptions(maxWaitSeconds=30))
        except vmodl.MethodFault as fault:
            found.append(fault)

    thread = threading.Thread(target=wait)
    thread.start()
    key = content.sessionManager.currentSession.key
    paris.login().sessionManager.TerminateSession([key])
    thread.join(10)
    assert isinstance(found[0], vmodl.fault.RequestCanceled | vim.fault.NotAuthenticated)


def test_a_call_whose_answer_is_lost_was_carried_out(paris: Client, world: World):
    vm = paris.login().searchIndex.FindByInventoryPath("paris/vm/RIS/ris-db01")
    world.faults.add("reply-lost:vc-paris:once")
    with pytest.raises(http.client.RemoteDisconnected):
        vm.PowerOff()
    assert paris.calls() == [("PowerOffVM_Task", "ris-db01")]
    assert world.wait(lambda: paris.vm("ris-db01").power == "poweredOff")


# --- what is not there ----------------------------------------------------------------------------


def test_an_object_that_is_gone_is_named(paris: Client):
    stub = paris.login().rootFolder._stub
    with pytest.raises(vmodl.fault.ManagedObjectNotFound) as caught:
        _ = vim.VirtualMachine("vm-1", stub).name
    assert caught.value.obj == vim.VirtualMachine("vm-1", stub)
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        vim.VirtualMachine("vm-1", stub).PowerOn()


def test_what_the_lab_does_not_simulate_is_refused_and_recorded(paris: Client):
    vm = paris.login().searchIndex.FindByInventoryPath("paris/vm/RIS/ris-db01")
    with pytest.raises(vmodl.fault.NotSupported, match=r"does not simulate VirtualMachine\.ResetVM_Task"):
        vm.Reset()
    with pytest.raises(vmodl.fault.NotSupported):
        vm.QueryUnownedFiles()
    assert paris.calls() == [("ResetVM_Task", "ris-db01")]


def test_a_method_of_another_type_is_not_found(paris: Client):
    stub = paris.login().rootFolder._stub
    info = VmomiSupport.GetWsdlMethod("urn:vim25", "PowerOnVM_Task").info
    with pytest.raises(vmodl.fault.MethodNotFound) as caught:
        stub.InvokeMethod(vim.Folder("group-d1", stub), info, [None])
    assert caught.value.method == "PowerOnVM_Task"


def envelope(call: str) -> bytes:
    soap = "http://schemas.xmlsoap.org/soap/envelope/"
    return f'<e:Envelope xmlns:e="{soap}"><e:Body>{call}</e:Body></e:Envelope>'.encode()


FOLDER = '<_this type="Folder">group-d1</_this>'


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"not xml", b"InvalidRequest"),
        (b"", b"InvalidRequest"),
        (envelope(""), b"InvalidRequest"),
        (envelope(f'<Fly xmlns="urn:vim25">{FOLDER}<far>1</far></Fly>'), b"MethodNotFound"),
        (
            envelope(f'<CreateFolder xmlns="urn:vim25">{FOLDER}<size>1</size></CreateFolder>'),
            b"InvalidRequest",
        ),
        (
            envelope('<CreateFolder xmlns="urn:vim25"><_this>group-d1</_this></CreateFolder>'),
            b"InvalidRequest",
        ),
    ],
)
def test_what_is_no_request_gets_a_fault(paris: Client, body: bytes, kind: bytes):
    connection = http.client.HTTPSConnection(paris.host, paris.port, timeout=20, context=paris.tls)
    connection.request("POST", "/sdk", body, {"SOAPAction": '"urn:vim25/8.0.3.0"'})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    assert answer.status == 500
    assert kind in text


def test_other_paths_are_not_found(paris: Client):
    assert paris.get("/")[0] == 404
    assert paris.get("/sdk")[0] == 404
