"""The second half of expansion: fills each step's body and checks it against its action's fields."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import JsonValue

from drctl.core.action import Action
from drctl.core.problem import Problem, Source
from drctl.core.provider import AnyAction, AnyProbe, Registry
from drctl.document.place import Document, Keys
from drctl.document.shape import describe_one, field_errors, suggest
from drctl.engine.draft import Deferred, Draft, Drafts
from drctl.engine.references import References
from drctl.engine.step import Condition, Gate, Manual, Retry, Step, StepId, Until, Use
from drctl.engine.template import AllOf, Arguments, Link, Pending, Tree, pending_leaves
from drctl.inventory.load import Inventory
from drctl.runbook.expr import Expression
from drctl.runbook.model import StepBody
from drctl.runbook.text import Text, parse_text, strings
from drctl.runbook.value import ExpressionError

Class: TypeAlias = type[AnyAction] | type[AnyProbe]
Kind: TypeAlias = Literal["action", "probe"]

REHEARSED: Final = "Drill, do not carry it out; read it out, say what is missing, and confirm:"
"""What a drill says before the words of a manual step."""

_ADDRESSES = ("host", "resolver", "servers", "url")


class Bodies:
    """Builds the steps of drafts; ``problems`` collects what is wrong."""

    def __init__(self, document: Document, inventory: Inventory, registry: Registry, drafts: Drafts) -> None:
        self.problems: list[Problem] = []
        self._document = document
        self._inventory = inventory
        self._registry = registry
        self._drafts = drafts
        self._references = References(drafts, self._outputs_of)
        self._classes: dict[StepId, Class | None] = {}
        for draft in drafts.drafts:
            self._classes[draft.id] = self._class(draft)
        self._sites = _address_sites(inventory)

    def build(self, draft: Draft) -> Step | None:
        """Return the step, ``needs`` still empty; None when it has problems."""
        before = len(self.problems) + len(self._drafts.problems)
        body = self._body(draft)
        when = self._when(draft)
        until = self._until(draft)
        title = self._text(draft.body.title, (*draft.keys, "title"), draft)
        if body is None or len(self.problems) + len(self._drafts.problems) > before:
            return None
        outer = draft.outer
        retry = draft.body.retry
        return Step(
            id=draft.id,
            title=title or draft.id,
            phase=draft.phase,
            body=body,
            where=self._document.value((*draft.keys, "id")),
            service=draft.service,
            item=draft.item,
            chain=draft.chain,
            on_error=draft.body.on_error or (outer.on_error if outer else None) or "stop",
            retry=None if retry is None else Retry(retry.attempts, retry.every, retry.backoff),
            timeout=draft.body.timeout,
            until=until,
            when=when,
            lane=draft.lane,
            reaches=self._reaches(body),
            definition=draft.definition,
            not_exercised=self._not_exercised(draft),
        )

    def _not_exercised(self, draft: Draft) -> str:
        """Say why a drill leaves a step out, where the runbook says so."""
        said = draft.body.drill or (draft.outer.drill if draft.outer else None)
        drill = self._drafts.mode == "drill"
        return "the runbook leaves it out of drills" if drill and said == "skip" else ""

    def _outputs_of(self, draft: Draft) -> Collection[str] | None:
        if draft.body.uses is None:
            return frozenset()
        found = self._classes[draft.id]
        return None if found is None else found.output_names

    def _problem(self, code: str, summary: str, keys: Keys, hint: str = "") -> None:
        self.problems.append(self._document.problem(code, summary, keys, hint))

    def _class(self, draft: Draft) -> Class | None:
        if draft.body.uses is None:
            return None
        keys: Keys = (*draft.written, "uses")
        uses = self._text(draft.body.uses, keys, draft)
        if uses is None:
            return None
        found = self._registry.find(uses)
        if found is None:
            hint = suggest(uses, self._registry.all_names())
            self._problem("unknown-uses", f"no action or probe is called {uses!r}", keys, hint)
        elif keys[0] == "prechecks" and issubclass(found, Action):
            self._problem("precheck", f"{uses} changes things; a precheck only looks", keys, "Use a probe.")
            return None
        return found

    def _body(self, draft: Draft) -> Use | Gate | Manual | None:
        body = draft.body
        if body.gate is not None:
            ask = self._text(body.gate.ask, (*draft.keys, "gate", "ask"), draft)
            return Gate(ask or "", body.gate.role, body.gate.timeout, body.gate.on_timeout)
        if body.manual is not None:
            do = self._text(body.manual.do, (*draft.keys, "manual", "do"), draft)
            if self._drafts.mode == "drill":
                do = f"{REHEARSED} {do}"
            return Manual(do or "", body.manual.role, body.manual.evidence, body.manual.confirms)
        found = self._classes[draft.id]
        return None if found is None else self._use(draft, found)

    def _use(self, draft: Draft, found: Class) -> Use | None:
        endpoint, site = self._endpoint(draft, found)
        tree = self._arguments(draft)
        if tree is None:
            return None
        self._check_arguments(found, tree, draft)
        arguments = Arguments(tree)
        kind: Kind = "action" if issubclass(found, Action) else "probe"
        return Use(found.name, kind, endpoint, site, arguments, arguments.references, as_is=draft.drilled)

    def _endpoint(self, draft: Draft, found: Class) -> tuple[str | None, str | None]:
        keys: Keys = (*draft.written, "on")
        provider = found.name.split(".", 1)[0]
        needed = self._registry.provider(provider).endpoint is not None
        name = self._value(draft.body.on, keys, draft) if draft.body.on is not None else None
        if isinstance(name, Pending):
            return None, None
        if name is None:
            if needed and draft.body.on is None:
                self._problem("endpoint", f"{found.name} needs 'on': the endpoint it talks to", draft.keys)
            elif needed:
                self._problem("endpoint", "the endpoint is empty here", keys)
            return None, None
        if not needed:
            self._problem("endpoint", f"{found.name} has no endpoint", keys, "Remove 'on'.")
            return None, None
        entry = self._inventory.endpoints.get(name) if isinstance(name, str) else None
        if entry is None:
            hint = suggest(str(name), self._inventory.endpoints)
            self._problem("unknown-endpoint", f"no endpoint is called {name!r}", keys, hint)
            return None, None
        if entry[0] != provider:
            self._problem("endpoint-type", f"{name!r} is of type {entry[0]}; {provider} is due here", keys)
        return str(name), entry[1].site

    def _arguments(self, draft: Draft) -> dict[str, Tree] | None:
        keys: Keys = (*draft.written, "with")
        given = draft.body.with_
        if given is None:
            return {}
        if isinstance(given, dict):
            return {name: self._tree(value, (*keys, name), draft) for name, value in given.items()}
        found = self._value(given, keys, draft)
        if isinstance(found, dict):
            return dict(found)
        if not isinstance(found, Pending):
            self._problem("wrong-type", "'with' needs a mapping", keys)
        return None

    def _tree(self, value: JsonValue, keys: Keys, draft: Draft) -> Tree:
        if isinstance(value, str):
            return self._value(value, keys, draft)
        if isinstance(value, dict):
            return {key: self._tree(one, (*keys, key), draft) for key, one in value.items()}
        if isinstance(value, list):
            return [self._tree(one, (*keys, index), draft) for index, one in enumerate(value)]
        return value

    def _value(self, text: str, keys: Keys, draft: Draft) -> JsonValue | Pending:
        """Fill a string in, or keep it waiting; what is wrong is noted, and waits for ever."""
        if "{{" not in text:
            return text
        try:
            parts = parse_text(text, self._drafts.language)
            links: list[Link] = []
            for hole in parts.holes:
                links += self._links(hole.expression, draft, hole.offset)
            if not links:
                return parts.fill(draft.scope)
            where = self._document.within(keys, text, parts.holes[0].offset)
            return Pending(parts, draft.scope, tuple(links), where)
        except ExpressionError as error:
            self._drafts.note(error, keys, text, draft.id)
            return _wrong(self._document.value(keys))

    def _links(self, expression: Expression, draft: Draft, offset: int) -> tuple[Link, ...]:
        try:
            links = self._references.link(expression, draft)
            if links:
                expression.check_members(draft.scope)
        except ExpressionError as error:
            raise error.moved(offset) from error
        return links

    def _text(self, text: str | None, keys: Keys, draft: Draft) -> str | None:
        if text is None:
            return None
        value = self._value(text, keys, draft)
        if isinstance(value, str):
            return value
        if not isinstance(value, Pending):
            self._problem("wrong-type", "a text is due here", keys)
        return None

    def _condition(self, deferred: Deferred, draft: Draft) -> Condition | None:
        expression, keys = deferred
        try:
            links = self._links(expression, draft, 0)
            return Pending(expression, draft.scope, links, self._document.value(keys))
        except ExpressionError as error:
            self._drafts.note(error, keys, expression.text, draft.id)
            return None

    def _when(self, draft: Draft) -> Condition | None:
        conditions = [self._condition(one, draft) for one in draft.when]
        complete = tuple(one for one in conditions if one is not None)
        if len(complete) < 2:
            return complete[0] if complete else None
        return AllOf(complete)

    def _until(self, draft: Draft) -> Until | None:
        rule = draft.body.until
        if rule is None:
            return None
        found = self._classes[draft.id]
        if found is not None and issubclass(found, Action):
            summary = "'until' repeats a probe; an action is waited for by its own fields"
            self.problems.append(self._document.key_problem("until", summary, (*draft.keys, "until")))
        when = None
        if rule.when is not None:
            keys: Keys = (*draft.keys, "until", "when")
            when = self._condition((self._drafts.language.parse(rule.when), keys), draft)
        return Until(rule.timeout, rule.every, when)

    def _check_arguments(self, found: Class, tree: Mapping[str, Tree], draft: Draft) -> None:
        """Check the fields that are known; what was written out literally is not converted."""
        waiting = {name for name, value in tree.items() if pending_leaves(value)}
        data: dict[str, JsonValue] = {
            name: value  # type: ignore[misc]  # nothing in it waits, so it is JSON
            for name, value in tree.items()
            if name not in waiting
        }
        written = _literal_fields(draft.body)
        keys: Keys = (*draft.written, "with")
        for details in field_errors(found, data, written.__contains__):
            name = details["loc"][0] if details["loc"] else None
            if name in waiting or (name is None and waiting):
                continue
            problem = describe_one(details, self._document, keys, found)
            self.problems.append(_said_where(problem, draft))

    def _reaches(self, body: Use | Gate | Manual) -> frozenset[str]:
        """Return the sites that must answer: the endpoint's, and those of addresses that it asks."""
        if not isinstance(body, Use) or not isinstance(body.arguments, Arguments):
            return frozenset()
        named = {name: value for name, value in body.arguments.tree.items() if name in _ADDRESSES}
        hosts = {
            _host(text)
            for value in named.values()
            if not pending_leaves(value)
            for _, text in strings(value)  # type: ignore[arg-type]  # nothing waits, so it is JSON
        }
        found = {self._sites[host] for host in hosts if host in self._sites}
        return frozenset(found | {body.site} if body.site else found)


def _wrong(where: Source) -> Pending:
    """Return what stands for a value that could not be made, so that nothing else complains about it."""
    return Pending(Text(()), {}, (), where)


def _said_where(problem: Problem, draft: Draft) -> Problem:
    detail = f"{draft.id} shows it." if draft.item else ""
    return replace(problem, step=draft.id, detail=problem.detail or detail)


def _literal_fields(body: StepBody) -> frozenset[str]:
    if not isinstance(body.with_, dict):
        return frozenset()
    return frozenset(
        name for name, value in body.with_.items() if not any("{{" in text for _, text in strings(value))
    )


def _host(text: str) -> str:
    """Return the host of a URL, ``address:port`` or plain name."""
    if "://" in text:
        return urlsplit(text).hostname or ""
    head, _, port = text.rpartition(":")
    return head.strip("[]") if port.isdigit() and head else text


def _address_sites(inventory: Inventory) -> dict[str, str]:
    """Return the site of each endpoint's address; an address used at two sites says nothing."""
    found: dict[str, set[str]] = {}
    for _, endpoint in inventory.endpoints.values():
        for name in ("host", "server"):
            address = getattr(endpoint, name, None)
            if isinstance(address, str):
                found.setdefault(address, set()).add(endpoint.site)
    return {address: sites.pop() for address, sites in found.items() if len(sites) == 1}
