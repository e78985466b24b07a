"""A shell as small as the lab's machines need: pipes, ``&&``, ``||``, ``;`` and redirections.

No variables, globs or substitutions: a command line that uses them fails with status 2, as a shell
does with what it cannot parse, instead of doing something else than a real shell would.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from drctl.lab.files import Files
from drctl.lab.model import Machine
from drctl.lab.world import World

NOT_FOUND = 127
SYNTAX = 2
NOTHING = "/dev/null"
_CONNECTORS = frozenset({"&&", "||", ";"})
_STREAMS: Final[Mapping[str, str]] = MappingProxyType({"2>/dev/null": "dropped", "2>&1": "joined"})
_TOKEN = re.compile(
    r"""[ \t]+
    | (?P<operator> 2>\s*/dev/null | 2>&1 | && | \|\| | >> | [|;<>\n] )
    | (?P<word> (?: [^\s|&;<>'"\\$`*?(){}] | \\. | '[^']*' | "(?:[^"\\$`]|\\.)*" )+ )""",
    re.VERBOSE,
)
_PIECE = re.compile(r"""\\(.)|'([^']*)'|"((?:[^"\\]|\\.)*)\"""")


@dataclass(frozen=True)
class Result:
    """What a command leaves behind."""

    status: int = 0
    out: bytes = b""
    err: bytes = b""


@dataclass(frozen=True)
class Call:
    """One command about to run on a machine."""

    world: World
    machine: Machine
    arguments: Sequence[str]
    """Without the command's own name."""
    stdin: bytes
    shell: Shell

    def record(self, call: str, target: str) -> None:
        """Note that the machine is about to be changed."""
        self.world.record(self.machine.site, "ssh", call, target)


Command = Callable[[Call], Result]


class SyntaxProblem(ValueError):
    """A command line beyond this shell."""


@dataclass
class _Simple:
    """One command with its redirections."""

    words: list[str] = field(default_factory=list)
    source: str | None = None
    target: str | None = None
    append: bool = False
    errors: str = ""
    """``dropped`` or ``joined`` to stdout; empty when they go their own way."""


@dataclass(frozen=True)
class _Pipeline:
    """Commands joined by pipes, and the connector that leads to them."""

    connector: str
    commands: list[_Simple]


class Shell:
    """Runs command lines on a machine with the commands it knows; hold the world's lock meanwhile."""

    def __init__(self, world: World, machine: Machine, commands: Mapping[str, Command]) -> None:
        self._world = world
        self._machine = machine
        self._commands = commands

    def run(self, line: str, stdin: bytes = b"") -> Result:
        """Run a command line; output of all its commands is joined."""
        try:
            pipelines = _parse(line)
        except SyntaxProblem as problem:
            return Result(SYNTAX, err=f"sh: {problem}\n".encode())
        last = Result()
        out, err = b"", b""
        for pipeline in pipelines:
            if pipeline.connector == ("&&" if last.status else "||"):
                continue
            last = self._run_pipeline(pipeline, stdin)
            out, err = out + last.out, err + last.err
        return Result(last.status, out, err)

    def execute(self, words: Sequence[str], stdin: bytes = b"") -> Result:
        """Run one command given as words."""
        command = self._commands.get(words[0].rpartition("/")[2])
        if command is None:
            return Result(NOT_FOUND, err=f"sh: {words[0]}: command not found\n".encode())
        return command(Call(self._world, self._machine, words[1:], stdin, self))

    def _run_pipeline(self, pipeline: _Pipeline, stdin: bytes) -> Result:
        result, err = Result(out=stdin), b""
        for simple in pipeline.commands:
            result = self._run_simple(simple, result.out)
            err += result.err
        return Result(result.status, result.out, err)

    def _run_simple(self, simple: _Simple, stdin: bytes) -> Result:
        files = self._machine.files
        if simple.source == NOTHING:
            stdin = b""
        elif simple.source is not None:
            if simple.source not in files:
                return Result(1, err=f"sh: {simple.source}: No such file or directory\n".encode())
            stdin = Files(self._world, self._machine).read(simple.source)
        result = self.execute(simple.words, stdin) if simple.words else Result()
        if simple.errors:
            out = result.out + (result.err if simple.errors == "joined" else b"")
            result = Result(result.status, out)
        return result if simple.target is None else self._redirect(simple, simple.target, result)

    def _redirect(self, simple: _Simple, path: str, result: Result) -> Result:
        if path != NOTHING:
            self._world.record(self._machine.site, "ssh", "write", f"{self._machine.endpoint}:{path}")
            files = Files(self._world, self._machine)
            before = files.read(path) if simple.append else b""
            if not files.write(path, before + result.out):
                return Result(1, err=f"sh: {path}: No such file or directory\n".encode())
        return Result(result.status, err=result.err)


def _tokens(line: str) -> Iterator[tuple[str, bool]]:
    """Yield (text, whether it is an operator).

    Raises:
        SyntaxProblem: an unbalanced quote, or a sign that a full shell would expand.
    """
    at = 0
    while at < len(line):
        match = _TOKEN.match(line, at)
        if match is None:
            raise SyntaxProblem(f"{line[at]}: not supported by this shell, or unbalanced")
        at = match.end()
        if match["operator"]:
            operator = re.sub(r"[ \t]", "", match["operator"])
            yield ";" if operator == "\n" else operator, True
        elif match["word"]:
            yield _PIECE.sub(_unquote, match["word"]), False


def _unquote(piece: re.Match[str]) -> str:
    escaped, single, double = piece.groups()
    if escaped is not None:
        return str(escaped)
    return str(single) if single is not None else re.sub(r'\\(["\\$`])', r"\1", double)


def _parse(line: str) -> list[_Pipeline]:
    """Split a command line into pipelines.

    Raises:
        SyntaxProblem: empty commands, unbalanced quotes, or a feature this shell lacks.
    """
    pipelines = [_Pipeline(";", [_Simple()])]
    tokens = _tokens(line.strip())
    for token, operator in tokens:
        current = pipelines[-1].commands[-1]
        if not operator:
            current.words.append(token)
        elif token in _CONNECTORS:
            pipelines.append(_Pipeline(token, [_Simple()]))
        elif token == "|":
            pipelines[-1].commands.append(_Simple())
        elif token in _STREAMS:
            current.errors = _STREAMS[token]
        else:
            _redirect(current, token, next(tokens, ("", True)))
    return _complete(pipelines)


def _redirect(simple: _Simple, sign: str, path: tuple[str, bool]) -> None:
    if path[1]:
        raise SyntaxProblem("syntax error: a redirection without a file")
    if sign == "<":
        simple.source = path[0]
    else:
        simple.target, simple.append = path[0], sign == ">>"


def _complete(pipelines: list[_Pipeline]) -> list[_Pipeline]:
    """Drop what a trailing ``;`` leaves; refuse other commands without words."""
    if pipelines[-1].connector == ";" and pipelines[-1].commands == [_Simple()]:
        pipelines.pop()
    for pipeline in pipelines:
        for simple in pipeline.commands:
            if not simple.words and simple.target is None:
                raise SyntaxProblem("syntax error: a command is missing")
    return pipelines
