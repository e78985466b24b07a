"""A report as JSON, and the JSON Schema it keeps to."""

from __future__ import annotations

from pydantic import JsonValue, TypeAdapter

from drctl.report.facts import Report


def render_json(report: Report) -> str:
    """Return the facts as JSON: instants in UTC, lengths in seconds, words as codes."""
    return TypeAdapter(Report).dump_json(report, indent=2).decode() + "\n"


def report_schema() -> dict[str, JsonValue]:
    """Return the JSON Schema of a report."""
    schema = TypeAdapter(Report).json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://drctl.example/schema/report-1.json",
        **schema,
        "title": "drctl report",
    }
