"""The wire: SOAP requests to plain values and back, on pyVmomi's own (de)serialiser.

pyVmomi is a client library; its serialiser and deserialiser work in both directions but have no
public names for that. All of that use is in this module, so a new pyVmomi is checked in one place.
Using the same library on both ends would hide a shared mistake, hence the peers in ``tests/peers``.
"""

from __future__ import annotations

import importlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter, methodcaller
from typing import Any, Final
from xml.parsers.expat import ExpatError, ParserCreate

from drctl.lab.vsphere.values import Fault, Obj, Ref, Typed, Value

# pyVmomi's .py files are untyped, so they are reached as Any; its generated stubs describe clients only.
_support: Any = importlib.import_module("pyVmomi.VmomiSupport")
_adapter: Any = importlib.import_module("pyVmomi.SoapAdapter")
_properties = methodcaller("_GetPropertyList")
_wsdl_name = attrgetter("_wsdlName")
_moref = attrgetter("_moId")

NAMESPACE: Final = "urn:vim25"
VERSIONS: Final = (
    "8.0.3.0",
    "8.0.2.0",
    "8.0.1.0",
    "8.0.0.0",
    "7.0.3.0",
    "7.0.0.0",
    "6.7",
    "6.5",
    "6.0",
    "5.5",
    "5.1",
    "5.0",
)
"""API versions offered, newest first; 8.0.3.0 is what a vCenter 8.0 Update 3 negotiates."""

_SOAP_ACTION = re.compile(r'"?urn:(vim25/[^"]+)"?')
_PREFIXES: Final[Mapping[str, str]] = {**_adapter.SOAP_NSMAP, NAMESPACE: ""}
_OPTIONAL: Final[int] = _support.F_OPTIONAL
_EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
_ENVELOPE: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    f"<soapenv:Envelope {_adapter.NSMAP_DEF}><soapenv:Body>{{}}</soapenv:Body></soapenv:Envelope>"
)


@dataclass(frozen=True, slots=True)
class Call:
    """One request: a method of a managed object with its arguments, all plain."""

    method: str
    this: Ref
    args: Obj
    version: str
    """pyVmomi's name of the API version the client speaks."""


class Malformed(Exception):
    """A request that is not SOAP, or whose arguments do not fit the method."""


# --- requests -----------------------------------------------------------------------------------


def parse(body: bytes, soap_action: str) -> Call:
    """Read a request.

    Raises:
        Malformed: it is no SOAP, or an argument does not fit its type.
        Fault: MethodNotFound, when vim25 has no such method.
    """
    reader = _Reader(version_of(soap_action))
    parser = ParserCreate(namespace_separator=_adapter.NS_SEP)
    parser.buffer_text = True
    _adapter.SetHandlers(parser, _adapter.GetHandlers(reader))
    reader.parser = parser
    try:
        parser.Parse(body, True)
    except (ExpatError, TypeError, AttributeError, KeyError, ValueError) as error:
        raise Malformed(f"{type(error).__name__}: {error}") from error
    if reader.this is None:
        raise Malformed("no method call in the body")
    if reader.unknown:
        receiver = plain(reader.this)
        raise Fault(
            "MethodNotFound", f"vim25 has no method {reader.method}", receiver=receiver, method=reader.method
        )
    fields = ((name, plain(value)) for name, value in reader.values.items())
    args = Obj(reader.method, tuple((name, value) for name, value in fields if value is not None))
    return Call(reader.method, Ref(_wsdl_name(type(reader.this)), _moref(reader.this)), args, reader.version)


def version_of(soap_action: str) -> str:
    """Return pyVmomi's name of the version a ``SOAPAction`` header asks for; the newest offered if unknown."""
    match = _SOAP_ACTION.search(soap_action)
    known = _support.versionMap.get(match[1]) if match else None
    return str(known or _support.versionMap[f"vim25/{VERSIONS[0]}"])


