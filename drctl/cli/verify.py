"""``drctl verify``: is a run's journal what was written?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from drctl.app.context import system_context
from drctl.app.verify import Kept, Verification, exit_code
from drctl.app.verify import verify as check
from drctl.cli.options import Home, Json, RunReference
from drctl.cli.say import say
from drctl.cli.verbs import exit_codes

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)

WORDS = {True: "ok", False: "WRONG", None: "open"}


@app.command(
    epilog="Examples:\n\n\b\n"
    "  drctl verify last\n"
    "  drctl verify 20260131 --head 1f0c5d2ab3e46978\n"
    "  drctl verify 20260131 --allowed-signers signers --signed /mnt/vault/head.txt\n\n"
    "Without drctl, in the run's directory:\n\n\b\n"
    "  ssh-keygen -Y verify -f F -I WHO -n drctl-journal -s head.txt.sig <head.txt\n"
    "  head -n LINES journal.jsonl | tail -n 1 | head -c -1 | sha256sum\n\n"
    + exit_codes(
        2,
        _0="nothing contradicts the journal",
        _1="a line, the end or a copy is not what was written: it is named",
    )
)
def verify(
    run: RunReference = "last",
    head: Annotated[
        str | None,
        typer.Option(
            "--head",
            metavar="HASH",
            help="The head hash kept elsewhere: all of it, or its first 16 digits or more.",
            show_default=False,
        ),
    ] = None,
    allowed_signers: Annotated[
        Path | None,
        typer.Option(
            "--allowed-signers",
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Who may sign, as ssh-keygen reads it: one 'WHO KEY' a line.",
            show_default=False,
        ),
    ] = None,
    signed: Annotated[
        Path | None,
        typer.Option(
            "--signed",
            metavar="FILE",
            help="A head.txt kept elsewhere, its .sig beside it; default the run's own.",
            show_default=False,
        ),
    ] = None,
    home: Home = None,
    json_: Json = False,
) -> None:
    """Recompute a run's hash chain and digests, offline; check its signature if it has one.

    The chain shows that no line was changed, moved or taken out. That none are missing at the end,
    only a head kept elsewhere can show: a run prints its head when it ends, and so does incident.md.
    A head signed with drctl sign is checked with ssh-keygen.
    """
    found = check(system_context(home), run, head, Kept(signed, allowed_signers))
    if json_:
        typer.echo(json.dumps(_document(found), ensure_ascii=False))
    else:
        say(f"Run {found.directory.id}: {found.lines} lines, head {found.head}")
        for proof in found.proofs:
            say(f"  {WORDS[proof.proven]:<6} {proof.subject}: {proof.text}")
    raise typer.Exit(int(exit_code(found)))


def _document(found: Verification) -> dict[str, object]:
    return {
        "run": found.directory.id,
        "intact": not found.refuted,
        "lines": found.lines,
        "head": found.head,
        "proofs": [
            {"subject": proof.subject, "proven": proof.proven, "text": proof.text} for proof in found.proofs
        ],
    }
