#!/usr/bin/env python3
"""Writes the parts of docs/reference that come from the code; ``--check`` only says which are stale.

A page holds prose written by hand and blocks between ``<!-- begin generated: NAME -->`` and
``<!-- end generated -->``; each block has a function here.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from drctl.app.catalog import Entry, describe_all
from drctl.app.fields import FieldRow, describe_fields
from drctl.cli.explain import facts
from drctl.cli.verbs import EXIT_CODES, VERBS
from drctl.core.events import EVENTS, Data, EventData
from drctl.core.problem import ExitCode
from drctl.core.provider import Registry
from drctl.inventory import model as inventory
from drctl.runbook import model as runbook

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "reference"
BLOCK = re.compile(r"(<!-- begin generated: ([\w-]+) -->\n).*?(<!-- end generated -->)", re.DOTALL)
CODE_LINE = re.compile(r"^ *(\d+)  (.+)$", re.MULTILINE)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield a Markdown table; a bar inside a cell is escaped."""
    columns = list(head)
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |"
    yield ""


def code(text: str) -> str:
    """Return docstring text with its code in Markdown's single backticks."""
    return text.replace("``", "`")


# --- language ---------------------------------------------------------------------------------


def field_table(rows: Iterable[FieldRow]) -> Iterator[str]:
    """Yield a table of keys."""
    cells = (
        (f"`{row.name}`", row.type, "yes" if row.required else "", code(row.default), code(row.help))
        for row in rows
    )
    yield from table(("Key", "Holds", "Required", "Default", "Meaning"), cells)


def model_block(model: type) -> Callable[[], Iterator[str]]:
    """Return a block that documents one mapping of a file."""

    def block() -> Iterator[str]:
        yield code(" ".join(inspect.cleandoc(model.__doc__ or "").split()))
        yield ""
        yield from field_table(describe_fields(model))

    return block


def endpoints() -> Iterator[str]:
    """Yield the fields of every provider's endpoints."""
    registry = Registry()
    for name in registry.names():
        model = registry.provider(name).endpoint
        if model is not None:
            yield f"#### Endpoint of type `{name}`"
            yield ""
            yield from field_table(row for row in describe_fields(model) if row.name not in {"name", "type"})


# --- verbs ------------------------------------------------------------------------------------


def commands() -> Iterator[tuple[str, Any]]:
    """Yield every verb with its command, as the command line builds it."""
    for group in VERBS.values():
        for verb in group:
            module = importlib.import_module(f"drctl.cli.{verb.replace('-', '_')}")
            yield verb, typer.main.get_command(module.app)


def verbs() -> Iterator[str]:
    """Yield every verb: usage, help, arguments, options, examples, exit codes."""
    known = dict(commands())
    for title, group in VERBS.items():
        yield f"## {title}"
        yield ""
        for verb in group:
            yield from verb_section(verb, known[verb])


def verb_section(verb: str, command: Any) -> Iterator[str]:
    """Yield one verb and, where it has some, what comes after it."""
    yield f"### drctl {verb}"
    yield ""
    yield code(command.help or "")
    yield ""
    inner = getattr(command, "commands", {})
    if not inner:
        yield from usage(f"drctl {verb}", command)
    for name, one in inner.items():
        yield f"#### drctl {verb} {name}"
        yield ""
        yield code(one.help or "")
        yield ""
        yield from usage(f"drctl {verb} {name}", one)
    examples, codes = epilog_parts(command.epilog or "")
    yield from ("```console", *(f"$ {line}" for line in examples), "```", "")
    yield from table(("Exit", "Meaning"), ((str(number), text) for number, text in codes.items()))


def usage(name: str, command: Any) -> Iterator[str]:
    """Yield the usage line and the tables of a command."""
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option"]
    words = [
        name,
        *("[OPTIONS]" for _ in options[:1]),
        *map(argument_name, arguments),
    ]
    yield from ("```text", " ".join(words), "```", "")
    rows = [(f"`{argument_name(one)}`", one.help or "") for one in arguments]
    rows += [(option_name(one), option_help(one)) for one in options if not one.hidden]
    if rows:
        yield from table(("", "Meaning"), rows)


