"""Expressions: Jinja2's expression language, sandboxed and strict, compiled once per text.

Only expressions exist, no statements: ``{%`` and ``{#`` are ordinary text, so a shell command may hold
them. A string that is one ``{{ }}`` yields the value itself, never text parsed back into a value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Final, TypeAlias, TypeVar

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, UndefinedError, nodes
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from drctl.document.shape import suggest
from drctl.runbook.value import MAX_ITEMS, ExpressionError, Record

SCOPE: Final = frozenset(
    {"all", "item", "mode", "objectives", "params", "run", "services", "source", "steps", "target"}
)
_MAX_LENGTH: Final = 4000
_LEFT_OUT: Final = (
    *("random", "pprint", "urlize", "xmlattr", "wordwrap"),  # not the same each time, or for web pages
    *("batch", "slice", "center", "indent", "format"),  # a short text could fill the memory
)
_FAULTS: Final = (
    TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)

Scope: TypeAlias = Mapping[str, object]
V = TypeVar("V")


class _UnknownNameError(UndefinedError):
    """An undefined name was used; keeps the name, which Jinja2's own error does not."""

    def __init__(self, owner: object, name: object, message: str | None = None) -> None:
        super().__init__(message)
        self.owner = owner
        self.name = name


class _Unknown(StrictUndefined):
    """A strict undefined whose error says what was asked of whom."""

    __slots__ = ()

    def __init__(
        self,
        hint: str | None = None,
        obj: object = missing,
        name: str | None = None,
        exc: object = None,
    ) -> None:
        super().__init__(hint, obj, name, partial(_UnknownNameError, obj, name))  # type: ignore[arg-type]  # called, never subclassed

    def fail(self) -> None:
        """Raise the error that any use of this value raises."""
        self._fail_with_undefined_error()


@dataclass(frozen=True)
class Reference:
    """A use of ``steps.<id>.outputs.<name>``; ``step`` gives the id, which may depend on the item."""

    step: Expression
    output: str
    offset: int


@dataclass(frozen=True)
class Expression:
    """A compiled expression."""

    text: str
    names: frozenset[str]
    references: tuple[Reference, ...]
    chains: tuple[tuple[str, ...], ...]
    program: Callable[[], Template] = field(compare=False, repr=False)

    def evaluate(self, scope: Scope) -> object:
        """Return the value; raise ``ExpressionError``."""
        try:
            template = self.program()
            context = template.new_context(dict(scope))
            for _ in template.root_render_func(context):
                pass
            value = _settle(context.vars["result"])
        except _UnknownNameError as error:
            raise self._unknown(error, scope) from error
        except _FAULTS as error:
            raise ExpressionError(f"this fails here: {error}" if str(error) else "this fails here") from error
        return value

    def check_members(self, scope: Scope) -> None:
        """Raise ``ExpressionError`` when a plain ``a.b.c`` leads nowhere.

        For an expression that waits for outputs: what can be known before is checked before.
        """
        for chain in self.chains:
            here: object = scope.get(chain[0])
            for name in chain[1:]:
                if not isinstance(here, Record):
                    break
                if name not in here.names():
                    raise self._unknown(_UnknownNameError(here, name), scope)
                here = here[name]

    def _unknown(self, error: _UnknownNameError, scope: Scope) -> ExpressionError:
        if isinstance(error.name, _Unknown):  # a[b] where b itself is not defined
            try:
                error.name.fail()
            except _UnknownNameError as inner:
                return self._unknown(inner, scope)
        name = error.name if isinstance(error.name, str) else f"{error.name!r:.60}"
        offset = _find_member(self.text, name, error.owner, scope)
        if error.owner is missing:
            return ExpressionError(f"{name!r} is not defined", offset, suggest(name, SCOPE))
        if isinstance(error.owner, Record):
            why = error.owner.absent(name)
            hint = "" if why else suggest(name, error.owner.names())
            return ExpressionError(why or f"{error.owner!r} has no {name!r}", offset, hint)
        known = [str(key) for key in error.owner] if isinstance(error.owner, Mapping) else []
        return ExpressionError(error.message or f"{name!r} is not defined", offset, suggest(name, known))


