"""The sections of a post-incident report that rest on what people know."""

from __future__ import annotations

from collections.abc import Iterable

from drctl.report.alike import alike, name_steps
from drctl.report.document import (
    Badge,
    Block,
    Bullets,
    Column,
    Day,
    Name,
    Open,
    Paragraph,
    Quote,
    Section,
    Sheet,
    Table,
    Value,
    moment,
    quote,
    say,
    several,
)
from drctl.report.facts import DOUBTFUL, FOLLOWING, DecisionFact, NoteFact, Report, StepFact
from drctl.report.forecast import family
from drctl.report.sections_figures import loss_table


def people(report: Report, label: str) -> Value:
    """Return what people said of a field; *to be completed* where nobody did."""
    found = report.labelled(label)
    return several(*(_said(note) for note in found), separator=" ") if found else Open(label)


def noted(notes: Iterable[NoteFact], field: str) -> Block:
    """Return some notes as a list; *to be completed* where there are none."""
    values = tuple(
        say("noted", at=moment(note.at), text=Quote(note.text), by=Quote(note.by)) for note in notes
    )
    return Bullets(values or (Open(field),))


def _said(note: NoteFact) -> Value:
    return say("said", text=Quote(note.text), by=Quote(note.by))


def identity(report: Report) -> Section:
    """Return id, severity, status, authors."""
    origin = report.origin
    told = () if origin.mode in FOLLOWING else ("severity", "authors")
    rows: list[tuple[str, Value]] = [
        ("sheet.report-of", Name(origin.run)),
        ("sheet.status", state(report)),
        *((f"sheet.{name}", people(report, name)) for name in told),
        *([("sheet.parent", Name(origin.parent))] if origin.parent else []),
        *running(report),
        *((f"={key}", Quote(value)) for key, value in origin.parameters.items()),
    ]
    return Section("section.identity", (Sheet("sheet.identity", tuple(rows)),))


def state(report: Report) -> Value:
    """Return where the run stands."""
    found = say(f"state.{report.state}")
    return several(found, say("because", why=say(f"why.{report.paused_why}"))) if report.paused_why else found


def running(report: Report) -> list[tuple[str, Value]]:
    """Return who ran what from where to where."""
    origin = report.origin
    contacts = [say("contact", role=Quote(role), who=Quote(who)) for role, who in origin.contacts.items()]
    return [
        ("sheet.mode", say(f"mode.{origin.mode}")),
        ("sheet.sites", say("from-to", source=Quote(origin.source), target=Quote(origin.target))),
        ("sheet.began", moment(report.began)),
        ("sheet.ended", moment(report.ended) or say("not-ended")),
        ("sheet.by", say("user-on", user=Quote(origin.user), host=Quote(origin.host))),
        ("sheet.runbook", say("runbook-of", name=Name(origin.runbook), owner=Quote(origin.owner or "–"))),
        ("sheet.contacts", several(*contacts, separator=" · ") if contacts else None),
    ]


def impact(report: Report) -> Section:
    """Return services, sites, patients and the data lost."""
    services = Table(
        "table.impact",
        (
            Column("column.service"),
            Column("column.tier", "number"),
            Column("column.since", "time"),
            Column("column.restored", "time"),
        ),
        [
            (
                Quote(service.title),
                Quote(str(service.tier)) if service.tier is not None else None,
                _impact_of(report),
                moment(service.restored) or Badge("warn", say("not-restored")),
            )
            for service in report.services
        ],
    )
    sheet = Sheet(
        "sheet.impact",
        (("sheet.sites-hit", people(report, "sites")), ("sheet.patients", people(report, "patients"))),
    )
    return Section(
        "section.impact",
        (
            services,
            sheet,
            Paragraph(say("impacts"), "lead"),
            noted(report.said("impact"), "impact"),
            loss_table(report),
            *_bound(report),
        ),
    )


def _impact_of(report: Report) -> Value:
    """Return when services were hit; what nobody stated is said to be assumed."""
    stamp = report.times.impact
    if stamp is None:
        return Open("impact")
    return several(moment(stamp.at), Badge("warn", say("assumed")) if stamp.source == "assumed" else None)


def _bound(report: Report) -> tuple[Block, ...]:
    stated = report.times.impact is not None and report.times.impact.source != "assumed"
    return () if stated or not report.losses else (Paragraph(say("losses-bound"), "warn"),)


def decisions(report: Report) -> Section:
    """Return who decided what, and what was told to whom."""
    columns = (
        Column("column.when", "time"), Column("column.who"), Column("column.what"), Column("column.step", "name"),
        Column("column.why"), Column("column.line", "number"),
    )  # fmt: skip
    rows = [_decision(fact) for fact in report.decisions]
    blocks: list[Block] = [Table("table.decisions", columns, rows)]
    blocks += [
        Paragraph(say("communications"), "lead"),
        noted(report.said("communication"), "communications"),
    ]
    wanted = report.kind == "incident" and report.origin.mode not in FOLLOWING
    if not wanted and not report.said("communication"):
        del blocks[1:]
    return Section("section.decisions", tuple(blocks))


