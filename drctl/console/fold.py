"""Lines of any length on a terminal of any width: broken between words, and indented so that they read on."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from typing import Final

LEAST: Final = 20
"""Columns below which breaking helps nobody."""

_LABEL: Final = re.compile(r"\s*\S+\s{2,}")
_WHOLE: Final = re.compile(r"\s*(→ )?drctl |\s*\d* \| ")
"""Commands, and the excerpt of a file above its caret."""


def fold(line: str, width: int) -> Iterator[str]:
    """Yield a line in pieces of at most ``width`` columns.

    What follows a label (``RTO       2 h …``) continues under it, anything else four columns further in.
    A word that is too long for a line stays whole, and so does a command: both are there to be copied.
    """
    if len(line) <= width or width < LEAST or _WHOLE.match(line):
        yield line
        return
    label = _LABEL.match(line)
    if label is not None and " " not in line[label.end() :]:
        yield line
        return
    indent = len(line) - len(line.lstrip()) + 4
    if label is not None and label.end() <= width // 4:
        indent = max(label.end(), indent)
    yield from textwrap.wrap(
        line,
        width,
        subsequent_indent=" " * min(indent, width // 2),
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )
