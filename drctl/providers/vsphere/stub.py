"""The wire to a vCenter: pyVmomi's SOAP adapter with timeouts, safe TLS and a guard on every call.

Importing this module imports pyVmomi (70 ms); ``client`` does so when it first connects.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import threading
import weakref
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final
from xml.parsers.expat import ExpatError

from pyVmomi import SoapAdapter, VmomiSupport

from drctl.core.problem import Problem, ProviderError, ReadOnlyError
from drctl.core.provider import Access
from drctl.providers.vsphere.endpoint import VsphereEndpoint
from drctl.providers.vsphere.tls import make_context, pinned_certificates

REPLY_LOST: Final = "reply-lost"

READS: Final = frozenset(
    {
        "CancelWaitForUpdates",
        "ContinueRetrievePropertiesEx",
        "CancelRetrievePropertiesEx",
        "CreateContainerView",
        "CreateFilter",
        "CreatePropertyCollector",
        "CurrentTime",
        "DestroyPropertyCollector",
        "DestroyPropertyFilter",
        "DestroyView",
        "FindChild",
        "ListProcessesInGuest",
        "Login",
        "Logout",
        "RetrievePropertiesEx",
        "RetrieveServiceContent",
        "SearchDatastoreSubFolders_Task",
        "SearchDatastore_Task",
        "ValidateCredentialsInGuest",
        "WaitForUpdatesEx",
    }
)
"""SOAP methods that change nothing but the session's own filters and views; all others need WRITE."""


class Stub(SoapAdapter.SoapStubAdapter):
    """One adapter, shared by all threads of a session.

    Raises ``ProviderError`` for whatever goes wrong below SOAP: ``unreachable`` while connecting,
    ``effect_unknown`` when a changing call was sent and its answer did not come. SOAP faults are
    raised as pyVmomi's own exceptions.
    """

    def __init__(
        self,
        endpoint: VsphereEndpoint,
        access: Access,
        context: ssl.SSLContext,
        version: str,
        call_timeout: float | None = None,
    ) -> None:
        init: Any = super().__init__
        init(
            host=endpoint.host,
            port=endpoint.port,
            version=version,
            poolSize=endpoint.limit + 2,
            connectionPoolTimeout=300,
            sslContext=context,
            httpConnectionTimeout=endpoint.connect_timeout,
        )
        self._endpoint = endpoint
        self._access = access
        self._timeout = call_timeout or endpoint.call_timeout
        self._pins = pinned_certificates(endpoint.certificate_file) if endpoint.certificate_file else None
        self._used: weakref.WeakSet[HTTPConnection] = weakref.WeakSet()
        self._call = threading.local()
        self._over = False

    def InvokeMethod(self, mo: Any, info: Any, args: Any, outerStub: Any = None) -> Any:  # noqa: N802, N803 - pyVmomi's names
        """Send a call unless it would change something over a read-only connection."""
        name = info.wsdlName
        reading = name in READS
        if not reading and self._access is not Access.WRITE:
            raise ReadOnlyError(f"{name} on {mo._moId}", self._endpoint.name)  # noqa: SLF001 - pyVmomi has no other way
        self._call.timeout = self._timeout
        invoke: Any = super().InvokeMethod
        try:
            return invoke(mo, info, args, outerStub)
        except (OSError, HTTPException, ExpatError) as error:
            raise self._lost(name, error, reading=reading) from error

    def InvokeAccessor(self, mo: Any, info: Any) -> Any:  # noqa: N802 - pyVmomi's name
        """Refuse: each attribute read would be a round trip of its own; properties are read in bulk."""
        raise TypeError(f"{info.name} of {mo._moId} read as an attribute")  # noqa: SLF001 - pyVmomi has no other way

    def GetConnection(self) -> HTTPConnection:  # noqa: N802 - pyVmomi's name
        """Return a live connection; nothing of a call was sent when this raises."""
        get: Any = super().GetConnection
        while True:
            try:
                connection: HTTPSConnection = get()
            except OSError as error:
                raise unreachable(self._endpoint, error) from error
            if connection not in self._used:
                self._used.add(connection)
                self._check_pin(connection)
                break
            if not _closed_by_peer(connection.sock):
                break
            connection.close()
        connection.sock.settimeout(self._call.timeout)
        return connection

    def hang_up(self) -> None:
        """Close the idle connections now, and those in use when they come back."""
        self._over = True
        drop: Any = self.DropConnections
        drop()

    def ReturnConnection(self, conn: HTTPConnection) -> None:  # noqa: N802 - pyVmomi's name
        """Keep a connection for the next call, unless all is over."""
        if self._over:
            conn.close()
            return
        give_back: Any = super().ReturnConnection
        give_back(conn)

    def _check_pin(self, connection: HTTPSConnection) -> None:
        """Hold the peer to the very certificate pinned, not to one that the pinned one signed."""
        if self._pins is None:
            return
        peer = connection.sock
        if not isinstance(peer, ssl.SSLSocket) or peer.getpeercert(binary_form=True) not in self._pins:
            connection.close()
            raise unreachable(self._endpoint, ssl.SSLCertVerificationError("not the pinned certificate"))

    def _lost(self, call: str, error: Exception, *, reading: bool) -> ProviderError:
        silent = isinstance(error, TimeoutError)
        what = f"no answer within {self._timeout:g} s" if silent else f"{_words(error)}"
        return ProviderError(
            Problem(
                code=REPLY_LOST,
                summary=f"{self._endpoint.host}: {call}: {what}",
                detail="" if reading else "The call was sent; whether it took effect is not known.",
                endpoint=self._endpoint.name,
            ),
            transient=True,
            unreachable=reading,
            effect_unknown=not reading,
        )


