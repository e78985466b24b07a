"""A drill runs the failover's own steps: each is put in its place in the bubble when it is bound.

The guard stands where a step becomes an operation, so it holds for the plan and for the run alike:
nothing that would touch anything but the bubble is ever handed to a worker.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from pydantic import JsonValue

from drctl.core.action import NotExercised, ObjectRef
from drctl.core.bubble import Bubble
from drctl.core.operation import Binder, Operation, Seen, Unexercised
from drctl.core.problem import DrctlError, Problem
from drctl.inventory.load import Inventory

_ADDRESSES: Final = ("url", "host", "resolver", "servers")
"""Arguments by which a check without an endpoint says whom it asks."""


def bubble_of(inventory: Inventory, site: str, run_id: str) -> Bubble:
    """Return where drills live on a site; raise ``DrctlError`` when the inventory gives it no bubble."""
    body = inventory.bubble.get(site)
    if body is None:
        summary = f"the inventory has no bubble at {site}: there is no isolated place to drill in"
        hint = f"Add bubble: {{{site}: {{networks: …, folder: …, via: …}}}}."
        raise DrctlError(inventory.document.problem("bubble", summary, ("bubble",), hint))
    return Bubble(
        site=site,
        networks=body.networks,
        folder=body.folder,
        suffix=body.suffix,
        junction_prefix=body.junction_prefix,
        via=body.via,
        addresses=body.addresses,
        run_id=run_id,
    )


def production_of(inventory: Inventory) -> frozenset[str]:
    """Return the identities of everything the inventory calls production, on every site."""
    return frozenset(_identities(inventory))


def _identities(inventory: Inventory) -> Iterator[str]:
    for service in inventory.services.values():
        yield from (vm.name for vm in service.vms)
        yield from (datastore.name for datastore in service.datastores)
        for volume in service.volumes:
            for there in volume.at.values():
                yield f"{there.svm}:{there.volume}"
                if there.junction is not None:
                    yield f"{there.svm}:{there.junction}"


class DrillBinder:
    """A ``Binder`` that binds what each action does in the bubble instead; ``outside`` binds as written."""

    def __init__(self, outside: Binder, bubble: Bubble, production: frozenset[str] = frozenset()) -> None:
        self.outside = outside
        self._bubble = bubble
        self._production = production

    def bind(
        self,
        uses: str,
        endpoint: str | None,
        arguments: Mapping[str, JsonValue],
        *,
        as_is: bool = False,
    ) -> Operation:
        """Bind the substitute of a step; with ``as_is`` (the runbook's own word for drills) the step itself.

        Raises:
            Unexercised: a drill leaves this step out.
            DrctlError: it is wrong in itself, or would touch something outside the bubble.
        """
        real = self.outside.bind(uses, endpoint, arguments)
        if as_is or (endpoint is not None and endpoint == self._bubble.via):
            return self._guard(real)  # a step on the way in is in the bubble as it is written
        if real.site not in {None, self._bubble.site}:
            reason = f"it is about {real.site}; a drill stays in the bubble at {self._bubble.site}"
            raise Unexercised(reason, real.foresee())
        instead = real.in_drill(self._bubble)
        if isinstance(instead, NotExercised):
            raise Unexercised(instead.reason, real.foresee())
        if instead is None:
            return self._guard(real)
        return self._guard(self.outside.bind(instead.uses, instead.endpoint or endpoint, instead.arguments))

    def look_many(self, operations: Sequence[Operation]) -> list[Seen]:
        """Look; reading harms nothing."""
        return self.outside.look_many(operations)

    def _guard(self, operation: Operation) -> Operation:
        """Return the operation if it stays inside; raise ``DrctlError`` naming what does not."""
        strays = list(self._strays(operation))
        if strays:
            raise DrctlError(
                *(
                    Problem(
                        code="outside-bubble",
                        summary=f"in a drill {operation.uses} would leave the bubble: {stray}",
                        detail=f"The bubble is at {self._bubble.site}; its names end in "
                        f"{self._bubble.suffix}, its junctions begin with {self._bubble.junction_prefix}.",
                        hint="Correct bubble: in the inventory or drill: of the step, or say drill: skip.",
                        endpoint=operation.endpoint,
                    )
                    for stray in strays
                )
            )
        return operation

    def _strays(self, operation: Operation) -> Iterator[str]:
        if operation.kind == "probe":
            yield from self._stray_question(operation)
            return
        touched = operation.touches()
        if not touched:
            yield "it does not say what it touches"
        for thing in sorted(touched, key=str):
            if not self._owns(thing, operation.endpoint):
                yield f"it touches {thing} at {thing.site or 'no site'}"
        yield from self._stray_places(operation.arguments)

    def _owns(self, thing: ObjectRef, endpoint: str | None) -> bool:
        return self._bubble.contains(thing, endpoint) and thing.identity not in self._production

    def _stray_places(self, arguments: Mapping[str, JsonValue]) -> Iterator[str]:
        """Yield folders and networks that are not the bubble's: no object's name shows those."""
        folder = arguments.get("folder")
        if folder is not None and folder != self._bubble.folder:
            yield f"it uses the folder {folder}"
        networks = arguments.get("networks")
        named = networks.values() if isinstance(networks, dict) else networks
        for network in named if isinstance(named, Sequence | type({}.values())) else ():
            if not self._bubble.is_isolated(str(network)):
                yield f"it uses the network {network}"

    def _stray_question(self, operation: Operation) -> Iterator[str]:
        """Yield why a probe would be answered by something outside."""
        bubble = self._bubble
        if operation.endpoint is None:
            inside = set(bubble.addresses.values())
            asked = {host for name in _ADDRESSES for host in _hosts(operation.arguments.get(name))}
            if not asked or not asked <= inside:
                yield f"it asks {', '.join(sorted(asked - inside)) or 'nobody it names'}"
        elif operation.site != bubble.site:
            yield f"it asks {operation.endpoint} at {operation.site}"
        elif operation.uses.startswith("ssh.") and operation.endpoint != bubble.via:
            yield f"it asks through {operation.endpoint}, which is not the way in"


def _hosts(value: JsonValue) -> Iterator[str]:
    """Yield the hosts of a URL, of ``address`` or ``address:port``, or of a list of those."""
    if isinstance(value, list):
        for one in value:
            yield from _hosts(one)
    elif isinstance(value, str):
        text = value if "://" in value else f"//{value}"
        yield urlsplit(text).hostname or value