class Language:
    """Parses expressions; keeps what it has compiled. One per load or expansion."""

    def __init__(self) -> None:
        self._environment = _Environment()
        self._known: dict[str, Expression | ExpressionError] = {}

    def parse(self, text: str) -> Expression:
        """Return the expression; raise ``ExpressionError`` for a syntax error or an unknown name."""
        known = self._known.get(text)
        if known is None:
            try:
                known = self._parse(text)
            except ExpressionError as error:
                known = error
            self._known[text] = known
        if isinstance(known, ExpressionError):
            raise ExpressionError(str(known), known.offset, known.hint)
        return known

    def _parse(self, text: str) -> Expression:
        if len(text) > _MAX_LENGTH:
            raise ExpressionError(f"an expression has at most {_MAX_LENGTH} characters")
        parser = None
        try:
            parser = Parser(self._environment, text, state="variable")
            tree = parser.parse_expression()
            if not parser.stream.eos:
                parser.fail(f"unexpected {parser.stream.current.value!r}")
            tree.set_environment(self._environment)
            return self._analyse(text, tree)
        except TemplateSyntaxError as error:
            what = (error.message or "").replace("end of template", "end")
            offset = _offset_of_rest(self._environment, text, parser)
            raise ExpressionError(f"not an expression: {what}", offset) from error
        except RecursionError as error:
            raise ExpressionError("nested too deeply") from error

    def _analyse(self, text: str, tree: nodes.Expr) -> Expression:
        _check_calls(self._environment, tree, text)
        names = {node.name for node in _all(tree, nodes.Name)}
        for name in sorted(names - SCOPE):
            raise ExpressionError(f"{name!r} is not defined", _find_word(text, name), suggest(name, SCOPE))
        references = tuple(self._references(text, tree))
        return Expression(text, frozenset(names), references, _chains(tree), self._program(tree))

    def _program(self, tree: nodes.Expr) -> Callable[[], Template]:
        made: list[Template] = []

        def program() -> Template:
            if not made:
                body: list[nodes.Node] = [nodes.Assign(nodes.Name("result", "store"), tree, lineno=1)]
                made.append(self._environment.from_string(nodes.Template(body, lineno=1)))
            return made[0]

        return program

    def _references(self, text: str, tree: nodes.Expr) -> Iterator[Reference]:
        """Yield the uses of ``steps``; raise ``ExpressionError`` for any but ``steps.<id>.outputs.<name>``."""
        found = 0
        for last in _all(tree, (nodes.Getattr, nodes.Getitem)):
            outputs, output = _member(last)
            step, word = _member(outputs) if outputs is not None else (None, None)
            owner = step.node if isinstance(step, (nodes.Getattr, nodes.Getitem)) else None
            if word != "outputs" or not isinstance(owner, nodes.Name) or owner.name != "steps":
                continue
            if output is None or step is None:
                break
            found += 1
            argument = nodes.Const(step.attr) if isinstance(step, nodes.Getattr) else step.arg
            names = frozenset(node.name for node in _all(argument, nodes.Name))
            if "steps" in names:
                break
            source = str(argument.value) if isinstance(argument, nodes.Const) else ""
            name = Expression(source, names, (), (), self._program(argument))
            yield Reference(name, output, _find_word(text, "steps", found - 1))
        if found != sum(1 for node in _all(tree, nodes.Name) if node.name == "steps"):
            hint = "Write steps.<id>.outputs.<name>, or steps['<id>'] where the id holds a dash."
            raise ExpressionError("this is not an output of a step", _find_word(text, "steps"), hint)


def _settle(value: object) -> object:
    """Return the value with generators run to their end and undefined values refused."""
    if isinstance(value, _Unknown):
        value.fail()
    if isinstance(value, Iterator):
        value = list(islice(value, MAX_ITEMS))
    if isinstance(value, (list, tuple)):
        return [_settle(one) for one in value]
    return value


def _offset_of_rest(environment: _Environment, text: str, parser: Parser | None) -> int:
    """Return where parsing stopped: Jinja2 itself knows lines only, so what is left is counted."""
    starts: list[int] = []
    at = 0
    try:
        for _, kind, token in environment.lexer.tokeniter(text, None, None, "variable"):
            if kind != "whitespace":
                starts.append(at)
            at += len(token)
    except TemplateSyntaxError:
        return at
    rest = 0 if parser is None else sum(1 for _ in parser.stream)
    return starts[-rest] if 0 < rest <= len(starts) else max(starts[-1:], default=0)


def _all(tree: nodes.Node, kind: type[V] | tuple[type[V], ...]) -> list[V]:
    """Return the node itself and those below it, of these classes."""
    own = [tree] if isinstance(tree, kind) else []
    return [*own, *tree.find_all(kind)]  # type: ignore[type-var]  # node classes only


