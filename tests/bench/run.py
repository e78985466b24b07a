"""Measures what drctl costs, beside what a user would pick instead, and writes docs/performance.md.

Every comparison is a ratio of medians taken in turns in the same run, so that a busy machine slows both.
A claim that does not hold makes this end with 1.
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from drctl import __version__
from drctl.core import events as ev
from drctl.core.clock import SystemClock
from drctl.engine.journal import Journal, JournalFile

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "performance.md"
DRCTL = str(Path(sys.executable).with_name("drctl"))
ANSIBLE = ROOT / ".build" / "ansible" / "bin" / "ansible-playbook"

START_ROUNDS = 21
STEP_ROUNDS = 5
FEW, MANY = 10, 110
COMMANDS_FEW, COMMANDS_MANY = 5, 25
JOURNAL_EVENTS = 4000
WRITERS = 32


@dataclass(frozen=True)
class Claim:
    """Something the README says; ``measured`` must stay below ``limit``."""

    text: str
    measured: float
    limit: float

    @property
    def holds(self) -> bool:
        return self.measured < self.limit


@dataclass
class Report:
    """The lines of the page, and the claims among them."""

    lines: list[str] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)

    def say(self, *lines: str) -> None:
        self.lines += lines
        print(*lines, sep="\n", flush=True)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self.say("", f"| {' | '.join(head)} |", f"|{'---|' * len(head)}")
        self.say(*(f"| {' | '.join(row)} |" for row in rows), "")


def seconds_of(command: Sequence[str], **more: object) -> float:
    """Run a command to its end; return its wall time."""
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    spent = time.perf_counter() - began
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return spent


def in_turns(rounds: int, runs: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Measure everything once, then again, …: what disturbs the machine disturbs all of them."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            times[name].append(run())
    return times


# --- start-up ---------------------------------------------------------------------------------


def measure_start(report: Report) -> None:
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "drctl --version": [DRCTL, "--version"],
        "drctl --help": [DRCTL, "--help"],
        "drctl failover --help": [DRCTL, "failover", "--help"],
    }
    in_turns(
        2, {name: lambda c=command: seconds_of(c) for name, command in commands.items()}
    )  # compile, warm up
    times = in_turns(
        START_ROUNDS, {name: lambda c=command: seconds_of(c) for name, command in commands.items()}
    )
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    bare = medians["python -c pass"]
    report.say("## Start-up", "", f"A fresh process each time, {START_ROUNDS} in turns.")
    rows = [
        (
            f"`{name}`",
            f"{median * 1000:.0f} ms",
            f"{min(times[name]) * 1000:.0f} ms",
            f"{median / bare:.1f} x",
        )
        for name, median in medians.items()
    ]
    report.table(("Command", "Median", "Fastest", "Over bare Python"), rows)
    report.claims += [
        Claim(
            "`drctl --version` starts in less than 3 x a bare Python", medians["drctl --version"] / bare, 3
        ),
        Claim("`drctl --help` starts in less than 12 x a bare Python", medians["drctl --help"] / bare, 12),
    ]


# --- steps ------------------------------------------------------------------------------------

INVENTORY = """\
drctl: 1
kind: inventory
name: bench
sites: {here: {}, there: {}}
"""

RUNBOOK = """\
drctl: 1
kind: runbook
name: bench
title: Steps that do next to nothing
owner: bench
objectives: {{rto: 1h, rpo: 1h}}
direction: {{source: {source}, target: {target}}}
phases:
  - name: Steps
    steps:
{steps}
"""

PROBE = "      - {{id: s{n}, uses: check.tcp, with: {{host: 127.0.0.1, port: {port}}}}}"
FILE = "      - {{id: s{n}, uses: ssh.put, on: edge-lyon, with: {{path: /tmp/bench-{n}, content: '{n}'}}}}"

PLAYBOOK = "- hosts: localhost\n  connection: local\n  gather_facts: false\n  tasks:\n"
DEBUG = "    - debug: {{msg: step {n}}}\n"
COMMAND = "    - command: /bin/true\n"


@contextmanager
def listening() -> Iterator[int]:
    """Accept and close connections on a loopback port."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                client.close()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


