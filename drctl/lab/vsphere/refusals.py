"""The world's ``VimFault`` as a typed fault of the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from drctl.lab.compute import VimFault
from drctl.lab.model import VCenter
from drctl.lab.vsphere.schema import field_names, is_reference, mandatory_references
from drctl.lab.vsphere.tree import ROOT, entity_ref, find_named
from drctl.lab.vsphere.values import Fault, Ref, Value

_SCALARS: Final = (str, int, bool, Ref)


def as_fault(vcenter: VCenter, fault: VimFault) -> Fault:
    """Return the fault to send."""
    return build(vcenter, fault.name, fault.message, fault.detail)


def build(vcenter: VCenter, name: str, message: str, detail: Mapping[str, object]) -> Fault:
    """Return a fault of the type ``name`` with those of its fields that ``detail`` gives.

    A trailing underscore (``name_``) only keeps a Python argument apart; morefs become references, and
    a mandatory reference that is not given is found by the fault's ``name``.
    """
    known = field_names(name)
    if not known:
        return Fault("SystemError", f"{name}: {message}", reason=message)
    fields: dict[str, Value] = {}
    for key, value in detail.items():
        field = key.rstrip("_")
        if field not in known or not isinstance(value, _SCALARS):
            continue
        plain: Value = value
        if isinstance(value, str) and is_reference(name, field):
            plain = entity_ref(vcenter, value)
        if plain is not None:
            fields[field] = plain
    for field in mandatory_references(name) - fields.keys():
        fields[field] = find_named(vcenter, str(fields.get("name", ""))) or ROOT
    return Fault(name, message, **fields)
