"""The world's ``VimFault`` as a typed fault of the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from drctl.lab.compute import VimFault
from drctl.lab.model import VCenter
from drctl.lab.vsphere.soap import field_names, is_reference
from drctl.lab.vsphere.tree import entity_ref
from drctl.lab.vsphere.values import Fault, Ref, Value

_SCALARS: Final = (str, int, bool, Ref)


def as_fault(vcenter: VCenter, fault: VimFault) -> Fault:
    """Return the fault to send."""
    return build(vcenter, fault.name, fault.message, fault.detail)


def build(vcenter: VCenter, name: str, message: str, detail: Mapping[str, object]) -> Fault:
    """Return a fault of the type ``name`` with those of its fields that ``detail`` gives.

    A trailing underscore (``name_``) only keeps a Python argument apart; morefs become references.
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
    return Fault(name, message, **fields)
