"""``/protocols/nfs/export-policies`` and their rules; keys are the integers ``id`` and ``index``."""

from __future__ import annotations

from drctl.lab import nas
from drctl.lab.model import ExportPolicy, ExportRule, Svm
from drctl.lab.ontap import references
from drctl.lab.ontap.bodies import check_settable, integer, required, strings, svm_named
from drctl.lab.ontap.errors import RestError, invalid_value, missing_value
from drctl.lab.ontap.records import Json, Record, text, value
from drctl.lab.ontap.resource import Array, Call, Outcome, Resource, self_link
from drctl.lab.ontap.schema import Schema

NO_POLICY = 1703954
"""Code for an export policy that does not exist."""

_RULE = "clients ro_rule rw_rule superuser protocols anonymous_user allow_suid allow_device_creation"
_RULE_FIELDS = f"index policy svm {_RULE} chown_mode ntfs_unix_security allow_nfs_tls_only"
_SETTABLE = frozenset({"index", "clients", "ro_rule", "rw_rule", "superuser", "protocols"})
_AS_NEW: Record = {
    "anonymous_user": "65534",
    "allow_suid": True,
    "allow_device_creation": True,
    "chown_mode": "restricted",
    "ntfs_unix_security": "fail",
}
"""What every rule of the lab has; clients may say so."""


def _rule(policy: ExportPolicy, rule: ExportRule) -> Record:
    clients: list[Json] = [{"match": client} for client in rule.clients]
    return {
        "index": rule.index,
        "policy": {"id": policy.id, "name": policy.name},
        "clients": clients,
        "ro_rule": list(rule.ro),
        "rw_rule": list(rule.rw),
        "superuser": list(rule.superuser),
        "protocols": list(rule.protocols),
        **_AS_NEW,
        "_links": self_link(f"/api/protocols/nfs/export-policies/{policy.id}/rules/{rule.index}"),
    }


def _policy(array: Array, svm: Svm, policy: ExportPolicy) -> Record:
    rules: list[Json] = []
    for rule in policy.rules:
        shown = _rule(policy, rule)
        del shown["policy"]
        rules.append(shown)
    return {
        "id": policy.id,
        "name": policy.name,
        "svm": references.svm(array.cluster, svm.name),
        "rules": rules,
        "_links": self_link(f"/api/protocols/nfs/export-policies/{policy.id}"),
    }


def _list(call: Call) -> list[Record]:
    svms = call.array.cluster.svms.values()
    return [_policy(call.array, svm, policy) for svm in svms for policy in svm.policies.values()]


def _find(array: Array, number: str) -> tuple[Svm, ExportPolicy]:
    for svm in array.cluster.svms.values():
        for policy in svm.policies.values():
            if str(policy.id) == number:
                return svm, policy
    raise RestError(404, NO_POLICY, f"Export policy with id {number} does not exist.", "policy.id")


def _create(call: Call) -> Outcome:
    check_settable(call, {"name", "svm", "rules"})
    svm = svm_named(call.array, call.body)
    wanted = [_read_rule(item) for item in _rules(call.body)]
    policy = nas.create_policy(call.array.world, svm, required(call.body, "name"))
    for rule in wanted:
        nas.add_rule(call.array.world, policy, rule)
    return Outcome(key=(str(policy.id),))


def _rules(body: Record) -> list[Record]:
    given = value(body, "rules")
    if given is None:
        return []
    if not isinstance(given, list):
        raise invalid_value(given, "rules", "A list is expected.")
    return [item for item in given if isinstance(item, dict)]


def _modify(call: Call, record: Record) -> Outcome:
    """Replace the rules, as PATCH of a policy does; its name stays."""
    check_settable(call, {"rules"}, record)
    if "rules" not in call.body:
        return Outcome()
    wanted = [_read_rule(item) for item in _rules(call.body)]
    _, policy = _find(call.array, text(record, "id"))
    for rule in list(policy.rules):
        nas.delete_rule(call.array.world, policy, rule.index)
    for rule in wanted:
        nas.add_rule(call.array.world, policy, rule)
    return Outcome()


