"""Service content, the clock, logins and sessions."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Final
from uuid import uuid4

from drctl.lab.vsphere import tree
from drctl.lab.vsphere.properties import Table
from drctl.lab.vsphere.scope import Center, Kind, Methods, Scope, Session
from drctl.lab.vsphere.soap import VERSIONS, Call
from drctl.lab.vsphere.values import Fault, Obj, Value, obj

ANONYMOUS: Final = frozenset({"RetrieveServiceContent", "Login", "CloneSession"})
"""Methods that need no session."""

IDLE: Final = 1800.0
"""Real seconds after which an unused session ends (vCenter's default is 30 minutes)."""


def check_password(center: Center, user: str, password: str) -> bool:
    """Tell whether credentials are accepted now."""
    vcenter = center.vcenter
    known = hmac.compare_digest(user.lower().encode(), vcenter.username.lower().encode())
    right = hmac.compare_digest(password.encode(), vcenter.password.encode())
    expired = center.world.faults.active("auth-expired", vcenter.endpoint)
    return known and right and bool(password) and not expired


def service_content(center: Center) -> Obj:
    """Return what RetrieveServiceContent answers: the entry points, and what this server is."""
    return obj("ServiceContent", rootFolder=tree.ROOT, about=_about(center), **dict(tree.SINGLETONS.items()))


def _about(center: Center) -> Obj:
    return obj(
        "AboutInfo",
        name="VMware vCenter Server",
        fullName="VMware vCenter Server 8.0.3 build-24022515",
        vendor="VMware, Inc.",
        version="8.0.3",
        build="24022515",
        osType="linux-x64",
        productLineId="vpx",
        apiType="VirtualCenter",
        apiVersion=VERSIONS[0],
        instanceUuid=center.vcenter.uuid,
        licenseProductName="VMware VirtualCenter Server",
        licenseProductVersion="8.0",
    )


def _user_session(session: Session) -> Obj:
    return obj(
        "UserSession",
        key=session.key,
        userName=session.user,
        fullName=session.user,
        loginTime=session.began,
        lastActiveTime=session.active,
        locale="en",
        messageLocale="en",
        extensionSession=False,
        ipAddress=session.peer,
        userAgent=session.agent,
        callCount=session.calls,
    )


def _open(scope: Scope, user: str) -> Value:
    """Turn the anonymous session of this request into a real one; the server sets its cookie."""
    center, session = scope.center, scope.session
    if session.user:
        raise Fault("InvalidState", "The session is already logged in.")
    with center.world.lock:
        session.id, session.key, session.user = uuid4().hex, str(uuid4()), user
        center.sessions[session.id] = session
        return _user_session(session)


def _login(scope: Scope, call: Call) -> Value:
    user, password = call.args.text("userName"), call.args.text("password")
    if not check_password(scope.center, user, password):
        raise Fault("InvalidLogin", "Cannot complete login due to an incorrect user name or password.")
    return _open(scope, user)


def end(center: Center, session: Session) -> None:
    """End a session; whoever waits in it is woken."""
    with center.world.lock:
        session.ended = True
        center.sessions.pop(session.id, None)
        center.world.changed.notify_all()


def _logout(scope: Scope, _call: Call) -> Value:
    end(scope.center, scope.session)
    return None


def _terminate(scope: Scope, call: Call) -> Value:
    wanted = set(call.args.texts("sessionId"))
    known = {each.key: each for each in scope.center.sessions.values()}
    if not wanted <= known.keys() or scope.session.key in wanted:
        raise Fault("NotFound", "no such session")
    for key in wanted:
        end(scope.center, known[key])
    return None


def _is_active(scope: Scope, call: Call) -> Value:
    key, user = call.args.text("sessionID"), call.args.text("userName")
    return any(each.key == key and each.user == user for each in scope.center.sessions.values())


def _ticket(scope: Scope, _call: Call) -> Value:
    ticket = f"cst-VCT-{uuid4()}"
    scope.center.tickets[ticket] = scope.session.user
    return ticket


def _clone(scope: Scope, call: Call) -> Value:
    user = scope.center.tickets.pop(call.args.text("cloneTicket"), None)
    if user is None:
        raise Fault("InvalidLogin", "The clone ticket is not valid.")
    return _open(scope, user)


_SERVICE: Final = Table[Center](
    lambda scope, moref: scope.center if moref == tree.SERVICE.id else None,
    {
        "content": lambda _scope, center: service_content(center),
        "serverClock": lambda _scope, center: center.world.now(),
        "capability": lambda _scope, _center: obj(
            "Capability", provisioningSupported=True, multiHostSupported=True
        ),
    },
)


def _singleton(field: str) -> Table[Center]:
    """Return the table of an object that has no properties worth reading."""
    moref = tree.SINGLETONS[field].id
    return Table(lambda scope, asked: scope.center if asked == moref else None, {})


_MANAGER: Final = Table[Center](
    lambda scope, moref: scope.center if moref == tree.SINGLETONS["sessionManager"].id else None,
    {
        "currentSession": lambda scope, _center: _user_session(scope.session),
        "sessionList": lambda _scope, center: tuple(_user_session(each) for each in center.sessions.values()),
        "supportedLocale": lambda _scope, _center: ("en",),
        "defaultLocale": lambda _scope, _center: "en",
    },
)

KINDS: Final[Mapping[str, Kind]] = {
    "ServiceInstance": _SERVICE,
    "SessionManager": _MANAGER,
    "ViewManager": _singleton("viewManager"),
    "SearchIndex": _singleton("searchIndex"),
    "FileManager": _singleton("fileManager"),
}
"""The service's own objects."""

METHODS: Final[Methods] = {
    ("ServiceInstance", "RetrieveServiceContent"): lambda scope, _call: service_content(scope.center),
    ("ServiceInstance", "CurrentTime"): lambda scope, _call: scope.center.world.now(),
    ("SessionManager", "Login"): _login,
    ("SessionManager", "Logout"): _logout,
    ("SessionManager", "TerminateSession"): _terminate,
    ("SessionManager", "SessionIsActive"): _is_active,
    ("SessionManager", "AcquireCloneTicket"): _ticket,
    ("SessionManager", "CloneSession"): _clone,
}
"""What anyone can ask the service."""
