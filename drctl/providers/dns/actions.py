"""``dns.record.set``: one RRset, on every server that answers for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

from pydantic import Field as Named
from pydantic import JsonValue, ValidationInfo, field_validator, model_validator

from drctl.core.action import (
    Action,
    Change,
    Control,
    Field,
    NotExercised,
    ObjectRef,
    Recipe,
    Reversibility,
)
from drctl.core.bubble import Bubble
from drctl.core.duration import format_duration
from drctl.core.problem import Problem, ProviderError
from drctl.providers.dns.model import (
    Answer,
    NameServers,
    RecordState,
    RecordType,
    Ttl,
    Update,
    Zone,
    canonical_values,
    full_name,
    show,
)
from drctl.providers.dns.state import proven, read_records


class SetRecord(Action[NameServers, RecordState]):
    """Make every authoritative server answer a record with these values and this TTL.

    ``values`` and ``expect`` are written as in a zone file. With ``expect``, a record that is neither
    what was expected nor already as wanted is left alone: somebody else changed it (``expect: []``
    means that there must be none). ``values: []`` removes the record and needs ``expect``.

    The update goes to the primary under the condition that the record still is what was read
    (RFC 2136, section 2.4). The step is done when every server that can be asked answers the new
    values with authority; a secondary that cannot be asked is named in ``unproven_servers``.
    """

    name: ClassVar[str] = "dns.record.set"
    reversibility: ClassVar[Reversibility] = Reversibility.REVERSIBLE
    output_names: ClassVar[frozenset[str]] = frozenset(
        {"name", "values", "ttl", "serial", "unproven_servers"}
    )
    state: ClassVar[type] = RecordState

    zone: Zone = Named(description="The zone the record is in, e.g. `clinic.example.`.")
    owner: str = Named(
        alias="name", min_length=1, description="Relative to the zone, or absolute; @ is the zone."
    )
    type: RecordType = Named(description="DNS type of the record.")
    ttl: Ttl = Named(description="How long resolvers may remember it: seconds, or a duration such as `60s`.")
    values: tuple[str, ...] = Named(
        description="What every server answers in the end; `[]` removes the record and needs `expect`."
    )
    expect: tuple[str, ...] | None = Named(
        None, description="What it must read before; `[]` means that there must be none. Default anything."
    )

    @field_validator("values", "expect")
    @classmethod
    def _spell(cls, values: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        if values is None or not {"zone", "type"} <= info.data.keys():
            return values
        return canonical_values(info.data["type"], values, info.data["zone"])

    @model_validator(mode="after")
    def _check(self) -> Self:
        full_name(self.owner, self.zone)
        if not self.values and self.expect is None:
            raise ValueError("an empty `values` removes the record: say in `expect` what may be removed")
        return self

    @property
    def record(self) -> str:
        """The record's absolute name."""
        return full_name(self.owner, self.zone)

    @property
    def key(self) -> tuple[str, str, str]:
        """Zone, absolute name and type."""
        return self.zone, self.record, self.type

    def touches(self) -> frozenset[ObjectRef]:
        """Name the record."""
        return frozenset({ObjectRef("record", f"{self.record} {self.type}")})

    def read(self, client: NameServers) -> RecordState:
        """Ask every server; raise ``ProviderError`` when the primary gives no authoritative answer."""
        return proven(read_records(client, [self.key])[0], self.record)

    @classmethod
    def read_many(cls, actions: Sequence[Self], client: NameServers) -> list[RecordState | ProviderError]:
        """Ask every server for every record at once: a silent server costs its timeout once."""
        states = read_records(client, [action.key for action in actions])
        found: list[RecordState | ProviderError] = []
        for action, state in zip(actions, states, strict=True):
            try:
                found.append(proven(state, action.record))
            except ProviderError as error:
                found.append(error)
        return found

    def diff(self, now: RecordState) -> Change | None:
        """Return the update, or what is still waited for.

        Raises:
            ProviderError: The record is neither what ``expect`` says nor as wanted.
        """
        primary = now.primary
        if primary.values != self.values:
            self._check_expected(primary)
            return Change(self._summary(primary), self._fields(primary))
        if self.values and primary.ttl != self.ttl:
            return Change(self._summary(primary), self._fields(primary))
        return self._stale(now)

    def apply(self, client: NameServers, change: Change, control: Control) -> None:
        """Send one update; where only secondaries lag there is nothing to send but to wait."""
        fields = {field.name: field for field in change.fields}
        if not fields.keys() & {"values", "ttl"}:
            control.progress(change.summary)
            return
        before = _texts(fields["values"].before) if "values" in fields else self.values
        client.update(Update(self.zone, self.record, self.type, self.ttl, before, self.values))

    def foresee(self) -> Mapping[str, JsonValue]:
        """Return the name, values and TTL."""
        return {"name": self.record, "values": list(self.values), "ttl": self.ttl}

    def outputs(self, now: RecordState) -> Mapping[str, JsonValue]:
        """Add the zone's serial, and the servers that could not be asked."""
        silent: list[JsonValue] = [answer.server for answer in now.secondaries if answer.problem]
        return {**self.foresee(), "serial": now.serial, "unproven_servers": silent}

    def undo(self, before: RecordState, change: Change) -> Recipe | None:
        """Return the former values and TTL, on condition that the record still is what this step made."""
        if not any(field.name in {"values", "ttl"} for field in change.fields):
            return None
        primary = before.primary
        return Recipe(
            self.name,
            {
                "zone": self.zone,
                "name": self.record,
                "type": self.type,
                "ttl": self.ttl if primary.ttl is None else primary.ttl,
                "values": list(primary.values),
                "expect": list(self.values),
            },
        )

    def in_drill(self, bubble: Bubble) -> NotExercised:
        """Leave it: the users of production follow this record."""
        return NotExercised(
            f"{self.record} {self.type} leads to production, and the bubble of {bubble.site} has no zone of its own"
        )

    def _check_expected(self, primary: Answer) -> None:
        if self.expect is None or primary.values == self.expect:
            return
        raise ProviderError(
            Problem(
                "dns-unexpected-value",
                f"{self.record} {self.type} is {show(primary.values)}; expected {show(self.expect)}",
                f"It is not {show(self.values)} either: somebody else changed it. It was left alone.",
                "Find out who moved it; then correct `expect`, or set the record by hand.",
            )
        )

    def _fields(self, primary: Answer) -> tuple[Field, ...]:
        fields = []
        if primary.values != self.values:
            fields.append(Field("values", list(primary.values) or None, list(self.values) or None))
        if self.values and primary.ttl != self.ttl:
            fields.append(Field("ttl", primary.ttl, self.ttl))
        return tuple(fields)

    def _summary(self, primary: Answer) -> str:
        record = f"{self.record} {self.type}"
        remembered = (
            "" if not primary.ttl else f"; resolvers may keep the old answer {format_duration(primary.ttl)}"
        )
        if primary.values == self.values:
            return f"{record}: TTL {primary.ttl} → {self.ttl} s{remembered}"
        return f"{record}: {show(primary.values)} → {show(self.values)}, TTL {self.ttl} s{remembered}"

    def _stale(self, now: RecordState) -> Change | None:
        stale = [answer for answer in now.secondaries if not answer.problem and not self._is_wanted(answer)]
        if not stale:
            return None
        servers = ", ".join(f"{answer.server} ({answer.text}, TTL {answer.ttl})" for answer in stale)
        fields = (
            Field(
                f"answer of {answer.server}", _said(answer.values, answer.ttl), _said(self.values, self.ttl)
            )
            for answer in stale
        )
        summary = f"{self.record} {self.type} is set on the primary; still the old answer: {servers}"
        return Change(summary, tuple(fields))

    def _is_wanted(self, answer: Answer) -> bool:
        return answer.values == self.values and (not self.values or answer.ttl == self.ttl)


def _said(values: tuple[str, ...], ttl: int | None) -> JsonValue:
    return {"values": list(values), "ttl": ttl} if values else None


def _texts(value: JsonValue) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()