def argument_name(argument: Any) -> str:
    """Return an argument as a usage line shows it: optional ones in brackets."""
    name = (argument.metavar or argument.name.upper()) + ("..." if argument.nargs != 1 else "")
    return name if argument.required else f"[{name}]"


def option_name(option: Any) -> str:
    """Return an option as it is typed."""
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    return f"{names} {option.metavar or ''}".rstrip()


def option_help(option: Any) -> str:
    """Return an option's help with its default and its environment variable."""
    parts = [option.help or ""]
    if option.required:
        parts.append("Required.")
    if option.default not in (None, "", [], False) and option.show_default:
        parts.append(f"Default: {option.default}.")
    if option.envvar:
        parts.append(f"Environment: `{option.envvar}`.")
    return code(" ".join(filter(None, parts)))


def epilog_parts(epilog: str) -> tuple[list[str], dict[int, str]]:
    """Return the example commands and the exit codes of a verb's help."""
    before, _, after = epilog.partition("Exit codes:")
    examples = re.findall(
        r"(?:^|Examples?:|;)\s*(drctl (?:[^;\n'\"]|'[^'\n]*'|\"[^\"\n]*\")+)", before, re.MULTILINE
    )
    return [one.strip() for one in examples], {int(n): text for n, text in CODE_LINE.findall(after)}


# --- exit codes -------------------------------------------------------------------------------


def exit_codes() -> Iterator[str]:
    """Yield the codes of runs, and which verb gives which."""
    rows = ((str(code), ExitCode(code).name, meaning) for code, meaning in EXIT_CODES.items())
    yield from table(("Exit", "Name", "Meaning"), rows)
    yield "## By verb"
    yield ""
    every = {verb: epilog_parts(command.epilog or "")[1] for verb, command in commands()}
    head = ("Verb", *map(str, EXIT_CODES))
    cells = (
        (f"`{verb}`", *("●" if number in codes else "" for number in EXIT_CODES))
        for verb, codes in every.items()
    )
    yield from table(head, cells)


# --- actions ----------------------------------------------------------------------------------


def action_list() -> Iterator[str]:
    """Yield the table of contents."""
    rows = (
        (f"[`{one.name}`](#{anchor(one)})", one.kind, one.reversibility, code(one.summary))
        for one in describe_all(Registry())
    )
    yield from table(("Name", "Kind", "Reversibility", "What it does"), rows)


def anchor(entry: Entry) -> str:
    """Return the anchor that a Markdown renderer gives an entry's heading."""
    return re.sub(r"[^\w -]", "", entry.name).replace(" ", "-")


def objects() -> Iterator[str]:
    """Yield the kinds of objects that steps change, each with an identity as an example."""
    kinds: dict[str, tuple[str, list[str]]] = {}
    for entry in describe_all(Registry()):
        for thing in entry.touches if entry.example else ():
            kind, _, identity = thing.partition(" ")
            kinds.setdefault(kind, (identity, []))[1].append(f"`{entry.name}`")
    rows = ((kind, f"`{identity}`", ", ".join(by)) for kind, (identity, by) in sorted(kinds.items()))
    yield from table(("Kind", "Identity, for example", "Changed or made by"), rows)


def actions() -> Iterator[str]:
    """Yield every action and probe in full."""
    for entry in describe_all(Registry()):
        yield f"### {entry.name}"
        yield ""
        yield code(entry.summary)
        yield ""
        if entry.details:
            yield code(entry.details)
            yield ""
        if entry.fields:
            yield from field_table(entry.fields)
        for label, text in facts(entry):
            yield f"- **{label}**: {code(text)}"
        yield ""
        if entry.example:
            first, *rest = entry.example.splitlines()
            yield from ("```yaml", f"- {first}", *(f"  {line}" for line in rest), "```", "")


