"""The documentation says what is so: generated pages are current, commands exist, the tutorial runs."""

from __future__ import annotations

import importlib.util
import itertools
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from meanings import mute_keys, schemas

from drctl.app.catalog import describe, load_examples
from drctl.cli.verbs import EXIT_CODES, VERBS
from drctl.core.events import EVENTS
from drctl.core.provider import Registry
from drctl.document.read import read_text

ROOT = Path(__file__).resolve().parent.parent
TUTORIAL = ROOT / "docs" / "tutorial.md"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
ADRS = sorted((ROOT / "docs" / "adr").glob("*.md"))
ACTIONS = Registry().all_names()
ALL_VERBS = [verb for group in VERBS.values() for verb in group]

TUTORIAL_SECONDS = 240


def load_generator():
    spec = importlib.util.spec_from_file_location("reference_generator", ROOT / "tools" / "docs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = load_generator()
COMMANDS = dict(GENERATOR.commands())


def page_name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# --- generated reference ----------------------------------------------------------------------


def test_the_reference_is_current():
    assert [page_name(path) for path in GENERATOR.stale()] == [], "run: make docs"


def test_every_block_is_on_a_page():
    pages = "".join(path.read_text(encoding="utf-8") for path in GENERATOR.PAGES.glob("*.md"))
    assert {name for _, name, _ in GENERATOR.BLOCK.findall(pages)} == set(GENERATOR.BLOCKS)


def test_a_stale_block_is_found():
    page = "before\n<!-- begin generated: gate -->\nlong gone\n<!-- end generated -->\nafter\n"
    made = GENERATOR.render(page)
    assert "on_timeout" in made
    assert "long gone" not in made
    assert made.startswith("before\n")
    assert made.endswith("after\n")
    assert GENERATOR.render(made) == made


# --- verbs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ALL_VERBS)
def test_a_verb_has_help_an_example_and_exit_codes(verb: str):
    command = COMMANDS[verb]
    assert len(command.help.split()) > 3
    examples, codes = GENERATOR.epilog_parts(command.epilog or "")
    assert examples, f"drctl {verb} --help shows no example"
    assert codes.keys() >= {0, 2}, f"drctl {verb} --help does not say its exit codes"
    assert codes.keys() <= set(EXIT_CODES)
    assert any(words[1:2] == [verb] for one in examples for words in drctl_commands(one))
    assert [wrong for one in examples for wrong in wrong_commands(one)] == []


@pytest.mark.parametrize("verb", ALL_VERBS)
def test_every_option_says_what_it_is_for(verb: str):
    command = COMMANDS[verb]
    commands = [command, *getattr(command, "commands", {}).values()]
    mute = [one.name for part in commands for one in part.params if one.name != "help" and not one.help]
    assert mute == []


# --- keys, arguments, fields ------------------------------------------------------------------

SCHEMAS = schemas(Registry())


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_key_says_what_it_means(name: str):
    assert list(mute_keys(SCHEMAS[name])) == []


@pytest.mark.parametrize(
    ("schema", "mute"),
    [
        ({"properties": {"max_lag": {}}}, ["max_lag"]),
        ({"properties": {"max_lag": {"description": "The max lag."}}}, ["max_lag"]),
        ({"properties": {"max_lag": {"description": "Age above which it blocks."}}}, []),
        ({"$defs": {"Gate": {"properties": {"ask": {"type": "string"}}}}}, ["Gate.ask"]),
        ({"properties": {"a": {"description": "Rows.", "items": {"properties": {"b": {}}}}}}, ["a.b"]),
    ],
)
def test_a_key_that_says_nothing_is_found(schema: dict[str, object], mute: list[str]):
    assert list(mute_keys(schema)) == mute


def test_no_table_of_the_reference_has_an_empty_meaning():
    pages = {page_name(path): path.read_text(encoding="utf-8") for path in GENERATOR.PAGES.glob("*.md")}
    tables = [
        (name, table)
        for name, text in pages.items()
        for table in text.split("\n\n")
        if "| Meaning |" in table
    ]
    assert len(tables) > 100
    assert [(name, row) for name, table in tables for row in table.splitlines() if row.endswith("|  |")] == []


# --- actions and events -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_says_what_it_does(name: str):
    entry = describe(Registry(), name)
    assert len(entry.summary.split()) > 2
    assert entry.reads
    assert entry.done
    assert (entry.changes and entry.touches) or entry.kind == "probe"


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_has_an_example_that_fits(name: str):
    registry = Registry()
    entry = describe(registry, name)
    step = read_text(entry.example, name).data
    assert step["uses"] == name
    assert ("on" in step) == entry.endpoint
    registry.find(name).model_validate(step.get("with", {}), context={"resolve": lambda *_: ""})


def test_no_example_is_left_of_an_action_that_is_gone():
    registry = Registry()
    shown = {name for provider in registry.names() for name in load_examples(registry, provider)}
    assert shown == set(ACTIONS)


def test_every_event_says_what_happened():
    assert [name for name, model in EVENTS.items() if not (model.__doc__ or "").strip()] == []


# --- commands in the text ---------------------------------------------------------------------


def spoken_commands(text: str) -> Iterator[str]:
    """Yield the shell lines of console blocks, and the code spans that are commands."""
    for block in re.findall(r"^```console\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        yield from re.findall(r"^\$ (.+)$", block.replace("\\\n> ", ""), re.MULTILINE)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    yield from (" ".join(span.split()) for span in re.findall(r"`((?:drctl|make) [^`]+)`", prose))


def words_of(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:
        return line.split()


def drctl_commands(line: str) -> Iterator[list[str]]:
    """Yield each call of drctl in a shell line, also inside ``$( )`` and after ``drctl lab run --``."""
    for part in re.split(r"\s(?:&&|\|\||\||&)(?:\s|$)|;\s|\$\(|\)", line):
        words = words_of(part)
        starts = [index for index, word in enumerate(words) if word.rpartition("/")[2] == "drctl"]
        for start, end in itertools.pairwise([*starts, len(words)]):
            yield words[start:end]


def wrong_commands(line: str) -> Iterator[str]:
    for words in drctl_commands(line):
        verb, rest = (words[1:2] or [""])[0], words[2:]
        if verb in {"", "--version", "--help", "…", "VERB"} or verb.isupper():
            continue
        command = COMMANDS.get(verb)
        if command is None:
            yield f"{line}: there is no drctl {verb}"
            continue
        options = {name for one in command.params for name in [*one.opts, *one.secondary_opts]}
        if getattr(command, "commands", None):
            inner = next(iter(rest), "")
            if not inner or inner.startswith("-") or "|" in inner:
                continue
            if inner not in command.commands:
                yield f"{line}: there is no drctl {verb} {inner}"
                continue
            options |= {name for one in command.commands[inner].params for name in one.opts}
        given = [word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)]
        for option in given:
            if option not in {*options, "--help"}:
                yield f"{line}: drctl {verb} has no {option}"


def test_wrong_commands_are_found():
    assert list(wrong_commands("drctl failover x.yaml --dry-run; drctl status")) == []
    assert list(wrong_commands("drctl lab run -- drctl plan x.yaml -i y")) == []
    assert len(list(wrong_commands("drctl failower x.yaml"))) == 1
    assert len(list(wrong_commands('eval "$(drctl lab environment)"'))) == 1
    assert len(list(wrong_commands("drctl lab run -- drctl plan x.yaml --dry-run"))) == 1


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_every_command_exists(path: Path):
    text = path.read_text(encoding="utf-8")
    assert [wrong for line in spoken_commands(text) for wrong in wrong_commands(line)] == []


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_every_make_target_exists(path: Path):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    known = set(re.findall(r"^([a-z]+):.*##", makefile, re.MULTILINE))
    lines = [words_of(line) for line in spoken_commands(path.read_text(encoding="utf-8"))]
    assert {words[1] for words in lines if words[0] == "make"} <= known


def test_the_readme_begins_with_two_commands():
    blocks = re.findall(
        r"^```console\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert [line.split("#")[0].strip() for line in blocks[0].splitlines()] == ["$ make demo", "$ make test"]


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_every_link_leads_somewhere(path: Path):
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    lost = [
        link
        for link in links
        if not link.startswith(("http", "#")) and not (path.parent / link.split("#")[0]).exists()
    ]
    assert lost == []


