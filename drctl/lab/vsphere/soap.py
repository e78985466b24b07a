"""The wire: SOAP requests to plain values and back, on pyVmomi's own (de)serialiser.

pyVmomi is a client library; its serialiser and deserialiser work in both directions but have no
public names for that. That use is in this module and in ``schema``, so a new pyVmomi is checked in one place.
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
from operator import attrgetter
from typing import Any, Final
from xml.parsers.expat import ExpatError, ParserCreate

from drctl.lab.vsphere.schema import NAMESPACE, OPTIONAL, properties, support, vmodl_type, wsdl_name
from drctl.lab.vsphere.values import Fault, Obj, Ref, Typed, Value

# Untyped there, so reached as Any; the generated stubs describe clients only.
_adapter: Any = importlib.import_module("pyVmomi.SoapAdapter")
_moref = attrgetter("_moId")

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
    return Call(reader.method, Ref(wsdl_name(type(reader.this)), _moref(reader.this)), args, reader.version)


def version_of(soap_action: str) -> str:
    """Return pyVmomi's name of the version a ``SOAPAction`` header asks for; the newest offered if unknown."""
    match = _SOAP_ACTION.search(soap_action)
    known = support.versionMap.get(match[1]) if match else None
    return str(known or support.versionMap[f"vim25/{VERSIONS[0]}"])


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
            info = support.GetWsdlMethod(namespace, name).info
        except KeyError:
            self.unknown = True
            return {}
        return {param.name: param.type for param in info.params}

    def _read(self, name: str, tag: str, attributes: Mapping[str, str]) -> None:
        declared = support.ManagedObject if name == "_this" else self._params[name]
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
    if isinstance(value, support.ManagedObject):
        return Ref(wsdl_name(type(value)), _moref(value))
    if isinstance(value, support.DataObject):
        found = ((info.name, plain(getattr(value, info.name))) for info in properties(type(value)))
        return Obj(
            wsdl_name(type(value)), tuple((name, each) for name, each in found if each not in (None, ()))
        )
    if isinstance(value, list):
        return tuple(plain(each) for each in value)
    if isinstance(value, type):
        return str(support.GetWsdlName(value))
    if isinstance(value, str):
        return str(value)
    result: Value = value
    return result


# --- answers ------------------------------------------------------------------------------------


def answer(call: Call, value: Value, declared: str | None = None) -> bytes:
    """Write the response of a call; ``declared`` overrides the method's own result type."""
    if declared is None:
        info = support.GetWsdlMethod(NAMESPACE, call.method).info
        expected, flags = info.result, info.resultFlags
    else:
        expected, flags = vmodl_type(declared), OPTIONAL
    body = (
        ""
        if value is None or expected is support.NoneType
        else _write("returnval", value, expected, flags | OPTIONAL, call.version)
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
        elif isinstance(val, support.ManagedObject) and info.type is object:
            self._write_reference(val, info.name)
        else:
            super()._Serialize(val, info, defNS)

    def _write_reference(self, val: Any, tag: str) -> None:
        """Write a reference into an ``anyType`` field as vCenter types it.

        pyVmomi writes ``ManagedObject`` and reads both; other clients (govmomi) read only this.
        """
        kind = f'{self.xsiPrefix}type="ManagedObjectReference" type="{wsdl_name(type(val))}"'
        self.writer.write(f"<{tag} {kind}>{_moref(val)}</{tag}>")


def _write(tag: str, value: Value, expected: Any, flags: int, version: str) -> str:
    writer = io.StringIO()
    _Writer(writer, version).Serialize(
        _build(value, expected, version), _field(tag, expected, version, flags)
    )
    return writer.getvalue()


@lru_cache(maxsize=16384)
def _write_any(value: Typed, version: str) -> _Fragment:
    """Write a property's value once; bulk reads ask for the same values again and again."""
    built = _build(value.value, vmodl_type(value.declared))
    writer = io.StringIO()
    _Writer(writer, version).Serialize(built, _field("val", object, version, OPTIONAL))
    return _Fragment(writer.getvalue())


def _field(name: str, expected: Any, version: str, flags: int = 0) -> Any:
    return support.Object(name=name, type=expected, version=version, flags=flags)


def _build(value: Value, expected: Any, version: str = "") -> Any:
    """Make what pyVmomi serialises from a plain value."""
    if isinstance(value, Typed):
        return _write_any(value, version) if version else _build(value.value, vmodl_type(value.declared))
    if isinstance(value, Ref):
        return support.GetWsdlType(NAMESPACE, value.kind)(value.id)
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
    if expected is support.ManagedMethod:
        return support.GetWsdlMethod(NAMESPACE, value)
    if expected is type:
        return support.GetWsdlType(NAMESPACE, value)
    if issubclass(expected, support.Enum):
        return getattr(expected, str(value))  # an unknown value is a mistake of this server
    if isinstance(value, (int, str)) and not isinstance(value, bool):
        return expected(value)
    return value


def _build_object(value: Obj, version: str) -> Any:
    built = support.GetWsdlType(NAMESPACE, value.kind)()
    for name, each in value.fields:
        info = support.GetPropertyInfo(type(built), name)
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
    for info in properties(support.GetWsdlType(NAMESPACE, kind)):
        if (
            info.flags & OPTIONAL
            or info.type is object
            or issubclass(info.type, (list, support.ManagedObject))
        ):
            continue
        if issubclass(info.type, support.DataObject):
            found.append((info.name, _build_object(Obj(wsdl_name(info.type)), "")))
        elif issubclass(info.type, support.Enum):
            found.append((info.name, getattr(info.type, info.type.values[0])))
        elif issubclass(info.type, datetime):
            found.append((info.name, _EPOCH))
    return tuple(found)