def open_stub(endpoint: VsphereEndpoint, access: Access) -> Stub:
    """Return an adapter that speaks the newest API version both sides know; connects once."""
    context = make_context(endpoint)
    stub = Stub(endpoint, access, context, "vim.version.version11")
    version = _negotiate(endpoint, stub)
    return Stub(endpoint, access, context, version)


def twin(stub: Stub, endpoint: VsphereEndpoint, access: Access, call_timeout: float) -> Stub:
    """Return another adapter of the same session, with connections and a timeout of its own."""
    other = Stub(endpoint, access, stub.schemeArgs["context"], stub.version, call_timeout)
    other.cookie = stub.cookie
    return other


def _negotiate(endpoint: VsphereEndpoint, stub: Stub) -> str:
    """Ask for the API versions, with a timeout (SmartConnect's own request has none)."""
    stub._call.timeout = endpoint.connect_timeout  # noqa: SLF001 - a module-private helper of Stub
    connection = stub.GetConnection()
    try:
        connection.request("GET", "/sdk/vimServiceVersions.xml")
        with connection.getresponse() as answer:
            text = answer.read(1 << 20).decode("utf-8", "replace")
    except (OSError, HTTPException) as error:
        raise unreachable(endpoint, error) from error
    finally:
        connection.close()
    offered = set(re.findall(r"<version>\s*([^<\s]+)\s*</version>", text))
    known: Any = VmomiSupport.GetServiceVersions
    for version in known("vim25"):
        if VmomiSupport.versionIdMap[version] in offered:
            return str(version)
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise _not_working(endpoint, f"{answer.status} {answer.reason}")
    raise ProviderError(
        Problem(
            code="not-a-vcenter",
            summary=f"{endpoint.host}:{endpoint.port} names no vSphere API version that drctl knows",
            detail=f"/sdk/vimServiceVersions.xml answered {answer.status} {answer.reason}.",
            hint=f"Check host and port of {endpoint.name} in the inventory.",
            endpoint=endpoint.name,
        )
    )


_HAS_EXPIRED: Final = 10
"""OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED."""


def _trusting(endpoint: VsphereEndpoint, error: ssl.SSLCertVerificationError) -> str:
    if getattr(error, "verify_code", None) == _HAS_EXPIRED:
        return (
            f"Renew the certificate of {endpoint.name}; if it is still valid, correct this machine's clock."
        )
    return f"Give {endpoint.name} a ca_file, or pin its certificate with certificate_file."


def _not_working(endpoint: VsphereEndpoint, answer: str) -> ProviderError:
    """Return the error for a vCenter whose web server is up before, or without, its services."""
    return ProviderError(
        Problem(
            code="not-working",
            summary=f"{endpoint.name} ({endpoint.host}:{endpoint.port}) answers {answer}: its services do not work",
            hint="One that has just been started takes some minutes; else look at the services of the appliance.",
            endpoint=endpoint.name,
        ),
        transient=True,
    )


def unreachable(endpoint: VsphereEndpoint, error: Exception) -> ProviderError:
    """Return the error for a connection that could not be made; nothing was sent."""
    place = f"{endpoint.name} ({endpoint.host}:{endpoint.port})"
    if isinstance(error, ssl.SSLCertVerificationError):
        return ProviderError(
            Problem(
                code="certificate",
                summary=f"{place}: the certificate is not trusted: {_distrust(error)}",
                hint=_trusting(endpoint, error),
                endpoint=endpoint.name,
            ),
            unreachable=True,
        )
    if isinstance(error, TimeoutError):
        why = f"no answer within {endpoint.connect_timeout:g} s"
    elif isinstance(error, socket.gaierror):
        why = "the name does not resolve"
    else:
        why = _words(error)
    return ProviderError(
        Problem(
            code="unreachable",
            summary=f"{place} cannot be reached: {why}",
            hint="Check the address, the network, and that the vCenter is up.",
            endpoint=endpoint.name,
        ),
        transient=True,
        unreachable=True,
    )


def _distrust(error: ssl.SSLCertVerificationError) -> str:
    """Say why a certificate was not accepted; one that is not the pinned one has no verify message."""
    return str(getattr(error, "verify_message", "") or error)


def _words(error: Exception) -> str:
    """Say what happened to a connection, for people."""
    if isinstance(error, ExpatError):
        return "the answer is not XML"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


def _closed_by_peer(sock: socket.socket | None) -> bool:
    """Tell whether an idle connection has something to read, which can only be its end."""
    if sock is None:
        return True
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
