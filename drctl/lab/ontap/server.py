"""One cluster's REST server: who asks, what for, and the answer with its paging, links and jobs."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

from drctl.lab.model import Job
from drctl.lab.net import Net, Request, Response
from drctl.lab.ontap import jobs
from drctl.lab.ontap.errors import RestError, invalid_value, no_api, no_entry, no_method
from drctl.lab.ontap.query import Query, matches, parse
from drctl.lab.ontap.records import Record, nest, values
from drctl.lab.ontap.resource import PREFIX, Array, Call, Change, Outcome, Resource, Stall, self_link
from drctl.lab.ontap.routes import RESOURCES
from drctl.lab.ontap.schema import key_of, without_links
from drctl.lab.ontap.svms import SVMS
from drctl.lab.storage import Refusal
from drctl.lab.world import World

READ_ONLY_SUFFIX = "-ro"
"""Each cluster also knows its account with this suffix, same password, with a read-only role."""

_PAGE = 10_000
"""Records per page when the caller does not say."""

_PATIENCE = 180.0
"""Real seconds after which a waiting answer is given up, whatever the lab's clock does."""

_CHANGES = frozenset({"POST", "PATCH", "DELETE"})


class Server:
    """Answers the requests to one cluster."""

    def __init__(self, world: World, endpoint: str, address: str) -> None:
        self.array = Array(world, endpoint, address)
        self.world = world

    def answer(self, request: Request) -> Response:
        """Return the answer to a request; refusals become error objects."""
        try:
            with self.world.lock:
                self._authenticate(request)
                call = self._route(request)
                reply = self._read(call) if call.method in {"GET", "HEAD"} else self._change(call)
            return reply()
        except RestError as error:
            return _encode(error.status, error.body())
        except Refusal as refusal:
            refused = RestError(refusal.status, refusal.code, refusal.message, refusal.target or "")
            return _encode(refused.status, refused.body())
        except Stall as stall:
            self._wait(stall.seconds, lambda: False)
            return _encode(stall.error.status, stall.error.body())

    # --- asking -------------------------------------------------------------------------------

    def _authenticate(self, request: Request) -> None:
        cluster = self.array.cluster
        user, password = _credentials(request.headers.get("authorization", ""))
        known = user in {cluster.username, cluster.username + READ_ONLY_SUFFIX}
        if (
            not known
            or password != cluster.password
            or self.world.faults.active("auth-expired", self.array.endpoint)
        ):
            raise RestError(401, 6691623, "User is not authorized.")
        if user != cluster.username and request.method in _CHANGES:
            raise RestError(403, 6, "not authorized for that command")

    def _route(self, request: Request) -> Call:
        path = request.path.rstrip("/")
        if not path.startswith(PREFIX + "/"):
            raise no_api(request.path)
        path = path.removeprefix(PREFIX)
        for resource in RESOURCES:
            found = resource.match(path)
            if found is not None:
                parents, keys = found
                return Call(
                    array=self.array,
                    resource=resource,
                    method=request.method,
                    path=PREFIX + path,
                    parents=parents,
                    keys=keys,
                    query=_tunnel(parse(request.query, resource.schema, resource.flags), resource, request),
                    body=_parse_body(request),
                    hal=resource.hal and _wants_links(request.headers.get("accept", "*/*")),
                )
        raise no_api(request.path)

    # --- reading ------------------------------------------------------------------------------

    def _read(self, call: Call) -> Callable[[], Response]:
        records = call.resource.listing(call)
        if call.keys or call.resource.single:
            record = _pick(call, records)
            shown = call.resource.schema.project(record, call.query.fields, single=True)
            body = _dress(shown, call)
        else:
            body = _page(call, records)
        return lambda: _encode(200, body)

    # --- changing -----------------------------------------------------------------------------

    def _change(self, call: Call) -> Callable[[], Response]:
        if call.method == "POST":
            return self._create(call)
        handler = {"PATCH": call.resource.modify, "DELETE": call.resource.remove}.get(call.method)
        if handler is None:
            raise no_method(call.method, call.path)
        if call.keys or call.resource.single:
            return self._change_one(call, handler)
        if not call.query.conditions:
            raise no_method(call.method, call.path)
        return self._change_matching(call, handler)

    def _create(self, call: Call) -> Callable[[], Response]:
        handler = call.resource.create
        if handler is None or call.keys:
            raise no_method(call.method, call.path)
        self._record(call, call.body)
        outcome = handler(call)
        return self._finish(call, outcome, created=True)

    def _change_one(self, call: Call, handler: Change) -> Callable[[], Response]:
        try:
            record = _pick(call, call.resource.listing(call))
        except RestError:
            self._record(call, {})
            raise
        self._record(call, record)
        outcome = handler(call, record)
        return self._finish(call, outcome, created=False)

    def _change_matching(self, call: Call, handler: Change) -> Callable[[], Response]:
        found = call.query.select(call.resource.listing(call))
        started: list[Record] = []
        for record in found:
            one = replace(call, keys=key_of(record, call.resource.schema.keys))
            self._record(one, record)
            outcome = handler(one, record)
            if outcome.job:
                started.append(jobs.link(outcome.job))
        body: Record = {"num_records": len(found)}
        if started:
            body["jobs"] = list(started)
        return lambda: _encode(202 if started else 200, body)

    def _record(self, call: Call, record: Record) -> None:
        if not call.dry:
            name = f"{call.method} {call.resource.path}"
            self.world.record(self.array.cluster.site, "ontap", name, call.resource.target(call, record))

    def _finish(self, call: Call, outcome: Outcome, *, created: bool) -> Callable[[], Response]:
        headers = {}
        if created and outcome.key:
            headers["Location"] = call.resource.href(call.parents, outcome.key)
        done = 201 if created else 200
        job = outcome.job
        if job is None:
            self.world.touch()
            body = _returned(call, outcome)
            return lambda: _encode(done, body, headers)
        return lambda: self._await(call, outcome, job, done, headers)

    def _await(self, call: Call, outcome: Outcome, job: Job, done: int, headers: dict[str, str]) -> Response:
        """Wait ``return_timeout`` for the job; a failure within it is answered as the error itself."""
        asked = call.query.return_timeout
        timeout = call.resource.wait if asked is None else asked
        self._wait(timeout, lambda: job.state in jobs.ENDED)
        with self.world.lock:
            if timeout and job.state == "failure":
                raise jobs.error_of(job)
            body: Record = {"job": jobs.link(job), **_returned(call, outcome)}
            in_time = timeout and job.state in jobs.ENDED
        return _encode(done if in_time else 202, body, headers)

    def _wait(self, seconds: float, until: Callable[[], bool]) -> None:
        """Wait so many estate seconds or until a condition holds; the lock must not be held."""
        if seconds <= 0:
            return
        over: list[bool] = []
        timer = self.world.after(seconds, lambda: over.append(True))
        self.world.wait(lambda: bool(over) or until(), _PATIENCE)
        timer.cancel()