class Steps:
    """One sort of step, run few and many times; the difference takes start and end of the command out."""

    def __init__(self, name: str, few: int, many: int, run: Callable[[int], float]) -> None:
        self.name = name
        self.few = few
        self.many = many
        self.run = run
        self.times: dict[int, list[float]] = {few: [], many: []}

    def once(self) -> None:
        for count in (self.few, self.many):
            self.times[count].append(self.run(count))

    @property
    def each(self) -> float:
        """Return the median seconds of one step more."""
        pairs = zip(self.times[self.few], self.times[self.many], strict=True)
        return statistics.median((many - few) / (self.many - self.few) for few, many in pairs)


def drctl_probes(folder: Path, port: int) -> Callable[[int], float]:
    inventory = folder / "inventory.yaml"
    inventory.write_text(INVENTORY)

    def run(count: int) -> float:
        runbook = folder / f"probes-{count}.yaml"
        steps = "\n".join(PROBE.format(n=n, port=port) for n in range(count))
        runbook.write_text(RUNBOOK.format(steps=steps, source="here", target="there"))
        home = folder / "home"
        command = [DRCTL, "failover", str(runbook), "-i", str(inventory), "--home", str(home), "--yes"]
        try:
            return seconds_of([*command, "--reason", "bench", "--json"], stdin=subprocess.DEVNULL)
        finally:
            shutil.rmtree(home, ignore_errors=True)

    return run


def drctl_files(folder: Path) -> Callable[[int], float]:
    """Write files through SSH, in the lab; each step reads, journals, writes and reads again."""

    def run(count: int) -> float:
        runbook = folder / f"files-{count}.yaml"
        steps = "\n".join(FILE.format(n=n) for n in range(count))
        runbook.write_text(RUNBOOK.format(steps=steps, source="paris", target="lyon"))
        home = folder / "home"
        inner = ["failover", str(runbook), "--home", str(home), "--yes", "--reason", "bench", "--json"]
        try:
            return seconds_of([DRCTL, "lab", "run", "--", DRCTL, *inner], cwd=ROOT, stdin=subprocess.DEVNULL)
        finally:
            shutil.rmtree(home, ignore_errors=True)

    return run


def ansible(folder: Path, task: str, name: str) -> Callable[[int], float]:
    environment = {
        **os.environ,
        "HOME": str(folder),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_LOCAL_TEMP": str(folder / "ansible"),
    }

    def run(count: int) -> float:
        playbook = folder / f"{name}-{count}.yml"
        playbook.write_text(PLAYBOOK + "".join(task.format(n=n) for n in range(count)))
        return seconds_of([str(ANSIBLE), str(playbook)], env=environment, stdin=subprocess.DEVNULL)

    return run


def measure_steps(report: Report) -> None:
    with tempfile.TemporaryDirectory() as name, listening() as port:
        folder = Path(name)
        probes = Steps("drctl: `check.tcp` on loopback, journaled", FEW, MANY, drctl_probes(folder, port))
        files = Steps("drctl: `ssh.put` into the lab, journaled, read back", FEW, MANY, drctl_files(folder))
        debug = Steps("ansible-core: `debug`", FEW, MANY, ansible(folder, DEBUG, "debug"))
        command = Steps(
            "ansible-core: `command: /bin/true`",
            COMMANDS_FEW,
            COMMANDS_MANY,
            ansible(folder, COMMAND, "command"),
        )
        kinds = [probes, files, debug, command]
        for _ in range(STEP_ROUNDS):
            for kind in kinds:
                kind.once()
    report.say(
        "## What a step costs",
        "",
        f"Steps one after another, each command run with few and with many of them, {STEP_ROUNDS} times in turns: the",
        "difference leaves start-up out. ansible-core keeps no journal and does not read back; drctl has written two",
        "events or more to disk per step before it goes on.",
    )
    rows = [(kind.name, f"{kind.each * 1000:.1f} ms", f"{kind.each / probes.each:.1f} x") for kind in kinds]
    report.table(("Step", "Each", "Over drctl's check"), rows)
    report.claims += [
        Claim(
            "a step of drctl's costs less than a `debug` task of ansible-core", probes.each / debug.each, 1
        ),
        Claim("an `ssh.put`, read back, costs less than a `command` task", files.each / command.each, 1),
    ]


