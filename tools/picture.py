"""Draws docs/picture.svg: the screens of a real failover in the lab, its production site dead.

The run happens on a terminal of its own and is answered there. The screens are drawn from its journal
by the code that draws them in a terminal; the last one is what the run left on the page.
"""

from __future__ import annotations

import getpass
import os
import pty
import re
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from pathlib import Path

from drctl.cli.running import KEYS
from drctl.console.ask import question_lines
from drctl.console.board import Board, Life
from drctl.console.closing import Closing, closing_lines
from drctl.console.figures import zone_of
from drctl.console.frame import Row, Scene, Size, Tone, frame
from drctl.core import events as ev
from drctl.core.events import Recorded
from drctl.core.problem import ExitCode
from drctl.engine.chain import scan

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "docs" / "picture.svg"
DRCTL = str(Path(sys.executable).parent / "drctl")
ANSWERS = {"go": "go crisis cell, 03:20", "vpn": "done CHG-1204"}
"""What is typed at each question."""

COLORS: dict[Tone, str] = {
    "plain": "#d6deeb",
    "title": "#ffffff",
    "person": "#ffcb6b",
    "problem": "#ff8b92",
    "faint": "#8fa1b3",
}
SIZE = Size(80, 24)
CELL_WIDTH, LINE_HEIGHT, MARGIN, BAR = 8.43, 18.0, 16.0, 30.0
"""Pixels; the width of a cell is that of common monospaced fonts at 14 px."""


@dataclass(frozen=True, slots=True)
class Screen:
    """Rows of text, and for how many seconds they are shown."""

    rows: Sequence[Row]
    seconds: float