# --- decisions --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ADRS, ids=page_name)
def test_a_decision_is_one_page_with_its_reason(path: Path):
    text = path.read_text(encoding="utf-8")
    assert re.match(rf"# {int(path.name[:4])}\. \w", text)
    assert len(text.splitlines()) <= 60
    assert [
        one
        for one in ("Status: ", "## The first design said", "## We do", "## Why", "## What follows")
        if one not in text
    ] == []


def test_decisions_are_numbered_without_gap():
    assert [int(path.name[:4]) for path in ADRS] == list(range(1, len(ADRS) + 1))


# --- the tutorial -----------------------------------------------------------------------------


@dataclass
class Command:
    """A command of the tutorial, its exit status, and the lines the text shows of its output."""

    line: str
    status: int = 0
    shown: list[str] = field(default_factory=list)


def tutorial_parts(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield (mark, language, content) of every fenced block; the mark is the comment above it."""
    pattern = r"(?:^<!-- (.*?) -->\n)?^```(\w*)\n(.*?)^```"
    for found in re.finditer(pattern, text, re.DOTALL | re.MULTILINE):
        yield found[1] or "", found[2], found[3]


def console(mark: str, content: str) -> list[Command]:
    commands: list[Command] = []
    for line in content.splitlines():
        if line.startswith("$ "):
            commands.append(Command(line[2:]))
        elif line.startswith("> "):
            commands[-1].line += f"\n{line[2:]}"
        elif line.strip():
            commands[-1].shown.append(line)
    if mark.startswith("exit: "):
        commands[-1].status = int(mark.removeprefix("exit: "))
    return commands


def as_pattern(line: str) -> re.Pattern[str]:
    """What a shown line must look like: figures may differ, ``…`` stands for anything, spaces count little."""
    escaped = re.escape(" ".join(line.split()))
    loose = re.sub(r"\d+", r"\\d+", escaped).replace("…", ".*").replace(r"\ ", r"\s+")
    return re.compile(loose)


class Tutorial:
    """Every block, in order: files are written, commands run in one shell, as a reader would."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.commands: list[Command] = []
        self.script = ["trap 'drctl lab down > /dev/null' EXIT"]

    def read(self, text: str) -> None:
        for mark, language, content in tutorial_parts(text):
            if language == "yaml":
                number = len(self.script)
                (self.directory / f".block{number}").write_text(content, encoding="utf-8")
                kind, _, name = mark.partition(": ")
                redirect = {"file": ">", "append": ">>"}[kind]
                self.script.append(f"cat .block{number} {redirect} {shlex.quote(name)}")
            elif language == "console":
                for command in console(mark, content):
                    self.add(command)

    def add(self, command: Command) -> None:
        number = len(self.commands)
        self.commands.append(command)
        self.script.append(f"{{ {command.line}\n}} > .out{number} 2>&1\necho $? > .rc{number}")

    def run(self, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        (self.directory / ".script").write_text("\n".join(self.script) + "\n", encoding="utf-8")
        return subprocess.run(
            ["bash", ".script"],
            cwd=self.directory,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=TUTORIAL_SECONDS,
        )

    def differences(self) -> Iterator[str]:
        for number, command in enumerate(self.commands):
            status = self.directory / f".rc{number}"
            if not status.exists():
                yield f"$ {command.line}\nwas never reached"
                return
            output = (self.directory / f".out{number}").read_text(encoding="utf-8")
            code = int(status.read_text())
            if code != command.status:
                yield f"$ {command.line}\nexit {code}, the text says {command.status}:\n{output}"
            lines = [" ".join(line.split()) for line in output.splitlines()]
            for shown in command.shown:
                if shown.strip() != "…" and not any(as_pattern(shown).fullmatch(line) for line in lines):
                    yield f"$ {command.line}\ndoes not print: {shown}\nbut:\n{output}"


def test_the_tutorial_does_what_it_says(tmp_path: Path):
    tutorial = Tutorial(tmp_path)
    tutorial.read(TUTORIAL.read_text(encoding="utf-8"))
    assert len(tutorial.commands) > 15
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DRCTL_")}
    environment = {
        **kept,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "LC_ALL": "C.UTF-8",
    }
    done = tutorial.run(environment)
    assert "\n\n".join(tutorial.differences()) == "", done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```console\n$ echo one 2\none 3\n```\n", ""),
        ("```console\n$ echo one 2\none …\n```\n", ""),
        ("```console\n$ echo one\ntwo\n```\n", "does not print: two"),
        ("```console\n$ false\n```\n", "exit 1, the text says 0"),
        ("<!-- exit: 3 -->\n```console\n$ true\n$ (exit 3)\n```\n", ""),
        ("```console\n$ exit 1\n```\n", "was never reached"),
        ("<!-- file: a -->\n```yaml\nx: 1\n```\n<!-- append: a -->\n```yaml\ny: 2\n```\n```console\n$ cat a\nx: 1\ny: 2\n```\n", ""),
    ],
)  # fmt: skip
def test_a_tutorial_that_lies_is_found(tmp_path: Path, text: str, said: str):
    tutorial = Tutorial(tmp_path)
    tutorial.read(text)
    tutorial.run({"PATH": os.environ["PATH"]})
    found = "\n".join(tutorial.differences())
    assert (said in found) if said else found == ""