# --- journal ----------------------------------------------------------------------------------


def append_events(folder: Path, writers: int, total: int) -> float:
    """Append events from some threads, each waiting until its own is on disk; return events per second."""
    file = JournalFile(folder / f"journal-{writers}-{time.monotonic_ns()}.jsonl", SystemClock())

    def write() -> None:
        for number in range(total // writers):
            journal.append(ev.StepProgress(step="bench[0].write", message=f"part {number}"))

    with Journal(file) as journal:
        threads = [threading.Thread(target=write) for _ in range(writers)]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return total / (time.perf_counter() - began)


def sync_seconds(folder: Path) -> float:
    """Return what one fsync of a few hundred bytes takes on this disk, in seconds."""
    taken = []
    with (folder / "sync").open("wb", buffering=0) as file:
        for _ in range(300):
            file.write(b"x" * 400)
            began = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def measure_journal(report: Report) -> None:
    build = ROOT / ".build"
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build) as name:  # not in /tmp, which may be memory
        folder = Path(name)
        runs = {
            "1 writer, an fsync per event": lambda: append_events(folder, 1, JOURNAL_EVENTS // 4),
            f"{WRITERS} writers, fsyncs shared": lambda: append_events(folder, WRITERS, JOURNAL_EVENTS),
        }
        rates = in_turns(STEP_ROUNDS, {**runs, "sync": lambda: sync_seconds(folder)})
        sync = statistics.median(rates.pop("sync"))
    alone, shared = (statistics.median(rates[name]) for name in runs)
    report.say(
        "## Journal",
        "",
        "Events per second, each on disk before its writer goes on. Writers that come together share one fsync. One fsync",
        f"alone takes {sync * 1000:.2f} ms on this disk; on a slower one sharing matters more.",
    )
    rows = [(name, f"{statistics.median(rate):,.0f}") for name, rate in rates.items()]
    report.table(("Appending", "Events per second"), rows)
    report.say(
        f"A run of 1,000 steps writes some 3,000 events: {3000 / alone:.1f} s one by one, {3000 / shared:.1f} s shared.",
        "",
    )
    report.claims.append(Claim(f"{WRITERS} writers together append faster than one alone", alone / shared, 1))


# --- all of it --------------------------------------------------------------------------------


def describe_machine() -> str:
    cores = os.cpu_count()
    return f"{cores} cores, {platform.system()} {platform.machine()}, CPython {platform.python_version()}, drctl {__version__}, load {os.getloadavg()[0]:.1f} before"


def describe_ansible() -> str:
    done = subprocess.run([str(ANSIBLE), "--version"], capture_output=True, text=True, check=True)
    return "ansible-" + done.stdout.splitlines()[0].partition("[")[2].strip("]")


def main() -> int:
    if not ANSIBLE.exists():
        sys.exit("ansible-core is missing: run `make peers`")
    report = Report()
    report.say(
        "# Performance",
        "",
        "Written by `make bench`. Compare ratios, not times: all of a table is measured in turns, in one run, on one machine",
        f"({describe_machine()}; {describe_ansible()}).",
        "",
    )
    measure_start(report)
    measure_steps(report)
    measure_journal(report)
    report.say("## Claims", "")
    rows = [
        (
            claim.text,
            f"{claim.measured:.2f}",
            f"{claim.limit:g}",
            "holds" if claim.holds else "**does not hold**",
        )
        for claim in report.claims
    ]
    report.table(("Claim", "Measured", "Limit", ""), rows)
    PAGE.write_text("\n".join(report.lines).replace("\n\n\n", "\n\n").rstrip() + "\n", encoding="utf-8")
    return 0 if all(claim.holds for claim in report.claims) else 1


if __name__ == "__main__":
    sys.exit(main())
