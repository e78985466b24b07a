"""What vim25 declares: types, properties and methods, as pyVmomi's generated tables know them.

With ``soap`` this is all that touches pyVmomi. Its modules are untyped and reached as Any; the generated
stubs describe clients only.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from operator import attrgetter, methodcaller
from typing import Any, Final

support: Any = importlib.import_module("pyVmomi.VmomiSupport")
properties = methodcaller("_GetPropertyList")
"""All properties of a type, inherited ones included: documented as public there in spite of its name."""
wsdl_name = attrgetter("_wsdlName")

NAMESPACE: Final = "urn:vim25"
OPTIONAL: Final[int] = support.F_OPTIONAL


def vmodl_type(name: str) -> Any:
    """Return a type by its pyVmomi name, e.g. ``vim.Datastore[]``."""
    return support.GetVmodlType(name)


@lru_cache(maxsize=4096)
def is_a(kind: str, ancestor: str) -> bool:
    """Tell whether a WSDL type is another or derives from it."""
    try:
        return issubclass(support.GetWsdlType(NAMESPACE, kind), support.GetWsdlType(NAMESPACE, ancestor))
    except KeyError:
        return False


@lru_cache(maxsize=4096)
def offers(kind: str, method: str) -> bool:
    """Tell whether a managed type has the method in vim25."""
    try:
        owner = vmodl_type(support.GetWsdlMethod(NAMESPACE, method).info.typeName)
    except KeyError:
        return False
    return issubclass(support.GetWsdlType(NAMESPACE, kind), owner)


@lru_cache(maxsize=256)
def task_method(name: str) -> str:
    """Return the WSDL name of the method a task runs, given without its ``_Task``."""
    try:
        support.GetWsdlMethod(NAMESPACE, f"{name}_Task")
    except KeyError:
        return name
    return f"{name}_Task"


@lru_cache(maxsize=256)
def field_names(kind: str) -> frozenset[str]:
    """Return the fields of a data type or fault; empty when there is no such type."""
    try:
        return frozenset(info.name for info in properties(support.GetWsdlType(NAMESPACE, kind)))
    except KeyError:
        return frozenset()


@lru_cache(maxsize=256)
def mandatory_references(kind: str) -> frozenset[str]:
    """Return the fields of a data type that must refer to a managed object."""
    infos = properties(support.GetWsdlType(NAMESPACE, kind))
    must = (info.name for info in infos if not info.flags & OPTIONAL)
    return frozenset(name for name in must if is_reference(kind, name))


@lru_cache(maxsize=256)
def is_reference(kind: str, name: str) -> bool:
    """Tell whether a field of a data type refers to a managed object."""
    declared = support.GetPropertyInfo(support.GetWsdlType(NAMESPACE, kind), name).type
    return issubclass(declared, support.ManagedObject)


@lru_cache(maxsize=4096)
def property_type(kind: str, path: str) -> str | None:
    """Return the type a property path of a managed type declares, None when there is no such path."""
    found = support.GetWsdlType(NAMESPACE, kind)
    for name in path.split("."):
        try:
            found = support.GetPropertyInfo(found, name).type
        except AttributeError:
            return None
    return str(support.GetVmodlName(found))


@lru_cache(maxsize=4096)
def property_kind(kind: str, path: str) -> str:
    """Return the WSDL name of the type a property path of a managed type declares."""
    return str(support.GetWsdlName(vmodl_type(property_type(kind, path) or "vmodl.DynamicData")))


@lru_cache(maxsize=256)
def property_names(kind: str) -> tuple[str, ...]:
    """Return the top-level property names of a managed type, inherited ones included."""
    return tuple(info.name for info in properties(support.GetWsdlType(NAMESPACE, kind)))
