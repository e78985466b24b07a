"""What a step can do to a system: read it, say what differs, make it so.

An action is done when its diff is empty. Verifying is ``diff(read())`` again, so plan, dry-run,
drift, precheck, resume and verification are one call made at different moments.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Final, Generic, Protocol, Self, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue

from drctl.core.problem import ProviderError

if TYPE_CHECKING:
    from drctl.core.bubble import Bubble


class Reversibility(StrEnum):
    """What it costs to go back."""

    REVERSIBLE = "reversible"
    COMPENSABLE = "compensable"
    IRREVERSIBLE = "irreversible"


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """One thing of the real world; ``kind`` and ``identity`` follow docs/reference (e.g. volume svm:vol).

    ``site`` is filled in where the action is bound to an endpoint.
    """

    kind: str
    identity: str
    site: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.identity}"


class Missing(Exception):  # noqa: N818 - a statement about the world, not an error of the caller
    """Raised by ``diff``: an object the action needs does not exist (yet)."""

    def __init__(self, missing: ObjectRef, why: str = "") -> None:
        super().__init__(why or f"{missing} does not exist")
        self.object = missing


@dataclass(frozen=True, slots=True)
class Field:
    """One field that changes, for people and for drift; None means absent."""

    name: str
    before: JsonValue
    after: JsonValue


@dataclass(frozen=True, slots=True)
class DataLoss:
    """What is given up: everything written after ``recovery_point`` (the array's clock, UTC).

    ``clock_skew`` is the array's clock minus ours, in seconds, when known.
    """

    volume: str
    snapshot: str
    recovery_point: datetime
    clock_skew: float | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """The difference between the world and the wish; never empty.

    ``opaque``: no reading will ever show that it is made (a command without a guard); that ``apply``
    returned is all the proof there is.
    """

    summary: str
    fields: tuple[Field, ...]
    loss: DataLoss | None = None
    opaque: bool = False


@dataclass(frozen=True, slots=True)
class Handle:
    """A job, transfer or task that is already at it, or what a step made on its way; ``id`` is the target's own."""

    kind: str
    id: str
    summary: str = ""


class Interrupted(BaseException):
    """Raised inside ``Control`` calls when the run is told to let go of running steps at once."""


class Control(Protocol):
    """How a running ``apply`` talks to the journal; every call may raise ``Interrupted``."""

    def progress(self, message: str, fraction: float | None = None) -> None:
        """Say how far it is; ``fraction`` from 0 to 1."""
        ...

    def handle(self, handle: Handle) -> None:
        """Journal the id of a long job as soon as it is known, before waiting for it; so of what is made."""
        ...

    def override(self, what: str, why: str) -> None:
        """Journal that a documented override is about to be used, before using it."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait between two polls of a long job."""
        ...

    def remaining(self) -> float:
        """Return the seconds left before the step's deadline (clock time, not counted sleeps)."""
        ...

    @property
    def mark(self) -> str:
        """``drctl:<run>:<step>``: write it where the system keeps comments, to own what is made."""
        ...


@dataclass(frozen=True, slots=True)
class Recipe:
    """An action as data: what a journal keeps to undo a step later, what a drill does instead of a step.

    ``arguments`` are its ``with:``; ``endpoint`` None means the one of the step it is for.
    """

    uses: str
    arguments: Mapping[str, JsonValue]
    endpoint: str | None = None


MARK: Final = "$mark"
"""In a recipe that undoes a step: stands for the mark the step left on what it made (``Control.mark``)."""

OUTPUT: Final = "$outputs."
"""In such a recipe, ``$outputs.NAME`` stands for what the step put out in the end (an identity it could
not know before); the argument is left out when the journal holds no end of the step."""


@dataclass(frozen=True, slots=True)
class NotExercised:
    """A step that a drill does not do, not even in the bubble; ``reason`` completes "because …"."""

    reason: str


C = TypeVar("C")
S = TypeVar("S")


class Action(BaseModel, Generic[C, S]):
    """One convergent change; its fields are the step's ``with:``.

    ``C`` is the provider's client, ``S`` what ``read`` returns (plain frozen data). Subclasses name
    their outputs in ``output_names``; docs and references are checked against it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]
    reversibility: ClassVar[Reversibility]
    convergent: ClassVar[bool] = True
    output_names: ClassVar[frozenset[str]] = frozenset()
    state: ClassVar[type]
    """The type ``S``: a frozen dataclass or pydantic model, built from plain data in ``tests/cases``."""

    @abstractmethod
    def touches(self) -> frozenset[ObjectRef]:
        """Name what it changes or brings into being; pure."""

    @abstractmethod
    def read(self, client: C) -> S:
        """Read the present state; raise ``ProviderError`` when it cannot be known."""

    @classmethod
    def read_many(cls, actions: Sequence[Self], client: C) -> list[S | ProviderError]:
        """Read for many actions of this class at once, in order; override where bulk reads exist."""
        found: list[S | ProviderError] = []
        for action in actions:
            try:
                found.append(action.read(client))
            except ProviderError as error:
                found.append(error)
        return found

    @abstractmethod
    def diff(self, now: S) -> Change | None:
        """Return what is left to do, None when done; pure; may raise ``Missing``."""

    def find_running(self, client: C, since: datetime) -> Handle | None:
        """Return a job already doing this, begun after ``since``, so that no second is started."""
        return None

    @abstractmethod
    def apply(self, client: C, change: Change, control: Control) -> None:
        """Make the change; raise ``ProviderError`` (``effect_unknown`` when it may have happened)."""

    def is_convergent(self) -> bool:
        """Say whether it may be applied again after a crash; ``ssh.run`` decides by its fields."""
        return self.convergent

    def foresee(self) -> Mapping[str, JsonValue]:
        """Return the outputs that are certain from the inputs alone."""
        return {}

    def outputs(self, now: S) -> Mapping[str, JsonValue]:
        """Return the outputs of a finished step."""
        return self.foresee()

    def undo(self, before: S, change: Change) -> Recipe | None:
        """Return the inverse action, None when there is none.

        Values may be ``MARK`` or begin with ``OUTPUT``: so an undo tells what this step made from
        what was there before, or came later.
        """
        return None

    def in_drill(self, bubble: Bubble) -> Recipe | NotExercised:
        """Return what a drill does instead: an action with the same outputs, on the bubble's own objects."""
        return NotExercised(f"{self.name} has no counterpart inside a bubble")