class _Reader(_adapter.ExpatDeserializerNSHandlers):  # type: ignore[misc]  # an untyped base class
    """Expat handlers: finds the method, and lets pyVmomi read each argument."""

    def __init__(self, version: str) -> None:
        super().__init__()
        self.version = version
        self.parser: Any = None
        self.method = ""
        self.unknown = False
        self.this: Any = None
        self.values: dict[str, Any] = {}
        self._params: dict[str, Any] = {}
        self._in_body = False
        self._pending: tuple[str, Any] | None = None

    def StartElementHandler(self, tag: str, attributes: Mapping[str, str]) -> None:
        namespace, _, name = tag.rpartition(_adapter.NS_SEP)
        self._settle()
        if not self._in_body:
            self._in_body = name == "Body" and namespace == _adapter.XMLNS_SOAPENV
        elif not self.method:
            self.method = name
            self._params = self._parameters(namespace, name)
        elif self.unknown and name != "_this":
            return
        else:
            self._read(name, tag, attributes)

    def _parameters(self, namespace: str, name: str) -> dict[str, Any]:
        if name == "Fetch":  # the hidden call behind an attribute read; no type declares it
            return {"prop": str}
        try:
            info = _support.GetWsdlMethod(namespace, name).info
        except KeyError:
            self.unknown = True
            return {}
        return {param.name: param.type for param in info.params}

    def _read(self, name: str, tag: str, attributes: Mapping[str, str]) -> None:
        declared = _support.ManagedObject if name == "_this" else self._params[name]
        item = declared.Item if issubclass(declared, list) else declared
        reader = _adapter.SoapDeserializer(None, self.version)
        reader.Deserialize(self.parser, item, False, self.nsMap)
        self._pending = (name, reader)
        reader.StartElementHandler(tag, attributes)

    def _settle(self) -> None:
        """Keep the argument that pyVmomi has read; it gives control back without a word."""
        if self._pending is None:
            return
        name, reader = self._pending
        self._pending = None
        value = reader.GetResult()
        if name == "_this":
            self.this = value
        elif issubclass(self._params[name], list):
            self.values.setdefault(name, []).append(value)
        else:
            self.values[name] = value

    def EndElementHandler(self, tag: str) -> None:
        self._settle()

    def CharacterDataHandler(self, data: str) -> None:
        """Text between elements means nothing."""


def plain(value: Any) -> Value:
    """Turn what pyVmomi read into plain values; unset fields vanish."""
    if isinstance(value, _support.ManagedObject):
        return Ref(_wsdl_name(type(value)), _moref(value))
    if isinstance(value, _support.DataObject):
        found = ((info.name, plain(getattr(value, info.name))) for info in _properties(type(value)))
        return Obj(
            _wsdl_name(type(value)), tuple((name, each) for name, each in found if each not in (None, ()))
        )
    if isinstance(value, list):
        return tuple(plain(each) for each in value)
    if isinstance(value, type):
        return str(_support.GetWsdlName(value))
    if isinstance(value, str):
        return str(value)
    result: Value = value
    return result


# --- answers ------------------------------------------------------------------------------------


def answer(call: Call, value: Value, declared: str | None = None) -> bytes:
    """Write the response of a call; ``declared`` overrides the method's own result type."""
    if declared is None:
        info = _support.GetWsdlMethod(NAMESPACE, call.method).info
        expected, flags = info.result, info.resultFlags
    else:
        expected, flags = _type(declared), _OPTIONAL
    body = (
        ""
        if value is None or expected is _support.NoneType
        else _write("returnval", value, expected, flags | _OPTIONAL, call.version)
    )
    return _ENVELOPE.format(
        f'<{call.method}Response xmlns="{NAMESPACE}">{body}</{call.method}Response>'
    ).encode()


def refusal(fault: Fault, version: str) -> bytes:
    """Write the response that carries a fault (to be sent with status 500)."""
    built = _build(fault.detail, object)
    message, built.msg = built.msg, None
    info = _field(f"{fault.detail.kind}Fault", object, version)
    writer = io.StringIO()
    serializer = _Writer(writer, version)
    serializer.SerializeFaultDetail(built, info)
    text = _adapter.XmlEscape(message or "")
    return _ENVELOPE.format(
        f"<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>{text}</faultstring>"
        f"<detail>{writer.getvalue()}</detail></soapenv:Fault>"
    ).encode()


class _Fragment:
    """XML written before, its tag included."""

    def __init__(self, xml: str) -> None:
        self.xml = xml


class _Writer(_adapter.SoapSerializer):  # type: ignore[misc]  # an untyped base class
    """pyVmomi's serialiser, without the version attribute and with fragments written before."""

    def __init__(self, writer: io.StringIO, version: str) -> None:
        super().__init__(writer, version, dict(_PREFIXES))
        self.outermostAttrs = ""
        self.defaultNS = NAMESPACE

    def _Serialize(self, val: Any, info: Any, defNS: str) -> None:
        if isinstance(val, _Fragment):
            self.writer.write(val.xml)
        else:
            super()._Serialize(val, info, defNS)


def _write(tag: str, value: Value, expected: Any, flags: int, version: str) -> str:
    writer = io.StringIO()
    _Writer(writer, version).Serialize(
        _build(value, expected, version), _field(tag, expected, version, flags)
    )
    return writer.getvalue()


@lru_cache(maxsize=65536)
def _write_any(value: Typed, version: str) -> _Fragment:
    """Write a property's value once; bulk reads ask for the same values again and again."""
    built = _build(value.value, _type(value.declared))
    writer = io.StringIO()
    _Writer(writer, version).Serialize(built, _field("val", object, version, _OPTIONAL))
    return _Fragment(writer.getvalue())


def _field(name: str, expected: Any, version: str, flags: int = 0) -> Any:
    return _support.Object(name=name, type=expected, version=version, flags=flags)


def _type(name: str) -> Any:
    return _support.GetVmodlType(name)


