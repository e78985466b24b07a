"""One connection to one cluster, over NetApp's client; the only module that imports it.

What NetApp's client does by itself and a failover cannot have, and where it is undone here:

- it lets ``REQUESTS_CA_BUNDLE`` replace the CA file it was given: the session ignores the environment;
- it resends requests up to five times: only reads may be resent, once;
- it sends the difference to the last known state, and drops names it does not know: every change is a
  fresh object, and what leaves is compared with what was meant;
- it follows a POST's Location with sleeps: the header is taken away, callers read again;
- it refuses answers with words it does not know: they are taken raw;
- it loses the code of a failed job: jobs are followed by ``client.Client``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from importlib import import_module
from typing import Protocol, cast

from netapp_ontap.error import NetAppRestError
from netapp_ontap.host_connection import HostConnection
from pydantic import JsonValue
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.exceptions import (
    ConnectTimeout,
    HTTPError,
    InvalidJSONError,
    RequestException,
    SSLError,
)
from typing_extensions import override
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError
from urllib3.util import Retry

from drctl.core.clock import Clock
from drctl.core.problem import Problem, ProviderError, ReadOnlyError
from drctl.core.provider import Access
from drctl.providers.ontap import problems
from drctl.providers.ontap.model import OntapEndpoint
from drctl.providers.ontap.request import Request

READ = 30.0
"""Seconds for an answer to a read; ONTAP itself gives up after 15."""

CHANGE = 120.0
"""Seconds for an answer to a change: a break with the peer down has been seen to take more than 60
(netapp.ontap issue 204)."""

IDLE = 30.0
"""Seconds after which a connection is not trusted any more: firewalls forget sessions silently, and a
change lost in one would be a change in doubt."""

_READS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass
class _Traffic:
    """What an adapter knows about the request under way, and what it learnt from the last answer."""

    body: Mapping[str, JsonValue] | None = None
    skew: float | None = None
    used: float = field(default=0.0)


class _Dropped(Exception):  # noqa: N818 - never leaves this module
    """The library was about to send something else than it was given."""


class _Adapter(HTTPAdapter):
    """Where every byte passes: refuses changes on read-only connections, bounds waiting, counts time."""

    def __init__(self, endpoint: OntapEndpoint, access: Access, clock: Clock, traffic: _Traffic) -> None:
        self._endpoint = endpoint
        self._access = access
        self._clock = clock
        self._traffic = traffic
        super().__init__(pool_connections=1, pool_maxsize=1)

    @override
    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: object) -> None:
        """Expect the name of ``tls_name`` in the certificate, where the endpoint has one."""
        if self._endpoint.tls_name:
            kwargs |= {"assert_hostname": self._endpoint.tls_name, "server_hostname": self._endpoint.tls_name}
        super().init_poolmanager(connections, maxsize, block=block, **kwargs)

    @override
    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: object = None,
        verify: bool | str = True,
        cert: object = None,
        proxies: object = None,
    ) -> Response:
        """Send once (a read: at most twice), with our own time limits."""
        reading = request.method in _READS
        if not reading:
            self._guard(request)
        # ONTAP reads a plus sign in a query as a plus sign, not as a space.
        path, mark, query = (request.url or "").partition("?")
        request.url = path + mark + query.replace("+", "%20")
        begun = self._clock.monotonic()
        if begun - self._traffic.used > IDLE:
            self.poolmanager.clear()
        self.max_retries = Retry(1, connect=0, redirect=0, other=0) if reading else Retry(0, read=False)
        limits = (self._endpoint.connect_timeout, READ if reading else CHANGE)
        response = super().send(request, stream=stream, timeout=limits, verify=verify)
        self._learn(response, self._clock.monotonic() - begun)
        response.headers.pop("Location", None)
        return response

    def _guard(self, request: PreparedRequest) -> None:
        if self._access is not Access.WRITE:
            path = re.sub(r"^https?://[^/]*/api", "", request.url or "")
            raise ReadOnlyError(f"{request.method} {path}", self._endpoint.name)
        sent = json.loads(request.body or "{}")
        if sent != self._traffic.body:
            raise _Dropped(f"{request.method}: meant {self._traffic.body}, would have sent {sent}")

    def _learn(self, response: Response, took: float) -> None:
        self._traffic.used = self._clock.monotonic()
        try:
            told = parsedate_to_datetime(response.headers.get("Date", ""))
        except ValueError:
            return
        # The header counts whole seconds: the middle of the second is the best guess.
        theirs = told.replace(tzinfo=told.tzinfo or UTC) + timedelta(seconds=0.5)
        skew = (theirs - self._clock.now()).total_seconds() + took / 2
        self._traffic.skew = 0.0 if abs(skew) < 1.0 else round(skew, 1)


class _Answer(Protocol):
    http_response: Response


class _Resource(Protocol):
    """The part of NetApp's ``Resource`` that is used here."""

    @property
    def instance_location(self) -> str: ...


class _Send(Protocol):
    def __call__(self, *, poll: bool, connection: HostConnection, **query: str) -> _Answer: ...


class _Raw(Protocol):
    resource_data: Mapping[str, JsonValue]


class _ResourceType(Protocol):
    def from_dict(self, data: Mapping[str, JsonValue], *parents: str, strict: bool) -> _Resource: ...

    def fast_get_collection(
        self, *parents: str, connection: HostConnection, **query: str
    ) -> Iterator[_Raw]: ...


def _resource(name: str) -> _ResourceType:
    """Import one class of NetApp's client (all 331 take most of a second)."""
    module = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    return cast("_ResourceType", getattr(import_module(f"netapp_ontap.resources.{module}"), name))


class Wire:
    """A connection used by one thread; opens on the first request."""

    def __init__(self, endpoint: OntapEndpoint, access: Access, password: str, clock: Clock) -> None:
        if endpoint.ca_file is not None and not endpoint.ca_file.is_file():
            raise ProviderError(_no_ca_file(endpoint))
        self._endpoint = endpoint
        self._traffic = _Traffic()
        self._connection = HostConnection(
            endpoint.host,
            username=endpoint.username,
            password=password,
            port=endpoint.port,
            verify=cast("bool", str(endpoint.ca_file) if endpoint.ca_file else True),
        )
        session = self._connection.session
        session.trust_env = False
        adapter = _Adapter(endpoint, access, clock, self._traffic)
        session.adapters.clear()
        session.mount("https://", adapter)
        session.mount(self._connection.origin, adapter)

    @property
    def skew(self) -> float | None:
        """The array's clock minus ours, in seconds, as of the last answer; None before the first."""
        return self._traffic.skew

    def rows(
        self, resource: str, parents: tuple[str, ...], query: Mapping[str, str]
    ) -> list[Mapping[str, JsonValue]]:
        """Return the records of a collection, all pages."""
        with self._errors(f"list {_plural(resource)}", changing=False):
            found = _resource(resource).fast_get_collection(*parents, connection=self._connection, **query)
            return [record.resource_data for record in found]

    def row(
        self, resource: str, keys: Mapping[str, JsonValue], query: Mapping[str, str]
    ) -> Mapping[str, JsonValue] | None:
        """Return one record by its keys, None when the array does not know it (404)."""
        try:
            with self._errors(f"read a {_words(resource)}", changing=False):
                # Not the library's get(): it refuses an answer with a word it does not know, such as the
                # states "cancelled" and "expired" of a job.
                location = _resource(resource).from_dict(keys, strict=True).instance_location
                url = f"{self._connection.origin}{location}"
                response = self._connection.session.get(url, params=dict(query))
                response.raise_for_status()
                body = response.json()
        except ProviderError as error:
            if problems.code_of(error) in {problems.ENTRY_MISSING, 404}:
                return None
            raise
        return body if isinstance(body, dict) else {}

    def send(self, request: Request) -> str | None:
        """Send a change once; return the uuid of the job it started, None when it is done already."""
        with self._errors(request.doing, changing=True):
            # Built from its keys alone: what is set afterwards is what the library takes for changed.
            made = _resource(request.resource).from_dict(dict(request.keys), *request.parents, strict=True)
            for name, value in request.body.items():
                setattr(made, name, value)
            self._traffic.body = request.body
            call = cast("_Send", getattr(made, request.method.lower()))  # not all have all three
            answer = call(poll=False, connection=self._connection, **request.query)
        return _job_of(answer.http_response)

    def command(
        self, path: str, query: Mapping[str, str], body: Mapping[str, JsonValue] | None = None
    ) -> list[Mapping[str, JsonValue]]:
        """Run what only the command line has, over ``/private/cli``: list records, or change with a body.

        NetApp promises these paths to work and documents none ("CLI passthrough" in its reference).
        """
        doing = f"run {path.replace('/', ' ')}"
        with self._errors(doing, changing=body is not None):
            url, session = f"{self._connection.origin}/api/private/cli/{path}", self._connection.session
            self._traffic.body = body
            if body is None:
                response = session.get(url, params=dict(query))
            else:
                response = session.post(url, params=dict(query), json=dict(body))
            response.raise_for_status()
            found = response.json().get("records", []) if response.content else []
        return [record for record in found if isinstance(record, dict)]

    def close(self) -> None:
        """Close the connection."""
        self._connection.session.close()

    @contextmanager
    def _errors(self, doing: str, *, changing: bool) -> Iterator[None]:
        """Turn what the library raises into ``ProviderError``."""
        try:
            yield
        except RequestException as error:
            raise self._translate(error, doing, changing=changing) from error
        except NetAppRestError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, RequestException):
                raise self._translate(cause, doing, changing=changing) from error
            raise problems.unexpected_answer(
                doing, self._endpoint.name, str(error), changing=changing
            ) from error
        except _Dropped as error:
            problem = Problem(
                code="ontap-not-sent",
                summary=f"refused to {doing}: NetApp's client would have sent something else",
                detail=str(error),
                hint="Nothing was sent. Use another version of netapp-ontap.",
                endpoint=self._endpoint.name,
            )
            raise ProviderError(problem) from error

    def _translate(self, cause: RequestException, doing: str, *, changing: bool) -> ProviderError:
        name, address = self._endpoint.name, f"{self._endpoint.host}:{self._endpoint.port}"
        if isinstance(cause, HTTPError) and cause.response is not None:
            return _refused(cause.response, doing, name, changing=changing)
        if isinstance(cause, SSLError):
            text = str(cause)
            if "CERTIFICATE_VERIFY_FAILED" in text or "doesn't match" in text:
                return problems.untrusted(name, address, _plain(text))
        if _never_connected(cause):
            return problems.unreachable(name, address, _plain(str(cause)))
        if isinstance(cause, InvalidJSONError):
            return problems.unexpected_answer(doing, name, "it is not JSON", changing=changing)
        return problems.no_reply(doing, name, _plain(str(cause)), changing=changing)


def _no_ca_file(endpoint: OntapEndpoint) -> Problem:
    return Problem(
        code="ontap-ca-file",
        summary=f"the ca_file of {endpoint.name} does not exist: {endpoint.ca_file}",
        hint="Save the certificate of the cluster's issuer there, in PEM.",
        endpoint=endpoint.name,
    )


def _never_connected(cause: RequestException) -> bool:
    if isinstance(cause, ConnectTimeout):
        return True
    inner = cause.args[0] if cause.args else None
    return isinstance(inner, MaxRetryError) and isinstance(
        inner.reason, (NewConnectionError, ConnectTimeoutError)
    )


def _refused(response: Response, doing: str, endpoint: str, *, changing: bool) -> ProviderError:
    try:
        error = response.json().get("error", {})
    except (ValueError, AttributeError):
        error = {}
    code, status = str(error.get("code", "")), response.status_code
    if changing and status >= 500 and status != 503 and not code.isdigit():
        return problems.no_reply(doing, endpoint, f"HTTP status {status}", changing=True)
    return problems.refusal(
        doing,
        endpoint,
        int(code) if code.isdigit() else None,
        str(error.get("message", "")),
        str(error.get("target", "")),
        status=status,
    )


def _job_of(response: Response) -> str | None:
    try:
        job = response.json().get("job")
    except (ValueError, AttributeError):
        return None
    if not isinstance(job, dict):
        return None
    href = job.get("_links", {}).get("self", {}).get("href", "")
    return str(job.get("uuid") or href.rstrip("/").rpartition("/")[2]) or None


_REASONS = (
    ("timed out", "no answer in time"),
    ("refused", "connection refused"),
    ("Name or service not known", "its name does not resolve"),
    ("No route to host", "no route to host"),
    ("unreachable", "network unreachable"),
    ("certificate has expired", "it has expired"),
    ("self-signed", "its issuer is not in the ca_file"),
    ("unable to get local issuer", "its issuer is not in the ca_file"),
    ("mismatch", "it is made out to another name"),
    ("doesn't match", "it is made out to another name"),
    ("closed connection", "the connection was closed"),
    ("reset by peer", "the connection was reset"),
)


def _plain(text: str) -> str:
    """Say in a few words what the libraries wrap into four layers of exceptions."""
    return next((words for mark, words in _REASONS if mark in text), text)


def _plural(resource: str) -> str:
    words = _words(resource)
    return f"{words[:-1]}ies" if words.endswith("y") else f"{words}s"


def _words(resource: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", " ", resource).lower()
