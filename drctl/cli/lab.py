"""``drctl lab``: a simulated estate to rehearse on."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer
from platformdirs import user_state_path

from drctl.app import lab as labs
from drctl.cli.options import Json
from drctl.core.problem import DrctlError, ExitCode, Problem

EPILOG = """Examples:

\b
  drctl lab run -- drctl plan runbooks/pacs-site-loss.yaml
  drctl lab up && eval "$(drctl lab env)"
  drctl lab fault site-down:paris

Exit codes:

\b
    0  done; run: exits with the status of its command
    1  no lab is up, or it does not answer
    2  bad usage or inventory, an unknown fault
    5  a lab is up already
"""


def complete_fault(incomplete: str) -> list[str]:
    """Offer the faults of the lab that is up; after a colon, their targets."""
    try:
        known = labs.breakable(_current())
    except DrctlError:
        return []
    name, colon, _ = incomplete.partition(":")
    words = [f"{name}:{target}" for target in known.targets] if colon else known.faults
    return [word for word in words if word.startswith(incomplete)]


app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    help="Start, stop, break and inspect a simulated estate: real protocols, loopback only.",
    epilog=EPILOG,
)

Estate = Annotated[Path, typer.Option("-i", "--inventory", help="The estate to simulate: any inventory.")]
Speed = Annotated[float, typer.Option("--speed", min=1, help="Estate seconds per second.")]
Faults = Annotated[
    list[str],
    typer.Option("--fault", metavar="NAME[:TARGET][:once]", help="Begin with a fault.", show_default=False),
]
ESTATE = Path("inventories/lab.yaml")


@app.command()
def up(inventory: Estate = ESTATE, speed: Speed = 60, fault: Faults = []) -> None:  # noqa: B006 - Typer copies it
    """Start a lab in the background, until drctl lab down."""
    info = labs.up(labs.Wanted(inventory, speed, fault), _state())
    typer.echo(f"The lab is up: {info.inventory}")
    if (kept := labs.earlier_runs(info)) is not None:
        typer.echo(f"Runs of the lab before it: drctl runs --home {shlex.quote(str(kept))}")
    typer.echo('Use it in this shell with: eval "$(drctl lab env)"')


@app.command()
def env() -> None:
    """Print the exports that point drctl at the lab."""
    for name, value in labs.environment(_current()).items():
        typer.echo(f"export {name}={shlex.quote(value)}")


@app.command()
def down() -> None:
    """Stop the background lab."""
    typer.echo("The lab is down." if labs.down(_state()) else "No lab is up.")


@app.command()
def status(
    json_: Json = False,
    live: Annotated[bool, typer.Option("--live", help="With what moves by itself: writes, lag.")] = False,
) -> None:
    """Show what was changed, and who was connected to."""
    answer = labs.ask(_current(), "status", live=live)
    if json_:
        typer.echo(json.dumps(answer, ensure_ascii=False, sort_keys=True))
        return
    for line in status_lines(answer):
        typer.echo(line)


@app.command()
def fault(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME[:TARGET][:once]",
            help="The fault; none lists them.",
            autocompletion=complete_fault,
        ),
    ] = "",
    lift: Annotated[bool, typer.Option("--lift", help="End it.")] = False,
    json_: Json = False,
) -> None:
    """Break something or mend it; alone, list what is broken."""
    info = _current()
    answer = labs.ask(info, "lift" if lift else "fault", name=name) if name else {}
    answer = {**labs.ask(info, "faults"), **answer}
    if json_:
        typer.echo(json.dumps(answer, ensure_ascii=False))
        return
    for line in fault_lines(answer):
        typer.echo(line)


@app.command()
def reset() -> None:
    """Begin again: a fresh estate without faults."""
    labs.ask(_current(), "reset")
    typer.echo("The estate is as it was in the beginning.")


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def run(
    command: Annotated[
        list[str], typer.Argument(metavar="-- COMMAND...", help="What to run.", show_default=False)
    ],
    inventory: Estate = ESTATE,
    speed: Speed = 60,
    fault: Faults = [],  # noqa: B006 - Typer copies it
) -> None:
    """Run a command against a fresh lab; exit with its status."""
    with labs.foreground(labs.Wanted(inventory, speed, fault)) as info:
        code = labs.run_command(info, command)
    raise typer.Exit(code)


def fault_lines(answer: Mapping[str, object]) -> Iterator[str]:
    """Yield whether a fault was lifted, then those in force."""
    if answer.get("lifted") is False:
        yield "No such fault was in force."
    faults = answer.get("faults")
    named = ", ".join(map(str, faults)) if isinstance(faults, list) else ""
    yield f"Faults in force: {named or 'none'}"


def status_lines(answer: Mapping[str, object]) -> Iterator[str]:
    """Yield a lab's status as text: connections per site, then each changing call."""
    connections, mutations = answer.get("connections"), answer.get("mutations")
    if isinstance(connections, dict):
        yield "Connections: " + ", ".join(f"{site} {count}" for site, count in sorted(connections.items()))
    if isinstance(mutations, list):
        yield f"Changing calls: {len(mutations)}"
        for call in mutations:
            yield "  {at}  {site:<8} {facade:<8} {call}  {target}".format(**call)


def _state() -> Path:
    return user_state_path("drctl") / "lab"


def _current() -> labs.LabInfo:
    info = labs.find(_state())
    if info is None:
        problem = Problem(code="no-lab", summary="no lab is up", hint="drctl lab up")
        raise DrctlError(problem, exit_code=ExitCode.FAILED)
    return info
