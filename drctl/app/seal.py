"""Where a journal ends, signed: with ``ssh-keygen`` and the operator's SSH key, verified with the same.

A chain shows that no line was changed; that none is missing at the end, or that the whole was not
written anew, only a head kept elsewhere shows. A signed head may be kept anywhere, also beside a copy
of the journal. Everything here can be done by hand: docs/evidence.md has the commands.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from drctl.app.context import Context
from drctl.core import events as ev
from drctl.core.problem import DrctlError, ExitCode, Problem
from drctl.engine.chain import scan
from drctl.engine.home import RunDirectory

NAMESPACE = "drctl-journal"
"""What a signature is for: one made for another purpose with the same key is refused (PROTOCOL.sshsig)."""

STATEMENT = "head.txt"
SIGNATURE = "head.txt.sig"

TIMEOUT = 120.0
"""Seconds for ssh-keygen, which may ask for a passphrase or a touch of a hardware key."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What is signed: which run, how many lines, the last line's hash, the approved plan."""

    run: str
    lines: int
    head: str
    plan: str

    def text(self) -> str:
        """Return the statement as it is signed, byte by byte."""
        return f"drctl journal head\nrun: {self.run}\nlines: {self.lines}\nhead: {self.head}\nplan: {self.plan}\n"


@dataclass(frozen=True, slots=True)
class Sealed:
    """A signed head: the two files, and what they say."""

    directory: RunDirectory
    statement: Statement
    text: Path
    signature: Path


def parse_statement(content: bytes) -> Statement | None:
    """Return a statement; None for a text that is not, to the byte, what drctl writes."""
    try:
        text = content.decode()
        fields = dict(line.partition(": ")[::2] for line in text.splitlines()[1:])
        found = Statement(fields["run"], int(fields["lines"]), fields["head"], fields["plan"])
    except (KeyError, ValueError):
        return None
    return found if found.text() == text else None


def sign(context: Context, reference: str, key: Path) -> Sealed:
    """Sign where a run's journal ends now; a signature made earlier is replaced.

    Raises:
        DrctlError: no such run or key (2), a broken journal, or ssh-keygen refuses (1).
    """
    directory = context.home.find(reference)
    if not key.exists():
        hint = "drctl sign RUN --key FILE; with an agent, FILE may be the public key"
        raise DrctlError(Problem(code="no-key", summary=f"there is no key at {key}", hint=hint))
    statement = state(directory)
    command = ["ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f", str(key)]
    done = run_keygen(command, statement.text().encode())
    if done.returncode:
        problem = Problem(
            code="sign",
            summary=f"ssh-keygen did not sign: {_said(done)}",
            hint=f"By hand: {' '.join(command)}",
        )
        raise DrctlError(problem, exit_code=ExitCode.FAILED)
    text, signature = directory.path / STATEMENT, directory.path / SIGNATURE
    _replace(signature, done.stdout)
    _replace(text, statement.text())
    return Sealed(directory, statement, text, signature)


def state(directory: RunDirectory) -> Statement:
    """Return what there is to sign of a run; raise ``DrctlError`` for a broken journal."""
    found = scan(directory.journal)
    started = next((r.event for r in found.records if isinstance(r.event, ev.RunStarted)), None)
    plan = started.plan_digest if started else ""
    return Statement(directory.id, found.head.seq, found.head.digest, plan)


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed: ``principal`` as the allowed signers name them, empty when nobody vouches for the key."""

    principal: str
    detail: str
    valid: bool


def check_signature(text: Path, signature: Path, allowed: Path | None) -> Signer:
    """Say whether a signature is good, and whose it is where an allowed-signers file says so.

    ``ssh-keygen`` judges ``valid-after`` and ``valid-before`` of that file at the present time.
    """
    content = text.read_bytes()
    if allowed is None:
        done = run_keygen(
            ["ssh-keygen", "-Y", "check-novalidate", "-n", NAMESPACE, "-s", str(signature)], content
        )
        return Signer("", _said(done), done.returncode == 0)
    found = run_keygen(
        ["ssh-keygen", "-Y", "find-principals", "-s", str(signature), "-f", str(allowed)], content
    )
    principal = next(iter(found.stdout.splitlines()), "").partition(",")[0]
    if found.returncode or not principal:
        return Signer("", f"no signer that {allowed} allows: {_said(found)}", valid=False)
    done = run_keygen(verify_command(allowed, principal, signature), content)
    return Signer(principal, _said(done), done.returncode == 0)


def verify_command(allowed: Path, principal: str, signature: Path) -> list[str]:
    """Return the command that verifies a statement on its standard input, without drctl."""
    return [
        "ssh-keygen", "-Y", "verify", "-f", str(allowed), "-I", principal, "-n", NAMESPACE,
        "-s", str(signature),
    ]  # fmt: skip


def run_keygen(command: Sequence[str], content: bytes) -> subprocess.CompletedProcess[str]:
    """Run ssh-keygen; raise ``DrctlError`` when there is none or it does not answer."""
    try:
        done = subprocess.run(command, input=content, capture_output=True, timeout=TIMEOUT, check=False)
    except FileNotFoundError as error:
        problem = Problem(
            code="no-ssh-keygen", summary="there is no ssh-keygen", hint="Install the OpenSSH client."
        )
        raise DrctlError(problem, exit_code=ExitCode.FAILED) from error
    except subprocess.TimeoutExpired as error:
        problem = Problem(code="sign", summary=f"ssh-keygen gave no answer in {TIMEOUT:.0f} s")
        raise DrctlError(problem, exit_code=ExitCode.FAILED) from error
    out, err = (stream.decode("utf-8", "replace") for stream in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def _said(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in (done.stderr + "\n" + done.stdout).splitlines() if line.strip()]
    return "; ".join(lines[:2]) or f"exit status {done.returncode}"


def _replace(path: Path, content: str) -> None:
    draft = path.with_name(path.name + ".new")
    draft.write_text(content, encoding="utf-8")
    draft.replace(path)
