"""Where the types of actions and clients are erased: actions and probes become operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import JsonValue, TypeAdapter, ValidationError

from drctl.core.action import (
    Action,
    Change,
    Control,
    Handle,
    Missing,
    NotExercised,
    ObjectRef,
    Recipe,
    Reversibility,
)
from drctl.core.bubble import Bubble
from drctl.core.clients import Clients
from drctl.core.operation import Look, Operation, Seen
from drctl.core.probe import BulkProbe, Observation
from drctl.core.problem import DrctlError, Problem, ProviderError
from drctl.core.provider import Access, AnyAction, AnyProbe, Provider, Registry
from drctl.core.secret import Resolver

READERS = 16
"""Threads that read for a plan; providers and endpoints bound their own concurrency below it."""

_JSON: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])


@dataclass(frozen=True)
class _Bound:
    """What actions and probes have in common once bound."""

    uses: str
    endpoint: str | None
    site: str | None
    arguments: Mapping[str, JsonValue]
    provider: Provider = field(repr=False)
    clients: Clients = field(repr=False)

    @contextmanager
    def using(self, access: Access) -> Iterator[Any]:
        """Lend the client; an unreachable endpoint is remembered for the steps that follow.

        A secret that is not there when the connection opens is the endpoint's trouble, like any other;
        clients open theirs when it is first used.
        """
        try:
            try:
                client = self.clients.client(self.provider, self.endpoint, access)
            except DrctlError as error:
                raise ProviderError(error.problems[0]) from error
            try:
                yield client
            except DrctlError as error:
                if error.problems[0].code != "secret":
                    raise
                raise ProviderError(error.problems[0]) from error
        except ProviderError as error:
            self.clients.note(self.endpoint, error)
            raise

    def placed(self, objects: frozenset[ObjectRef]) -> frozenset[ObjectRef]:
        """Add this operation's site to objects."""
        return frozenset(ObjectRef(o.kind, o.identity, o.site or self.site or "") for o in objects)


@dataclass(frozen=True)
class BoundAction(_Bound):
    """An action, bound."""

    action: AnyAction
    kind: Literal["action"] = "action"
    in_bulk: bool = True

    @property
    def reversibility(self) -> Reversibility | None:
        """Say what it costs to go back."""
        return self.action.reversibility

    @property
    def convergent(self) -> bool:
        """Say whether it may be applied again after a crash."""
        return self.action.is_convergent()

    def touches(self) -> frozenset[ObjectRef]:
        """Name the objects it changes, with their site."""
        return self.placed(self.action.touches())

    def foresee(self) -> Mapping[str, JsonValue]:
        """Return the outputs that are certain before it runs."""
        return self.action.foresee()

    def look(self) -> Seen:
        """Read with a READ client and compare."""
        return read_bulk([self])[0]

    def compare(self, now: object) -> Seen:
        """Diff a state that was read."""
        try:
            change = self.action.diff(now)
        except (Missing, ProviderError) as error:
            return error
        if change is None:
            return Look(outputs=self.action.outputs(now))
        return Look(change=change, undo=self.action.undo(now, change))

    def apply(self, change: Change, control: Control) -> None:
        """Make the change with a WRITE client."""
        with self.using(Access.WRITE) as client:
            self.action.apply(client, change, control)

    def find_running(self, since: datetime) -> Handle | None:
        """Return a job of an earlier attempt that is still at it."""
        with self.using(Access.READ) as client:
            return self.action.find_running(client, since)

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised | None:
        """Return what a drill does instead."""
        return self.action.in_drill(bubble)


@dataclass(frozen=True)
class BoundProbe(_Bound):
    """A probe, bound."""

    probe: AnyProbe
    kind: Literal["probe"] = "probe"
    reversibility: Reversibility | None = None
    convergent: bool = True

    def touches(self) -> frozenset[ObjectRef]:
        """Return nothing: a probe changes nothing."""
        return frozenset()

    def foresee(self) -> Mapping[str, JsonValue]:
        """Return nothing: what a probe sees cannot be known before."""
        return {}

    @property
    def in_bulk(self) -> bool:
        """Say whether one look answers for many of its kind."""
        return isinstance(self.probe, BulkProbe)

    def look(self) -> Seen:
        """Observe and judge."""
        try:
            with self.using(Access.READ) as client:
                seen = self.probe.observe(client)
        except ProviderError as error:
            return error
        return self.judge(seen)

    def judge(self, seen: Observation) -> Seen:
        """Judge what was seen."""
        finding = self.probe.judge(seen)
        return Look(finding=finding, values=seen.values, outputs=seen.values)

    def apply(self, change: Change, control: Control) -> None:
        """Refuse: a probe has nothing to apply."""
        raise TypeError(f"{self.uses} is a probe")

    def find_running(self, since: datetime) -> Handle | None:
        """Return None: a probe starts no job."""
        return None

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised | None:
        """Return what a drill asks instead; None to ask this probe as it is."""
        return self.probe.in_drill(bubble)


