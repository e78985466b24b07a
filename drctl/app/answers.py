"""Answers given before a run, checked against the steps that will ask."""

from __future__ import annotations

from pathlib import Path

from drctl.core.problem import DrctlError
from drctl.engine.lint import check_answers
from drctl.engine.people import Answer
from drctl.engine.step import Expansion
from drctl.runbook.load import load_answers


def prepared_answers(path: Path | None, expansion: Expansion) -> dict[str, Answer]:
    """Return the answers by step; raise ``DrctlError`` with every problem of the file."""
    if path is None:
        return {}
    answers = load_answers(path)
    problems = check_answers(answers, expansion)
    if problems:
        raise DrctlError(*problems)
    return {
        step: Answer(body.answer, body.reason, body.evidence, body.by)
        for step, body in answers.answers.items()
    }
