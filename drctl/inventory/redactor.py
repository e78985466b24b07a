"""Masks the values of secrets wherever text leaves drctl: a backstop, not the protection itself.

The protection is that secrets are references. This catches what a target system echoes. Its limits: a
value shorter than six characters is not masked (it would mask ordinary words), nor one that is cut in
two between records.
"""

from __future__ import annotations

import base64
import html
import json
import re
import threading
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, quote_plus

from pydantic import JsonValue

MASK: Final = "•••"
_SHORTEST: Final = 6


class Redactor:
    """Knows values and the ways they are written; safe to use from several threads."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._lock = threading.Lock()

    def add(self, value: str) -> None:
        """Mask this value from now on, in plain, URL, JSON, XML, repr and base64 form."""
        forms = {form for form in _forms(value) if len(form) >= _SHORTEST}
        with self._lock:
            if forms <= self._forms:
                return
            self._forms |= forms
            longest_first = sorted(self._forms, key=lambda form: (-len(form), form))
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def text(self, text: str) -> str:
        """Return the text with every known value masked."""
        pattern = self._pattern
        return text if pattern is None else pattern.sub(MASK, text)

    def tree(self, value: JsonValue) -> JsonValue:
        """Return a JSON value with every known value masked, in keys too."""
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.tree(one) for one in value]
        if isinstance(value, dict):
            return {self.text(key): self.tree(one) for key, one in value.items()}
        return value


def _forms(value: str) -> Iterator[str]:
    for line in {value, *(line for line in value.splitlines() if len(line) >= _SHORTEST)}:
        yield line
        yield quote(line)
        yield quote(line, safe="")
        yield quote_plus(line)
        yield json.dumps(line)[1:-1]
        yield json.dumps(line, ensure_ascii=False)[1:-1]
        yield repr(line)[1:-1]
        yield html.escape(line)
        yield html.escape(line, quote=False)
    raw = value.encode()
    if len(raw) >= _SHORTEST:
        yield from _base64_forms(raw)


def _base64_forms(raw: bytes) -> Iterator[str]:
    """Yield its base64 alone and inside a longer text, as in ``Authorization: Basic``.

    Base64 works on groups of three bytes, so a value looks different at each of three offsets; of the
    groups it shares with its neighbours only the whole ones can be known.
    """
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(raw).decode().rstrip("=")
        for offset in range(3):
            whole = raw[-offset % 3 :]
            whole = whole[: len(whole) // 3 * 3]
            if len(whole) >= _SHORTEST:
                yield encode(whole).decode()
