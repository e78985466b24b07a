"""How long a report of thousands of steps takes, and how much memory: ``python tests/bench/reports.py [STEPS]``.

The installed command is measured from start to end, three times; the best is printed, as a table row.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))

from measured import measure
from report_journals import large

TIMES = 3


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
            best = min((measure(command) for _ in range(TIMES)), key=lambda taken: taken.wall)
            print(
                f"| {form} | {best.wall:.1f} s | {best.processor:.1f} s | {best.memory:.0f} MiB | {out.stat().st_size / 2**20:.1f} MiB |"
            )


if __name__ == "__main__":
    main()
