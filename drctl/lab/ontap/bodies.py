"""Reading request bodies: which fields may be set, and the values the rules of the world want."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from drctl.lab.model import Svm
from drctl.lab.ontap.errors import invalid_value, missing_value, no_entry, not_settable, unexpected_argument
from drctl.lab.ontap.records import Json, Record, as_bool, leaves, value
from drctl.lab.ontap.resource import Array, Call


def check_settable(call: Call, settable: Collection[str], record: Record | None = None) -> None:
    """Refuse unknown fields (262179) and fields this operation cannot set (262196).

    A field the world does not model may be "set" to what the record already says, as clients do that
    send back what they read.
    """
    for name, given in leaves(call.body):
        if not call.resource.schema.knows(name):
            raise unexpected_argument(name)
        under = any(name == known or name.startswith(known + ".") for known in settable)
        if not under and not (record is not None and same(value(record, name), given)):
            raise not_settable(name, call.method)


def same(one: Json, other: Json) -> bool:
    """Whether two values mean the same, a boolean string and its boolean included."""
    return one == other or (as_bool(one) is not None and as_bool(one) is as_bool(other))


def string(body: Record, name: str) -> str | None:
    """Return a text field, None when it is not given; a null counts as empty."""
    given = value(body, name)
    if given is None:
        return "" if _given(body, name) else None
    if isinstance(given, (dict, list)):
        raise invalid_value(given, name, "A string is expected.")
    return str(given)


def _given(body: Record, name: str) -> bool:
    return any(found == name for found, _ in leaves(body))


def required(body: Record, name: str) -> str:
    """Return a text field that must be there."""
    given = string(body, name)
    if not given:
        raise missing_value(name)
    return given


def boolean(body: Record, name: str) -> bool | None:
    """Return a boolean field, also when it came as a string; None when it is not given."""
    given = value(body, name)
    if given is None:
        return None
    found = as_bool(given)
    if found is None:
        raise invalid_value(given, name, "A boolean is expected.")
    return found


def integer(body: Record, name: str) -> int | None:
    """Return an integer field, also when it came as a string; None when it is not given."""
    given = value(body, name)
    if given is None:
        return None
    if isinstance(given, bool) or not str(given).isdigit():
        raise invalid_value(given, name, "An integer is expected.")
    return int(str(given))


def strings(body: Record, name: str) -> list[str] | None:
    """Return a list of texts (a single text counts as one); None when it is not given."""
    given = value(body, name)
    if given is None:
        return None
    items = given if isinstance(given, list) else [given]
    if any(isinstance(item, (dict, list)) for item in items):
        raise invalid_value(given, name, "A list of strings is expected.")
    return [str(item) for item in items]


def instant(body: Record, name: str) -> datetime | None:
    """Return a time field; None when it is not given."""
    given = string(body, name)
    if not given:
        return None
    try:
        return datetime.fromisoformat(given).astimezone()
    except ValueError as error:
        raise invalid_value(given, name, "An ISO 8601 time is expected.") from error


def one_of(given: str, allowed: Collection[str], name: str) -> str:
    """Return a value of an enumeration or refuse it."""
    if given not in allowed:
        raise invalid_value(given, name, f"Allowed: {', '.join(sorted(allowed))}.")
    return given


def svm_named(array: Array, body: Record) -> Svm:
    """Return the SVM a body names by ``svm.name`` or ``svm.uuid``."""
    name, uuid = string(body, "svm.name"), string(body, "svm.uuid")
    if not name and not uuid:
        raise missing_value("svm.name")
    for svm in array.cluster.svms.values():
        if name in (None, "", svm.name) and uuid in (None, "", svm.uuid):
            return svm
    raise no_entry("svm.name" if name else "svm.uuid")
