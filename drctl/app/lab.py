"""Runs the simulated estate as a process of its own and speaks to it over its control socket."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedRWPair
from pathlib import Path

from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError

from drctl.core.problem import DrctlError, ExitCode, Problem

_ANSWER: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])


class LabInfo(BaseModel):
    """What a lab says when it is ready: its inventory, its secrets, where to speak to it."""

    inventory: Path
    secrets: Mapping[str, str]
    control: Path
    speed: float
    pid: int = 0
    directory: Path = Path()


@dataclass(frozen=True)
class Wanted:
    """The lab somebody asks for: which estate, how fast, with which faults."""

    inventory: Path
    speed: float
    faults: Sequence[str] = ()


def environment(info: LabInfo) -> dict[str, str]:
    """Return the variables under which drctl works on this lab."""
    return {
        **info.secrets,
        "DRCTL_INVENTORY": str(info.inventory),
        "DRCTL_HOME": os.environ.get("DRCTL_HOME") or str(info.directory / "home"),
        "DRCTL_LAB": str(info.directory / "lab.json"),
    }


@contextmanager
def foreground(wanted: Wanted) -> Iterator[LabInfo]:
    """Serve a fresh lab in a temporary directory while the block lasts.

    Afterwards only the home of the runs made meanwhile is left of it, if there were any.
    """
    _refuse_missing(wanted.inventory)
    directory = Path(tempfile.mkdtemp(prefix="drctl-lab-"))
    process, info = _launch(wanted, directory, attached=True)
    try:
        yield info
    finally:
        if process.stdin is not None:
            process.stdin.close()
        process.wait()
        shutil.rmtree(directory / "estate" if (directory / "home").exists() else directory)


def run_command(info: LabInfo, command: Sequence[str]) -> int:
    """Run a command against a lab; return its exit status (128 + signal when it was killed).

    Ctrl-C is the command's own affair; SIGTERM and SIGHUP are handed on to it, and the lab outlives it.
    """
    try:
        process = subprocess.Popen(command, env={**os.environ, **environment(info)})
    except OSError as error:
        problem = Problem(code="command", summary=f"{command[0]}: {error.strerror}")
        raise DrctlError(problem) from error
    with _handing_on(process):
        status = process.wait()
    return status if status >= 0 else 128 - status


def up(wanted: Wanted, state: Path) -> LabInfo:
    """Start a lab in the background; raise ``DrctlError`` (exit 5) when one is up already."""
    running = find(state)
    if running is not None:
        problem = Problem(code="lab-up", summary=f"a lab is up, pid {running.pid}", hint="drctl lab down")
        raise DrctlError(problem, exit_code=ExitCode.LOCKED)
    _refuse_missing(wanted.inventory)
    state.mkdir(parents=True, exist_ok=True)
    _put_aside(state / "home")
    _, info = _launch(wanted, state, attached=False)
    (state / "lab.json").write_text(info.model_dump_json(indent=2))
    (state / "lab.json").chmod(0o600)
    return info


class Breakable(BaseModel):
    """What can go wrong in a lab: every fault, and everything that one can be aimed at."""

    faults: list[str]
    targets: list[str]


def breakable(info: LabInfo) -> Breakable:
    """Ask a lab what can be broken in it."""
    return Breakable.model_validate(ask(info, "breakable"))


def _put_aside(home: Path) -> None:
    """Keep the runs of an earlier lab, out of the way: a new estate knows nothing of them, nor do they of it."""
    if any((home / "runs").glob("*")):
        number = 1
        while (kept := home.with_name(f"home-{number}")).exists():
            number += 1
        home.rename(kept)


def earlier_runs(info: LabInfo) -> Path | None:
    """Return the newest home that an earlier lab left; None when there is none."""
    kept = [path for path in info.directory.glob("home-*") if path.name.removeprefix("home-").isdigit()]
    return max(kept, key=lambda path: int(path.name.removeprefix("home-")), default=None)


def down(state: Path) -> bool:
    """Stop the background lab and wait for its end; False when none is up."""
    info = find(state)
    if info is None:
        return False
    with _connected(info) as stream:
        stream.write(b'{"do": "stop"}\n')
        stream.flush()
        while stream.read():  # until the lab has closed its end: it is gone then
            pass
    (state / "lab.json").unlink(missing_ok=True)
    return True


def find(state: Path) -> LabInfo | None:
    """Return the lab that is up: the one of the environment, or the background one; None when none."""
    place = os.environ.get("DRCTL_LAB")
    file = Path(place) if place else state / "lab.json"
    try:
        info = LabInfo.model_validate_json(file.read_text())
    except (OSError, ValidationError):
        return None
    return info if _is_listening(info.control) else None


def ask(info: LabInfo, do: str, **order: JsonValue) -> dict[str, JsonValue]:
    """Send one order to a lab; raise ``DrctlError`` when it refuses or has gone."""
    try:
        with _connected(info) as stream:
            stream.write(json.dumps({"do": do, **order}).encode() + b"\n")
            stream.flush()
            answer = _ANSWER.validate_json(stream.readline())
    except (OSError, ValidationError) as error:
        problem = Problem(code="lab-gone", summary=f"the lab does not answer: {error}", hint="drctl lab up")
        raise DrctlError(problem, exit_code=ExitCode.FAILED) from error
    if answer.pop("ok", False) is not True:
        raise DrctlError(Problem(code="lab-refused", summary=str(answer.get("error", "refused"))))
    return answer


def _refuse_missing(inventory: Path) -> None:
    if not inventory.is_file():
        summary = f"cannot read {inventory}: no such file"
        raise DrctlError(Problem(code="lab", summary=summary, hint="Name the estate: -i INVENTORY"))


def _launch(wanted: Wanted, directory: Path, *, attached: bool) -> tuple[subprocess.Popen[str], LabInfo]:
    command = [sys.executable, "-m", "drctl.lab", "--inventory", str(wanted.inventory)]
    command += ["--directory", str(directory / "estate"), "--speed", str(wanted.speed)]
    command += ["--attached"] if attached else []
    command += [part for fault in wanted.faults for part in ("--fault", fault)]
    with (directory / "lab.log").open("w") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if attached else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    line = process.stdout.readline()
    if not line:
        process.wait()
        said = (directory / "lab.log").read_text().strip()
        if attached:
            shutil.rmtree(directory)
        raise DrctlError(Problem(code="lab", summary="the lab did not start", detail=said))
    process.stdout.close()
    info = LabInfo.model_validate_json(line).model_copy(update={"pid": process.pid, "directory": directory})
    (directory / "lab.json").write_text(info.model_dump_json(indent=2))
    return process, info


@contextmanager
def _handing_on(process: subprocess.Popen[bytes]) -> Iterator[None]:
    before = {signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN)}
    for number in (signal.SIGTERM, signal.SIGHUP):
        before[number] = signal.signal(number, lambda received, _: process.send_signal(received))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _connected(info: LabInfo) -> Iterator[BufferedRWPair]:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(120)
        client.connect(str(info.control))
        with client.makefile("rwb") as stream:
            yield stream


def _is_listening(control: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(control))
    except OSError:
        return False
    return True
