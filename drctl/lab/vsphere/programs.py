"""What programs do inside a simulated guest: set and show addresses, write files, or are not known."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

_ADDRESS: Final = r"(\d{1,3}(?:\.\d{1,3}){3})"

LINUX_SETS: Final = (
    re.compile(rf"\bip\b(?:\s+-\S+)*\s+a(?:ddr(?:ess)?)?\s+(?:add|replace|change)\s+{_ADDRESS}/\d+"),
    re.compile(rf"\bnmcli\b.*\bipv4\.addresses\s+[\"']?{_ADDRESS}(?:/\d+)?"),
    re.compile(rf"\bifconfig\s+\S+\s+{_ADDRESS}"),
)
WINDOWS_SETS: Final = (
    re.compile(rf"\bnetsh\b.*\bset\s+address\b.*?(?:static|addr(?:ess)?=)\s*{_ADDRESS}", re.IGNORECASE),
    re.compile(rf"\bNew-NetIPAddress\b.*-IPAddress\s+[\"']?{_ADDRESS}", re.IGNORECASE),
)

_LINUX_TOOLS: Final = frozenset(
    {
        "ip", "nmcli", "ifconfig", "route", "systemctl", "resolvectl", "netplan", "hostname", "hostnamectl",
        "true", "false", "echo", "printf", "cat", "sleep", "sync", "test", "[", "mkdir", "rm", "cp", "mv",
        "sed", "grep", "awk", "head", "tail", "cut", "tr", "tee", "set", "export", "cd", "exit", ":",
    }
)  # fmt: skip
_WINDOWS_TOOLS: Final = frozenset(
    {"netsh", "ipconfig", "hostname", "echo", "type", "route", "ping", "timeout", "exit", "powershell"}
)
_REDIRECT: Final = re.compile(r"(?:\d?>>?|&>)\s*(\S+)")


@dataclass(frozen=True)
class Guest:
    """The guest a program runs in, as far as programs can see it."""

    name: str
    windows: bool
    address: str | None
    macs: tuple[str, ...]


@dataclass
class Outcome:
    """What a program leaves behind: exit code, output, a new address, files."""

    code: int = 0
    output: str = ""
    address: str | None = None
    files: dict[str, bytes] = field(default_factory=dict)


def run(guest: Guest, program: str, arguments: str) -> Outcome | None:
    """Run a program; None when the guest has no such program."""
    name = _name(program)
    if not _is_there(guest, program, name):
        return None
    if name in {"sh", "bash", "cmd", "powershell"}:
        script = _script(name, arguments)
        return Outcome(code=1) if script is None else _run_script(guest, script)
    return _run_script(guest, f"{name} {arguments}")


def _name(program: str) -> str:
    return re.split(r"[/\\]", program)[-1].lower().removesuffix(".exe")


def _is_there(guest: Guest, program: str, name: str) -> bool:
    windows_path = bool(re.match(r"[A-Za-z]:\\", program))
    if guest.windows:
        return windows_path and name in _WINDOWS_TOOLS | {"cmd"}
    return program.startswith("/") and name in _LINUX_TOOLS | {"sh", "bash"}


def _script(shell: str, arguments: str) -> str | None:
    """Return what a shell is told to run."""
    if shell in {"cmd", "powershell"}:
        match = re.search(r"(?:/c|-Command)\s+(.*)", arguments, re.IGNORECASE | re.DOTALL)
        return match[1].strip().strip('"') if match else None
    try:
        words = shlex.split(arguments)
    except ValueError:
        return None
    flags = [index for index, word in enumerate(words[:-1]) if re.fullmatch(r"-[a-z]*c", word)]
    return words[flags[0] + 1] if flags else None


def _run_script(guest: Guest, script: str) -> Outcome:
    """Run commands one after the other; ``&&`` stops at the first that fails, ``;`` does not."""
    done = Outcome()
    for part in re.split(r"(&&|\|\||;|\n|&(?!>|&))", re.sub(r"\d?>&\d", "", script)):
        command = part.strip()
        if command == "&&" and done.code != 0:
            break
        if command == "||" and done.code == 0:
            break
        if command and command not in {"&&", "||", ";", "&"}:
            _run_one(guest, command, done)
    return done


def _run_one(guest: Guest, command: str, done: Outcome) -> None:
    target = _REDIRECT.search(command)
    bare = _REDIRECT.sub("", command).strip()
    words = bare.lower().split() if guest.windows else bare.split()
    if words[:1] == ["sudo"]:
        words = words[1:]
    tools = _WINDOWS_TOOLS if guest.windows else _LINUX_TOOLS
    known = bool(words) and (_name(words[0]) in tools or words[0].startswith("new-net"))
    done.code = (_code(words) if known else 1 if guest.windows else 127) if words else 0
    if not known:
        output = f"{words[0] if words else command}: command not found\n"
    else:
        done.address = _address(guest, bare) or done.address
        output = _output(guest, words, bare, done)
    if target is None:
        done.output += output
    elif target[1].lower() not in {"/dev/null", "nul"}:
        done.files[target[1]] = output.encode()


def _code(words: list[str]) -> int:
    if words[0] == "exit":
        return int(words[1]) if words[1:2] and words[1].isdigit() else 0
    return 1 if words[0] == "false" else 0


def _address(guest: Guest, command: str) -> str | None:
    patterns = WINDOWS_SETS if guest.windows else LINUX_SETS
    return next((match[1] for pattern in patterns if (match := pattern.search(command))), None)


def _output(guest: Guest, words: list[str], command: str, done: Outcome) -> str:
    address = done.address or guest.address or ""
    printers: Mapping[str, Callable[[], str]] = {
        "echo": lambda: " ".join(words[1:]) + "\n",
        "printf": lambda: " ".join(words[1:]),
        "hostname": lambda: guest.name + "\n",
        "ipconfig": lambda: f"   IPv4 Address. . . . . . . . . . . : {address}\r\n",
        "ip": lambda: _show(guest, command, address),
        "netsh": lambda: f"    IP Address: {address}\r\n" if "show" in words else "",
    }
    printer = printers.get(_name(words[0]))
    return printer() if printer else ""


def _show(guest: Guest, command: str, address: str) -> str:
    """Return what ``ip addr``, ``ip link`` and ``ip route`` print, on one line per thing with ``-o``."""
    if re.search(r"\b(add|replace|change|del|delete|flush|set)\b", command):
        return ""
    if re.search(r"\bl(ink)?\b", command):
        lines = [f"{n}: eth{n - 2}: <UP> link/ether {mac}" for n, mac in enumerate(guest.macs, 2)]
    else:
        lines = [f"2: eth0    inet {address}/24 scope global eth0"] if address else []
    return "".join(f"{line}\n" for line in lines)