def _remove(call: Call, record: Record) -> Outcome:
    svm, policy = _find(call.array, text(record, "id"))
    nas.delete_policy(call.array.world, call.array.cluster, svm, policy)
    return Outcome()


EXPORT_POLICIES = Resource(
    path="/protocols/nfs/export-policies",
    schema=Schema(f"id name svm(name uuid) rules({_RULE_FIELDS})", keys=("id",), brief=("id", "name")),
    listing=_list,
    create=_create,
    modify=_modify,
    remove=_remove,
)


def _read_rule(body: Record, before: ExportRule | None = None) -> ExportRule:
    """Return the rule a body describes; what it leaves out stays as ``before`` or ONTAP's default."""
    clients = _clients(body)
    if clients is None and before is None:
        raise missing_value("clients.match")
    rule = ExportRule(index=integer(body, "index") or 0, clients=clients or [])
    if before is not None:
        rule.index, rule.clients = before.index, before.clients if clients is None else clients
    for name, attribute, default in (
        ("ro_rule", "ro", ["sys"]),
        ("rw_rule", "rw", ["sys"]),
        ("superuser", "superuser", ["none"]),
        ("protocols", "protocols", ["any"]),
    ):
        kept = list(getattr(before, attribute)) if before else default
        given = strings(body, name)
        setattr(rule, attribute, kept if given is None else given)
    return rule


def _clients(body: Record) -> list[str] | None:
    given = value(body, "clients")
    if given is None:
        return None
    if not isinstance(given, list):
        raise invalid_value(given, "clients", 'A list of {"match": ...} is expected.')
    out: list[str] = []
    for item in given:
        match = item.get("match") if isinstance(item, dict) else item
        out += [part.strip() for part in str(match).split(",") if part.strip()]
    return out


def _list_rules(call: Call) -> list[Record]:
    svm, policy = _find(call.array, call.parents["policy.id"])
    owner = references.svm(call.array.cluster, svm.name)
    return [{**_rule(policy, rule), "svm": owner} for rule in policy.rules]


def _create_rule(call: Call) -> Outcome:
    check_settable(call, _SETTABLE, _AS_NEW)
    for name in ("ro_rule", "rw_rule"):
        if name not in call.body:
            raise missing_value(name)
    _, policy = _find(call.array, call.parents["policy.id"])
    rule = nas.add_rule(call.array.world, policy, _read_rule(call.body))
    return Outcome(key=(str(rule.index),))


def _modify_rule(call: Call, record: Record) -> Outcome:
    check_settable(call, _SETTABLE - {"index"}, record)
    _, policy = _find(call.array, call.parents["policy.id"])
    before = next(rule for rule in policy.rules if str(rule.index) == text(record, "index"))
    changed = _read_rule({name: part for name, part in call.body.items() if name != "index"}, before)
    nas.delete_rule(call.array.world, policy, before.index)
    nas.add_rule(call.array.world, policy, changed)
    return Outcome()


def _remove_rule(call: Call, record: Record) -> Outcome:
    _, policy = _find(call.array, call.parents["policy.id"])
    nas.delete_rule(call.array.world, policy, int(text(record, "index")))
    return Outcome()


def _target_of_rule(call: Call, _record: Record) -> str:
    for svm in call.array.cluster.svms.values():
        for policy in svm.policies.values():
            if str(policy.id) == call.parents["policy.id"]:
                return f"{svm.name}:{policy.name}"
    return call.parents["policy.id"]


EXPORT_RULES = Resource(
    path="/protocols/nfs/export-policies/{policy.id}/rules",
    schema=Schema(_RULE_FIELDS, keys=("index",), brief=("index", "policy")),
    listing=_list_rules,
    create=_create_rule,
    modify=_modify_rule,
    remove=_remove_rule,
    target=_target_of_rule,
)
