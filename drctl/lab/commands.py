"""What the lab's machines can do: a reverse proxy, a directory controller, and what every machine knows."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from drctl.lab.files import Files
from drctl.lab.shell import Call, Command, Result

ACTIVE_SITE: Final = "/etc/edge/active-site"
"""The file that a reverse proxy reads when it reloads."""


def fail(text: str, status: int = 1) -> Result:
    """A failed command and what it says on stderr."""
    return Result(status, err=f"{text}\n".encode())


def say(text: str, status: int = 0) -> Result:
    """A command and what it says on stdout."""
    return Result(status, out=f"{text}\n".encode())


# --- every machine ----------------------------------------------------------------------------


def _true(_call: Call) -> Result:
    return Result()


def _false(_call: Call) -> Result:
    return Result(1)


def _echo(call: Call) -> Result:
    return say(" ".join(call.arguments))


def _printf(call: Call) -> Result:
    r"""``printf '%s' TEXT`` and ``printf TEXT`` with ``\n``; other formats are refused."""
    form, *rest = call.arguments or [""]
    if form in ("%s", "%s\\n"):
        return Result(out=("".join(word + form[2:].replace("\\n", "\n") for word in rest)).encode())
    if "%" in form or rest:
        return fail(f"printf: {form}: not supported on this machine", 2)
    return Result(out=form.replace("\\n", "\n").encode())


def _id(call: Call) -> Result:
    names = {"-u": "1000", "-un": "drctl", "-g": "1000", "-gn": "drctl"}
    flag = "".join(call.arguments)
    return say(names.get(flag, "uid=1000(drctl) gid=1000(drctl) groups=1000(drctl)"))


def _hostname(call: Call) -> Result:
    return say(call.machine.endpoint)


def _date(call: Call) -> Result:
    now = call.world.now()
    if call.arguments == ["+%s"]:
        return say(str(int(now.timestamp())))
    return say(now.strftime("%a %b %d %H:%M:%S UTC %Y"))


def _sh(call: Call) -> Result:
    """``sh -c LINE``."""
    match call.arguments:
        case ["-c" | "-ec" | "-euc" | "-lc", line, *_]:
            return call.shell.run(line, call.stdin)
    return fail("sh: only -c is supported", 2)


def _timeout(call: Call) -> Result:
    """``timeout [-k N] [-s SIGNAL] DURATION COMMAND``; nothing here lasts, so it never strikes."""
    rest = list(call.arguments)
    while rest and rest[0].startswith("-"):
        flag = rest.pop(0)
        if flag in ("-k", "--kill-after", "-s", "--signal") and rest:
            rest.pop(0)
    if len(rest) < 2:
        return fail("timeout: missing operand", 125)
    return call.shell.execute(rest[1:], call.stdin)


def _env(call: Call) -> Result:
    """``env NAME=VALUE... COMMAND``: no command here looks at its environment."""
    words = list(call.arguments)
    while words and "=" in words[0]:
        words.pop(0)
    return call.shell.execute(words, call.stdin) if words else Result()


def _sudo(call: Call) -> Result:
    """``sudo -n COMMAND``: the account is a sudoer without a password."""
    words = [word for word in call.arguments if word not in ("-n", "--")]
    return call.shell.execute(words, call.stdin) if words else fail("usage: sudo -n command")


# --- files ------------------------------------------------------------------------------------


def _split(call: Call) -> tuple[set[str], list[str]]:
    """Options and operands; every option here stands alone."""
    flags = {word for word in call.arguments if word.startswith("-") and word not in ("-", "--")}
    return flags, [word for word in call.arguments if word not in flags and word != "--"]


def _missing(command: str, path: str) -> Result:
    return fail(f"{command}: {path}: No such file or directory")


def _cat(call: Call) -> Result:
    _, paths = _split(call)
    files = Files(call.world, call.machine)
    out = b"" if paths else call.stdin
    for path in paths:
        if path != "-" and path not in call.machine.files:
            return _missing("cat", path)
        out += call.stdin if path == "-" else files.read(path)
    return Result(out=out)


def _sha256sum(call: Call) -> Result:
    _, paths = _split(call)
    files = Files(call.world, call.machine)
    lines = []
    for path in paths or ["-"]:
        if path != "-" and path not in call.machine.files:
            return _missing("sha256sum", path)
        content = call.stdin if path == "-" else files.read(path)
        lines.append(f"{hashlib.sha256(content).hexdigest()}  {path}")
    return say("\n".join(lines))


def _stat(call: Call) -> Result:
    """``stat -c %a PATH`` and ``stat -c %s PATH``."""
    files = Files(call.world, call.machine)
    match call.arguments:
        case ["-c", "%a" | "%s" as form, path]:
            found = files.find(path)
            if found is None:
                return _missing("stat", path)
            return say(f"{found.mode & 0o7777:o}" if form == "%a" else str(found.size))
    return fail("stat: only -c %a and -c %s are supported", 2)


def _ls(call: Call) -> Result:
    files = Files(call.world, call.machine)
    _, paths = _split(call)
    for path in paths or ["/"]:
        found = files.find(path)
        if found is None:
            return _missing("ls", path)
        if not found.folder:
            return say(path)
    return Result(
        out="".join(f"{name}\n" for path in paths or ["/"] for name in files.listing(path)).encode()
    )


def _test(call: Call) -> Result:
    """``test -e|-f|-d|-s PATH``, ``test A = B``, ``test ! ...``."""
    words = [word for word in call.arguments if word != "]"]
    if words[:1] == ["!"]:
        inner = Call(call.world, call.machine, words[1:], b"", call.shell)
        return Result(0 if _test(inner).status == 1 else 1)
    match words:
        case ["-e" | "-f" | "-d" | "-s" | "-r" | "-w" as flag, path]:
            found = Files(call.world, call.machine).find(path)
            good = found is not None and {
                "-f": not found.folder,
                "-d": found.folder,
                "-s": found.size > 0,
            }.get(flag, True)
        case [one, "=" | "==" | "!=" as sign, other]:
            good = (one == other) is (sign != "!=")
        case ["-n" | "-z" as flag, text]:
            good = bool(text) is (flag == "-n")
        case _:
            return fail("test: this form is not supported", 2)
    return Result(0 if good else 1)


def _tee(call: Call) -> Result:
    flags, paths = _split(call)
    files = Files(call.world, call.machine)
    for path in paths:
        before = files.read(path) if "-a" in flags else b""
        call.record("tee", f"{call.machine.endpoint}:{path}")
        if not files.write(path, before + call.stdin):
            return _missing("tee", path)
    return Result(out=call.stdin)


def _mkdir(call: Call) -> Result:
    flags, paths = _split(call)
    files = Files(call.world, call.machine)
    for path in paths:
        call.record("mkdir", f"{call.machine.endpoint}:{path}")
        if files.find(path) is not None:
            if "-p" not in flags:
                return fail(f"mkdir: cannot create directory '{path}': File exists")
        elif not files.make_folder(path, parents="-p" in flags):
            return _missing("mkdir", path)
    return Result()


def _chmod(call: Call) -> Result:
    match call.arguments:
        case [mode, *paths] if paths and all(digit in "01234567" for digit in mode):
            for path in paths:
                call.record("chmod", f"{call.machine.endpoint}:{path}")
                if not Files(call.world, call.machine).set_mode(path, int(mode, 8)):
                    return _missing("chmod", path)
            return Result()
    return fail("chmod: only octal modes are supported", 2)


def _copy(call: Call) -> Result:
    _, paths = _split(call)
    if len(paths) != 2:
        return fail("cp: one source and one destination are supported", 2)
    source, target = paths
    files = Files(call.world, call.machine)
    call.record("cp", f"{call.machine.endpoint}:{target}")
    if source not in call.machine.files or not files.write(files.inside(target, source), files.read(source)):
        return _missing("cp", source)
    return Result()


def _move(call: Call) -> Result:
    _, paths = _split(call)
    if len(paths) != 2:
        return fail("mv: one source and one destination are supported", 2)
    source, target = paths
    files = Files(call.world, call.machine)
    call.record("mv", f"{call.machine.endpoint}:{target}")
    if not files.rename(source, files.inside(target, source)):
        return _missing("mv", source)
    return Result()


def _remove(call: Call) -> Result:
    flags, paths = _split(call)
    files = Files(call.world, call.machine)
    for path in paths:
        call.record("rm", f"{call.machine.endpoint}:{path}")
        if not files.remove(path) and not any("f" in flag for flag in flags):
            return _missing("rm", path)
    return Result()


def _install(call: Call) -> Result:
    """``install [-D] [-m MODE] SOURCE TARGET``; ``/dev/stdin`` is a source too."""
    words, mode = list(call.arguments), 0o755
    if "-m" in words[:-1]:
        place = words.index("-m")
        mode = int(words[place + 1], 8)
        del words[place : place + 2]
    make = "-D" in words
    paths = [word for word in words if not word.startswith("-")]
    if len(paths) != 2:
        return fail("install: one source and one destination are supported", 2)
    source, target = paths
    files = Files(call.world, call.machine)
    content = call.stdin if source in ("/dev/stdin", "-") else files.read(source)
    call.record("install", f"{call.machine.endpoint}:{target}")
    if make:
        files.make_folder(posixpath.dirname(target), parents=True)
    if source not in (*call.machine.files, "/dev/stdin", "-") or not files.write(target, content):
        return _missing("install", source)
    files.set_mode(target, mode)
    return Result()


# --- a reverse proxy --------------------------------------------------------------------------


def _systemctl(call: Call) -> Result:
    """``systemctl reload|restart|start|is-active|status edge``."""
    match [word for word in call.arguments if not word.startswith("-")]:
        case ["is-active" | "status", "edge" | "edge.service"]:
            return say("active")
        case ["reload" | "restart" | "start" as verb, "edge" | "edge.service"]:
            call.record(f"systemctl {verb}", f"{call.machine.endpoint}:edge")
            if ACTIVE_SITE not in call.machine.files:
                return fail(f"Job for edge.service failed: {ACTIVE_SITE} is missing")
            call.machine.serving = call.machine.files[ACTIVE_SITE].strip()
            return Result()
        case [_, unit, *_]:
            return fail(f"Unit {unit} could not be found.", 5)
    return fail("systemctl: this form is not supported", 2)


def _edge_ctl(call: Call) -> Result:
    """``edge-ctl serves SITE`` (0 yes, 1 no) and ``edge-ctl status``."""
    match call.arguments:
        case ["serves", site]:
            return Result(0 if call.machine.serving == site else 1)
        case ["status"]:
            return say(f"serving {call.machine.serving or 'nothing'}")
    return fail("usage: edge-ctl serves SITE | edge-ctl status", 2)


# --- a directory controller -------------------------------------------------------------------


def account(name: str) -> str:
    r"""An account without its domain and without a computer's dollar sign: ``DOM\NAME$`` is ``NAME``."""
    return name.rpartition("\\")[2].removesuffix("$").upper()


