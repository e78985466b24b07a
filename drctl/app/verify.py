"""Is a run's journal what was written? The chain, the head somebody kept, the copies beside it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from drctl.app.approval import load_plan
from drctl.app.context import Context
from drctl.app.seal import STATEMENT, check_signature, parse_statement
from drctl.core import events as ev
from drctl.core.problem import DrctlError, ExitCode, Problem
from drctl.engine.chain import Scan, digest, scan
from drctl.engine.home import RunDirectory
from drctl.engine.plan import Inputs, digest_plan

SHORTEST = 16
"""Hexadecimal digits of a head that are enough to tell it from any other."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was checked: ``proven`` is None where nothing can prove or refute it."""

    subject: str
    proven: bool | None
    text: str


@dataclass(frozen=True)
class Verification:
    """Everything that was checked of one run."""

    directory: RunDirectory
    lines: int
    head: str
    proofs: tuple[Proof, ...]

    @property
    def refuted(self) -> bool:
        """Say whether something is not what was written."""
        return any(proof.proven is False for proof in self.proofs)


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept of a run's end beside its head hash: a signed statement, and who may sign."""

    signed: Path | None = None
    allowed: Path | None = None


def verify(
    context: Context, reference: str, head: str | None = None, kept: Kept | None = None
) -> Verification:
    """Recompute a run's hashes, offline; ``kept`` is what was kept elsewhere beside ``head``.

    Raises:
        DrctlError: there is no such run, or ``head`` is no hash (2); a journal line was changed, moved
            or taken out (1): its number is named.
    """
    directory = context.home.find(reference)
    wanted = None if head is None else _hash(head)
    found = scan(directory.journal)
    signed = _signature(directory, found, kept or Kept())
    chain = Proof("chain", True, f"lines 1 to {found.head.seq} continue each other without a gap")
    ends = _end(directory.journal, found, wanted)
    if wanted is None and signed.end is not None:
        ends = signed.end
    proofs = (chain, *_torn(found), ends, *signed.proofs, *_copies(directory, found))
    return Verification(directory, found.head.seq, found.head.digest, proofs)


def _hash(head: str) -> str:
    """Return a head as given, in lower case and without the dots a report ends it with."""
    wanted = head.strip().rstrip("….").lower()
    if not SHORTEST <= len(wanted) <= 64 or set(wanted) - set("0123456789abcdef"):
        raise DrctlError(
            Problem(
                code="head",
                summary=f"--head {head}: not a head hash",
                detail=f"A head is 64 hexadecimal digits; its first {SHORTEST} or more are enough.",
                hint="The end of a run and its incident log print it.",
            )
        )
    return wanted


def _end(journal: Path, found: Scan, wanted: str | None) -> Proof:
    """Compare the journal's end with the head somebody kept."""
    last = found.head.seq
    if wanted is None:
        text = (
            f"intact up to line {last}, end unproven: only a head kept elsewhere (--head) shows that "
            "no lines are missing at the end"
        )
        return Proof("end", None, text)
    if found.head.digest.startswith(wanted):
        return Proof("end", True, f"line {last} is the last, as the head says")
    lines = journal.read_bytes().split(b"\n")[:last]
    place = next((n for n, line in enumerate(lines, 1) if digest(line).startswith(wanted)), None)
    if place is None:
        text = (
            f"no line has this head: lines are missing after line {last}, line {last} itself was changed, "
            "or the head is another run's"
        )
        return Proof("end", False, text)
    return Proof(
        "end", None, f"lines 1 to {place} are proven by the head; lines {place + 1} to {last} came after it"
    )


@dataclass(frozen=True, slots=True)
class _Signed:
    """What a signed head proves: of itself, and of the journal's end."""

    proofs: tuple[Proof, ...] = ()
    end: Proof | None = None


def _signature(directory: RunDirectory, found: Scan, kept: Kept) -> _Signed:
    """Check the signed head beside the journal, or a copy of it."""
    text = kept.signed or directory.path / STATEMENT
    signature = text.with_name(text.name + ".sig")
    if not (text.exists() and signature.exists()):
        if kept.signed is None and kept.allowed is None:
            return _Signed()
        return _Signed((Proof("signature", False, f"there is no {text.name} with its {signature.name}"),))
    signer = check_signature(text, signature, kept.allowed)
    if not signer.valid:
        return _Signed((Proof("signature", False, f"is not good: {signer.detail}"),))
    statement = parse_statement(text.read_bytes())
    if statement is None:
        return _Signed((Proof("signature", False, f"is good, but {text.name} states no head of drctl"),))
    if statement.run != directory.id or statement.plan != _plan_digest(found):
        return _Signed((Proof("signature", False, f"is good, but of another run: {statement.run}"),))
    end = _end(directory.journal, found, statement.head)
    if kept.allowed is not None:
        said = f"good, by {signer.principal} over {statement.lines} lines"
        return _Signed(
            (Proof("signature", True, said),), replace(end, text=f"{end.text} ({signer.principal})")
        )
    said = f"good over {statement.lines} lines, by a key nobody vouches for here (--allowed-signers)"
    unsure = None if end.proven else end.proven
    return _Signed((Proof("signature", None, f"{said}: {signer.detail}"),), replace(end, proven=unsure))


def _plan_digest(found: Scan) -> str:
    started = next((r.event for r in found.records if isinstance(r.event, ev.RunStarted)), None)
    return started.plan_digest if started else ""


def _torn(found: Scan) -> tuple[Proof, ...]:
    if not found.torn:
        return ()
    text = f"{found.torn} bytes after line {found.head.seq} are a line that was not written to its end"
    return (Proof("torn line", None, f"{text}; the next writer drops it"),)


def _copies(directory: RunDirectory, found: Scan) -> tuple[Proof, ...]:
    """Compare the copies beside the journal with the digests in it."""
    events = [record.event for record in found.records]
    started = next((event for event in events if isinstance(event, ev.RunStarted)), None)
    if started is None:
        return ()
    resumed = [event for event in events if isinstance(event, ev.RunResumed)]
    runbook = [started.runbook.digest, *(e.runbook_digest for e in resumed if e.runbook_digest)][-1]
    inventory = [started.inventory.digest, *(e.inventory_digest for e in resumed if e.inventory_digest)][-1]
    return (
        _file(directory.runbook, runbook),
        _file(directory.inventory, inventory),
        _plan(directory, started),
    )


def _file(path: Path, expected: str) -> Proof:
    try:
        actual = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return Proof(path.name, False, f"cannot be read: {error.strerror}")
    if actual == expected:
        return Proof(path.name, True, "is the file the journal names")
    return Proof(path.name, False, f"is not the file the journal names: its SHA-256 is {actual[:16]}…")


def _plan(directory: RunDirectory, started: ev.RunStarted) -> Proof:
    try:
        saved = load_plan(directory.plan)
    except DrctlError as error:
        return Proof(directory.plan.name, False, str(error))
    inputs = Inputs(saved.mode, saved.runbook_digest, saved.inventory_digest, started.parameters)
    if digest_plan(inputs, saved.steps) == started.plan_digest:
        return Proof(directory.plan.name, True, "is the plan the journal names")
    return Proof(directory.plan.name, False, "is not the plan that was approved")


def exit_code(verification: Verification) -> ExitCode:
    """Return 1 when something is not what was written, else 0."""
    return ExitCode.FAILED if verification.refuted else ExitCode.OK