def _decision(fact: DecisionFact) -> tuple[Value, ...]:
    how = say(f"how.{fact.how}") if fact.how in {"yes", "plan-file", "file", "timeout", "typed"} else None
    return (
        moment(fact.at),
        Quote(fact.by),
        several(say(f"decision.{fact.what}"), say("bracketed", text=how) if how else None),
        Name(fact.step) if fact.step else None,
        quote(fact.text),
        Quote(str(fact.line)),
    )


def causes(report: Report) -> Section:
    """Return causes, findings, what went well and badly, and luck."""
    return Section(
        "section.causes",
        (
            Paragraph(say("causes"), "lead"),
            noted(report.said("cause"), "causes"),
            Paragraph(say("findings"), "lead"),
            *(
                [noted(report.said("finding"), "findings")]
                if report.said("finding")
                else [Paragraph(say("none-noted"), "quiet")]
            ),
            Sheet(
                "sheet.lessons",
                tuple((f"sheet.{name}", people(report, name)) for name in ("well", "badly", "luck")),
            ),
            Paragraph(say("lessons"), "lead"),
            noted(report.said("lesson"), "lessons"),
        ),
    )


def actions(report: Report) -> Section:
    """Return what is to be done, by whom, until when."""
    columns = (
        Column("column.action"), Column("column.owner"), Column("column.due", "time"), Column("column.status"),
        Column("column.number", "name"),
    )  # fmt: skip
    rows = [
        (
            several(Quote(action.text), say("carried-over") if action.carried else None),
            quote(action.owner) or Open("action-owner"),
            Day(action.due) if action.due else Open("action-owner"),
            Badge("good", say("action.done")) if action.done else Badge("warn", say("action.open")),
            Name(action.id),
        )
        for action in report.actions
    ]
    blocks: list[Block] = [Table("table.actions", columns, rows)] if rows else []
    if report.lacks("actions"):
        blocks.append(Bullets((Open("actions"),)))
    return Section("section.actions", tuple(blocks))


def regulatory(report: Report) -> Section:
    """Return what laws and contracts ask for beside the facts: whom to tell, whose data, across which borders."""
    names = ("authorities", "personal-data", "cross-border", "indicators")
    rows = tuple((f"sheet.{name}", people(report, name)) for name in names)
    return Section("section.regulatory", (Sheet("sheet.regulatory", rows),))


def exposure(report: Report) -> Section:
    """Return which way data is replicated now, as far as journals tell."""
    columns = (
        Column("column.run", "name"),
        Column("column.mode"),
        Column("column.when", "time"),
        Column("column.outcome"),
    )
    rows = [
        (Name(run.run), say(f"mode.{run.mode}"), moment(run.began), say(f"state.{run.outcome}"))
        for run in report.related
    ]
    table = Table("table.related", columns, rows, "no-related")
    return Section("section.exposure", (_replication(report), table, *doubt(report)))


def _replication(report: Report) -> Paragraph:
    """Return what the run did to replication, and whether another has set it up again since."""
    names = {"source": Quote(report.origin.source), "target": Quote(report.origin.target)}
    if report.origin.mode == "reprotect":
        good = report.state == "completed"
        return Paragraph(
            say("exposure.reprotected" if good else "exposure.unfinished"), "good" if good else "bad"
        )
    breaks = {step.result for step in report.steps if step.action.endswith(".break")}
    if breaks & {"done", "adopted", "unchanged"}:
        back = [run for run in report.related if run.mode in {"reprotect", "failback"}]
        if any(run.outcome == "completed" for run in back):
            return Paragraph(say("exposure.protected", **names), "good")
        return Paragraph(say("exposure.exposed", **names), "bad")
    if breaks & DOUBTFUL - {"skipped"}:
        return Paragraph(say("exposure.doubtful", **names), "bad")
    return Paragraph(say("exposure.untouched", **names))


def doubt(report: Report) -> tuple[Block, ...]:
    """Return what nobody can vouch for, so that a reader knows what is still open."""
    groups = alike(
        (step for step in report.steps if step.result in DOUBTFUL),
        lambda step: (family(step.id), step.result, step.reason, step.hint),
    )
    doubtful = [
        say(
            "doubt",
            step=name_steps([step.id for step in group]),
            result=say(f"result.{group[0].result}"),
            why=_remedy(group[0]),
        )
        for group in groups
    ]
    if not doubtful:
        return (Paragraph(say("no-doubt"), "good"),)
    return (Paragraph(say("doubts"), "warn"), Bullets(tuple(doubtful)))


def _remedy(step: StepFact) -> Value:
    """Return why a step is in doubt, and what the journal says to do about it."""
    why = quote(step.reason) or say("no-reason")
    return several(why, Quote(step.hint), separator=" → ") if step.hint else why
