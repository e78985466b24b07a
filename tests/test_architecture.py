"""The shape of the code: what docs/architecture promises, checked on every file."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "drctl"
MODULES = sorted(PACKAGE.rglob("*.py"))
WRITTEN = [*MODULES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "tools").rglob("*.py"))]

MODULE_LINES = 400
FUNCTION_LINES = 50
MEDIAN_FUNCTION_LINES = 10

VAGUE = re.compile(r"^(utils?|helpers?|managers?|base|common|handlers?|misc)$|_(utils?|helpers?|manager)$")

STATEFUL = {
    "bytearray", "defaultdict", "OrderedDict", "Counter", "deque", "Lock", "RLock", "Event", "Condition",
    "Semaphore", "Queue", "SimpleQueue", "local", "count", "cycle", "ContextVar", "Session",
}  # fmt: skip
CONTAINERS = {"dict", "list", "set"}
CHANGING = {
    "add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "remove", "setdefault", "sort", "update",
}  # fmt: skip

CLOCK_CALLS = {
    ("time", "time"), ("time", "time_ns"), ("time", "localtime"), ("time", "gmtime"), ("time", "ctime"),
    ("time", "strftime"), ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"),
}  # fmt: skip
CLOCK_HOMES = ("core/clock.py", "lab/")  # the lab has a world, and time, of its own


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_imports_keep_their_contracts():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_core_imports_the_standard_library_and_pydantic_only():
    allowed = {*sys.stdlib_module_names, "pydantic", "pydantic_core", "drctl"}
    strangers = [
        f"{relative(path)}:{node.lineno} {name}"
        for path in (PACKAGE / "core").glob("*.py")
        for node in ast.walk(parse(path))
        for name in imported(node)
        if name.partition(".")[0] not in allowed
    ]
    assert strangers == []


def test_only_providers_and_the_lab_fetch_over_http():
    """The import contracts see packages of the standard library, and ``urllib.parse`` is harmless."""
    talkers = [
        f"{relative(path)}:{node.lineno} {name}"
        for path in MODULES
        if path.relative_to(PACKAGE).parts[0] not in ("providers", "lab")
        for node in ast.walk(parse(path))
        for name in imported(node)
        if name.startswith(("urllib.request", "http.client", "http.server"))
    ]
    assert talkers == []


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return []


def test_modules_are_short():
    long = {relative(path): count for path in MODULES if (count := lines_of(path)) > MODULE_LINES}
    assert long == {}


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_functions_are_short():
    long = {
        f"{relative(path)}:{node.lineno} {node.name}": length(node)
        for path in MODULES
        for node in functions(path)
        if length(node) > FUNCTION_LINES
    }
    assert long == {}


def test_most_functions_are_very_short():
    lengths = [length(node) for path in MODULES for node in functions(path)]
    assert statistics.median(lengths) < MEDIAN_FUNCTION_LINES


def test_module_names_say_what_is_inside():
    vague = [
        relative(path)
        for path in MODULES
        if any(VAGUE.search(part) for part in path.relative_to(PACKAGE).with_suffix("").parts)
    ]
    assert vague == []


def test_modules_hold_no_state():
    state = [
        f"{relative(path)}:{line} {what}"
        for path in MODULES
        for line, what in sorted(module_state(parse(path)))
    ]
    assert state == [], (
        "a table that nobody writes is a constant in capitals; anything else belongs in an object"
    )


def module_state(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield names that a module binds to something that changes, or could only be meant to change."""
    tables = set()
    for node in module.body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        name = ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
        if is_born_to_change(node.value) or (
            is_container(node.value) and name != "__all__" and not name.isupper()
        ):
            yield node.lineno, name
        elif is_container(node.value):
            tables.add(name)
    for inner in ast.walk(module):
        if isinstance(inner, ast.Global):
            yield inner.lineno, f"global {', '.join(inner.names)}"
        elif (written := written_name(inner)) in tables:
            yield inner.lineno, f"writes {written}"


def called_name(value: ast.expr) -> str:
    if not isinstance(value, ast.Call):
        return ""
    return value.func.attr if isinstance(value.func, ast.Attribute) else ast.unparse(value.func)


def is_container(value: ast.expr) -> bool:
    displays = ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp
    return isinstance(value, displays) or called_name(value) in CONTAINERS