def _member(node: nodes.Node | None) -> tuple[nodes.Getattr | nodes.Getitem | None, str | None]:
    """Return the owner of ``owner.name`` or ``owner['name']`` where it is a member itself, and the name."""
    if isinstance(node, nodes.Getattr):
        name: str | None = node.attr
    elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        name = str(node.arg.value)
    else:
        return None, None
    owner = node.node
    return (owner, name) if isinstance(owner, (nodes.Getattr, nodes.Getitem)) else (None, name)


def _chains(tree: nodes.Expr) -> tuple[tuple[str, ...], ...]:
    """Return the plain ``a.b.c`` of an expression that never asks whether something is defined."""
    if any(node.name in {"default", "d"} for node in _all(tree, nodes.Filter)):
        return ()
    if any(node.name in {"defined", "undefined"} for node in _all(tree, nodes.Test)):
        return ()
    chains: list[tuple[str, ...]] = []
    for node in _all(tree, nodes.Getattr):
        names, here = [node.attr], node.node
        while isinstance(here, nodes.Getattr):
            names.append(here.attr)
            here = here.node
        if isinstance(here, nodes.Name) and here.name != "steps":
            chains.append((here.name, *reversed(names)))
    return tuple(chains)


def _check_calls(environment: _Environment, tree: nodes.Expr, text: str) -> None:
    """Name unknown filters and tests at once; Jinja2 itself would wait until the code runs."""
    for node in _all(tree, nodes.Filter):
        if node.name not in environment.filters:
            hint = suggest(node.name, environment.filters)
            raise ExpressionError(f"no filter is called {node.name!r}", _find_word(text, node.name), hint)
    for test in _all(tree, nodes.Test):
        if test.name not in environment.tests:
            hint = suggest(test.name, environment.tests)
            raise ExpressionError(f"no test is called {test.name!r}", _find_word(text, test.name), hint)


def _find_word(text: str, word: str, skip: int = 0) -> int:
    """Return the offset of a whole word, 0 when it is not there; ``skip`` passes over earlier ones."""
    start, first = 0, -1
    while (at := text.find(word, start)) >= 0:
        end = at + len(word)
        whole = not (text[at - 1 : at].isidentifier() or text[end : end + 1].isidentifier())
        if whole:
            if skip == 0:
                return at
            skip -= 1
            first = at
        start = max(end, at + 1)
    return max(first, 0)


def _find_member(text: str, name: str, owner: object, scope: Scope) -> int:
    """Return the offset of the ``name`` that was asked of ``owner``; of the first ``name`` when unsure."""
    for found in re.finditer(rf"((?:[A-Za-z_]\w*\.)+)({re.escape(name)})\b", text):
        here: object = scope
        for part in found[1][:-1].split("."):
            here = here.get(part) if isinstance(here, Mapping) else None
        if here is owner:
            return found.start(2)
    return _find_word(text, name)


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox: no globals, no powers, no repetition that fills the memory."""

    intercepted_binops = frozenset({"*", "**"})

    def __init__(self) -> None:
        super().__init__(
            undefined=_Unknown,
            autoescape=False,
            block_start_string="\0{%",
            block_end_string="%}\0",
            comment_start_string="\0{#",
            comment_end_string="#}\0",
            keep_trailing_newline=True,
            cache_size=0,
        )
        self.globals.clear()
        for name in _LEFT_OUT:
            self.filters.pop(name, None)

    def getattr(self, obj: object, attribute: str) -> object:
        """Give a record's fields precedence over Python's own names."""
        if isinstance(obj, Record):
            return self._field(obj, attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: object, argument: object) -> object:
        """Give a record's fields and nothing else."""
        if isinstance(obj, Record):
            return self._field(obj, argument)
        return super().getitem(obj, argument)

    def _field(self, record: Record, name: object) -> object:
        try:
            return record[name]  # type: ignore[index]  # a KeyError or TypeError either way
        except (KeyError, TypeError):
            return self.undefined(obj=record, name=str(name))

    def call_binop(self, context: object, operator: str, left: object, right: object) -> object:
        """Multiply numbers only; powers are refused."""
        if operator == "*" and all(isinstance(one, (int, float)) for one in (left, right)):
            return left * right  # type: ignore[operator]  # both are numbers
        raise TypeError(
            f"{operator} works on numbers only" if operator == "*" else "** is not part of the language"
        )