def read_bulk(bound: Sequence[BoundAction]) -> list[Seen]:
    """Read for actions of one class on one endpoint with one client, and compare each."""
    kind: type[Action[Any, Any]] = type(bound[0].action)

    def read(client: Any) -> Sequence[Any]:
        return kind.read_many([one.action for one in bound], client)

    return _together(bound[0], read, [one.compare for one in bound])


def observe_bulk(bound: Sequence[BoundProbe]) -> list[Seen]:
    """Observe for bulk probes of one class on one endpoint with one client, and judge each."""
    probes = [one.probe for one in bound if isinstance(one.probe, BulkProbe)]

    def read(client: Any) -> Sequence[Any]:
        return type(probes[0]).observe_many(probes, client)

    return _together(bound[0], read, [one.judge for one in bound])


def _together(
    first: _Bound, read: Callable[[Any], Sequence[Any]], tell: Sequence[Callable[[Any], Seen]]
) -> list[Seen]:
    try:
        with first.using(Access.READ) as client:
            found = read(client)
    except ProviderError as error:
        return [error] * len(tell)
    for one in found:
        if isinstance(one, ProviderError):
            first.clients.note(first.endpoint, one)
    return [one if isinstance(one, ProviderError) else say(one) for say, one in zip(tell, found, strict=True)]


class ProviderBinder:
    """The ``Binder`` over a registry and a pool of clients; ``resolve`` opens secrets."""

    def __init__(self, registry: Registry, clients: Clients, resolve: Resolver) -> None:
        self._registry = registry
        self._clients = clients
        self._resolve = resolve

    def bind(
        self,
        uses: str,
        endpoint: str | None,
        arguments: Mapping[str, JsonValue],
        *,
        as_is: bool = False,
    ) -> Operation:
        """Bind as written; raise ``DrctlError`` with every problem of the arguments."""
        model = self._registry.find(uses)
        if model is None:
            raise DrctlError(Problem(code="unknown-action", summary=f"no action or probe is called {uses!r}"))
        try:
            body = model.model_validate(dict(arguments), context={"resolve": self._resolve})
        except ValidationError as error:
            raise DrctlError(*_argument_problems(uses, error)) from error
        target = self._clients.endpoint(endpoint)
        plain = _JSON.validate_python(body.model_dump(mode="json", exclude_unset=True))
        common = (uses, endpoint, target.site if target else None, plain)
        provider = self._clients.provider(uses)
        if isinstance(body, Action):
            return BoundAction(*common, provider, self._clients, body)
        return BoundProbe(*common, provider, self._clients, body)

    def look_many(self, operations: Sequence[Operation]) -> list[Seen]:
        """Look with bulk reads where the provider has them; endpoints in parallel; in order."""
        groups: dict[tuple[str, str | None, int], list[int]] = {}
        for index, operation in enumerate(operations):
            bulk = isinstance(operation, BoundAction | BoundProbe) and operation.in_bulk
            alone = -1 if bulk else index
            groups.setdefault((operation.uses, operation.endpoint, alone), []).append(index)
        results: dict[int, Seen] = {}
        with ThreadPoolExecutor(READERS, thread_name_prefix="read") as pool:
            tasks = [pool.submit(_look_group(operations, indexes)) for indexes in groups.values()]
            for task in tasks:
                results.update(task.result())
        return [results[index] for index in range(len(operations))]


def _look_group(operations: Sequence[Operation], indexes: Sequence[int]) -> Callable[[], dict[int, Seen]]:
    def look() -> dict[int, Seen]:
        members = [operations[index] for index in indexes]
        actions = [member for member in members if isinstance(member, BoundAction)]
        probes = [member for member in members if isinstance(member, BoundProbe) and member.in_bulk]
        if len(actions) == len(members):
            seen = read_bulk(actions)
        elif len(probes) == len(members):
            seen = observe_bulk(probes)
        else:
            seen = [one.look() for one in members]
        return dict(zip(indexes, seen, strict=True))

    return look


def _argument_problems(uses: str, error: ValidationError) -> list[Problem]:
    return [
        Problem(
            code="bad-argument",
            summary=f"{uses}: {'.'.join(str(part) for part in item['loc']) or 'with'}: {item['msg']}",
            hint=f"drctl explain {uses}",
        )
        for item in error.errors(include_input=False)
    ]
