"""From facts to a document: which sections a report has, in which order, and what its head says."""

from __future__ import annotations

from drctl.report.chart import Chart
from drctl.report.document import (
    Badge,
    Bullets,
    Document,
    Length,
    Phrase,
    Quote,
    Section,
    Tile,
    Tone,
    Value,
    length,
    moment,
    say,
    several,
)
from drctl.report.entries import TimelineEntry
from drctl.report.facts import Objective, Report
from drctl.report.sections_account import annex, deviations, prechecks, steps
from drctl.report.sections_drill import drill_identity, drill_lessons, next_drill, proofs, rehearsal, success
from drctl.report.sections_figures import objectives, picture, times
from drctl.report.sections_incident import actions, causes, decisions, exposure, identity, impact

VERDICT_TONES: dict[str, Tone] = {"met": "good", "missed": "bad", "unproven": "warn", "no-objective": "quiet"}
STATE_TONES: dict[str, Tone] = {
    "completed": "good", "completed_with_exceptions": "warn", "aborted": "bad", "paused": "warn", "running": "plain",
}  # fmt: skip


def compose(report: Report, chart: Chart, entries: list[TimelineEntry]) -> Document:
    """Return the document of a report."""
    drill = report.kind == "drill"
    sections = _drill(report, chart, entries) if drill else _incident(report, chart, entries)
    return Document(
        title=say(f"title.{report.kind}", title=Quote(report.origin.title)),
        subtitle=say(
            "subtitle",
            mode=say(f"mode.{report.origin.mode}"),
            source=Quote(report.origin.source),
            target=Quote(report.origin.target),
            began=moment(report.began),
        ),
        tiles=_tiles(report),
        sections=sections,
        timezone=report.origin.timezone,
        run=report.origin.run,
        head=report.chain.head,
    )


def _incident(report: Report, chart: Chart, entries: list[TimelineEntry]) -> tuple[Section, ...]:
    return (
        identity(report),
        Section("section.summary", (Bullets(_summary(report)),)),
        times(report),
        impact(report),
        objectives(report),
        picture(chart),
        steps(report),
        deviations(report),
        prechecks(report),
        decisions(report),
        causes(report),
        actions(report),
        exposure(report),
        annex(report, entries),
    )


def _drill(report: Report, chart: Chart, entries: list[TimelineEntry]) -> tuple[Section, ...]:
    return (
        drill_identity(report),
        Section("section.summary", (Bullets(_summary(report)),)),
        success(report),
        rehearsal(report),
        objectives(report),
        picture(chart),
        steps(report),
        prechecks(report),
        decisions(report),
        proofs(report),
        deviations(report),
        drill_lessons(report),
        actions(report),
        next_drill(report),
        annex(report, entries),
    )


def _summary(report: Report) -> tuple[Value, ...]:
    """Return three lines: what happened and how it ended, what came back and when, what is lost and open."""
    answered = [service for service in report.services if service.restored]
    took = length((report.last - report.began).total_seconds())
    first = say(
        "summary.course",
        mode=say(f"mode.{report.origin.mode}"),
        source=Quote(report.origin.source),
        target=Quote(report.origin.target),
        began=moment(report.began),
        state=say(f"state.{report.state}"),
        took=took,
        waited=length(report.waited),
    )
    missed = sum(service.rto.verdict == "missed" for service in report.services)
    second = say(
        "summary.services-missed" if missed else "summary.services",
        answered=Quote(str(len(answered))),
        services=Quote(str(len(report.services))),
        missed=Quote(str(missed)),
    )
    third = say("summary.open", lost=_lost(report), open=Quote(str(len(unproven(report)))), **_counts(report))
    return first, second, third


def _counts(report: Report) -> dict[str, Value]:
    todo = sum(not action.done for action in report.actions)
    return {"actions": Quote(str(todo)), "gaps": Quote(str(len(report.gaps)))}


def _lost(report: Report) -> Phrase:
    used = [loss for loss in report.losses if loss.used and loss.seconds is not None]
    if report.kind == "drill":
        return say("summary.drill-loss")
    if not used:
        return say("summary.no-loss")
    worst = max(used, key=lambda loss: loss.seconds or 0.0)
    return say("summary.loss", seconds=length(worst.seconds), volume=Quote(worst.volume))


def unproven(report: Report) -> list[str]:
    """Return the steps that nobody can vouch for."""
    doubtful = {
        "failed",
        "unreachable",
        "timed-out",
        "indeterminate",
        "skipped",
        "running",
        "waiting",
        "not-reached",
    }
    return [step.id for step in report.steps if step.result in doubtful]


def _tiles(report: Report) -> tuple[Tile, ...]:
    took = (report.last - report.began).total_seconds()
    state = Badge(STATE_TONES[report.state], say(f"state.{report.state}"))
    why = say(f"why.{report.paused_why}") if report.paused_why else None
    return (
        Tile("tile.state", state, STATE_TONES[report.state], why),
        _rto_tile(report),
        _rpo_tile(report),
        Tile("tile.took", Length(took), "plain", say("tile.waited", waited=Length(report.waited))),
        _unproven_tile(report),
        Tile(
            "tile.open",
            Quote(str(len(report.gaps))),
            "warn" if report.gaps else "good",
            say("tile.actions", **_counts(report)),
        ),
    )


def _rto_tile(report: Report) -> Tile:
    worst = _worst([service.rto for service in report.services])
    if worst is None:
        return Tile("tile.rto", None, "quiet")
    detail = several(length(worst.actual), say("tile.target", target=length(worst.target)), separator=" · ")
    return Tile("tile.rto", say(f"verdict.{worst.verdict}"), VERDICT_TONES[worst.verdict], detail)


def _rpo_tile(report: Report) -> Tile:
    worst = _worst([service.rpo for service in report.services if service.rpo.verdict != "no-objective"])
    if worst is None or worst.actual is None:
        return Tile("tile.rpo", say("tile.nothing-given-up"), "quiet")
    tone = VERDICT_TONES[worst.verdict]
    return Tile(
        "tile.rpo-drill" if report.kind == "drill" else "tile.rpo",
        Length(worst.actual),
        tone,
        several(
            say(f"verdict.{worst.verdict}"), say("tile.target", target=length(worst.target)), separator=" · "
        ),
    )


def _worst(found: list[Objective]) -> Objective | None:
    """Return the objective that came off worst: missed before unproven before met, least margin first."""
    order = {"missed": 0, "unproven": 1, "met": 2, "no-objective": 3}
    return min(
        found,
        key=lambda each: (order[each.verdict], each.margin if each.margin is not None else float("inf")),
        default=None,
    )


def _unproven_tile(report: Report) -> Tile:
    missing = len(unproven(report))
    idle = sum(step.result == "not-exercised" for step in report.steps)
    good = sum(
        step.result in {"done", "adopted", "unchanged", "observed", "go", "recorded"} for step in report.steps
    )
    detail = say("tile.steps", good=Quote(str(good)), steps=Quote(str(len(report.steps))))
    if report.kind == "drill":
        return Tile("tile.not-exercised", Quote(str(idle)), "warn" if idle else "good", detail)
    return Tile("tile.unproven", Quote(str(missing)), "warn" if missing else "good", detail)
