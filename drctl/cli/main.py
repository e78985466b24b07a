"""The command line's root: finds verbs by name and imports only the one that is called."""

from __future__ import annotations

import difflib
import importlib
import io
import json
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from drctl.cli.say import say_problem
from drctl.cli.verbs import EXIT_CODES, VERBS
from drctl.core.problem import DrctlError, ExitCode, Problem

EPILOG = """Exit codes:

\b
""" + "\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES.items()) + """

\b
First steps:
  drctl lab run -- drctl plan runbooks/pacs-site-loss.yaml
  drctl failover --help
"""  # fmt: skip


class Verbs(TyperGroup):
    """Lists verbs from a table; building a verb's parameters imports what only that verb needs."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the verbs' names."""
        return [name for group in VERBS.values() for name in group]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a verb; None for a name that is none."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"drctl.cli.{cmd_name.replace('-', '_')}")
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the verb; for one that does not exist, name the nearest."""
        name, known = args[0], self.list_commands(ctx)
        near = difflib.get_close_matches(name, known, n=1)
        if name not in known and near and not ctx.resilient_parsing:
            ctx.fail(f"No such command {name!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the verbs in groups, from the table alone."""
        for title, group in VERBS.items():
            with formatter.section(title):
                formatter.write_dl(list(group.items()))


app = typer.Typer(
    cls=Verbs,
    name="drctl",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog=EPILOG,
    help="Run disaster-recovery runbooks step by step, with dry-run, journal and incident log.",
)


@app.callback()
def root() -> None:
    """Run disaster-recovery runbooks step by step, with dry-run, journal and incident log."""


def run() -> int:
    """Run a command; print problems as people read them and return the exit code."""
    for stream in (sys.stdout, sys.stderr):  # a terminal that lacks a sign shows "?"; a run does not fail
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    command = typer.main.get_command(app)
    try:
        command.main(prog_name="drctl")
    except DrctlError as error:
        report(error)
        return int(error.exit_code)
    except OSError as error:  # a file or directory a person named, or a disk that is full
        report(DrctlError(unusable(error)))
        return int(ExitCode.USAGE)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    return 0


def unusable(error: OSError) -> Problem:
    """Return what the operating system refused, and where."""
    place = f"{error.filename}: " if error.filename else ""
    return Problem(code="system", summary=f"{place}{error.strerror or error}")


def report(error: DrctlError) -> None:
    """Print every problem on stderr: as text, or one JSON object per line with ``--json``."""
    for problem in error.problems:
        if "--json" in sys.argv:
            print(json.dumps(problem_document(problem)), file=sys.stderr)
        else:
            say_problem(problem)


def problem_document(problem: Problem) -> dict[str, object]:
    """Return a problem as JSON writes it."""
    return {
        "code": problem.code,
        "severity": problem.severity,
        "summary": problem.summary,
        "detail": problem.detail,
        "hint": problem.hint,
        "where": str(problem.where) if problem.where else None,
        "step": problem.step,
        "endpoint": problem.endpoint,
    }
