"""What every installed action and probe is for, read off its class: docstrings, fields, example."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

from pydantic import JsonValue, ValidationError

from drctl.app.fields import FieldRow, describe_fields
from drctl.core.action import Action
from drctl.core.probe import Probe
from drctl.core.problem import DrctlError, Problem
from drctl.core.provider import AnyAction, AnyProbe, Registry
from drctl.document.read import read_text
from drctl.document.shape import suggest

EXAMPLES = "examples.yaml"
"""The file beside a provider's code that holds one example step per action and probe."""


@dataclass(frozen=True)
class Entry:
    """One action or probe in words; empty texts where its class says nothing."""

    name: str
    kind: Literal["action", "probe"]
    summary: str
    details: str
    fields: tuple[FieldRow, ...]
    outputs: tuple[str, ...]
    reads: str
    done: str
    changes: str
    touches: tuple[str, ...]
    reversibility: str
    undo: str
    repeat: str
    resumes: str
    endpoint: bool
    example: str


def names(registry: Registry) -> dict[str, str]:
    """Return every action and probe with its one line, sorted."""
    return {name: _docs(_class(registry, name))[0] for name in registry.all_names()}


def describe(registry: Registry, name: str) -> Entry:
    """Return one entry; raise ``DrctlError`` naming the nearest when there is none."""
    found = registry.find(name)
    if found is None:
        hint = f"{suggest(name, registry.all_names())} drctl explain lists all."
        raise DrctlError(
            Problem(code="unknown-uses", summary=f"no action or probe is called {name!r}", hint=hint)
        )
    example = load_examples(registry, name.split(".", 1)[0]).get(name, "")
    endpoint = registry.provider(name.split(".", 1)[0]).endpoint is not None
    return _action(found, example, endpoint=endpoint) if issubclass(found, Action) else _probe(
        found, example, endpoint=endpoint
    )  # fmt: skip


def describe_all(registry: Registry) -> Iterator[Entry]:
    """Yield every entry, sorted by name."""
    for name in registry.all_names():
        yield describe(registry, name)


def load_examples(registry: Registry, provider: str) -> dict[str, str]:
    """Return a provider's example steps as YAML text, by action; empty where it ships none."""
    package = type(registry.provider(provider)).__module__
    if not hasattr(sys.modules[package], "__path__"):
        return {}
    file = files(package) / EXAMPLES
    if not file.is_file():
        return {}
    data = read_text(file.read_text(encoding="utf-8"), f"{package}/{EXAMPLES}").data
    return {name: str(text).rstrip() for name, text in data.items()} if isinstance(data, dict) else {}


def example_arguments(example: str) -> dict[str, JsonValue]:
    """Return the ``with:`` of an example step."""
    step = read_text(example, "example").data if example else {}
    given = step.get("with") if isinstance(step, dict) else None
    return given if isinstance(given, dict) else {}


def _class(registry: Registry, name: str) -> type[AnyAction | AnyProbe]:
    found = registry.find(name)
    assert found is not None  # noqa: S101 - the name comes from the registry itself
    return found


def _action(found: type[AnyAction], example: str, *, endpoint: bool) -> Entry:
    summary, details = _docs(found)
    return Entry(
        name=found.name,
        kind="action",
        summary=summary,
        details=details,
        fields=tuple(describe_fields(found)),
        outputs=tuple(sorted(found.output_names)),
        reads=_method(found, "read"),
        done=_method(found, "diff"),
        changes=_method(found, "apply"),
        touches=_touches(found, example),
        reversibility=found.reversibility.value,
        undo=_method(found, "undo"),
        repeat=_repeat(found),
        resumes=_method(found, "find_running"),
        endpoint=endpoint,
        example=example,
    )


def _probe(found: type[AnyProbe], example: str, *, endpoint: bool) -> Entry:
    summary, details = _docs(found)
    return Entry(
        name=found.name,
        kind="probe",
        summary=summary,
        details=details,
        fields=tuple(describe_fields(found)),
        outputs=tuple(sorted(found.output_names)),
        reads=_method(found, "observe"),
        done=_method(found, "judge"),
        changes="",
        touches=(),
        reversibility="",
        undo="",
        repeat="",
        resumes="",
        endpoint=endpoint,
        example=example,
    )


def _docs(found: type[AnyAction | AnyProbe]) -> tuple[str, str]:
    """Return a class docstring's first line and the rest; no words of a base class."""
    text = inspect.cleandoc(found.__dict__.get("__doc__") or "")
    first, _, rest = text.partition("\n\n")
    return " ".join(first.split()), rest.strip()


def _method(found: type[AnyAction | AnyProbe], name: str) -> str:
    """Return the docstring's first paragraph where the class says something of its own, else nothing."""
    for owner in found.__mro__:
        if owner in (Action, Probe) or owner.__module__.startswith("pydantic"):
            return ""
        if name in owner.__dict__:
            return _plain_words(inspect.cleandoc(owner.__dict__[name].__doc__ or ""))
    return ""


def _plain_words(docs: str) -> str:
    """Turn a method's docstring, written for programmers, into a sentence for readers of a runbook."""
    text = " ".join(docs.partition("\n\n")[0].split())
    text = re.sub(r"; raise ``\w+``(?= when)", "; fails", text)
    text = re.sub(r"; raise ``\w+``", "", text)
    text = re.sub(r"^Return None\b.*|^Return ", "", text)
    text = text.replace("None when", "nothing when").replace("None where", "nothing where")
    return text[:1].upper() + text[1:]


def _repeat(found: type[AnyAction]) -> str:
    own = found.is_convergent is not Action.is_convergent
    if own:
        return "decided by its fields; where it may not be repeated, a person is asked after a crash"
    return "yes" if found.convergent else "no: after a crash a person is asked"


def _touches(found: type[AnyAction], example: str) -> tuple[str, ...]:
    """Return what the example changes; what the class says where there is no example."""
    try:
        action = found.model_validate(example_arguments(example), context={"resolve": _no_secret})
    except ValidationError:
        return tuple(filter(None, (_method(found, "touches"),)))
    return tuple(sorted(str(thing) for thing in action.touches()))


def _no_secret(kind: str, place: str) -> str:
    raise LookupError(f"an example holds no secret: {kind}:{place}")


def as_document(entry: Entry) -> Mapping[str, JsonValue]:
    """Return an entry as ``--json`` prints it."""
    return {
        "name": entry.name,
        "kind": entry.kind,
        "summary": entry.summary,
        "details": entry.details,
        "inputs": [
            {
                "name": row.name,
                "type": row.type,
                "required": row.required,
                "default": row.default,
                "help": row.help,
            }
            for row in entry.fields
        ],
        "outputs": list(entry.outputs),
        "reads": entry.reads,
        "done": entry.done,
        "changes": entry.changes,
        "touches": list(entry.touches),
        "reversibility": entry.reversibility,
        "undo": entry.undo,
        "repeatable": entry.repeat,
        "resumes": entry.resumes,
        "example": entry.example,
    }
