"""The moving display: one screen, redrawn in place; the engine never waits for the terminal."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Self, TextIO

from drctl.console.board import Board, Life
from drctl.console.frame import Row, Scene, Size, Tone, frame
from drctl.core.clock import Clock
from drctl.core.events import Recorded

if TYPE_CHECKING:  # rich costs a tenth of a second: it is imported when a terminal is there
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

INTERVAL: Final = 0.25
"""Seconds between two redraws at least; without news the clocks advance once a second."""

STYLES: Final[dict[Tone, str]] = {
    "plain": "",
    "title": "bold",
    "person": "bold yellow",
    "problem": "bold red",
    "faint": "dim",
}


def can_move_cursor() -> bool:
    """Say whether the terminal can be redrawn in place; ``TERM=dumb`` and an unset TERM cannot."""
    return os.environ.get("TERM", "dumb") not in {"dumb", "unknown", ""}


class LiveView:
    """An observer that keeps one screen of a run up to date: ``with LiveView(...) as view``.

    It draws on the terminal's alternate screen from a thread of its own, so that neither keys typed
    into it nor a slow line disturb anything. ``life`` and ``notice`` are asked at each redraw. A terminal that
    has gone away ends the display, never the run: ``lost`` is called once. ``still`` is True while
    paused.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        color: bool,
        keys: Sequence[str] = (),
        asks: bool = False,
        life: Callable[[], Life] = lambda: Life(alive=True),
        notice: Callable[[], str] = str,
        lost: Callable[[], None] = lambda: None,
        output: TextIO | None = None,
    ) -> None:
        self._clock = clock
        self._keys = tuple(keys)
        self._asks = asks
        self._life = life
        self._notice = notice
        self._lost = lost
        self._console = _console(output or sys.stdout, color=color)
        self._board = Board()
        self._folding = threading.Lock()
        self._drawing = threading.Lock()
        self._news = threading.Event()
        self._closed = threading.Event()
        self._live: Live | None = None
        self._gone = False
        self.still = False
        self._thread = threading.Thread(target=self._keep_up, name="display", daemon=True)

    def __enter__(self) -> Self:
        with self._drawing:
            self._open()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._news.set()
        self._thread.join()
        with self._drawing:
            self._close()

    def hear(self, records: Sequence[Recorded]) -> None:
        """Take new records in; drawing happens elsewhere."""
        with self._folding:
            self._board.hear(records)
        self._news.set()

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Keep still while the block lasts: the last screen stays on the page, with room below it."""
        with self._drawing:
            self._close()
            self._print()
            self.still = True
            yield
            self.still = False
            if not self._closed.is_set():
                self._open()

    def rows(self) -> list[Row]:
        """Return the screen as it would be drawn now."""
        size = Size(self._console.width, self._console.height)
        scene = Scene(self._clock.now(), self._life(), self._keys, self._notice(), self._asks)
        with self._folding:
            return frame(self._board, scene, size)

    def _keep_up(self) -> None:
        while not self._closed.is_set():
            with self._drawing:
                self._draw()
            self._clock.sleep(INTERVAL, self._closed)
            self._clock.sleep(1.0 - INTERVAL, self._news)
            self._news.clear()

    def _draw(self) -> None:
        if self._live is None or self._closed.is_set():
            return
        with self._terminal():
            self._live.update(paint(self.rows()), refresh=True)

    def _open(self) -> None:
        from rich.live import Live  # noqa: PLC0415 - only where there is a terminal

        if self._gone:
            return
        with self._terminal():
            self._live = Live(
                paint(self.rows()),
                console=self._console,
                screen=True,
                auto_refresh=False,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start(refresh=True)

    def _close(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            with self._terminal():
                live.stop()

    def _print(self) -> None:
        """Leave the present screen on the page, without its empty rows and its keys."""
        if self._gone:
            return
        with self._terminal():
            for row in self.rows()[: -len(self._keys) or None]:
                if row.text:
                    self._console.print(paint([row]))

    @contextmanager
    def _terminal(self) -> Iterator[None]:
        """Give the display up when the terminal does."""
        try:
            yield
        except OSError:
            self._gone, self._live = True, None
            self._lost()


def paint(rows: Sequence[Row]) -> Text:
    """Return rows as rich draws them; no row ever wraps."""
    from rich.text import Text  # noqa: PLC0415 - only where there is a terminal

    text = Text(no_wrap=True, overflow="ellipsis", end="")
    for index, row in enumerate(rows):
        text.append(("\n" if index else "") + row.text, STYLES[row.tone] or None)
    return text


def _console(output: TextIO, *, color: bool) -> Console:
    from rich.console import Console  # noqa: PLC0415 - only where there is a terminal

    no_color = None if color else True  # None: rich heeds NO_COLOR, whatever it is set to
    return Console(file=output, no_color=no_color, highlight=False, emoji=False, markup=False)