def _credentials(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


def _wants_links(accept: str) -> bool:
    return not accept or "hal" in accept or "*/*" in accept


def _tunnel(query: Query, resource: Resource, request: Request) -> Query:
    """Narrow a read to the SVM named in the tunnelling headers."""
    if request.method != "GET":
        return query
    for header, name in (("x-dot-svm-name", "name"), ("x-dot-svm-uuid", "uuid")):
        if header in request.headers:
            at = name if resource is SVMS else f"svm.{name}"
            if resource.schema.knows(at):
                query = replace(query, conditions=(*query.conditions, (at, request.headers[header])))
    return query


def _parse_body(request: Request) -> Record:
    if request.method not in _CHANGES or not request.body.strip():
        return {}
    try:
        given = json.loads(request.body)
    except ValueError as error:
        raise RestError(400, 262195, f"The body is not JSON: {error}") from error
    if not isinstance(given, dict):
        raise invalid_value(given, "body", "An object is expected.")
    return nest(given)


def _pick(call: Call, records: list[Record]) -> Record:
    schema = call.resource.schema
    for record in records:
        if call.resource.single or key_of(record, schema.keys) == call.keys:
            if all(matches(record, name, wanted) for name, wanted in call.query.conditions):
                return record
            break
    raise no_entry(schema.keys[-1] if schema.keys else "")


def _dress(record: Record, call: Call) -> Record:
    return record if call.hal else without_links(record)


def _returned(call: Call, outcome: Outcome) -> Record:
    """Return the record a change made or left, when ``return_records`` asks for it."""
    if not call.query.return_records:
        return {}
    key = outcome.key or call.keys
    schema = call.resource.schema
    for record in call.resource.listing(call):
        if key_of(record, schema.keys) == key:
            return {"num_records": 1, "records": [_dress(schema.project(record, call.query.fields), call)]}
    named: Record = {name: part for name, part in zip(schema.keys, key, strict=True) if part}
    return {"num_records": 1, "records": [nest(named)]} if named else {}


def _page(call: Call, records: list[Record]) -> Record:
    schema, query = call.resource.schema, call.query
    found = query.sort(query.select(records), schema.keys)
    if query.return_records is False:
        return {"num_records": len(found)}
    first = 0
    if query.start:
        first = next(
            (n for n, record in enumerate(found) if key_of(record, schema.keys) >= query.start), len(found)
        )
        first = next((n for n, r in enumerate(found) if key_of(r, schema.keys) == query.start), first)
    size = query.max_records or _PAGE
    page = found[first : first + size]
    shown = [schema.project(record, _asked(call)) for record in page]
    body: Record = {"records": [_dress(record, call) for record in shown], "num_records": len(page)}
    if call.hal:
        raw = f"?{query.raw}" if query.raw else ""
        links = self_link(call.path + raw)
        if first + size < len(found):
            links["next"] = {"href": _next(call, found[first + size])}
        body["_links"] = links
    return body


def _asked(call: Call) -> tuple[str, ...]:
    """Return the fields a list shows: those asked for or the usual ones, and those queried by."""
    queried = tuple(name for name, _ in call.query.conditions)
    return (*(call.query.fields or call.resource.schema.brief), *queried)


def _next(call: Call, record: Record) -> str:
    kept = [part for part in call.query.raw.split("&") if part and not part.startswith("start.")]
    keys = [
        f"start.{name}={quote(str(next(values(record, name), '')), safe='')}"
        for name in call.resource.schema.keys
    ]
    return f"{call.path}?{'&'.join(keys + kept)}"


def _encode(status: int, body: Record, headers: dict[str, str] | None = None) -> Response:
    head = {"Content-Type": "application/hal+json", "Cache-Control": "no-cache,no-store,must-revalidate"}
    if status == 401:
        head["WWW-Authenticate"] = 'Basic realm="Hello there"'
    return Response(status, json.dumps(body, indent=2).encode(), head | (headers or {}))


def serve(world: World, net: Net, endpoint: str, address: str, port: int) -> None:
    """Open the REST façade of one cluster on an address of the lab."""
    server = Server(world, endpoint, address)
    site = world.estate.clusters[endpoint].site
    net.http(endpoint, site, "ontap", address, port, server.answer)
