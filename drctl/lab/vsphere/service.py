"""The server of one vCenter: HTTP routes, sessions, and each SOAP call to the method that does it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qs, unquote
from uuid import uuid4

from drctl.lab.compute import VimFault
from drctl.lab.faults import Fault
from drctl.lab.net import Net, Request, Response
from drctl.lab.vsphere import (
    browser,
    collector,
    datastores,
    folders,
    guests,
    hosts,
    inventory,
    networks,
    schema,
    search,
    sessions,
    soap,
    tasks,
    tree,
    values,
    views,
    vm_properties,
    vms,
)
from drctl.lab.vsphere.properties import gone
from drctl.lab.vsphere.refusals import as_fault
from drctl.lab.vsphere.scope import Center, Kind, Method, Scope, Session
from drctl.lab.vsphere.values import obj
from drctl.lab.world import World

_COOKIE: Final = re.compile(r'vmware_soap_session="?([^";]+)"?')
_READING: Final = (
    "Query",
    "Find",
    "Retrieve",
    "Get",
    "List",
    "Read",
    "Check",
    "Search",
    "Has",
    "Fetch",
    "Validate",
)
"""How the names of methods begin that change nothing."""

_XML: Final[Mapping[str, str]] = MappingProxyType({"Content-Type": "text/xml; charset=utf-8"})

KINDS: Final[Mapping[str, Kind]] = {
    **browser.KINDS,
    **collector.KINDS,
    **datastores.KINDS,
    **guests.KINDS,
    **hosts.KINDS,
    **inventory.KINDS,
    **networks.KINDS,
    **sessions.KINDS,
    **tasks.KINDS,
    **views.KINDS,
    **vm_properties.KINDS,
}
"""Every managed type of the server."""


def _methods() -> dict[str, list[tuple[str, Method]]]:
    """Return, by method, the managed types that do it."""
    found: dict[str, list[tuple[str, Method]]] = {}
    parts = (browser, collector, datastores, folders, guests, hosts, search, sessions, tasks, views, vms)
    for part in parts:
        for (kind, name), work in part.METHODS.items():
            found.setdefault(name, []).append((kind, work))
    return found


class Service:
    """Answers the requests to one vCenter."""

    def __init__(self, world: World, endpoint: str, address: str, port: int) -> None:
        self.center = Center(world, world.estate.vcenters[endpoint], address, port, KINDS)
        self._methods = _methods()
        self._watch_faults()

    def _watch_faults(self) -> None:
        """End all sessions at the moment the fault ``session-expired`` strikes this endpoint."""
        center = self.center
        endpoint = center.vcenter.endpoint

        def strike(fault: Fault, active: bool) -> None:  # noqa: FBT001 - the world's callback has this form
            if active and fault.name == "session-expired" and fault.hits(endpoint):
                for each in list(center.sessions.values()):
                    sessions.end(center, each)
                center.world.faults.take(fault.name, endpoint)

        center.world.on_fault.append(strike)

    # --- routes -----------------------------------------------------------------------------------

    def answer(self, request: Request) -> Response:
        """Return the answer to one HTTP request."""
        path = request.path
        if path == "/sdk/vimServiceVersions.xml":
            return Response(200, _versions(), dict(_XML))
        if path.rstrip("/") in {"/sdk", "/sdk/vimService"} and request.method == "POST":
            return self._soap(request)
        if path.startswith("/folder/") and request.method in {"GET", "HEAD"}:
            return self._file(request)
        if path == "/guestFile" and request.method == "GET":
            content = guests.take_transfer(self.center, _query(request).get("token", ""))
            return Response(404) if content is None else Response(200, content)
        return Response(404, b"not found", {"Content-Type": "text/plain"})

    def _file(self, request: Request) -> Response:
        """Serve a datastore's file to a session or to a user with a password."""
        if self._session(request) is None and not self._basic(request):
            return Response(401, b"", {"WWW-Authenticate": 'Basic realm="VMware HTTP server"'})
        query = _query(request)
        path = unquote(request.path.removeprefix("/folder/"))
        try:
            content = browser.read_file(self.center, query.get("dcPath", ""), query.get("dsName", ""), path)
        except VimFault as fault:
            return Response(500, fault.message.encode(), {"Content-Type": "text/plain"})
        return Response(404) if content is None else Response(200, content)

    def _basic(self, request: Request) -> bool:
        kind, _, encoded = request.headers.get("authorization", "").partition(" ")
        try:
            user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return kind.lower() == "basic" and sessions.check_password(self.center, user, password)

    # --- SOAP -------------------------------------------------------------------------------------

    def _soap(self, request: Request) -> Response:
        action = request.headers.get("soapaction", "")
        known = self._session(request)
        session = known or self._anonymous(request)
        try:
            call = soap.parse(request.body, action)
            self._authenticate(call, session)
            body = self._invoke(Scope(self.center, session), call)
        except soap.Malformed as problem:
            return self._refuse(values.Fault("InvalidRequest", str(problem)), action)
        except values.Fault as fault:
            return self._refuse(fault, action)
        except VimFault as fault:
            return self._refuse(as_fault(self.center.vcenter, fault), action)
        headers = dict(_XML)
        if session.user and (known is None or call.method == "CloneSession"):
            headers["Set-Cookie"] = f'vmware_soap_session="{session.id}"; Path=/; HttpOnly; Secure'
        return Response(200, body, headers)

    def _refuse(self, fault: values.Fault, action: str) -> Response:
        return Response(500, soap.refusal(fault, soap.version_of(action)), dict(_XML))

    def _session(self, request: Request) -> Session | None:
        """Return the session the cookie names, unless it ended or idled too long."""
        match = _COOKIE.search(request.headers.get("cookie", ""))
        center = self.center
        with center.world.lock:
            session = center.sessions.get(match[1]) if match else None
            if session is None:
                return None
            now = center.world.now()
            if (now - session.active).total_seconds() > sessions.IDLE:
                sessions.end(center, session)
                return None
            session.active = now
            session.calls += 1
            return session

    def _anonymous(self, request: Request) -> Session:
        now = self.center.world.now()
        agent = request.headers.get("user-agent", "")
        return Session("", str(uuid4()), "", request.peer[0], agent, now, now)

    def _authenticate(self, call: soap.Call, session: Session) -> None:
        free = call.method in sessions.ANONYMOUS
        content = call.method == "Fetch" and call.args == obj("Fetch", prop="content")
        if not (session.user or free or content):
            raise values.Fault("NotAuthenticated", "The session is not authenticated.", object=call.this)

    def _invoke(self, scope: Scope, call: soap.Call) -> bytes:
        kind = KINDS.get(call.this.kind)
        if kind is not None:
            with scope.center.world.lock:
                there = kind.exists(scope, call.this)
            if not there:
                raise gone(call.this)
        if call.method == "Fetch":
            value, declared = collector.fetch(scope, call)
            return soap.answer(call, value, declared)
        if not schema.offers(call.this.kind, call.method):
            message = f"{call.this.kind} has no method {call.method}"
            raise values.Fault("MethodNotFound", message, receiver=call.this, method=call.method)
        for owner, work in self._methods.get(call.method, ()):
            if schema.is_a(call.this.kind, owner):
                return soap.answer(call, work(scope, call))
        if not call.method.startswith(_READING):
            scope.center.record(call.method, tree.name_of(scope.center.vcenter, call.this))
        raise values.Fault("NotSupported", f"The lab does not simulate {call.this.kind}.{call.method}.")


def _query(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.query).items()}


def _versions() -> bytes:
    """Return vimServiceVersions.xml, by which clients choose what to speak."""
    newest, *prior = soap.VERSIONS
    listed = "".join(f"<version>{each}</version>" for each in prior)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<namespaces version="1.0"><namespace>'
        f"<name>{schema.NAMESPACE}</name><version>{newest}</version><priorVersions>{listed}</priorVersions>"
        "</namespace></namespaces>\n"
    ).encode()


def serve(world: World, net: Net, endpoint: str, address: str, port: int) -> None:
    """Open the SOAP façade of one vCenter on an address of the lab."""
    service = Service(world, endpoint, address, port)
    net.http(endpoint, service.center.vcenter.site, "vsphere", address, port, service.answer)
