"""``drctl handover``: one page for whoever takes over."""

from __future__ import annotations

import json

import typer
from pydantic_core import to_jsonable_python

from drctl.app.context import system_context
from drctl.app.letters import facts_of, letters
from drctl.cli.options import Home, Json, Lang, RunReference, Templates
from drctl.cli.verbs import exit_codes

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command(
    epilog="Examples: drctl handover last; drctl handover 20260131 --lang fr > handover.md\n\n"
    + exit_codes(2, _0="printed", _1="the journal was altered after it was written: the line is named")
)
def handover(
    run: RunReference = "last",
    lang: Lang = "en",
    templates: Templates = None,
    home: Home = None,
    json_: Json = False,
) -> None:
    """Write one page of Markdown: state, what runs, waits or is in doubt, decisions, next question, what to type.

    --json prints the facts it is written from; they are also what templates may use.
    """
    directory, facts = facts_of(system_context(home), run)
    if json_:
        typer.echo(json.dumps(to_jsonable_python(facts), ensure_ascii=False))
        return
    typer.echo(letters(directory, lang, templates).write("handover.md", facts), nl=False)
