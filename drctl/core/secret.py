"""A secret is a reference until a connection opens; it never prints and never serialises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias, final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

KINDS: Final[Mapping[str, str]] = {
    "env": "Name of the environment variable that holds it.",
    "file": "File that only its owner can read; relative to the inventory.",
    "keyring": "SERVICE/USER in the desktop's keyring.",
    "command": "Program and arguments that print it; no shell reads them.",
    "vault": "PATH#FIELD in HashiCorp Vault or OpenBao.",
}
"""Where a secret may be, each with what its reference says."""

Resolver: TypeAlias = Callable[[str, str], str]
"""Turns (kind, place) into the value; raises ``DrctlError`` when it cannot."""


@final
class Secret:
    """A reference such as ``{env: ONTAP_LYON}``; ``reveal`` asks the resolver it was loaded with.

    As a pydantic field it accepts a mapping with exactly one of ``KINDS`` and takes its resolver
    from the validation context (``{"resolve": resolver}``). It prints and serialises as
    ``env:ONTAP_LYON``, never as the value.
    """

    __slots__ = ("_resolve", "kind", "place")

    def __init__(self, kind: str, place: str, resolve: Resolver | None = None) -> None:
        self.kind = kind
        self.place = place
        self._resolve = resolve

    def reveal(self) -> str:
        """Return the value; raise ``DrctlError`` when the reference leads nowhere."""
        if self._resolve is None:
            raise LookupError(f"{self} was loaded without a resolver")
        return self._resolve(self.kind, self.place)

    def __repr__(self) -> str:
        return f"{self.kind}:{self.place}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self.kind, self.place) == (other.kind, other.place)

    def __hash__(self) -> int:
        return hash((self.kind, self.place))

    @classmethod
    def _validate(cls, value: object, info: ValidationInfo) -> Secret:
        if isinstance(value, Secret):
            return value
        if isinstance(value, dict) and len(value) == 1:
            kind, place = next(iter(value.items()))
            if kind in KINDS and isinstance(place, str):
                context = info.context if isinstance(info.context, dict) else {}
                return cls(kind, place, context.get("resolve"))
        raise PydanticCustomError(
            "secret",
            "a secret is a reference: one of {kinds}, e.g. {{env: NAME}}",
            {"kinds": ", ".join(KINDS)},
        )

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            cls._validate, serialization=core_schema.plain_serializer_function_ser_schema(repr)
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {
            "description": "Reference to a secret; never the secret itself.",
            "type": "object",
            "properties": {kind: {"type": "string", "description": says} for kind, says in KINDS.items()},
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        }
