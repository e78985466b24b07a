"""Reading records from every authoritative server, for the action and the probes alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from drctl.core.problem import Problem, ProviderError
from drctl.providers.dns.model import Answer, NameServers, Question, RecordState, soa_serial


def read_records(client: NameServers, records: Sequence[tuple[str, str, str]]) -> list[RecordState]:
    """Ask every server for each (zone, name, type), all at once; in order."""
    primary = client.servers[0]
    questions = {Question(server, name, kind) for _, name, kind in records for server in client.servers}
    questions |= {Question(primary, zone, "SOA") for zone, _, _ in records}
    answers = client.ask(questions)
    return [_state(client, answers, *record) for record in records]


def _state(
    client: NameServers, answers: Mapping[Question, Answer], zone: str, name: str, kind: str
) -> RecordState:
    first, *others = (answers[Question(server, name, kind)] for server in client.servers)
    soa = answers[Question(client.servers[0], zone, "SOA")]
    return RecordState(first, tuple(others), soa_serial(soa))


def proven(state: RecordState, name: str) -> RecordState:
    """Return the state; raise ``ProviderError`` when the primary gave no answer to stand on."""
    primary = state.primary
    if not primary.problem:
        return state
    unreachable = primary.unreachable
    problem = Problem(
        "dns-unreachable" if unreachable else "dns-not-authoritative",
        f"primary {primary.server} {'cannot be asked for' if unreachable else 'does not own'} {name}",
        primary.problem,
        "" if unreachable else "Check `zone`, and that `server` is the primary of it.",
    )
    raise ProviderError(problem, transient=unreachable, unreachable=unreachable)
