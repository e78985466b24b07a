"""Strings with ``{{ }}`` inside: where the expressions begin and end, and what they become."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import JsonValue

from drctl.document.place import Keys
from drctl.runbook.expr import Expression, Language, Scope
from drctl.runbook.value import ExpressionError, plain, text_of

_OPENING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True)
class Hole:
    """An expression inside a string; ``offset`` is where its own text begins."""

    expression: Expression
    offset: int


@dataclass(frozen=True)
class Text:
    """A string taken apart."""

    parts: tuple[str | Hole, ...]

    @property
    def holes(self) -> tuple[Hole, ...]:
        """The expressions, in order."""
        return tuple(part for part in self.parts if isinstance(part, Hole))

    def fill(self, scope: Scope) -> JsonValue:
        """Return the string, or the one expression's own value; raise ``ExpressionError``."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Hole):
            return _fill(self.parts[0], scope, whole=True)
        return "".join(
            part if isinstance(part, str) else str(_fill(part, scope, whole=False)) for part in self.parts
        )


def _fill(hole: Hole, scope: Scope, *, whole: bool) -> JsonValue:
    try:
        value = hole.expression.evaluate(scope)
        return plain(value) if whole else text_of(value)
    except ExpressionError as error:
        raise error.moved(hole.offset) from error


def parse_text(text: str, language: Language) -> Text:
    """Take a string apart; raise ``ExpressionError`` with an offset in the whole string."""
    parts: list[str | Hole] = []
    at = 0
    while (start := text.find("{{", at)) >= 0:
        if start > at:
            parts.append(text[at:start])
        end = _closing(text, start)
        inner = text[start + 2 : end]
        offset = start + 2 + len(inner) - len(inner.lstrip())
        if inner[:1] in {"-", "+"}:
            raise ExpressionError("{{- and {{+ are not part of the language", start)
        if not inner.strip():
            raise ExpressionError("there is no expression between {{ and }}", start)
        try:
            parts.append(Hole(language.parse(inner.strip()), offset))
        except ExpressionError as error:
            raise error.moved(offset) from error
        at = end + 2
    if at < len(text) or not parts:
        parts.append(text[at:])
    return Text(tuple(parts))


def _closing(text: str, start: int) -> int:
    """Return where the ``}}`` of the ``{{`` at ``start`` stands, past quotes and brackets."""
    open_brackets: list[str] = []
    quote = ""
    at = start + 2
    while at < len(text):
        char = text[at]
        if quote:
            at += char == "\\"
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in _OPENING:
            open_brackets.append(_OPENING[char])
        elif open_brackets and char == open_brackets[-1]:
            open_brackets.pop()
        elif not open_brackets and text.startswith("}}", at):
            return at
        at += 1
    raise ExpressionError("the {{ here is never closed by }}", start)


def strings(value: JsonValue, keys: Keys = ()) -> Iterator[tuple[Keys, str]]:
    """Yield every string inside a value with the keys that lead to it."""
    if isinstance(value, str):
        yield keys, value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from strings(one, (*keys, key))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from strings(one, (*keys, index))
