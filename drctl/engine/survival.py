"""What a run needs besides its steps' own endpoints, and whether that survives the loss of a site.

Known are the addresses the inventory gives a site: its endpoints', its storage's. A name server, a
secondary or a resolver standing on one of them dies with the site.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address

from drctl.core.problem import Problem
from drctl.core.provider import Endpoint
from drctl.document.place import Keys
from drctl.engine.step import Expansion, Step, Use
from drctl.engine.template import Arguments, pending_leaves
from drctl.inventory.load import Inventory

_REMOTE = {"vault": "the secret store", "command": "whatever the command asks"}


def check_survival(inventory: Inventory, expansion: Expansion, down: str) -> Iterator[Problem]:
    """Yield what would be missing with the site ``down`` gone; ``severity`` says how sure that is."""
    used = {
        step.body.endpoint
        for step in expansion.steps
        if isinstance(step.body, Use) and step.body.endpoint and step.on_error != "continue"
    }
    lost = _addresses(inventory, down)
    for name in sorted(used):
        endpoint = inventory.endpoint(name)
        if endpoint is not None and endpoint.site != down:
            yield from _endpoint(inventory, endpoint, lost, down)
    yield from _secrets(inventory, used, down)
    for step in (*expansion.steps, *expansion.prechecks):
        yield from _resolver(step, lost, down)


def _addresses(inventory: Inventory, site: str) -> dict[str, str]:
    """Return the addresses that stand at a site and nowhere else, with what they are."""
    found: dict[str, str] = {}
    elsewhere: set[str] = set()
    for there, address, what in _standing(inventory):
        if there == site:
            found.setdefault(address, what)
        else:
            elsewhere.add(address)
    return {address: what for address, what in found.items() if address not in elsewhere}


def _standing(inventory: Inventory) -> Iterator[tuple[str, str, str]]:
    """Yield every address whose site is known: (site, address, what it is)."""
    for name, (_, endpoint) in inventory.endpoints.items():
        for address in _own(endpoint):
            yield endpoint.site, address, f"endpoint {name}"
    for body in inventory.services.values():
        for datastore in body.datastores:
            for site, there in datastore.at.items():
                yield site, there.nfs_server, f"storage of {datastore.name}"
        for volume in body.volumes:
            for site, stands in volume.at.items():
                for client in stands.clients:
                    yield site, client, f"client of {volume.name}"


def _own(endpoint: Endpoint) -> list[str]:
    values = (getattr(endpoint, name, None) for name in ("host", "server"))
    return [value for value in values if isinstance(value, str)]


def _endpoint(inventory: Inventory, endpoint: Endpoint, lost: dict[str, str], down: str) -> Iterator[Problem]:
    keys: Keys = ("endpoints", endpoint.name)
    for index, secondary in enumerate(getattr(endpoint, "secondaries", ())):
        host = _host(str(secondary))
        if host in lost:
            summary = f"the secondary {secondary} of {endpoint.name} dies with {down}"
            hint = "A record counts as set when every server answers it: name only those that survive."
            problem = inventory.document.problem("survival", summary, (*keys, "secondaries", index), hint)
            yield _warning(problem)


def _secrets(inventory: Inventory, used: set[str], down: str) -> Iterator[Problem]:
    for name, secret in inventory.secrets():
        if name in used and secret.kind in _REMOTE:
            summary = f"{name} needs {secret!r}: {_REMOTE[secret.kind]} must survive the loss of {down}"
            hint = "Make sure it does, or keep a copy as env or file where drctl runs."
            yield _warning(inventory.document.problem("survival", summary, ("endpoints", name), hint))
    for name in sorted(used):
        endpoint = inventory.endpoint(name)
        for address in _own(endpoint) if endpoint is not None else ():
            if not _is_address(address):
                summary = f"{name} is reached by name: the resolver must survive the loss of {down}"
                hint = "Give its address, or check that a resolver elsewhere answers."
                yield _warning(inventory.document.problem("survival", summary, ("endpoints", name), hint))


def _resolver(step: Step, lost: dict[str, str], down: str) -> Iterator[Problem]:
    if not isinstance(step.body, Use) or not isinstance(step.body.arguments, Arguments):
        return
    for name in ("resolver", "servers"):
        value = step.body.arguments.tree.get(name)
        if value is None or pending_leaves(value):
            continue
        for server in value if isinstance(value, list) else [value]:
            if _host(str(server)) in lost:
                summary = f"{step.id} asks the name server {server}, which dies with {down}"
                detail = f"It is {lost[_host(str(server))]}."
                yield Problem(code="survival", summary=summary, detail=detail, where=step.where, step=step.id)


def _warning(problem: Problem) -> Problem:
    return Problem(
        code=problem.code,
        summary=problem.summary,
        hint=problem.hint,
        where=problem.where,
        severity="warning",
    )


def _host(text: str) -> str:
    """Return the address of ``address``, ``address:port`` or ``[address]:port``."""
    match = re.fullmatch(r"\[(.+)\](?::\d+)?|([^:]+):\d+", text)
    return (match[1] or match[2]) if match else text


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
