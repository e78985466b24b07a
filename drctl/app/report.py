"""A run's report: its own journal, and what the other runs of its runbook add to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from drctl.app.context import Context
from drctl.app.history import PastRun, carried_over, history_of
from drctl.core.problem import DrctlError, Problem
from drctl.core.run import Run
from drctl.engine.chain import Scan, scan
from drctl.report.actions import closed_in
from drctl.report.chart import draw
from drctl.report.compose import compose
from drctl.report.document import Document
from drctl.report.entries import timeline_entries
from drctl.report.facts import CheckFact, Kind, RelatedRun, Report
from drctl.report.gather import Background, gather, proofs_of
from drctl.report.machine import render_json
from drctl.report.markdown import render_markdown
from drctl.report.page import render_html
from drctl.report.pdf import MissingLibraryError, render_pdf
from drctl.report.speech import Language, Speech
from drctl.report.timeline import Timeline, seconds

Format: TypeAlias = Literal["md", "html", "pdf", "json"]


@dataclass(frozen=True)
class Reported:
    """A report ready to be written in any format."""

    facts: Report
    document: Document
    timeline: Timeline

    def render(self, form: Format, language: Language) -> bytes:
        """Return the report's bytes; raise ``DrctlError`` (2) when a PDF cannot be drawn here."""
        speech = Speech(language, self.timeline.zone, self.timeline.local(self.facts.began).date())
        match form:
            case "md":
                return render_markdown(self.document, speech).encode()
            case "html":
                return render_html(self.document, speech).encode()
            case "json":
                return render_json(self.facts).encode()
            case "pdf":
                return _pdf(self.document, speech)


def report(context: Context, reference: str, kind: Kind | None = None) -> Reported:
    """Read a run and gather its report.

    Raises:
        DrctlError: there is no such run, or its journal has no beginning (2); its journal is broken (1).
    """
    directory = context.home.find(reference)
    found = scan(directory.journal)
    return prepare(found, background=_background(context, directory.id, found), kind=kind)


def prepare(found: Scan, *, background: Background | None = None, kind: Kind | None = None) -> Reported:
    """Gather the report of a journal that was read; raise ``DrctlError`` when it has no beginning."""
    try:
        facts, timeline, spans = gather(found.records, found.head.digest, kind=kind, background=background)
    except ValueError as error:
        problem = Problem(
            code="no-beginning", summary=f"there is nothing to report: {error}", hint="drctl runs"
        )
        raise DrctlError(problem) from error
    chart = draw(facts, spans)
    return Reported(facts, compose(facts, chart, timeline_entries(found.records)), timeline)


def _background(context: Context, identity: str, found: Scan) -> Background:
    started = Run.of(found.records[:1]).started
    if started is None:
        return Background()
    runs = [
        run
        for run in history_of(context, started.runbook.name, started.inventory.name).runs
        if run.directory.id != identity
    ]
    before = [run for run in runs if run.started.mode == started.mode and run.directory.id < identity]
    after = [run for run in runs if run.started.parent == identity]
    return Background(
        previous=_related(before[-1]) if before else None,
        expected=_durations(before[-1]) if before else {},
        related=tuple(_related(run) for run in after),
        proofs=tuple(proof for run in after for proof in _proofs(run)),
        carried=tuple(
            action
            for action in carried_over(context, started.runbook.name, but=identity)
            if action.run < identity
        ),
        closed=frozenset().union(*(closed_in(run.records) for run in runs)),
    )


def _related(run: PastRun) -> RelatedRun:
    folded = Run.of(run.records)
    outcome = folded.finished.outcome if folded.finished else "unfinished"
    began = folded.started_at or run.records[0].at
    return RelatedRun(run.directory.id, run.started.mode, began, outcome, run.started.runbook.digest)


def _durations(run: PastRun) -> dict[str, float]:
    steps = Run.of(run.records).steps.values()
    return {step.id: took for step in steps if step.how and (took := seconds(step)) is not None}


def _proofs(run: PastRun) -> tuple[CheckFact, ...]:
    return proofs_of(Timeline.of(run.records))


def _pdf(document: Document, speech: Speech) -> bytes:
    try:
        return render_pdf(document, speech)
    except MissingLibraryError as error:
        problem = Problem(
            code="no-pdf",
            summary="a PDF cannot be drawn here",
            detail=str(error),
            hint="pip install 'drctl[pdf]' and Debian's libpangoft2-1.0-0; or print the HTML report from a browser.",
        )
        raise DrctlError(problem) from error
