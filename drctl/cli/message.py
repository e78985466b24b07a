"""``drctl message``: a status text for those who wait outside."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from drctl.app.context import system_context
from drctl.app.letters import facts_of, letters
from drctl.cli.options import Home, Json, Lang, RunReference, Templates
from drctl.cli.verbs import exit_codes
from drctl.core.problem import DrctlError, Problem

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command(
    epilog="Examples:\n\n\b\n"
    "  drctl message last --to radiologists --lang fr\n"
    "  drctl message last --to authority | mail -s 'Incident' soc@agency.example\n\n"
    + exit_codes(2, _0="printed", _1="the journal was altered after it was written: the line is named")
)
def message(
    run: RunReference = "last",
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="AUDIENCE", help="radiologists, management, authority, or the team's own."
        ),
    ] = "management",
    lang: Lang = "en",
    templates: Templates = None,
    home: Home = None,
    json_: Json = False,
) -> None:
    """Write a ready-to-send text that says what the journal proves, and what is not known.

    It promises nothing. Read it before you send it: nothing is sent from here. The team's own templates
    are AUDIENCE.txt in en/ and fr/ of --templates, else of messages/ beside the runbook.
    """
    directory, facts = facts_of(system_context(home), run)
    written = letters(directory, lang, templates)
    if to not in written.names():
        hint = f"There are: {', '.join(written.names())}."
        raise DrctlError(Problem(code="audience", summary=f"--to {to}: no text for that audience", hint=hint))
    text = written.write(f"{to}.txt", facts)
    if json_:
        document = {"run": directory.id, "to": to, "lang": lang, "lines": facts["lines"], "text": text}
        typer.echo(json.dumps(document, ensure_ascii=False))
    else:
        typer.echo(text, nl=False)
