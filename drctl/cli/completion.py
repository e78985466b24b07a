"""What the Tab key offers: ids of runs and steps, actions, faults. Whatever goes wrong, it offers nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import TypeAlias

import typer

from drctl.core.problem import DrctlError

# What is looked up is imported only once Tab was pressed: the options of every verb import this module.

Offer: TypeAlias = list[tuple[str, str]]
"""Words with what they mean; shells that can show the meaning."""

Completion: TypeAlias = Callable[[typer.Context, str], Offer]


def _offering(words: Callable[[typer.Context], Iterator[tuple[str, str]]]) -> Completion:
    """Make a completion of a lookup: keep what begins as typed, and never disturb the command line."""

    @wraps(words)
    def complete(ctx: typer.Context, incomplete: str) -> Offer:
        try:
            return [(word, help_) for word, help_ in words(ctx) if word.startswith(incomplete)]
        except (DrctlError, OSError):
            return []

    # Typer goes by the annotations of what it is given, and `wraps` copied those of the lookup.
    complete.__annotations__ = {"ctx": typer.Context, "incomplete": str, "return": Offer}
    del complete.__dict__["__wrapped__"]
    return complete


def _place(ctx: typer.Context) -> Path | None:
    """Return the home named on the command line; ``DRCTL_HOME`` is among the parameters as well."""
    given = ctx.params.get("home")
    return Path(given) if given else None


def _runs(ctx: typer.Context) -> Iterator[tuple[str, str]]:
    from drctl.app.context import system_context  # noqa: PLC0415 - see above

    yield "last", "the newest run"
    for directory in reversed(system_context(_place(ctx)).home.all()):
        yield directory.id, ""


def _steps_of(ctx: typer.Context, kinds: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    from drctl.app.context import system_context  # noqa: PLC0415 - see above

    home = system_context(_place(ctx)).home
    for step in home.find(str(ctx.params.get("run") or "last")).fold().steps.values():
        planned = step.planned
        if planned is not None and not planned.precheck and (not kinds or planned.kind in kinds):
            yield step.id, step.state.value


def _steps(ctx: typer.Context) -> Iterator[tuple[str, str]]:
    return _steps_of(ctx)


def _questions(ctx: typer.Context) -> Iterator[tuple[str, str]]:
    return _steps_of(ctx, ("gate", "manual"))


def _actions(_: typer.Context) -> Iterator[tuple[str, str]]:
    from drctl.app.catalog import names  # noqa: PLC0415 - see above
    from drctl.core.provider import Registry  # noqa: PLC0415 - see above

    yield from names(Registry()).items()


complete_run = _offering(_runs)
complete_step = _offering(_steps)
complete_question = _offering(_questions)
complete_action = _offering(_actions)
