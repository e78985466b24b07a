"""Loads runbooks and answers files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from drctl.core.problem import DrctlError
from drctl.document.place import Document, Keys
from drctl.document.read import read_file, read_text
from drctl.document.shape import validate
from drctl.runbook.check import check_runbook
from drctl.runbook.model import AnswerBody, AnswersBody, RunbookBody, StepBody


@dataclass(frozen=True)
class Runbook:
    """A runbook that is right in itself; whether it fits an inventory, expansion says."""

    body: RunbookBody
    document: Document

    @property
    def name(self) -> str:
        """The runbook's name."""
        return self.body.name

    @property
    def text(self) -> str:
        """The file as it was read."""
        return self.document.text

    def digest(self) -> str:
        """Return the SHA-256 of the file's text, in hexadecimal."""
        return hashlib.sha256(self.document.text.encode()).hexdigest()

    def steps(self) -> Iterator[tuple[StepBody, Keys]]:
        """Yield every step of the phases, chains' inner steps included, with its place."""
        for index, phase in enumerate(self.body.phases):
            yield from _nested(phase.steps, ("phases", index, "steps"))


def _nested(steps: tuple[StepBody, ...], keys: Keys) -> Iterator[tuple[StepBody, Keys]]:
    for index, step in enumerate(steps):
        yield step, (*keys, index)
        yield from _nested(step.steps or (), (*keys, index, "steps"))


@dataclass(frozen=True)
class Answers:
    """Answers given before a run, by step id."""

    answers: Mapping[str, AnswerBody]
    document: Document


def load_runbook(path: Path) -> Runbook:
    """Load a runbook; raise ``DrctlError`` with every problem of the file."""
    return _runbook(read_file(path))


def parse_runbook(text: str, name: str) -> Runbook:
    """Load a runbook from text, ``name`` standing for its file; raise ``DrctlError``."""
    return _runbook(read_text(text, name))


def _runbook(document: Document) -> Runbook:
    body = validate(RunbookBody, document)
    problems = check_runbook(body, document)
    if problems:
        raise DrctlError(*problems)
    return Runbook(body, document)


def load_answers(path: Path) -> Answers:
    """Load an answers file; raise ``DrctlError`` with every problem of the file."""
    document = read_file(path)
    return Answers(validate(AnswersBody, document).answers, document)


def parse_answers(text: str, name: str) -> Answers:
    """Load answers from text; raise ``DrctlError``."""
    document = read_text(text, name)
    return Answers(validate(AnswersBody, document).answers, document)