# --- events -----------------------------------------------------------------------------------


def events() -> Iterator[str]:
    """Yield every event with its data."""
    for name, model in EVENTS.items():
        yield f"### {name}"
        yield ""
        yield code(" ".join(inspect.cleandoc(model.__doc__ or "").split()))
        yield ""
        yield from event_table(model)


def event_data() -> Iterator[str]:
    """Yield the records that several events hold."""
    for model in Data.__subclasses__():
        if model.__module__ == Data.__module__ and model is not EventData:
            yield f"### {model.__name__.removesuffix('Data').lower()}"
            yield ""
            yield code(" ".join(inspect.cleandoc(model.__doc__ or "").split()))
            yield ""
            yield from event_table(model)


def event_table(model: type) -> Iterator[str]:
    """Yield a table of an event's data."""
    cells = (
        (f"`{row.name}`", row.type, "always" if row.required else row.default or "optional", code(row.help))
        for row in describe_fields(model)
    )
    yield from table(("Data", "Holds", "Present or default", "Meaning"), cells)


BLOCKS: Mapping[str, Callable[[], Iterator[str]]] = {
    "runbook": model_block(runbook.RunbookBody),
    "objectives": model_block(runbook.Objectives),
    "parameter": model_block(runbook.Parameter),
    "direction": model_block(runbook.Direction),
    "phase": model_block(runbook.Phase),
    "step": model_block(runbook.StepBody),
    "gate": model_block(runbook.GateBody),
    "manual": model_block(runbook.ManualBody),
    "retry": model_block(runbook.RetryRule),
    "until": model_block(runbook.UntilRule),
    "drill": model_block(runbook.DrillBody),
    "answers": model_block(runbook.AnswersBody),
    "answer": model_block(runbook.AnswerBody),
    "inventory": model_block(inventory.InventoryBody),
    "site": model_block(inventory.Site),
    "service": model_block(inventory.ServiceBody),
    "service-objectives": model_block(inventory.Objectives),
    "volume": model_block(inventory.Volume),
    "vault": model_block(inventory.Vault),
    "volume-at": model_block(inventory.VolumeAt),
    "share": model_block(inventory.Share),
    "datastore": model_block(inventory.Datastore),
    "datastore-at": model_block(inventory.DatastoreAt),
    "vm": model_block(inventory.Vm),
    "vm-at": model_block(inventory.VmAt),
    "record": model_block(inventory.RecordSet),
    "check": model_block(inventory.Check),
    "contact": model_block(inventory.Contact),
    "bubble": model_block(inventory.BubbleBody),
    "endpoints": endpoints,
    "verbs": verbs,
    "exit-codes": exit_codes,
    "action-list": action_list,
    "objects": objects,
    "actions": actions,
    "events": events,
    "event-data": event_data,
}


def render(page: str) -> str:
    """Return a page with every block made anew; raise ``KeyError`` for a block that has no function."""

    def made(found: re.Match[str]) -> str:
        return f"{found[1]}\n" + "\n".join(BLOCKS[found[2]]()).rstrip() + f"\n\n{found[3]}"

    return BLOCK.sub(made, page)


def stale() -> dict[Path, str]:
    """Return the pages that differ from what the code says, with what they should be."""
    pages = {path: path.read_text(encoding="utf-8") for path in sorted(PAGES.glob("*.md"))}
    made = {path: render(text) for path, text in pages.items()}
    return {path: text for path, text in made.items() if text != pages[path]}


def main() -> int:
    """Write the stale pages, or name them."""
    found = stale()
    check = "--check" in sys.argv[1:]
    for path, text in found.items():
        sys.stdout.write(f"{'stale' if check else 'written'}: {path.relative_to(ROOT)}\n")
        if not check:
            path.write_text(text, encoding="utf-8")
    return 1 if check and found else 0


if __name__ == "__main__":
    sys.exit(main())