def is_born_to_change(value: ast.expr) -> bool:
    """Locks, queues and counters; and what starts empty is there to be filled."""
    empty = isinstance(value, ast.List | ast.Dict) and not ast.unparse(value).strip("[]{}")
    bare = (
        called_name(value) in CONTAINERS
        and isinstance(value, ast.Call)
        and not (value.args or value.keywords)
    )
    return empty or bare or called_name(value) in STATEFUL


def written_name(node: ast.AST) -> str:
    """The name that a statement changes in place: ``X[...] = ``, ``del X[...]``, ``X += ``, ``X.append()``."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        return ast.unparse(node.value)
    if isinstance(node, ast.AugAssign):
        return ast.unparse(node.target)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGING:
        return ast.unparse(node.func.value)
    return ""


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("UNITS = {'s': 1}", []),
        ("_UNITS: Final = {'s': 1}\ndef f(): return _UNITS['s']", []),
        ("__all__ = ['f']", []),
        ("units = {'s': 1}", ["units"]),
        ("CACHE = {}", ["CACHE"]),
        ("SEEN: set[str] = set()", ["SEEN"]),
        ("LOCK = threading.Lock()", ["LOCK"]),
        ("UNITS = {'s': 1}\ndef f(): UNITS['m'] = 60", ["writes UNITS"]),
        ("NAMES = ['a']\ndef f(): NAMES.append('b')", ["writes NAMES"]),
        ("def f():\n    global x\n    x = 1", ["global x"]),
    ],
)
def test_state_is_recognised(code, found):
    assert [what for _, what in module_state(ast.parse(code))] == found


def test_only_the_clock_reads_the_clock():
    readers = [
        f"{relative(path)}:{node.lineno} {ast.unparse(node)}"
        for path in MODULES
        if not path.relative_to(PACKAGE).as_posix().startswith(CLOCK_HOMES)
        for node in ast.walk(parse(path))
        if reads_clock(node)
    ]
    assert readers == [], "take a core.clock.Clock instead"


def reads_clock(node: ast.AST) -> bool:
    """Tell whether a call asks for the wall clock, whatever alias the name came by."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    owner = node.func.value
    name = owner.attr if isinstance(owner, ast.Attribute) else ast.unparse(owner)
    return (name, node.func.attr) in CLOCK_CALLS


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_start_up_loads_nothing_heavy(option: str):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "drctl", option],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "drctl" in loaded
    heavy = ("pydantic", "drctl.providers", "rich", "yaml", "paramiko", "requests", "jinja2", "cryptography")
    assert sorted(name for name in loaded if name.startswith(heavy)) == []


SILENCED = re.compile(r"#\s*(noqa|type:\s*ignore|pyright:|pragma:\s*no cover|fmt:\s*off)")
EXPLAINED = re.compile(
    r"#\s*(noqa: [A-Z]+\d+(, ?[A-Z]+\d+)*|type: ignore\[[a-z-]+(, ?[a-z-]+)*\])\W+(\w+\W+){2,}"
)


def test_silenced_checks_say_why():
    mute = [
        f"{relative(path)}:{number} {line.strip()}"
        for path in WRITTEN
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if SILENCED.search(line) and not EXPLAINED.search(line + " ")
    ]
    assert mute == [], "name the rule and give the reason on the same line"


def test_nothing_is_left_to_do():
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    left = [
        f"{relative(path)}:{number}"
        for path in WRITTEN
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if marks.search(line)
    ]
    assert left == []


def test_requirements_are_pinned_and_name_no_place():
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        pins = re.findall(r"^([A-Za-z0-9._-]+)==\S+ \\$", text, re.MULTILINE)
        entries = re.findall(r"^[A-Za-z0-9].*$", text, re.MULTILINE)
        assert len(pins) == len(entries) > 0, path
        assert not re.search(r"https?://|file:|--(index|extra-index|find-links|trusted)", text), path


def test_every_dependency_is_justified():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(r for group in project["optional-dependencies"].values() for r in group),
    ]
    for source in (ROOT / "requirements").glob("*.in"):
        wanted += [line for line in source.read_text(encoding="utf-8").splitlines() if re.match(r"\w", line)]
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    names = [re.split(r"[<>=!~\[; ]", line)[0] for line in wanted]
    assert [name for name in names if f"| {name} |" not in page] == []
