"""``/protocols/cifs``: servers with their NetBIOS aliases, shares with their ACLs, sessions."""

from __future__ import annotations

from drctl.lab import nas
from drctl.lab.model import Share, Svm
from drctl.lab.ontap import references
from drctl.lab.ontap.bodies import boolean, check_settable, one_of, required, string, strings, svm_named
from drctl.lab.ontap.errors import RestError, invalid_value, no_entry
from drctl.lab.ontap.records import Json, Record, text, value
from drctl.lab.ontap.resource import Array, Call, Outcome, Resource, self_link
from drctl.lab.ontap.schema import Schema
from drctl.lab.storage import find_volume, live_volumes

PERMISSIONS = frozenset({"no_access", "read", "change", "full_control"})

_PLAIN_SHARE: Record = {
    "access_based_enumeration": False,
    "allow_unencrypted_access": True,
    "change_notify": True,
    "continuously_available": False,
    "encryption": False,
    "home_directory": False,
    "namespace_caching": False,
    "oplocks": True,
    "show_snapshot": False,
    "unix_symlink": "local",
    "vscan_profile": "standard",
}
"""What every share of the lab has; clients may say so."""


def _svms(array: Array) -> list[Svm]:
    return [svm for svm in array.cluster.svms.values() if svm.cifs_server]


def _svm(array: Array, uuid: str) -> Svm:
    for svm in array.cluster.svms.values():
        if svm.uuid == uuid:
            return svm
    raise no_entry("svm.uuid")


def _service(array: Array, svm: Svm) -> Record:
    aliases: list[Json] = [*sorted(svm.aliases)]
    return {
        "svm": references.svm(array.cluster, svm.name),
        "name": svm.cifs_server,
        "enabled": svm.cifs_enabled,
        "ad_domain": {"fqdn": svm.cifs_domain, "organizational_unit": "CN=Computers"},
        "comment": "",
        "default_unix_user": "pcuser",
        "auth-style": "domain",
        "netbios": {"enabled": False, "aliases": aliases},
        "security": {"smb_signing": False, "smb_encryption": False, "kdc_encryption": False},
        "_links": self_link(f"/api/protocols/cifs/services/{svm.uuid}"),
    }


def _list_services(call: Call) -> list[Record]:
    return [_service(call.array, svm) for svm in _svms(call.array)]


def _modify_service(call: Call, record: Record) -> Outcome:
    check_settable(call, {"enabled", "netbios.aliases"}, record)
    svm = _svm(call.array, text(record, "svm.uuid"))
    aliases = strings(call.body, "netbios.aliases")
    if aliases is not None:
        nas.set_aliases(call.array.world, svm, set(aliases))
    enabled = boolean(call.body, "enabled")
    if enabled is not None:
        nas.set_cifs_enabled(call.array.world, svm, enabled=enabled)
    return Outcome()


def _target_of_service(call: Call, record: Record) -> str:
    return text(record, "svm.name") or "/".join(call.keys)


CIFS_SERVICES = Resource(
    path="/protocols/cifs/services",
    schema=Schema(
        "svm(name uuid) name enabled ad_domain comment default_unix_user auth-style netbios security options "
        "group_policy_object_enabled workgroup metric statistics",
        keys=("svm.uuid",),
        brief=("svm", "name"),
        expensive=("statistics", "metric"),
    ),
    listing=_list_services,
    modify=_modify_service,
    flags=frozenset({"force"}),
    target=_target_of_service,
)


def _acl(share: Share) -> list[Json]:
    return [
        {"user_or_group": who, "type": "windows", "permission": right}
        for who, right in sorted(share.acl.items())
    ]


def _share(array: Array, svm: Svm, share: Share) -> Record:
    record: Record = {
        "svm": references.svm(array.cluster, svm.name),
        "name": share.name,
        "path": share.path,
        "acls": _acl(share),
        **_PLAIN_SHARE,
        "_links": self_link(CIFS_SHARES.href({}, (svm.uuid, share.name))),
    }
    if share.comment:  # NetApp's client refuses an empty one
        record["comment"] = share.comment
    mounted = [v for v in live_volumes(array.cluster) if v.svm == svm.name and v.junction]
    inside = [v for v in mounted if f"{share.path}/".startswith(f"{v.junction}/".replace("//", "/"))]
    if inside:
        record["volume"] = references.volume(max(inside, key=lambda v: len(v.junction or "")))
    return record


def _list_shares(call: Call) -> list[Record]:
    return [_share(call.array, svm, share) for svm in _svms(call.array) for share in svm.shares.values()]


def _read_acl(body: Record) -> dict[str, str]:
    given = value(body, "acls")
    if given is None:
        return {}
    if not isinstance(given, list):
        raise invalid_value(given, "acls", "A list is expected.")
    acl = {}
    for item in given:
        if isinstance(item, dict):
            right = one_of(required(item, "permission"), PERMISSIONS, "acls.permission")
            acl[required(item, "user_or_group")] = right
    return acl


def _create_share(call: Call) -> Outcome:
    check_settable(call, {"svm", "name", "path", "acls", "comment"}, _PLAIN_SHARE)
    svm = svm_named(call.array, call.body)
    comment = string(call.body, "comment") or ""
    share = Share(required(call.body, "name"), required(call.body, "path"), _read_acl(call.body), comment)
    made = nas.create_share(call.array.world, call.array.cluster, svm, share)
    return Outcome(key=(svm.uuid, made.name))


def _find_share(array: Array, svm_uuid: str, name: str) -> tuple[Svm, Share]:
    svm = _svm(array, svm_uuid)
    for share in svm.shares.values():
        if share.name.lower() == name.lower():
            return svm, share
    raise no_entry("name")


