"""The figures: times, objectives, where the time went, the picture."""

from __future__ import annotations

from drctl.report.chart import Chart
from drctl.report.document import (
    Badge,
    Block,
    Column,
    Figure,
    Name,
    Open,
    Paragraph,
    Quote,
    Section,
    Share,
    Shares,
    Table,
    Tone,
    Value,
    length,
    moment,
    say,
)
from drctl.report.facts import DOUBTFUL, LossFact, Objective, Report, ServiceFact, Stamp

TONES: dict[str, Tone] = {"met": "good", "missed": "bad", "unproven": "warn", "no-objective": "quiet"}


def times(report: Report) -> Section:
    """Return the instants the incident is told by, each with what proves it."""
    given = report.times
    rows = [
        _time("impact", given.impact, Open("impact")),
        _time("detection", given.detection, Open("detection")),
        _time("declaration", given.declaration, Open("declaration")),
        _time("decision", given.decision),
        _time("first-action", given.first_action),
        _time("no-return", given.no_return),
        _time("restored", given.restored),
        _time("validated", given.validated),
        _time("normal", given.normal, Open("normal")),
    ]
    columns = (Column("column.instant"), Column("column.when", "time"), Column("column.source"))
    return Section("section.times", (Table("table.times", columns, rows),))


def _time(name: str, stamp: Stamp | None, missing: Value = None) -> tuple[Value, ...]:
    if stamp is None:
        return say(f"time.{name}"), missing or say("not-reached"), None
    source = "journal-by" if stamp.source == "journal" and stamp.by else stamp.source
    proof = say(f"source.{source}", by=Quote(stamp.by or "drctl"), line=Quote(str(stamp.line)))
    assumed = stamp.source == "assumed"
    return say(f"time.{name}"), moment(stamp.at), Badge("warn", proof) if assumed else proof


def objectives(report: Report) -> Section:
    """Return target, actual, margin and verdict per service, and where the time went."""
    columns = (
        Column("column.service"), Column("column.objective"), Column("column.target", "number"),
        Column("column.actual", "number"), Column("column.margin", "number"), Column("column.verdict"),
    )  # fmt: skip
    rows = [row for service in report.services for row in _service_rows(service)]
    blocks: list[Block] = [Paragraph(_clock(report)), Table("table.objectives", columns, rows)]
    if report.kind == "drill":
        blocks.append(loss_table(report))
    if any(service.parts for service in report.services):
        blocks += [_shares(report), _split(report), Paragraph(say("split.counting"), "quiet")]
    return Section("section.objectives", tuple(blocks))


def _clock(report: Report) -> Value:
    service = next(iter(report.services), None)
    if service is None:
        return say("clock.no-services")
    stated = {
        "impact": report.times.impact, "detection": report.times.detection, "declaration": report.times.declaration,
    }[service.clock_starts]  # fmt: skip
    start = moment(service.clock_start) or Open(service.clock_starts)
    key = "clock.assumed" if stated is not None and stated.source == "assumed" else "clock.starts"
    return say(key, clock=say(f"clock.{service.clock_starts}"), at=start)


def _service_rows(service: ServiceFact) -> list[tuple[Value, ...]]:
    rows = [_row(Quote(service.title), "rto", service.rto)]
    if service.rpo.verdict != "no-objective":
        rows.append(_row(Quote(service.title), "rpo", service.rpo))
    if service.mtpd.target is not None:
        rows.append(_row(Quote(service.title), "mtpd", service.mtpd))
    return rows


def _row(name: Value, what: str, found: Objective) -> tuple[Value, ...]:
    return (
        name,
        say(f"objective.{what}"),
        length(found.target),
        length(found.actual) or say("nothing-given-up" if what == "rpo" else "not-reached"),
        length(found.margin, signed=True),
        Badge(TONES[found.verdict], say(f"verdict.{found.verdict}")),
    )


def _shares(report: Report) -> Shares:
    return Shares(
        "figure.split",
        tuple(
            Share(
                service.title,
                tuple((part.name, part.seconds) for part in service.parts),
                service.elapsed or 0.0,
                service.rto.target,
            )
            for service in report.services
            if service.parts
        ),
    )


def _split(report: Report) -> Table:
    names = ["detection", "decision", "execution", "people", "validation", "stopped"]
    shown = [
        name
        for name in names
        if name != "stopped"
        or any(part.seconds for s in report.services for part in s.parts if part.name == name)
    ]
    columns = (
        Column("column.service"), *(Column(f"part.{name}", "number") for name in shown), Column("column.total", "number"),
    )  # fmt: skip
    rows = [
        (
            Quote(service.title),
            *(length(part.seconds) for part in service.parts if part.name in shown),
            _total(service),
        )
        for service in report.services
        if service.parts
    ]
    return Table("table.split", columns, rows)


def _total(service: ServiceFact) -> Value:
    if service.restored:
        return length(service.elapsed)
    return say("so-far", elapsed=length(service.elapsed))


def picture(chart: Chart) -> Section:
    """Return the Gantt picture."""
    if not chart.rows:
        return Section("section.picture", (Paragraph(say("picture.nothing")),))
    return Section(
        "section.picture", (Figure("figure.gantt", chart), Paragraph(say(f"picture.{chart.folded}"), "quiet"))
    )


def in_doubt(report: Report, loss: LossFact) -> bool:
    """Say whether the step that gives this data up has no proven end."""
    return any(step.id == loss.step and step.result in DOUBTFUL for step in report.steps)


def _used(report: Report, loss: LossFact) -> Value:
    if not loss.used:
        return Badge("quiet", say("used.no"))
    return Badge("warn", say("used.doubtful")) if in_doubt(report, loss) else say("used.yes")


def loss_table(report: Report) -> Table:
    """Return what each volume lost, with the recovery point really used."""
    columns = (
        Column("column.volume", "name"), Column("column.service"), Column("column.recovery-point", "time"),
        Column("column.incident", "time"), Column("column.lost", "number"), Column("column.used"),
        Column("column.skew", "number"),
    )  # fmt: skip
    titles = {service.name: service.title for service in report.services}
    rows = [
        (
            Name(loss.volume),
            Quote(titles.get(loss.service, loss.service) or "–"),
            moment(loss.recovery_point),
            moment(loss.incident),
            length(loss.seconds),
            _used(report, loss),
            length(loss.clock_skew, signed=True) or say("unknown"),
        )
        for loss in report.losses
    ]
    drill = report.origin.mode == "drill"
    return Table("table.losses-drill" if drill else "table.losses", columns, rows, "no-losses")
