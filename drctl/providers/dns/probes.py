"""What a precheck asks name servers: is our key accepted, and do records read as expected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from pydantic import Field as Named
from pydantic import JsonValue, ValidationInfo, field_validator, model_validator

from drctl.core.action import NotExercised, ObjectRef
from drctl.core.bubble import Bubble
from drctl.core.duration import Duration, format_duration
from drctl.core.probe import BulkProbe, Finding, Level, Observation, Probe
from drctl.core.problem import ProviderError
from drctl.providers.dns.model import (
    Answer,
    NameServers,
    Question,
    RecordState,
    RecordType,
    Ttl,
    Zone,
    canonical_values,
    full_name,
    show,
    soa_serial,
)
from drctl.providers.dns.state import proven, read_records


class Access(Probe[NameServers]):
    """The primary owns the zone and accepts our key; the clocks are close.

    The key is proven by a signed question, which changes nothing. Whether the server's policy lets the
    key change a given record shows only in the change itself. TSIG allows clocks to differ by 300 s
    (RFC 8945, section 10); ``max_skew`` warns before that.
    """

    name: ClassVar[str] = "dns.access"
    output_names: ClassVar[frozenset[str]] = frozenset(
        {"authoritative", "refused", "serial", "clock_skew_seconds"}
    )

    zone: Zone = Named(description="A zone that the primary must own.")
    max_skew: Duration = Named(
        150.0, description="How far the clocks may be apart without a warning; TSIG refuses beyond 300 s."
    )

    def observe(self, client: NameServers) -> Observation:
        """Ask the primary with a signed message, the secondaries without; raise ``ProviderError``."""
        soa = client.signed_soa(self.zone)
        questions = [Question(server, self.zone, "SOA") for server in client.servers[1:]]
        answers = client.ask(questions)
        secondaries: list[JsonValue] = [
            {"server": answer.server, "serial": soa_serial(answer), "problem": answer.problem}
            for answer in (answers[question] for question in questions)
        ]
        return Observation(
            {
                "authoritative": soa.authoritative,
                "refused": soa.refused,
                "serial": soa.serial,
                "clock_skew_seconds": soa.clock_skew,
                "secondaries": secondaries,
            }
        )

    def judge(self, seen: Observation) -> Finding:
        """Block on a refused key or a foreign zone; warn about clocks and secondaries."""
        values = seen.values
        if values["refused"]:
            hint = "Compare name, algorithm and secret of the key with the server's, and both clocks."
            return Finding(
                Level.BLOCKER, f"updates of {self.zone} would be refused: {values['refused']}", hint=hint
            )
        if not values["authoritative"]:
            summary = f"the server is not authoritative for {self.zone}"
            return Finding(Level.BLOCKER, summary, hint="Check `zone` and `server`.", impossible=True)
        doubts = (*self._clock(values["clock_skew_seconds"]), *self._secondaries(values["secondaries"]))
        if doubts:
            return Finding(Level.WARNING, f"the key is accepted for {self.zone}; {doubts[0]}", doubts[1:])
        return Finding(Level.OK, f"the key is accepted for {self.zone}, serial {values['serial']}")

    def in_drill(self, bubble: Bubble) -> NotExercised:
        """Leave it: a drill changes no record, so it needs no key."""
        return NotExercised(f"the bubble of {bubble.site} has no zone of its own")

    def _clock(self, skew: JsonValue) -> tuple[str, ...]:
        if not isinstance(skew, (int, float)) or abs(skew) <= self.max_skew:
            return ()
        return (f"its clock is {format_duration(abs(skew))} {'ahead of' if skew > 0 else 'behind'} ours",)

    def _secondaries(self, secondaries: JsonValue) -> tuple[str, ...]:
        rows = secondaries if isinstance(secondaries, list) else []
        return tuple(
            f"secondary {row['server']} {row['problem']}"
            for row in rows
            if isinstance(row, dict) and row["problem"]
        )


class RecordAsExpected(BulkProbe[NameServers]):
    """Every authoritative server answers ``values`` or ``also``, with a TTL of at most ``max_ttl``.

    ``also`` is what the record reads after the failover, so that a second run finds nothing wrong.
    """

    name: ClassVar[str] = "dns.record.as_expected"
    output_names: ClassVar[frozenset[str]] = frozenset({"values", "ttl", "serial"})

    zone: Zone = Named(description="The zone the record is in, e.g. `clinic.example.`.")
    owner: str = Named(
        alias="name", min_length=1, description="Relative to the zone, or absolute; @ is the zone."
    )
    type: RecordType = Named(description="DNS type of the record.")
    values: tuple[str, ...] = Named(description="What every server should answer, in any order.")
    also: tuple[str, ...] = Named(
        (), description="Other values that are right too: what it reads after the failover."
    )
    max_ttl: Ttl | None = Named(
        None, description="Warn of a longer TTL: seconds, or a duration such as `60s`. Default any."
    )

    @field_validator("values", "also")
    @classmethod
    def _spell(cls, values: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if not {"zone", "type"} <= info.data.keys():
            return values
        return canonical_values(info.data["type"], values, info.data["zone"])

    @model_validator(mode="after")
    def _check(self) -> Self:
        full_name(self.owner, self.zone)
        return self

    @property
    def record(self) -> str:
        """The record's absolute name."""
        return full_name(self.owner, self.zone)

    def needs_objects(self) -> frozenset[ObjectRef]:
        """Name the record."""
        return frozenset({ObjectRef("record", f"{self.record} {self.type}")})

    @classmethod
    def observe_many(cls, probes: Sequence[Self], client: NameServers) -> list[Observation | ProviderError]:
        """Ask every server for every record at once; what the primary cannot be asked for is an error."""
        states = read_records(client, [(probe.zone, probe.record, probe.type) for probe in probes])
        found: list[Observation | ProviderError] = []
        for probe, state in zip(probes, states, strict=True):
            try:
                found.append(probe.told(state))
            except ProviderError as error:
                found.append(error)
        return found

    def told(self, state: RecordState) -> Observation:
        """Return what the servers answer; raise ``ProviderError`` when the primary cannot be asked."""
        if state.primary.unreachable:
            proven(state, self.record)
        primary = state.primary
        answers: list[JsonValue] = [_row(answer) for answer in (primary, *state.secondaries)]
        return Observation(
            {"values": list(primary.values), "ttl": primary.ttl, "serial": state.serial, "answers": answers}
        )

    def judge(self, seen: Observation) -> Finding:
        """Block on a wrong answer, warn about a long TTL or a secondary that cannot be asked."""
        answers = [_answer(row) for row in _rows(seen.values["answers"])]
        record = f"{self.record} {self.type}"
        primary = answers[0]
        if primary.problem:
            summary = f"{record}: the primary {primary.problem}"
            return Finding(Level.BLOCKER, summary, hint="Check `zone` and `server`.", impossible=True)
        wrong = [answer for answer in answers if not answer.problem and not self._accepts(answer)]
        if wrong:
            details = tuple(f"{answer.server} answers {answer.text}" for answer in wrong)
            return Finding(Level.BLOCKER, f"{record} is {self._unwanted()}: {details[0]}", details)
        doubts = (*self._long(answers), *(f"{a.server}: {a.problem}" for a in answers if a.problem))
        if doubts:
            return Finding(Level.WARNING, f"{record} is {show(primary.values)}; {doubts[0]}", doubts[1:])
        return Finding(Level.OK, f"{record} is {show(primary.values)} on every server, TTL {primary.ttl} s")

    def in_drill(self, bubble: Bubble) -> NotExercised:
        """Leave it: the record is production's, and stays as it is."""
        return NotExercised(f"{self.record} {self.type} leads to production, and stays so during a drill")

    def _accepts(self, answer: Answer) -> bool:
        return answer.values == self.values or (bool(self.also) and answer.values == self.also)

    def _unwanted(self) -> str:
        wanted = show(self.values)
        return f"neither {wanted} nor {show(self.also)}" if self.also else f"not {wanted}"

    def _long(self, answers: list[Answer]) -> tuple[str, ...]:
        most = max((answer.ttl or 0 for answer in answers), default=0)
        if self.max_ttl is None or most <= self.max_ttl:
            return ()
        return (f"its TTL is {most} s, more than {self.max_ttl} s: resolvers keep the old answer that long",)


def _row(answer: Answer) -> JsonValue:
    return {
        "server": answer.server,
        "values": list(answer.values),
        "ttl": answer.ttl,
        "problem": answer.problem,
    }


def _rows(rows: JsonValue) -> list[dict[str, JsonValue]]:
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _answer(row: dict[str, JsonValue]) -> Answer:
    values, ttl = row.get("values"), row.get("ttl")
    return Answer(
        str(row["server"]),
        tuple(str(value) for value in values) if isinstance(values, list) else (),
        ttl if isinstance(ttl, int) else None,
        str(row.get("problem") or ""),
    )