def _modify_share(call: Call, record: Record) -> Outcome:
    """Change a share's path or replace its ACL."""
    check_settable(call, {"acls"}, record)
    svm, share = _find_share(call.array, text(record, "svm.uuid"), text(record, "name"))
    if "acls" in call.body:
        wanted = _read_acl(call.body)
        for who in set(share.acl) - set(wanted):
            nas.set_acl(call.array.world, svm, share, who, None)
        for who, right in wanted.items():
            nas.set_acl(call.array.world, svm, share, who, right)
    return Outcome()


def _remove_share(call: Call, record: Record) -> Outcome:
    svm, share = _find_share(call.array, text(record, "svm.uuid"), text(record, "name"))
    nas.delete_share(call.array.world, svm, share.name)
    return Outcome()


CIFS_SHARES = Resource(
    path="/protocols/cifs/shares",
    schema=Schema(
        "svm(name uuid) name path comment acls volume access_based_enumeration allow_unencrypted_access "
        "attribute_cache browsable change_notify continuously_available dir_umask encryption file_umask "
        "force_group_for_create home_directory max_connections_per_share namespace_caching "
        "no_strict_security offline_files oplocks show_previous_versions show_snapshot unix_symlink "
        "vscan_profile",
        keys=("svm.uuid", "name"),
        brief=("svm", "name"),
    ),
    listing=_list_shares,
    create=_create_share,
    modify=_modify_share,
    remove=_remove_share,
)


def _acl_owner(call: Call) -> tuple[Svm, Share]:
    return _find_share(call.array, call.parents["svm.uuid"], call.parents["share"])


def _list_acls(call: Call) -> list[Record]:
    svm, share = _acl_owner(call)
    records: list[Record] = []
    for who, right in sorted(share.acl.items()):
        key = (who, "windows")
        records.append(
            {
                "svm": references.svm(call.array.cluster, svm.name),
                "share": share.name,
                "user_or_group": who,
                "type": "windows",
                "permission": right,
                "_links": self_link(CIFS_ACLS.href(call.parents, key)),
            }
        )
    return records


def _create_acl(call: Call) -> Outcome:
    check_settable(call, {"user_or_group", "type", "permission"})
    svm, share = _acl_owner(call)
    who = required(call.body, "user_or_group")
    if who in share.acl:
        raise RestError(409, 1, "duplicate entry", "user_or_group")
    right = one_of(required(call.body, "permission"), PERMISSIONS, "permission")
    nas.set_acl(call.array.world, svm, share, who, right)
    return Outcome(key=(who, "windows"))


def _modify_acl(call: Call, record: Record) -> Outcome:
    check_settable(call, {"permission"}, record)
    svm, share = _acl_owner(call)
    right = one_of(required(call.body, "permission"), PERMISSIONS, "permission")
    nas.set_acl(call.array.world, svm, share, text(record, "user_or_group"), right)
    return Outcome()


def _remove_acl(call: Call, record: Record) -> Outcome:
    svm, share = _acl_owner(call)
    nas.set_acl(call.array.world, svm, share, text(record, "user_or_group"), None)
    return Outcome()


def _target_of_acl(call: Call, _record: Record) -> str:
    svm, share = _acl_owner(call)
    return f"{svm.name}:{share.name}"


CIFS_ACLS = Resource(
    path="/protocols/cifs/shares/{svm.uuid}/{share}/acls",
    schema=Schema(
        "svm(name uuid) share user_or_group type permission sid unix_id",
        keys=("user_or_group", "type"),
        brief=("share", "svm"),
    ),
    listing=_list_acls,
    create=_create_acl,
    modify=_modify_acl,
    remove=_remove_acl,
    target=_target_of_acl,
)


def _list_netbios(call: Call) -> list[Record]:
    return [
        {
            "node": references.node(call.array),
            "svm": references.svm(call.array.cluster, svm.name),
            "name": name,
            "state": "active",
            "mode": "b",
            "suffix": "00",
        }
        for svm in _svms(call.array)
        for name in sorted({str(svm.cifs_server), *svm.aliases})
    ]


CIFS_NETBIOS = Resource(
    path="/protocols/cifs/netbios",
    schema=Schema(
        "node svm(name uuid) name state mode suffix interfaces name_registration_type scope time_left wins_servers",
        keys=("svm.uuid", "name"),
        brief=("node", "svm", "name"),
    ),
    listing=_list_netbios,
)


def _list_sessions(call: Call) -> list[Record]:
    records: list[Record] = []
    for svm in _svms(call.array):
        for session in svm.sessions.values():
            volume = find_volume(call.array.cluster, svm.name, session.volume)
            records.append(
                {
                    "node": references.node(call.array),
                    "svm": references.svm(call.array.cluster, svm.name),
                    "identifier": session.identifier,
                    "connection_id": session.identifier,
                    "user": session.user,
                    "client_ip": session.client,
                    "protocol": "smb3_1",
                    "open_shares": 1,
                    "open_files": 0,
                    "volumes": [references.volume(volume)] if volume else [],
                }
            )
    return records


def _close_session(call: Call, record: Record) -> Outcome:
    svm = _svm(call.array, text(record, "svm.uuid"))
    nas.close_session(call.array.world, svm, int(text(record, "identifier")))
    return Outcome()


CIFS_SESSIONS = Resource(
    path="/protocols/cifs/sessions",
    schema=Schema(
        "node svm(name uuid) identifier connection_id user client_ip server_ip authentication open_files "
        "open_shares protocol connected_duration idle_duration volumes smb_encryption smb_signing",
        keys=("node.uuid", "svm.uuid", "identifier", "connection_id"),
        brief=("node", "svm", "identifier", "connection_id"),
    ),
    listing=_list_sessions,
    remove=_close_session,
)
