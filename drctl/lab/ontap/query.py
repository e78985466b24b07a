"""The query part of a request: which records, which fields, in which order, how many.

``name=a|b``, ``name=!a``, ``name=a*``, ``size=>1024``, ``lag_time=<PT10H``, ``size=1..9``, ``nas.path=null``
and ``"quoted"`` literals, joined by AND over all names. Durations and times compare as such.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from drctl.lab.ontap.errors import RestError, invalid_value
from drctl.lab.ontap.records import Json, Record, as_bool, parse_duration, parse_time, value, values
from drctl.lab.ontap.schema import Schema

MAX_WAIT = 120
"""Upper bound of ``return_timeout``, in seconds."""

_COMPARISON = re.compile(r"(<=|>=|<|>)(.*)", re.DOTALL)
_RANGE = re.compile(r"(.+?)\.\.(.+)", re.DOTALL)

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}


def _measure(given: Json) -> float | None:
    """Return what a value is worth when compared: number, duration in seconds or epoch seconds."""
    if isinstance(given, bool) or given is None:
        return None
    if isinstance(given, (int, float)):
        return float(given)
    if not isinstance(given, str):
        return None
    try:
        return float(given)
    except ValueError:
        duration = parse_duration(given)
        return parse_time(given) if duration is None else duration


def _order(sign: str, given: Json, bound: str) -> bool:
    one, other = _measure(given), _measure(bound)
    if one is not None and other is not None:
        return _COMPARE[sign](one, other)
    if not isinstance(given, str):
        return False
    texts = sorted((given, bound))
    if given == bound:
        return "=" in sign
    return (texts[0] == given) == sign.startswith("<")


def _equals(given: Json, wanted: str) -> bool:
    if isinstance(given, bool):
        return as_bool(wanted) is given
    if isinstance(given, (int, float)):
        return _measure(wanted) == float(given)
    return isinstance(given, str) and _pattern(wanted).fullmatch(given) is not None


def _pattern(wanted: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, wanted.split("*"))), re.DOTALL)


def _test(given: Json, wanted: str) -> bool:
    """Tell whether one value meets one alternative of a condition."""
    if len(wanted) > 1 and wanted.startswith('"') and wanted.endswith('"'):
        return str(given) == wanted[1:-1]
    if match := _COMPARISON.fullmatch(wanted):
        return _order(match[1], given, match[2])
    if match := _RANGE.fullmatch(wanted):
        return _order(">=", given, match[1]) and _order("<=", given, match[2])
    return _equals(given, wanted)


def _alternatives(condition: str) -> list[str]:
    """Split at ``|`` and ``,`` outside quotes."""
    return re.findall(r'"[^"]*"|[^|,]+', condition) or [""]


def matches(record: Record, name: str, condition: str) -> bool:
    """Tell whether a record meets a condition; a list meets it when one of its items does."""
    negated = condition.startswith("!")
    wanted = condition[1:] if negated else condition
    found = list(values(record, name))
    if wanted == "null":
        hit = not found or all(item is None for item in found)
    else:
        hit = any(_test(item, choice) for item in _flat(found) for choice in _alternatives(wanted))
    return hit is not negated


def _flat(found: Iterable[Json]) -> Iterable[Json]:
    for item in found:
        if isinstance(item, list):
            yield from item
        else:
            yield item


@dataclass(frozen=True)
class Query:
    """A parsed query string; ``conditions`` and ``flags`` are what is left beside the common names."""

    raw: str = ""
    fields: tuple[str, ...] = ()
    conditions: tuple[tuple[str, str], ...] = ()
    flags: dict[str, str] = field(default_factory=dict)
    order_by: tuple[tuple[str, bool], ...] = ()
    """(field, descending)."""
    max_records: int | None = None
    start: tuple[str, ...] = ()
    """Keys of the first record of a later page."""
    return_records: bool | None = None
    return_timeout: int | None = None

    def flag(self, name: str) -> bool:
        """Return a boolean parameter; absent means false."""
        if name not in self.flags:
            return False
        found = as_bool(self.flags[name])
        if found is None:
            raise invalid_value(self.flags[name], name)
        return found

    def select(self, records: Iterable[Record]) -> list[Record]:
        """Return the records that meet every condition."""
        return [r for r in records if all(matches(r, name, wanted) for name, wanted in self.conditions)]

    def sort(self, records: list[Record], keys: tuple[str, ...]) -> list[Record]:
        """Return the records in order: as asked, then by their keys."""
        out = sorted(records, key=lambda record: tuple(str(value(record, key)) for key in keys))
        for name, descending in reversed(self.order_by):
            out.sort(key=lambda record: _rank(value(record, name)), reverse=descending)
        return out


def _rank(given: Json) -> tuple[int, float, str]:
    worth = _measure(given)
    return (0, worth, "") if worth is not None else (1, 0.0, "" if given is None else str(given))


def parse(raw: str, schema: Schema, flags: Collection[str]) -> Query:
    """Read a query string.

    Raises:
        RestError: 262179 for a name that is neither a field nor one of ``flags``; 2 for a bad value.
    """
    common: dict[str, str] = {}
    conditions: list[tuple[str, str]] = []
    fields: list[str] = []
    found: dict[str, str] = {}
    for name, given in parse_qsl(raw, keep_blank_values=True):
        if name == "fields":
            fields += [part.strip() for part in given.split(",") if part.strip()]
        elif name in _COMMON or name.startswith("start."):
            common[name] = given
        elif name in flags:
            found[name] = given
        else:
            conditions.append((name, given))
    schema.check(part for part in fields if part not in {"*", "**"})
    schema.check(name for name, _ in conditions)
    return Query(
        raw=raw,
        fields=tuple(fields),
        conditions=tuple(conditions),
        flags=found,
        order_by=_parse_order(common.get("order_by", ""), schema),
        max_records=_number(common, "max_records", 1, 2**31),
        start=tuple(given for name, given in common.items() if name.startswith("start.")),
        return_records=_boolean(common, "return_records"),
        return_timeout=_number(common, "return_timeout", 0, MAX_WAIT),
    )


_COMMON = frozenset(
    {"order_by", "max_records", "return_records", "return_timeout", "offset", "ignore_unknown_fields"}
)


def _parse_order(given: str, schema: Schema) -> tuple[tuple[str, bool], ...]:
    out = []
    for part in filter(None, (piece.strip() for piece in given.split(","))):
        name, _, direction = part.partition(" ")
        schema.check([name])
        out.append((name, direction.strip().lower() == "desc"))
    return tuple(out)


def _number(common: dict[str, str], name: str, low: int, high: int) -> int | None:
    if name not in common:
        return None
    if not common[name].isdigit() or not low <= int(common[name]) <= high:
        raise RestError(
            400, 262197, f'Value "{common[name]}" for "{name}" is out of range {low} to {high}.', name
        )
    return int(common[name])


def _boolean(common: dict[str, str], name: str) -> bool | None:
    if name not in common:
        return None
    found = as_bool(common[name])
    if found is None:
        raise invalid_value(common[name], name)
    return found
