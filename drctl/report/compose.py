"""From facts to a document: which sections a report has, in which order, and what its head says."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from drctl.report.chart import Chart
from drctl.report.document import (
    Badge,
    Block,
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
from drctl.report.facts import DOUBTFUL, FOLLOWING, Objective, Report
from drctl.report.sections_account import annex, deviations, prechecks, steps
from drctl.report.sections_drill import drill_identity, drill_lessons, next_drill, proofs, rehearsal, success
from drctl.report.sections_figures import in_doubt, objectives, picture, times
from drctl.report.sections_incident import (
    actions,
    causes,
    decisions,
    doubt,
    exposure,
    identity,
    impact,
    regulatory,
)

VERDICT_TONES: dict[str, Tone] = {"met": "good", "missed": "bad", "unproven": "warn", "no-objective": "quiet"}
STATE_TONES: dict[str, Tone] = {
    "completed": "good", "completed_with_exceptions": "warn", "aborted": "bad", "paused": "warn", "running": "plain",
}  # fmt: skip


def compose(report: Report, chart: Chart, entries: list[TimelineEntry]) -> Document:
    """Return the document of a report."""
    title = say(f"title.{report.kind}", title=Quote(report.origin.title))
    if report.origin.mode in FOLLOWING:
        sections = _following(report, chart, entries)
        title = say("title.run", mode=say(f"mode.{report.origin.mode}"), title=Quote(report.origin.title))
    elif report.kind == "drill":
        sections = _drill(report, chart, entries)
    else:
        sections = _incident(report, chart, entries)
    return Document(
        title=title,
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
        regulatory(report),
        annex(report, entries),
    )


def _following(report: Report, chart: Chart, entries: list[TimelineEntry]) -> tuple[Section, ...]:
    """Return what there is to say of a cleanup, a rollback, a reprotect: the incident is told elsewhere."""
    blocks: tuple[Block, ...] = (Bullets(_summary(report)),)
    return (
        identity(report),
        Section("section.summary", blocks),
        picture(chart),
        steps(report),
        deviations(report),
        prechecks(report),
        decisions(report),
        *((actions(report),) if report.actions else ()),
        exposure(report),
        annex(report, entries),
    )


def _drill(report: Report, chart: Chart, entries: list[TimelineEntry]) -> tuple[Section, ...]:
    left = deviations(report)
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
        replace(left, blocks=(*left.blocks, *doubt(report))),
        drill_lessons(report),
        actions(report),
        next_drill(report),
        annex(report, entries),
    )


def _summary(report: Report) -> tuple[Value, ...]:
    """Return three lines: what happened and how it ended, what came back and when, what is lost and open."""
    answered = [service for service in report.services if service.restored]
    took = length((report.last - report.began).total_seconds())
    given = next((fact.text for fact in report.decisions if fact.what == "approved"), "")
    course = say(
        "summary.course",
        mode=say(f"mode.{report.origin.mode}"),
        source=Quote(report.origin.source),
        target=Quote(report.origin.target),
        began=moment(report.began),
        state=say(f"state.{report.state}"),
        took=took,
        waited=length(report.waited),
    )
    first = several(course, say("summary.reason", reason=Quote(given.rstrip("."))) if given else None)
    rto = Counter(service.rto.verdict for service in report.services)
    rpo = Counter(service.rpo.verdict for service in report.services)
    counts = {"met": rto["met"], "missed": rto["missed"], "unproven": rto["unproven"]}
    counts |= {"kept": rpo["met"], "exceeded": rpo["missed"], "open": rpo["unproven"]}
    second = say(
        "summary.services",
        answered=Quote(str(len(answered))),
        services=Quote(str(len(report.services))),
        **{name: Quote(str(count)) for name, count in counts.items()},
    )
    idle = sum(step.result in {"not-reached", "unanswered", "waiting"} for step in report.steps)
    third = say(
        f"summary.open-{report.kind}",
        lost=_lost(report),
        open=Quote(str(len(unproven(report)))),
        idle=Quote(str(idle)),
        untested=Quote(str(_untested(report))),
        **_counts(report),
    )
    return (first, second, third) if report.services else (first, third)


def _counts(report: Report) -> dict[str, Value]:
    todo = sum(not action.done for action in report.actions)
    return {"actions": Quote(str(todo)), "gaps": Quote(str(len(report.gaps)))}


def _lost(report: Report) -> Phrase:
    used = [loss for loss in report.losses if loss.used and loss.seconds is not None]
    worst = max(used, key=lambda loss: loss.seconds or 0.0, default=None)
    if report.origin.mode == "drill":
        if worst is None:
            return say("summary.drill-loss")
        return say("summary.drill-loss-of", seconds=length(worst.seconds), volume=Quote(worst.volume))
    if worst is None:
        return say("summary.no-loss")
    if not worst.seconds:
        return say("summary.zero-loss")
    key = "summary.loss-doubtful" if in_doubt(report, worst) else "summary.loss"
    return say(key, seconds=length(worst.seconds), volume=Quote(worst.volume))


def unproven(report: Report) -> list[str]:
    """Return the steps that nobody can vouch for."""
    return [step.id for step in report.steps if step.result in DOUBTFUL]


def _untested(report: Report) -> int:
    """Return how many steps a drill did not exercise, whatever the reason."""
    return sum(step.coverage == "none" for step in report.steps)


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
    title = next(service.title for service in report.services if service.rto is worst)
    target = say("tile.target", target=length(worst.target)) if worst.target is not None else None
    detail = several(Quote(title), length(worst.actual), target, separator=" · ")
    return Tile("tile.rto", say(f"verdict.{worst.verdict}"), VERDICT_TONES[worst.verdict], detail)


def _rpo_tile(report: Report) -> Tile:
    worst = _worst([service.rpo for service in report.services if service.rpo.verdict != "no-objective"])
    if worst is None or worst.actual is None:
        return Tile("tile.rpo", say("tile.nothing-given-up"), "quiet")
    doubtful = any(in_doubt(report, loss) for loss in report.losses if loss.used)
    tone = "warn" if doubtful and worst.verdict == "met" else VERDICT_TONES[worst.verdict]
    target = say("tile.target", target=length(worst.target))
    detail = several(
        say("used.doubtful") if doubtful else say(f"verdict.{worst.verdict}"), target, separator=" · "
    )
    return Tile(
        "tile.rpo-drill" if report.kind == "drill" else "tile.rpo", Length(worst.actual), tone, detail
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
    idle = _untested(report)
    good = sum(
        step.result in {"done", "adopted", "unchanged", "observed", "go", "recorded"} for step in report.steps
    )
    detail = say("tile.steps", good=Quote(str(good)), steps=Quote(str(len(report.steps))))
    if report.kind == "drill":
        return Tile("tile.not-exercised", Quote(str(idle)), "warn" if idle else "good", detail)
    return Tile("tile.unproven", Quote(str(missing)), "warn" if missing else "good", detail)
