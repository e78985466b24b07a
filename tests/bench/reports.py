"""How long a report of thousands of steps takes, and how much memory: ``python tests/bench/reports.py [STEPS]``.

The installed command is measured from start to end, three times; the best is printed, as a table row.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))

from report_journals import large

TIMES = 3


def measure(command: list[str]) -> tuple[float, float, float]:
    """Run a command; return seconds on the clock, seconds of processor, MiB at most."""
    began = time.monotonic()
    child = os.posix_spawn(command[0], command, os.environ)
    _, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit(f"{command} ended with {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    """Print one row per format."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    story = large(steps)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "runs" / story.run
        run.mkdir(parents=True)
        (run / "journal.jsonl").write_bytes(story.text)
        print(f"Reports of {steps} steps, {len(story.scan().records)} events:\n")
        print("| format | wall | processor | memory | size |\n|---|---:|---:|---:|---:|")
        for form in ("md", "html", "json"):
            out = Path(folder) / f"report.{form}"
            command = [
                sys.executable,
                "-m",
                "drctl",
                "report",
                story.run,
                "-f",
                form,
                "--home",
                folder,
                "-o",
                str(out),
            ]
            wall, processor, memory = min(measure(command) for _ in range(TIMES))
            print(
                f"| {form} | {wall:.1f} s | {processor:.1f} s | {memory:.0f} MiB | {out.stat().st_size / 2**20:.1f} MiB |"
            )


if __name__ == "__main__":
    main()
