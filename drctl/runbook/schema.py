"""JSON Schemas of runbooks and answers files, for editors."""

from __future__ import annotations

from pydantic import BaseModel, JsonValue

from drctl.runbook.model import AnswersBody, RunbookBody

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def runbook_schema() -> dict[str, JsonValue]:
    """Return the schema of a runbook."""
    return _schema(RunbookBody, "drctl runbook")


def answers_schema() -> dict[str, JsonValue]:
    """Return the schema of an answers file."""
    return _schema(AnswersBody, "drctl answers")


def _schema(model: type[BaseModel], title: str) -> dict[str, JsonValue]:
    return {"$schema": DIALECT, **model.model_json_schema(by_alias=True), "title": title}