def record(home: Path) -> Path:
    """Run the shipped failover on a terminal, answer its questions, and return its journal."""
    master, slave = pty.openpty()
    command = [
        DRCTL, "lab", "run", "--fault", "site-down:paris", "--",
        DRCTL, "failover", "runbooks/pacs-site-loss.yaml", "--yes", "--reason", "INC-2031",
    ]  # fmt: skip
    environment = {**os.environ, "DRCTL_HOME": str(home), "TERM": "dumb"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    seen, asked = "", dict(ANSWERS)
    while chunk := _read(master):
        seen += chunk
        print(chunk, end="", flush=True)
        for step, answer in list(asked.items()):
            if re.search(rf"(DECISION|MANUAL STEP) {step}\b(.|\s)*Enter alone", seen):
                os.write(master, f"{answer}\n".encode())
                del asked[step]
    if process.wait() != ExitCode.EXCEPTIONS:
        sys.exit(f"the run ended with {process.returncode}, expected was {ExitCode.EXCEPTIONS}")
    return next((home / "runs").iterdir()) / "journal.jsonl"


def _read(master: int) -> str:
    select.select([master], [], [])
    try:
        return os.read(master, 65536).decode(errors="replace")
    except OSError:  # the last process on the terminal has ended
        return ""


def screens(journal: Path) -> Iterator[Screen]:
    """Yield what the terminal showed: each question with its answer, the moves between, the summary."""
    found = scan(journal)
    records = found.records
    board = Board()
    shown = records[0].at
    for record in records:
        board.hear([record])
        if isinstance(record.event, ev.GateOpened | ev.ManualOpened):
            yield Screen(_question(board, record.event, record.at), 4.0)
            shown = record.at
        elif record.at - shown >= timedelta(seconds=2.5) and board.active:
            yield Screen(frame(board, Scene(record.at, Life(alive=True), KEYS, asks=True), SIZE), 1.3)
            shown = record.at
    closing = Closing(
        records, found.head.digest, found.head.seq, _exit(records), journal.parent / "incident.md"
    )
    lines = [row for line in closing_lines(closing) for row in _wrapped(line)]
    yield Screen([Row(line) for line in lines], 6.0)


def _question(board: Board, question: ev.GateOpened | ev.ManualOpened, at: datetime) -> list[Row]:
    """Return the page as a question leaves it: the last screen without its keys, the question, the answer."""
    above = [
        row
        for row in frame(board, Scene(at, Life(alive=True), KEYS, asks=True), SIZE)[: -len(KEYS)]
        if row.text
    ]
    asked = [
        Row(line, "person" if index == 1 else "plain")
        for index, line in enumerate(question_lines(question, at, zone_of(board.run)))
    ]
    typed = Row(ANSWERS[question.step] + "█", "title")
    return [*above, *asked, typed][-SIZE.height :]


def _wrapped(line: str) -> Iterator[str]:
    for start in range(0, max(1, len(line)), SIZE.width):
        yield line[start : start + SIZE.width]


def _exit(records: Sequence[Recorded]) -> ExitCode:
    return next(ExitCode(r.event.exit) for r in reversed(records) if isinstance(r.event, ev.RunFinished))


def draw(shown: Sequence[Screen]) -> str:
    """Return one SVG that shows the screens in turn; where nothing moves, the middle one stands still."""
    width = SIZE.width * CELL_WIDTH + 2 * MARGIN
    height = SIZE.height * LINE_HEIGHT + 2 * MARGIN + BAR
    total = sum(screen.seconds for screen in shown)
    still = len(shown) // 2
    styles, groups, begin = [], [], 0.0
    for index, screen in enumerate(shown):
        start, end = 100 * begin / total, 100 * (begin + screen.seconds) / total
        begin += screen.seconds
        styles.append(
            f"@keyframes s{index}{{0%,{start:.3f}%{{opacity:0}}{start + 0.001:.3f}%,{end:.3f}%{{opacity:1}}{min(end + 0.001, 100):.3f}%,100%{{opacity:{int(end >= 100)}}}}}"
        )
        styles.append(f".s{index}{{opacity:{int(index == still)};animation:s{index} {total:.1f}s infinite}}")
        groups.append(f'<g class="s{index}">{"".join(_text(screen.rows))}</g>')
    calm = "@media(prefers-reduced-motion){g{animation:none!important}}"
    style = "text{font:14px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;white-space:pre}"
    dots = "".join(
        f'<circle cx="{MARGIN + 8 + 20 * n}" cy="{BAR / 2 + 3}" r="6" fill="{color}"/>'
        for n, color in enumerate(("#ff5f57", "#febc2e", "#28c840"))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        'aria-label="A failover in a terminal of 80 by 24: phases, problems, running steps, a decision asked">\n'
        f"<style>{style}{''.join(styles)}{calm}</style>\n"
        f'<rect width="100%" height="100%" rx="8" fill="#101820"/>{dots}\n' + "\n".join(groups) + "\n</svg>\n"
    )


def _text(rows: Sequence[Row]) -> Iterator[str]:
    for index, row in enumerate(rows):
        if row.text.strip():
            y = BAR + MARGIN + LINE_HEIGHT * (index + 0.75)
            weight = ' font-weight="bold"' if row.tone == "title" else ""
            length = f'textLength="{len(row.text) * CELL_WIDTH:.1f}"'
            yield (
                f'<text x="{MARGIN}" y="{y:.1f}" fill="{COLORS[row.tone]}"{weight} {length} '
                f'lengthAdjust="spacingAndGlyphs" xml:space="preserve">{escape(row.text)}</text>'
            )


def neutral(screen: Screen, home: Path) -> Screen:
    """Return a screen without the names of this machine and its user."""
    names = {str(home): "~/.local/state/drctl", f"{getpass.getuser()}@{socket.gethostname()}": "kim@jump"}
    rows = []
    for row in screen.rows:
        text = row.text
        for name, instead in names.items():
            text = text.replace(name, instead)
        rows.append(Row(text, row.tone))
    return Screen(rows, screen.seconds)


def main() -> None:
    """Record a run and draw it."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        journal = record(home)
        shown = [neutral(screen, home) for screen in screens(journal)]
    PICTURE.write_text(draw(shown), encoding="utf-8")
    print(f"{PICTURE.relative_to(ROOT)}: {len(shown)} screens, {PICTURE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
