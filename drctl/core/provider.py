"""The boundary to one kind of system: what a provider must offer, and how it is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from enum import Enum
from importlib.metadata import entry_points
from typing import Annotated, Any, ClassVar, Protocol, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from drctl.core.action import Action
from drctl.core.probe import Probe
from drctl.core.problem import DrctlError, Problem

GROUP = "drctl.providers"


class Access(Enum):
    """What a client may do; READ raises ``ReadOnlyError`` on every call that could change something."""

    READ = "read"
    WRITE = "write"


class Endpoint(BaseModel):
    """The fields every endpoint of the inventory has; providers add theirs.

    ``name`` is the endpoint's key in the inventory. ``concurrency`` bounds the calls under way at
    once; the default is the provider's own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    default_concurrency: ClassVar[int] = 8

    name: str = Field(description="Its key in the inventory.")
    type: str = Field(description="The provider that speaks to it.")
    site: str = Field(description="Where it stands; a key of `sites`.")
    concurrency: Annotated[int | None, Field(ge=1, le=256)] = Field(
        None, description="How many steps may use it at once; default what suits the provider."
    )

    @property
    def limit(self) -> int:
        """Return how many steps may use this endpoint at once."""
        return self.concurrency or self.default_concurrency


# The one place where the type parameters of actions and clients are erased; ``core.operation``
# wraps them so that the engine never sees one.
AnyAction: TypeAlias = Action[Any, Any]
AnyProbe: TypeAlias = Probe[Any]


class Provider(Protocol):
    """One kind of system. Importing the module that holds it must not import the vendor's library.

    ``endpoint`` is None for a provider that needs no endpoint (``check``). ``connect`` returns at
    once where it can and opens connections on first use, so that a dead site costs nothing until a
    step names it. The client is shared by worker threads.
    """

    name: str
    endpoint: type[Endpoint] | None
    actions: Mapping[str, type[AnyAction]]
    probes: Mapping[str, type[AnyProbe]]

    def connect(self, endpoint: Endpoint | None, access: Access) -> AbstractContextManager[Any]:
        """Open a client; closing it ends every session and thread it started."""
        ...


class Registry:
    """Finds providers by the first word of an action's name; each loads on first use."""

    def __init__(self, providers: Mapping[str, Provider] | None = None) -> None:
        self._loaded: dict[str, Provider] = dict(providers or {})
        points = entry_points(group=GROUP) if providers is None else ()
        self._loaders: dict[str, Callable[[], Provider]] = {point.name: point.load for point in points}

    def names(self) -> list[str]:
        """Return the installed providers' names, sorted."""
        return sorted({*self._loaded, *self._loaders})

    def provider(self, name: str) -> Provider:
        """Return a provider; raise ``DrctlError`` when none of that name is installed."""
        if name in self._loaders and name not in self._loaded:
            self._loaded[name] = self._loaders[name]()
        if name not in self._loaded:
            raise DrctlError(
                Problem(
                    code="unknown-provider",
                    summary=f"no provider is called {name!r}",
                    hint=f"Installed: {', '.join(self.names())}.",
                )
            )
        return self._loaded[name]

    def find(self, uses: str) -> type[AnyAction | AnyProbe] | None:
        """Return the action or probe class of that full name (``ontap.volume.mount``), or None."""
        prefix = uses.split(".", 1)[0]
        if prefix not in self.names():
            return None
        provider = self.provider(prefix)
        return provider.actions.get(uses) or provider.probes.get(uses)

    def all_names(self) -> list[str]:
        """Return the full names of every action and probe, sorted; loads all providers."""
        providers = [self.provider(name) for name in self.names()]
        return sorted(name for p in providers for name in (*p.actions, *p.probes))