def _setspn(call: Call) -> Result:
    """``setspn -Q SPN``, ``-L ACCOUNT``, ``-C|-S|-D SPN ACCOUNT``.

    Unlike Windows' own, ``-C`` asks whether the account holds the name and ``-S`` takes it away from
    whoever held it before: the two calls that a runbook needs to move a name and to see it moved.
    """
    spns = call.world.estate.spns
    match call.arguments:
        case ["-Q", spn]:
            holder = spns.get(spn.lower())
            return (
                say(f"CN={holder}\n\t{spn}\n\nExisting SPN found!")
                if holder
                else say("No such SPN found.", 1)
            )
        case ["-L", name]:
            return say("\n".join(sorted(s for s, holder in spns.items() if account(holder) == account(name))))
        case ["-C", spn, name]:
            return Result(0 if account(spns.get(spn.lower(), "")) == account(name) else 1)
        case ["-S" | "-D" as flag, spn, name]:
            call.record(f"setspn {flag}", f"{spn} {name}")
            return _change_spn(spns, flag, spn, name)
    return fail("usage: setspn -Q SPN | -L ACCOUNT | -C|-S|-D SPN ACCOUNT", 2)


def _change_spn(spns: dict[str, str], flag: str, spn: str, name: str) -> Result:
    if flag == "-S":
        spns[spn.lower()] = account(name)
    elif account(spns.get(spn.lower(), "")) != account(name):
        return fail(f"{name} does not hold {spn}")
    else:
        del spns[spn.lower()]
    return say("Updated object")


_EVERYWHERE: Final[Mapping[str, Command]] = MappingProxyType(
    {
        "true": _true, "false": _false, ":": _true, "echo": _echo, "printf": _printf, "id": _id,
        "hostname": _hostname, "date": _date, "sh": _sh, "bash": _sh, "timeout": _timeout, "env": _env,
        "sudo": _sudo, "cat": _cat, "sha256sum": _sha256sum, "stat": _stat, "ls": _ls, "test": _test,
        "[": _test, "tee": _tee, "mkdir": _mkdir, "chmod": _chmod, "cp": _copy, "mv": _move, "rm": _remove,
        "install": _install,
    }
)  # fmt: skip
_ROLES: Final[Mapping[str, Mapping[str, Command]]] = MappingProxyType(
    {
        "edge": MappingProxyType({"systemctl": _systemctl, "edge-ctl": _edge_ctl}),
        "directory": MappingProxyType({"setspn": _setspn}),
    }
)


def commands_of(role: str) -> Mapping[str, Command]:
    """The commands that a machine of a role knows, by name."""
    return MappingProxyType({**_EVERYWHERE, **_ROLES.get(role, {})})