def _build(value: Value, expected: Any, version: str = "") -> Any:
    """Make what pyVmomi serialises from a plain value."""
    if isinstance(value, Typed):
        return _write_any(value, version) if version else _build(value.value, _type(value.declared))
    if isinstance(value, Ref):
        return _support.GetWsdlType(NAMESPACE, value.kind)(value.id)
    if isinstance(value, Obj):
        return _build_object(value, version)
    if isinstance(value, tuple):
        built = expected()
        built.extend(_build(each, expected.Item, version) for each in value)
        return built
    return _build_scalar(value, expected)


def _build_scalar(value: Value, expected: Any) -> Any:
    if value is None or expected is object:
        return value
    if expected is _support.ManagedMethod:
        return _support.GetWsdlMethod(NAMESPACE, value)
    if expected is type:
        return _support.GetWsdlType(NAMESPACE, value)
    if issubclass(expected, _support.Enum):
        return getattr(expected, str(value))  # an unknown value is a mistake of this server
    if isinstance(value, (int, str)) and not isinstance(value, bool):
        return expected(value)
    return value


def _build_object(value: Obj, version: str) -> Any:
    built = _support.GetWsdlType(NAMESPACE, value.kind)()
    for name, each in value.fields:
        info = _support.GetPropertyInfo(type(built), name)
        made = _build(each, info.type, version)
        if isinstance(made, _Fragment):
            object.__setattr__(built, name, made)  # past the type check: it is XML already
        else:
            setattr(built, name, made)
    for name, default in _required(value.kind):
        if getattr(built, name) is None:
            setattr(built, name, default)
    return built


@lru_cache(maxsize=4096)
def _required(kind: str) -> tuple[tuple[str, Any], ...]:
    """Return neutral values for the mandatory fields that pyVmomi leaves None and then refuses to write."""
    found = []
    for info in _properties(_support.GetWsdlType(NAMESPACE, kind)):
        if (
            info.flags & _OPTIONAL
            or info.type is object
            or issubclass(info.type, (list, _support.ManagedObject))
        ):
            continue
        if issubclass(info.type, _support.DataObject):
            found.append((info.name, _build_object(Obj(_wsdl_name(info.type)), "")))
        elif issubclass(info.type, _support.Enum):
            found.append((info.name, getattr(info.type, info.type.values[0])))
        elif issubclass(info.type, datetime):
            found.append((info.name, _EPOCH))
    return tuple(found)


# --- types --------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def is_a(kind: str, ancestor: str) -> bool:
    """Tell whether a WSDL type is another or derives from it."""
    try:
        return issubclass(_support.GetWsdlType(NAMESPACE, kind), _support.GetWsdlType(NAMESPACE, ancestor))
    except KeyError:
        return False


@lru_cache(maxsize=4096)
def offers(kind: str, method: str) -> bool:
    """Tell whether a managed type has the method in vim25."""
    try:
        owner = _type(_support.GetWsdlMethod(NAMESPACE, method).info.typeName)
    except KeyError:
        return False
    return issubclass(_support.GetWsdlType(NAMESPACE, kind), owner)


@lru_cache(maxsize=256)
def task_method(name: str) -> str:
    """Return the WSDL name of the method a task runs, given without its ``_Task``."""
    try:
        _support.GetWsdlMethod(NAMESPACE, f"{name}_Task")
    except KeyError:
        return name
    return f"{name}_Task"


@lru_cache(maxsize=256)
def field_names(kind: str) -> frozenset[str]:
    """Return the fields of a data type or fault; empty when there is no such type."""
    try:
        return frozenset(info.name for info in _properties(_support.GetWsdlType(NAMESPACE, kind)))
    except KeyError:
        return frozenset()


@lru_cache(maxsize=256)
def is_reference(kind: str, name: str) -> bool:
    """Tell whether a field of a data type refers to a managed object."""
    declared = _support.GetPropertyInfo(_support.GetWsdlType(NAMESPACE, kind), name).type
    return issubclass(declared, _support.ManagedObject)


@lru_cache(maxsize=4096)
def property_type(kind: str, path: str) -> str | None:
    """Return the type a property path of a managed type declares, None when there is no such path."""
    found = _support.GetWsdlType(NAMESPACE, kind)
    for name in path.split("."):
        try:
            found = _support.GetPropertyInfo(found, name).type
        except AttributeError:
            return None
    return str(_support.GetVmodlName(found))


@lru_cache(maxsize=4096)
def property_kind(kind: str, path: str) -> str:
    """Return the WSDL name of the type a property path of a managed type declares."""
    return str(_support.GetWsdlName(_type(property_type(kind, path) or "vmodl.DynamicData")))


@lru_cache(maxsize=256)
def property_names(kind: str) -> tuple[str, ...]:
    """Return the top-level property names of a managed type, inherited ones included."""
    return tuple(info.name for info in _properties(_support.GetWsdlType(NAMESPACE, kind)))
