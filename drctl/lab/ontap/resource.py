"""What a resource of the REST API is made of, and what its handlers receive and return."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from drctl.lab.model import Cluster, Job
from drctl.lab.ontap.errors import RestError
from drctl.lab.ontap.query import Query
from drctl.lab.ontap.records import Record
from drctl.lab.ontap.schema import Schema
from drctl.lab.world import World

PREFIX = "/api"


@dataclass(frozen=True)
class Array:
    """One cluster of the world, as its own REST server sees it."""

    world: World
    endpoint: str
    address: str
    """Where the cluster is managed."""

    @property
    def cluster(self) -> Cluster:
        """The cluster's records; read them under ``World.lock``."""
        return self.world.estate.clusters[self.endpoint]


@dataclass(frozen=True)
class Call:
    """One request, parsed; ``parents`` are the path's variables above the record's own keys."""

    array: Array
    resource: Resource
    method: str
    path: str
    parents: dict[str, str]
    keys: tuple[str, ...]
    query: Query
    body: Record = field(default_factory=dict)
    hal: bool = True

    @property
    def dry(self) -> bool:
        """Whether the caller wants validation alone (``validate_only=true``)."""
        return "validate_only" in self.query.flags and self.query.flag("validate_only")


@dataclass(frozen=True)
class Outcome:
    """What a changing handler did: ``job`` when it goes on, ``key`` of the record it made or left."""

    job: Job | None = None
    key: tuple[str, ...] = ()


class Stall(Exception):
    """A read that hangs for so many estate seconds and then fails."""

    def __init__(self, seconds: float, error: RestError) -> None:
        super().__init__(error.message)
        self.seconds = seconds
        self.error = error


Listing = Callable[[Call], list[Record]]
Create = Callable[[Call], Outcome]
Change = Callable[[Call, Record], Outcome]
Target = Callable[[Call, Record], str]


def target_by_name(call: Call, record: Record) -> str:
    """Return ``svm:name``, or the name or uuid of a record that belongs to no SVM."""
    svm = record.get("svm")
    prefix = f"{svm.get('name', '')}:" if isinstance(svm, dict) and svm.get("name") else ""
    own = record.get("name") or record.get("uuid") or "/".join(call.keys)
    return f"{prefix}{own}"


@dataclass(frozen=True)
class Resource:
    """One collection of the API (or a ``single`` record): where it is and what can be done with it.

    ``path`` may hold variables in braces; the keys of its schema follow it. ``flags`` are query
    parameters that are no fields. A verb without handler answers 405.
    """

    path: str
    schema: Schema
    listing: Listing
    create: Create | None = None
    modify: Change | None = None
    remove: Change | None = None
    flags: frozenset[str] = frozenset()
    single: bool = False
    hal: bool = True
    wait: int = 0
    """Estate seconds a change waits for its job when the caller gives no ``return_timeout``."""
    target: Target = target_by_name

    def match(self, path: str) -> tuple[dict[str, str], tuple[str, ...]] | None:
        """Return the path's variables and the keys behind it, None when the path is another's."""
        mine, given = self.path.strip("/").split("/"), path.strip("/").split("/")
        rest = given[len(mine) :]
        if len(given) < len(mine) or len(rest) not in ({0} if self.single else {0, len(self.schema.keys)}):
            return None
        variables = {}
        for pattern, part in zip(mine, given, strict=False):
            if pattern.startswith("{"):
                variables[pattern[1:-1]] = unquote(part)
            elif pattern != part:
                return None
        return variables, tuple(map(unquote, rest))

    def href(self, parents: dict[str, str], key: tuple[str, ...]) -> str:
        """Return the address of a record, as in ``_links.self.href`` and Location."""
        path = "/".join(
            quote(parents[part[1:-1]], safe="") if part.startswith("{") else part
            for part in self.path.strip("/").split("/")
        )
        return "/".join([f"{PREFIX}/{path}", *(quote(part, safe="") for part in key)])


def self_link(href: str) -> Record:
    """Return a HAL self link."""
    return {"self": {"href": href}}
