"""Children that need not import drctl again: each is forked from a process that has, and dies as it likes.

They are not traced for coverage: what is killed cannot report, and tracing makes each boundary dearer.

Run as a script, it takes orders line by line on its input (``{"script", "arguments", "environment",
"output"}``), forks, runs the script as its main module, and says the child's id, then its exit status
(negative: the signal). Most of a short run's time is imports: 0.9 s of 1.5 s when this was written.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

LIBRARIES = [
    "dns.query",
    "dns.resolver",
    "dns.tsigkeyring",
    "dns.update",
    "jinja2",
    "netapp_ontap.resources",
    "paramiko",
    "pyVim.connect",
    "pyVmomi",
    "requests",
    "yaml",
]


@dataclass
class Child:
    """A run under way; like ``Popen``, as far as the tests need it."""

    pid: int
    statuses: IO[str]
    output: Path

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def finish(self) -> tuple[int, str]:
        """Wait for its end; return its exit status and what it printed."""
        status = int(self.statuses.readline())
        return status, self.output.read_text()


class Nursery:
    """The process that children are forked from, one at a time; ``close`` ends it."""

    def __init__(self) -> None:
        self._outputs = tempfile.TemporaryDirectory(prefix="drctl-children-")
        untraced = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=untraced,
        )

    def start(self, script: Path, arguments: Sequence[str], environment: dict[str, str]) -> Child:
        """Run a script in a new child."""
        orders, answers = self._process.stdin, self._process.stdout
        assert orders is not None
        assert answers is not None
        output = Path(self._outputs.name) / "output"
        order = {
            "script": str(script),
            "arguments": list(arguments),
            "environment": environment,
            "output": str(output),
        }
        print(json.dumps(order), file=orders, flush=True)
        return Child(int(answers.readline()), answers, output)

    def close(self) -> None:
        """End it; a child that still runs goes with it."""
        self._process.communicate(timeout=60)
        self._outputs.cleanup()


def warm_up() -> None:
    """Import what any run may need."""
    package = importlib.import_module("drctl")
    for module in pkgutil.walk_packages(package.__path__, "drctl."):
        if not module.name.startswith(("drctl.lab", "drctl.__main__")):
            importlib.import_module(module.name)
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


def become(order: dict[str, Any]) -> None:
    """Be the child that an order asks for."""
    output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = [order["script"], *order["arguments"]]
    runpy.run_path(order["script"], run_name="__main__")


def serve() -> None:
    """Fork as ordered until the input ends."""
    warm_up()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            become(json.loads(line))
            return
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve()
